"""The tables that queries look conditions up in: written with each event, made again from its content.

Functions over one connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import msgspec

from sealtrail.epcis.query import Value
from sealtrail.store.bulk import insert_rows, insert_values

PREFIXES_MAX = 1_000
_NAMESPACES_MAX = 8  # of one prefix, in a query that does not define it
_INSERT_TERM = "INSERT OR IGNORE INTO event_term (term, event_row)"
_INSERT_VALUE = "INSERT OR IGNORE INTO event_value (name, value, event_row)"

Rows: TypeAlias = tuple[int, Sequence[int], Sequence[tuple[int, Value]]]
"""An event's row, its terms, and its values as (name, value)."""


class Gap(msgspec.Struct, frozen=True):
    """Events up to ``until`` were recorded before the tables; those up to ``event_row`` are in them by now."""

    event_row: int
    until: int

    @property
    def closed(self) -> bool:
        """Whether every event is in the tables."""
        return self.event_row >= self.until

    def lacks(self, row: int) -> bool:
        """Tell whether an event is not in the tables yet."""
        return self.event_row < row <= self.until


def insert_index(connection: sqlite3.Connection, events: Iterable[Rows]) -> None:
    """Write what events are found by; what is there already stays."""
    found: dict[int, list[int]] = {}
    values: list[tuple[int, Value, int]] = []
    for row, terms, named in events:
        for term in terms:
            found.setdefault(term, []).append(row)
        values += [(name, value, row) for name, value in named]
    pairs: list[int] = []
    for term in sorted(found):  # neighbours in the table, one after the other
        for row in found[term]:
            pairs += (term, row)
    insert_values(connection, _INSERT_TERM, pairs, width=2)
    insert_rows(connection, _INSERT_VALUE, values)


def has_index(connection: sqlite3.Connection, event: Rows) -> bool:
    """Tell whether an event is found by all of that."""
    row, terms, values = event
    by_term = "SELECT 1 FROM event_term WHERE term = ? AND event_row = ?"
    by_value = "SELECT 1 FROM event_value WHERE name = ? AND value = ? AND event_row = ?"
    return all(connection.execute(by_term, (term, row)).fetchone() for term in terms) and all(
        connection.execute(by_value, (name, value, row)).fetchone() for name, value in values
    )


def stored_index(
    connection: sqlite3.Connection, event_rows: Sequence[int]
) -> dict[int, tuple[set[int], set[tuple[int, Value]]]]:
    """Return event row → terms and values; one pass over the terms, which have no index by event."""
    found: dict[int, tuple[set[int], set[tuple[int, Value]]]] = {}
    wanted = _listed(event_rows)
    for term, row in connection.execute(
        f"SELECT term, event_row FROM event_term WHERE event_row IN {wanted}"
    ):
        found.setdefault(row, (set(), set()))[0].add(term)
    for name, value, row in connection.execute(
        f"SELECT name, value, event_row FROM event_value WHERE event_row IN {wanted}"
    ):
        found.setdefault(row, (set(), set()))[1].add((name, value))
    return found


def clear_index(connection: sqlite3.Connection, event_rows: Sequence[int]) -> None:
    """Take away all that those events are found by; one pass over both tables."""
    wanted = _listed(event_rows)
    connection.execute(f"DELETE FROM event_term WHERE event_row IN {wanted}")
    connection.execute(f"DELETE FROM event_value WHERE event_row IN {wanted}")


def insert_prefixes(connection: sqlite3.Connection, prefixes: Iterable[tuple[str, str]]) -> None:
    """Note what prefixes stand for, as far as there is room: nothing but the comfort of a query rests on it."""
    for pair in prefixes:
        connection.execute(
            "INSERT OR IGNORE INTO extension_prefix SELECT ?, ?"
            f" WHERE (SELECT count(*) FROM extension_prefix) < {PREFIXES_MAX}",
            pair,
        )


def load_prefixes(connection: sqlite3.Connection) -> dict[str, list[str]]:
    """Return what each prefix stands for in recorded events."""
    found: dict[str, list[str]] = {}
    for prefix, namespace in connection.execute(
        "SELECT prefix, namespace FROM extension_prefix ORDER BY prefix, namespace"
    ):
        found.setdefault(prefix, []).append(namespace)
        del found[prefix][_NAMESPACES_MAX:]
    return found


def load_gap(connection: sqlite3.Connection) -> Gap:
    """Return how far events of before the tables are in them."""
    row = connection.execute("SELECT event_row, until FROM event_index_gap").fetchone()
    return Gap(0, 0) if row is None else Gap(*row)


def save_gap(connection: sqlite3.Connection, event_row: int) -> None:
    """Note how far they are; to be done in the transaction that wrote them."""
    connection.execute("UPDATE event_index_gap SET event_row = ?", (event_row,))


def _listed(event_rows: Sequence[int]) -> str:
    # numbers of our own, and too many for a statement's variables
    return f"({', '.join(map(str, map(int, event_rows)))})"
