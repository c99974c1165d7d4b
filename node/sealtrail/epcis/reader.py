"""One event of the JSON binding, read strictly into its value.

Refuses what GS1's JSON schema refuses, and little that it takes: docs/decisions/0133 says what.

Source: EPCIS 2.0 section 7.4 and its JSON schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealtrail.epcis import events, parts, vocabulary
from sealtrail.epcis.events import AnyEvent, Extension
from sealtrail.epcis.extensions import Scope, in_order, read_extension
from sealtrail.epcis.fields import (
    located,
    read_distinct_uris,
    read_identifier,
    read_offset,
    read_time,
    read_uri,
    read_uris,
    refuse_type,
    word_reader,
)
from sealtrail.epcis.sensors import read_sensor_elements
from sealtrail.errors import InputError

Reader = Callable[[Any], Any]
ScopedReader = Callable[[Any, Scope], Any]


def _action(value: Any) -> str:
    if value not in ("ADD", "OBSERVE", "DELETE"):
        raise InputError("action_unknown", f"{value!r} is none of ADD, OBSERVE and DELETE.")
    return str(value)


_COMMON: dict[str, tuple[str, Reader]] = {
    "eventTime": ("event_time", read_time),
    "recordTime": ("record_time", read_time),
    "eventTimeZoneOffset": ("event_time_zone_offset", read_offset),
    "eventID": ("event_id", read_uri),
    "certificationInfo": ("certification_info", parts.read_certification_info),
    "bizStep": ("biz_step", word_reader(vocabulary.BIZ_STEP)),
    "disposition": ("disposition", word_reader(vocabulary.DISPOSITION)),
    "persistentDisposition": ("persistent_disposition", parts.read_persistent_disposition),
    "bizTransactionList": ("biz_transaction_list", parts.read_transactions),
    "sourceList": ("source_list", parts.read_sources),
    "destinationList": ("destination_list", parts.read_destinations),
}
_SCOPED: dict[str, tuple[str, ScopedReader]] = {
    "errorDeclaration": ("error_declaration", parts.read_error_declaration),
    "sensorElementList": ("sensor_element_list", read_sensor_elements),
}
_PLACES = {
    "readPoint": ("read_point", "read_point_extensions"),
    "bizLocation": ("biz_location", "biz_location_extensions"),
}
_ACTION: dict[str, tuple[str, Reader]] = {"action": ("action", _action)}
_PARENT: dict[str, tuple[str, Reader]] = {"parentID": ("parent_id", read_identifier)}
_CHILDREN: dict[str, tuple[str, Reader]] = {
    "childEPCs": ("child_epcs", read_uris),
    "childQuantityList": ("child_quantity_list", parts.read_quantities),
}
_QUANTITIES: dict[str, tuple[str, Reader]] = {
    "quantityList": ("quantity_list", parts.read_quantities)
}
_ILMD: dict[str, tuple[str, ScopedReader]] = {"ilmd": ("ilmd", parts.read_ilmd)}


class _Kind:
    """What one event type has: its fields, and what must be there."""

    def __init__(
        self,
        make: Callable[..., AnyEvent],
        fields: dict[str, tuple[str, Reader]],
        required: tuple[str, ...],
        complete: Callable[[dict[str, Any]], bool],
        without: str,
        scoped: dict[str, tuple[str, ScopedReader]] | None = None,
    ) -> None:
        self.make = make
        self.fields = _COMMON | fields
        self.required = ("eventTime", "eventTimeZoneOffset", *required)
        self.complete = complete
        self.without = without
        self.scoped = _SCOPED | (scoped or {})


def _object_complete(event: dict[str, Any]) -> bool:
    return bool(
        "epcList" in event
        or event.get("quantityList")
        or (event.get("sensorElementList") and "readPoint" in event)
    )


def _children_complete(event: dict[str, Any]) -> bool:
    return bool(
        event.get("childEPCs") or event.get("childQuantityList") or event["action"] == "DELETE"
    )


def _transaction_complete(event: dict[str, Any]) -> bool:
    return bool("epcList" in event or event.get("quantityList") or event["action"] == "DELETE")


def _transformation_complete(event: dict[str, Any]) -> bool:
    inputs = event.get("inputEPCList") or event.get("inputQuantityList")
    outputs = event.get("outputEPCList") or event.get("outputQuantityList")
    return bool((inputs and outputs) or ((inputs or outputs) and "transformationID" in event))


_KINDS = {
    "ObjectEvent": _Kind(
        events.ObjectEvent,
        _ACTION | _QUANTITIES | {"epcList": ("epc_list", read_distinct_uris)},
        ("action",),
        _object_complete,
        "An object event has an epcList, a quantityList, or sensor data with a readPoint.",
        _ILMD,
    ),
    "AggregationEvent": _Kind(
        events.AggregationEvent,
        _ACTION | _PARENT | _CHILDREN,
        ("action",),
        _children_complete,
        "An aggregation names children, unless its action is DELETE.",
    ),
    "AssociationEvent": _Kind(
        events.AssociationEvent,
        _ACTION | _PARENT | _CHILDREN,
        ("action", "parentID"),
        _children_complete,
        "An association names children, unless its action is DELETE.",
    ),
    "TransactionEvent": _Kind(
        events.TransactionEvent,
        _ACTION | _PARENT | _QUANTITIES | {"epcList": ("epc_list", read_uris)},
        ("action", "bizTransactionList"),
        _transaction_complete,
        "A transaction event has an epcList or a quantityList, unless its action is DELETE.",
    ),
    "TransformationEvent": _Kind(
        events.TransformationEvent,
        {
            "transformationID": ("transformation_id", read_uri),
            "inputEPCList": ("input_epc_list", read_distinct_uris),
            "inputQuantityList": ("input_quantity_list", parts.read_quantities),
            "outputEPCList": ("output_epc_list", read_distinct_uris),
            "outputQuantityList": ("output_quantity_list", parts.read_quantities),
        },
        (),
        _transformation_complete,
        "A transformation has inputs and outputs, or a transformationID and one of both.",
        _ILMD,
    ),
}
_EXTENSION = _Kind(
    events.ExtensionEvent,
    _ACTION
    | _PARENT
    | _CHILDREN
    | _QUANTITIES
    | {"epcList": ("epc_list", read_uris)}
    | _KINDS["TransformationEvent"].fields,
    (),
    lambda _: True,
    "",
    _ILMD,
)
"""Types of others: they may have any field of the standard, and need none but the times."""
# One of the standard's own under a longer name would be read as somebody's, and move nothing.
_OF_THE_STANDARD = (
    "https://ref.gs1.org/epcis/",
    "https://ns.gs1.org/epcis/",
    "urn:epcglobal:epcis",
)
_VARYING = frozenset((
    "eventTime", "recordTime", "eventID", "epcList", "parentID", "childEPCs", "inputEPCList", "outputEPCList",
))  # fmt: skip
_SHOWN_APART = frozenset(("bizTransactionList",))  # required, and no part of the core
EVENT_TYPES = tuple(_KINDS)


def frame_of(event: dict[str, Any]) -> dict[str, Any]:
    """Return what events of one document often share: all but times and identifiers of things."""
    return {key: value for key, value in event.items() if key not in _VARYING}


def read_frame(frame: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """Read the frame of an event for :func:`read_event`, which then reads only what it leaves out.

    Raises:
        InputError: as :func:`read_event`.
    """
    return _fields(frame, _kind(frame), scope)


def read_event(
    value: Any, scope: Scope, frame: dict[str, Any] | None = None, *, whole: bool = True
) -> AnyEvent:
    """Read one event.

    Args:
        frame: what :func:`read_frame` made of the event's frame, if that was read before.
        whole: False if parts of the event are not shown: what an event must name may be in those.

    Raises:
        InputError: with a stable code, and the pointer of the field relative to the event.
    """
    if not isinstance(value, dict):
        raise refuse_type("an event", value)
    kind = _kind(value)
    if frame is None:
        fields = _fields(value, kind, scope)
    else:
        varying = {key: value[key] for key in value if key in _VARYING}
        fields = _fields(varying, kind, scope) | frame
    for name in kind.required:
        if name not in value and (whole or name not in _SHOWN_APART):
            raise located(
                InputError("field_missing", f"The field {name!r} of the event is missing."), name
            )
    if whole:
        _require_complete(value, kind)
    return kind.make(**fields)


def _require_complete(value: dict[str, Any], kind: _Kind) -> None:
    if not kind.complete(value):
        raise InputError("event_incomplete", kind.without)
    if value["type"] == "TransactionEvent" and not value["bizTransactionList"]:
        raise located(
            InputError("list_empty", "A transaction event names at least one transaction."),
            "bizTransactionList",
        )


def _kind(value: dict[str, Any]) -> _Kind:
    name = value.get("type")
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None and isinstance(name, str) and ":" in name:
        kind = _EXTENSION
    if kind is None:
        code = "event_type_unknown" if "type" in value else "field_missing"
        raise located(
            InputError(
                code,
                f"{str(name)[:100]!r} is none of the five event types, and has no namespace.",
                expected=sorted(_KINDS),
            ),
            "type",
        )
    return kind


def _type_of_others(name: str, scope: Scope) -> dict[str, Any]:
    """Return the name of somebody's own event type as namespace and local part."""
    namespace, local, _ = scope.names.split(name)
    if not local or (namespace + local).startswith(_OF_THE_STANDARD):
        raise InputError(
            "event_type_unknown",
            f"{name[:100]!r} is none of the five event types, nor somebody's own.",
            advice=f"Write {', '.join(sorted(_KINDS))}, or a name in a namespace of your own.",
        )
    return {"namespace": namespace, "local": local}


def _fields(value: dict[str, Any], kind: _Kind, scope: Scope) -> dict[str, Any]:
    of_others = kind is _EXTENSION
    fields: dict[str, Any] = {}
    extensions: list[Extension] = []
    plain, scoped = kind.fields, kind.scoped
    key = ""
    try:
        for key, child in value.items():
            if (known := plain.get(key)) is not None:
                name, read = known
                fields[name] = read(child)
            elif key == "type" or key == "@context":
                if of_others and key == "type":
                    fields |= _type_of_others(child, scope)
            elif (names := _PLACES.get(key)) is not None:
                fields[names[0]], fields[names[1]] = parts.read_place(child, scope)
            elif (deep := scoped.get(key)) is not None:
                fields[deep[0]] = deep[1](child, scope)
            else:
                extensions.extend(read_extension(key, child, scope, bare=of_others))
    except InputError as error:
        raise located(error, key) from None
    fields["extensions"] = in_order(extensions)
    return fields
