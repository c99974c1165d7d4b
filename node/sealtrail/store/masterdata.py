"""Master data in the database: versions of vocabulary elements, and what is looked up by them.

Functions over one connection.

A version is never changed but for the time until which it holds. What was put stands over what headers of captured
documents say, whatever their dates: a header tells what its sender had at hand. Else the one that holds from later
stands, and of two that hold from the same time the one that was recorded later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sealtrail.epcis.masterdata import EPC_CLASS, VocabularyElement
from sealtrail.store.bulk import insert_rows
from sealtrail.store.masterdata_rows import (
    ATTRIBUTE_COLUMNS,
    CHILD_COLUMNS,
    Source,
    Statement,
    attribute_rows,
    child_rows,
    decode_element,
    encode_element,
    version_digest,
)

# Values of one statement's IN list at most.
_CHUNK = 256
DESCENDANTS_MAX = 10_000
# A row's times compared with one moment, given twice.
HOLDS = "valid_from_ms <= ? AND (valid_until_ms IS NULL OR valid_until_ms > ?)"
# A canonical identifier and all that is below it; values: the identifier, and a moment twice. Ends also where elements
# are their own descendants: UNION leaves out what was met before.
DESCENDANTS = (
    "WITH RECURSIVE within (id) AS (VALUES (?) UNION SELECT child FROM vocabulary_child"
    f" JOIN within ON parent = within.id WHERE {HOLDS}) SELECT id FROM within"
)


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of an element. It holds from ``valid_from_ms`` until before ``valid_until_ms``, None: without end."""

    version: int
    element: VocabularyElement
    valid_from_ms: int
    valid_until_ms: int | None
    recorded_ms: int
    source: Source
    member: bytes
    job_id: str | None

    def holds_at(self, at_ms: int) -> bool:
        """Tell whether it holds at that time."""
        return self.valid_from_ms <= at_ms and (
            self.valid_until_ms is None or at_ms < self.valid_until_ms
        )


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an element: the version that says it, and whether that is a new one."""

    version: int
    new: bool


_COLUMNS = (
    "version, vocabulary, body, valid_from_ms, valid_until_ms, recorded_ms, source, member, job_id"
)
_NEVER_ENDS = 2**62


def put(
    connection: sqlite3.Connection, elements: Iterable[VocabularyElement], statement: Statement
) -> list[Put]:
    """Record what is said of elements, in one transaction; what says nothing new makes no version."""
    return [_put(connection, element, statement) for element in elements]


def _put(connection: sqlite3.Connection, element: VocabularyElement, statement: Statement) -> Put:
    body = encode_element(element)
    key, since = (element.canonical, element.vocabulary), statement.valid_from_ms
    held = connection.execute(
        "SELECT version, source, body FROM vocabulary_version WHERE id = ? AND vocabulary = ?"
        f" AND {HOLDS}",
        (*key, since, since),
    ).fetchone()
    overruled = held is not None and held[1] == "put" and statement.source == "header"
    known = [held, _last_header(connection, key)] if overruled else [held]
    for each in known:
        if each is not None and each[2] == body and each[1] in ("put", statement.source):
            return Put(version=each[0], new=False)
    until = since if overruled else _until(connection, key, statement)
    if not overruled:
        _cut(connection, key, statement, until)
    version = _insert(connection, element, statement, until, body)
    if not overruled:
        _index(connection, version, element, since, until)
    return Put(version=version, new=True)


def _last_header(connection: sqlite3.Connection, key: tuple[str, str]) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT version, source, body FROM vocabulary_version WHERE id = ? AND vocabulary = ?"
        " AND source = 'header' ORDER BY version DESC LIMIT 1",
        key,
    ).fetchone()
    return row


def _until(
    connection: sqlite3.Connection, key: tuple[str, str], statement: Statement
) -> int | None:
    """Return until when a new version holds: what was put later ends it, a header's also what a later header said."""
    row = connection.execute(
        "SELECT min(valid_from_ms) FROM vocabulary_version WHERE id = ? AND vocabulary = ?"
        " AND valid_from_ms > ? AND (valid_until_ms IS NULL OR valid_until_ms > valid_from_ms)"
        " AND source IN ('put', ?)",
        (*key, statement.valid_from_ms, statement.source),
    ).fetchone()
    return None if row[0] is None else int(row[0])


def _cut(
    connection: sqlite3.Connection,
    key: tuple[str, str],
    statement: Statement,
    until: int | None,
) -> None:
    """End the versions that a new one takes the place of, and what is looked up by them."""
    since = statement.valid_from_ms
    ended = connection.execute(
        "SELECT version, max(valid_from_ms, ?) FROM vocabulary_version WHERE id = ?"
        " AND vocabulary = ? AND valid_from_ms < ?"
        " AND (valid_until_ms IS NULL OR valid_until_ms > max(valid_from_ms, ?))",
        (since, *key, _NEVER_ENDS if until is None else until, since),
    ).fetchall()
    for version, end in ended:
        connection.execute(
            "UPDATE vocabulary_version SET valid_until_ms = ? WHERE version = ?", (end, version)
        )
        for table in ("vocabulary_child", "vocabulary_attribute"):
            connection.execute(
                f"DELETE FROM {table} WHERE version = ? AND valid_from_ms = ?", (version, end)
            )
            connection.execute(
                f"UPDATE {table} SET valid_until_ms = ? WHERE version = ?", (end, version)
            )


def _insert(
    connection: sqlite3.Connection,
    element: VocabularyElement,
    statement: Statement,
    until: int | None,
    body: str,
) -> int:
    row = connection.execute(
        "INSERT INTO vocabulary_version (vocabulary, id, valid_from_ms, valid_until_ms, recorded_ms,"
        " source, member, job_id, body, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " RETURNING version",
        (
            element.vocabulary,
            element.canonical,
            statement.valid_from_ms,
            until,
            statement.recorded_ms,
            statement.source,
            statement.member,
            statement.job_id,
            body,
            version_digest(element.vocabulary, element.canonical, body, statement),
        ),
    ).fetchone()
    return int(row[0])


