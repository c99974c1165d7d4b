"""What a scanner sends or a hand types, read: element strings, Digital Links, bare numbers, envelopes, URIs.

A scan that can be read in several ways is refused with all of them. Nothing is put right in silence: what looks like
a keyboard's or a reader's slip becomes a hint in the refusal.

Source: GS1 General Specifications, sections 5 and 7.8; ISO/IEC 15424 (symbology identifiers), 15434 (envelopes).
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from sealtrail.errors import InputError
from sealtrail.gs1.application_identifiers import ai_at, check_check_digit
from sealtrail.gs1.check_digit import has_check_digit
from sealtrail.gs1.elements import (
    CHARACTERS_MAX,
    FNC1,
    Elements,
    parse_bracketed,
    parse_element_string,
)
from sealtrail.gs1.items import (
    ADVICE,
    Item,
    item_of_elements,
    item_of_link,
    item_of_urn,
    read_link,
)
from sealtrail.gs1.lost_fnc1 import read_without_fnc1
from sealtrail.gs1.national import elements_of_data_identifiers, parse_data_identifiers
from sealtrail.gs1.scan_hints import hints_for, with_hints
from sealtrail.gs1.urn import is_epc_urn

# Symbology identifiers whose data are an element string; GS1-128, DataBar and composites, Data Matrix, QR, DotCode
_ELEMENTS = frozenset({"C1", "e0", "e1", "e2", "d2", "Q3", "J1"})
_EAN_13, _EAN_8 = frozenset({"E0", "E3"}), "E4"
_ITF = frozenset({"I0", "I1"})
# Code 39, 128 and 93, Codabar, DotCode, PDF417, QR, Data Matrix, Han Xin, Aztec, MaxiCode, others, typed
_plain = re.compile(r"[ACFGJLQUXZdhz][0-9A-F]").fullmatch
_COMPOSITE = "|]e0"
# how keyboards, drivers and documents show what can't be typed
_SHOWN = {
    "{GS}": FNC1, "<GS>": FNC1, "[GS]": FNC1, "{FNC1}": FNC1, "<FNC1>": FNC1, "[FNC1]": FNC1, "\u241d": FNC1,
    "{RS}": "\x1e", "<RS>": "\x1e", "\u241e": "\x1e", "{EOT}": "\x04", "<EOT>": "\x04", "\u2404": "\x04",
}  # fmt: skip
_shown = re.compile("|".join(map(re.escape, _SHOWN)))
_envelope = re.compile(r"\[\)>\x1e(0[56])\x1d(.+?)\x1e?\x04?", re.DOTALL).fullmatch
_any_uri = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:[\x21-\x7e]+").fullmatch
_tag = re.compile(
    r"(?i:urn:epc:tag:(sgtin|sscc|sgln|grai|giai|gsrnp|gsrn|gdti|sgcn|cpi|itip)-[0-9a-z]+):[0-7]\.(.+)"
).fullmatch
_digits = re.compile(r"[0-9]+").fullmatch
_BLANK = " \t\r\n\u00a0"
_GTIN_SIZES = (8, 12, 13, 14)
_SSCC_SIZE = 18


Kind = Literal["element_string", "digital_link", "number", "envelope", "urn", "uri"]


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What a text says.

    ``kind``: ``number`` is a bare GTIN or SSCC, ``uri`` one that GS1 does not define.
    ``symbology``: the scanner's symbology identifier, such as ``]d2``.
    ``elements``: by Application Identifier, in their order. ``data_identifiers``: an envelope's fields.
    ``identifier``: the URN or URI that it is. ``notes``: ``fnc1_missing``: it can be read in one way only, though no
    FNC1 divides it; ``ntin_of_ppn``: its GTIN is the one that IFA gives to the PPN's PZN.
    """

    kind: Kind
    symbology: str | None = None
    elements: dict[str, str] = {}
    data_identifiers: dict[str, str] = {}
    identifier: str | None = None
    notes: tuple[str, ...] = ()


def read_scan(text: str) -> Scan:
    """Read what a scanner sent or a user typed.

    Raises:
        InputError: ``identifier_empty``, ``identifier_unrecognised``, ``scan_ambiguous`` (``candidates`` in its
            context), ``symbology_unsupported``, ``identifier_check_digit``; those of element strings and envelopes.
            ``hints`` in its context: letter_for_digit, keyboard_layout, letter_case.
    """
    text = text.strip(_BLANK)
    if not text:
        raise InputError("identifier_empty", "There is no identifier.", advice=ADVICE)
    try:
        return _read(text)
    except InputError as error:
        hints = hints_for(text, _reads)
        if not hints:
            raise
        raise with_hints(error, hints) from error


def parse_item(text: str) -> Item:
    """Read what a user gives for an item: an EPC URN, a Digital Link, an element string, any scan, or another URI.

    Raises:
        InputError: as :func:`read_scan` and :func:`item_of_scan`.
    """
    return item_of_scan(read_scan(text))


def item_of_scan(scan: Scan) -> Item:
    """Return the item that a scan names.

    Raises:
        InputError: ``identifier_key_count``, ``identifier_malformed``, ``identifier_of_no_item`` (a place, a party),
            ``identifier_contradictory``, ``identifier_without_gtin`` (a national number for which there is none).
    """
    if scan.kind == "digital_link" and scan.identifier is not None:
        item = item_of_link(scan.identifier)
        if item is not None:
            return item
    if scan.kind == "urn" and scan.identifier is not None:
        return item_of_urn(scan.identifier)
    if scan.identifier is not None:
        return Item(canonical=scan.identifier, scheme="other")
    if scan.kind == "envelope" and not scan.elements:
        raise InputError(
            "identifier_without_gtin",
            "This envelope has neither a GTIN nor a number that one is known for.",
            advice=ADVICE,
        )
    return item_of_elements(scan.elements)


