"""Tiles: the tree's hashes in rows of 256, as C2SP tlog-tiles has them.

Tile (level, index) holds the roots of 256 neighbouring subtrees, each 8 * level tree levels high.
A full tile never changes; what lies to the right of the last full one follows from the leaves.

Source: C2SP tlog-tiles.
"""

TILE_HEIGHT = 8  # tree levels
TILE_WIDTH = 1 << TILE_HEIGHT  # hashes
