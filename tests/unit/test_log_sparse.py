"""Trees of which only some leaves are shown."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.errors import VerificationError
from sealtrail.log.sparse import SparseTree, gap_hashes, gap_nodes
from sealtrail.log.tree import leaf_hash, root_hash

LEAVES = [leaf_hash(sha256(bytes([n])).digest()) for n in range(150)]


def node(level: int, index: int) -> bytes:
    return root_hash(LEAVES[index << level : (index + 1) << level])


def read(size: int, shown: list[int], heads: list[int]) -> SparseTree:
    """Read a tree of ``size`` leaves of which those at ``shown`` stand, stopping at the sizes in ``heads``."""
    tree = SparseTree()
    for stop in [*heads, size]:
        for index in [i for i in shown if tree.size <= i < stop]:
            tree.skip(index, gap_hashes(tree.size, index, node))
            tree.append(LEAVES[index])
        tree.skip(stop, gap_hashes(tree.size, stop, node))
        assert tree.head().root_hash == root_hash(LEAVES[:stop])
        assert tree.head().size == stop
    return tree


@given(
    st.integers(0, 150).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.sets(st.integers(0, max(0, size - 1)), max_size=8 if size else 0),
            st.sets(st.integers(0, size), max_size=4),
        )
    )
)
def test_every_choice_of_leaves_and_heads_leads_to_the_roots(
    choice: tuple[int, set[int], set[int]],
) -> None:
    size, shown, heads = choice
    read(size, sorted(i for i in shown if i < size), sorted(heads))


def test_a_gap_is_cut_into_the_largest_complete_subtrees() -> None:
    assert list(gap_nodes(0, 8)) == [(3, 0)]
    assert list(gap_nodes(0, 7)) == [(2, 0), (1, 2), (0, 6)]
    assert list(gap_nodes(5, 16)) == [(0, 5), (1, 3), (3, 1)]
    assert list(gap_nodes(6, 6)) == []


def test_another_leaf_leads_to_another_root() -> None:
    tree = SparseTree()
    tree.skip(5, gap_hashes(0, 5, node))
    tree.append(LEAVES[6])
    tree.skip(20, gap_hashes(6, 20, node))
    assert tree.head().root_hash != root_hash(LEAVES[:20])


def test_a_step_back_is_refused() -> None:
    tree = SparseTree()
    tree.skip(5, gap_hashes(0, 5, node))
    with pytest.raises(VerificationError) as caught:
        tree.skip(4, ())
    assert caught.value.code == "tree_not_ascending"


@pytest.mark.parametrize("hashes", [(), (LEAVES[0],) * 3], ids=["too few", "too many"])
def test_a_gap_of_another_number_of_hashes_is_refused(hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(VerificationError) as caught:
        SparseTree().skip(5, hashes)
    assert caught.value.code == "gap_length"


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(VerificationError) as caught:
        SparseTree().skip(4, (b"short",))
    assert caught.value.code == "gap_hash_length"
