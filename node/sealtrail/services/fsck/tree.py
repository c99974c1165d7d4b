"""The log's tree: every leaf's hash, every tile with its inner nodes, and the roots at the sizes that were signed.

The tree is computed from the leaves. Where tiles say otherwise, the signed roots say which of the two was changed: if
the tree from the leaves does not lead to them, and does once the tiles' hashes stand in for the leaves that differ, the
leaves are at fault.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Set

import msgspec

from sealtrail.errors import InputError
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.tiles import TILE_WIDTH
from sealtrail.log.tree import (
    HASH_BYTES,
    CompactRange,
    leaf_hash,
    root_hash,
    split_hashes,
)
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.store.tile_nodes import inner_nodes

_NAMED_MAX = 1_000
_NO_HASH = bytes(HASH_BYTES)  # of a leaf that is gone


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """One walk over the leaves: roots at the sizes asked for, the tiles that differ, and leaves unlike theirs."""

    roots: dict[int, bytes]
    faults: Findings
    unlike: dict[int, bytes]


class _Walk:
    def __init__(
        self,
        connection: sqlite3.Connection,
        sizes: frozenset[int],
        instead: Mapping[int, bytes],
        wanted: Set[tuple[int, int]] = frozenset(),
    ) -> None:
        self._connection = connection
        self._wanted = wanted  # tiles to be handed out as they should be
        self.computed: list[tuple[int, int, bytes, bytes]] = []
        self._sizes = sorted(sizes, reverse=True)  # the next one last
        self._instead = instead
        self._above: list[list[bytes]] = []  # by level from 1: hashes of the tile that is filling
        self._filled: list[int] = []  # by level from 0: full tiles so far
        self._range = CompactRange()  # over level 0's full tiles
        self.tree = Tree(roots={}, faults=Findings(), unlike={})

    def run(self) -> Tree:
        first, hashes = 0, []
        for each in _leaf_hashes(self._connection, self._instead):
            hashes.append(each)
            if len(hashes) == TILE_WIDTH:
                self._note_roots(first, hashes)
                self._fill(0, hashes)
                first, hashes = first + TILE_WIDTH, []
        self._note_roots(first, hashes)
        self._check_extra()
        return self.tree

    def _fill(self, level: int, hashes: list[bytes]) -> None:
        """Take a full tile in, and put its root into the level above."""
        if level == len(self._filled):
            self._filled.append(0)
            self._above.append([])
        inner = inner_nodes(hashes)
        self._compare(level, self._filled[level], hashes, inner)
        self._filled[level] += 1
        root = root_hash(inner)
        if level == 0:
            self._range.append(root)
        above = self._above[level]
        above.append(root)
        if len(above) == TILE_WIDTH:
            self._above[level] = []
            self._fill(level + 1, above)

    def _compare(self, level: int, number: int, hashes: list[bytes], inner: list[bytes]) -> None:
        key = {"level": level, "tile_index": number}
        if (level, number) in self._wanted:
            self.computed.append((level, number, b"".join(hashes), b"".join(inner)))
        row = self._connection.execute(
            "SELECT hashes, inner FROM tile WHERE level = ? AND tile_index = ?", (level, number)
        ).fetchone()
        faults = self.tree.faults
        if row is None:
            faults.add("tile_missing", "tile", key, "the log has leaves for a whole tile here")
            return
        if row[0] != b"".join(hashes):
            message = "its hashes are not those of what lies below it"
            faults.add("tile_differs", "tile", key, message, column="hashes")
            if level == 0:
                self._note_unlike(number * TILE_WIDTH, hashes, split_hashes(row[0]))
        if row[1] != b"".join(inner):
            message = "its inner nodes are not those of what lies below it"
            faults.add("tile_differs", "tile", key, message, column="inner")

    def _note_unlike(self, first: int, hashes: list[bytes], kept: tuple[bytes, ...]) -> None:
        for n, (computed, stored) in enumerate(zip(hashes, kept, strict=False)):
            if computed != stored and len(stored) == HASH_BYTES:
                self.tree.unlike[first + n] = stored

    def _note_roots(self, first: int, hashes: list[bytes]) -> None:
        while self._sizes and self._sizes[-1] <= first + len(hashes):
            size = self._sizes.pop()
            peaks = (*self._range.peaks, *_peaks(hashes[: size - first]))
            self.tree.roots[size] = CompactRange(size, peaks).root() if size else root_hash([])

    def _check_extra(self) -> None:
        """Name tiles for which the log has no leaves."""
        for level, number in self._connection.execute(
            "SELECT level, tile_index FROM tile ORDER BY level, tile_index"
        ):
            full = self._filled[level] if 0 <= level < len(self._filled) else 0
            if not 0 <= number < full:
                key = {"level": level, "tile_index": number}
                self.tree.faults.add("tile_unexpected", "tile", key, f"{full} are full there")


def _leaf_hashes(connection: sqlite3.Connection, instead: Mapping[int, bytes]) -> Iterator[bytes]:
    expected = 0
    for leaf_index, leaf in connection.execute(
        "SELECT leaf_index, leaf FROM entry WHERE leaf_index >= 0 ORDER BY leaf_index"
    ):
        if leaf_index - expected > _NAMED_MAX * TILE_WIDTH:
            return  # an index far off: what comes after it has no place
        while expected < leaf_index:
            yield instead.get(expected, _NO_HASH)
            expected += 1
        expected += 1
        yield instead.get(leaf_index) or leaf_hash(leaf)


def _peaks(hashes: list[bytes]) -> list[bytes]:
    peaks, start = [], 0
    for height in reversed(range(TILE_WIDTH.bit_length())):
        if len(hashes) >> height & 1:
            peaks.append(root_hash(hashes[start : start + (1 << height)]))
            start += 1 << height
    return peaks


def signed_roots(scope: Scope) -> dict[int, bytes]:
    """Return size → root of the own checkpoints whose notes are what the outbox has them for."""
    roots = {}
    for checkpoint_hash, note in scope.connection.execute(
        "SELECT checkpoint_hash, note FROM checkpoint WHERE member = ?", (scope.member,)
    ):
        try:
            checkpoint = parse_note(note).checkpoint
        except InputError:
            continue
        if checkpoint.hash == checkpoint_hash:
            roots[checkpoint.size] = checkpoint.root_hash
    return roots


def true_tree(scope: Scope) -> Tree:
    """Return the tree that the signed roots speak for, with what differs from it."""
    signed = signed_roots(scope)
    tree = _Walk(scope.connection, frozenset(signed), {}).run()
    if not tree.unlike or _matching(tree, signed) == len(signed):
        return tree
    other = _Walk(scope.connection, frozenset(signed), tree.unlike).run()
    if _matching(other, signed) <= _matching(tree, signed):
        return tree
    for leaf_index in list(tree.unlike)[:_NAMED_MAX]:
        key = {"leaf_index": leaf_index}
        message = "the leaf is not the one that the signed tree has here"
        other.faults.add("leaf_not_in_tree", "entry", key, message, column="leaf")
    return other


def computed_tiles(
    scope: Scope, wanted: Set[tuple[int, int]]
) -> list[tuple[int, int, bytes, bytes]] | None:
    """Return those tiles (level, index, hashes, inner nodes) as the leaves have them.

    None: the leaves don't lead to all the roots that were signed.
    """
    signed = signed_roots(scope)
    walk = _Walk(scope.connection, frozenset(signed), {}, wanted)
    tree = walk.run()
    return walk.computed if _matching(tree, signed) == len(signed) else None


def _matching(tree: Tree, signed: Mapping[int, bytes]) -> int:
    return sum(tree.roots.get(size) == root for size, root in signed.items())


def look(scope: Scope, first: int, last: int) -> Findings:
    """Walk the whole log."""
    tree = true_tree(scope)
    found = tree.faults
    for checkpoint_hash, note in scope.connection.execute(
        "SELECT checkpoint_hash, note FROM checkpoint WHERE member = ?", (scope.member,)
    ):
        key = {"checkpoint_hash": checkpoint_hash}
        try:
            checkpoint = parse_note(note).checkpoint
        except InputError:
            continue  # named with the checkpoints
        root = tree.roots.get(checkpoint.size)
        if root is None:
            message = f"signed at {checkpoint.size} leaves, which the log does not have"
            found.add("checkpoint_beyond_log", "checkpoint", key, message)
        elif root != checkpoint.root_hash:
            found.differs(
                "checkpoint", key, "note", checkpoint.root_hash, root, code="root_differs"
            )
    return found


CHECK = Check(
    name="log tree",
    tables=("entry", "tile", "checkpoint"),
    look=look,
    span=lambda scope: (0, scope.count("SELECT max(leaf_index) + 1 FROM entry")),
    weight=0.02,
)
