"""Rows that are not there: gaps in what is only ever added, and rows that refer to what is gone."""

from __future__ import annotations

from typing import NamedTuple

from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope

_NAMED_MAX = 1_000
# Rows that are only ever added, by SQLite's next free number.
DENSE = (
    ("event", "event_row"),
    ("capture_job", "job_row"),
    ("delivery", "delivery_id"),
    ("anchor_outbox", "sequence"),
    ("log_finding", "finding_id"),
    ("witness", "witness_id"),
    ("vocabulary_version", "version"),
)


# Tables of one row, whose id is 1.
SINGLE = (
    *("identity", "chain_cursor", "delivery_cursor", "log_watch_cursor", "audit_head"),
    "validator_state",
)


class Reference(NamedTuple):
    """Rows of ``table`` (named by ``columns``) for which ``condition`` holds refer to nothing, or to what is gone."""

    code: str
    table: str
    columns: str
    condition: str
    reason: str


_UNPROVEN = "delivery_id, entry_id"
_DISCLOSED = "event_row, recipient"
_NO_EVENT = "entry_id NOT IN (SELECT entry_id FROM event)"
_NO_MEMBER = "recipient NOT IN (SELECT member FROM chain_member)"
_SALTS_SHOWN = (
    "SELECT f.item_salt FROM foreign_entry AS f"
    " WHERE f.member = foreign_log.member AND f.item_salt IS NOT NULL"
)
_NO_CHECKPOINT = "checkpoint_hash NOT IN (SELECT checkpoint_hash FROM checkpoint)"

REFERENCES = tuple(
    Reference(*each)
    for each in (
        ("entry_missing", "event", "event_row",
         "leaf_index IS NOT NULL AND leaf_index NOT IN (SELECT leaf_index FROM entry)",
         "its entry is not in the log"),
        ("entry_missing", "event", "event_row",
         "leaf_index IS NULL AND entry_id NOT IN (SELECT entry_id FROM foreign_entry)",
         "its entry is not kept"),
        ("event_missing", "delivery", "delivery_id", _NO_EVENT, "the event to be sent is gone"),
        ("event_missing", "delivery_unproven", _UNPROVEN, _NO_EVENT, "the event is gone"),
        ("delivery_missing", "delivery_unproven", _UNPROVEN,
         "delivery_id NOT IN (SELECT delivery_id FROM delivery WHERE stage = 'completed')",
         "no delivery waits for it"),
        ("event_missing", "disclosed", _DISCLOSED,
         "event_row NOT IN (SELECT event_row FROM event)", "the event is gone"),
        ("member_unknown", "disclosed", _DISCLOSED, _NO_MEMBER, "the recipient is no member"),
        ("member_unknown", "delivery", "delivery_id", _NO_MEMBER, "the recipient is no member"),
        ("member_unknown", "foreign_entry", "entry_id",
         "received_from NOT IN (SELECT member FROM chain_member)", "the sender is no member"),
        ("entry_missing", "foreign_log", "member",
         f"item_salt NOT IN ({_SALTS_SHOWN})", "no entry of that log vouches for the salt"),
        ("checkpoint_missing", "foreign_entry", "entry_id",
         f"checkpoint_hash IS NOT NULL AND {_NO_CHECKPOINT}",
         "the checkpoint that its proof leads to is not kept"),
        ("checkpoint_missing", "anchor_outbox", "sequence", _NO_CHECKPOINT,
         "its checkpoint is not kept"),
    )
)  # fmt: skip


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them: SQLite goes through a table faster than this program through its rows."""
    found = Findings()
    for table, column in DENSE:
        _check_dense(scope, found, table, column)
    for table in SINGLE:
        for (number,) in scope.connection.execute(f"SELECT id FROM {table} WHERE id <> 1"):
            found.add("row_unexpected", table, {"id": number}, "this table has one row, 1")
    followed = scope.count("SELECT count(*) FROM chain_cursor") > 0
    for each in REFERENCES:
        if each.code == "member_unknown" and not followed:
            continue  # nobody's record is here to compare with
        names = each.columns.split(", ")
        for values in scope.connection.execute(
            f"SELECT {each.columns} FROM {each.table} WHERE {each.condition} LIMIT {_NAMED_MAX}"
        ):
            found.add(each.code, each.table, dict(zip(names, values, strict=True)), each.reason)
    return found


def _check_dense(scope: Scope, found: Findings, table: str, column: str) -> None:
    below = scope.connection.execute(f"SELECT {column} FROM {table} WHERE {column} < 1")
    for (number,) in below:
        found.add("row_unexpected", table, {column: number}, "rows are numbered from 1")
    rows = scope.count(f"SELECT count(*) FROM {table} WHERE {column} > 0")
    highest = scope.count(f"SELECT max({column}) FROM {table}")
    if rows == highest:
        return
    gaps = scope.connection.execute(
        f"SELECT before + 1, {column} FROM (SELECT {column},"
        f" lag({column}, 1, 0) OVER (ORDER BY {column}) AS before FROM {table} WHERE {column} > 0)"
        f" WHERE {column} > before + 1 LIMIT {_NAMED_MAX}"
    )
    for first, end in gaps:
        for number in range(first, min(end, first + _NAMED_MAX)):
            found.add("row_missing", table, {column: number}, f"rows are numbered up to {highest}")


CHECK = Check(
    name="missing rows",
    tables=(
        *("event", "delivery", "delivery_unproven", "disclosed", "foreign_entry", "foreign_log"),
        *("anchor_outbox", "capture_job", "log_finding", "witness", "vocabulary_version", *SINGLE),
    ),
    look=look,
    span=lambda scope: (0, scope.count("SELECT max(event_row) FROM event")),
    weight=0.01,
)
