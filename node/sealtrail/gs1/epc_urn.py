"""GS1 Digital Link URIs to EPC URNs, and both ways at once for whoever wants one form everywhere.

The way there is in :mod:`sealtrail.gs1.urn`; this is the way back, which needs to know where company prefixes end
(:mod:`sealtrail.gs1.company_prefixes`). A URN says less than a Digital Link may: variants (AI 22), the lot of a
numbered pack and data attributes have no place in it.

Source: EPC Tag Data Standard 2.0, sections 6 to 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sealtrail.errors import InputError
from sealtrail.gs1.company_prefixes import CompanyPrefixes
from sealtrail.gs1.digital_link import DigitalLink, parse_digital_link
from sealtrail.gs1.urn import digital_link_of_urn, is_epc_urn, with_lower_prefix

Split = Callable[[str], tuple[str, str] | None]
"""A key's digits to company prefix and the rest; None if that is not known or can't be."""

# what the grammar of a URN has in no component (TDS section 7, and RFC 3986)
_needs_escape = re.compile(r"[\"%&/<>?#]").search
_ESCAPES = {ord(c): f"%{ord(c):02X}" for c in '"%&/<>?#'}
_PIECE = slice(14, 18)


def to_digital_link(identifier: str) -> str:
    """Return an EPC URN as canonical Digital Link; anything else, and a URN that has none, as it is."""
    if not is_epc_urn(identifier):
        return identifier
    return (
        digital_link_of_urn(identifier)
        or digital_link_of_urn(with_lower_prefix(identifier))
        or identifier
    )


def to_urn(identifier: str, prefixes: CompanyPrefixes) -> str | None:
    """Return a Digital Link as EPC URN, class URN or pattern URN; an EPC URN as it is.

    None for another URI, for a key that has no URN, and where the company prefix is not known.
    """
    if is_epc_urn(identifier):
        return identifier
    link = parse_digital_link(identifier)
    form = None if link is None else _FORMS.get(link.ai)
    if link is None or form is None:
        return None
    return form(link, _splitter(prefixes))


def require_urn(identifier: str, prefixes: CompanyPrefixes) -> str:
    """Return what :func:`to_urn` does.

    Raises:
        InputError: ``identifier_without_urn``; ``company_prefix_unknown``: there would be one, were it known where the
            company prefix ends.
    """
    if (urn := to_urn(identifier, prefixes)) is not None:
        return urn
    link = parse_digital_link(identifier)
    if link is None or link.ai not in _FORMS:
        raise InputError("identifier_without_urn", f"{identifier[:100]!r} has no EPC URN.")
    raise InputError(
        "company_prefix_unknown",
        f"It is not known where the company prefix in {identifier[:100]!r} ends.",
        advice="Add the prefix to gs1.company_prefixes in the node's configuration.",
    )


def _splitter(prefixes: CompanyPrefixes) -> Split:
    def split(digits: str) -> tuple[str, str] | None:
        length = prefixes.length(digits)
        return (
            None if length is None or length > len(digits) else (digits[:length], digits[length:])
        )

    return split


def _escape(value: str) -> str:
    return value.translate(_ESCAPES) if _needs_escape(value) else value


def _gtin(link: DigitalLink, split: Split) -> str | None:
    item = _item_reference(link.value, split)
    if item is None:
        return None
    for qualifier, scheme in (("21", "id:sgtin"), ("235", "id:upui"), ("10", "class:lgtin")):
        if qualifier in link.qualifiers:
            return f"urn:epc:{scheme}:{item}.{_escape(link.qualifiers[qualifier])}"
    return None if "22" in link.qualifiers else f"urn:epc:idpat:sgtin:{item}.*"


def _itip(link: DigitalLink, split: Split) -> str | None:
    item = _item_reference(link.value, split)
    if item is None:
        return None
    pieces = link.value[_PIECE]
    serial = link.qualifiers.get("21")
    if serial is None and link.qualifiers:
        return None
    scheme, last = ("idpat", "*") if serial is None else ("id", _escape(serial))
    return f"urn:epc:{scheme}:itip:{item}.{pieces[:2]}.{pieces[2:]}.{last}"


def _item_reference(gtin: str, split: Split) -> str | None:
    """``prefix.indicator item``: the indicator digit stands behind the prefix."""
    parts = split(gtin[1:13])
    return parts and f"{parts[0]}.{gtin[0]}{parts[1]}"


def _sscc(link: DigitalLink, split: Split) -> str | None:
    parts = split(link.value[1:17])
    return parts and f"urn:epc:id:sscc:{parts[0]}.{link.value[0]}{parts[1]}"


def _sgln(link: DigitalLink, split: Split) -> str | None:
    parts = split(link.value[:12])
    extension = link.qualifiers.get("254")
    if parts is None or extension == "0":  # which in a URN says: none (TDS section 6.3.3)
        return None
    return f"urn:epc:id:sgln:{parts[0]}.{parts[1]}.{_escape(extension or '0')}"


def _plain(scheme: str, size: int) -> Callable[[DigitalLink, Split], str | None]:
    """A key of ``size`` digits and its check digit, and nothing behind."""

    def form(link: DigitalLink, split: Split) -> str | None:
        parts = split(link.value[:size])
        return parts and f"urn:epc:id:{scheme}:{parts[0]}.{parts[1]}"

    return form


def _serialised(
    scheme: str, size: int, lead: int = 0
) -> Callable[[DigitalLink, Split], str | None]:
    """A key of ``lead`` zeros, ``size`` digits and their check digit, then a serial, or none: a pattern."""

    def form(link: DigitalLink, split: Split) -> str | None:
        parts = split(link.value[lead : lead + size])
        serial = link.value[lead + size + 1 :]
        kind, last = ("id", _escape(serial)) if serial else ("idpat", "*")
        return parts and f"urn:epc:{kind}:{scheme}:{parts[0]}.{parts[1]}.{last}"

    return form


def _lettered(scheme: str) -> Callable[[DigitalLink, Split], str | None]:
    """A company prefix, then a reference of any characters, at least one."""

    def form(link: DigitalLink, split: Split) -> str | None:
        parts = split(link.value)
        if parts is None or not parts[1] or not parts[0].isdigit():
            return None
        return f"urn:epc:id:{scheme}:{parts[0]}.{_escape(parts[1])}"

    return form


def _cpi(link: DigitalLink, split: Split) -> str | None:
    parts = split(link.value)
    if parts is None or not parts[1] or not parts[0].isdigit():
        return None
    serial = link.qualifiers.get("8011")
    kind = "idpat" if serial is None else "id"
    return f"urn:epc:{kind}:cpi:{parts[0]}.{_escape(parts[1])}.{serial or '*'}"


_FORMS: dict[str, Callable[[DigitalLink, Split], str | None]] = {
    "00": _sscc,
    "01": _gtin,
    "253": _serialised("gdti", 12),
    "255": _serialised("sgcn", 12),
    "401": _lettered("ginc"),
    "402": _plain("gsin", 16),
    "414": _sgln,
    "417": _plain("pgln", 12),
    "8003": _serialised("grai", 12, lead=1),
    "8004": _lettered("giai"),
    "8006": _itip,
    "8010": _cpi,
    "8017": _plain("gsrnp", 17),
    "8018": _plain("gsrn", 17),
}
