"""The database file itself: pages, indexes and constraints as SQLite checks them, and its schema."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import lru_cache

from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.store.migrate import migrate

_MESSAGES_MAX = 100


def look(scope: Scope, first: int, last: int) -> Findings:
    """Have SQLite check the file, and compare the schema."""
    found = Findings()
    for (message,) in scope.connection.execute(f"PRAGMA integrity_check({_MESSAGES_MAX})"):
        if message != "ok":
            found.add("structure_damaged", "sqlite", {}, message)
    _check_schema(scope, found)
    return found


def _check_schema(scope: Scope, found: Findings) -> None:
    stored = _schema(scope.connection)
    expected = _own_schema()
    for name in sorted(stored.keys() | expected.keys()):
        if stored.get(name) != expected.get(name):
            what = "is not there" if name not in stored else "is not this program's"
            found.add("schema_differs", "sqlite_schema", {"name": name}, what)
    version = scope.count("PRAGMA user_version")
    if version != _own_version():
        message = f"schema version {version}, expected {_own_version()}"
        found.add("schema_differs", "sqlite_schema", {"name": "user_version"}, message)


def _schema(connection: sqlite3.Connection) -> dict[str, str | None]:
    return dict(
        connection.execute("SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")
    )


@lru_cache(maxsize=1)
def _own_schema() -> dict[str, str | None]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        return _schema(connection)


@lru_cache(maxsize=1)
def _own_version() -> int:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        return migrate(connection)


CHECK = Check(
    name="database file",
    tables=("sqlite", "sqlite_schema"),
    look=look,
    span=lambda scope: (0, scope.count("SELECT max(event_row) FROM event")),
    weight=0.05,
)
