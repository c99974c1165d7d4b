"""Tiles: the tree's hashes in rows 256 wide, as C2SP tlog-tiles has them.

Tile ``(level, index)`` holds the roots of 256 neighbouring subtrees of height ``8 * level``. Only full tiles are
kept for good; what lies to the right of the last full one is known from the leaves themselves.

Source: C2SP tlog-tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sealtrail.log.tree import HASH_BYTES, NodeAt, root_hash

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT


def completed_tiles(first: int, second: int) -> Iterator[tuple[int, int]]:
    """Yield ``(level, index)`` of the full tiles that a tree gains growing from ``first`` to ``second`` leaves.

    Lower levels come first: a tile's hashes are the roots of full tiles one level down.
    """
    level, old, new = 0, first >> TILE_HEIGHT, second >> TILE_HEIGHT
    while new:
        for index in range(old, new):
            yield level, index
        level, old, new = level + 1, old >> TILE_HEIGHT, new >> TILE_HEIGHT


def tile_hashes(level: int, index: int, node: NodeAt) -> bytes:
    """Return the 256 hashes of a full tile, joined, from the tree's complete subtrees."""
    begin = index << TILE_HEIGHT
    height = level * TILE_HEIGHT
    return b"".join(node(height, n) for n in range(begin, begin + TILE_WIDTH))


def node_from_tiles(level: int, index: int, tile: Callable[[int, int], bytes]) -> bytes:
    """Return the root of a complete subtree from the tile that holds it.

    Args:
        level, index: the subtree, as :mod:`sealtrail.log.tree` counts them.
        tile: gives the joined hashes of tile (level, index), at least as far as the subtree goes.
    """
    tile_level, height = divmod(level, TILE_HEIGHT)
    tile_index, begin = divmod(index << height, TILE_WIDTH)
    hashes = tile(tile_level, tile_index)
    span = range(begin * HASH_BYTES, (begin + (1 << height)) * HASH_BYTES, HASH_BYTES)
    return root_hash(hashes[at : at + HASH_BYTES] for at in span)


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """Return a tile's path below a log's prefix, such as ``tile/0/x001/234.p/12``."""
    groups = [f"{index % 1000:03d}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < TILE_WIDTH else ""
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"
