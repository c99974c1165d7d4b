"""The audit record of what somebody changed, in the transaction that changes it."""

from __future__ import annotations

import sqlite3

from sealtrail.evidence.audit_record import Ending
from sealtrail.services.audit_trail.note import AuditNote
from sealtrail.services.audit_trail.trail import AuditTrail


def note_change(connection: sqlite3.Connection, audit: AuditTrail | None, note: AuditNote) -> None:
    """Record a request that is done, if there is a trail; no other record of it follows."""
    if audit is not None:
        audit.write(connection, [note.drafted(Ending.DONE)])
        note.written = True
