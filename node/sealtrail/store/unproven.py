"""What of a node's own log no final anchor covers yet, read from beside the node that writes it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from sealtrail.store import outbox
from sealtrail.store.faults import wrap
from sealtrail.store.log import StoredEntry, load_leaf
from sealtrail.store.outbox import State


class Unproven(msgspec.Struct, frozen=True, kw_only=True):
    """The oldest entry and the signed checkpoints that are not proven by the chain yet.

    A node changes its keys at a start only, so the oldest entry is signed by the oldest key that is still needed.
    """

    entry: StoredEntry | None
    notes: tuple[str, ...]


def load_unproven(path: Path) -> Unproven | None:
    """Read a node's database without owning it; None if there is none at ``path``.

    Raises:
        UnavailableError: it can't be read. IntegrityError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=5)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.execute("BEGIN")
            final = outbox.last_in_state(connection, State.FINAL)
            notes = connection.execute(
                "SELECT c.note FROM anchor_outbox AS o JOIN checkpoint AS c USING (checkpoint_hash)"
                " WHERE o.state <> 'final' ORDER BY o.sequence"
            )
            return Unproven(
                entry=load_leaf(connection, final.tree_size if final else 0),
                notes=tuple(row[0] for row in notes),
            )
    except sqlite3.Error as error:
        raise wrap(error) from error
