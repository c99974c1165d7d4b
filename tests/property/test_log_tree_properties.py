"""The tree against the RFC's recursive definition, written down again here and nowhere else."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.errors import VerificationError
from sealtrail.log.tree import (
    CompactRange,
    TreeHead,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(300)]
SIZES = st.integers(1, 300)


def mth(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, word for word, from leaf hashes."""
    n = len(leaves)
    if n == 0:
        return sha256().digest()
    if n == 1:
        return leaves[0]
    k = 1
    while k * 2 < n:
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def node(level: int, index: int) -> bytes:
    subtree = LEAVES[index << level : (index + 1) << level]
    assert len(subtree) == 1 << level, "only complete subtrees may be asked for"
    return mth(subtree)


def head(size: int) -> TreeHead:
    return TreeHead(size, mth(LEAVES[:size]))


def flip(hashes: list[bytes], bit: int) -> list[bytes]:
    n, at = divmod(bit, 256)
    flipped = (int.from_bytes(hashes[n], "big") ^ 1 << at).to_bytes(32, "big")
    return [*hashes[:n], flipped, *hashes[n + 1 :]]


@given(SIZES)
def test_roots_are_the_recursive_definitions(size: int) -> None:
    assert root_hash(LEAVES[:size]) == mth(LEAVES[:size])


@given(st.lists(st.integers(0, 40), max_size=8))
def test_a_compact_range_grown_in_steps_has_the_same_root_and_peaks(steps: list[int]) -> None:
    grown = CompactRange()
    for step in steps:
        grown.extend(LEAVES[grown.size : grown.size + step])
        again = CompactRange(grown.size, grown.peaks)
        assert again.head() == head(grown.size)
        assert CompactRange.from_nodes(grown.size, node).peaks == grown.peaks


@given(SIZES, st.data())
def test_every_leaf_proves(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    verify_inclusion(head(size), index, LEAVES[index], inclusion_proof(index, size, node))


@given(SIZES, st.data())
def test_one_flipped_bit_never_proves(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, node)
    given_hashes = [head(size).root_hash, LEAVES[index], *proof]
    bit = data.draw(st.integers(0, len(given_hashes) * 256 - 1))
    root, leaf, *spoiled = flip(given_hashes, bit)
    with pytest.raises(VerificationError):
        verify_inclusion(TreeHead(size, root), index, leaf, spoiled)


@given(SIZES, st.data())
def test_a_leaf_never_proves_at_another_index(size: int, data: st.DataObject) -> None:
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size + 3))
    if index == other:
        return
    with pytest.raises(VerificationError):
        verify_inclusion(head(size), other, LEAVES[index], inclusion_proof(index, size, node))


@given(SIZES, st.data())
def test_any_consistency_pair_holds(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, second))
    verify_consistency(head(first), head(second), consistency_proof(first, second, node))


@given(SIZES, st.data())
def test_one_flipped_bit_is_never_consistent(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    proof = consistency_proof(first, second, node)
    given_hashes = [head(first).root_hash, head(second).root_hash, *proof]
    bit = data.draw(st.integers(0, len(given_hashes) * 256 - 1))
    one, two, *spoiled = flip(given_hashes, bit)
    with pytest.raises(VerificationError):
        verify_consistency(TreeHead(first, one), TreeHead(second, two), spoiled)
