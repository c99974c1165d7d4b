"""What stands beside the audit trail and can be erased: who is behind a pseudonym, and refused input that is kept."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import msgspec

PSEUDONYM_BYTES = 16


class KnownName(msgspec.Struct, frozen=True):
    """Who is behind a pseudonym."""

    pseudonym: str
    name: str
    created_ms: int


def ensure_pseudonym(
    connection: sqlite3.Connection,
    kind: str,
    name: str,
    *,
    random: Callable[[int], bytes],
    now_ms: int,
) -> str:
    """Return the pseudonym of a name, made if there is none; random, so that nothing leads back to the name."""
    found: tuple[str] | None = connection.execute(
        "SELECT pseudonym FROM audit_name WHERE name = ? AND pseudonym LIKE ?", (name, f"{kind}:%")
    ).fetchone()
    if found is not None:
        return found[0]
    pseudonym = f"{kind}:{random(PSEUDONYM_BYTES).hex()}"
    connection.execute("INSERT INTO audit_name VALUES (?, ?, ?)", (pseudonym, name, now_ms))
    return pseudonym


def load_name(connection: sqlite3.Connection, pseudonym: str) -> KnownName | None:
    """Return who is behind a pseudonym; None: nobody that is known, or not any more."""
    row = connection.execute(
        "SELECT pseudonym, name, created_ms FROM audit_name WHERE pseudonym = ?", (pseudonym,)
    ).fetchone()
    return None if row is None else KnownName(*row)


def pseudonyms_of(connection: sqlite3.Connection, name: str) -> list[str]:
    """Return the pseudonyms of a name: as a token's, and as an operator's."""
    rows = connection.execute(
        "SELECT pseudonym FROM audit_name WHERE name = ? ORDER BY pseudonym", (name,)
    )
    return [row[0] for row in rows]


def forget_name(connection: sqlite3.Connection, name: str) -> list[str]:
    """Erase who was behind a name's pseudonyms, and return these."""
    found = pseudonyms_of(connection, name)
    # overwritten, not just given free: older pages go from the write-ahead log at its next turn
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("DELETE FROM audit_name WHERE name = ?", (name,))
    connection.execute("PRAGMA secure_delete = OFF")
    return found


def keep_input(
    connection: sqlite3.Connection, digest: bytes, content: bytes, *, bytes_max: int, now_ms: int
) -> bool:
    """Keep a refused input's bytes, unless all that are kept would be over ``bytes_max``; tell whether they are."""
    if load_input(connection, digest) is not None:
        return True
    kept = connection.execute("SELECT bytes FROM audit_input_total").fetchone()
    if int(kept[0]) + len(content) > bytes_max:
        return False
    connection.execute("UPDATE audit_input_total SET bytes = bytes + ?", (len(content),))
    connection.execute("INSERT INTO audit_input VALUES (?, ?, ?)", (digest, content, now_ms))
    return True


def load_input(connection: sqlite3.Connection, digest: bytes) -> bytes | None:
    """Return a refused input's bytes, if they were kept and not erased since."""
    row: tuple[bytes] | None = connection.execute(
        "SELECT content FROM audit_input WHERE digest = ?", (digest,)
    ).fetchone()
    return None if row is None else row[0]
