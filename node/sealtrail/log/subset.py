"""Several leaves of one tree shown at once: the roots of what is not shown, and the tree's root from both.

For one leaf the hashes are those of its inclusion proof, from left to right instead of from the leaf up.
The root alone does not bind the tree's size: whoever relies on the size, or on a leaf's index, takes it from what is
signed beside the root. That the leaves are the tree's is bound whatever size is claimed.

Source: docs/protocol.md section 6; RFC 9162 section 2.1.1 for the tree's shape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.tree import (
    EMPTY_ROOT,
    HASH_BYTES,
    PROOF_HASHES_MAX,
    left_width,
    node_hash,
    root_hash,
)


def covering_hashes(leaf_hashes: Sequence[bytes], shown: Iterable[int]) -> tuple[bytes, ...]:
    """Return the roots of the largest subtrees that hold no shown leaf, from left to right.

    Raises:
        InputError: ``leaf_index_out_of_range``.
    """
    indices = sorted(set(shown))
    if indices and not 0 <= indices[0] <= indices[-1] < len(leaf_hashes):
        raise InputError(
            "leaf_index_out_of_range", f"leaves {indices[0]} to {indices[-1]} of {len(leaf_hashes)}"
        )
    return tuple(_cover(leaf_hashes, indices, 0, len(leaf_hashes))) if leaf_hashes else ()


def covered_root(size: int, shown: Mapping[int, bytes], hashes: Sequence[bytes]) -> bytes:
    """Return the root of a tree of ``size`` leaves from some leaf hashes and what covers the others.

    Raises:
        VerificationError: ``tree_size_out_of_range``, ``leaf_index_out_of_range``, ``proof_too_long``,
            ``proof_too_short``, ``proof_hash_length``.
    """
    if (
        not 0 <= size < 1 << PROOF_HASHES_MAX
    ):  # a recursion would go as deep as a larger size has bits
        raise VerificationError("tree_size_out_of_range", f"a size of {size.bit_length()} bits")
    indices = sorted(shown)
    if indices and not 0 <= indices[0] <= indices[-1] < size:
        raise VerificationError(
            "leaf_index_out_of_range", f"leaves {indices[0]} to {indices[-1]} of {size}"
        )
    for each in hashes:
        if len(each) != HASH_BYTES:
            raise VerificationError("proof_hash_length", f"a hash of {len(each)} bytes, not 32")
    rest = iter(hashes)
    root = _join(shown, indices, rest, 0, size) if size else EMPTY_ROOT
    if next(rest, None) is not None:
        raise VerificationError("proof_too_long", f"{len(hashes)} hashes are more than is covered")
    return root


def _cover(leaves: Sequence[bytes], indices: list[int], begin: int, end: int) -> Iterator[bytes]:
    if not indices:
        yield root_hash(leaves[begin:end])
    elif end - begin > 1:
        split = begin + left_width(end - begin)
        cut = bisect_left(indices, split)
        yield from _cover(leaves, indices[:cut], begin, split)
        yield from _cover(leaves, indices[cut:], split, end)


def _join(
    shown: Mapping[int, bytes], indices: list[int], rest: Iterator[bytes], begin: int, end: int
) -> bytes:
    if not indices:
        covered = next(rest, None)
        if covered is None:
            raise VerificationError(
                "proof_too_short", f"nothing covers leaves {begin} to {end - 1}"
            )
        return covered
    if end - begin == 1:
        return shown[begin]
    split = begin + left_width(end - begin)
    cut = bisect_left(indices, split)
    left = _join(shown, indices[:cut], rest, begin, split)
    return node_hash(left, _join(shown, indices[cut:], rest, split, end))
