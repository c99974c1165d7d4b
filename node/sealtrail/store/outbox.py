"""The anchoring outbox: this member's own checkpoints on their way to the chain.

One row a sequence number, dense from 1, never deleted. States: *pending* (made), *submitted* (a transaction is
signed, kept, and may have been sent), *included* (a block holds the anchor), *final*. One sender owns the states.
A checkpoint is *published* from the first time that it is submitted, and stays so, wherever its row is taken back to.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum

import msgspec

from sealtrail.ports import Sent


class State(StrEnum):
    """Where an anchor to be stands."""

    PENDING = "pending"
    SUBMITTED = "submitted"
    INCLUDED = "included"
    FINAL = "final"


class OwnCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint of this member's log, signed (``note``)."""

    checkpoint_hash: bytes
    tree_size: int
    root_hash: bytes
    note: str


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """One anchor to be. ``sent`` is the last transaction signed for it; the block is where it is included."""

    sequence: int
    checkpoint_hash: bytes
    tree_size: int
    root_hash: bytes
    state: State
    sent: Sent | None
    block_number: int | None
    block_hash: bytes | None
    updated_ms: int


_COLUMNS = (
    "o.sequence, o.checkpoint_hash, c.tree_size, c.root_hash, o.state,"
    " o.transaction_hash, o.raw_transaction, o.nonce, o.block_number, o.block_hash, o.updated_ms"
)
_FROM = "FROM anchor_outbox AS o JOIN checkpoint AS c USING (checkpoint_hash)"


def add_checkpoint(
    connection: sqlite3.Connection,
    member: bytes,
    sequence: int,
    checkpoint: OwnCheckpoint,
    now_ms: int,
) -> None:
    """Add a checkpoint and its place in the outbox, as *pending*."""
    connection.execute(
        "INSERT INTO checkpoint"
        " (checkpoint_hash, member, tree_size, root_hash, note, sequence, created_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            checkpoint.checkpoint_hash,
            member,
            checkpoint.tree_size,
            checkpoint.root_hash,
            checkpoint.note,
            sequence,
            now_ms,
        ),
    )
    connection.execute(
        "INSERT INTO anchor_outbox (sequence, checkpoint_hash, state, updated_ms) VALUES (?, ?, ?, ?)",
        (sequence, checkpoint.checkpoint_hash, State.PENDING, now_ms),
    )


def last_row(connection: sqlite3.Connection) -> OutboxRow | None:
    """Return the newest row."""
    row = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} ORDER BY o.sequence DESC LIMIT 1"
    ).fetchone()
    return None if row is None else _row(row)


def row_at(connection: sqlite3.Connection, sequence: int) -> OutboxRow | None:
    """Return the row of that sequence number."""
    row = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE o.sequence = ?",
        (sequence,),
    ).fetchone()
    return None if row is None else _row(row)


def last_in_state(connection: sqlite3.Connection, *states: State) -> OutboxRow | None:
    """Return the newest row that is in one of those states."""
    marks = ", ".join("?" * len(states))
    row = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE o.state IN ({marks}) ORDER BY o.sequence DESC LIMIT 1",
        states,
    ).fetchone()
    return None if row is None else _row(row)


def unfinal_rows(connection: sqlite3.Connection) -> list[OutboxRow]:
    """Return the rows that are not final, in order."""
    # the literal, not a parameter: so that the partial index serves
    rows = connection.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE o.state <> 'final' ORDER BY o.sequence"
    )
    return [_row(row) for row in rows]


def last_published(connection: sqlite3.Connection) -> OwnCheckpoint | None:
    """Return the newest checkpoint that was ever submitted: what the log shows of itself."""
    row = connection.execute(f"{_PUBLISHED} ORDER BY o.sequence DESC LIMIT 1").fetchone()
    return _own_checkpoint(row)


def find_published(connection: sqlite3.Connection, checkpoint_hash: bytes) -> OwnCheckpoint | None:
    """Return the checkpoint of that hash, if it was ever submitted."""
    row = connection.execute(f"{_PUBLISHED} AND checkpoint_hash = ?", (checkpoint_hash,)).fetchone()
    return _own_checkpoint(row)


_PUBLISHED = (
    "SELECT checkpoint_hash, c.tree_size, c.root_hash, c.note"
    " FROM anchor_outbox AS o JOIN checkpoint AS c USING (checkpoint_hash)"
    " WHERE o.published_ms IS NOT NULL"
)


