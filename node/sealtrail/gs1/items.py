"""Items as users and rules speak of them: read from identifiers and from elements of a scan."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec

from sealtrail.errors import InputError
from sealtrail.gs1.application_identifiers import check_check_digit
from sealtrail.gs1.canonical import canonical
from sealtrail.gs1.digital_link import DIGITAL_LINK, DigitalLink, parse_digital_link
from sealtrail.gs1.elements import parse_bracketed
from sealtrail.gs1.escapes import encode_value

_SCHEMES = {
    "00": "sscc", "253": "gdti", "255": "gcn", "401": "ginc", "402": "gsin", "414": "sgln", "417": "pgln",
    "8003": "grai", "8004": "giai", "8006": "itip", "8010": "cpi", "8017": "gsrnp", "8018": "gsrn",
}  # fmt: skip
# How many leading digits of a key end in a check digit.
_CHECKED = {
    "00": 18, "01": 14, "253": 13, "255": 13, "402": 17, "414": 13, "417": 13, "8003": 14, "8006": 14,
    "8017": 18, "8018": 18,
}  # fmt: skip
# what else a label bears: orders of transport, parties and places
_BESIDE = frozenset({"401", "402", "414", "417"})
_FINER = {"01": ("21", "235", "10"), "8006": ("21", "10"), "414": ("254",), "8010": ("8011",)}
# What GS1 numbers and nobody hands on.
_NO_ITEMS = {"sgln": "a place", "pgln": "a party"}
_LEADING_DIGITS = re.compile(r"[0-9]+").match
_pack = re.compile(
    r"https://id\.gs1\.org/(?:01/([0-9]{14})/(?:21|235)/|8006/([0-9]{14})[0-9]{4}/21/)"
).match
_lot = re.compile(r"https://id\.gs1\.org/01/([0-9]{14})/10/").match
ADVICE = "Give an EPC URN, a GS1 Digital Link, or element strings such as (01)04012345678901(21)A1."
"""What an identifier may look like."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item, and the elements that are known of it from its identifier alone.

    ``scheme``: sgtin, lgtin, gtin, upui, sscc, sgln, ... or ``other``. ``expiry`` is AI (17) as given (YYMMDD).
    """

    canonical: str
    scheme: str
    gtin: str | None = None
    serial: str | None = None
    lot: str | None = None
    sscc: str | None = None
    expiry: str | None = None


def read_link(text: str) -> DigitalLink | None:
    """Return a Digital Link that a user gives; None of another URI.

    Values are held to no more than their check digit: what was recorded can be asked for.

    Raises:
        InputError: ``identifier_check_digit``.
    """
    link = parse_digital_link(text)
    if link is not None:
        check_check_digit(link.ai, link.value)
    return link


def item_of_link(text: str) -> Item | None:
    """Return the item of a Digital Link that a user gives, with what its query says of it; None of another URI.

    Raises:
        InputError: ``identifier_check_digit``, ``identifier_contradictory``, ``identifier_of_no_item``.
    """
    link = read_link(text)
    return None if link is None else _require_item(_with_query(_item(link), text))


def item_of_urn(text: str) -> Item:
    """Return the item of an EPC URN that a user gives.

    Raises:
        InputError: ``identifier_malformed``, ``identifier_of_no_item``.
    """
    item = item_of(text)
    if item.scheme == "other" and text.count(":") >= 4:
        raise InputError(
            "identifier_malformed", f"{text[:100]!r} is no well-formed EPC URN.", advice=ADVICE
        )
    return _require_item(item)


def _with_query(item: Item, link: str) -> Item:
    """Take in the lot and expiry of a Digital Link's query, where data attributes stand.

    Source: GS1 Digital Link URI Syntax, section 4.10.
    """
    stated = {"10": item.lot} if item.lot is not None else {}
    query = link.partition("#")[0].partition("?")[2]
    for name, value in parse_qsl(query, keep_blank_values=True):
        ai = {"exp": "17", "lot": "10"}.get(name, name)
        if ai not in ("10", "17"):
            continue
        if parse_bracketed(f"({ai}){value}") != {ai: value} or stated.get(ai, value) != value:
            raise InputError(
                "identifier_contradictory",
                f"({ai}) is {value[:40]!r} in the link's query, and otherwise before.",
                advice="Scan the code again; it says two things.",
            )
        stated[ai] = value
    return msgspec.structs.replace(
        item, lot=stated.get("10", item.lot), expiry=stated.get("17", item.expiry)
    )


def item_of(identifier: str) -> Item:
    """Return the item behind an identifier; anything that GS1 does not number is ``other``. Never raises."""
    name = canonical(identifier)
    link = parse_digital_link(identifier if name == identifier else name)
    return Item(canonical=name, scheme="other") if link is None else _item(link)


def numbering_digits(identifier: str) -> str | None:
    """Return the digits that a numbering right is matched on; None if GS1 does not number the item.

    A GTIN is taken without its indicator digit, an SSCC without its extension digit, a GRAI without its
    leading zero; of a key that may hold letters, its leading digits.
    """
    link = parse_digital_link(canonical(identifier))
    if link is None:
        return None
    if link.ai in ("00", "01", "8006", "8003"):
        return link.value[1:18] if link.ai == "00" else link.value[1:14]
    if link.ai in _CHECKED:
        return link.value[: _CHECKED[link.ai]]
    digits = _LEADING_DIGITS(link.value)
    return digits[0] if digits else None


def gln_of(identifier: str) -> str | None:
    """Return the 13 digits of the GLN in an SGLN or PGLN (URN or Digital Link); None if it holds none."""
    link = parse_digital_link(canonical(identifier))
    return link.value if link is not None and link.ai in ("414", "417") else None


def lot_in(identifier: str) -> str | None:
    """Return the canonical identifier of the lot that a Digital Link names beside a pack's serial, if it does."""
    if "/10/" not in identifier and "/lot/" not in identifier:
        return None
    link = parse_digital_link(identifier)
    if link is None or link.ai != "01" or "10" not in link.qualifiers:
        return None
    if not ("21" in link.qualifiers or "235" in link.qualifiers):
        return None
    return lot_identifier(link.value, link.qualifiers["10"])


