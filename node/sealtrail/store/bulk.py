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
    start, size = 0, ROWS_MAX
    while start < len(rows):
        while size > len(rows) - start:
            size //= 2  # few distinct sizes: the statements stay prepared
        connection.execute(
            _statement(into, size, len(rows[start]), then),
            tuple(chain.from_iterable(rows[start : start + size])),
        )
        start += size


@lru_cache(maxsize=256)
def _statement(into: str, rows: int, width: int, then: str) -> str:
    marks = f"({', '.join('?' * width)})"
    return f"{into} VALUES {', '.join([marks] * rows)} {then}"
