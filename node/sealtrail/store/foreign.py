"""Other members' entries: what makes their events provable here. Functions over one connection.

Nothing here was believed before it was verified; what could not be checked then is checked again at each question.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

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


def save_entry(connection: sqlite3.Connection, entry: ForeignEntry) -> bool:
    """Keep an entry; of one that is known, complete what was missing. Tell whether it is new."""
    proof = entry.proof
    fields = (
        entry.entry_id,
        entry.member,
        entry.leaf,
        entry.seed,
        entry.refs,
        entry.item_keys,
        entry.item_salt,
        proof.leaf_index if proof else None,
        proof.checkpoint_hash if proof else None,
        proof.hashes if proof else None,
        entry.received_from,
        entry.received_ms,
    )
    added = connection.execute(
        f"INSERT INTO foreign_entry ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        fields,
    )
    if added.rowcount == 1:
        return True
    connection.execute(
        "UPDATE foreign_entry SET seed = coalesce(seed, ?), item_salt = coalesce(item_salt, ?)"
        " WHERE entry_id = ?",
        (entry.seed, entry.item_salt, entry.entry_id),
    )
    if proof is not None:
        # A first proof, or one to a checkpoint that (unlike the last) may have been anchored meanwhile.
        connection.execute(
            "UPDATE foreign_entry SET leaf_index = ?, checkpoint_hash = ?, inclusion_proof = ?"
            " WHERE entry_id = ? AND (checkpoint_hash IS NULL OR checkpoint_hash NOT IN"
            " (SELECT checkpoint_hash FROM chain_anchor WHERE chain_anchor.member = foreign_entry.member))",
            (proof.leaf_index, proof.checkpoint_hash, proof.hashes, entry.entry_id),
        )
    return False


def load_entries(
    connection: sqlite3.Connection, entry_ids: Iterable[bytes]
) -> dict[bytes, ForeignEntry]:
    """Return entry id → entry for those that are kept."""
    wanted = list(entry_ids)
    found: dict[bytes, ForeignEntry] = {}
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM foreign_entry WHERE entry_id IN ({_marks(chunk)})", chunk
        )
        found.update((row[0], _entry(row)) for row in rows)
    return found


def save_checkpoint(
    connection: sqlite3.Connection, checkpoint: ForeignCheckpoint, now_ms: int
) -> None:
    """Keep another member's checkpoint; one that is known stays as it is."""
    connection.execute(
        "INSERT INTO checkpoint (checkpoint_hash, member, tree_size, root_hash, note, created_ms)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            checkpoint.checkpoint_hash,
            checkpoint.member,
            checkpoint.tree_size,
            checkpoint.root_hash,
            checkpoint.note,
            now_ms,
        ),
    )


def load_notes(
    connection: sqlite3.Connection, checkpoint_hashes: Iterable[bytes]
) -> dict[bytes, str]:
    """Return checkpoint hash → signed note for those that are kept."""
    wanted = list(set(checkpoint_hashes))
    found: dict[bytes, str] = {}
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        found.update(
            connection.execute(
                f"SELECT checkpoint_hash, note FROM checkpoint WHERE checkpoint_hash IN ({_marks(chunk)})",
                chunk,
            )
        )
    return found


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