def gtin_of_pack(identifier: str) -> str | None:
    """Return the GTIN of one numbered pack (its SGTIN, UPUI or ITIP); None of anything else."""
    name = canonical(identifier)
    match = _pack(name)
    return match[1] or match[2] if match else None


def lot_identifier(gtin: str, lot: str) -> str:
    """Return the canonical identifier of a lot: a GTIN's 14 digits and its batch, unescaped."""
    return f"{DIGITAL_LINK}01/{gtin}/10/{encode_value(lot.replace('%', '%25'))}"


def gtin_of_lot(identifier: str) -> str | None:
    """Return the GTIN in a canonical identifier of a lot, even of a batch that no Digital Link may have; or None.

    Master data may state anything as a lot number: more than GS1's 20 characters, for one.
    """
    match = _lot(identifier)
    return match[1] if match else None


def _item(link: DigitalLink) -> Item:
    qualifiers = link.qualifiers
    serial, lot = qualifiers.get("21"), qualifiers.get("10")
    if link.ai == "01":
        scheme = "gtin" if lot is None else "lgtin"
        scheme = "upui" if "235" in qualifiers else scheme
        return Item(
            canonical=link.canonical,
            scheme="sgtin" if serial is not None else scheme,
            gtin=link.value,
            serial=serial if serial is not None else qualifiers.get("235"),
            lot=lot,
        )
    return Item(
        canonical=link.canonical,
        scheme=_SCHEMES[link.ai],
        gtin=link.value[:14] if link.ai == "8006" else None,
        serial=serial,
        lot=lot,
        sscc=link.value if link.ai == "00" else None,
    )


def item_of_elements(elements: Mapping[str, str]) -> Item:
    """Return the item that the elements of a symbol name.

    Beside a thing's own key there may be those of parties, places, shipments and consignments.

    Raises:
        InputError: ``identifier_key_count``, ``identifier_of_no_item``.
    """
    keys = [ai for ai in elements if ai == "01" or ai in _SCHEMES]
    things = [ai for ai in keys if ai not in _BESIDE] or keys
    if len(things) != 1:
        found = ", ".join(f"({ai})" for ai in keys) or "none"
        raise InputError(
            "identifier_key_count",
            f"Expected one primary key such as (01) or (00), found {found}.",
            advice=ADVICE,
        )
    ai = things[0]
    link = DigitalLink(
        ai=ai,
        value=elements[ai],
        qualifiers={q: elements[q] for q in _FINER.get(ai, ()) if q in elements},
    )
    return _require_item(msgspec.structs.replace(_item(link), expiry=elements.get("17")))


def _require_item(item: Item) -> Item:
    if item.scheme not in _NO_ITEMS:
        return item
    raise InputError(
        "identifier_of_no_item",
        f"{item.canonical[:100]!r} names {_NO_ITEMS[item.scheme]}, and an item was expected.",
        advice="Give an item's identifier; events at a place are found by EQ_readPoint and EQ_bizLocation.",
    )
