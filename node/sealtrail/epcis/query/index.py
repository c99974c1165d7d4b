"""What an event is found by: the terms and values that conditions look for, computed from the event alone.

A term is 64 bits of a hash over a field's name and one of its texts, so that an index of them says nothing of what it
indexes; a value is a number or a time under its field. Both bindings give the same ones, for they are read from
:data:`~sealtrail.epcis.events.AnyEvent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias

import msgspec

from sealtrail.epcis.events import AnyEvent, Extension, QuantityElement, SensorElement
from sealtrail.epcis.query.names import qualified
from sealtrail.epcis.query.units import base_unit, in_base_unit
from sealtrail.epcis.query.values import number_of, number_text, time_of
from sealtrail.epcis.records import ItemMention
from sealtrail.gs1 import canonical

Value: TypeAlias = int | float | str

_REMEMBERED_CHARACTERS_MAX = 200
# Texts that order a listing are compared as far as this; longer ones that are equal so far come in any order.
ORDER_CHARACTERS_MAX = 200
_pack = re.compile(r"https://id\.gs1\.org/01/([0-9]{14})/21/").match
_QUANTITIES = (
    "quantity_list",
    "child_quantity_list",
    "input_quantity_list",
    "output_quantity_list",
)
# Sensor attributes, by what is asked of them.
SENSOR_TIMES = frozenset(("time", "startTime", "endTime"))
SENSOR_MEASURES = frozenset(("value", "minValue", "maxValue", "meanValue", "sDev", "percValue"))
SENSOR_URIS = frozenset((
    "deviceID", "deviceMetadata", "rawData", "dataProcessingMethod", "bizRules", "microorganism",
    "chemicalSubstance", "coordinateReferenceSystem", "uriValue",
))  # fmt: skip
SENSOR_TEXTS = frozenset((
    "type", "exception", "component", "stringValue", "booleanValue", "hexBinaryValue",
))  # fmt: skip


class EventIndex(msgspec.Struct, frozen=True):
    """An event's terms, and its values as (name, value), each once."""

    terms: frozenset[int]
    values: frozenset[tuple[int, Value]]


def term(field: str, value: str | None = None) -> int:
    """Return the term of a field with a value, or of its being there."""
    text = field if value is None else f"{field}\n{value}"
    return _hash(text) if len(text) <= _REMEMBERED_CHARACTERS_MAX else _hash.__wrapped__(text)


def value_name(field: str, kind: str) -> int:
    """Return what a field's values are kept under: kind ``number``, ``time``, or ``order``."""
    return term(field, f"\n{kind}")


@lru_cache(maxsize=16_384)
def _hash(text: str) -> int:
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def index_of(event: AnyEvent, items: Iterable[ItemMention]) -> EventIndex:
    """Return what an event is found by; its items themselves are an index of their own."""
    found = _Found()
    _add_plain(found, event)
    _add_lists(found, event)
    for mention in items:
        if (pack := _pack(mention.item)) is not None:
            found.text(f"sgtin_{mention.place}", pack[1])
    for field in _QUANTITIES:
        for element in getattr(event, field, ()):
            _add_quantity(found, element)
    if event.error_declaration is not None:
        _add_declaration(found, event)
    if event.sensor_element_list:
        found.terms.add(term("sensorElementList"))
        for sensor in event.sensor_element_list:
            _add_sensor(found, sensor)
    for family, extensions in _extensions(event):
        _add_extensions(found, family, extensions)
    return EventIndex(frozenset(found.terms), frozenset(found.values))


class _Found:
    __slots__ = ("ordered", "terms", "values")

    def __init__(self) -> None:
        self.terms: set[int] = set()
        self.values: set[tuple[int, Value]] = set()
        self.ordered: set[str] = set()

    def text(self, field: str, text: str | None) -> None:
        if text is not None:
            self.terms.add(term(field, text))

    def value(self, field: str, kind: str, value: Value | None) -> None:
        if value is not None:
            self.values.add((value_name(field, kind), value))

    def order(self, field: str, value: Value) -> None:
        """Keep what events are ordered by: the first of a field's values."""
        if field not in self.ordered:
            self.ordered.add(field)
            if isinstance(value, str):
                value = value[:ORDER_CHARACTERS_MAX]
            self.value(field, "order", value)


