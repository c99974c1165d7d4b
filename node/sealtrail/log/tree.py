"""RFC 9162 Merkle trees over SHA-256: roots, proofs, and their verification.

Leaves come in as *leaf hashes*; what a leaf is, is not this module's business.
It stores nothing: proofs are made from a ``node`` callback that gives the root of a complete subtree,
``node(level, index)`` being the one over leaves ``[index * 2**level, (index + 1) * 2**level)``.

Source: RFC 9162 section 2.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import msgspec

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.small_hash import sha256

HASH_BYTES = 32
PROOF_HASHES_MAX = 64  # tree sizes are below 2**64
EMPTY_ROOT = sha256(b"").digest()

NodeAt: TypeAlias = Callable[[int, int], bytes]


class TreeHead(msgspec.Struct, frozen=True):
    """A tree's size and root: one value, because an inclusion proof alone does not bind the size."""

    size: int
    root_hash: bytes


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf's bytes. Source: RFC 9162 section 2.1.1."""
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node. Source: RFC 9162 section 2.1.1."""
    return sha256(b"\x01" + left + right).digest()


def split_hashes(joined: bytes) -> tuple[bytes, ...]:
    """Return hashes that were joined; the last is shorter if there is no whole number of them."""
    return tuple(joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES))


def root_hash(leaf_hashes: Iterable[bytes]) -> bytes:
    """Return the root over all leaf hashes, in order. Source: RFC 9162 section 2.1.1."""
    level = list(leaf_hashes)
    if not level:
        return EMPTY_ROOT
    if len(level) == 2:  # as most entries' own trees are
        return node_hash(level[0], level[1])
    while len(level) > 1:
        # Joining neighbours level by level, an odd last one going up as it is, gives the RFC's recursive tree.
        odd = level[-1:] if len(level) % 2 else []
        level = joined_pairs(level) + odd
    return level[0]


def joined_pairs(level: Sequence[bytes]) -> list[bytes]:
    """Return the nodes above neighbours, two by two; an odd last one has none."""
    lefts, rights = level[::2], level[1::2]
    return [  # node_hash, for many
        sha256(b"\x01" + left + right).digest() for left, right in zip(lefts, rights, strict=False)
    ]


def subtree_root(joined: bytes) -> bytes:
    """Return the root over hashes that were joined, a power of two of them: a complete subtree's.

    Two hashes side by side are what an inner node is made from, so nothing is taken apart.
    """
    while len(joined) > HASH_BYTES:
        joined = b"".join(
            [
                sha256(b"\x01" + joined[at : at + 2 * HASH_BYTES]).digest()
                for at in range(0, len(joined), 2 * HASH_BYTES)
            ]
        )
    return joined


def range_root(begin: int, end: int, node: NodeAt) -> bytes:
    """Return the root of leaves ``[begin, end)``, where ``begin`` is a multiple of a power of two ≥ its length."""
    level = (end - begin).bit_length() - 1
    if end - begin == 1 << level:
        return node(level, begin >> level)
    split = begin + (1 << level)
    return node_hash(node(level, begin >> level), range_root(split, end, node))


class CompactRange:
    """A growing tree of which only the roots of its complete subtrees are kept.

    ``peaks`` holds them from left to right, one for each bit set in ``size``;
    the pair (``size``, ``peaks``) is its whole state.
    """

    __slots__ = ("_peaks", "_size")

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        """Go on from a state.

        Raises:
            InputError: ``compact_range_malformed``, the number of peaks does not fit the size.
        """
        if size < 0 or len(peaks) != size.bit_count():
            raise InputError(
                "compact_range_malformed",
                f"{len(peaks)} peaks for a tree of {size} leaves",
            )
        self._size = size
        self._peaks = list(peaks)

    @classmethod
    def from_nodes(cls, size: int, node: NodeAt) -> CompactRange:
        """Build the state of a tree of ``size`` leaves from its complete subtrees."""
        peaks, begin = [], 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                peaks.append(node(level, begin >> level))
                begin += 1 << level
        return cls(size, peaks)

    @property
    def size(self) -> int:
        """The number of leaves."""
        return self._size

    @property
    def peaks(self) -> tuple[bytes, ...]:
        """The roots of the complete subtrees, from left (largest) to right."""
        return tuple(self._peaks)

    def append(self, leaf_hash: bytes) -> None:
        """Add one leaf on the right."""
        self.append_subtree(0, leaf_hash)

    def append_subtree(self, level: int, root: bytes) -> None:
        """Add a complete subtree of ``2**level`` leaves on the right; the size is a multiple of that."""
        # As adding 2**level to a binary number carries, so complete neighbours join.
        above = self._size >> level
        while above & 1:
            root = node_hash(self._peaks.pop(), root)
            above >>= 1
        self._peaks.append(root)
        self._size += 1 << level

    def extend(self, leaf_hashes: Iterable[bytes]) -> None:
        """Add leaves on the right, in order."""
        for each in leaf_hashes:
            self.append(each)

    def root(self) -> bytes:
        """Return the root of the tree as it stands."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node_hash(peak, root)
        return root

    def head(self) -> TreeHead:
        """Return size and root."""
        return TreeHead(self._size, self.root())


