"""Digests of the audit trail in the database: which stretch each covers, and the entry that holds it."""

from __future__ import annotations

import sqlite3

import msgspec


class StoredDigest(msgspec.Struct, frozen=True):
    """A digest as stored; ``content`` is its entry's content."""

    leaf_index: int
    entry_id: bytes
    first: int
    count: int
    content: bytes

    @property
    def end(self) -> int:
        """The first record that it does not cover."""
        return self.first + self.count


_SELECT = "SELECT leaf_index, entry_id, first, count, content FROM audit_digest"


def save_digest(connection: sqlite3.Connection, digest: StoredDigest) -> None:
    """Store a digest, in the write that appends its entry."""
    connection.execute(
        "INSERT INTO audit_digest VALUES (?, ?, ?, ?, ?)",
        (digest.leaf_index, digest.entry_id, digest.first, digest.count, digest.content),
    )


def last_digest(connection: sqlite3.Connection) -> StoredDigest | None:
    """Return the newest digest."""
    row = connection.execute(f"{_SELECT} ORDER BY leaf_index DESC LIMIT 1").fetchone()
    return None if row is None else StoredDigest(*row)


def digest_over(connection: sqlite3.Connection, n: int) -> StoredDigest | None:
    """Return the digest that covers record ``n``; None: there is none yet."""
    row = connection.execute(
        f"{_SELECT} WHERE first <= ? AND count > 0 ORDER BY first DESC LIMIT 1", (n,)
    ).fetchone()
    found = None if row is None else StoredDigest(*row)
    return found if found is not None and n < found.end else None


def all_digests(connection: sqlite3.Connection) -> list[StoredDigest]:
    """Return every digest, oldest first."""
    return [StoredDigest(*row) for row in connection.execute(f"{_SELECT} ORDER BY leaf_index")]


def count_in_log(connection: sqlite3.Connection, kind: int) -> int:
    """Return how many entries of that kind, which is no event's, the own log has."""
    row = connection.execute(
        "SELECT count(*) FROM entry WHERE substr(leaf, 2, 1) = ?"
        " AND substr(leaf, 2, 1) NOT IN (x'02', x'03', x'04')",  # the condition of the index entry_by_id
        (bytes([kind]),),
    ).fetchone()
    return int(row[0])
