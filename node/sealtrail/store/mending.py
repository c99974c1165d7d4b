"""Writes that mend: what was verified, in the place of what was damaged. Functions over one connection.

Nothing is deleted but rows that follow from others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from sealtrail.store.bulk import insert_rows
from sealtrail.store.derived import DERIVED, derived_columns
from sealtrail.store.event_index import clear_index, insert_index
from sealtrail.store.events import NewEvent
from sealtrail.store.foreign import ForeignEntry
from sealtrail.store.log import NewEntry


def mend_entry(connection: sqlite3.Connection, leaf_index: int, entry: NewEntry) -> None:
    """Put an entry at its leaf, whether something stands there or not."""
    connection.execute(
        "INSERT INTO entry (leaf_index, entry_id, leaf, seed, refs, item_keys) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (leaf_index) DO UPDATE SET entry_id = excluded.entry_id, leaf = excluded.leaf,"
        " seed = excluded.seed, refs = excluded.refs, item_keys = excluded.item_keys",
        (leaf_index, entry.entry_id, entry.leaf, entry.seed, entry.refs, entry.item_keys),
    )


def mend_foreign_entry(connection: sqlite3.Connection, entry: ForeignEntry) -> None:
    """Put another member's entry in the place of what is kept of it; its proof and who sent it stay."""
    connection.execute(
        "INSERT INTO foreign_entry (entry_id, member, leaf, seed, refs, item_keys, item_salt, received_from,"
        " received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (entry_id) DO UPDATE SET"
        " member = excluded.member, leaf = excluded.leaf, seed = excluded.seed, refs = excluded.refs,"
        " item_keys = excluded.item_keys, item_salt = excluded.item_salt",
        (
            entry.entry_id,
            entry.member,
            entry.leaf,
            entry.seed,
            entry.refs,
            entry.item_keys,
            entry.item_salt,
            entry.received_from,
            entry.received_ms,
        ),
    )


def mend_event(
    connection: sqlite3.Connection, event_row: int, entry_id: bytes, event: NewEvent
) -> None:
    """Write content and all that follows from it, items included; ``event.content`` as it is kept."""
    connection.execute(
        "UPDATE event SET entry_id = ?, member = ?, media_type = ?, content = ?, content_hash = ?"
        " WHERE event_row = ?",
        (
            entry_id,
            event.member,
            event.media_type,
            event.content,
            event.content_hash,
            event_row,
        ),
    )
    mend_derived(connection, event_row, event)


def mend_derived(connection: sqlite3.Connection, event_row: int, event: NewEvent) -> None:
    """Write what follows from an event's content: hash, columns, and exactly what it is found by."""
    columns = ", ".join(f"{name.strip()} = ?" for name in DERIVED.split(","))
    connection.execute(
        f"UPDATE event SET content_hash = ?, member = ?, {columns} WHERE event_row = ?",
        (event.content_hash, event.member, *derived_columns(event), event_row),
    )
    expected = set(event.items)
    stored = set(
        connection.execute("SELECT item, place FROM event_item WHERE event_row = ?", (event_row,))
    )
    connection.executemany(
        "DELETE FROM event_item WHERE item = ? AND place = ? AND event_row = ?",
        [(*each, event_row) for each in stored - expected],
    )
    connection.executemany(
        "INSERT OR IGNORE INTO event_item (item, place, event_row) VALUES (?, ?, ?)",
        [(*each, event_row) for each in expected - stored],
    )
    clear_index(connection, [event_row])
    insert_index(connection, [(event_row, event.terms, event.values)])


class Following(NamedTuple):
    """What follows from a version of master data: until when it holds, and by table the rows it is found by."""

    version: int
    valid_until_ms: int | None
    rows: dict[str, list[tuple[Any, ...]]]


def mend_master_data(connection: sqlite3.Connection, versions: Iterable[Following]) -> None:
    """Write until when versions hold, and exactly the rows that they are found by; ``versions`` are all of them."""
    for table in ("version_child", "version_attribute"):
        connection.execute(f"DELETE FROM {table}")
    for each in versions:
        connection.execute(
            "UPDATE vocabulary_version SET valid_until_ms = ? WHERE version = ?",
            (each.valid_until_ms, each.version),
        )
        insert_rows(
            connection,
            "INSERT INTO version_child (version, child)",
            each.rows["version_child"],
        )
        insert_rows(
            connection,
            "INSERT INTO version_attribute (version, name, value)",
            each.rows["version_attribute"],
        )


def mend_tiles(
    connection: sqlite3.Connection, tiles: Iterable[tuple[int, int, bytes, bytes]]
) -> None:
    """Write tiles (level, index, hashes, inner nodes)."""
    connection.executemany(
        "INSERT OR REPLACE INTO tile (level, tile_index, hashes, inner) VALUES (?, ?, ?, ?)", tiles
    )
