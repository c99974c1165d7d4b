"""Other members' entries: what makes their events provable here. Functions over one connection.

Nothing here was believed before it was verified; what could not be checked then is checked again at each question.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from sealtrail.store.bulk import insert_rows

# Values of one statement's IN list at most.
_CHUNK = 256


class ForeignProof(msgspec.Struct, frozen=True, kw_only=True):
    """The way to a checkpoint of the entry's log; ``hashes`` 32 bytes each, concatenated."""

    leaf_index: int
    checkpoint_hash: bytes
    hashes: bytes


class ForeignEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of another member's log; ``refs`` and ``item_keys`` concatenated as docs/protocol.md has them."""

    entry_id: bytes
    member: bytes
    leaf: bytes
    seed: bytes | None
    refs: bytes
    item_keys: bytes
    item_salt: bytes | None
    proof: ForeignProof | None
    received_from: bytes
    received_ms: int


class ForeignCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Another member's signed checkpoint."""

    checkpoint_hash: bytes
    member: bytes
    tree_size: int
    root_hash: bytes
    note: str


_COLUMNS = (
    "entry_id, member, leaf, seed, refs, item_keys, item_salt, leaf_index, checkpoint_hash,"
    " inclusion_proof, received_from, received_ms"
)


# A first proof, or one to a checkpoint that (unlike the last) may have been anchored meanwhile.
_BETTER_PROVEN = (
    "excluded.checkpoint_hash IS NOT NULL AND (foreign_entry.checkpoint_hash IS NULL OR NOT EXISTS"
    " (SELECT 1 FROM chain_anchor WHERE chain_anchor.checkpoint_hash = foreign_entry.checkpoint_hash"
    " AND chain_anchor.member = foreign_entry.member))"
)
_COMPLETE = (
    "ON CONFLICT (entry_id) DO UPDATE SET seed = coalesce(seed, excluded.seed),"
    " item_salt = coalesce(item_salt, excluded.item_salt),"
    f" leaf_index = iif({_BETTER_PROVEN}, excluded.leaf_index, leaf_index),"
    f" inclusion_proof = iif({_BETTER_PROVEN}, excluded.inclusion_proof, inclusion_proof),"
    f" checkpoint_hash = iif({_BETTER_PROVEN}, excluded.checkpoint_hash, checkpoint_hash)"
    " WHERE seed IS NULL AND excluded.seed IS NOT NULL"
    " OR item_salt IS NULL AND excluded.item_salt IS NOT NULL"
    f" OR {_BETTER_PROVEN}"
)


def save_entries(connection: sqlite3.Connection, entries: Sequence[ForeignEntry]) -> None:
    """Keep entries; of those that are known, complete what was missing."""
    rows = [
        (
            entry.entry_id,
            entry.member,
            entry.leaf,
            entry.seed,
            entry.refs,
            entry.item_keys,
            entry.item_salt,
            entry.proof.leaf_index if entry.proof else None,
            entry.proof.checkpoint_hash if entry.proof else None,
            entry.proof.hashes if entry.proof else None,
            entry.received_from,
            entry.received_ms,
        )
        for entry in entries
    ]
    insert_rows(connection, f"INSERT INTO foreign_entry ({_COLUMNS})", rows, then=_COMPLETE)


def save_item_salts(connection: sqlite3.Connection, salts: Mapping[bytes, bytes]) -> None:
    """Keep the item salts of members' logs, shown and vouched for by an entry; the first of a log stays."""
    insert_rows(
        connection,
        "INSERT INTO foreign_log (member, item_salt)",
        list(salts.items()),
        then="ON CONFLICT DO NOTHING",
    )


def load_item_salts(connection: sqlite3.Connection, members: Iterable[bytes]) -> dict[bytes, bytes]:
    """Return member → its log's item salt for those that are kept."""
    return dict(
        _select(connection, "SELECT member, item_salt FROM foreign_log WHERE member", members)
    )


def load_entries(
    connection: sqlite3.Connection, entry_ids: Iterable[bytes]
) -> dict[bytes, ForeignEntry]:
    """Return entry id → entry for those that are kept."""
    rows = _select(connection, f"SELECT {_COLUMNS} FROM foreign_entry WHERE entry_id", entry_ids)
    return {row[0]: _entry(row) for row in rows}


def without_event(
    connection: sqlite3.Connection, member: bytes
) -> list[tuple[bytes, bytes, bytes]]:
    """Return (entry id, leaf, seed) of a member's entries by which no event is kept, where the seed is."""
    rows = connection.execute(
        "SELECT entry_id, leaf, seed FROM foreign_entry WHERE member = ? AND seed IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM event WHERE event.entry_id = foreign_entry.entry_id)",
        (member,),
    )
    return rows.fetchall()


def save_checkpoints(
    connection: sqlite3.Connection, checkpoints: Iterable[ForeignCheckpoint], now_ms: int
) -> None:
    """Keep other members' checkpoints; those that are known stay as they are."""
    rows = [
        (each.checkpoint_hash, each.member, each.tree_size, each.root_hash, each.note, now_ms)
        for each in checkpoints
    ]
    insert_rows(
        connection,
        "INSERT INTO checkpoint (checkpoint_hash, member, tree_size, root_hash, note, created_ms)",
        rows,
        then="ON CONFLICT DO NOTHING",
    )


def load_notes(
    connection: sqlite3.Connection, checkpoint_hashes: Iterable[bytes]
) -> dict[bytes, str]:
    """Return checkpoint hash → signed note for those that are kept."""
    select = "SELECT checkpoint_hash, note FROM checkpoint WHERE checkpoint_hash"
    return dict(_select(connection, select, set(checkpoint_hashes)))


def _select(
    connection: sqlite3.Connection, select: str, keys: Iterable[bytes]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of ``select``, which ends with the column that is one of ``keys``."""
    wanted = list(keys)
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        yield from connection.execute(f"{select} IN ({_marks(chunk)})", chunk)


def _entry(row: tuple[object, ...]) -> ForeignEntry:
    proof = None
    if row[7] is not None and row[8] is not None and row[9] is not None:
        proof = {"leaf_index": row[7], "checkpoint_hash": row[8], "hashes": row[9]}
    return msgspec.convert(
        {
            "entry_id": row[0],
            "member": row[1],
            "leaf": row[2],
            "seed": row[3],
            "refs": row[4],
            "item_keys": row[5],
            "item_salt": row[6],
            "proof": proof,
            "received_from": row[10],
            "received_ms": row[11],
        },
        ForeignEntry,
        builtin_types=(bytes,),
    )


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