def _index(
    connection: sqlite3.Connection,
    version: int,
    element: VocabularyElement,
    since: int,
    until: int | None,
) -> None:
    insert_rows(
        connection,
        f"INSERT INTO vocabulary_child ({CHILD_COLUMNS})",
        child_rows(element, version, since, until),
    )
    insert_rows(
        connection,
        f"INSERT INTO vocabulary_attribute ({ATTRIBUTE_COLUMNS})",
        attribute_rows(element, version, since, until),
    )


def load(
    connection: sqlite3.Connection, identifiers: Sequence[str], at_ms: int
) -> dict[str, list[Version]]:
    """Return what holds at a time of canonical identifiers: a version for each vocabulary that has them."""
    found: dict[str, list[Version]] = {}
    for at in range(0, len(identifiers), _CHUNK):
        chunk = identifiers[at : at + _CHUNK]
        rows = connection.execute(
            f"SELECT id, {_COLUMNS} FROM vocabulary_version"
            f" WHERE id IN ({', '.join('?' * len(chunk))}) AND {HOLDS} ORDER BY id, vocabulary",
            (*chunk, at_ms, at_ms),
        )
        for row in rows:
            found.setdefault(row[0], []).append(_version(row))
    return found


def load_nearest(
    connection: sqlite3.Connection, identifiers: Sequence[str], at_ms: int
) -> dict[str, list[Version]]:
    """Return what :func:`load` does, and for those of which nothing holds at the time what holds first after it."""
    found = load(connection, identifiers, at_ms)
    missing = [each for each in identifiers if each not in found]
    for at in range(0, len(missing), _CHUNK):
        chunk = missing[at : at + _CHUNK]
        rows = connection.execute(
            f"SELECT id, {_COLUMNS} FROM vocabulary_version"
            f" WHERE id IN ({', '.join('?' * len(chunk))}) AND valid_from_ms > ?"
            " AND (valid_until_ms IS NULL OR valid_until_ms > valid_from_ms)"
            " ORDER BY id, valid_from_ms",
            (*chunk, at_ms),
        )
        for row in rows:
            found.setdefault(row[0], [_version(row)])
    return found


def lists_products(connection: sqlite3.Connection, digits: str, at_ms: int) -> bool:
    """Tell whether master data that was put lists, at a time, any product whose number begins so.

    Args:
        digits: as of a numbering right: without the indicator digit that a GTIN begins with.
    """
    for indicator in range(10):
        prefix = f"https://id.gs1.org/01/{indicator}{digits}"
        row = connection.execute(
            "SELECT 1 FROM vocabulary_version WHERE vocabulary = ? AND id >= ? AND id < ?"
            f" AND source = 'put' AND {HOLDS} LIMIT 1",
            (EPC_CLASS, prefix, prefix + ":", at_ms, at_ms),  # ":" comes after the digits
        ).fetchone()
        if row is not None:
            return True
    return False


def versions(connection: sqlite3.Connection, identifier: str, *, limit: int) -> list[Version]:
    """Return the versions of an identifier in every vocabulary, the newest first, those that never held included."""
    rows = connection.execute(
        f"SELECT id, {_COLUMNS} FROM vocabulary_version WHERE id = ? ORDER BY version DESC LIMIT ?",
        (identifier, limit),
    )
    return [_version(row) for row in rows]


def page(
    connection: sqlite3.Connection,
    vocabulary: str | None,
    *,
    at_ms: int,
    after: tuple[str, str],
    limit: int,
    bytes_max: int,
) -> tuple[list[Version], bool]:
    """Return what holds at a time, of one vocabulary or of all, by vocabulary and identifier, after such a pair.

    Up to ``limit``, and up to ``bytes_max`` of bodies, but one at least; and whether there are more.
    """
    rows = connection.execute(
        f"SELECT id, {_COLUMNS} FROM vocabulary_version WHERE (vocabulary, id) > (?, ?)"
        f" AND (? IS NULL OR vocabulary = ?) AND {HOLDS} ORDER BY vocabulary, id LIMIT ?",
        (*after, vocabulary, vocabulary, at_ms, at_ms, limit + 1),
    )
    found: list[Version] = []
    octets = 0
    for row in rows:
        octets += len(row[3])
        if len(found) == limit or (found and octets > bytes_max):
            return found, True
        found.append(_version(row))
    return found, False


def children(connection: sqlite3.Connection, identifier: str, at_ms: int) -> list[str]:
    """Return the children of a canonical identifier at a time, in any vocabulary."""
    rows = connection.execute(
        f"SELECT DISTINCT child FROM vocabulary_child WHERE parent = ? AND {HOLDS} ORDER BY child",
        (identifier, at_ms, at_ms),
    )
    return [row[0] for row in rows]


def descendants(connection: sqlite3.Connection, identifier: str, at_ms: int) -> list[str]:
    """Return a canonical identifier and all that is below it at a time, each once, also where they go in circles."""
    rows = connection.execute(f"{DESCENDANTS} LIMIT ?", (identifier, at_ms, at_ms, DESCENDANTS_MAX))
    return [row[0] for row in rows]


def _version(row: tuple[Any, ...]) -> Version:
    return Version(
        version=row[1],
        element=decode_element(row[2], row[0], row[3]),
        valid_from_ms=row[4],
        valid_until_ms=row[5],
        recorded_ms=row[6],
        source=row[7],
        member=row[8],
        job_id=row[9],
    )
