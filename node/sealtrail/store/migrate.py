"""The schema's versions: forward only, each in one transaction, numbered by ``user_version``."""

from __future__ import annotations

import sqlite3
from importlib.resources import files

from sealtrail.errors import InputError, IntegrityError

# "SEAL": tells our database file from any other SQLite file
APPLICATION_ID = 0x5345414C


def migrations() -> list[tuple[int, str]]:
    """Return (version, SQL) of every migration, oldest first; versions are dense from 1."""
    folder = files("sealtrail.store") / "migrations"
    named = sorted((p.name, p) for p in folder.iterdir() if p.name.endswith(".sql"))
    return [(int(name[:4]), path.read_text("utf-8")) for name, path in named]


def migrate(connection: sqlite3.Connection) -> int:
    """Bring the schema up to this program's version and return that.

    Raises:
        InputError: the file is another program's (``store_foreign``), or its schema is newer than
            this program (``store_newer``).
    """
    present = int(connection.execute("PRAGMA user_version").fetchone()[0])
    known = migrations()
    _check(connection, present, known[-1][0])
    for version, sql in known:
        if version > present:
            # One transaction: a crash in the middle leaves the version before, whole.
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA application_id = {APPLICATION_ID};"
                f"\nPRAGMA user_version = {version};\nCOMMIT;"
            )
    return known[-1][0]


def _check(connection: sqlite3.Connection, present: int, newest: int) -> None:
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if application not in (0, APPLICATION_ID) or (application == 0 and tables):
        raise InputError("store_foreign", "the file is another program's SQLite database")
    if present == 0 and tables:
        raise IntegrityError("store_corrupt", "the database has tables but no schema version")
    if present > newest:
        raise InputError(
            "store_newer",
            f"the database has schema version {present}, this program knows up to {newest}",
            advice="run the newer program, or restore a backup made by this one",
        )
