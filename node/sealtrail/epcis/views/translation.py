"""Identifiers of a view in the form asked for (``GS1-EPC-Format``): EPC URNs or GS1 Digital Links.

Translated is what names things, places, parties, documents and devices in fields of the standard; addresses
where something can be fetched (``rawData``, ``deviceMetadata``, …), ids of events, and extensions are left alone. So is
what would come out as the name of something else: a URN has no check digit, and one that is wrong must not be mended.

Source: EPCIS 2.0 section 12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from sealtrail.gs1 import canonical

Convert: TypeAlias = Callable[[str], str]
"""Gives an identifier in another form; one that has no other form comes back as it is."""


def translate(event: dict[str, Any], convert: Convert) -> dict[str, Any]:
    """Return the JSON form of an accepted event with each identifier converted; ``event`` is left as it is."""

    def convert_safely(identifier: str) -> str:
        other = convert(identifier)
        same = other == identifier or canonical(other) == canonical(identifier)
        return other if same else identifier

    found = dict(event)
    for name, change in _PLACES.items():
        if name in event:
            found[name] = change(event[name], convert_safely)
    return found


def named_in(event: dict[str, Any]) -> Iterable[str]:
    """Return the identifiers that stand in the places which :func:`translate` looks at, each once."""
    found: dict[str, str] = {}
    translate(event, lambda identifier: found.setdefault(identifier, identifier))
    return found


def _one(value: str, convert: Convert) -> str:
    return convert(value)


def _each(value: list[str], convert: Convert) -> list[str]:
    # what was named in both forms comes out in one: GS1's schema wants it once
    return list(dict.fromkeys(convert(identifier) for identifier in value))


def _member(name: str, value: dict[str, Any], convert: Convert) -> dict[str, Any]:
    return {**value, name: convert(value[name])} if name in value else value


def _place(value: dict[str, Any], convert: Convert) -> dict[str, Any]:
    return _member("id", value, convert)


def _members(name: str) -> Callable[[list[dict[str, Any]], Convert], list[dict[str, Any]]]:
    def change(value: list[dict[str, Any]], convert: Convert) -> list[dict[str, Any]]:
        return [_member(name, element, convert) for element in value]

    return change


def _sensors(value: list[dict[str, Any]], convert: Convert) -> list[dict[str, Any]]:
    return [_sensor(element, convert) for element in value]


def _sensor(element: dict[str, Any], convert: Convert) -> dict[str, Any]:
    found = {
        **element,
        "sensorReport": [
            _member("deviceID", report, convert) for report in element["sensorReport"]
        ],
    }
    if "sensorMetadata" in element:
        found["sensorMetadata"] = _member("deviceID", element["sensorMetadata"], convert)
    return found


_PLACES: dict[str, Callable[[Any, Convert], Any]] = {
    **dict.fromkeys(("epcList", "childEPCs", "inputEPCList", "outputEPCList"), _each),
    **dict.fromkeys(
        ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"),
        _members("epcClass"),
    ),
    **dict.fromkeys(("parentID", "transformationID"), _one),
    **dict.fromkeys(("readPoint", "bizLocation"), _place),
    "bizTransactionList": _members("bizTransaction"),
    "sourceList": _members("source"),
    "destinationList": _members("destination"),
    "sensorElementList": _sensors,
}
