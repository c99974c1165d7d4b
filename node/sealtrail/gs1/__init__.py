"""GS1 identifiers: EPC URNs, Digital Links and element strings, and the one canonical form of each.

Knows syntax and check digits; it knows no company prefixes, no owners and no network.
"""

from sealtrail.gs1.canonical import canonical
from sealtrail.gs1.items import (
    Item,
    gln_of,
    gtin_of_lot,
    gtin_of_pack,
    item_of,
    lot_identifier,
    lot_in,
    numbering_digits,
    parse_item,
)

__all__ = [
    "Item",
    "canonical",
    "gln_of",
    "gtin_of_lot",
    "gtin_of_pack",
    "item_of",
    "lot_identifier",
    "lot_in",
    "numbering_digits",
    "parse_item",
]
