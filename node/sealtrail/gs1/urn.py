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
_PLAIN = r"[!'()*+,\-.0-9:;=A-Z_a-z]"
_ESCAPED = r"%(?:2[1-9A-Fa-f]|3[0-9A-Fa-f]|4[1-9A-Fa-f]|5[0-9AaFf]|6[1-9A-Fa-f]|7[0-9Aa])"
_CPI = r"(?:[0-9A-Z\-]|%(?:2[3dfDF]|3[0-9]|4[1-9A-Fa-f]|5[0-9Aa]))"

Encode = Callable[[str], str]
Convert = Callable[[tuple[str, ...], Encode], str | None]


def _text(size_max: int) -> str:
    """A group of characters, escaped or not; those without escapes are read more quickly by themselves."""
    return rf"({_PLAIN}{{1,{size_max}}}|(?:{_PLAIN}|{_ESCAPED}){{1,{size_max}}})"


def _with_gtin(qualifier: str) -> Convert:
    def convert(groups: tuple[str, ...], encode: Encode) -> str | None:
        prefix, lead, item, value = groups
        raw = lead + prefix + item
        if len(raw) != 13:
            return None
        return f"{DIGITAL_LINK}01/{raw}{check_digit(raw)}/{qualifier}/{encode(value)}"

    return convert


def _gtin_class(groups: tuple[str, ...], _: Encode) -> str | None:
    prefix, lead, item = groups
    raw = lead + prefix + item
    return f"{DIGITAL_LINK}01/{raw}{check_digit(raw)}" if len(raw) == 13 else None


def _itip(groups: tuple[str, ...], encode: Encode) -> str | None:
    prefix, lead, item, piece, total, serial = groups
    raw = lead + prefix + item
    if len(raw) != 13:
        return None
    behind = f"/21/{encode(serial)}" if serial else ""
    return f"{DIGITAL_LINK}8006/{raw}{check_digit(raw)}{piece}{total}{behind}"


def _sscc(groups: tuple[str, ...], _: Encode) -> str | None:
    prefix, lead, reference = groups
    raw = lead + prefix + reference
    return f"{DIGITAL_LINK}00/{raw}{check_digit(raw)}" if len(raw) == 17 else None


def _keyed(ai: str, size: int, lead: str = "") -> Convert:
    """A numeric key of ``size`` digits and a check digit, then a serial."""

    def convert(groups: tuple[str, ...], encode: Encode) -> str | None:
        prefix, reference, serial = groups
        raw = lead + prefix + reference
        if len(raw) != size:
            return None
        return f"{DIGITAL_LINK}{ai}/{raw}{check_digit(raw)}{encode(serial)}"

    return convert


def _sgln(groups: tuple[str, ...], encode: Encode) -> str | None:
    prefix, reference, extension = groups
    raw = prefix + reference
    if len(raw) != 12:
        return None
    place = f"{DIGITAL_LINK}414/{raw}{check_digit(raw)}"
    # the extension "0" says: none (TDS section 6.3.3)
    return place if extension == "0" else f"{place}/254/{encode(extension)}"


def _lettered(ai: str) -> Convert:
    def convert(groups: tuple[str, ...], encode: Encode) -> str | None:
        prefix, reference = groups
        if len(prefix) + len(unquote(reference)) > 30:
            return None
        return f"{DIGITAL_LINK}{ai}/{prefix}{encode(reference)}"

    return convert


def _cpi(groups: tuple[str, ...], encode: Encode) -> str | None:
    prefix, reference, serial = groups
    if len(prefix) + len(unquote(reference)) > 30:
        return None
    behind = f"/8011/{serial}" if serial else ""
    return f"{DIGITAL_LINK}8010/{prefix}{encode(reference)}{behind}"


def _scheme(
    pattern: str, convert: Convert
) -> tuple[Callable[[str], re.Match[str] | None], Convert]:
    return re.compile(pattern).fullmatch, convert


_P = r"([0-9]{6,12})\."
# the digit that goes before the prefix, and what goes behind
_ITEM = _P + r"([0-9])([0-9]{0,6})"
_SERIAL_REFERENCE = _P + r"([0-9])([0-9]{4,10})"
_REFERENCE = _P + r"([0-9]{0,6})"

_NO_SERIAL = "()"

