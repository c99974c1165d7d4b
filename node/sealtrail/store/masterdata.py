"""Master data in the database: versions of vocabulary elements, and what is looked up by them.

Functions over one connection.

A version is never changed but for the time until which it holds. What was put stands over what headers of captured
documents say, whatever their dates: a header tells what its sender had at hand. Else the one that holds from later
stands, and of two that hold from the same time the one that was recorded later.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from sealtrail.epcis.masterdata import EPC_CLASS, VocabularyElement
from sealtrail.store.bulk import insert_rows
from sealtrail.store.masterdata_rows import (
    Source,
    Statement,
    attribute_rows,
    child_rows,
    decode_element,
    encode_element,
    version_digest,
)
from sealtrail.store.pages import page_of

# Values of one statement's IN list at most.
_CHUNK = 256
_VERSIONS_BYTES_MAX = 4 * 1024 * 1024
# A row's times compared with one moment, given twice.
HOLDS = "valid_from_ms <= ? AND (valid_until_ms IS NULL OR valid_until_ms > ?)"
# A canonical identifier and all that is below it; values: the identifier, and a moment twice. Ends also where elements
# are their own descendants: UNION leaves out what was met before.
_DESCENDANTS = (
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


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an element: the version that says it, and whether that is a new one."""

    version: int
    new: bool


_COLUMNS = (
    "version, vocabulary, body, valid_from_ms, valid_until_ms, recorded_ms, source, member, job_id"
)
_NEVER_ENDS = 2**62


def put(
    connection: sqlite3.Connection, elements: Sequence[VocabularyElement], statement: Statement
) -> list[Put]:
    """Record what is said of elements, each once; what says nothing new makes no version. In one transaction.

    Elements of which nothing was said before, as all of a first catalogue, cost a share of few statements each.
    """
    known = _known(connection, {e.canonical for e in elements})
    number = connection.execute("SELECT max(version) FROM vocabulary_version").fetchone()[0] or 0
    puts: list[Put] = []
    fresh: list[tuple[int, VocabularyElement, str, int | None]] = []
    for element in elements:
        body, key = encode_element(element), (element.canonical, element.vocabulary)
        said = _said_already(connection, key, body, statement) if key in known else None
        if said is None:
            number += 1
            until = _place(connection, key, statement) if key in known else None
            fresh.append((number, element, body, until))
        puts.append(Put(version=said or number, new=said is None))
    _insert(connection, fresh, statement)
    return puts


def _known(connection: sqlite3.Connection, identifiers: Iterable[str]) -> set[tuple[str, str]]:
    """Return those (identifier, vocabulary) of which anything was ever said."""
    wanted = list(identifiers)
    found: set[tuple[str, str]] = set()
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        found.update(
            connection.execute(
                "SELECT DISTINCT id, vocabulary FROM vocabulary_version"
                f" WHERE id IN ({', '.join('?' * len(chunk))})",
                chunk,
            )
        )
    return found


def _said_already(
    connection: sqlite3.Connection, key: tuple[str, str], body: str, statement: Statement
) -> int | None:
    """Return the version that says the same already, if it stands, or is the last that a header said."""
    known = [_held(connection, key, statement.valid_from_ms)]
    if _overrules(known[0], statement):
        known.append(
            connection.execute(
                "SELECT version, source, body FROM vocabulary_version WHERE id = ?"
                " AND vocabulary = ? AND source = 'header' ORDER BY version DESC LIMIT 1",
                key,
            ).fetchone()
        )
    for each in known:
        if each is not None and each[2] == body and each[1] in ("put", statement.source):
            return int(each[0])
    return None


def _held(
    connection: sqlite3.Connection, key: tuple[str, str], at_ms: int
) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = connection.execute(
        "SELECT version, source, body FROM vocabulary_version WHERE id = ? AND vocabulary = ?"
        f" AND {HOLDS}",
        (*key, at_ms, at_ms),
    ).fetchone()
    return row


def _overrules(held: tuple[Any, ...] | None, statement: Statement) -> bool:
    """Tell whether what holds was put, and so stands over a header."""
    return held is not None and held[1] == "put" and statement.source == "header"


