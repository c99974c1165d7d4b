"""Named queries in the database: a name, and the query as its client wrote it. Functions over one connection."""

from __future__ import annotations

import sqlite3
from hashlib import sha256
from typing import Any

import msgspec

from sealtrail.store.pages import page_of

PAGE_CHARACTERS_MAX = 4 * 1024 * 1024  # of definitions in one page


class NamedQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One named query; ``definition`` is the JSON object that stands under ``query`` in the standard's form."""

    query_id: int
    name: str
    definition: dict[str, Any]


def insert_query(
    connection: sqlite3.Connection, name: str, definition: dict[str, Any], now_ms: int
) -> bool:
    """Store a query; return False if the name is taken."""
    text = msgspec.json.encode(definition).decode()
    done = connection.execute(
        "INSERT INTO named_query (name, definition, created_ms, digest) VALUES (?, ?, ?, x'')"
        " ON CONFLICT (name) DO NOTHING",
        (name, text, now_ms),
    )
    if done.rowcount != 1:
        return False
    connection.execute(
        "UPDATE named_query SET digest = ? WHERE query_id = ?",
        (row_digest(done.lastrowid, name, text, now_ms), done.lastrowid),
    )
    return True


def row_digest(*columns: int | str | None) -> bytes:
    """Return the SHA-256 over columns that never change: by it a check of the store sees if one did."""
    return sha256(msgspec.json.encode(columns)).digest()


def count_queries(connection: sqlite3.Connection) -> int:
    """Return how many there are."""
    return int(connection.execute("SELECT count(*) FROM named_query").fetchone()[0])


def load_query(connection: sqlite3.Connection, name: str) -> NamedQuery | None:
    """Return the query of that name, or None."""
    row = connection.execute(
        "SELECT query_id, name, definition FROM named_query WHERE name = ?", (name,)
    ).fetchone()
    return None if row is None else _query(row)


def list_queries(
    connection: sqlite3.Connection, *, after: int, limit: int
) -> tuple[list[NamedQuery], int | None]:
    """Return the oldest queries after one, and the one to go on after (None: no more).

    Fewer than ``limit`` if they have over 4 MiB together, but one at least.
    """
    rows = connection.execute(
        "SELECT query_id, name, definition FROM named_query WHERE query_id > ?"
        " ORDER BY query_id LIMIT ?",
        (after, limit + 1),
    )
    found, more = page_of(rows, lambda row: len(row[2]), limit=limit, size_max=PAGE_CHARACTERS_MAX)
    return [_query(row) for row in found], found[-1][0] if more else None


def delete_query(connection: sqlite3.Connection, name: str) -> bool:
    """Delete a query and its subscriptions; return False if there is none of that name."""
    done = connection.execute("DELETE FROM named_query WHERE name = ?", (name,))
    return done.rowcount == 1


def _query(row: tuple[int, str, str]) -> NamedQuery:
    return NamedQuery(query_id=row[0], name=row[1], definition=msgspec.json.decode(row[2]))
