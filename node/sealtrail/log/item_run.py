"""One run of the item index, wherever its leaves are kept: finding a key's leaf and proving it.

Source: docs/protocol.md section 16.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Protocol

from sealtrail.log.item_index import (
    LAST_KEY,
    Run,
    RunHead,
    listed,
    run_leaf_hashes,
    sorted_lists,
)
from sealtrail.log.item_proof import RunProof
from sealtrail.log.tree import inclusion_proof, root_hash


class RunLeaves(Protocol):
    """A run whose leaves can be read. Nothing is checked here: a damaged run proves what does not hold."""

    @property
    def head(self) -> RunHead:
        """Its place, size and root."""
        ...

    def key_at(self, position: int) -> bytes:
        """Return a leaf's key."""
        ...

    def list_at(self, position: int, *, whole: bool) -> bytes:
        """Return a leaf's list: all leaf indices joined, or as it stands in the leaf."""
        ...

    def node(self, level: int, index: int) -> bytes:
        """Return the root of a complete subtree."""
        ...


def prove_in_run(leaves: RunLeaves, key: bytes) -> RunProof:
    """Return the leaf that decides what the run has of ``key``, and its path."""
    size = leaves.head.tree_leaves
    # The first leaf's key is not above any, so there is one at or before each.
    position = bisect_right(range(size), key, key=leaves.key_at) - 1
    found = leaves.key_at(position)
    return RunProof(
        tree_leaves=size,
        position=position,
        key=found,
        next_key=leaves.key_at(position + 1) if position + 1 < size else LAST_KEY,
        leaf_indices=leaves.list_at(position, whole=found == key),
        hashes=b"".join(inclusion_proof(position, size, leaves.node)),
    )


class RunInMemory:
    """A run built from its postings: short ones, such as the tail."""

    def __init__(self, run: Run, lists: Mapping[bytes, bytes]) -> None:
        self._leaves = sorted_lists(lists)
        self._hashes = run_leaf_hashes(self._leaves)
        self.head = RunHead(run, len(self._leaves), root_hash(self._hashes))

    @property
    def leaves(self) -> list[tuple[bytes, bytes]]:
        """Each leaf's key and joined leaf indices."""
        return self._leaves

    def key_at(self, position: int) -> bytes:
        """See :class:`RunLeaves`."""
        return self._leaves[position][0]

    def list_at(self, position: int, *, whole: bool) -> bytes:
        """See :class:`RunLeaves`."""
        leaf_indices = self._leaves[position][1]
        return leaf_indices if whole else listed(leaf_indices)

    def node(self, level: int, index: int) -> bytes:
        """See :class:`RunLeaves`."""
        first = index << level
        return root_hash(self._hashes[first : first + (1 << level)])
