"""The nodes inside one tile: any of them for some thirty hashes, not for the tile's 255.

A tile's 16 *inner* nodes, four levels above its hashes, are kept with it: a proof then hashes one group of 16
below them and the 16 themselves.
"""

from __future__ import annotations

from collections.abc import Sequence

from sealtrail.log.tree import HASH_BYTES, node_hash, root_hash, split_hashes

_GROUP_HEIGHT = 4
_GROUP_WIDTH = 1 << _GROUP_HEIGHT


def inner_nodes(hashes: Sequence[bytes]) -> list[bytes]:
    """Return the roots of each whole group of 16."""
    whole = len(hashes) // _GROUP_WIDTH * _GROUP_WIDTH
    return [root_hash(hashes[at : at + _GROUP_WIDTH]) for at in range(0, whole, _GROUP_WIDTH)]


class TileNodes:
    """The complete subtrees of a tile's first hashes, computed where asked for and kept."""

    def __init__(self, hashes: bytes, inner: bytes) -> None:
        self._hashes = hashes
        self._inner: list[Sequence[bytes]] = [
            split_hashes(inner)
        ]  # levels, from the groups' roots up
        self._groups: dict[int, list[Sequence[bytes]]] = {}

    def at(self, height: int, index: int) -> bytes | None:
        """Return the node so many levels above the tile's hashes; None if it isn't complete."""
        if height >= _GROUP_HEIGHT:
            levels, height = self._inner, height - _GROUP_HEIGHT
        else:
            group = index >> (_GROUP_HEIGHT - height)
            index -= group << (_GROUP_HEIGHT - height)
            levels = self._groups.get(group) or self._open(group)
        while len(levels) <= height:
            levels.append(_parents(levels[-1]))
        return levels[height][index] if index < len(levels[height]) else None

    def _open(self, group: int) -> list[Sequence[bytes]]:
        start = group * _GROUP_WIDTH * HASH_BYTES
        hashes = self._hashes[start : start + _GROUP_WIDTH * HASH_BYTES]
        levels: list[Sequence[bytes]] = [split_hashes(hashes)]
        self._groups[group] = levels
        return levels


def _parents(hashes: Sequence[bytes]) -> list[bytes]:
    """Hash complete pairs (RFC 9162 section 2.1.1); an odd last one has no parent yet."""
    pairs = zip(hashes[::2], hashes[1::2], strict=False)
    return [node_hash(left, right) for left, right in pairs]
