"""Audits of this log's item index, and what this node said of others': functions over a connection."""

from __future__ import annotations

import sqlite3

import msgspec

from sealtrail.log.index_audit import IndexAudit, IndexAuditor


class AuditedLog(msgspec.Struct, frozen=True, kw_only=True):
    """What this node said last of another member's item index, and whether the member has it."""

    member: bytes
    checkpoint_hash: bytes
    tree_size: int
    audit: IndexAudit
    delivered_ms: int | None = None


def save_index_audit(
    connection: sqlite3.Connection, checkpoint_hash: bytes, audit: IndexAudit
) -> bool:
    """Keep a verified audit of this log's index; the first of an auditor for a checkpoint stays. Tell whether new."""
    auditor = audit.auditor
    done = connection.execute(
        "INSERT INTO index_audit (checkpoint_hash, name, public_key, signature) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (checkpoint_hash, auditor.name, auditor.public_key, audit.signature),
    )
    return done.rowcount > 0


def load_index_audits(
    connection: sqlite3.Connection, checkpoint_hash: bytes
) -> tuple[IndexAudit, ...]:
    """Return what is kept for a checkpoint, by name and key."""
    rows = connection.execute(
        "SELECT name, public_key, signature FROM index_audit WHERE checkpoint_hash = ?"
        " ORDER BY name, public_key",
        (checkpoint_hash,),
    )
    return tuple(IndexAudit(IndexAuditor(name, key), signature) for name, key, signature in rows)


def save_audited(connection: sqlite3.Connection, audited: AuditedLog) -> None:
    """Put what was said of a log in the place of what was said before."""
    audit = audited.audit
    connection.execute(
        "INSERT OR REPLACE INTO index_audited_log"
        " (member, checkpoint_hash, tree_size, name, public_key, signature, delivered_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            audited.member,
            audited.checkpoint_hash,
            audited.tree_size,
            audit.auditor.name,
            audit.auditor.public_key,
            audit.signature,
            audited.delivered_ms,
        ),
    )


def load_audited(connection: sqlite3.Connection, member: bytes) -> AuditedLog | None:
    """Return what was said last of a member's index."""
    row = connection.execute(f"{_SELECT} WHERE member = ?", (member,)).fetchone()
    return None if row is None else _audited(row)


def all_audited(connection: sqlite3.Connection) -> list[AuditedLog]:
    """Return what was said last of every log, by member."""
    return [_audited(row) for row in connection.execute(f"{_SELECT} ORDER BY member")]


_SELECT = (
    "SELECT member, checkpoint_hash, tree_size, name, public_key, signature, delivered_ms"
    " FROM index_audited_log"
)


def _audited(row: tuple[bytes, bytes, int, str, bytes, bytes, int | None]) -> AuditedLog:
    return AuditedLog(
        member=row[0],
        checkpoint_hash=row[1],
        tree_size=row[2],
        audit=IndexAudit(IndexAuditor(row[3], row[4]), row[5]),
        delivered_ms=row[6],
    )
