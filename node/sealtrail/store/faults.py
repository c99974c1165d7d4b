"""SQLite's errors, in our own tree: what to wait out, what to mend, and what to stop at."""

from __future__ import annotations

import sqlite3

from sealtrail.errors import IntegrityError, SealtrailError, UnavailableError

# Primary result codes, https://www.sqlite.org/rescode.html
_UNAVAILABLE = {
    sqlite3.SQLITE_FULL: ("disk_full", "the disk is full", "free some space; nothing was recorded"),
    sqlite3.SQLITE_BUSY: ("store_busy", "the database is locked by another program", "try again"),
    sqlite3.SQLITE_LOCKED: ("store_busy", "the database is locked", "try again"),
    sqlite3.SQLITE_IOERR: ("disk_error", "the disk reported an error", "look at the system's log"),
    sqlite3.SQLITE_CANTOPEN: (
        "store_unopenable",
        "the database cannot be opened",
        "see its rights",
    ),
    sqlite3.SQLITE_READONLY: (
        "store_read_only",
        "the database cannot be written",
        "see its rights",
    ),
    sqlite3.SQLITE_PERM: ("store_read_only", "access to the database was denied", "see its rights"),
    sqlite3.SQLITE_NOMEM: ("out_of_memory", "out of memory", "try a smaller request"),
    sqlite3.SQLITE_INTERRUPT: ("query_interrupted", "the query took too long", "ask for less"),
    sqlite3.SQLITE_TOOBIG: ("value_too_big", "a value is over the database's limit", "send less"),
}
# A damaged schema makes messages that are no UTF-8, which the sqlite3 module raises instead of its own error.
FAULTS = (sqlite3.Error, UnicodeDecodeError)
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def wrap(error: sqlite3.Error | UnicodeDecodeError) -> SealtrailError:
    """Return the error of our tree that says what ``error`` means for the caller."""
    if isinstance(error, UnicodeDecodeError):
        error = sqlite3.DatabaseError("its schema is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    extended: int = getattr(error, "sqlite_errorcode", 0) or 0
    primary = extended & 0xFF
    if primary in _UNAVAILABLE:
        code, message, advice = _UNAVAILABLE[primary]
        return UnavailableError(code, f"{message} ({error})", advice=advice)
    if primary in _CORRUPT:
        return IntegrityError(
            "store_corrupt",
            f"the database is damaged: {error}",
            advice="stop the node, keep the file, and restore a backup",
        )
    return IntegrityError("store_contradiction", f"the database refused a statement: {error}")
