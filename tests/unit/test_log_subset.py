from __future__ import annotations

import pytest

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.subset import covered_root, covering_hashes
from sealtrail.log.tree import EMPTY_ROOT, inclusion_proof, leaf_hash, root_hash

LEAVES = [leaf_hash(bytes((n,))) for n in range(13)]


def shown(*indices: int) -> dict[int, bytes]:
    return {n: LEAVES[n] for n in indices}


@pytest.mark.parametrize("size", range(1, 14))
def test_each_leaf_alone_is_covered_by_its_inclusion_proof(size: int) -> None:
    leaves = LEAVES[:size]
    for index in range(size):
        cover = covering_hashes(leaves, [index])
        proof = inclusion_proof(
            index, size, lambda level, n: root_hash(leaves[n << level : (n + 1) << level])
        )
        assert sorted(cover) == sorted(proof)
        assert covered_root(size, shown(index), cover) == root_hash(leaves)


def test_nothing_shown_is_covered_by_the_root_and_everything_by_nothing() -> None:
    assert covering_hashes(LEAVES, []) == (root_hash(LEAVES),)
    assert covered_root(13, {}, [root_hash(LEAVES)]) == root_hash(LEAVES)
    assert covering_hashes(LEAVES, range(13)) == ()
    assert covered_root(13, shown(*range(13)), ()) == root_hash(LEAVES)
    assert covering_hashes([], []) == ()
    assert covered_root(0, {}, ()) == EMPTY_ROOT


def test_an_index_beyond_the_tree_is_refused() -> None:
    with pytest.raises(InputError, match="leaf_index_out_of_range"):
        covering_hashes(LEAVES, [13])
    with pytest.raises(InputError, match="leaf_index_out_of_range"):
        covering_hashes([], [0])
    for size, indices in ((12, (12,)), (0, (0,))):
        with pytest.raises(VerificationError, match="leaf_index_out_of_range"):
            covered_root(size, shown(*indices), ())
    with pytest.raises(VerificationError, match="leaf_index_out_of_range"):
        covered_root(13, {-1: LEAVES[0]}, ())


def test_too_few_too_many_and_broken_hashes_are_refused() -> None:
    cover = covering_hashes(LEAVES, [3, 9])
    for code, hashes in (
        ("proof_too_short", cover[:-1]),
        ("proof_too_long", (*cover, LEAVES[0])),
        ("proof_hash_length", (cover[0][:-1], *cover[1:])),
    ):
        with pytest.raises(VerificationError, match=code):
            covered_root(13, shown(3, 9), hashes)
    with pytest.raises(VerificationError, match="proof_too_long"):
        covered_root(0, {}, [LEAVES[0]])


def test_a_vast_tree_costs_no_more_than_the_way_to_what_is_shown() -> None:
    hashes = [LEAVES[1]] * 32
    assert covered_root(2**32 - 1, shown(0), hashes) != EMPTY_ROOT
    with pytest.raises(VerificationError, match="proof_too_long"):
        covered_root(2**32 - 1, shown(0), [*hashes, LEAVES[2]])


@pytest.mark.parametrize("size", [-1, 2**64, 2**5000])
def test_a_size_that_no_tree_has_is_refused(size: int) -> None:
    with pytest.raises(VerificationError, match="tree_size_out_of_range"):
        covered_root(size, {}, [LEAVES[0]])
