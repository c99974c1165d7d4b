"""GS1 identifiers: EPC URNs, Digital Links, element strings and scans, and the one canonical form of each.

Knows syntax and check digits; it knows no owners and no network, and where company prefixes end only by argument.
"""

from sealtrail.gs1.canonical import canonical
from sealtrail.gs1.company_prefixes import NO_PREFIXES, CompanyPrefixes
from sealtrail.gs1.described import described_by
from sealtrail.gs1.epc_urn import require_urn, to_digital_link, to_urn
from sealtrail.gs1.items import (
    Item,
    gln_of,
    gtin_of_lot,
    gtin_of_pack,
    item_of,
    lot_identifier,
    lot_in,
    numbering_digits,
)
from sealtrail.gs1.scans import Scan, item_of_scan, parse_item, read_scan

__all__ = [
    "NO_PREFIXES",
    "CompanyPrefixes",
    "Item",
    "Scan",
    "canonical",
    "described_by",
    "gln_of",
    "gtin_of_lot",
    "gtin_of_pack",
    "item_of",
    "item_of_scan",
    "lot_identifier",
    "lot_in",
    "numbering_digits",
    "parse_item",
    "read_scan",
    "require_urn",
    "to_digital_link",
    "to_urn",
]