def _own_checkpoint(row: tuple[bytes, int, bytes, str] | None) -> OwnCheckpoint | None:
    if row is None:
        return None
    return OwnCheckpoint(checkpoint_hash=row[0], tree_size=row[1], root_hash=row[2], note=row[3])


def is_published(
    connection: sqlite3.Connection, member: bytes, first_size: int, end_size: int
) -> bool:
    """Tell whether a published checkpoint of ``member`` (us) has a size from the first to before the end."""
    row = connection.execute(
        "SELECT 1 FROM checkpoint AS c JOIN anchor_outbox AS o USING (checkpoint_hash)"
        " WHERE c.member = ? AND c.tree_size >= ? AND c.tree_size < ? AND o.published_ms IS NOT NULL LIMIT 1",
        (member, first_size, end_size),
    ).fetchone()
    return row is not None


def set_pending(connection: sqlite3.Connection, first_sequence: int, now_ms: int) -> None:
    """Take that row and all after it back to *pending*: no transaction of theirs will be taken any more."""
    connection.execute(
        "UPDATE anchor_outbox SET state = ?, transaction_hash = NULL, raw_transaction = NULL, nonce = NULL,"
        " block_number = NULL, block_hash = NULL, updated_ms = ? WHERE sequence >= ?",
        (State.PENDING, now_ms, first_sequence),
    )


def set_submitted(connection: sqlite3.Connection, sequence: int, sent: Sent, now_ms: int) -> None:
    """Keep the transaction that is about to be sent."""
    connection.execute(
        "UPDATE anchor_outbox SET state = ?, transaction_hash = ?, raw_transaction = ?, nonce = ?,"
        " block_number = NULL, block_hash = NULL, updated_ms = ?,"
        " published_ms = coalesce(published_ms, ?) WHERE sequence = ?",
        (State.SUBMITTED, sent.hash, sent.raw, sent.nonce, now_ms, now_ms, sequence),
    )


def set_included(
    connection: sqlite3.Connection,
    sequence: int,
    block: tuple[int, bytes],
    now_ms: int,
) -> None:
    """Note the block (number and hash) that holds the anchor."""
    connection.execute(
        "UPDATE anchor_outbox SET state = ?, block_number = ?, block_hash = ?, updated_ms = ?,"
        " published_ms = coalesce(published_ms, ?) WHERE sequence = ?",
        (State.INCLUDED, *block, now_ms, now_ms, sequence),
    )


def take_back(connection: sqlite3.Connection, sequence: int, now_ms: int) -> None:
    """Take an included row back to *submitted*, or to *pending* if no transaction of ours is known for it."""
    connection.execute(
        "UPDATE anchor_outbox SET state = CASE WHEN raw_transaction IS NULL THEN ? ELSE ? END,"
        " block_number = NULL, block_hash = NULL, updated_ms = ? WHERE sequence = ?",
        (State.PENDING, State.SUBMITTED, now_ms, sequence),
    )


def set_final(connection: sqlite3.Connection, sequence: int, now_ms: int) -> None:
    """Note that the block which holds the anchor is final."""
    connection.execute(
        "UPDATE anchor_outbox SET state = ?, updated_ms = ? WHERE sequence = ?",
        (State.FINAL, now_ms, sequence),
    )


def foreign_anchor(connection: sqlite3.Connection, member: bytes) -> tuple[int, bytes] | None:
    """Return sequence and hash of the newest anchor that the chain has of ``member`` (us), if it is not ours.

    The newest is enough: the contract takes each only on top of the one before, and we name ours.
    """
    row: tuple[int, bytes, int | None] | None = connection.execute(
        "SELECT a.sequence, a.checkpoint_hash, o.sequence FROM chain_anchor AS a LEFT JOIN anchor_outbox AS o"
        " ON o.sequence = a.sequence AND o.checkpoint_hash = a.checkpoint_hash"
        " WHERE a.member = ? ORDER BY a.sequence DESC LIMIT 1",
        (member,),
    ).fetchone()
    return None if row is None or row[2] is not None else (row[0], row[1])


def _row(row: tuple[int, bytes, int, bytes, str, bytes, bytes, int, int, bytes, int]) -> OutboxRow:
    sequence, checkpoint_hash, tree_size, root_hash, state, tx, raw, nonce, number, block, ms = row
    return OutboxRow(
        sequence=sequence,
        checkpoint_hash=checkpoint_hash,
        tree_size=tree_size,
        root_hash=root_hash,
        state=State(state),
        sent=None if tx is None else Sent(hash=tx, raw=raw, nonce=nonce),
        block_number=number,
        block_hash=block,
        updated_ms=ms,
    )