def inclusion_proof(index: int, size: int, node: NodeAt) -> list[bytes]:
    """Return the proof that leaf ``index`` is in the tree of the first ``size`` leaves, from the leaf up.

    Raises:
        InputError: ``leaf_index_out_of_range``.

    Source: RFC 9162 section 2.1.3.1.
    """
    if not 0 <= index < size:
        raise InputError("leaf_index_out_of_range", f"leaf {index} of a tree of {size} leaves")
    path = []
    begin, end = 0, size
    while end - begin > 1:
        split = begin + left_width(end - begin)
        if index < split:
            path.append(range_root(split, end, node))
            end = split
        else:
            path.append(range_root(begin, split, node))
            begin = split
    path.reverse()
    return path


def consistency_proof(first: int, second: int, node: NodeAt) -> list[bytes]:
    """Return the proof that the tree of ``second`` leaves begins with that of ``first``.

    Empty where nothing is to be proven: ``first`` is 0 or equals ``second``.

    Raises:
        InputError: ``tree_size_out_of_range``, not ``0 <= first <= second``.

    Source: RFC 9162 section 2.1.4.1.
    """
    if not 0 <= first <= second:
        raise InputError("tree_size_out_of_range", f"from {first} to {second} leaves")
    if first in (0, second):
        return []
    path = []
    begin, end, known = 0, second, True
    while first != end:
        split = begin + left_width(end - begin)
        if first <= split:
            path.append(range_root(split, end, node))
            end = split
        else:
            path.append(range_root(begin, split, node))
            begin, known = split, False
    if (
        not known
    ):  # SUBPROOF(m, D_m, false); with true, the verifier has this hash as the first root
        path.append(range_root(begin, end, node))
    path.reverse()
    return path


