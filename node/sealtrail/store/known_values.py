"""Which EPCs, places, and words of others than the standard the recorded events name, each once, in order.

A list is made by jumping in an index from one value to the next, so that it costs as much as it is long, however
many events there are. What only erased events named is in no list.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Literal, TypeAlias

from sealtrail.epcis.query.readers import EPC_PLACES

Column: TypeAlias = Literal["event_type", "biz_step", "disposition", "read_point", "biz_location"]

_IS_NAMED = (
    "EXISTS (SELECT 1 FROM event_item AS named JOIN event USING (event_row)"
    f" WHERE named.item = found.value AND named.place IN ({', '.join('?' * len(EPC_PLACES))})"
    " AND event.content IS NOT NULL)"
)
# The conditions of the indexes (migrations 0014 and 0016): others than these are not looked for
_INDEXED: dict[Column, str] = {
    "event_type": "instr(event_type, ':') > 0",
    "biz_step": "instr(biz_step, ':') > 0",
    "disposition": "instr(disposition, ':') > 0",
    "read_point": "read_point IS NOT NULL",
    "biz_location": "biz_location IS NOT NULL",
}


def list_epcs(connection: sqlite3.Connection, *, after: str, limit: int) -> list[str]:
    """Return up to ``limit`` canonical identifiers of what events name as an EPC, the next ones after ``after``."""
    sql = _jump("event_item", "item", "TRUE", _IS_NAMED)
    return _listed(connection, sql, (after, *EPC_PLACES, limit))


def list_column(
    connection: sqlite3.Connection, column: Column, *, after: str, limit: int
) -> list[str]:
    """Return up to ``limit`` of a column's values, the next ones after ``after``; of words those with a namespace."""
    sql = _jump("event", column, _INDEXED[column], "TRUE")
    return _listed(connection, sql, (after, limit))


def _jump(table: str, column: str, indexed: str, condition: str) -> str:
    following = f"SELECT min({column}) FROM {table} WHERE {indexed} AND {column} >"
    return (
        f"WITH RECURSIVE found (value) AS ({following} ?"
        f" UNION ALL SELECT ({following} found.value) FROM found WHERE found.value IS NOT NULL)"
        f" SELECT value FROM found WHERE value IS NOT NULL AND {condition} LIMIT ?"
    )


def _listed(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> list[str]:
    return [row[0] for row in connection.execute(sql, values)]
