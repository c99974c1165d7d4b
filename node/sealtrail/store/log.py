"""The member's log in the database: leaves, full tiles, and the proofs read from them.

Entry *n* is leaf *n*. Hashes are kept as C2SP tlog-tiles (256 wide, 8 tree levels high), written in the
transaction that completes them; the hashes right of the last full tile of each level are held in memory
and come from the rows below at start, by the same functions that appending uses.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from sealtrail.errors import InputError, IntegrityError
from sealtrail.log.tiles import TILE_HEIGHT, TILE_WIDTH, TileName
from sealtrail.log.tree import (
    HASH_BYTES,
    CompactRange,
    TreeHead,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    split_hashes,
)
from sealtrail.store.bulk import insert_rows
from sealtrail.store.database import Database
from sealtrail.store.tile_nodes import TileNodes, inner_nodes, shared_nodes


class NewEntry(msgspec.Struct, frozen=True, array_like=True):
    """An entry to append; ``refs`` and ``item_keys`` concatenated as docs/protocol.md has them."""

    entry_id: bytes
    leaf: bytes
    seed: bytes | None
    refs: bytes
    item_keys: bytes


class StoredEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as stored; ``seed`` is None once erased."""

    leaf_index: int
    entry_id: bytes
    leaf: bytes
    seed: bytes | None
    refs: bytes
    item_keys: bytes


class _Level(msgspec.Struct, frozen=True):
    """One tile level: so many full tiles, and the first ``count`` hashes of ``tail`` after them.

    ``tail`` only grows (or shrinks back to what is durable), so a reader may keep using an older _Level.
    """

    full: int
    tail: list[bytes]
    count: int