def inclusion_root(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """Return the root that a proof leads to if ``leaf_hash`` is leaf ``index`` of ``size``.

    For who knows the root from elsewhere, or only what is made from it: :func:`verify_inclusion` compares.

    Raises:
        VerificationError: ``leaf_index_out_of_range``, ``proof_too_long``, ``proof_too_short``, ``proof_hash_length``.

    Source: RFC 9162 section 2.1.3.2.
    """
    # Step 1
    if not 0 <= index < size:
        raise VerificationError(
            "leaf_index_out_of_range", f"leaf {index} of a tree of {size} leaves"
        )
    _check_hashes(proof)
    fn, sn = index, size - 1  # step 2
    r = leaf_hash  # step 3
    for p in proof:  # step 4
        if sn == 0:  # 4.a
            raise VerificationError("proof_too_long", f"{len(proof)} hashes are more than the path")
        if fn & 1 or fn == sn:  # 4.b
            r = sha256(b"\x01" + p + r).digest()
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            r = sha256(b"\x01" + r + p).digest()
        fn >>= 1  # 4.c
        sn >>= 1
    # Step 5, but for the comparison
    if sn != 0:
        raise VerificationError("proof_too_short", f"{len(proof)} hashes do not reach the root")
    return r


def verify_inclusion(head: TreeHead, index: int, leaf_hash: bytes, proof: Sequence[bytes]) -> None:
    """Check that ``leaf_hash`` is leaf ``index`` of the tree with that head.

    Raises:
        VerificationError: ``leaf_index_out_of_range``, ``proof_too_long``, ``proof_too_short``, ``proof_hash_length``,
            ``inclusion_root_differs``.

    Source: RFC 9162 section 2.1.3.2.
    """
    root = inclusion_root(index, head.size, leaf_hash, proof)
    _check_root("inclusion_root_differs", root, head.root_hash)  # step 5


def verify_consistency(first: TreeHead, second: TreeHead, proof: Sequence[bytes]) -> None:
    """Check that the tree ``second`` begins with the whole of the tree ``first``.

    Raises:
        VerificationError: ``tree_shrank``, ``proof_not_empty``, ``proof_too_long``, ``proof_too_short``,
            ``proof_hash_length``, ``consistency_first_root_differs``, ``consistency_second_root_differs``.

    Source: RFC 9162 section 2.1.4.2, which leaves out the sizes 0 and equal: there the proof is empty, and the
    root of no leaves is that of section 2.1.1.
    """
    if not 0 <= first.size <= second.size:
        raise VerificationError("tree_shrank", f"from {first.size} to {second.size} leaves")
    if first.size in (0, second.size):
        expected = second.root_hash if first.size == second.size else EMPTY_ROOT
        if proof:
            raise VerificationError("proof_not_empty", f"{len(proof)} hashes where none can be")
        _check_root("consistency_first_root_differs", first.root_hash, expected)
        return
    _check_hashes(proof)
    # Step 1
    if not proof:
        raise VerificationError("proof_too_short", "an empty proof between different sizes")
    # Step 2: a first tree that is one complete subtree is its own first hash.
    path = [first.root_hash, *proof] if first.size.bit_count() == 1 else list(proof)
    fr, sr = _consistent_roots(first.size, second.size, path)
    # Step 7
    _check_root("consistency_first_root_differs", fr, first.root_hash)
    _check_root("consistency_second_root_differs", sr, second.root_hash)


def _consistent_roots(first: int, second: int, path: list[bytes]) -> tuple[bytes, bytes]:
    fn, sn = first - 1, second - 1  # step 3
    while fn & 1:  # step 4
        fn >>= 1
        sn >>= 1
    fr = sr = path[0]  # step 5
    for c in path[1:]:  # step 6
        if sn == 0:  # 6.a
            raise VerificationError("proof_too_long", "more hashes than the path has")
        if fn & 1 or fn == sn:  # 6.b
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn >>= 1
                sn >>= 1
        else:
            sr = node_hash(sr, c)
        fn >>= 1  # 6.c
        sn >>= 1
    if sn != 0:
        raise VerificationError("proof_too_short", "the hashes do not reach the root")
    return fr, sr


def left_width(width: int) -> int:
    """Return how many of ``width`` leaves, two at least, are left of the root: the largest power of two below."""
    return 1 << ((width - 1).bit_length() - 1)


def _check_hashes(proof: Sequence[bytes]) -> None:
    if len(proof) > PROOF_HASHES_MAX:
        raise VerificationError(
            "proof_too_long", f"{len(proof)} hashes, at most {PROOF_HASHES_MAX} are possible"
        )
    for each in proof:
        if len(each) != HASH_BYTES:
            raise VerificationError("proof_hash_length", f"a hash of {len(each)} bytes, not 32")


def _check_root(code: str, found: bytes, expected: bytes) -> None:
    if found != expected:
        raise VerificationError(code, f"the proof leads to {found.hex()}, not to {expected.hex()}")
