"""EPC URNs (Tag Data Standard, sections 6 to 8) to GS1 Digital Link URIs.

A URN tells where its company prefix ends, a Digital Link does not: the way there needs no table,
and what two splits of the same digits name is the same item.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote

from sealtrail.gs1.check_digit import check_digit
from sealtrail.gs1.escapes import encode_value

DIGITAL_LINK = "https://id.gs1.org/"

# TDS table "AI encodable character set 82", as a URN writes it.
_X = r"(?:[!'()*+,\-.0-9:;=A-Z_a-z]|%(?:2[1-9A-Fa-f]|3[0-9A-Fa-f]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9Aa]))"
_CPI = r"(?:[0-9A-Z\-]|%(?:2[3dfDF]|3[0-9]|4[1-9A-Fa-f]|5[0-9Aa]))"

Encode = Callable[[str], str]
Convert = Callable[[re.Match[str], Encode], str | None]


def _fixed(prefix: str, reference: str, size: int) -> str | None:
    """Join company prefix and reference if they have ``size`` digits together."""
    return prefix + reference if len(prefix) + len(reference) == size else None


def _gtin(match: re.Match[str]) -> str | None:
    prefix, item = match[1], match[2]
    if len(prefix) + len(item) != 13:
        return None
    raw = item[0] + prefix + item[1:]
    return raw + check_digit(raw)


def _with_gtin(ai: str, qualifier: str) -> Convert:
    def convert(match: re.Match[str], encode: Encode) -> str | None:
        gtin = _gtin(match)
        if gtin is None:
            return None
        return f"{DIGITAL_LINK}{ai}/{gtin}/{qualifier}/{encode(match[3])}"

    return convert


def _gtin_class(match: re.Match[str], encode: Encode) -> str | None:
    gtin = _gtin(match)
    return gtin and f"{DIGITAL_LINK}01/{gtin}"


def _itip(match: re.Match[str], encode: Encode) -> str | None:
    gtin = _gtin(match)
    if gtin is None:
        return None
    serial = f"/21/{encode(match[5])}" if match.re.groups == 5 else ""
    return f"{DIGITAL_LINK}8006/{gtin}{match[3]}{match[4]}{serial}"


def _sscc(match: re.Match[str], encode: Encode) -> str | None:
    prefix, reference = match[1], match[2]
    if len(prefix) + len(reference) != 17:
        return None
    raw = reference[0] + prefix + reference[1:]
    return f"{DIGITAL_LINK}00/{raw}{check_digit(raw)}"


def _keyed(ai: str, size: int, lead: str = "") -> Convert:
    """A numeric key with check digit, and after it the serial of group 3 where the pattern has one."""

    def convert(match: re.Match[str], encode: Encode) -> str | None:
        raw = _fixed(match[1], match[2], size)
        if raw is None:
            return None
        raw = lead + raw
        serial = encode(match[3]) if match.re.groups == 3 else ""
        return f"{DIGITAL_LINK}{ai}/{raw}{check_digit(raw)}{serial}"

    return convert


def _sgln(match: re.Match[str], encode: Encode) -> str | None:
    raw = _fixed(match[1], match[2], 12)
    if raw is None:
        return None
    place = f"{DIGITAL_LINK}414/{raw}{check_digit(raw)}"
    # the extension "0" says: none (TDS section 6.3.3)
    return place if match[3] == "0" else f"{place}/254/{encode(match[3])}"


def _lettered(ai: str) -> Convert:
    def convert(match: re.Match[str], encode: Encode) -> str | None:
        if len(match[1]) + len(unquote(match[2])) > 30:
            return None
        return f"{DIGITAL_LINK}{ai}/{match[1]}{encode(match[2])}"

    return convert


def _cpi(match: re.Match[str], encode: Encode) -> str | None:
    if len(match[1]) + len(unquote(match[2])) > 30:
        return None
    serial = f"/8011/{match[3]}" if match.re.groups == 3 else ""
    return f"{DIGITAL_LINK}8010/{match[1]}{encode(match[2])}{serial}"


def _scheme(
    pattern: str, convert: Convert
) -> tuple[Callable[[str, int], re.Match[str] | None], Convert]:
    return re.compile(pattern).fullmatch, convert


_P = r"([0-9]{6,12})\."
_ITEM = _P + r"([0-9]{1,7})"
_REFERENCE = _P + r"([0-9]{0,6})"

_SCHEMES = {
    "urn:epc:id:sgtin": _scheme(rf"{_ITEM}\.({_X}{{1,20}})", _with_gtin("01", "21")),
    "urn:epc:id:upui": _scheme(rf"{_ITEM}\.({_X}{{1,28}})", _with_gtin("01", "235")),
    "urn:epc:class:lgtin": _scheme(rf"{_ITEM}\.({_X}{{1,20}})", _with_gtin("01", "10")),
    "urn:epc:id:itip": _scheme(rf"{_ITEM}\.([0-9]{{2}})\.([0-9]{{2}})\.({_X}{{1,20}})", _itip),
    "urn:epc:id:sscc": _scheme(_P + r"([0-9]{5,11})", _sscc),
    "urn:epc:id:sgln": _scheme(rf"{_REFERENCE}\.({_X}{{1,20}})", _sgln),
    "urn:epc:id:pgln": _scheme(_REFERENCE, _keyed("417", 12)),
    "urn:epc:id:grai": _scheme(rf"{_REFERENCE}\.({_X}{{1,16}})", _keyed("8003", 12, "0")),
    "urn:epc:id:gdti": _scheme(rf"{_REFERENCE}\.({_X}{{1,19}})", _keyed("253", 12)),
    "urn:epc:id:sgcn": _scheme(rf"{_REFERENCE}\.([0-9]{{1,12}})", _keyed("255", 12)),
    "urn:epc:id:gsrn": _scheme(_P + r"([0-9]{5,11})", _keyed("8018", 17)),
    "urn:epc:id:gsrnp": _scheme(_P + r"([0-9]{5,11})", _keyed("8017", 17)),
    "urn:epc:id:gsin": _scheme(_P + r"([0-9]{4,10})", _keyed("402", 16)),
    "urn:epc:id:giai": _scheme(rf"{_P}({_X}{{1,24}})", _lettered("8004")),
    "urn:epc:id:ginc": _scheme(rf"{_P}({_X}{{1,24}})", _lettered("401")),
    "urn:epc:id:cpi": _scheme(rf"{_P}({_CPI}{{1,24}})\.([0-9]{{1,12}})", _cpi),
    "urn:epc:idpat:sgtin": _scheme(_ITEM + r"\.\*", _gtin_class),
    "urn:epc:idpat:upui": _scheme(_ITEM + r"\.\*", _gtin_class),
    "urn:epc:idpat:itip": _scheme(_ITEM + r"\.([0-9]{2})\.([0-9]{2})\.\*", _itip),
    "urn:epc:idpat:grai": _scheme(_REFERENCE + r"\.\*", _keyed("8003", 12, "0")),
    "urn:epc:idpat:gdti": _scheme(_REFERENCE + r"\.\*", _keyed("253", 12)),
    "urn:epc:idpat:sgcn": _scheme(_REFERENCE + r"\.\*", _keyed("255", 12)),
    "urn:epc:idpat:cpi": _scheme(rf"{_P}({_CPI}{{1,24}})\.\*", _cpi),
}

_SCHEME_CHARACTERS_MIN = min(map(len, _SCHEMES))


def is_epc_urn(text: str) -> bool:
    """Tell whether the text claims to be an EPC URN (well-formed or not)."""
    return text.startswith("urn:epc:")


def digital_link_of_urn(text: str, encode: Encode = encode_value) -> str | None:
    """Return the canonical Digital Link of an EPC URN; None if it has none or is malformed.

    Args:
        encode: how a serial or lot is escaped; other than the default for the event hash alone.
    """
    cut = text.find(":", _SCHEME_CHARACTERS_MIN)
    entry = _SCHEMES.get(text[:cut])
    if entry is None:
        return None
    match = entry[0](text, cut + 1)
    return None if match is None else entry[1](match, encode)
