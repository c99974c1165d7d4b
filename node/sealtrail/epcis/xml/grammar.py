"""Which elements an event has, and in which order: EPCIS 2.0, and EPCIS 1.0 to 1.2 with their extension elements.

Data, for reading and for writing. What stands in ``extension`` and ``baseExtension`` is part of the event as if it
stood in their place. Elements of other namespaces may stand anywhere in an object that takes some, and in both of
these: the schemas want them behind all others, and many senders do not know it; where they stand says nothing.

Source: GS1's schemas EPCglobal-epcis-2_0.xsd and EPCglobal-epcis-1_2.xsd; for what 2.0 brought and 1.2 documents carry
in inner extensions (sensor data, persistent dispositions, associations), GS1's own mapping of 2.0 to 1.2.
"""

from __future__ import annotations

import msgspec

_TIMES = ("eventTime", "recordTime", "eventTimeZoneOffset")
_STEPS = ("bizStep", "disposition", "readPoint", "bizLocation", "bizTransactionList")
_PARTIES = ("sourceList", "destinationList")
_SINCE_2 = ("sensorElementList", "persistentDisposition")
_INPUTS = (
    "inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList", "transformationID",
)  # fmt: skip
_BASE, _EXTENSION = "baseExtension", "extension"
WRAPPERS = (_BASE, _EXTENSION)


class Sequence(msgspec.Struct, frozen=True):
    """Elements in their order, each at most once; and the sequences inside ``extension`` and ``baseExtension``.

    ``others``: elements of other namespaces may stand among them; ``bare``: so may those of other names without one.
    """

    order: tuple[str, ...] = ()
    extension: Sequence | None = None
    base: Sequence | None = None
    ordered: bool = True
    others: bool = True
    bare: bool = False

    def inside(self, name: str) -> Sequence | None:
        """Return the sequence inside the element of that name if it is ``extension`` or ``baseExtension``."""
        return {_EXTENSION: self.extension, _BASE: self.base}.get(name)


_OTHERS = Sequence()
_NOTHING = Sequence(others=False)
_BASE_1 = Sequence(("eventID", "errorDeclaration", _EXTENSION), extension=_NOTHING)
_INNER_1 = Sequence(_SINCE_2, ordered=False)


def _event_2(*own: str) -> Sequence:
    when = (*_TIMES, "eventID", "errorDeclaration", "certificationInfo", _BASE)
    return Sequence((*when, *own, _EXTENSION), extension=_OTHERS, base=_OTHERS)


def _event_1(*own: str, wrapped: tuple[str, ...] = ()) -> Sequence:
    inner = (*wrapped, *_SINCE_2, _EXTENSION)
    extension = Sequence(inner, extension=_INNER_1)
    return Sequence((*_TIMES, _BASE, *own, _EXTENSION), extension=extension, base=_BASE_1)


_ASSOCIATION = (
    "parentID",
    "childEPCs",
    "childQuantityList",
    "action",
    *_STEPS,
    *_PARTIES,
    *_SINCE_2,
)

EVENTS_2 = {
    "ObjectEvent": _event_2(
        "epcList", "action", *_STEPS, "quantityList", *_PARTIES, *_SINCE_2, "ilmd"
    ),
    "AggregationEvent": _event_2(
        "parentID", "childEPCs", "action", *_STEPS, "childQuantityList", *_PARTIES, *_SINCE_2
    ),
    "TransactionEvent": _event_2(
        "bizTransactionList", "parentID", "epcList", "action", *_STEPS[:-1], "quantityList",
        *_PARTIES, *_SINCE_2,
    ),
    "TransformationEvent": _event_2(*_INPUTS, *_STEPS, *_PARTIES, *_SINCE_2, "ilmd"),
    "AssociationEvent": _event_2(*_ASSOCIATION),
}  # fmt: skip
EVENTS_1 = {
    "ObjectEvent": _event_1(
        "epcList", "action", *_STEPS, wrapped=("quantityList", *_PARTIES, "ilmd")
    ),
    "AggregationEvent": _event_1(
        "parentID", "childEPCs", "action", *_STEPS, wrapped=("childQuantityList", *_PARTIES)
    ),
    "TransactionEvent": _event_1(
        "bizTransactionList", "parentID", "epcList", "action", *_STEPS[:-1],
        wrapped=("quantityList", *_PARTIES),
    ),
    "TransformationEvent": _event_1(*_INPUTS, *_STEPS, *_PARTIES, "ilmd"),
    "AssociationEvent": _event_1(*_ASSOCIATION),
    "QuantityEvent": _event_1("epcClass", "quantity", *_STEPS),
}  # fmt: skip
EVENTS = {"2.0": EVENTS_2, "1.2": EVENTS_1}
EVENT_NAMES = frozenset(EVENTS_1)
_EVERY_FIELD = dict.fromkeys(name for sequence in EVENTS_2.values() for name in sequence.order)
EXTENSION_EVENT = Sequence(
    tuple(_EVERY_FIELD), extension=_OTHERS, base=_OTHERS, ordered=False, bare=True
)
"""An event of somebody's own type, whose element has another namespace; GS1's schemas say nothing of what is in it."""

QUANTITY = Sequence(("epcClass", "quantity", "uom"), others=False)
PLACE = Sequence(("id", _EXTENSION), extension=_NOTHING)
ILMD = Sequence((_EXTENSION,), extension=_NOTHING)
DECLARATION = Sequence(
    ("declarationTime", "reason", "correctiveEventIDs", _EXTENSION),
    extension=_NOTHING,
    ordered=False,
)
DECLARATION_1 = msgspec.structs.replace(DECLARATION, ordered=True)
