"""Queries over events: which rows match, found by the narrowest index, and their events page by page.

A query whose narrowest condition holds for few events gathers those and sorts them. Otherwise rows are walked in the
order that is asked for, along the narrowest list or all events by time, and the other conditions are looked up for
each: where every condition holds for many events, a page is soon full. What such a query costs at worst, if many
events meet each of its conditions and hardly one all of them, is a walk to the end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import isqrt
from typing import TypeAlias

import msgspec

from sealtrail.epcis.query import (
    ARRIVAL,
    EventFilter,
    TimeRange,
    Value,
    value_name,
)
from sealtrail.errors import UnavailableError
from sealtrail.store.event_clauses import TIME_COLUMNS, Binder, Clause, absence_of, clause_of
from sealtrail.store.event_index import Gap, load_gap
from sealtrail.store.events import COLUMNS, StoredEvent, stored_event
from sealtrail.store.pages import page_of

# So few rows are gathered and sorted, whatever the order.
_COUNTED_FIRST = 500
# Counting so many takes a fraction of a millisecond.
COUNTED_MAX = 5_000
GATHERED_MAX = 20_000
# Events are looked at one by one so far before all are gathered for which a condition holds.
_STRETCH_ROWS = 20_000
# Lists of rows that are merged in their order; of more, the rows are gathered.
_MERGED_MAX = 8
_OF_EVENTS = "CROSS JOIN event AS e ON e.event_row = r.event_row"
_INDEXES = {"eventTime": "event_by_time", "recordTime": "event_by_record_time"}


class Position(msgspec.Struct, frozen=True, array_like=True):
    """Where a page ended: what it is ordered by, and the row; key None among events without such a value."""

    key: int | float | str | None
    row: int


Found: TypeAlias = list[Position]


class _Question(msgspec.Struct):
    """A query on its way to SQL; ``extra`` are further conditions on a row."""

    connection: sqlite3.Connection
    clauses: list[Clause]
    binder: Binder
    descending: bool
    limit: int
    extra: list[str]

    def rows(self, sql: str) -> list[tuple[int, Value]]:
        return self.connection.execute(sql, self.binder.values).fetchall()


def order_of(wanted: EventFilter) -> str:
    """Return the order in which matching events are listed.

    Of a query that asks for none: by the time that it asks about, else as they arrived.
    """
    if wanted.order_by != ARRIVAL:
        return wanted.order_by
    asked = {each.of for each in wanted.conditions if isinstance(each, TimeRange)}
    return next((of for of in ("recordTime", "eventTime") if of in asked), ARRIVAL)


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

    Raises:
        UnavailableError: ``query_index_incomplete``: events of an earlier version are still being taken in.
    """
    positions = find_rows(connection, wanted, after=after, limit=limit + 1)
    events = (_load(connection, position.row) for position in positions)
    found, more = page_of(events, _content_size, limit=limit, size_max=contents_bytes_max)
    return found, positions[len(found) - 1] if more else None


def _load(connection: sqlite3.Connection, event_row: int) -> StoredEvent:
    return stored_event(
        connection.execute(
            f"SELECT {COLUMNS} FROM event WHERE event_row = ?", (event_row,)
        ).fetchone()
    )


def _content_size(event: StoredEvent) -> int:
    return len(event.content or b"")


def walk_events(
    connection: sqlite3.Connection,
    wanted: EventFilter,
    *,
    after: int,
    until: int,
    limit: int,
    contents_bytes_max: int,
) -> tuple[list[StoredEvent], int]:
    """Return matching events of the rows after ``after`` up to ``until``, as they arrived, whatever order is asked for;
    and up to which row there are no others.

    Each row is looked at by itself: what that takes is bounded by how many rows there are, however many match.
    ``limit`` and ``contents_bytes_max`` as of :func:`find_events`.

    Raises:
        UnavailableError: as :func:`find_events`.
    """
    question = _question(connection, wanted, limit + 1)
    _require_indexed(connection, wanted, after)
    where = _conditions(question, "e.event_row", question.clauses)
    where.append(
        f"e.event_row BETWEEN {question.binder.one(after + 1)} AND {question.binder.one(until)}"
    )
    rows = question.connection.execute(
        f"SELECT {COLUMNS} FROM event AS e WHERE {' AND '.join(where)}"
        f" ORDER BY e.event_row LIMIT {question.limit}",
        question.binder.values,
    )
    events = map(stored_event, rows)
    found, more = page_of(events, _content_size, limit=limit, size_max=contents_bytes_max)
    return found, found[-1].event_row if more else until


