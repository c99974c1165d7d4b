"""What is looked through to see logs contradict themselves or leave entries out. Functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from sealtrail.log.contradiction import AnchoredNote
from sealtrail.log.tree import TreeHead
from sealtrail.store.bulk import insert_rows
from sealtrail.store.log import load_entry

_RECORD_TIME_AT, _RECORD_TIME_END = 22, 30  # in a leaf, docs/protocol.md section 5


class WatchCursor(msgspec.Struct, frozen=True, kw_only=True):
    """How far was looked: rows of events and of checkpoints, and the block up to which anchors were compared."""

    event_row: int
    checkpoint_row: int
    anchor_block: int


class KnownCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint of a member's log; ``sequence`` is its anchor's number, None if none is final."""

    member: bytes
    head: TreeHead
    note: str
    sequence: int | None


class AwaitedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that is not known to be in an anchored checkpoint."""

    member: bytes
    entry_id: bytes
    record_time_ms: int


def load_watch_cursor(connection: sqlite3.Connection) -> WatchCursor:
    """Return how far was looked."""
    row = connection.execute(
        "SELECT event_row, checkpoint_row, anchor_block FROM log_watch_cursor"
    ).fetchone()
    return WatchCursor(event_row=row[0], checkpoint_row=row[1], anchor_block=row[2])


def save_watch_cursor(connection: sqlite3.Connection, cursor: WatchCursor) -> None:
    """Note how far was looked."""
    connection.execute(
        "UPDATE log_watch_cursor SET event_row = ?, checkpoint_row = ?, anchor_block = ?",
        (cursor.event_row, cursor.checkpoint_row, cursor.anchor_block),
    )


_KNOWN = (
    "SELECT c.member, c.tree_size, c.root_hash, c.note, a.sequence FROM checkpoint AS c {join}"
    " chain_anchor AS a ON a.checkpoint_hash = c.checkpoint_hash AND a.member = c.member"
    " AND a.block_number <= ?"
)
_MAYBE_ANCHORED = _KNOWN.format(join="LEFT JOIN")
_ANCHORED = _KNOWN.format(join="CROSS JOIN")  # checkpoints first, by size: the anchors are many


def new_checkpoints(
    connection: sqlite3.Connection, after_row: int, last_block: int, count_max: int
) -> tuple[list[KnownCheckpoint], int]:
    """Return checkpoints in the order in which they came, from behind a row on, and the last one's row."""
    rows = connection.execute(
        f"{_MAYBE_ANCHORED} WHERE c.rowid > ? ORDER BY c.rowid LIMIT ?",
        (last_block, after_row, count_max),
    ).fetchall()
    last = connection.execute(
        "SELECT max(rowid) FROM (SELECT rowid FROM checkpoint WHERE rowid > ? ORDER BY rowid LIMIT ?)",
        (after_row, count_max),
    ).fetchone()[0]
    return [_known(row) for row in rows], after_row if last is None else last


def anchored_between(
    connection: sqlite3.Connection, after_block: int, last_block: int
) -> list[KnownCheckpoint]:
    """Return the checkpoints that are known here of the anchors in blocks behind one and up to another."""
    rows = connection.execute(
        "SELECT c.member, c.tree_size, c.root_hash, c.note, a.sequence FROM chain_anchor AS a"
        " JOIN checkpoint AS c ON c.checkpoint_hash = a.checkpoint_hash AND c.member = a.member"
        " WHERE a.block_number > ? AND a.block_number <= ?",
        (after_block, last_block),
    )
    return [_known(row) for row in rows]


def next_anchored(
    connection: sqlite3.Connection, member: bytes, tree_size: int, last_block: int
) -> list[KnownCheckpoint]:
    """Return the nearest smaller and the nearest larger known tree of a log that is anchored."""
    found = []
    for side, order in (("<", "DESC"), (">", "ASC")):
        row = connection.execute(
            f"{_ANCHORED} WHERE c.member = ? AND c.tree_size {side} ? ORDER BY c.tree_size {order} LIMIT 1",
            (last_block, member, tree_size),
        ).fetchone()
        if row is not None:
            found.append(_known(row))
    return found


def notes_of_size(connection: sqlite3.Connection, member: bytes, head: TreeHead) -> list[str]:
    """Return the signed checkpoints of a log that have this size and another root."""
    rows = connection.execute(
        "SELECT note FROM checkpoint WHERE member = ? AND tree_size = ? AND root_hash <> ?"
        " UNION SELECT note FROM witnessed_log WHERE member = ? AND tree_size = ? AND root_hash <> ?",
        (member, head.size, head.root_hash, member, head.size, head.root_hash),
    )
    return [note for (note,) in rows]


