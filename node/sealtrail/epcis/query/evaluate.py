"""Whether an event is one of those that a query asks for, told from the event alone.

The same conditions are looked up in the store's indexes (:mod:`sealtrail.store.event_query`); both give one answer.

Source: EPCIS 2.0 section 8.2.7.1; docs/protocol.md section 20 (step 6).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Protocol

import msgspec

from sealtrail.epcis.documents import event_hash_uri
from sealtrail.epcis.query.conditions import (
    AnyOf,
    Compared,
    Condition,
    EventFilter,
    Has,
    ItemMatch,
    TimeRange,
    WithAttribute,
    WithId,
    Within,
)
from sealtrail.epcis.query.index import EventIndex, index_of, term, value_name
from sealtrail.epcis.query.readers import CLASS_PLACES
from sealtrail.epcis.records import RecordedEvent
from sealtrail.errors import InputError, TooLargeError

# Places, or things, that one condition on master data may come to.
DESCRIBED_MAX = 10_000
_OPERATORS: dict[str, Callable[[int | float, int | float], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}


class MasterData(Protocol):
    """What is known of places and things beside events; identifiers are canonical."""

    def descendants(self, identifier: str) -> Iterable[str]:
        """Return what lies within a place, directly or not, the place itself left out."""

    def with_attribute(self, attribute: str, values: tuple[str, ...]) -> Iterable[str]:
        """Return what has that attribute; with ``values``, one of those as its value."""


def resolved(wanted: EventFilter, master_data: MasterData) -> EventFilter:
    """Return the query with conditions on master data as conditions on the event.

    Raises:
        TooLargeError: ``query_too_complex``: more than :data:`DESCRIBED_MAX` identifiers.
    """
    if not wanted.needs_master_data:
        return wanted
    conditions = tuple(_resolved(each, master_data) for each in wanted.conditions)
    return msgspec.structs.replace(wanted, conditions=conditions)


def _resolved(condition: Condition, master_data: MasterData) -> Condition:
    if isinstance(condition, Within):
        ids = dict.fromkeys(condition.ids)
        for each in condition.ids:
            ids.update(dict.fromkeys(master_data.descendants(each)))
        return Has(condition.field, _bounded(ids))
    if isinstance(condition, WithAttribute):
        ids = {}
        for attribute in condition.attributes:
            ids.update(dict.fromkeys(master_data.with_attribute(attribute, condition.values)))
        if condition.field == "epcClass":
            return ItemMatch(places=CLASS_PLACES, items=_bounded(ids))
        return Has(condition.field, _bounded(ids) or ("",))  # nothing is described so
    return condition


def _bounded(ids: dict[str, None]) -> tuple[str, ...]:
    if len(ids) > DESCRIBED_MAX:
        raise TooLargeError(
            "query_too_complex",
            f"master data makes more than {DESCRIBED_MAX} identifiers of one parameter",
            advice="ask for a place further down, or for another attribute beside it",
        )
    return tuple(ids)


def matches(wanted: EventFilter, recorded: RecordedEvent, record_time_ms: int) -> bool:
    """Tell whether an event is one of those that are asked for.

    Raises:
        InputError: ``query_needs_master_data``: the query was not :func:`resolved`.
    """
    index = index_of(recorded.event, recorded.items)
    return all(_holds(each, recorded, record_time_ms, index) for each in wanted.conditions)


def _holds(
    condition: Condition, recorded: RecordedEvent, record_time_ms: int, index: EventIndex
) -> bool:
    match condition:
        case Has() | Compared():
            return _found(condition, index)
        case AnyOf(conditions):
            return any(_found(each, index) for each in conditions)
        case ItemMatch():
            return _names(condition, recorded, index)
        case TimeRange(of=of, start=start, end=end):
            moment = recorded.event.event_time.epoch_us if of == "eventTime" else record_time_ms
            return (start is None or moment >= start) and (end is None or moment < end)
        case WithId(event_ids):
            event_id = recorded.event.event_id or event_hash_uri(recorded.event_hash)
            return event_id in event_ids
    raise InputError("query_needs_master_data", "which places lie within which is not known here")


def _found(condition: Has | Compared, index: EventIndex) -> bool:
    if isinstance(condition, Has):
        if not condition.values:
            return term(condition.field) in index.terms
        return any(term(condition.field, value) in index.terms for value in condition.values)
    name = value_name(condition.field, condition.kind)
    compare = _OPERATORS[condition.comparison]
    return any(
        compare(value, condition.value)
        for each, value in index.values
        if each == name and not isinstance(value, str)
    )


def _names(condition: ItemMatch, recorded: RecordedEvent, index: EventIndex) -> bool:
    if any(
        term(f"sgtin_{place}", gtin) in index.terms
        for place in condition.places
        for gtin in condition.gtins
    ):
        return True
    return any(
        mention.item in condition.items
        or any(pattern.matches(mention.item) for pattern in condition.patterns)
        for mention in recorded.items
        if mention.place in condition.places
    )