def _add_plain(found: _Found, event: AnyEvent) -> None:
    found.text("eventType", type(event).__name__)
    found.text("action", getattr(event, "action", None))  # a TransformationEvent has none
    found.text("bizStep", event.biz_step)
    found.text("disposition", event.disposition)
    if event.read_point is not None:
        found.text("readPoint", canonical(event.read_point))
    if event.biz_location is not None:
        found.text("bizLocation", canonical(event.biz_location))
    transformation = getattr(event, "transformation_id", None)
    if transformation is not None:
        found.text("transformationID", canonical(transformation))


def _add_lists(found: _Found, event: AnyEvent) -> None:
    if event.persistent_disposition is not None:
        for word in event.persistent_disposition.set:
            found.text("persistentDisposition_set", word)
        for word in event.persistent_disposition.unset:
            found.text("persistentDisposition_unset", word)
    for transaction in event.biz_transaction_list:
        found.text(f"bizTransaction_{transaction.type or ''}", canonical(transaction.id))
    for source in event.source_list:
        found.text(f"source_{source.type}", canonical(source.id))
    for destination in event.destination_list:
        found.text(f"destination_{destination.type}", canonical(destination.id))


def _add_quantity(found: _Found, element: QuantityElement) -> None:
    if element.quantity is None:
        return
    found.value("quantity", "number", number_of(element.quantity))
    if element.uom is not None:
        _add_measure(found, "quantity", element.quantity, element.uom)


def _add_measure(found: _Found, field: str, text: str, uom: str) -> None:
    number = number_text(text)
    if number is not None:
        found.value(f"{field}_{base_unit(uom)}", "number", in_base_unit(number, uom))


def _add_declaration(found: _Found, event: AnyEvent) -> None:
    declaration = event.error_declaration
    assert declaration is not None
    found.terms.add(term("errorDeclaration"))
    found.value("errorDeclarationTime", "time", declaration.declaration_time.epoch_us)
    found.text("errorReason", declaration.reason)
    for event_id in declaration.corrective_event_ids:
        found.text("correctiveEventID", event_id)


def _add_sensor(found: _Found, sensor: SensorElement) -> None:
    for name, text in sensor.metadata:
        _add_attribute(found, name, text, None)
    for report in sensor.reports:
        uom = next((text for name, text in report if name == "uom"), None)
        for name, text in report:
            _add_attribute(found, name, text, uom)


def _add_attribute(found: _Found, name: str, text: str, uom: str | None) -> None:
    if name in SENSOR_TIMES:
        found.value(name, "time", time_of(text))
    elif name in SENSOR_MEASURES:
        if uom is not None:
            _add_measure(found, name, text, uom)
    elif name == "percRank":
        found.value(name, "number", number_of(text))
    elif name in SENSOR_URIS:
        found.text(name, canonical(text))
    elif name in SENSOR_TEXTS:
        found.text(name, text.upper() if name == "hexBinaryValue" else text)


def _extensions(event: AnyEvent) -> Iterator[tuple[str, tuple[Extension, ...]]]:
    """Yield the extensions of each place as their parameters name it."""
    yield "", event.extensions
    yield "ILMD_", getattr(event, "ilmd", ())
    yield "readPoint_", event.read_point_extensions
    yield "bizLocation_", event.biz_location_extensions
    if event.error_declaration is not None:
        yield "ERROR_DECLARATION_", event.error_declaration.extensions
    for sensor in event.sensor_element_list:
        yield "SENSORELEMENT_", sensor.extensions
        yield "SENSORMETADATA_", sensor.metadata_extensions
        yield "SENSORREPORT_", sensor.report_extensions


def _add_extensions(found: _Found, family: str, extensions: tuple[Extension, ...]) -> None:
    for extension in extensions:
        field = family + qualified(extension.namespace, extension.local)
        _add_extension(found, field, extension, ordered=family == "")
        below = list(extension.children)
        while below:
            child = below.pop()
            below += child.children
            inner = f"INNER_{family}{qualified(child.namespace, child.local)}"
            _add_extension(found, inner, child, ordered=False)


def _add_extension(found: _Found, field: str, extension: Extension, *, ordered: bool) -> None:
    found.terms.add(term(field))
    text = extension.text or ""
    number = number_of(text)
    moment = time_of(text) if number is None else None
    if ordered:
        found.order(field, next((v for v in (number, moment) if v is not None), text))
    if extension.text is not None:
        found.text(field, text)
        found.value(field, "number", number)
        found.value(field, "time", moment)
