"""Sensor elements as XML: metadata and reports are attributes there (EPCIS 2.0 section 9.5)."""

from __future__ import annotations

from typing import Any

from lxml import etree

from sealtrail.epcis import vocabulary
from sealtrail.epcis.context import Names
from sealtrail.epcis.fields import located
from sealtrail.epcis.views.extensions import (
    add,
    append_extensions,
    set_attribute,
    set_extension,
)
from sealtrail.epcis.views.forms import CbvFormat, not_in_xml
from sealtrail.epcis.views.times import time_stamp
from sealtrail.epcis.views.words import spell
from sealtrail.errors import InputError

_WORDS = {
    "type": vocabulary.MEASUREMENT,
    "exception": vocabulary.SENSOR_ALERT,
    "component": vocabulary.COMPONENT,
}
_TIMES = frozenset(("time", "startTime", "endTime"))


def append_sensor_elements(
    parent: etree._Element, elements: list[dict[str, Any]], names: Names, cbv_format: CbvFormat
) -> None:
    """Append the elements of a ``sensorElementList``.

    Raises:
        NotAcceptableError: ``not_in_xml``, with the pointer relative to the list.
    """
    for index, element in enumerate(elements):
        try:
            _append_element(add(parent, "sensorElement"), element, names, cbv_format)
        except InputError as error:
            raise located(error, index) from None


def _append_element(
    parent: etree._Element, element: dict[str, Any], names: Names, cbv_format: CbvFormat
) -> None:
    metadata = element.get("sensorMetadata")
    try:
        if metadata is not None:
            _set_fields(add(parent, "sensorMetadata"), metadata, names, cbv_format)
    except InputError as error:
        raise located(error, "sensorMetadata") from None
    for index, report in enumerate(element["sensorReport"]):
        try:
            _set_fields(add(parent, "sensorReport"), report, names, cbv_format)
        except InputError as error:
            raise located(located(error, index), "sensorReport") from None
    append_extensions(parent, element, names)


def _set_fields(
    element: etree._Element, fields: dict[str, Any], names: Names, cbv_format: CbvFormat
) -> None:
    for key, value in fields.items():
        try:
            if ":" in key:
                set_extension(element, key, value, names)
            elif key in _WORDS:
                set_attribute(element, key, spell(_WORDS[key], value, cbv_format))
            elif key in _TIMES:
                set_attribute(element, key, time_stamp(value))
            else:
                if key == "hexBinaryValue" and len(value) % 2:
                    raise not_in_xml(f"{value[:40]!r} has half an octet")
                set_attribute(element, key, value)
        except InputError as error:
            raise located(error, key) from None
