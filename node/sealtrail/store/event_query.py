"""Queries over events: a filter becomes one SQL statement; pages go on after the last row's key."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from sealtrail.epcis.query import EventFilter, Order
from sealtrail.store.events import COLUMNS, StoredEvent, ids_values, stored_event, with_ids

_ORDER_COLUMNS: dict[Order, str] = {
    "arrival": "event_row",
    "event_time": "event_time_us",
    "record_time": "record_time_ms",
}


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: the order column's value and the row."""

    key: int
    row: int


_IN_LISTS = (
    "event_type",
    "action",
    "biz_step",
    "disposition",
    "read_point",
    "biz_location",
)
_RANGES = (
    ("event_time_us_from", "event_time_us >= ?"),
    ("event_time_us_before", "event_time_us < ?"),
    ("record_time_ms_from", "record_time_ms >= ?"),
    ("record_time_ms_before", "record_time_ms < ?"),
    ("is_declaration", "is_declaration = ?"),
)


def find_events(
    connection: sqlite3.Connection,
    wanted: EventFilter,
    *,
    after: Position | None,
    limit: int,
    contents_bytes_max: int,
) -> tuple[list[StoredEvent], Position | None]:
    """Return up to ``limit`` events after a position, and the position to go on from (None: no more).

    Fewer than ``limit`` if their contents would have over ``contents_bytes_max`` bytes together, but one at least.
    Events whose content was erased have no view and are left out.
    """
    conditions, values = _conditions(wanted)
    column = _ORDER_COLUMNS[wanted.order_by]
    direction, sign = ("DESC", "<") if wanted.descending else ("ASC", ">")
    if after is not None:
        conditions.append(f"({column}, event_row) {sign} (?, ?)")
        values += [after.key, after.row]
    rows = connection.execute(
        f"SELECT {COLUMNS}, {column} FROM event WHERE {' AND '.join(conditions)}"
        f" ORDER BY {column} {direction}, event_row {direction} LIMIT ?",
        (*values, limit + 1),
    )
    found: list[StoredEvent] = []
    octets, last = 0, Position(0, 0)
    for row in rows:
        event = stored_event(row[:-1])
        octets += len(event.content or b"")
        if len(found) == limit or (found and octets > contents_bytes_max):
            return found, last
        found.append(event)
        last = Position(row[-1], row[0])
    return found, None


def count_events(connection: sqlite3.Connection, wanted: EventFilter, *, limit: int) -> int:
    """Return how many events match, counting no further than ``limit``."""
    conditions, values = _conditions(wanted)
    row = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM event WHERE {' AND '.join(conditions)} LIMIT ?)",
        (*values, limit),
    ).fetchone()
    return int(row[0])


def _conditions(wanted: EventFilter) -> tuple[list[str], list[object]]:
    conditions = ["content IS NOT NULL"]
    values: list[object] = []
    for name in _IN_LISTS:
        chosen: Sequence[str] = getattr(wanted, name)
        if chosen:
            conditions.append(f"{name} IN ({', '.join('?' * len(chosen))})")
            values += chosen
    if wanted.event_id:
        conditions.append(with_ids(wanted.event_id))
        values += ids_values(wanted.event_id)
    for name, condition in _RANGES:
        bound = getattr(wanted, name)
        if bound is not None:
            conditions.append(condition)
            values.append(bound)
    for match in wanted.matches:
        conditions.append(
            "event_row IN (SELECT event_row FROM event_item"
            f" WHERE item IN ({', '.join('?' * len(match.items))})"
            f" AND place IN ({', '.join('?' * len(match.places))}))"
        )
        values += [*match.items, *match.places]
    return conditions, values
