"""A tree of which only some leaves are shown: read from left to right, with the hashes of what lies between.

What is not shown is given as the roots of the largest complete subtrees that lead from one shown place to the next;
there is one way to cut a gap into these, so there is one form. Reading it needs memory for one path only, proves every
leaf's inclusion, and the consistency of every tree head met on the way.

Source: RFC 9162 section 2.1 for the tree; docs/protocol.md section 18 for the form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sealtrail.errors import VerificationError
from sealtrail.log.tree import HASH_BYTES, CompactRange, NodeAt


def gap_nodes(position: int, target: int) -> Iterator[tuple[int, int]]:
    """Yield (level, index) of the subtrees that lead from ``position`` leaves to ``target`` leaves, in order."""
    while position < target:
        level = (target - position).bit_length() - 1
        if position:  # the lowest bit set says how large a subtree may begin here
            level = min(level, (position & -position).bit_length() - 1)
        yield level, position >> level
        position += 1 << level


def gap_hashes(position: int, target: int, node: NodeAt) -> tuple[bytes, ...]:
    """Return the hashes of a gap from a whole tree's nodes."""
    return tuple(node(level, index) for level, index in gap_nodes(position, target))


class SparseTree(CompactRange):
    """The state of a tree that is read from left to right; starts with no leaves."""

    __slots__ = ()

    def skip(self, target: int, hashes: Sequence[bytes]) -> None:
        """Go on to where ``target`` leaves lie behind, over what is not shown.

        Raises:
            VerificationError: that is no way forward (``tree_not_ascending``), or the hashes are not those of the one
                way to cut the gap (``gap_length``, ``gap_hash_length``).
        """
        if target < self.size:
            raise VerificationError(
                "tree_not_ascending", f"leaf {target} after {self.size} leaves were read"
            )
        nodes = list(gap_nodes(self.size, target))
        if len(nodes) != len(hashes):
            raise VerificationError(
                "gap_length",
                f"{len(hashes)} hashes from leaf {self.size} to leaf {target}, not {len(nodes)}",
            )
        for (level, _), each in zip(nodes, hashes, strict=True):
            if len(each) != HASH_BYTES:
                raise VerificationError("gap_hash_length", f"a hash of {len(each)} bytes, not 32")
            self.append_subtree(level, each)