_SCHEMES = {
    "urn:epc:id:sgtin": _scheme(rf"{_ITEM}\.{_text(20)}", _with_gtin("21")),
    "urn:epc:id:upui": _scheme(rf"{_ITEM}\.{_text(28)}", _with_gtin("235")),
    "urn:epc:class:lgtin": _scheme(rf"{_ITEM}\.{_text(20)}", _with_gtin("10")),
    "urn:epc:id:itip": _scheme(rf"{_ITEM}\.([0-9]{{2}})\.([0-9]{{2}})\.{_text(20)}", _itip),
    "urn:epc:id:sscc": _scheme(_SERIAL_REFERENCE, _sscc),
    "urn:epc:id:sgln": _scheme(rf"{_REFERENCE}\.{_text(20)}", _sgln),
    "urn:epc:id:pgln": _scheme(_REFERENCE + _NO_SERIAL, _keyed("417", 12)),
    "urn:epc:id:grai": _scheme(rf"{_REFERENCE}\.{_text(16)}", _keyed("8003", 13, "0")),
    "urn:epc:id:gdti": _scheme(rf"{_REFERENCE}\.{_text(19)}", _keyed("253", 12)),
    "urn:epc:id:sgcn": _scheme(rf"{_REFERENCE}\.([0-9]{{1,12}})", _keyed("255", 12)),
    "urn:epc:id:gsrn": _scheme(_P + r"([0-9]{5,11})" + _NO_SERIAL, _keyed("8018", 17)),
    "urn:epc:id:gsrnp": _scheme(_P + r"([0-9]{5,11})" + _NO_SERIAL, _keyed("8017", 17)),
    "urn:epc:id:gsin": _scheme(_P + r"([0-9]{4,10})" + _NO_SERIAL, _keyed("402", 16)),
    "urn:epc:id:giai": _scheme(rf"{_P}{_text(24)}", _lettered("8004")),
    "urn:epc:id:ginc": _scheme(rf"{_P}{_text(24)}", _lettered("401")),
    "urn:epc:id:cpi": _scheme(rf"{_P}({_CPI}{{1,24}})\.([0-9]{{1,12}})", _cpi),
    "urn:epc:idpat:sgtin": _scheme(_ITEM + r"\.\*", _gtin_class),
    "urn:epc:idpat:upui": _scheme(_ITEM + r"\.\*", _gtin_class),
    "urn:epc:idpat:itip": _scheme(_ITEM + r"\.([0-9]{2})\.([0-9]{2})\.\*" + _NO_SERIAL, _itip),
    "urn:epc:idpat:grai": _scheme(_REFERENCE + r"\.\*" + _NO_SERIAL, _keyed("8003", 13, "0")),
    "urn:epc:idpat:gdti": _scheme(_REFERENCE + r"\.\*" + _NO_SERIAL, _keyed("253", 12)),
    "urn:epc:idpat:sgcn": _scheme(_REFERENCE + r"\.\*" + _NO_SERIAL, _keyed("255", 12)),
    "urn:epc:idpat:cpi": _scheme(rf"{_P}({_CPI}{{1,24}})\.\*()", _cpi),
}

# what stands without escapes in a URI, in a canonical identifier and in the event hash
_is_plain = re.compile(r"[A-Za-z0-9\-._~/?@$&';=]+").fullmatch
# The event hash writes some of these otherwise.
_ORDINARY = {
    name: scheme for name, scheme in _SCHEMES.items() if "grai" not in name and "pat" not in name
}
_SCHEME_CHARACTERS_MIN = min(map(len, _SCHEMES))
# "urn:epc:", what kind of URN it is, and its scheme
_prefix = re.compile(r"urn:epc:(?:[a-z0-9\-]+:){0,2}", re.ASCII | re.IGNORECASE).match


def is_epc_urn(text: str) -> bool:
    """Tell whether the text claims to be an EPC URN (well-formed or not), in any case."""
    return text[:8].lower() == "urn:epc:"


def with_lower_prefix(text: str) -> str:
    """Return an EPC URN with everything up to its scheme in lower case, any other text as it is.

    RFC 8141 section 3.1 has it so for ``urn:epc:``; what follows names no other scheme in capitals either.
    """
    match = _prefix(text)
    return text if match is None else match[0].lower() + text[match.end() :]


def digital_link_of_urn(text: str, encode: Encode = encode_value) -> str | None:
    """Return the canonical Digital Link of an EPC URN; None if it has none or is malformed.

    Args:
        encode: how a serial or lot is escaped; other than the default for the event hash alone.
    """
    cut = text.find(":", _SCHEME_CHARACTERS_MIN)
    scheme = _SCHEMES.get(text[:cut])
    match = scheme and scheme[0](text[cut + 1 :])
    return scheme[1](match.groups(), encode) if scheme and match else None


def ordinary_form_of_urn(text: str) -> str | None:
    """Return the Digital Link of an EPC URN, or a malformed one as it stands, if the event hash does so as well.

    None says nothing.
    """
    name, _, rest = text.rpartition(":")
    scheme = _ORDINARY.get(name)
    if scheme is None or not _is_plain(rest):
        return None
    fullmatch, convert = scheme
    match = fullmatch(rest)
    return (match and convert(match.groups(), encode_value)) or text
