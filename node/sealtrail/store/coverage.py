"""Which of this member's checkpoints covers a leaf, and how far its anchor has come."""

from __future__ import annotations

import sqlite3

import msgspec


class Coverage(msgspec.Struct, frozen=True, kw_only=True):
    """The first own checkpoint that covers a leaf; the anchor's fields are None until it has come so far."""

    note: str
    tree_size: int
    root_hash: bytes
    checkpoint_hash: bytes
    sequence: int | None
    state: str | None
    block_number: int | None
    transaction_hash: bytes | None


def first_coverage(connection: sqlite3.Connection, leaf_index: int) -> Coverage | None:
    """Return the oldest own checkpoint over a tree that has the leaf, or None: not in one yet."""
    row = connection.execute(
        "SELECT c.note, c.tree_size, c.root_hash, c.checkpoint_hash, o.sequence, o.state, o.block_number,"
        " o.transaction_hash FROM checkpoint AS c LEFT JOIN anchor_outbox AS o USING (checkpoint_hash)"
        " WHERE c.member = (SELECT member FROM identity) AND c.tree_size > ?"
        " ORDER BY c.tree_size LIMIT 1",
        (leaf_index,),
    ).fetchone()
    if row is None:
        return None
    return Coverage(
        note=row[0],
        tree_size=row[1],
        root_hash=row[2],
        checkpoint_hash=row[3],
        sequence=row[4],
        state=row[5],
        block_number=row[6],
        transaction_hash=row[7],
    )
