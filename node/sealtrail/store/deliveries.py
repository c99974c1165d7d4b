"""What is to be sent to other members' nodes, until they acknowledge it. Functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from enum import StrEnum

import msgspec

UNTIL_ANCHORED = 1 << 62  # a delivery's next_ms while what it waits for is its entry's anchor


class Stage(StrEnum):
    """Why an entry is sent: at once, so that it can be relied on, and again once the chain proves it."""

    ANNOUNCED = "announced"
    ANCHORED = "anchored"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One entry (a shipping event's, or an error declaration's) for one member."""

    delivery_id: int
    recipient: bytes
    entry_id: bytes
    stage: Stage
    attempts: int


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one member.

    ``unanchored`` of the ``waiting`` wait for their anchor, not for the member; ``attempts`` is the most that any
    of them took, and ``last_error`` that one's.
    """

    recipient: bytes
    waiting: int
    unanchored: int
    attempts: int
    last_error: str | None


def cursor(connection: sqlite3.Connection) -> int:
    """Return the last event row that was looked through; 0 at the start."""
    row = connection.execute("SELECT event_row FROM delivery_cursor").fetchone()
    return 0 if row is None else int(row[0])


def save_cursor(connection: sqlite3.Connection, event_row: int) -> None:
    """Remember that the events up to this row were looked through."""
    connection.execute(
        "INSERT INTO delivery_cursor (id, event_row) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET event_row = excluded.event_row",
        (event_row,),
    )


def candidates_after(
    connection: sqlite3.Connection, event_row: int, biz_steps: Iterable[str], limit: int
) -> tuple[list[bytes], int]:
    """Return what may be to be sent among the next ``limit`` events, and the last row looked at.

    That is: own events of those business steps, and anybody's error declarations; as entry ids.
    """
    last = connection.execute(
        "SELECT max(event_row) FROM (SELECT event_row FROM event WHERE event_row > ?"
        " ORDER BY event_row LIMIT ?)",
        (event_row, limit),
    ).fetchone()[0]
    if last is None:
        return [], event_row
    steps = tuple(biz_steps)
    rows = connection.execute(
        "SELECT entry_id FROM event WHERE event_row > ? AND event_row <= ? AND content IS NOT NULL"
        f" AND (is_declaration OR leaf_index IS NOT NULL AND biz_step IN ({','.join('?' * len(steps))}))"
        " ORDER BY event_row",
        (event_row, last, *steps),
    )
    return [entry_id for (entry_id,) in rows], int(last)


def add(connection: sqlite3.Connection, recipient: bytes, entry_id: bytes, now_ms: int) -> None:
    """Note that an entry is to be sent, now and once it is anchored; what was noted before stays as it is."""
    connection.executemany(
        "INSERT INTO delivery (recipient, entry_id, stage, next_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [
            (recipient, entry_id, Stage.ANNOUNCED, now_ms),
            (recipient, entry_id, Stage.ANCHORED, UNTIL_ANCHORED),
        ],
    )


def anchored_by(connection: sqlite3.Connection, member: bytes, last_block: int) -> list[int]:
    """Return the deliveries that wait for an anchor which is there in ``last_block`` or before.

    Args:
        member: the own one; its last anchor covers every entry below the checkpoint's size.
    """
    row = connection.execute(
        "SELECT tree_size FROM checkpoint WHERE member = ? AND checkpoint_hash = ("
        " SELECT checkpoint_hash FROM chain_anchor WHERE member = ? AND block_number <= ?"
        " ORDER BY sequence DESC LIMIT 1)",
        (member, member, last_block),
    ).fetchone()
    rows = connection.execute(
        "SELECT delivery_id FROM delivery JOIN event USING (entry_id)"
        " LEFT JOIN foreign_entry AS other USING (entry_id)"
        " WHERE delivered_ms IS NULL AND next_ms = ? AND (event.leaf_index < ?"
        " OR event.leaf_index IS NULL AND EXISTS (SELECT 1 FROM chain_anchor AS anchor"
        "  WHERE anchor.checkpoint_hash = other.checkpoint_hash AND anchor.member = other.member"
        "  AND anchor.block_number <= ?))",
        (UNTIL_ANCHORED, 0 if row is None else row[0], last_block),
    )
    return [delivery_id for (delivery_id,) in rows]


def make_due(connection: sqlite3.Connection, delivery_ids: Iterable[int], now_ms: int) -> None:
    """Note that these can be sent now."""
    connection.executemany(
        "UPDATE delivery SET next_ms = ? WHERE delivery_id = ?",
        [(now_ms, delivery_id) for delivery_id in delivery_ids],
    )


# The second sending waits for the first, which may do for both: it is never listed beside it.
_DUE = (
    "delivered_ms IS NULL AND next_ms <= ? AND (stage = 'announced' OR NOT EXISTS"
    " (SELECT 1 FROM delivery AS first WHERE first.recipient = delivery.recipient"
    " AND first.entry_id = delivery.entry_id AND first.stage = 'announced'"
    " AND first.delivered_ms IS NULL))"
)


def recipients_due(connection: sqlite3.Connection, now_ms: int) -> list[bytes]:
    """Return the members for whom something is due."""
    rows = connection.execute(
        f"SELECT DISTINCT recipient FROM delivery WHERE {_DUE}",
        (now_ms,),
    )
    return [recipient for (recipient,) in rows]


def due(
    connection: sqlite3.Connection, recipient: bytes, now_ms: int, limit: int
) -> list[Delivery]:
    """Return what is due for one member, oldest first."""
    rows = connection.execute(
        "SELECT delivery_id, recipient, entry_id, stage, attempts FROM delivery"
        f" WHERE {_DUE} AND recipient = ? ORDER BY delivery_id LIMIT ?",
        (now_ms, recipient, limit),
    )
    return [
        Delivery(delivery_id=r[0], recipient=r[1], entry_id=r[2], stage=Stage(r[3]), attempts=r[4])
        for r in rows
    ]


def acknowledged(
    connection: sqlite3.Connection, delivery: Delivery, now_ms: int, *, proven: bool
) -> None:
    """Note that the peer has it; if ``proven`` to the chain, the second sending is done with as well."""
    connection.execute(
        "UPDATE delivery SET delivered_ms = ?, last_error = NULL"
        " WHERE recipient = ? AND entry_id = ? AND delivered_ms IS NULL AND (stage = ? OR ?)",
        (now_ms, delivery.recipient, delivery.entry_id, delivery.stage, proven),
    )


def postponed(
    connection: sqlite3.Connection, delivery_id: int, next_ms: int, reason: str | None
) -> None:
    """Note that it is to be tried (again) at ``next_ms``; with a reason if it was tried and failed."""
    connection.execute(
        "UPDATE delivery SET next_ms = ?, last_error = ?, attempts = attempts + ? WHERE delivery_id = ?",
        (next_ms, reason, int(reason is not None), delivery_id),
    )


def backlog(connection: sqlite3.Connection) -> list[Backlog]:
    """Return what waits, a row a member: for the operator."""
    rows = connection.execute(
        # SQLite takes last_error from the row that has the maximum
        "SELECT recipient, count(*), sum(next_ms = ?), max(attempts), last_error FROM delivery"
        " WHERE delivered_ms IS NULL GROUP BY recipient ORDER BY recipient",
        (UNTIL_ANCHORED,),
    )
    return [
        Backlog(recipient=r[0], waiting=r[1], unanchored=r[2], attempts=r[3], last_error=r[4])
        for r in rows
    ]


def count_waiting(connection: sqlite3.Connection) -> int:
    """Return how many deliveries wait, for whatever."""
    row = connection.execute("SELECT count(*) FROM delivery WHERE delivered_ms IS NULL").fetchone()
    return int(row[0])
