"""What a query asks of an event: conditions, all of which must hold, and in which order and how many it wants.

Plain values, so that a query can be kept and read again.

Source: EPCIS 2.0 section 8.2.7.1.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Comparison: TypeAlias = Literal["eq", "gt", "ge", "lt", "le"]
ARRIVAL = "arrival"


class Has(msgspec.Struct, frozen=True, tag="has"):
    """A field of the event has one of these values; without values: it is there."""

    field: str
    values: tuple[str, ...] = ()


class Compared(msgspec.Struct, frozen=True, tag="compared"):
    """A value of the field compares so: a number, or a time in microseconds since 1970."""

    field: str
    kind: Literal["number", "time"]
    comparison: Comparison
    value: int | float


class AnyOf(msgspec.Struct, frozen=True, tag="any"):
    """One of these holds at least."""

    conditions: tuple[Has | Compared, ...]


class Pattern(msgspec.Struct, frozen=True):
    """Canonical identifiers that begin so; ``then`` stands at ``at`` (counted from 0), an empty one ends it there.

    ``at`` None: whatever follows.
    """

    begins: str
    at: int | None = None
    then: str = ""

    def matches(self, item: str) -> bool:
        """Tell whether an identifier is one of those."""
        if not item.startswith(self.begins):
            return False
        if self.at is None:
            return True
        return item.startswith(self.then, self.at) if self.then else len(item) == self.at


class ItemMatch(msgspec.Struct, frozen=True, tag="item", kw_only=True):
    """The event names, in one of ``places``, one of ``items``, a pack of one of ``gtins``, or what a pattern matches.

    Items are canonical identifiers.
    """

    places: tuple[str, ...]
    items: tuple[str, ...] = ()
    gtins: tuple[str, ...] = ()
    patterns: tuple[Pattern, ...] = ()


class TimeRange(msgspec.Struct, frozen=True, tag="range", kw_only=True):
    """Event time (microseconds) or record time (milliseconds): at or after ``start``, before ``end``."""

    of: Literal["eventTime", "recordTime"]
    start: int | None = None
    end: int | None = None


class WithId(msgspec.Struct, frozen=True, tag="id"):
    """The event's id is one of these."""

    event_ids: tuple[str, ...]


class Within(msgspec.Struct, frozen=True, tag="within"):
    """A place of the event is one of these or lies within one, as master data says; canonical identifiers."""

    field: str
    ids: tuple[str, ...]


class WithAttribute(msgspec.Struct, frozen=True, tag="attribute", kw_only=True):
    """Master data gives what a field names one of these attributes; with ``values``: with one of those."""

    field: str
    attributes: tuple[str, ...]
    values: tuple[str, ...] = ()


Condition: TypeAlias = (
    Has | Compared | AnyOf | ItemMatch | TimeRange | WithId | Within | WithAttribute
)


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: events for which every condition holds.

    Attributes:
        order_by: ``arrival``, ``eventTime``, ``recordTime``, or the field of an extension.
        event_count_limit: ``eventCountLimit``: the first so many in that order, and no more.
        max_event_count: ``maxEventCount``: if more match, none.
    """

    conditions: tuple[Condition, ...] = ()
    order_by: str = ARRIVAL
    descending: bool = False
    event_count_limit: int | None = None
    max_event_count: int | None = None

    @property
    def items(self) -> list[str]:
        """The items that are asked for by their identifiers."""
        return [item for c in self.conditions if isinstance(c, ItemMatch) for item in c.items]

    @property
    def needs_master_data(self) -> bool:
        """Whether the events alone don't say which of them match."""
        return any(isinstance(c, Within | WithAttribute) for c in self.conditions)
