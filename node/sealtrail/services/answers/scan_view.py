"""What a scan says, for people and programs: its elements with their titles, the item, and that in other spellings."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from sealtrail.errors import InputError
from sealtrail.gs1 import (
    CompanyPrefixes,
    Scan,
    item_of_scan,
    read_scan,
    require_urn,
    to_digital_link,
)
from sealtrail.gs1.application_identifiers import application_identifier
from sealtrail.gs1.dates import date_of
from sealtrail.gs1.elements import check_associations, encode_bracketed
from sealtrail.gs1.link_elements import encode_link, parse_link
from sealtrail.gs1.national import NHRN_AIS, national_number
from sealtrail.services.problems import as_problem

_DATES = frozenset({"11", "12", "13", "15", "16", "17"})


def scan_view(text: str, *, prefixes: CompanyPrefixes, today: date) -> dict[str, Any]:
    """Return what a scanned or typed text says.

    Args:
        today: settles the century of two-digit years.

    Raises:
        InputError: as :func:`read_scan`.
    """
    scan = read_scan(text)
    elements = _all_elements(scan)
    view: dict[str, Any] = {
        "kind": scan.kind,
        "symbology": scan.symbology,
        "elements": [_element(ai, value, today) for ai, value in elements.items()],
        "data_identifiers": scan.data_identifiers,
        "notes": list(scan.notes),
        "problems": _problems(elements),
        "element_string": encode_bracketed(elements) or None,
        "digital_link": _link(elements),
        "national_numbers": _national(elements),
        "item": None,
        "urn": None,
    }
    try:
        item = item_of_scan(scan)
    except InputError as error:
        return {**view, "no_item": as_problem(error)}
    view["item"] = msgspec.to_builtins(item)
    try:
        return {**view, "urn": require_urn(item.canonical, prefixes)}
    except InputError as error:
        return {**view, "no_urn": as_problem(error)}


def _all_elements(scan: Scan) -> dict[str, str]:
    """The elements; of a URN those of its Digital Link, and of that also its query's, if all of it is in order."""
    if scan.identifier is None:
        return scan.elements
    try:
        return parse_link(to_digital_link(scan.identifier))
    except InputError:
        return scan.elements


def _element(ai: str, value: str, today: date) -> dict[str, Any]:
    entry = application_identifier(ai)
    view: dict[str, Any] = {"ai": ai, "title": entry.title if entry else None, "value": value}
    if ai in _DATES and (day := date_of(value, today)) is not None:
        view["date"] = day.isoformat()
    return view


def _problems(elements: dict[str, str]) -> list[dict[str, Any]]:
    """What elements on one thing may not be; another symbol of the thing may mend it, so that it refuses nothing."""
    try:
        check_associations(elements)
    except InputError as error:
        return [as_problem(error)]
    return []


def _link(elements: dict[str, str]) -> str | None:
    try:
        return encode_link(elements)
    except InputError:
        return None


def _national(elements: dict[str, str]) -> list[dict[str, str]]:
    found = [
        {"name": entry.title, "value": elements[ai], "source": ai}
        for ai in NHRN_AIS
        if ai in elements and (entry := application_identifier(ai)) is not None
    ]
    held = national_number(elements.get("01", ""))
    if held is not None:
        found.append({"name": held[0], "value": held[1], "source": "01"})
    return found
