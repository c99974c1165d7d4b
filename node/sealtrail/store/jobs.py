"""Capture jobs in the database. A job is written finished, in the transaction that holds its events."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from sealtrail.log.tree import split_hashes


class CaptureJob(msgspec.Struct, frozen=True, kw_only=True):
    """A finished capture job; ``errors`` are problem documents, ``entry_ids`` what has a receipt.

    ``sender``, ``receiver`` and ``instance_identifier`` are those of the document's header, as it gave them.
    """

    job_id: str
    created_ms: int
    finished_ms: int
    success: bool
    error_behaviour: str
    errors: tuple[dict[str, Any], ...]
    entry_ids: tuple[bytes, ...]
    sender: str | None = None
    receiver: str | None = None
    instance_identifier: str | None = None


_COLUMNS = (
    "job_id, created_ms, finished_ms, success, error_behaviour, errors, entry_ids,"
    " sender, receiver, instance_identifier"
)


def insert_job(connection: sqlite3.Connection, job: CaptureJob) -> None:
    """Store a job."""
    connection.execute(
        f"INSERT INTO capture_job ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            job.job_id,
            job.created_ms,
            job.finished_ms,
            job.success,
            job.error_behaviour,
            msgspec.json.encode(job.errors).decode(),
            b"".join(job.entry_ids),
            job.sender,
            job.receiver,
            job.instance_identifier,
        ),
    )


def load_job(connection: sqlite3.Connection, job_id: str) -> CaptureJob | None:
    """Return the job of that id, or None."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM capture_job WHERE job_id = ?", (job_id,)
    ).fetchone()
    return None if row is None else _job(row)


def list_jobs(
    connection: sqlite3.Connection, *, before: int | None, limit: int
) -> tuple[Sequence[CaptureJob], int | None]:
    """Return the newest jobs older than row ``before``, and the row to go on before (None: no more)."""
    rows = connection.execute(
        f"SELECT {_COLUMNS}, job_row FROM capture_job WHERE job_row < ?"
        " ORDER BY job_row DESC LIMIT ?",
        (2**62 if before is None else before, limit + 1),
    ).fetchall()
    more = rows[limit - 1][-1] if len(rows) > limit else None
    return [_job(row[:-1]) for row in rows[:limit]], more


def _job(row: tuple[Any, ...]) -> CaptureJob:
    ids = row[6]
    return CaptureJob(
        job_id=row[0],
        created_ms=row[1],
        finished_ms=row[2],
        success=bool(row[3]),
        error_behaviour=row[4],
        errors=tuple(msgspec.json.decode(row[5])),
        entry_ids=split_hashes(ids),
        sender=row[7],
        receiver=row[8],
        instance_identifier=row[9],
    )