def count_events(connection: sqlite3.Connection, wanted: EventFilter, *, limit: int) -> int:
    """Return how many events match, counting no further than ``limit``.

    Raises:
        UnavailableError: as :func:`find_events`.
    """
    _require_index(connection, wanted)
    question = _question(connection, wanted, limit)
    ranked = _ranked(question, COUNTED_MAX)
    narrow = ranked[0][1] if ranked else None
    others = [clause for clause in question.clauses if clause is not narrow]
    live = narrow is not None and narrow.live
    where = " AND ".join(_conditions(question, "e.event_row", others, live=live)) or "1"
    source = "event AS e" if narrow is None else f"({narrow.rows}) AS r {_OF_EVENTS}"
    (count,) = connection.execute(
        f"SELECT count(*) FROM (SELECT DISTINCT e.event_row FROM {source} WHERE {where} LIMIT {limit})",
        question.binder.values,
    ).fetchone()
    return int(count)


def find_rows(
    connection: sqlite3.Connection, wanted: EventFilter, *, after: Position | None, limit: int
) -> Found:
    """Return where the next matching events stand, in their order.

    Raises:
        UnavailableError: as :func:`find_events`.
    """
    _require_index(connection, wanted)
    order = order_of(wanted)
    if order == ARRIVAL:
        return _by_arrival(_question(connection, wanted, limit), after)
    if order in TIME_COLUMNS:
        return _by_time(_question(connection, wanted, limit), order, after)
    found: Found = []
    if after is None or after.key is not None:
        found = _by_value(_question(connection, wanted, limit), order, after)
        after = None
    else:
        after = Position(after.row, after.row)
    if len(found) < limit:
        rest = _question(connection, wanted, limit - len(found))
        rest.descending = False  # those without such a value come last, as they arrived
        rest.extra.append(absence_of(order, rest.binder))
        found += [Position(None, each.row) for each in _by_arrival(rest, after)]
    return found


def _question(connection: sqlite3.Connection, wanted: EventFilter, limit: int) -> _Question:
    binder = Binder()
    clauses = [clause_of(each, binder) for each in wanted.conditions]
    return _Question(connection, clauses, binder, wanted.descending, limit, [])


def _require_index(connection: sqlite3.Connection, wanted: EventFilter) -> None:
    if order_of(wanted) in (ARRIVAL, *TIME_COLUMNS):
        _require_indexed(connection, wanted, 0)
    else:
        _require_closed(load_gap(connection), 0)


def _require_indexed(connection: sqlite3.Connection, wanted: EventFilter, after: int) -> None:
    if not all(isinstance(each, TimeRange) for each in wanted.conditions):
        _require_closed(load_gap(connection), after)


def _require_closed(gap: Gap, after: int) -> None:
    if not gap.closed and after < gap.until:
        raise UnavailableError(
            "query_index_incomplete",
            f"events recorded by an earlier version are being indexed: {gap.event_row} of {gap.until}",
            advice="ask again in some minutes; by times alone, events are found already",
        )


def _narrowest(question: _Question, most: int) -> Clause | None:
    """Return the condition that holds for the fewest events; None if each does for ``most`` at least."""
    ranked = _ranked(question, most)
    return ranked[0][1] if ranked and ranked[0][0] < most else None


def _ranked(question: _Question, most: int) -> list[tuple[int, Clause]]:
    """Return the conditions with their numbers of rows, counted up to ``most``; the fewest first, then lists."""
    counted = [(_count(question, clause, most), clause) for clause in question.clauses]
    return sorted(counted, key=lambda each: (each[0], not _is_list(each[1])))


def _is_list(clause: Clause) -> bool:
    return 0 < len(clause.terms) <= _MERGED_MAX