class LogStore:
    """The log's tree over ``database``; made by :meth:`open`, and the one that appends to it."""

    def __init__(self, size: int, levels: tuple[_Level, ...]) -> None:
        self._size = size
        self._levels = list(levels)
        self._durable = (size, levels)
        self._head: TreeHead | None = None

    @classmethod
    def open(cls, database: Database) -> LogStore:
        """Load the tree's right edge, check it, and follow the database's transactions.

        Raises:
            IntegrityError: tiles, entries and the last own checkpoint contradict each other.
        """
        log = database.read_sync(_load)
        database.attach(log)
        return log

    # -- writing: in the writer thread ---------------------------------------------------------------

    def append(self, connection: sqlite3.Connection, entries: Sequence[NewEntry]) -> int:
        """Append ``entries`` in order, inside the caller's write; return the first one's leaf index.

        They are in the tree that :meth:`head` shows only after the commit.
        """
        first = self._size
        insert_rows(
            connection,
            "INSERT INTO entry (leaf_index, entry_id, leaf, seed, refs, item_keys)",
            [
                (first + n, e.entry_id, e.leaf, e.seed, e.refs, e.item_keys)
                for n, e in enumerate(entries)
            ],
        )
        self._extend(connection, 0, [leaf_hash(e.leaf) for e in entries])
        self._size += len(entries)
        return first

    def _extend(self, connection: sqlite3.Connection, number: int, hashes: list[bytes]) -> None:
        if number == len(self._levels):
            self._levels.append(_Level(0, [], 0))
        start = 0
        while start < len(hashes):
            level = self._levels[number]
            taken = hashes[start : start + TILE_WIDTH - level.count]
            start += len(taken)
            level.tail.extend(taken)
            if len(level.tail) < TILE_WIDTH:
                self._levels[number] = _Level(level.full, level.tail, len(level.tail))
                continue
            inner = inner_nodes(level.tail)
            connection.execute(
                "INSERT INTO tile (level, tile_index, hashes, inner) VALUES (?, ?, ?, ?)",
                (number, level.full, b"".join(level.tail), b"".join(inner)),
            )
            self._levels[number] = _Level(level.full + 1, [], 0)
            self._extend(connection, number + 1, [root_hash(inner)])

    def mark(self) -> Any:
        """See :class:`sealtrail.store.writer.Participant`."""
        return self._size, tuple(self._levels)

    def restore(self, mark: Any) -> None:
        """See :class:`sealtrail.store.writer.Participant`."""
        self._size, levels = mark
        self._levels = list(levels)
        for level in self._levels:
            del level.tail[level.count :]

    def committed(self) -> None:
        """See :class:`sealtrail.store.writer.Participant`."""
        if self._durable[0] != self._size:
            self._durable = (self._size, tuple(self._levels))

    # -- reading: any thread -------------------------------------------------------------------------

    @property
    def size(self) -> int:
        """Number of durable leaves."""
        return self._durable[0]

    def head(self) -> TreeHead:
        """Return size and root of what is durable."""
        size, levels = self._durable
        known = self._head
        if known is None or known.size != size:
            known = TreeHead(size=size, root_hash=_root(size, levels))
            self._head = known
        return known

    def nodes(self, connection: sqlite3.Connection) -> Callable[[int, int], bytes]:
        """Return ``node(level, index)``, which gives the root of a complete subtree of durable leaves.

        Meant for one question: it keeps the tiles it has read. Raises IntegrityError (``tile_missing``).
        """
        levels = self._durable[1]
        tiles: dict[tuple[int, int], TileNodes] = {}

        def node(level: int, index: int) -> bytes:
            number, height = divmod(level, TILE_HEIGHT)
            tile_index = index >> (TILE_HEIGHT - height)
            tile = tiles.get((number, tile_index))
            if tile is None:
                tile = tiles[number, tile_index] = _tile(connection, levels, number, tile_index)
            found = tile.at(height, index - (tile_index << (TILE_HEIGHT - height)))
            if found is None:
                raise IntegrityError("tile_missing", f"no tree node {index} at level {level}")
            return found

        return node

    def tile(self, connection: sqlite3.Connection, name: TileName) -> bytes:
        """Return the hashes of a tile of durable leaves, as many as its name says, joined.

        Raises:
            IntegrityError: there are fewer (``tile_missing``).
        """
        levels = self._durable[1]
        if name.level < len(levels) and name.index == levels[name.level].full:
            level = levels[name.level]
            found = b"".join(level.tail[: min(level.count, name.width)])
        else:
            stored = _read_tile(connection, name.level, name.index)
            # see _tile: one that filled up after this reader's snapshot began isn't in it
            below = _hashes_below(connection, name.level, name.index) if stored is None else []
            found = b"".join(below) if stored is None else stored[0]
        if len(found) < name.width * HASH_BYTES:
            raise IntegrityError("tile_missing", f"no tile {name}")
        return found[: name.width * HASH_BYTES]

    def inclusion_proof(
        self, connection: sqlite3.Connection, leaf_index: int, tree_size: int
    ) -> list[bytes]:
        """Return the RFC 9162 inclusion proof of a leaf in the tree of that size.

        Raises:
            InputError: not ``leaf_index < tree_size <= size`` (``leaf_index_out_of_range``).
        """
        if not 0 <= leaf_index < tree_size <= self.size:
            raise InputError(
                "leaf_index_out_of_range",
                f"leaf {leaf_index} of {tree_size} in a log of {self.size} leaves",
            )
        return list(inclusion_proof(leaf_index, tree_size, self.nodes(connection)))

    def consistency_proof(
        self, connection: sqlite3.Connection, first: int, second: int
    ) -> list[bytes]:
        """Return the RFC 9162 proof that the tree of ``second`` leaves extends that of ``first``.

        Raises:
            InputError: not ``first <= second <= size`` (``tree_size_out_of_range``).
        """
        if not 0 <= first <= second <= self.size:
            raise InputError(
                "tree_size_out_of_range",
                f"from {first} to {second} leaves in a log of {self.size} leaves",
            )
        return list(consistency_proof(first, second, self.nodes(connection)))

    def root_at(self, connection: sqlite3.Connection, tree_size: int) -> bytes:
        """Return the root of the first ``tree_size`` leaves.

        Raises:
            InputError: more than there are (``tree_size_out_of_range``).
        """
        if not 0 <= tree_size <= self.size:
            raise InputError(
                "tree_size_out_of_range", f"{tree_size} in a log of {self.size} leaves"
            )
        return CompactRange.from_nodes(tree_size, self.nodes(connection)).root()


