"""Erasing an event's content for law: what of a row goes, what stays, and the tombstone. Functions over one connection.

Gone is what the content said and what would confirm a guess of it: content, seed, both hashes, the columns made from
it. What stays is what others hold as well and the log's proofs need: the entry, its references, its item keys; and the
items by which the event is found, except those that the caller names.

Source: docs/erasure.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sealtrail.errors import UnavailableError
from sealtrail.store.bulk import insert_rows
from sealtrail.store.event_index import clear_index
from sealtrail.store.events import (
    COLUMNS,
    ERASED_EVENT_HASH,
    StoredEvent,
    erased_event_id,
    stored_event,
)

# Values of one statement's IN list at most.
_CHUNK = 256
# The content hash, which is unique beside its member, gives way to the entry's id, and event time to record time.
_ERASED_COLUMNS = (
    *(
        "content",
        "content_hash",
        "event_hash",
        "event_id",
        "hash_ambiguous",
        "event_type",
        "action",
    ),
    *("biz_step", "disposition", "read_point", "biz_location", "event_time_us", "record_time_ms"),
)
_ERASE_EVENT = (
    f"UPDATE event SET {', '.join(f'{name} = :{name}' for name in _ERASED_COLUMNS)}"
    " WHERE event_row = :event_row"
)


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """That an event was erased: when, by whom, on what ground; and the order, where one was needed."""

    entry_id: bytes
    erased_ms: int
    erased_by: str
    ground: str
    authority: str | None = None
    reference: str | None = None
    ordered_on: str | None = None


_TOMBSTONE = ", ".join(Tombstone.__struct_fields__)


def erased_columns(entry_id: bytes, record_time_ms: int) -> dict[str, Any]:
    """Return column → value of what an erased event's row says; its numbers, member and media type stay."""
    known = {
        "content_hash": entry_id,
        "event_hash": ERASED_EVENT_HASH,
        "event_id": erased_event_id(entry_id),
        "event_type": "",
        "event_time_us": record_time_ms * 1000,
        "record_time_ms": record_time_ms,
    }
    return {name: known.get(name) for name in _ERASED_COLUMNS}


def erase_events(
    connection: sqlite3.Connection,
    events: Iterable[tuple[StoredEvent, Tombstone, Iterable[str]]],
) -> None:
    """Erase events and their seeds, and all they are found by but items; to be done in a transaction.

    Harmless to repeat: the first tombstone stays.

    Args:
        events: each with its tombstone, and the items under which it is no longer to be found either.
    """
    rows: list[int] = []
    for event, tombstone, items in events:
        _erase_event(connection, event, tombstone, items)
        rows.append(event.event_row)
    clear_index(connection, rows)


def _erase_event(
    connection: sqlite3.Connection, event: StoredEvent, tombstone: Tombstone, items: Iterable[str]
) -> None:
    columns = erased_columns(event.entry_id, event.record_time_ms)
    connection.execute(_ERASE_EVENT, {**columns, "event_row": event.event_row})
    connection.execute(
        "UPDATE entry SET seed = NULL WHERE leaf_index ="
        " (SELECT leaf_index FROM event WHERE event_row = ?)",
        (event.event_row,),
    )
    connection.executemany(
        "DELETE FROM event_item WHERE item = ? AND event_row = ?",
        [(item, event.event_row) for item in items],
    )
    erase_seed(connection, tombstone)


def erase_seed(connection: sqlite3.Connection, tombstone: Tombstone) -> None:
    """Erase the seed that another member's entry came with, and note it; to be done in a transaction."""
    connection.execute(
        "UPDATE foreign_entry SET seed = NULL WHERE entry_id = ?", (tombstone.entry_id,)
    )
    insert_rows(
        connection,
        f"INSERT INTO tombstone ({_TOMBSTONE})",
        [msgspec.structs.astuple(tombstone)],
        then="ON CONFLICT DO NOTHING",
    )


def load_tombstones(
    connection: sqlite3.Connection, entry_ids: Iterable[bytes]
) -> dict[bytes, Tombstone]:
    """Return entry id → tombstone for those that were erased."""
    wanted = list(entry_ids)
    found: dict[bytes, Tombstone] = {}
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        rows = connection.execute(
            f"SELECT {_TOMBSTONE} FROM tombstone WHERE entry_id IN ({_marks(chunk)})", chunk
        )
        for row in rows:
            found[row[0]] = Tombstone(**dict(zip(Tombstone.__struct_fields__, row, strict=True)))
    return found


def load_copies(connection: sqlite3.Connection, event: StoredEvent) -> list[StoredEvent]:
    """Return every event of the same content, whoever recorded it, ``event`` itself included."""
    rows = connection.execute(
        # by the index on the event hash: there is none on the content hash alone
        f"SELECT {COLUMNS} FROM event WHERE event_hash = ? AND content_hash = ?",
        (event.event_hash, event.content_hash),
    )
    return [stored_event(row) for row in rows]


def items_of_row(connection: sqlite3.Connection, event_row: int) -> list[str]:
    """Return the items under which an event is found."""
    rows = connection.execute(
        "SELECT DISTINCT item FROM event_item WHERE event_row = ?", (event_row,)
    )
    return [row[0] for row in rows]


def scrub(connection: sqlite3.Connection) -> None:
    """Write the database anew, so that no page of its files keeps what was erased; outside any transaction.

    A crash on the way leaves the database whole and the bytes possibly there: to be done again.

    Raises:
        UnavailableError: another program reads the database (``store_busy``).
    """
    connection.execute("PRAGMA secure_delete = ON")
    # Cells that were moved within a page leave copies behind, which deleting does not reach; a new file has none.
    connection.execute("VACUUM")
    busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if busy:
        raise UnavailableError(
            "store_busy",
            "the write-ahead log could not be emptied: another program reads the database",
            advice="close it, and erase the same entries again",
        )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
