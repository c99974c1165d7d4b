"""Tiles: the tree's hashes in rows of 256, and the entries below them, as C2SP tlog-tiles names and encodes them.

Tile (level, index) holds the roots of 256 neighbouring subtrees, each 8 * level tree levels high.
A full tile never changes; what lies to the right of the last full one follows from the leaves.
Beside the standard's tiles and entry bundles stand *key bundles*, which are ours: the same entries' item keys.

Source: C2SP tlog-tiles; docs/protocol.md section 15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

import msgspec

from sealtrail.errors import InputError
from sealtrail.log.tree import HASH_BYTES

TILE_HEIGHT = 8  # tree levels
TILE_WIDTH = 1 << TILE_HEIGHT  # hashes
LEVEL_MAX = 63
INDEX_MAX = 2**63 - 1
PATH_CHARACTERS_MAX = 64

Bundle: TypeAlias = Literal["entries", "keys"]
ENTRIES: Final = "entries"
KEYS: Final = "keys"

_PATH = re.compile(
    r"(?P<row>0|[1-9][0-9]?|entries|keys)/(?P<index>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class TileName(msgspec.Struct, frozen=True, kw_only=True):
    """Which tile (``row`` is its level) or bundle, and how many hashes or entries of it: 256 if it is full."""

    row: int | Bundle
    index: int
    width: int = TILE_WIDTH

    @property
    def level(self) -> int:
        """The tile's level; bundles are as wide as those of level 0."""
        return self.row if isinstance(self.row, int) else 0

    @property
    def is_full(self) -> bool:
        """Whether nothing will ever be added to it."""
        return self.width == TILE_WIDTH

    @property
    def sizes(self) -> tuple[int, int]:
        """The tree sizes, first and behind the last, of which this is the rightmost tile; of a full one, without end.

        A partial tile belongs to these trees and no others; a full one to every tree from the first size on.
        """
        step = TILE_HEIGHT * self.level
        units = self.index * TILE_WIDTH + self.width
        return units << step, (units + 1) << step

    def __str__(self) -> str:
        """The path below ``tile/``."""
        digits = f"{self.index:03d}"
        digits = digits.rjust(-(-len(digits) // 3) * 3, "0")
        *upper, last = (digits[at : at + 3] for at in range(0, len(digits), 3))
        path = "/".join((str(self.row), *(f"x{group}" for group in upper), last))
        return path if self.is_full else f"{path}.p/{self.width}"


def parse_tile_name(path: str) -> TileName:
    """Read the path below ``tile/``; its one form only.

    Raises:
        InputError: ``tile_path_malformed``.

    Source: C2SP tlog-tiles, Merkle Tree.
    """
    found = _PATH.fullmatch(path) if len(path) <= PATH_CHARACTERS_MAX else None
    if found is None:
        raise _malformed(path)
    row: str = found["row"]
    bundles: dict[str, Bundle] = {ENTRIES: ENTRIES, KEYS: KEYS}
    name = TileName(
        row=bundles[row] if row in bundles else int(row),
        index=int(found["index"].replace("/", "").replace("x", "")),
        width=int(found["width"] or TILE_WIDTH),
    )
    is_within = name.level <= LEVEL_MAX and name.index <= INDEX_MAX
    # x000/001 names tile 1, and .p/256 a full one: neither is the name of anything
    if not is_within or name.width > TILE_WIDTH or str(name) != path:
        raise _malformed(path)
    return name


def encode_entry_bundle(leaves: Iterable[bytes]) -> bytes:
    """Return the entries of a bundle, each behind its length. Source: C2SP tlog-tiles, Log entries."""
    return b"".join(len(leaf).to_bytes(2, "big") + leaf for leaf in leaves)


def encode_key_bundle(item_keys: Iterable[bytes]) -> bytes:
    """Return the item keys of a bundle's entries, each entry's (joined) behind their count."""
    return b"".join((len(keys) // HASH_BYTES).to_bytes(4, "big") + keys for keys in item_keys)


def parse_entry_bundle(data: bytes, width: int) -> list[bytes]:
    """Read the entries of a bundle, which must be so many and all that there is.

    Raises:
        InputError: ``bundle_malformed``.
    """
    leaves, at = [], 0
    for _ in range(width):
        begin = at + 2
        at = begin + int.from_bytes(data[at:begin], "big")
        leaves.append(data[begin:at])
    if at != len(data):
        raise _bundle_malformed(f"{len(data)} bytes are not {width} entries")
    return leaves


class KeyBundleReader:
    """Reads a key bundle as it comes, so that never more of it is held than one entry's keys.

    Args:
        width: how many entries it has.
        keys_max: the most that one entry may have.
    """

    def __init__(self, width: int, *, keys_max: int) -> None:
        self._missing = width
        self._keys_max = keys_max
        self._begun = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the item keys (joined) of each entry that is whole with these bytes.

        Raises:
            InputError: ``bundle_malformed``: more entries, or more keys of one, than there can be.
        """
        begun = self._begun
        begun += data
        found, at = [], 0
        while len(begun) - at >= 4:
            count = int.from_bytes(begun[at : at + 4], "big")
            if count > self._keys_max:
                raise _bundle_malformed(
                    f"an entry with {count} item keys, at most {self._keys_max}"
                )
            end = at + 4 + count * HASH_BYTES
            if end > len(begun):
                break
            found.append(bytes(begun[at + 4 : end]))
            at = end
        del begun[:at]
        self._missing -= len(found)
        if self._missing < 0 or (not self._missing and begun):
            raise _bundle_malformed("it goes on behind its last entry")
        return found

    def finish(self) -> None:
        """Check that all of it came.

        Raises:
            InputError: ``bundle_malformed``.
        """
        if self._missing:
            raise _bundle_malformed(f"it ends {self._missing} entries early")


def _bundle_malformed(what: str) -> InputError:
    return InputError("bundle_malformed", f"no bundle: {what}")


def _malformed(path: str) -> InputError:
    return InputError(
        "tile_path_malformed",
        f"no tile is named {path[:PATH_CHARACTERS_MAX]!r}",
        advice="LEVEL/INDEX, entries/INDEX or keys/INDEX, the index in groups of three digits like x001/x234/067,"
        " and .p/WIDTH behind that of a tile that is not full",
    )
