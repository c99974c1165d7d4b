"""What master data says of places and things, as queries ask for it. Functions over one connection.

Source: EPCIS 2.0 section 8.2.7.1 (``WD_``, ``HASATTR_``, ``EQATTR_``), section 6.5.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sealtrail.epcis.query import EventFilter, attribute_spellings, resolved

_HOLDS = "valid_from_ms <= :at_ms AND (valid_until_ms IS NULL OR valid_until_ms > :at_ms)"
_DESCENDANTS = (
    "WITH RECURSIVE within (id) AS (VALUES (:id) UNION"
    f" SELECT child FROM vocabulary_child JOIN within ON parent = within.id WHERE {_HOLDS})"
    " SELECT id FROM within WHERE id <> :id"
)


def resolve_filter(
    connection: sqlite3.Connection, wanted: EventFilter, *, at_ms: int
) -> EventFilter:
    """Return a query with its conditions on master data as conditions on events.

    Args:
        at_ms: which master data: what holds at that time.

    Raises:
        TooLargeError: ``query_too_complex``.
    """
    if not wanted.needs_master_data:
        return wanted
    return resolved(wanted, _Described(connection, at_ms))


class _Described:
    def __init__(self, connection: sqlite3.Connection, at_ms: int) -> None:
        self._connection = connection
        self._at_ms = at_ms

    def descendants(self, identifier: str) -> Iterable[str]:
        rows = self._connection.execute(_DESCENDANTS, {"id": identifier, "at_ms": self._at_ms})
        return [row[0] for row in rows]

    def with_attribute(self, attribute: str, values: tuple[str, ...]) -> Iterable[str]:
        named: dict[str, object] = {"at_ms": self._at_ms}
        names, texts = [], []
        for n, name in enumerate(attribute_spellings(attribute)):
            named[f"n{n}"] = name
            names.append(f":n{n}")
        for n, value in enumerate(values):
            named[f"t{n}"] = value
            texts.append(f":t{n}")
        one_of = f" AND value IN ({', '.join(texts)})" if texts else ""
        rows = self._connection.execute(
            f"SELECT DISTINCT id FROM vocabulary_attribute WHERE name IN ({', '.join(names)})"
            f"{one_of} AND {_HOLDS}",
            named,
        )
        return [row[0] for row in rows]
