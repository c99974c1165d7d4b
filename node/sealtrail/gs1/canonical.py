"""The canonical form of any identifier."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from sealtrail.gs1.digital_link import DIGITAL_LINK, is_canonical, parse_digital_link
from sealtrail.gs1.urn import (
    digital_link_of_urn,
    is_epc_urn,
    ordinary_form_of_urn,
    with_lower_prefix,
)

# 16,384 identifiers of at most 256 characters: some 10 MB
_REMEMBERED = 16_384
CHARACTERS_REMEMBERED_MAX = 256
"""Of an identifier that :func:`read_ordinary` may be asked for."""
_P = r"[A-Za-z0-9'\-.;=_]{1,20}"


def _simple_link(domain: str) -> Callable[[str], re.Match[str] | None]:
    """A pack, a lot or a logistic unit under a domain and stem of one's own, without escapes."""
    return re.compile(
        rf"https?://{domain}(?:/[A-Za-z][A-Za-z_\-]*)*?/(00/[0-9]{{18}}|01/[0-9]{{14}})"
        rf"(?:(?<=/01/[0-9]{{14}})(/10/{_P})?(/21/{_P})?)?"
    ).fullmatch


_is_simple = _simple_link(r"[^/?#%]+")
# surely a URI
_is_ordinary = _simple_link(r"[A-Za-z0-9.\-:]+")


def canonical(identifier: str) -> str:
    """Return the canonical Digital Link URI of an EPC URN, a class URN or a Digital Link of any domain.

    What has none (another URI, a malformed URN) is its own canonical identifier, an EPC URN with its prefix in lower
    case. Check digits are computed for URNs and not checked in Digital Links: what was recorded names what it names.
    """
    if len(identifier) > CHARACTERS_REMEMBERED_MAX:
        return _canonical.__wrapped__(identifier)
    return read_ordinary(identifier) or _canonical(identifier)


@lru_cache(maxsize=_REMEMBERED)
def read_ordinary(text: str) -> str | None:
    """Return the canonical form of an identifier in an ordinary spelling; None says nothing.

    Such an identifier is a well-formed URI, and its hash form is the canonical one: who validates, hashes or looks
    for items asks here first, and what one has read the others find remembered.
    """
    if ":cbv:" in text:
        return None  # the event hash replaces the URN of a standard word wherever it stands
    if text[:8] == "urn:epc:":
        return ordinary_form_of_urn(text)
    if is_canonical(text):
        return text
    # the event hash leaves alone what has no dot, such as a link on "localhost"
    return _shortened(_is_ordinary(text)) if "." in text else None


def read_simple(text: str) -> str | None:
    """Return the canonical form of a Digital Link in a common spelling without escapes; None says nothing."""
    return _shortened(_is_simple(text)) if "." in text else None


def _shortened(match: re.Match[str] | None) -> str | None:
    return match and DIGITAL_LINK + match[1] + (match[3] or match[2] or "")


@lru_cache(maxsize=_REMEMBERED)
def _canonical(identifier: str) -> str:
    if is_epc_urn(identifier):
        if (link_uri := digital_link_of_urn(identifier)) is not None:
            return link_uri
        urn = with_lower_prefix(identifier)
        return digital_link_of_urn(urn) or urn
    if identifier[:4].lower() != "http":
        return identifier
    link = parse_digital_link(identifier)
    return identifier if link is None else link.canonical
