"""Subscriptions in the database: who is sent what a named query finds, and how far. Functions over one connection.

``event_row`` and ``batch`` move in the transaction that notes the consumer's acknowledgement; ``batch_row`` is written
before a batch leaves, so that the same batch goes out again, under the same number, whenever its answer was lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from sealtrail.epcis.views import CbvFormat
from sealtrail.store.named_queries import row_digest


class Controls(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was asked for with a subscription; without a ``schedule`` it is a stream.

    ``initial_ms``: of the events that were there before, only those recorded since then are sent; None: none of them.
    """

    schedule: Mapping[str, str] | None = None
    report_if_empty: bool = False
    initial_ms: int | None = None
    epc_format: Literal[
        "No_Preference", "Always_GS1_Digital_Link", "Always_EPC_URN", "Never_Translates"
    ] = "Never_Translates"
    cbv_format: CbvFormat = "Never_Translates"


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """One subscription, in the order of the table's columns."""

    subscription_row: int
    subscription_id: str
    query_id: int
    query_name: str
    dest: str
    signature_token: str | None
    controls: Controls
    created_ms: int
    created_row: int
    event_row: int
    batch: int
    batch_row: int | None
    batch_ms: int | None
    next_ms: int | None
    run_ms: int | None
    notified_ms: int | None
    failing_ms: int | None
    failure: str | None
    suspended_ms: int | None


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many subscriptions there are, by what becomes of them; and the most events that one is behind."""

    active: int = 0
    failing: int = 0
    suspended: int = 0
    lag_events_max: int = 0


_COLUMNS = (
    "subscription_row, subscription_id, query_id, named_query.name, dest, signature_token, controls,"
    " subscription.created_ms, created_row, event_row, batch, batch_row, batch_ms, next_ms, run_ms,"
    " notified_ms, failing_ms, failure, suspended_ms"
)
_SELECT = f"SELECT {_COLUMNS} FROM subscription JOIN named_query USING (query_id)"


def highest_row(connection: sqlite3.Connection) -> int:
    """Return the row of the event that was recorded last; 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(event_row), 0) FROM event").fetchone()[0])


def row_before(connection: sqlite3.Connection, record_time_ms: int) -> int:
    """Return the last row before every event that was recorded at that time or later."""
    row = connection.execute(
        "SELECT min(event_row) FROM event WHERE record_time_ms >= ?", (record_time_ms,)
    ).fetchone()[0]
    return highest_row(connection) if row is None else int(row) - 1


def insert_subscription(
    connection: sqlite3.Connection,
    *,
    subscription_id: str,
    query_id: int,
    dest: str,
    signature_token: str | None,
    controls: Controls,
    next_ms: int | None,
    now_ms: int,
) -> None:
    """Store a subscription that begins now, or with what was recorded since ``controls.initial_ms``."""
    highest = highest_row(connection)
    initial_ms = controls.initial_ms
    event_row = highest if initial_ms is None else row_before(connection, initial_ms)
    text = msgspec.json.encode(controls).decode()
    fixed = (subscription_id, query_id, dest, signature_token, text, now_ms, highest)
    row = connection.execute(
        "INSERT INTO subscription (subscription_id, query_id, dest, signature_token, controls,"
        " created_ms, created_row, digest, event_row, batch, next_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, x'', ?, 1, ?)",
        (*fixed, event_row, next_ms),
    ).lastrowid
    connection.execute(
        "UPDATE subscription SET digest = ? WHERE subscription_row = ?",
        (row_digest(row, *fixed), row),
    )


def count_subscriptions(connection: sqlite3.Connection) -> int:
    """Return how many there are."""
    return int(connection.execute("SELECT count(*) FROM subscription").fetchone()[0])


def load_subscription(connection: sqlite3.Connection, subscription_id: str) -> Subscription | None:
    """Return the subscription of that id, or None."""
    row = connection.execute(f"{_SELECT} WHERE subscription_id = ?", (subscription_id,)).fetchone()
    return None if row is None else _subscription(row)


def list_subscriptions(
    connection: sqlite3.Connection, *, query_id: int | None, after: int, limit: int
) -> tuple[list[Subscription], int | None]:
    """Return the oldest subscriptions after a row, of one query or of all, and the row to go on after."""
    rows = connection.execute(
        f"{_SELECT} WHERE subscription_row > ?1 AND (?2 IS NULL OR query_id = ?2)"
        " ORDER BY subscription_row LIMIT ?3",
        (after, query_id, limit + 1),
    ).fetchall()
    more = rows[limit - 1][0] if len(rows) > limit else None
    return [_subscription(row) for row in rows[:limit]], more


