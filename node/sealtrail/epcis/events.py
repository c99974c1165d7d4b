"""EPCIS events as values.

The five event types of EPCIS 2.0 (section 7.4), and those of others, free of JSON and XML: whichever binding an event
came in, the same event is the same value. Standard vocabulary (CBV 2.0) is held as its bare word (``shipping``),
whichever of its three spellings was recorded; anything else as the URI that was given.
Identifiers are held as recorded; :mod:`sealtrail.gs1` gives their canonical form.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Action: TypeAlias = Literal["ADD", "OBSERVE", "DELETE"]


class Timestamp(msgspec.Struct, frozen=True):
    """A point in time as recorded: its text, and microseconds since 1970-01-01T00:00Z (fractions beyond cut off)."""

    text: str
    epoch_us: int


class QuantityElement(msgspec.Struct, frozen=True, kw_only=True):
    """A number or amount of one class (EPCIS 2.0 section 7.3.3.3); ``quantity`` as its decimal text."""

    epc_class: str
    quantity: str | None = None
    uom: str | None = None


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """One element that the standard does not define: name as ``namespace`` and ``local`` part, and text or children.

    A repeated element stands as several ``Extension`` of the same name, in the order recorded. Those of other names
    beside each other are in the order of these, so that one event has one value, in whichever binding it came.
    """

    namespace: str
    local: str
    text: str | None = None
    children: tuple[Extension, ...] = ()


class BizTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A business document (section 7.3.5.4); ``type`` bare word or URI, or none."""

    id: str
    type: str | None = None


class SourceDest(msgspec.Struct, frozen=True, kw_only=True):
    """A source or destination (section 7.3.5.5): ``type`` is possessing_party, owning_party, location or a URI."""

    type: str
    id: str


class PersistentDisposition(msgspec.Struct, frozen=True, kw_only=True):
    """Dispositions that stay until unset (section 7.3.5.7)."""

    set: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()


class ErrorDeclaration(msgspec.Struct, frozen=True, kw_only=True):
    """Says that the event with the same id is in error (section 7.4.1.2)."""

    declaration_time: Timestamp
    reason: str | None = None
    corrective_event_ids: tuple[str, ...] = ()
    extensions: tuple[Extension, ...] = ()


class SensorElement(msgspec.Struct, frozen=True, kw_only=True):
    """Sensor data of one element (section 7.3.7): metadata and reports as (name, text) pairs, and extensions.

    Extensions of the element itself, of its metadata, and of its reports (all together) stand apart.
    """

    metadata: tuple[tuple[str, str], ...] = ()
    reports: tuple[tuple[tuple[str, str], ...], ...] = ()
    extensions: tuple[Extension, ...] = ()
    metadata_extensions: tuple[Extension, ...] = ()
    report_extensions: tuple[Extension, ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every event has (section 7.4.1): when, where, why; the subclasses say what."""

    event_time: Timestamp
    event_time_zone_offset: str
    record_time: Timestamp | None = None
    event_id: str | None = None
    error_declaration: ErrorDeclaration | None = None
    certification_info: tuple[str, ...] = ()
    biz_step: str | None = None
    disposition: str | None = None
    persistent_disposition: PersistentDisposition | None = None
    read_point: str | None = None
    biz_location: str | None = None
    biz_transaction_list: tuple[BizTransaction, ...] = ()
    source_list: tuple[SourceDest, ...] = ()
    destination_list: tuple[SourceDest, ...] = ()
    sensor_element_list: tuple[SensorElement, ...] = ()
    read_point_extensions: tuple[Extension, ...] = ()
    biz_location_extensions: tuple[Extension, ...] = ()
    extensions: tuple[Extension, ...] = ()


class ObjectEvent(Event, frozen=True, kw_only=True, tag="ObjectEvent"):
    """Something happened to objects (section 7.4.2)."""

    action: Action
    epc_list: tuple[str, ...] = ()
    quantity_list: tuple[QuantityElement, ...] = ()
    ilmd: tuple[Extension, ...] = ()


class AggregationEvent(Event, frozen=True, kw_only=True, tag="AggregationEvent"):
    """Objects were put into, seen in or taken out of a container (section 7.4.3)."""

    action: Action
    parent_id: str | None = None
    child_epcs: tuple[str, ...] = ()
    child_quantity_list: tuple[QuantityElement, ...] = ()


class TransactionEvent(Event, frozen=True, kw_only=True, tag="TransactionEvent"):
    """Objects were tied to or released from business documents (section 7.4.5)."""

    action: Action
    parent_id: str | None = None
    epc_list: tuple[str, ...] = ()
    quantity_list: tuple[QuantityElement, ...] = ()


class TransformationEvent(Event, frozen=True, kw_only=True, tag="TransformationEvent"):
    """Inputs were used up and outputs made of them (section 7.4.6)."""

    transformation_id: str | None = None
    input_epc_list: tuple[str, ...] = ()
    input_quantity_list: tuple[QuantityElement, ...] = ()
    output_epc_list: tuple[str, ...] = ()
    output_quantity_list: tuple[QuantityElement, ...] = ()
    ilmd: tuple[Extension, ...] = ()


class AssociationEvent(Event, frozen=True, kw_only=True, tag="AssociationEvent"):
    """Objects were tied to an asset or place; not containment (section 7.4.4)."""

    action: Action
    parent_id: str | None = None
    child_epcs: tuple[str, ...] = ()
    child_quantity_list: tuple[QuantityElement, ...] = ()


class ExtensionEvent(Event, frozen=True, kw_only=True, tag="ExtensionEvent"):
    """Something that the standard has no event type for (its JSON schema: ``Extended-Event``).

    ``namespace`` and ``local`` are the name of its type. What it has of the standard's fields means what it does in the
    types that have them; what the event itself means, nobody but the type's owner knows.
    """

    namespace: str
    local: str
    action: Action | None = None
    parent_id: str | None = None
    epc_list: tuple[str, ...] = ()
    quantity_list: tuple[QuantityElement, ...] = ()
    child_epcs: tuple[str, ...] = ()
    child_quantity_list: tuple[QuantityElement, ...] = ()
    transformation_id: str | None = None
    input_epc_list: tuple[str, ...] = ()
    input_quantity_list: tuple[QuantityElement, ...] = ()
    output_epc_list: tuple[str, ...] = ()
    output_quantity_list: tuple[QuantityElement, ...] = ()
    ilmd: tuple[Extension, ...] = ()


AnyEvent: TypeAlias = (
    ObjectEvent
    | AggregationEvent
    | TransactionEvent
    | TransformationEvent
    | AssociationEvent
    | ExtensionEvent
)


def type_name(event: AnyEvent) -> str:
    """Return the name of an event's type: the standard's bare word, or the URI of somebody's own."""
    if isinstance(event, ExtensionEvent):
        return event.namespace + event.local
    return type(event).__name__