def load_entry(connection: sqlite3.Connection, entry_id: bytes) -> StoredEntry | None:
    """Return the entry of that id in this node's log, or None."""
    row = connection.execute(_SELECT_BY_ID, (entry_id, entry_id, entry_id)).fetchone()
    return None if row is None else _stored(row)


def load_leaf(connection: sqlite3.Connection, leaf_index: int) -> StoredEntry | None:
    """Return the entry at that leaf index, or None."""
    row = connection.execute(f"{_SELECT} WHERE leaf_index = ?", (leaf_index,)).fetchone()
    return None if row is None else _stored(row)


def load_leaves(
    connection: sqlite3.Connection, leaf_indices: Iterable[int]
) -> dict[int, StoredEntry]:
    """Return leaf index → entry for those that are in the log; some hundred at most."""
    wanted = list(leaf_indices)
    marks = ", ".join("?" * len(wanted))
    rows = connection.execute(f"{_SELECT} WHERE leaf_index IN ({marks})", wanted)
    return {row[0]: _stored(row) for row in rows}


def load_bundle(connection: sqlite3.Connection, name: TileName) -> list[tuple[bytes, bytes]]:
    """Return leaf and item keys (joined) of each entry of a bundle.

    Raises:
        IntegrityError: there are fewer than its name says (``tile_missing``).
    """
    first = name.index * TILE_WIDTH
    rows = connection.execute(
        "SELECT leaf, item_keys FROM entry WHERE leaf_index >= ? AND leaf_index < ? ORDER BY leaf_index",
        (first, first + name.width),
    ).fetchall()
    if len(rows) != name.width:
        raise IntegrityError("tile_missing", f"{len(rows)} entries of {name}")
    return rows


_SELECT = "SELECT leaf_index, entry_id, leaf, seed, refs, item_keys FROM entry"
# An event's entry is found through its event; the others have the index entry_by_id, whose condition this repeats.
_SELECT_BY_ID = (
    f"{_SELECT} WHERE leaf_index IN (SELECT leaf_index FROM event WHERE entry_id = ?"
    " UNION ALL SELECT leaf_index FROM entry WHERE entry_id = ?"
    " AND substr(leaf, 2, 1) NOT IN (x'02', x'03', x'04')) AND entry_id = ?"
)


def _stored(row: tuple[int, bytes, bytes, bytes | None, bytes, bytes]) -> StoredEntry:
    return StoredEntry(
        leaf_index=row[0],
        entry_id=row[1],
        leaf=row[2],
        seed=row[3],
        refs=row[4],
        item_keys=row[5],
    )


def _load(connection: sqlite3.Connection) -> LogStore:
    highest = connection.execute("SELECT max(leaf_index) FROM entry").fetchone()[0]
    size = 0 if highest is None else int(highest) + 1
    levels: list[_Level] = []
    while size >> (TILE_HEIGHT * len(levels)):
        number = len(levels)
        full = size >> (TILE_HEIGHT * (number + 1))
        tail = _hashes_below(connection, number, full)
        levels.append(_Level(full, tail, len(tail)))
        _check_level(connection, size, number, levels[-1])
    log = LogStore(size, tuple(levels))
    _check_checkpoint(connection, log)
    return log


