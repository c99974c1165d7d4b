"""The audit trail in the database: records are appended, each chained to the one before, and found by their subjects.

Functions over one connection. Appending is for the writer thread; nothing here changes or takes away a record.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from sealtrail.errors import IntegrityError
from sealtrail.evidence.audit_record import (
    SALT_BYTES,
    Action,
    AuditRecord,
    chain_hash,
    encode_record,
)
from sealtrail.store.bulk import insert_rows

LEAF_BLOCK_BITS = 8  # neighbouring leaves that are found by one key
LEAF_RECORDS = 256  # records that a row of leaves stands for
START_KEY = b"start"
_LIMIT = 2**62


class TrailHead(msgspec.Struct, frozen=True):
    """How many records there are, the hash of the last one, and the newest row of leaves (-1: none)."""

    count: int
    record_hash: bytes
    leaf_block: int
    leaf_record: int


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


class SubjectRows:
    """Decides which rows of the subjects' index a record gets, from those of the records before it."""

    __slots__ = ("leaf_block", "leaf_record")

    def __init__(self, leaf_block: int = -1, leaf_record: int = -1) -> None:
        self.leaf_block = leaf_block
        self.leaf_record = leaf_record

    def of(self, record: AuditRecord) -> set[bytes]:
        """Return the keys of the next record's rows."""
        subject = record.subject
        if subject is None:
            return set()
        keys: set[bytes] = set()
        for first, count in subject.leaves:
            for block in range(
                first >> LEAF_BLOCK_BITS, ((first + count - 1) >> LEAF_BLOCK_BITS) + 1
            ):
                if block != self.leaf_block or record.n - self.leaf_record >= LEAF_RECORDS:
                    self.leaf_block, self.leaf_record = block, record.n
                    keys.add(_block_key(block))
        if subject.entries or subject.items:
            keys.update(bytes.fromhex(each[2:]) for each in (*subject.entries, *subject.items))
        if subject.note is not None:
            keys.add(bytes.fromhex(subject.note))
        if record.action is Action.START:
            keys.add(START_KEY)
        return keys


def load_head(connection: sqlite3.Connection) -> TrailHead:
    """Return how far the trail goes.

    Raises:
        IntegrityError: ``audit_trail_damaged``.
    """
    row = connection.execute(
        "SELECT count, record_hash, leaf_block, leaf_record FROM audit_head"
    ).fetchone()
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
    found_by = SubjectRows(head.leaf_block, head.leaf_record)
    salts = random(SALT_BYTES * len(drafts)).hex()
    width = 2 * SALT_BYTES
    rows: list[tuple[object, ...]] = []
    subjects: list[tuple[bytes, int]] = []
    for number, draft in enumerate(drafts):
        salt = salts[number * width : (number + 1) * width]
        record = msgspec.structs.replace(draft, n=n, salt=salt)
        body = encode_record(record)
        previous = chain_hash(previous, body)
        rows.append((n, record.time_ms, body, previous))
        subjects += [(key, n) for key in found_by.of(record)]
        n += 1
    insert_rows(connection, "INSERT INTO audit_record (n, time_ms, body, record_hash)", rows)
    insert_rows(connection, "INSERT INTO audit_subject (subject, n)", subjects)
    connection.execute(
        "UPDATE audit_head SET count = ?, record_hash = ?, leaf_block = ?, leaf_record = ?",
        (n, previous, found_by.leaf_block, found_by.leaf_record),
    )


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


def load_rows(
    connection: sqlite3.Connection, first: int, *, limit: int
) -> list[tuple[int, int, bytes, bytes]]:
    """Return whole rows from number ``first`` on, for comparing what stands in them twice."""
    return connection.execute(
        "SELECT n, time_ms, body, record_hash FROM audit_record WHERE n >= ? ORDER BY n LIMIT ?",
        (first, limit),
    ).fetchall()


def captures_near(
    connection: sqlite3.Connection, leaf_index: int, wanted: AuditFilter
) -> Iterator[StoredRecord]:
    """Yield matching records among which all are that captured a leaf."""
    key = _block_key(leaf_index >> LEAF_BLOCK_BITS)
    conditions, values = _conditions(wanted)
    starts = connection.execute("SELECT n FROM audit_subject WHERE subject = ?", (key,)).fetchall()
    for (start,) in starts:
        rows = connection.execute(
            "SELECT n, body, record_hash FROM audit_record WHERE n >= ? AND n < ?" + conditions,
            (start, start + LEAF_RECORDS, *values),
        )
        yield from (StoredRecord(*row) for row in rows)


def has_subjects(connection: sqlite3.Connection, keys: Iterable[bytes], n: int) -> bool:
    """Tell whether record ``n`` is found by each of those keys."""
    question = "SELECT 1 FROM audit_subject WHERE subject = ? AND n = ?"
    return all(connection.execute(question, (key, n)).fetchone() for key in keys)


def count_subjects(connection: sqlite3.Connection) -> int:
    """Return how many rows the subjects' index has."""
    return int(connection.execute("SELECT count(*) FROM audit_subject").fetchone()[0])


def last_start(connection: sqlite3.Connection) -> StoredRecord | None:
    """Return the record of the newest start."""
    row = connection.execute(
        "SELECT n, body, record_hash FROM audit_record"
        " WHERE n = (SELECT max(n) FROM audit_subject WHERE subject = ?)",
        (START_KEY,),
    ).fetchone()
    return None if row is None else StoredRecord(*row)


def _block_key(block: int) -> bytes:
    return block.to_bytes(8, "big")


def _conditions(wanted: AuditFilter) -> tuple[str, list[object]]:
    tests = (
        ("time_ms >= ?", wanted.time_ms_from),
        ("time_ms < ?", wanted.time_ms_before),
        (_SAYS, _member("actor", wanted.actor)),
        (_SAYS, _member("action", wanted.action)),
        (_SAYS, _member("outcome", wanted.outcome)),
        ("n IN (SELECT n FROM audit_subject WHERE subject = ?)", wanted.subject),
    )
    given = [(test, value) for test, value in tests if value is not None]
    return "".join(f" AND {test}" for test, _ in given), [value for _, value in given]


# In a record's one form, a quote within a text is escaped, so that a member's bytes stand nowhere else.
_SAYS = "instr(body, ?) > 0"


def _member(name: str, value: str | None) -> bytes | None:
    return None if value is None else f'"{name}":"{value}"'.encode()
