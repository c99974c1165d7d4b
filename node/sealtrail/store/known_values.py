"""Which EPCs, business steps, dispositions and places the recorded events name, each once, in order.

A list is made by jumping in an index from one value to the next, so that it costs as much as it is long, however
many events there are. What only erased events named is in no list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Literal, TypeAlias

from sealtrail.epcis.query import EPC_PLACES

Column: TypeAlias = Literal["biz_step", "disposition", "read_point", "biz_location"]

_IS_NAMED = (
    "EXISTS (SELECT 1 FROM event_item AS named JOIN event USING (event_row)"
    f" WHERE named.item = found.value AND named.place IN ({', '.join('?' * len(EPC_PLACES))})"
    " AND event.content IS NOT NULL)"
)


def list_epcs(connection: sqlite3.Connection, *, after: str, limit: int) -> list[str]:
    """Return up to ``limit`` canonical identifiers of what events name as an EPC, the next ones after ``after``."""
    return _jump(connection, "event_item", "item", _IS_NAMED, (after, *EPC_PLACES, limit))


def list_column(
    connection: sqlite3.Connection, column: Column, *, after: str, limit: int
) -> list[str]:
    """Return up to ``limit`` of the values that a column of ``event`` has, the next ones after ``after``."""
    return _jump(connection, "event", column, "TRUE", (after, limit))


def _jump(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    condition: str,
    values: Sequence[object],
) -> list[str]:
    rows = connection.execute(
        f"WITH RECURSIVE found (value) AS (SELECT min({column}) FROM {table} WHERE {column} > ?"
        f" UNION ALL SELECT (SELECT min({column}) FROM {table} WHERE {column} > found.value) FROM found"
        " WHERE found.value IS NOT NULL)"
        f" SELECT value FROM found WHERE value IS NOT NULL AND {condition} LIMIT ?",
        values,
    )
    return [row[0] for row in rows]