def new_foreign_entries(
    connection: sqlite3.Connection, after_row: int, last_block: int, count_max: int
) -> tuple[list[AwaitedEntry], int]:
    """Return others' entries that are not known to be anchored, of so many events behind a row, and the last's row."""
    last = connection.execute(
        "SELECT max(event_row) FROM"
        " (SELECT event_row FROM event WHERE event_row > ? ORDER BY event_row LIMIT ?)",
        (after_row, count_max),
    ).fetchone()[0]
    if last is None:
        return [], after_row
    rows = connection.execute(
        "SELECT member, entry_id, record_time_ms FROM event"
        " WHERE event_row > ? AND event_row <= ? AND leaf_index IS NULL",
        (after_row, last),
    )
    return unproven_of(connection, [_awaited(row) for row in rows], last_block), last


def unproven_of(
    connection: sqlite3.Connection, entries: Iterable[AwaitedEntry], last_block: int
) -> list[AwaitedEntry]:
    """Return those of others' entries that no final anchor is known to cover."""
    proven = (
        "SELECT 1 FROM foreign_entry AS f JOIN chain_anchor AS a"
        " ON a.checkpoint_hash = f.checkpoint_hash AND a.member = f.member"
        " WHERE f.entry_id = ? AND a.block_number <= ?"
    )
    return [
        each
        for each in entries
        if connection.execute(proven, (each.entry_id, last_block)).fetchone() is None
    ]


def save_awaited(connection: sqlite3.Connection, entries: Sequence[AwaitedEntry]) -> None:
    """Keep entries whose anchor is waited for."""
    insert_rows(
        connection,
        "INSERT INTO awaited_anchor (entry_id, member, record_time_ms)",
        [(each.entry_id, each.member, each.record_time_ms) for each in entries],
        then="ON CONFLICT DO NOTHING",
    )


def awaited_since(
    connection: sqlite3.Connection, record_time_ms: int, count_max: int
) -> list[AwaitedEntry]:
    """Return entries recorded at that time or before whose anchor is waited for, oldest first."""
    rows = connection.execute(
        "SELECT member, entry_id, record_time_ms FROM awaited_anchor WHERE record_time_ms <= ?"
        " ORDER BY record_time_ms LIMIT ?",
        (record_time_ms, count_max),
    )
    return [_awaited(row) for row in rows]


def drop_awaited(connection: sqlite3.Connection, entries: Iterable[AwaitedEntry]) -> None:
    """Wait for these no longer."""
    connection.executemany(
        "DELETE FROM awaited_anchor WHERE entry_id = ?", [(each.entry_id,) for each in entries]
    )


def own_uncovered(
    connection: sqlite3.Connection, first_leaf: int, member: bytes, count_max: int
) -> list[AwaitedEntry]:
    """Return this log's entries from a leaf on for which receipts were given: those of events."""
    rows = connection.execute(
        "SELECT entry_id, leaf FROM entry WHERE leaf_index >= ?"
        " AND substr(leaf, 2, 1) IN (x'02', x'03', x'04') ORDER BY leaf_index LIMIT ?",
        (first_leaf, count_max),
    )
    return [
        AwaitedEntry(
            member=member,
            entry_id=entry_id,
            record_time_ms=int.from_bytes(leaf[_RECORD_TIME_AT:_RECORD_TIME_END], "big"),
        )
        for entry_id, leaf in rows
    ]


def own_beyond(
    connection: sqlite3.Connection, entry_ids: Iterable[bytes], first_leaf: int
) -> set[bytes]:
    """Return those of this log's entries that stand at that leaf or behind it."""
    found = ((each, load_entry(connection, each)) for each in entry_ids)
    return {each for each, entry in found if entry is None or entry.leaf_index >= first_leaf}


def anchored_note(known: KnownCheckpoint) -> AnchoredNote:
    """Return a checkpoint with its anchor's number; only for those that are anchored."""
    return AnchoredNote(sequence=known.sequence or 0, note=known.note)


def _known(row: tuple[bytes, int, bytes, str, int | None]) -> KnownCheckpoint:
    return KnownCheckpoint(
        member=row[0], head=TreeHead(row[1], row[2]), note=row[3], sequence=row[4]
    )


def _awaited(row: tuple[bytes, bytes, int]) -> AwaitedEntry:
    return AwaitedEntry(member=row[0], entry_id=row[1], record_time_ms=row[2])
