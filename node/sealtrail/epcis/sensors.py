"""Sensor elements of the JSON binding (EPCIS 2.0 section 7.3.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealtrail.epcis import vocabulary
from sealtrail.epcis.events import Extension, SensorElement
from sealtrail.epcis.extensions import Scope, in_order, read_extension
from sealtrail.epcis.fields import (
    located,
    read_number,
    read_text,
    read_time,
    read_uri,
    refuse_type,
    word_reader,
)
from sealtrail.errors import InputError

Pair = tuple[str, str]


def _time_text(value: Any) -> str:
    return read_time(value).text


def _boolean(value: Any) -> str:
    if not isinstance(value, bool):
        raise refuse_type("true or false", value)
    return "true" if value else "false"


def _hex(value: Any) -> str:
    text = read_text(value)
    if not text or set(text) - set("0123456789abcdefABCDEF"):
        raise InputError("hex_malformed", f"{text[:60]!r} is no hexadecimal text.")
    return text


_METADATA: dict[str, Callable[[Any], str]] = {
    "time": _time_text,
    "startTime": _time_text,
    "endTime": _time_text,
    "deviceID": read_uri,
    "deviceMetadata": read_uri,
    "rawData": read_uri,
    "dataProcessingMethod": read_uri,
    "bizRules": read_uri,
}
_REPORT: dict[str, Callable[[Any], str]] = {
    "type": word_reader(vocabulary.MEASUREMENT),
    "exception": word_reader(vocabulary.SENSOR_ALERT),
    "component": word_reader(vocabulary.COMPONENT),
    "time": _time_text,
    **dict.fromkeys(
        (
            "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules", "microorganism",
            "chemicalSubstance", "coordinateReferenceSystem", "uriValue",
        ),
        read_uri,
    ),
    **dict.fromkeys(
        ("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"), read_number
    ),
    "stringValue": read_text,
    "uom": read_text,
    "booleanValue": _boolean,
    "hexBinaryValue": _hex,
}  # fmt: skip


def read_sensor_elements(value: Any, scope: Scope) -> tuple[SensorElement, ...]:
    """Read a ``sensorElementList``."""
    if not isinstance(value, list):
        raise refuse_type("a list", value)
    elements: list[SensorElement] = []
    for index, element in enumerate(value):
        try:
            elements.append(_element(element, scope))
        except InputError as error:
            raise located(error, index) from None
    return tuple(elements)


def _element(value: Any, scope: Scope) -> SensorElement:
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    extensions: list[Extension] = []
    of_metadata: list[Extension] = []
    of_reports: list[Extension] = []
    metadata: tuple[Pair, ...] = ()
    reports: list[tuple[Pair, ...]] = []
    if "sensorReport" not in value:
        raise located(
            InputError("field_missing", "A sensor element has no reports."), "sensorReport"
        )
    for key, child in value.items():
        try:
            if key == "sensorMetadata":
                metadata = _pairs(child, _METADATA, scope, of_metadata)
            elif key == "sensorReport":
                reports = _reports(child, scope, of_reports)
            else:
                extensions.extend(read_extension(key, child, scope))
        except InputError as error:
            raise located(error, key) from None
    return SensorElement(
        metadata=metadata,
        reports=tuple(reports),
        extensions=in_order(extensions),
        metadata_extensions=in_order(of_metadata),
        report_extensions=in_order(of_reports),
    )


def _reports(value: Any, scope: Scope, extensions: list[Extension]) -> list[tuple[Pair, ...]]:
    if not isinstance(value, list):
        raise refuse_type("a list", value)
    if not value:
        raise InputError("list_empty", "A sensor element has at least one report.")
    reports: list[tuple[Pair, ...]] = []
    for index, report in enumerate(value):
        try:
            pairs = _pairs(report, _REPORT, scope, extensions)
            # one that tells of an exception need not have measured: GS1's XML schema and examples have such
            if "type" not in report and "exception" not in report:
                message = "A sensor report has neither type nor exception."
                raise located(InputError("field_missing", message), "type")
        except InputError as error:
            raise located(error, index) from None
        reports.append(pairs)
    return reports


def _pairs(
    value: Any,
    readers: dict[str, Callable[[Any], str]],
    scope: Scope,
    extensions: list[Extension],
) -> tuple[Pair, ...]:
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    pairs: list[Pair] = []
    for key, child in value.items():
        try:
            read = readers.get(key)
            if read is not None:
                pairs.append((key, read(child)))
            else:
                extensions.extend(read_extension(key, child, scope))
        except InputError as error:
            raise located(error, key) from None
    return tuple(sorted(pairs))
