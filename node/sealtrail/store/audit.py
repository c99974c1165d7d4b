"""The audit trail in the database: records are appended, each chained to the one before, and found by their subjects.

Functions over one connection. Appending is for the writer thread; nothing here changes or takes away a record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from sealtrail.errors import IntegrityError
from sealtrail.evidence.audit_record import SALT_BYTES, AuditRecord, chain_hash, encode_record
from sealtrail.store.bulk import insert_rows

LEAF_BLOCK_BITS = 8  # neighbouring leaves that are found by one key
_LIMIT = 2**62


class TrailHead(msgspec.Struct, frozen=True):
    """How many records there are, and the hash of the last one."""

    count: int
    record_hash: bytes


class StoredRecord(msgspec.Struct, frozen=True):
    """A record as stored."""

    n: int
    body: bytes
    record_hash: bytes


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; None asks nothing. ``subject`` is a key of the subjects' index."""

    time_ms_from: int | None = None
    time_ms_before: int | None = None
    actor: str | None = None
    action: str | None = None
    outcome: str | None = None
    subject: bytes | None = None


def load_head(connection: sqlite3.Connection) -> TrailHead:
    """Return how far the trail goes.

    Raises:
        IntegrityError: ``audit_trail_damaged``.
    """
    row = connection.execute("SELECT count, record_hash FROM audit_head").fetchone()
    if row is None:
        raise IntegrityError(
            "audit_trail_damaged",
            "the audit trail has lost its head",
            advice="keep the file, and restore a backup",
        )
    return TrailHead(*row)


def append(
    connection: sqlite3.Connection,
    drafts: Sequence[AuditRecord],
    random: Callable[[int], bytes],
) -> None:
    """Append records in order, inside the caller's write; ``n`` and ``salt`` are given here."""
    head = load_head(connection)
    n, previous = head.count, head.record_hash
    salts = random(SALT_BYTES * len(drafts)).hex()
    width = 2 * SALT_BYTES
    rows: list[tuple[object, ...]] = []
    subjects: list[tuple[bytes, int]] = []
    for number, draft in enumerate(drafts):
        salt = salts[number * width : (number + 1) * width]
        record = msgspec.structs.replace(draft, n=n, salt=salt)
        body = encode_record(record)
        previous = chain_hash(previous, body)
        rows.append(
            (n, record.time_ms, record.actor, record.action, record.outcome, body, previous)
        )
        if record.subject is not None:
            subjects += [(key, n) for key in subject_keys(record)]
        n += 1
    insert_rows(
        connection,
        "INSERT INTO audit_record (n, time_ms, actor, action, outcome, body, record_hash)",
        rows,
    )
    insert_rows(connection, "INSERT INTO audit_subject (subject, n)", subjects)
    connection.execute("UPDATE audit_head SET count = ?, record_hash = ?", (n, previous))


def subject_keys(record: AuditRecord) -> set[bytes]:
    """Return the keys by which a record is found."""
    subject = record.subject
    if subject is None:
        return set()
    named = [*subject.entries, *subject.items]
    keys = {bytes.fromhex(each[2:]) for each in named}
    keys.update(bytes.fromhex(each) for each in (subject.job, subject.note) if each)
    for first, count in subject.leaves:
        blocks = range(first >> LEAF_BLOCK_BITS, ((first + count - 1) >> LEAF_BLOCK_BITS) + 1)
        keys.update(block.to_bytes(8, "big") for block in blocks)
    return keys


def leaf_block(leaf_index: int) -> bytes:
    """Return the key by which records about a leaf, and its neighbours, are found."""
    return (leaf_index >> LEAF_BLOCK_BITS).to_bytes(8, "big")


def is_known(connection: sqlite3.Connection, subject: bytes) -> bool:
    """Tell whether a record has that subject."""
    row = connection.execute("SELECT 1 FROM audit_subject WHERE subject = ?", (subject,)).fetchone()
    return row is not None


def find_records(
    connection: sqlite3.Connection, wanted: AuditFilter, *, before: int | None, limit: int
) -> tuple[list[StoredRecord], int | None]:
    """Return the newest matching records before number ``before``, newest first, and where to go on (None: no more)."""
    conditions, values = _conditions(wanted)
    rows = connection.execute(
        f"SELECT n, body, record_hash FROM audit_record WHERE n < ?{conditions} ORDER BY n DESC LIMIT ?",
        (_LIMIT if before is None else before, *values, limit + 1),
    ).fetchall()
    found = [StoredRecord(*row) for row in rows[:limit]]
    return found, found[-1].n if len(rows) > limit else None


def load_records(
    connection: sqlite3.Connection, first: int, *, before: int, limit: int
) -> list[StoredRecord]:
    """Return records from number ``first`` on, in order."""
    rows = connection.execute(
        "SELECT n, body, record_hash FROM audit_record WHERE n >= ? AND n < ? ORDER BY n LIMIT ?",
        (first, before, limit),
    )
    return [StoredRecord(*row) for row in rows]


def load_columns(
    connection: sqlite3.Connection, first: int, *, limit: int
) -> list[tuple[int, int, str, str, str, bytes, bytes]]:
    """Return whole rows from number ``first`` on, for comparing what stands in them twice."""
    return connection.execute(
        "SELECT n, time_ms, actor, action, outcome, body, record_hash FROM audit_record"
        " WHERE n >= ? ORDER BY n LIMIT ?",
        (first, limit),
    ).fetchall()


def has_subjects(connection: sqlite3.Connection, keys: Iterable[bytes], n: int) -> bool:
    """Tell whether record ``n`` is found by each of those keys."""
    question = "SELECT 1 FROM audit_subject WHERE subject = ? AND n = ?"
    return all(connection.execute(question, (key, n)).fetchone() for key in keys)


def count_subjects(connection: sqlite3.Connection) -> int:
    """Return how many rows the subjects' index has."""
    return int(connection.execute("SELECT count(*) FROM audit_subject").fetchone()[0])


def last_start(connection: sqlite3.Connection) -> StoredRecord | None:
    """Return the record of the newest start."""
    row = connection.execute(  # the condition of the index audit_record_of_start
        "SELECT n, body, record_hash FROM audit_record WHERE action = 'start' ORDER BY n DESC LIMIT 1"
    ).fetchone()
    return None if row is None else StoredRecord(*row)


def _conditions(wanted: AuditFilter) -> tuple[str, list[object]]:
    tests = (
        ("time_ms >= ?", wanted.time_ms_from),
        ("time_ms < ?", wanted.time_ms_before),
        ("actor = ?", wanted.actor),
        ("action = ?", wanted.action),
        ("outcome = ?", wanted.outcome),
        ("n IN (SELECT n FROM audit_subject WHERE subject = ?)", wanted.subject),
    )
    given = [(test, value) for test, value in tests if value is not None]
    return "".join(f" AND {test}" for test, _ in given), [value for _, value in given]
