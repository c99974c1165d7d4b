"""Many rows in few statements.

The sqlite3 module lets go of the interpreter's lock around every step, also for each row of
``executemany``, and a busy thread gives it back only after the switch interval (5 ms): inserting row by
row would wait that long for each. A statement of up to 64 rows is one step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

ROWS_MAX = 64


def insert_rows(
    connection: sqlite3.Connection, into: str, rows: Sequence[tuple[Any, ...]], *, then: str = ""
) -> None:
    """Run ``into`` (``INSERT INTO table (columns)``, without values) for all rows, in their order.

    Args:
        then: what follows the values, such as ``ON CONFLICT …``.
    """
    if rows:
        insert_values(connection, into, [*chain.from_iterable(rows)], width=len(rows[0]), then=then)


def insert_values(
    connection: sqlite3.Connection,
    into: str,
    values: Sequence[Any],
    *,
    width: int,
    then: str = "",
) -> None:
    """Run ``into`` for rows of ``width`` values, which come one after the other."""
    start, size = 0, ROWS_MAX
    while start < len(values):
        while size * width > len(values) - start:
            size //= 2  # few distinct sizes: the statements stay prepared
        connection.execute(
            _statement(into, size, width, then), values[start : start + size * width]
        )
        start += size * width


@lru_cache(maxsize=256)
def _statement(into: str, rows: int, width: int, then: str) -> str:
    marks = f"({', '.join('?' * width)})"
    return f"{into} VALUES {', '.join([marks] * rows)} {then}"