def _place(
    connection: sqlite3.Connection, key: tuple[str, str], statement: Statement
) -> int | None:
    """End the versions that a new one takes the place of; return until when that holds itself."""
    since = statement.valid_from_ms
    if _overrules(_held(connection, key, since), statement):
        return since
    # what was put later ends it, a header's also what a later header said
    (until,) = connection.execute(
        "SELECT min(valid_from_ms) FROM vocabulary_version WHERE id = ? AND vocabulary = ?"
        " AND valid_from_ms > ? AND (valid_until_ms IS NULL OR valid_until_ms > valid_from_ms)"
        " AND source IN ('put', ?)",
        (*key, since, statement.source),
    ).fetchone()
    connection.execute(
        "UPDATE vocabulary_version SET valid_until_ms = max(valid_from_ms, ?) WHERE id = ?"
        " AND vocabulary = ? AND valid_from_ms < ?"
        " AND (valid_until_ms IS NULL OR valid_until_ms > max(valid_from_ms, ?))",
        (since, *key, _NEVER_ENDS if until is None else until, since),
    )
    return None if until is None else int(until)


def _insert(
    connection: sqlite3.Connection,
    fresh: Sequence[tuple[int, VocabularyElement, str, int | None]],
    statement: Statement,
) -> None:
    rows: list[tuple[Any, ...]] = []
    children: list[tuple[int, str]] = []
    attributes: list[tuple[int, str, str]] = []
    for number, element, body, until in fresh:
        digest = version_digest(element.vocabulary, element.canonical, body, statement)
        rows.append(
            (
                number,
                element.vocabulary,
                element.canonical,
                statement.valid_from_ms,
                until,
                statement.recorded_ms,
                statement.source,
                statement.member,
                statement.job_id,
                body,
                digest,
            )
        )
        children += child_rows(number, element)
        attributes += attribute_rows(number, element)
    insert_rows(
        connection,
        "INSERT INTO vocabulary_version (version, vocabulary, id, valid_from_ms, valid_until_ms,"
        " recorded_ms, source, member, job_id, body, digest)",
        rows,
    )
    insert_rows(connection, "INSERT INTO version_child (version, child)", children)
    insert_rows(connection, "INSERT INTO version_attribute (version, name, value)", attributes)


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
    """Return the versions of an identifier in every vocabulary, the newest first, those that never held included.

    Up to ``limit``, and up to 4 MiB of bodies, but one at least.
    """
    rows = connection.execute(
        f"SELECT id, {_COLUMNS} FROM vocabulary_version WHERE id = ? ORDER BY version DESC LIMIT ?",
        (identifier, limit),
    )
    found, _ = page_of(rows, _body_size, limit=limit, size_max=_VERSIONS_BYTES_MAX)
    return [_version(row) for row in found]


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
    of_one = "(vocabulary, id) > (?, ?)" if vocabulary is None else "vocabulary = ? AND id > ?"
    rows = connection.execute(
        f"SELECT id, {_COLUMNS} FROM vocabulary_version WHERE {of_one} AND {HOLDS}"
        " ORDER BY vocabulary, id LIMIT ?",
        (vocabulary or after[0], after[1], at_ms, at_ms, limit + 1),
    )
    found, more = page_of(rows, _body_size, limit=limit, size_max=bytes_max)
    return [_version(row) for row in found], more


def _body_size(row: tuple[Any, ...]) -> int:
    return len(row[3])


def descendants(connection: sqlite3.Connection, identifier: str, at_ms: int) -> Iterator[str]:
    """Yield a canonical identifier and all that is below it at a time, each once, also where they go in circles."""
    for row in connection.execute(_DESCENDANTS, (identifier, at_ms, at_ms)):
        yield row[0]


def with_attribute(
    connection: sqlite3.Connection, names: Sequence[str], values: Sequence[str], at_ms: int
) -> Iterator[str]:
    """Yield the canonical identifiers that have, at a time, an attribute of one of these names.

    Args:
        values: one of which it has; any, if there are none.
    """
    one_of = f" AND value IN ({', '.join('?' * len(values))})" if values else ""
    rows = connection.execute(
        "SELECT DISTINCT id FROM vocabulary_attribute"
        f" WHERE name IN ({', '.join('?' * len(names))}){one_of} AND {HOLDS}",
        (*names, *values, at_ms, at_ms),
    )
    for row in rows:
        yield row[0]


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
