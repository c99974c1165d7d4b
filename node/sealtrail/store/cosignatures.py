"""Cosignatures of this log's checkpoints, and what this node cosigned of others' logs: functions over a connection."""

from __future__ import annotations

import sqlite3

import msgspec

from sealtrail.log.checkpoint import Checkpoint
from sealtrail.log.cosignature import Cosignature, Witness
from sealtrail.log.tree import TreeHead


class WitnessedLog(msgspec.Struct, frozen=True, kw_only=True):
    """The newest checkpoint of another member's log that this node cosigned; ``note`` as its log signed it."""

    member: bytes
    head: TreeHead
    note: str


def save_cosignature(
    connection: sqlite3.Connection, checkpoint: Checkpoint, cosignature: Cosignature
) -> None:
    """Keep a verified cosignature; of one witness's for a checkpoint the first stays."""
    row = connection.execute(
        "INSERT INTO witness (name, public_key, cosigned_size) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET cosigned_size = max(cosigned_size, excluded.cosigned_size) RETURNING witness_id",
        (cosignature.witness.name, cosignature.witness.public_key, checkpoint.size),
    ).fetchone()
    connection.execute(
        "INSERT INTO cosignature (checkpoint_hash, witness_id, signature) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (checkpoint.hash, row[0], cosignature.signature),
    )


def load_cosignatures(
    connection: sqlite3.Connection, checkpoint_hash: bytes
) -> tuple[Cosignature, ...]:
    """Return what is kept for a checkpoint, by name and key."""
    rows = connection.execute(
        "SELECT name, public_key, signature FROM cosignature JOIN witness USING (witness_id)"
        " WHERE checkpoint_hash = ? ORDER BY name, public_key",
        (checkpoint_hash,),
    )
    return tuple(Cosignature(Witness(name, key), signature) for name, key, signature in rows)


def cosigned_sizes(connection: sqlite3.Connection) -> dict[Witness, int]:
    """Return the size of the newest checkpoint that each witness cosigned, as far as is known here."""
    rows = connection.execute("SELECT name, public_key, cosigned_size FROM witness")
    return {Witness(name, key): size for name, key, size in rows}


def load_witnessed(connection: sqlite3.Connection, member: bytes) -> WitnessedLog | None:
    """Return what was last cosigned of a member's log."""
    row = connection.execute(
        "SELECT member, tree_size, root_hash, note FROM witnessed_log WHERE member = ?", (member,)
    ).fetchone()
    return None if row is None else _witnessed(row)


def all_witnessed(connection: sqlite3.Connection) -> list[WitnessedLog]:
    """Return what was last cosigned of every log, by member."""
    rows = connection.execute(
        "SELECT member, tree_size, root_hash, note FROM witnessed_log ORDER BY member"
    )
    return [_witnessed(row) for row in rows]


def save_witnessed(connection: sqlite3.Connection, witnessed: WitnessedLog, now_ms: int) -> None:
    """Put a checkpoint in the place of the one that was cosigned before."""
    connection.execute(
        "INSERT OR REPLACE INTO witnessed_log (member, tree_size, root_hash, note, witnessed_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        (
            witnessed.member,
            witnessed.head.size,
            witnessed.head.root_hash,
            witnessed.note,
            now_ms,
        ),
    )


def _witnessed(row: tuple[bytes, int, bytes, str]) -> WitnessedLog:
    return WitnessedLog(member=row[0], head=TreeHead(row[1], row[2]), note=row[3])
