"""The canonical form of any identifier."""

from __future__ import annotations

import re
from functools import lru_cache

from sealtrail.gs1.digital_link import DIGITAL_LINK, is_canonical, parse_digital_link
from sealtrail.gs1.urn import digital_link_of_urn

# 16,384 identifiers of at most 256 characters: some 10 MB
_REMEMBERED = 16_384
_REMEMBERED_CHARACTERS_MAX = 256
# A pack, a lot or a logistic unit under a domain and stem of one's own, without escapes:
# the common case, read in one go
_P = r"[A-Za-z0-9'\-.;=_]{1,20}"
_is_simple = re.compile(
    r"https?://[^/?#%]+(?:/[A-Za-z][A-Za-z_\-]*)*?/(00/[0-9]{18}|01/[0-9]{14})"
    rf"(?:(?<=/01/[0-9]{{14}})(/10/{_P})?(/21/{_P})?)?"
).fullmatch


def canonical(identifier: str) -> str:
    """Return the canonical Digital Link URI of an EPC URN, a class URN or a Digital Link of any domain.

    What has none (another URI, a malformed URN) is its own canonical identifier. Check digits are computed
    for URNs and not checked in Digital Links: what was recorded names what it names.
    """
    if len(identifier) > _REMEMBERED_CHARACTERS_MAX:
        return _canonical.__wrapped__(identifier)
    return _canonical(identifier)


def read_simple(text: str) -> str | None:
    """Return the canonical form of a Digital Link in a common spelling without escapes; None says nothing."""
    match = _is_simple(text)
    return match and DIGITAL_LINK + match[1] + (match[3] or match[2] or "")


@lru_cache(maxsize=_REMEMBERED)
def _canonical(identifier: str) -> str:
    if identifier.startswith("urn:epc:"):
        return digital_link_of_urn(identifier) or identifier
    if not identifier.startswith(("http", "HTTP")) or is_canonical(identifier):
        return identifier
    if (simple := read_simple(identifier)) is not None:
        return simple
    link = parse_digital_link(identifier)
    return identifier if link is None else link.canonical