def _check_level(connection: sqlite3.Connection, size: int, number: int, level: _Level) -> None:
    """Compare what is stored with itself at the right edge, where a torn write would show."""
    tiles = connection.execute(
        "SELECT count(*), max(tile_index) FROM tile WHERE level = ?", (number,)
    ).fetchone()
    expected = (size >> (TILE_HEIGHT * number)) % TILE_WIDTH
    if tiles[0] != level.full or (tiles[1] or 0) != max(0, level.full - 1):
        raise _corrupt(f"{tiles[0]} tiles at level {number} for {size} leaves")
    if level.count != expected:
        raise _corrupt(f"{level.count} hashes, expected {expected}, at level {number}'s edge")
    if level.full:
        last = level.full - 1
        below = _hashes_below(connection, number, last)[:TILE_WIDTH]
        if (b"".join(below), b"".join(inner_nodes(below))) != _read_tile(connection, number, last):
            raise _corrupt(f"tile {last} at level {number} isn't what lies below it")


def _check_checkpoint(connection: sqlite3.Connection, log: LogStore) -> None:
    row = connection.execute(
        "SELECT tree_size, root_hash FROM checkpoint WHERE member = (SELECT member FROM identity)"
        " ORDER BY tree_size DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return
    if row[0] > log.size:
        raise _corrupt(f"a checkpoint was signed at {row[0]} leaves, the log has {log.size}")
    if log.root_at(connection, row[0]) != row[1]:
        raise _corrupt(f"the root at {row[0]} leaves isn't the one that was signed")


def _corrupt(what: str) -> IntegrityError:
    return IntegrityError(
        "log_corrupt",
        f"the log contradicts itself: {what}",
        advice="stop the node, keep its files, and restore a backup",
    )


def _tile(
    connection: sqlite3.Connection, levels: Sequence[_Level], number: int, tile_index: int
) -> TileNodes:
    if number < len(levels) and tile_index == levels[number].full:
        return _unstored(levels[number].tail[: levels[number].count])
    stored = _read_tile(connection, number, tile_index)
    if stored is None:
        # It filled up after this reader's snapshot began and isn't in it: its rows below are.
        return _unstored(_hashes_below(connection, number, tile_index)[:TILE_WIDTH])
    return TileNodes(*stored) if number == 0 else shared_nodes(*stored)


def _unstored(hashes: list[bytes]) -> TileNodes:
    return shared_nodes(b"".join(hashes), None)


def _read_tile(
    connection: sqlite3.Connection, number: int, tile_index: int
) -> tuple[bytes, bytes] | None:
    row: tuple[bytes, bytes] | None = connection.execute(
        "SELECT hashes, inner FROM tile WHERE level = ? AND tile_index = ?", (number, tile_index)
    ).fetchone()
    return row


def _hashes_below(connection: sqlite3.Connection, number: int, tile_index: int) -> list[bytes]:
    """Compute level ``number``'s hashes from that tile on out of the rows one level down."""
    first = tile_index * TILE_WIDTH
    rows: Iterable[tuple[bytes]]
    if number == 0:
        rows = connection.execute(
            "SELECT leaf FROM entry WHERE leaf_index >= ? ORDER BY leaf_index LIMIT ?",
            (first, 2 * TILE_WIDTH),
        )
        return [leaf_hash(leaf) for (leaf,) in rows]
    rows = connection.execute(
        "SELECT hashes FROM tile WHERE level = ? AND tile_index >= ? ORDER BY tile_index LIMIT ?",
        (number - 1, first, 2 * TILE_WIDTH),
    )
    return [root_hash(split_hashes(hashes)) for (hashes,) in rows]


def _root(size: int, levels: Sequence[_Level]) -> bytes:
    peaks: list[bytes] = []
    for level in reversed(levels):
        start = 0
        for height in reversed(range(TILE_HEIGHT)):
            if level.count >> height & 1:
                peaks.append(root_hash(level.tail[start : start + (1 << height)]))
                start += 1 << height
    return CompactRange(size, peaks).root()
