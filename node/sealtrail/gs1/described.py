"""Whose description speaks for an identifier: its own, then that of what it is one of."""

from __future__ import annotations

import re

from sealtrail.gs1.canonical import canonical
from sealtrail.gs1.items import gln_of, item_of

_is_gln = re.compile(r"[0-9]{13}").fullmatch
_LINK = "https://id.gs1.org"


def described_by(identifier: str) -> tuple[str, ...]:
    """Return the canonical identifiers whose master data speaks for an identifier, the closest first.

    A place or party: itself, its site and its party. A pack, a lot or a class: itself and its product.

    Args:
        identifier: a URI in any spelling, or a GLN's 13 digits.
    """
    if _is_gln(identifier):
        return f"{_LINK}/417/{identifier}", f"{_LINK}/414/{identifier}"
    name = canonical(identifier)
    gln = gln_of(name)
    if gln is not None:
        return tuple(dict.fromkeys((name, f"{_LINK}/414/{gln}", f"{_LINK}/417/{gln}")))
    gtin = item_of(name).gtin
    return (name,) if gtin is None else tuple(dict.fromkeys((name, f"{_LINK}/01/{gtin}")))
