"""What the database holds twice: rows that follow from recorded content, made to be looked up by.

They are signed by nobody, and a wrong one makes an event vanish from answers. So they can be compared with the
content, and made anew from it. Functions over one connection.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

from sealtrail.store.bulk import insert_rows
from sealtrail.store.event_index import Gap, has_index, insert_index, stored_index
from sealtrail.store.events import COLUMNS, NewEvent, StoredEvent, stored_event

DERIVED = (
    "event_hash, event_id, is_declaration, hash_ambiguous, event_type, action, biz_step, disposition,"
    " read_point, biz_location, event_time_us, record_time_ms"
)
Derived: TypeAlias = tuple[object, ...]


def structure_faults(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with pages and indexes; a file of some gigabytes takes a minute."""
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(10)")]
    return [] if found == ["ok"] else found


def last_row(connection: sqlite3.Connection) -> int:
    """Return the newest event's row."""
    row = connection.execute("SELECT coalesce(max(event_row), 0) FROM event").fetchone()
    return int(row[0])


def rows_after(
    connection: sqlite3.Connection, row: int, *, last: int, limit: int
) -> list[tuple[StoredEvent, Derived]]:
    """Return the next events after ``row`` up to ``last``, each with its derived columns."""
    width = COLUMNS.count(",") + 1
    rows = connection.execute(
        f"SELECT {COLUMNS}, {DERIVED} FROM event WHERE event_row > ? AND event_row <= ?"
        " ORDER BY event_row LIMIT ?",
        (row, last, limit),
    )
    return [(stored_event(r[:width]), r[width:]) for r in rows]


class Sealed(NamedTuple):
    """What an event's content is sealed by: its entry's leaf, and the seed, None once erased."""

    leaf: bytes
    seed: bytes | None


def seals(connection: sqlite3.Connection, entry_ids: Sequence[bytes]) -> dict[bytes, Sealed]:
    """Return entry id → leaf and seed, of the own log's entries and of others'."""
    marks = ", ".join("?" * len(entry_ids))
    others = f"SELECT entry_id, leaf, seed FROM foreign_entry WHERE entry_id IN ({marks})"
    own = (  # entry has no index by an event's entry id
        "SELECT event.entry_id, leaf, seed FROM event JOIN entry USING (leaf_index)"
        f" WHERE event.entry_id IN ({marks})"
    )
    rows = [*connection.execute(others, entry_ids), *connection.execute(own, entry_ids)]
    return {entry_id: Sealed(leaf, seed) for entry_id, leaf, seed in rows}


def derived_columns(event: NewEvent) -> Derived:
    """Return the same columns as they follow from the content."""
    return (
        event.event_hash,
        event.event_id,
        int(event.is_declaration),
        event.hash_ambiguous,
        event.event_type,
        event.action,
        event.biz_step,
        event.disposition,
        event.read_point,
        event.biz_location,
        event.event_time_us,
        event.record_time_ms,
    )


def is_found(connection: sqlite3.Connection, row: int, event: NewEvent, gap: Gap) -> bool:
    """Tell whether the event is found by each of its items, and by all that its fields say.

    Args:
        gap: which events are not indexed by their fields yet.
    """
    question = "SELECT 1 FROM event_item WHERE item = ? AND place = ? AND event_row = ?"
    return all(connection.execute(question, (*item, row)).fetchone() for item in event.items) and (
        gap.lacks(row) or has_index(connection, (row, event.terms, event.values))
    )


def clear_found(connection: sqlite3.Connection, *, keep: Sequence[int]) -> None:
    """Take away all that events are found by, but that of the events ``keep``, which could not be made again."""
    index = stored_index(connection, keep) if keep else {}
    connection.execute("DELETE FROM event_term")
    connection.execute("DELETE FROM event_value")
    insert_index(connection, ((row, list(t), list(v)) for row, (t, v) in index.items()))
    kept: list[tuple[str, int, str]] = []
    for row in keep:
        kept += connection.execute(
            "SELECT item, event_row, place FROM event_item WHERE event_row = ?", (row,)
        )
    # without a condition: the pages are dropped unread, so it does not matter what they hold
    connection.execute("DELETE FROM event_item")
    insert_rows(connection, "INSERT OR IGNORE INTO event_item (item, event_row, place)", kept)


def entries_without_event(connection: sqlite3.Connection, kinds: Sequence[int]) -> list[bytes]:
    """Return entries of the own log, of those kinds, whose event is gone."""
    marks = ", ".join("?" * len(kinds))
    rows = connection.execute(
        # the leaf begins with version and kind: docs/protocol.md section 5
        f"SELECT entry_id FROM entry WHERE substr(leaf, 2, 1) IN ({marks}) AND NOT EXISTS"
        " (SELECT 1 FROM event WHERE event.entry_id = entry.entry_id)",
        [bytes([kind]) for kind in kinds],
    )
    return [row[0] for row in rows]


def write_derived(connection: sqlite3.Connection, events: Iterable[tuple[int, NewEvent]]) -> None:
    """Write columns, items and index of those events as they follow from the content."""
    columns = ", ".join(f"{name.strip()} = ?" for name in DERIVED.split(","))
    for row, event in events:
        connection.execute(
            f"UPDATE event SET {columns} WHERE event_row = ?", (*derived_columns(event), row)
        )
        items = [(item, row, place) for item, place in event.items]
        insert_rows(connection, "INSERT OR IGNORE INTO event_item (item, event_row, place)", items)
        insert_index(connection, [(row, event.terms, event.values)])


def rebuild_indexes(connection: sqlite3.Connection) -> None:
    """Make every index anew from its table."""
    connection.execute("REINDEX")