def _reads(text: str) -> bool:
    try:
        _read(text)
    except InputError as error:
        return error.code == "scan_ambiguous"
    return True


def _read(text: str) -> Scan:
    if text.startswith("]"):
        return _with_symbology(text)
    if text.startswith("("):
        return Scan(kind="element_string", elements=parse_bracketed(text))
    if text[:1] in "[{<0123456789^\x1d\u241d":
        return _data(text, symbology=None)
    return _named(text)


def _named(text: str) -> Scan:
    """A text that is an identifier, and nothing else."""
    if (
        tag := _tag(text)
    ) is not None:  # TDS section 12: without its filter value, a tag's URI is the identity's
        text = f"urn:epc:id:{tag[1].lower()}:{tag[2]}"
    if is_epc_urn(text):
        return Scan(kind="urn", identifier=text)
    if (link := read_link(text)) is not None:
        return Scan(
            kind="digital_link",
            elements={link.ai: link.value, **link.qualifiers},
            identifier=text,
        )
    if _any_uri(text):
        return Scan(kind="uri", identifier=text)
    raise InputError(
        "identifier_unrecognised", f"{text[:100]!r} is no identifier of an item.", advice=ADVICE
    )


def _with_symbology(text: str) -> Scan:
    symbology, data = text[1:3], text[3:]
    if symbology in _ELEMENTS:
        return _data(data, symbology=text[:3])
    if symbology in _EAN_13 or symbology == _EAN_8:
        return _retail(data, symbology=text[:3], size=8 if symbology == _EAN_8 else 13)
    if symbology in _ITF:
        return Scan(kind="number", symbology=text[:3], elements=_gtin(data, (14,)))
    if not _plain(symbology):
        raise InputError("symbology_unsupported", f"{text[:3]!r} is no symbology that is known.")
    # a symbol without GS1's first FNC1: plain text, which may be a link, an envelope or a number
    if not data:
        raise InputError("identifier_empty", "The symbol is empty.", advice=ADVICE)
    plain = _read(data) if data[0] != "]" else _named(data)
    return msgspec.structs.replace(plain, symbology=text[:3])


def _retail(data: str, *, symbology: str, size: int) -> Scan:
    """EAN and UPC, and what a composite component adds."""
    number, composite, more = data.partition(_COMPOSITE)
    elements = _gtin(number, (size,))
    if composite:
        elements |= parse_element_string(more)
    return Scan(kind="number", symbology=symbology, elements=elements)


def _data(text: str, *, symbology: str | None) -> Scan:
    if len(text) > CHARACTERS_MAX:
        raise InputError(
            "identifier_malformed", f"{len(text)} characters; {CHARACTERS_MAX} are allowed."
        )
    text = _shown.sub(lambda match: _SHOWN[match[0]], text).replace("^", FNC1)
    if text.startswith("[)>"):
        return _read_envelope(text)
    text = text.lstrip(FNC1)
    if symbology is None and (number := _bare_number(text)) is not None:
        return Scan(kind="number", elements=number)
    if symbology is None and ai_at(text, 0) is None:
        return _named(text)
    if FNC1 in text:
        return Scan(kind="element_string", symbology=symbology, elements=parse_element_string(text))
    if symbology is None:
        text = "".join(text.split())
    elements, guessed = read_without_fnc1(text, from_scanner=symbology is not None)
    return Scan(
        kind="element_string",
        symbology=symbology,
        elements=elements,
        notes=("fnc1_missing",) if guessed else (),
    )


def _bare_number(text: str) -> Elements | None:
    """A GTIN or SSCC typed without its Application Identifier, perhaps in groups; None of other texts."""
    digits = re.sub(r"[ \u00a0\-]", "", text)
    if not _digits(digits):
        return None
    if len(digits) in _GTIN_SIZES:
        return _gtin(digits, _GTIN_SIZES)
    if len(digits) == _SSCC_SIZE and has_check_digit(digits):
        return {"00": digits}
    return None


def _gtin(digits: str, sizes: tuple[int, ...]) -> Elements:
    if not _digits(digits) or len(digits) not in sizes:
        raise InputError(
            "identifier_value_malformed",
            f"Expected a GTIN of {' or '.join(map(str, sizes))} digits, found {digits[:40]!r}.",
        )
    gtin = digits.zfill(14)
    check_check_digit("01", gtin)
    return {"01": gtin}


def _read_envelope(text: str) -> Scan:
    match = _envelope(text)
    if match is None:
        raise InputError(
            "identifier_malformed",
            f"Expected an ISO/IEC 15434 envelope of format 05 or 06, found {text[:20]!r}.",
        )
    if match[1] == "05":  # GS1's own: an element string
        return Scan(kind="envelope", elements=parse_element_string(match[2]))
    identifiers = parse_data_identifiers(match[2].rstrip(FNC1).split(FNC1))
    elements = elements_of_data_identifiers(identifiers)
    return Scan(
        kind="envelope",
        elements=elements,
        data_identifiers=identifiers,
        notes=("ntin_of_ppn",) if elements and "8P" not in identifiers else (),
    )