def active_subscriptions(connection: sqlite3.Connection) -> list[Subscription]:
    """Return all that are not suspended."""
    rows = connection.execute(f"{_SELECT} WHERE suspended_ms IS NULL ORDER BY subscription_row")
    return [_subscription(row) for row in rows]


def count_states(connection: sqlite3.Connection) -> Counts:
    """Return how it stands with all of them: for metrics."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE suspended_ms IS NULL),"
        " count(*) FILTER (WHERE suspended_ms IS NULL AND failing_ms IS NOT NULL),"
        " count(*) FILTER (WHERE suspended_ms IS NOT NULL),"
        " coalesce(max(?1 - event_row) FILTER (WHERE suspended_ms IS NULL), 0) FROM subscription",
        (highest_row(connection),),
    ).fetchone()
    return Counts(active=row[0], failing=row[1], suspended=row[2], lag_events_max=row[3])


def delete_subscription(
    connection: sqlite3.Connection, query_name: str, subscription_id: str
) -> bool:
    """Delete a subscription to a query; return False if there is no such."""
    done = connection.execute(
        "DELETE FROM subscription WHERE subscription_id = ?"
        " AND query_id = (SELECT query_id FROM named_query WHERE name = ?)",
        (subscription_id, query_name),
    )
    return done.rowcount == 1


def begin_batch(
    connection: sqlite3.Connection, subscription: Subscription, batch_row: int, now_ms: int
) -> None:
    """Note what is about to be sent: what matches up to ``batch_row``."""
    connection.execute(
        "UPDATE subscription SET batch_row = ?, batch_ms = ? WHERE subscription_row = ?",
        (batch_row, now_ms, subscription.subscription_row),
    )


def abandon_batch(connection: sqlite3.Connection, subscription: Subscription) -> None:
    """Note that the batch under way is to be cut differently: its number is not used again."""
    connection.execute(
        "UPDATE subscription SET batch_row = NULL, batch_ms = NULL, batch = batch + 1"
        " WHERE subscription_row = ?",
        (subscription.subscription_row,),
    )


def acknowledge_batch(
    connection: sqlite3.Connection, subscription: Subscription, event_row: int, now_ms: int
) -> None:
    """Note that the consumer has what matches up to ``event_row``."""
    connection.execute(
        "UPDATE subscription SET event_row = ?, batch = batch + 1, batch_row = NULL, batch_ms = NULL,"
        " notified_ms = ?, failing_ms = NULL, failure = NULL WHERE subscription_row = ?",
        (event_row, now_ms, subscription.subscription_row),
    )


def move_on(connection: sqlite3.Connection, subscription: Subscription, event_row: int) -> None:
    """Note that nothing up to ``event_row`` is to be sent any more."""
    connection.execute(
        "UPDATE subscription SET event_row = ?, batch_row = NULL, batch_ms = NULL"
        " WHERE subscription_row = ?",
        (event_row, subscription.subscription_row),
    )


def note_run(
    connection: sqlite3.Connection, subscription: Subscription, run_ms: int, next_ms: int
) -> None:
    """Note that a scheduled subscription ran to its end, and when it runs next."""
    connection.execute(
        "UPDATE subscription SET run_ms = ?, next_ms = ? WHERE subscription_row = ?",
        (run_ms, next_ms, subscription.subscription_row),
    )


def note_failure(
    connection: sqlite3.Connection, subscription: Subscription, failure: str, now_ms: int
) -> None:
    """Note that the consumer took nothing, and why."""
    connection.execute(
        "UPDATE subscription SET failing_ms = coalesce(failing_ms, ?), failure = ?"
        " WHERE subscription_row = ?",
        (now_ms, failure, subscription.subscription_row),
    )


def suspend(connection: sqlite3.Connection, subscription: Subscription, now_ms: int) -> None:
    """Note that nothing is tried any more until it is resumed."""
    connection.execute(
        "UPDATE subscription SET suspended_ms = ? WHERE subscription_row = ?",
        (now_ms, subscription.subscription_row),
    )


def resume(connection: sqlite3.Connection, subscription_id: str) -> bool:
    """Note that it is tried again, from where it was; return False if there is no such subscription."""
    done = connection.execute(
        "UPDATE subscription SET suspended_ms = NULL, failing_ms = NULL, failure = NULL"
        " WHERE subscription_id = ?",
        (subscription_id,),
    )
    return done.rowcount == 1


def _subscription(row: tuple[Any, ...]) -> Subscription:
    values = dict(zip(Subscription.__struct_fields__, row, strict=True))
    values["controls"] = msgspec.json.decode(values["controls"], type=Controls)
    return Subscription(**values)
