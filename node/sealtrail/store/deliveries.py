"""What is to be sent to other members' nodes, until they acknowledge it. Functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from enum import StrEnum

import msgspec

UNTIL_ANCHORED = 1 << 62  # a delivery's next_ms while what it waits for is its entry's anchor


class Stage(StrEnum):
    """Why an entry is sent: at once, so that it can be relied on; again once the chain proves it; and, with what of
    its history the chain did not prove by then, once it does."""

    ANNOUNCED = "announced"
    ANCHORED = "anchored"
    COMPLETED = "completed"


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


def await_proof(
    connection: sqlite3.Connection, delivery: Delivery, entry_ids: Iterable[bytes]
) -> None:
    """Note that a member was shown these entries beside a delivery's own, without proof of their anchors."""
    row = connection.execute(
        "INSERT INTO delivery (recipient, entry_id, stage, next_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET delivered_ms = NULL, next_ms = excluded.next_ms"
        " RETURNING delivery_id",
        (delivery.recipient, delivery.entry_id, Stage.COMPLETED, UNTIL_ANCHORED),
    ).fetchone()
    connection.executemany(
        "INSERT OR IGNORE INTO delivery_unproven (delivery_id, entry_id) VALUES (?, ?)",
        [(row[0], entry_id) for entry_id in entry_ids],
    )


def proof_sent(
    connection: sqlite3.Connection, delivery: Delivery, entry_ids: Iterable[bytes], now_ms: int
) -> None:
    """Note that nothing more is to be sent of these entries; the delivery waits for the others, if there are any."""
    connection.executemany(
        "DELETE FROM delivery_unproven WHERE delivery_id = ? AND entry_id = ?",
        [(delivery.delivery_id, entry_id) for entry_id in entry_ids],
    )
    connection.execute(
        "UPDATE delivery SET last_error = NULL, next_ms = ?1,"
        " delivered_ms = CASE WHEN EXISTS (SELECT 1 FROM delivery_unproven WHERE delivery_id = ?2)"
        "  THEN NULL ELSE ?3 END WHERE delivery_id = ?2",
        (UNTIL_ANCHORED, delivery.delivery_id, now_ms),
    )


# Of entries called "waiting.entry_id": the chain has an anchor over it, of the own log up to a size, or of another's.
_ANCHORED = (
    "EXISTS (SELECT 1 FROM event WHERE event.entry_id = waiting.entry_id AND event.leaf_index < :size)"
    " OR EXISTS (SELECT 1 FROM foreign_entry AS other JOIN chain_anchor AS anchor"
    "  ON anchor.checkpoint_hash = other.checkpoint_hash AND anchor.member = other.member"
    "  WHERE other.entry_id = waiting.entry_id AND anchor.block_number <= :block)"
)


def anchored_by(connection: sqlite3.Connection, member: bytes, last_block: int) -> list[int]:
    """Return the deliveries that wait for an anchor which is there in ``last_block`` or before.

    Args:
        member: the own one; its last anchor covers every entry below the checkpoint's size.
    """
    values = _anchors(connection, member, last_block)
    rows = connection.execute(
        "SELECT delivery_id FROM delivery AS waiting WHERE delivered_ms IS NULL AND next_ms = :until"
        f" AND stage <> 'completed' AND ({_ANCHORED})"
        " UNION ALL SELECT delivery_id FROM delivery WHERE delivered_ms IS NULL AND next_ms = :until"
        " AND stage = 'completed' AND EXISTS (SELECT 1 FROM delivery_unproven AS waiting"
        f" WHERE waiting.delivery_id = delivery.delivery_id AND ({_ANCHORED}))",
        values,
    )
    return [delivery_id for (delivery_id,) in rows]


def proven_since(
    connection: sqlite3.Connection, delivery: Delivery, member: bytes, last_block: int
) -> list[bytes]:
    """Return the entries of :func:`await_proof` whose anchor is there in ``last_block`` or before."""
    rows = connection.execute(
        f"SELECT entry_id FROM delivery_unproven AS waiting WHERE delivery_id = :id AND ({_ANCHORED})",
        {**_anchors(connection, member, last_block), "id": delivery.delivery_id},
    )
    return [entry_id for (entry_id,) in rows]


def _anchors(connection: sqlite3.Connection, member: bytes, last_block: int) -> dict[str, int]:
    row = connection.execute(
        "SELECT tree_size FROM checkpoint WHERE member = ? AND checkpoint_hash = ("
        " SELECT checkpoint_hash FROM chain_anchor WHERE member = ? AND block_number <= ?"
        " ORDER BY sequence DESC LIMIT 1)",
        (member, member, last_block),
    ).fetchone()
    size = 0 if row is None else row[0]
    return {"until": UNTIL_ANCHORED, "size": size, "block": last_block}


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
