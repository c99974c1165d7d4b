"""What an event is found by: the terms and values that conditions look for, computed from the event alone.

A term is 64 bits of a hash over a field's name and one of its texts, so that an index of them says nothing of what it
indexes; a value is a number or a time under its field. Both bindings give the same ones, for they are read from
:data:`~sealtrail.epcis.events.AnyEvent`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import TypeAlias, get_args

import msgspec

from sealtrail.epcis.events import (
    AnyEvent,
    ErrorDeclaration,
    Extension,
    QuantityElement,
    SensorElement,
    type_name,
)
from sealtrail.epcis.extensions import extensions_by_place
from sealtrail.epcis.query.names import qualified
from sealtrail.epcis.query.units import base_unit, in_base_unit
from sealtrail.epcis.query.values import number_of, number_text, time_of
from sealtrail.epcis.records import ItemMention, Place
from sealtrail.gs1 import canonical

Value: TypeAlias = int | float | str

_REMEMBERED_CHARACTERS_MAX = 200
# Texts that order a listing are compared as far as this; longer ones that are equal so far come in any order.
ORDER_CHARACTERS_MAX = 200
_pack = re.compile(r"https://id\.gs1\.org/01/([0-9]{14})/21/").match
_SGTIN: dict[Place, str] = {place: f"sgtin_{place}" for place in get_args(Place)}
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
    if value is not None and len(value) > _REMEMBERED_CHARACTERS_MAX:
        return _term.__wrapped__(field, value)
    return _term(field, value)


@lru_cache(maxsize=16_384)
def _term(field: str, value: str | None) -> int:
    text = field if value is None else f"{field}\n{value}"
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def value_name(field: str, kind: str) -> int:
    """Return what a field's values are kept under: kind ``number``, ``time``, or ``order``."""
    return term(field, f"\n{kind}")


def index_of(event: AnyEvent, items: Iterable[ItemMention]) -> EventIndex:
    """Return what an event is found by; its items themselves are an index of their own."""
    found = _Found()
    found.terms.update(
        _plain_terms(
            type_name(event),
            getattr(event, "action", None),  # a TransformationEvent has none
            event.biz_step,
            event.disposition,
            event.read_point,
            event.biz_location,
        )
    )
    _add_lists(found, event)
    for mention in items:
        if (pack := _pack(mention.item)) is not None:
            found.terms.add(_term(_SGTIN[mention.place], pack[1]))
    for field in _QUANTITIES:
        for element in getattr(event, field, ()):
            _add_quantity(found, element)
    if event.error_declaration is not None:
        _add_declaration(found, event.error_declaration)
    if event.sensor_element_list:
        found.terms.add(term("sensorElementList"))
        for sensor in event.sensor_element_list:
            _add_sensor(found, sensor)
    for family, extensions in extensions_by_place(event):
        if extensions:
            _add_extensions(found, family, extensions)
    return EventIndex(frozenset(found.terms), frozenset(found.values))


class _Found:
    __slots__ = ("ordered", "terms", "values")

    def __init__(self) -> None:
        self.terms: set[int] = set()
        self.values: set[tuple[int, Value]] = set()
        self.ordered: set[int] = set()

    def text(self, field: str, text: str | None) -> None:
        if text is not None:
            self.terms.add(term(field, text))

    def value(self, field: str, kind: str, value: Value | None) -> None:
        if value is not None:
            self.values.add((value_name(field, kind), value))


# Events of one place and step are many.
@lru_cache(maxsize=2_048)
def _plain_terms(
    event_type: str,
    action: str | None,
    biz_step: str | None,
    disposition: str | None,
    read_point: str | None,
    biz_location: str | None,
) -> frozenset[int]:
    fields = {
        "eventType": event_type,
        "action": action,
        "bizStep": biz_step,
        "disposition": disposition,
        "readPoint": None if read_point is None else canonical(read_point),
        "bizLocation": None if biz_location is None else canonical(biz_location),
    }
    return frozenset(term(name, text) for name, text in fields.items() if text is not None)


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
    transformation = getattr(event, "transformation_id", None)
    if transformation is not None:
        found.text("transformationID", canonical(transformation))


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


def _add_declaration(found: _Found, declaration: ErrorDeclaration) -> None:
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


def _add_extensions(found: _Found, family: str, extensions: tuple[Extension, ...]) -> None:
    for extension in extensions:
        if extension.children or len(extension.text or "") > _REMEMBERED_CHARACTERS_MAX:
            one = _extension_index.__wrapped__(family, extension)
        else:
            one = _extension_index(family, extension)
        terms, values, order = one
        found.terms |= terms
        found.values |= values
        if order is not None and order[0] not in found.ordered:  # the first of a field's values
            found.ordered.add(order[0])
            found.values.add(order)


# A lot's number and expiry stand in thousands of events.
@lru_cache(maxsize=4_096)
def _extension_index(
    family: str, extension: Extension
) -> tuple[frozenset[int], frozenset[tuple[int, Value]], tuple[int, Value] | None]:
    """Return an extension's terms and values, those of what it holds included, and what events are ordered by."""
    found = _Found()
    field = family + qualified(extension.namespace, extension.local)
    value = _add_extension(found, field, extension)
    below = list(extension.children)
    while below:
        child = below.pop()
        below += child.children
        _add_extension(found, f"INNER_{family}{qualified(child.namespace, child.local)}", child)
    order = None if family else (value_name(field, "order"), _cut(value))
    return frozenset(found.terms), frozenset(found.values), order


def _cut(value: Value) -> Value:
    return value[:ORDER_CHARACTERS_MAX] if isinstance(value, str) else value


def _add_extension(found: _Found, field: str, extension: Extension) -> Value:
    """Add one element; return its value as a number, a time or a text."""
    found.terms.add(term(field))
    text = extension.text or ""
    number = number_of(text)
    moment = time_of(text) if number is None else None
    if extension.text is not None:
        found.text(field, text)
        found.value(field, "number", number)
        found.value(field, "time", moment)
    return next((value for value in (number, moment) if value is not None), text)
