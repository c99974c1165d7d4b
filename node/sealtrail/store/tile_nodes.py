"""The nodes inside one tile: any of them for a few hashes, not for the tile's 255.

A tile's 16 *inner* nodes, four levels above its hashes, are kept with it: no node is further than 15 hashes from what
is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sealtrail.log.tree import HASH_BYTES, split_hashes, subtree_root

_GROUP_HEIGHT = 4
_GROUP_WIDTH = 1 << _GROUP_HEIGHT
_SHARED_TILES = 64  # 60 kB each once all their nodes are known


def inner_nodes(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the roots of each whole group of 16."""
    whole = len(hashes) // _GROUP_WIDTH * _GROUP_WIDTH
    return [
        subtree_root(b"".join(hashes[at : at + _GROUP_WIDTH]))
        for at in range(0, whole, _GROUP_WIDTH)
    ]


class TileNodes:
    """The complete subtrees of a tile's first hashes, computed where asked for and kept.

    Usable from several threads: what two of them compute at once is the same.
    """

    def __init__(self, hashes: bytes, inner: bytes) -> None:
        self._hashes = hashes
        self._inner = inner
        self._known: dict[tuple[int, int], bytes] = {}

    def at(self, height: int, index: int) -> bytes | None:
        """Return the node so many levels above the tile's hashes; None if it isn't complete."""
        known = self._known.get((height, index))
        if known is None:
            below = self._below(height, index)
            if below is None:
                return None
            known = self._known[height, index] = subtree_root(below)
        return known

    def _below(self, height: int, index: int) -> bytes | None:
        """Return the kept hashes that a node is over, or None if some are not there."""
        kept = self._hashes
        if height >= _GROUP_HEIGHT:
            kept, height = self._inner, height - _GROUP_HEIGHT
        length = HASH_BYTES << height
        below = kept[index * length : (index + 1) * length]
        return below if len(below) == length else None


@lru_cache(maxsize=_SHARED_TILES)
def shared_nodes(hashes: bytes, inner: bytes | None) -> TileNodes:
    """Return the nodes over these very hashes, kept from one question to the next.

    For tiles that most proofs go through: those above the leaves, and the last one of each level.

    Args:
        inner: None if they are not kept with the tile, because it isn't full.
    """
    return TileNodes(
        hashes, b"".join(inner_nodes(split_hashes(hashes))) if inner is None else inner
    )
