"""Takes operators' notes into the audit trail, and erases the names that they say.

Write order, and what a crash after each step means:

1. the record, and the erasure, in one transaction: nothing happened, the note is still there.
2. the note's file is taken away: it is read again, found to be in the trail, and taken away.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sealtrail.errors import InputError, UnavailableError
from sealtrail.evidence.audit_record import NODE, Action, AuditRecord, Ending, Subject
from sealtrail.store import audit, audit_names
from sealtrail.store.operator_notes import (
    OperatorNote,
    drop_note,
    list_notes,
    load_note,
    set_aside,
)

_log = logging.getLogger(__name__)

WriteSync = Callable[[Callable[[sqlite3.Connection], bool]], bool]


def take_in(folder: Path, write: WriteSync, *, random: Callable[[int], bytes], now_ms: int) -> bool:
    """Take in the notes that wait; tell whether a name was erased.

    Args:
        write: runs a function in the writer and returns when it is durable.

    Raises:
        UnavailableError: the store could not be written; the notes stay.
    """
    forgot = False
    for path in list_notes(folder):
        try:
            note = load_note(path)
        except UnavailableError as error:
            _log.error("an operator's note can't be read: %s", error)
            continue
        except InputError as error:
            _log.error("what should be an operator's note is none: %s", error)
            refusal = _refused(error, now_ms)
            write(lambda c, r=refusal: _append(c, r, random))  # type: ignore[misc]
            set_aside(path)
            continue
        forgot |= write(lambda c, n=note: _keep(c, n, random, now_ms))  # type: ignore[misc]
        drop_note(path)
    return forgot


def _keep(
    connection: sqlite3.Connection,
    note: OperatorNote,
    random: Callable[[int], bytes],
    now_ms: int,
) -> bool:
    if audit.is_known(connection, bytes.fromhex(note.note_id)):
        return False
    actor = audit_names.ensure_pseudonym(
        connection, "operator", note.name, random=random, now_ms=now_ms
    )
    what = note.what
    if note.forget is not None:
        # the trail says which pseudonyms mean nobody from now on, and not who that was
        what = _shortened(audit_names.forget_name(connection, note.forget))
    record = AuditRecord(
        time_ms=note.time_ms,
        actor=actor,
        action=note.action,
        outcome=note.outcome,
        code=note.code,
        reason=note.reason,
        subject=Subject(note=note.note_id, what=what),
    )
    audit.append(connection, [record], random)
    return note.forget is not None


def _append(
    connection: sqlite3.Connection, record: AuditRecord, random: Callable[[int], bytes]
) -> bool:
    audit.append(connection, [record], random)
    return False


def _shortened(pseudonyms: list[str]) -> str:
    shown = pseudonyms[:10]
    more = f" and {len(pseudonyms) - len(shown)} more" if len(pseudonyms) > len(shown) else ""
    return (", ".join(shown) or "no pseudonym") + more


def _refused(error: InputError, now_ms: int) -> AuditRecord:
    return AuditRecord(
        time_ms=now_ms, actor=NODE, action=Action.REQUEST, outcome=Ending.REFUSED, code=error.code
    )
