"""The canonical form of any identifier."""

from __future__ import annotations

from functools import lru_cache

from sealtrail.gs1.digital_link import is_canonical, parse_digital_link
from sealtrail.gs1.urn import digital_link_of_urn

# 65,536 identifiers of some 60 characters: about 20 MB at most
_REMEMBERED = 65_536


@lru_cache(maxsize=_REMEMBERED)
def canonical(identifier: str) -> str:
    """Return the canonical Digital Link URI of an EPC URN, a class URN or a Digital Link of any domain.

    What has none (another URI, a malformed URN) is its own canonical identifier. Check digits are computed
    for URNs and not checked in Digital Links: what was recorded names what it names.
    """
    if identifier.startswith("urn:epc:"):
        return digital_link_of_urn(identifier) or identifier
    if not identifier.startswith(("http", "HTTP")) or is_canonical(identifier):
        return identifier
    link = parse_digital_link(identifier)
    return identifier if link is None else link.canonical