def _worth_gathering(question: _Question) -> int:
    """Return how many rows are gathered and sorted as quickly as a page of them is walked to among all events."""
    return min(GATHERED_MAX, isqrt(question.limit * _highest_row(question) // 2))


def _highest_row(question: _Question) -> int:
    (row,) = question.connection.execute("SELECT coalesce(max(event_row), 0) FROM event").fetchone()
    return int(row)


def _count(question: _Question, clause: Clause, most: int) -> int:
    sql = f"SELECT count(*) FROM (SELECT 1 FROM ({clause.rows}) LIMIT {most})"
    (count,) = question.connection.execute(sql, question.binder.values).fetchone()
    return int(count)


def _by_arrival(question: _Question, after: Position | None) -> Found:
    narrow = _narrowest(question, _COUNTED_FIRST)
    if narrow is None and question.clauses:
        counted, narrow = _ranked(question, COUNTED_MAX)[0]
        if _is_list(narrow):
            return _merged(question, narrow, after)
        if counted == COUNTED_MAX:
            found = _walked(question, after, rows_max=_STRETCH_ROWS)
            if len(found) == question.limit:
                return found
    if narrow is not None:
        return _gathered(question, narrow, "event_row", after)
    return _walked(question, after)


def _walked(question: _Question, after: Position | None, *, rows_max: int | None = None) -> Found:
    """Look at one event after the other, at no more than ``rows_max``."""
    where = _conditions(question, "e.event_row", question.clauses)
    where += _beyond(question, ("e.event_row",), () if after is None else (after.row,))
    if rows_max is not None:
        where.append(_within(question, after, rows_max))
    rows = question.rows(
        f"SELECT e.event_row, e.event_row FROM event AS e WHERE {' AND '.join(where)}"
        f" ORDER BY {_sorted(question, 'e.event_row')} LIMIT {question.limit}"
    )
    return [Position(key, row) for row, key in rows]


def _within(question: _Question, after: Position | None, rows_max: int) -> str:
    """Return the condition that an event is among the next so many."""
    if not question.descending:
        start = 0 if after is None else after.row
        return f"e.event_row <= {question.binder.one(start + rows_max)}"
    start = _highest_row(question) + 1 if after is None else after.row
    return f"e.event_row >= {question.binder.one(start - rows_max)}"


def _by_time(question: _Question, order: str, after: Position | None) -> Found:
    column = TIME_COLUMNS[order]
    narrow = _narrowest(question, _COUNTED_FIRST)
    if narrow is None:
        narrow = _narrowest(question, _worth_gathering(question))
    if narrow is not None:
        return _gathered(question, narrow, column, after)
    bounds = [c.time[1] for c in question.clauses if c.time is not None and c.time[0] == order]
    others = [c for c in question.clauses if c.time is None or c.time[0] != order]
    where = [*bounds, *_conditions(question, "e.event_row", others)]
    key = () if after is None else (after.key, after.row)
    where += _beyond(question, (f"e.{column}", "e.event_row"), key)
    rows = question.rows(
        f"SELECT e.event_row, e.{column} FROM event AS e INDEXED BY {_INDEXES[order]}"
        f" WHERE {' AND '.join(where)}"
        f" ORDER BY {_sorted(question, f'e.{column}', 'e.event_row')} LIMIT {question.limit}"
    )
    return [Position(key, row) for row, key in rows]


def _by_value(question: _Question, field: str, after: Position | None) -> Found:
    name = question.binder.one(value_name(field, "order"))
    where = [f"o.name = {name}", *_conditions(question, "o.event_row", question.clauses, live=True)]
    key = () if after is None else (after.key, after.row)
    where += _beyond(question, ("o.value", "o.event_row"), key)
    rows = question.rows(
        f"SELECT o.event_row, o.value FROM event_value AS o WHERE {' AND '.join(where)}"
        f" ORDER BY {_sorted(question, 'o.value', 'o.event_row')} LIMIT {question.limit}"
    )
    return [Position(key, row) for row, key in rows]


def _gathered(question: _Question, narrow: Clause, column: str, after: Position | None) -> Found:
    others = [clause for clause in question.clauses if clause is not narrow]
    source, row = f"({narrow.rows}) AS r", "r.event_row"
    if column != "event_row" or not narrow.live:  # else without a look at the events
        source, row = f"{source} {_OF_EVENTS}", "e.event_row"
    key = row if column == "event_row" else f"e.{column}"
    where = _conditions(question, row, others, live=narrow.live)
    where += _beyond(question, (key, row), () if after is None else (after.key, after.row))
    rows = question.rows(
        f"SELECT DISTINCT {row}, {key} FROM {source} WHERE {' AND '.join(where) or '1'}"
        f" ORDER BY {_sorted(question, key, row)} LIMIT {question.limit}"
    )
    return [Position(by, event_row) for event_row, by in rows]


def _merged(question: _Question, narrow: Clause, after: Position | None) -> Found:
    """Merge the lists of a few terms, each of which is in the order of rows."""
    others = [clause for clause in question.clauses if clause is not narrow]
    where = _conditions(question, "t.event_row", others, live=True)
    where += _beyond(question, ("t.event_row",), () if after is None else (after.row,))
    arms = [
        f"SELECT t.event_row FROM event_term AS t WHERE t.term = {question.binder.one(each)}"
        + "".join(f" AND {each}" for each in where)
        for each in narrow.terms
    ]
    direction = "DESC" if question.descending else "ASC"
    rows = question.connection.execute(
        f"{' UNION '.join(arms)} ORDER BY 1 {direction} LIMIT {question.limit}",
        question.binder.values,
    )
    return [Position(row, row) for (row,) in rows]


def _conditions(
    question: _Question, row: str, clauses: Sequence[Clause], *, live: bool = False
) -> list[str]:
    """Return what must hold of a row.

    Args:
        live: it is known that the row's event was not erased.
    """
    holds = [clause.holds.format(row=row) for clause in clauses]
    holds += [each.format(row=row) for each in question.extra]
    if not live and not any(clause.live for clause in clauses):
        holds.append(f"EXISTS (SELECT 1 FROM event WHERE event_row = {row} AND content NOT NULL)")
    return holds


def _beyond(question: _Question, columns: Sequence[str], key: Sequence[object]) -> list[str]:
    if not key:
        return []
    sign = "<" if question.descending else ">"
    marks = ", ".join(map(question.binder.one, key))
    return [f"({', '.join(columns)}) {sign} ({marks})"]


def _sorted(question: _Question, *columns: str) -> str:
    direction = "DESC" if question.descending else "ASC"
    return ", ".join(f"{column} {direction}" for column in columns)
