"""What is to be sent to other members' nodes, until they acknowledge it. Functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Stage(StrEnum):
    """Why a handover is sent: at once, so that it can be received, and again once the chain proves it."""

    ANNOUNCED = "announced"
    ANCHORED = "anchored"


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One handover to one member; ``entry_id`` is the shipping event's entry."""

    delivery_id: int
    recipient: bytes
    entry_id: bytes
    stage: Stage
    attempts: int


class OwnEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of this node's own log, as the search for handovers sees it."""

    event_row: int
    entry_id: bytes
    leaf_index: int
    content: bytes
    media_type: str


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for one member."""

    recipient: bytes
    waiting: int
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


def own_events_after(
    connection: sqlite3.Connection, event_row: int, biz_steps: Iterable[str], limit: int
) -> tuple[list[OwnEvent], int]:
    """Return own events of those business steps among the next ``limit`` rows, and the last row looked at."""
    last = connection.execute(
        "SELECT max(event_row) FROM (SELECT event_row FROM event WHERE event_row > ?"
        " ORDER BY event_row LIMIT ?)",
        (event_row, limit),
    ).fetchone()[0]
    if last is None:
        return [], event_row
    steps = tuple(biz_steps)
    marks = ",".join("?" * len(steps))
    rows = connection.execute(
        "SELECT event_row, entry_id, leaf_index, content, media_type FROM event"
        " WHERE event_row > ? AND event_row <= ? AND leaf_index IS NOT NULL AND content IS NOT NULL"
        f" AND biz_step IN ({marks}) ORDER BY event_row",
        (event_row, last, *steps),
    ).fetchall()
    return [
        OwnEvent(event_row=r[0], entry_id=r[1], leaf_index=r[2], content=r[3], media_type=r[4])
        for r in rows
    ], int(last)


def add(
    connection: sqlite3.Connection, recipient: bytes, entry_id: bytes, stage: Stage, now_ms: int
) -> None:
    """Note that a handover is to be sent; one that was noted before stays as it is."""
    connection.execute(
        "INSERT INTO delivery (recipient, entry_id, stage, next_ms) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (recipient, entry_id, stage, now_ms),
    )


def recipients_due(connection: sqlite3.Connection, now_ms: int) -> list[bytes]:
    """Return the members for whom something is due."""
    rows = connection.execute(
        "SELECT DISTINCT recipient FROM delivery WHERE delivered_ms IS NULL AND next_ms <= ?",
        (now_ms,),
    )
    return [recipient for (recipient,) in rows]


def due(
    connection: sqlite3.Connection, recipient: bytes, now_ms: int, limit: int
) -> list[Delivery]:
    """Return what is due for one member, oldest first."""
    rows = connection.execute(
        "SELECT delivery_id, recipient, entry_id, stage, attempts FROM delivery"
        " WHERE delivered_ms IS NULL AND recipient = ? AND next_ms <= ? ORDER BY delivery_id LIMIT ?",
        (recipient, now_ms, limit),
    )
    return [
        Delivery(delivery_id=r[0], recipient=r[1], entry_id=r[2], stage=Stage(r[3]), attempts=r[4])
        for r in rows
    ]


def acknowledged(connection: sqlite3.Connection, delivery_id: int, now_ms: int) -> None:
    """Note that the peer has it."""
    connection.execute(
        "UPDATE delivery SET delivered_ms = ?, last_error = NULL WHERE delivery_id = ?",
        (now_ms, delivery_id),
    )


def postponed(
    connection: sqlite3.Connection,
    delivery_id: int,
    next_ms: int,
    reason: str | None,
    *,
    attempt: bool,
) -> None:
    """Note that it is to be tried (again) at ``next_ms``; ``attempt`` if it was tried and failed."""
    connection.execute(
        "UPDATE delivery SET next_ms = ?, last_error = ?, attempts = attempts + ? WHERE delivery_id = ?",
        (next_ms, reason, int(attempt), delivery_id),
    )


def backlog(connection: sqlite3.Connection) -> list[Backlog]:
    """Return what waits, a row a member: for the operator."""
    rows = connection.execute(
        "SELECT recipient, count(*), max(attempts), max(last_error) FROM delivery"
        " WHERE delivered_ms IS NULL GROUP BY recipient ORDER BY recipient"
    )
    return [Backlog(recipient=r[0], waiting=r[1], attempts=r[2], last_error=r[3]) for r in rows]


def take_nonce(
    connection: sqlite3.Connection, key_id: str, nonce: str, *, now_ms: int, expires_ms: int
) -> bool:
    """Use a nonce up; False if it was used before. Forgets those that have expired."""
    connection.execute("DELETE FROM peer_nonce WHERE expires_ms < ?", (now_ms,))
    taken = connection.execute(
        "INSERT INTO peer_nonce (key_id, nonce, expires_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (key_id, nonce, expires_ms),
    )
    return taken.rowcount == 1
