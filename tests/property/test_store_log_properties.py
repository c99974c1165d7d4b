"""The log in the database is the RFC 9162 tree, however it was appended to, undone and reopened."""

from __future__ import annotations

import sqlite3
import tempfile
from functools import partial
from hashlib import sha256
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sealtrail.log.tree import leaf_hash, root_hash, verify_inclusion
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore, NewEntry

STEPS = st.lists(
    st.tuples(st.sampled_from(["append", "undo", "reopen"]), st.integers(0, 600)),
    min_size=1,
    max_size=8,
)


class UndoError(Exception):
    """Thrown to have a savepoint rolled back."""


def _entry(n: int, salt: int) -> NewEntry:
    digest = sha256(f"{n} {salt}".encode()).digest()
    return NewEntry(digest, digest, None, b"", b"")


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_any_history_gives_the_tree_of_what_was_kept(steps: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "node.db"
        database = Database.open(path)
        log = LogStore.open(database)
        kept: list[bytes] = []
        for salt, (step, count) in enumerate(steps):
            if step == "reopen":
                database.close()
                database = Database.open(path)
                log = LogStore.open(database)
                continue
            entries = [_entry(n, salt) for n in range(count)]
            try:
                database.write_sync(partial(_append, log, entries, step))
                kept += [leaf_hash(e.leaf) for e in entries]
            except UndoError:
                pass
        head = log.head()
        assert (head.size, head.root_hash) == (len(kept), root_hash(kept))
        for index in {0, len(kept) // 2, len(kept) - 1} if kept else ():
            proof = database.read_sync(lambda c, i=index: log.inclusion_proof(c, i, head.size))
            verify_inclusion(head, index, kept[index], proof)
        database.close()


def _append(
    log: LogStore, entries: list[NewEntry], step: str, connection: sqlite3.Connection
) -> None:
    log.append(connection, entries)
    if step == "undo":
        raise UndoError
