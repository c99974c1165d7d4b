"""Reads a node's database without owning it: while the node runs, or while none does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from sealtrail.errors import NotFoundError
from sealtrail.store.faults import wrap

T = TypeVar("T")


def read_beside(path: Path, fn: Callable[[sqlite3.Connection], T]) -> T:
    """Run ``fn`` on one consistent snapshot and return its result.

    Raises:
        NotFoundError: there is no database (``store_missing``).
        UnavailableError: it can't be read. IntegrityError: it is damaged.
    """
    if not path.exists():
        raise NotFoundError(
            "store_missing",
            f"no database at {path}",
            advice="run this where the node runs, or name its configuration with --config",
        )
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            return fn(connection)
    except sqlite3.Error as error:
        raise wrap(error) from error
