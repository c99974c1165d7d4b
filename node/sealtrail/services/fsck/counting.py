"""Sets of items compared by sums: a table in the order of items against events in the order of their rows.

Each event's items become one number, the sum of a keyed hash of each. Two sets that differ have the same sum once in
2**63, whoever made them: the key is new for each run.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

_DIGEST_BYTES = 8
MODULUS = 1 << 63  # of sums: they stand in signed words
_SEPARATOR = "\0"  # in no identifier


class Counting:
    """Counts items under one key."""

    def __init__(self, key: bytes) -> None:
        self._hasher = blake2b(key=key, digest_size=_DIGEST_BYTES)

    def one(self, item: str, place: str) -> int:
        """Return what an item in that place counts."""
        hasher = self._hasher.copy()
        hasher.update((place + _SEPARATOR + item).encode("utf-8", "surrogatepass"))
        return int.from_bytes(hasher.digest(), "big")

    def sum(self, items: Iterable[tuple[str, str]]) -> int:
        """Return what a set of items counts."""
        return sum(self.one(item, place) for item, place in set(items)) % MODULUS


class Sums:
    """A number for each of some rows, to be sent between processes: joined, two of them are one."""

    def __init__(self) -> None:
        self._pairs = array("q")

    def add(self, row: int, total: int) -> None:
        """Add a row's number, below :data:`MODULUS`."""
        self._pairs.append(row)
        self._pairs.append(total)

    def encode(self) -> bytes:
        """Return all of it as bytes."""
        return self._pairs.tobytes()


def decode_sums(data: bytes) -> Iterable[tuple[int, int]]:
    """Return (row, number) of what :meth:`Sums.encode` gave."""
    pairs = array("q")
    pairs.frombytes(data)
    return zip(pairs[::2], pairs[1::2], strict=True)
