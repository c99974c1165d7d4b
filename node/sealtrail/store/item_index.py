"""The item index in the database: what index entries say, and where postings stand among the entries."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

import msgspec

from sealtrail.errors import InputError, IntegrityError
from sealtrail.log.item_index import (
    BASE_POSTINGS,
    KEY_BYTES,
    LEAF_INDEX_BYTES,
    IndexHead,
    Run,
    add_postings,
)
from sealtrail.log.tree import split_hashes
from sealtrail.signing import items_root, parse_leaf


class RunStart(msgspec.Struct, frozen=True):
    """Where a run of level 0 begins: a leaf, and a place among its item keys."""

    number: int
    leaf_index: int
    key_offset: int

    @property
    def first(self) -> int:
        """The number of its first posting."""
        return self.number * BASE_POSTINGS


class Gathering:
    """The postings behind the last full run of level 0, as entries come in order; and each run that fills up."""

    def __init__(self, start: RunStart) -> None:
        self.start = start
        self.next_leaf = start.leaf_index
        self.lists: dict[bytes, bytes] = {}
        self.count = 0

    @classmethod
    def resumed(cls, start: RunStart, next_leaf: int, lists: dict[bytes, bytes]) -> Gathering:
        """Return one that goes on from leaf ``next_leaf``, with what was gathered since ``start``."""
        gathering = cls(start)
        gathering.next_leaf, gathering.lists = next_leaf, lists
        gathering.count = sum(map(len, lists.values())) // LEAF_INDEX_BYTES
        return gathering

    def copy(self) -> Gathering:
        """Return another that goes on from here by itself."""
        other = Gathering(self.start)
        other.next_leaf, other.count = self.next_leaf, self.count
        other.lists = dict(self.lists)
        return other

    @property
    def postings(self) -> int:
        """How many there are in all."""
        return self.start.first + self.count

    def add(self, leaf_index: int, item_keys: bytes) -> Iterator[tuple[Run, dict[bytes, bytes]]]:
        """Take the next entry's item keys, and yield each run that is full with them, and its lists."""
        begin = self.start.key_offset if leaf_index == self.start.leaf_index else 0
        keys = split_hashes(item_keys)
        while begin < len(keys):
            taken = keys[begin : begin + BASE_POSTINGS - self.count]
            add_postings(self.lists, leaf_index, taken)
            self.count += len(taken)
            begin += len(taken)
            if self.count == BASE_POSTINGS:
                full = (Run(self.start.first, BASE_POSTINGS), self.lists)
                self.start = RunStart(self.start.number + 1, leaf_index, begin)
                self.lists, self.count = {}, 0
                yield full
        self.next_leaf = leaf_index + 1

    def tail(self) -> Run | None:
        """Return the run behind the full ones, if there is one."""
        return Run(self.start.first, self.count) if self.count else None


def entries_from(
    connection: sqlite3.Connection, leaf_index: int, end: int, *, checked: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield (leaf index, item keys joined) of the entries from one on, below ``end``.

    Args:
        checked: compare the keys with what was signed: where the entries have been on disk for a while.

    Raises:
        IntegrityError: one is missing, or its keys are not what they were (``item_keys_damaged``).
    """
    rows = connection.execute(
        f"SELECT leaf_index, item_keys, {'leaf' if checked else 'NULL'} FROM entry"
        " WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index",
        (leaf_index, end),
    )
    for number, item_keys, leaf in rows:
        if number != leaf_index or len(item_keys) % KEY_BYTES:
            raise _damaged(leaf_index)
        if leaf is not None and not _are_signed(item_keys, leaf):
            raise _damaged(leaf_index)
        yield number, item_keys
        leaf_index += 1
    if leaf_index < end:
        raise _damaged(leaf_index)


def _are_signed(item_keys: bytes, leaf: bytes) -> bool:
    try:
        signed = parse_leaf(leaf).entry.items_root
    except InputError:
        return False
    return items_root(split_hashes(item_keys)) == signed


def count_postings(connection: sqlite3.Connection, leaf_index: int) -> int:
    """Return how many postings the entries from one on have."""
    row = connection.execute(
        "SELECT coalesce(sum(length(item_keys)), 0) FROM entry WHERE leaf_index >= ?", (leaf_index,)
    ).fetchone()
    return int(row[0]) // KEY_BYTES


def load_base_run(connection: sqlite3.Connection, start: RunStart, end: int) -> dict[bytes, bytes]:
    """Return the lists of a full run of level 0 from the entries below ``end``.

    Raises:
        IntegrityError: they have not as many postings as there were (``item_keys_damaged``).
    """
    gathering = Gathering(start)
    for leaf_index, item_keys in entries_from(connection, start.leaf_index, end, checked=True):
        for _, lists in gathering.add(leaf_index, item_keys):
            return lists
    raise _damaged(start.leaf_index)


def load_tail(
    connection: sqlite3.Connection, start: RunStart, head: IndexHead
) -> dict[bytes, bytes]:
    """Return the lists of the tail that an index has behind ``start``.

    Raises:
        IntegrityError: the entries have another number of postings than there were (``item_keys_damaged``).
    """
    gathering = Gathering(start)
    for leaf_index, item_keys in entries_from(connection, start.leaf_index, head.covers):
        for _ in gathering.add(leaf_index, item_keys):
            raise _damaged(leaf_index)
    if gathering.postings != head.postings:
        raise _damaged(start.leaf_index)
    return gathering.lists


def load_starts(connection: sqlite3.Connection) -> list[RunStart]:
    """Return where the runs of level 0 begin, as far as that is known without a gap; at least the first's."""
    starts = [RunStart(0, 0, 0)]
    rows = connection.execute("SELECT run, leaf_index, key_offset FROM item_run_start ORDER BY run")
    for run, leaf_index, key_offset in rows:
        if run != len(starts):
            break
        starts.append(RunStart(run, leaf_index, key_offset))
    return starts


def save_starts(connection: sqlite3.Connection, starts: Iterable[RunStart]) -> None:
    """Note where runs of level 0 begin."""
    connection.executemany(
        "INSERT INTO item_run_start (run, leaf_index, key_offset) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET leaf_index = excluded.leaf_index, key_offset = excluded.key_offset",
        [(each.number, each.leaf_index, each.key_offset) for each in starts],
    )


def save_head(connection: sqlite3.Connection, head: IndexHead) -> None:
    """Note what the index entry at leaf ``head.covers`` says, in the transaction that appends it."""
    connection.execute(
        "INSERT INTO item_index (covers, postings, root_hash) VALUES (?, ?, ?)",
        (head.covers, head.postings, head.root_hash),
    )


def load_head(connection: sqlite3.Connection, covers: int) -> IndexHead | None:
    """Return what the index entry at that leaf says, or None."""
    row = connection.execute(f"{_SELECT} WHERE covers = ?", (covers,)).fetchone()
    return None if row is None else _head(row)


def last_head(connection: sqlite3.Connection) -> IndexHead | None:
    """Return what the newest index entry says."""
    row = connection.execute(f"{_SELECT} ORDER BY covers DESC LIMIT 1").fetchone()
    return None if row is None else _head(row)


def heads_since_final(connection: sqlite3.Connection) -> list[IndexHead]:
    """Return what index entries say since (and with) that of the newest checkpoint whose anchor is final."""
    rows = connection.execute(
        f"{_SELECT} WHERE covers + 1 >= (SELECT coalesce(max(tree_size), 0) FROM anchor_outbox"
        " JOIN checkpoint USING (checkpoint_hash) WHERE state = 'final')"
    )
    return [_head(row) for row in rows]


_SELECT = "SELECT covers, postings, root_hash FROM item_index"


def _head(row: tuple[int, int, bytes]) -> IndexHead:
    return IndexHead(covers=row[0], postings=row[1], root_hash=row[2])


def _damaged(leaf_index: int) -> IntegrityError:
    return IntegrityError(
        "item_keys_damaged",
        f"from leaf {leaf_index} on, entries or their item keys are not what they were",
        advice="stop the node, keep its files, and restore a backup",
    )
