from __future__ import annotations

import pytest

from sealtrail.errors import InputError, SealtrailError, VerificationError
from sealtrail.log.tree import (
    EMPTY_ROOT,
    CompactRange,
    TreeHead,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)

LEAVES = [leaf_hash(bytes([n])) for n in range(20)]


def node(level: int, index: int) -> bytes:
    return root_hash(LEAVES[index << level : (index + 1) << level])


def head(size: int) -> TreeHead:
    return TreeHead(size, root_hash(LEAVES[:size]))


def refusal(call: object, *args: object) -> str:
    with pytest.raises(SealtrailError) as e:
        call(*args)  # type: ignore[operator]
    return e.value.code


@pytest.mark.parametrize("width", [1, 2, 4, 8, 16])
def test_joined_hashes_have_the_root_of_their_subtree(width: int) -> None:
    assert subtree_root(b"".join(LEAVES[:width])) == root_hash(LEAVES[:width])


def test_a_proof_of_a_larger_tree_is_refused() -> None:
    proof = inclusion_proof(3, 16, node)
    assert refusal(verify_inclusion, head(8), 3, LEAVES[3], proof) == "proof_too_long"


def test_a_proof_of_a_smaller_tree_is_refused() -> None:
    proof = inclusion_proof(3, 8, node)
    assert refusal(verify_inclusion, head(16), 3, LEAVES[3], proof) == "proof_too_short"


def test_an_index_beyond_the_tree_is_refused() -> None:
    assert refusal(verify_inclusion, head(8), 8, LEAVES[8], []) == "leaf_index_out_of_range"
    assert refusal(verify_inclusion, head(8), -1, LEAVES[7], []) == "leaf_index_out_of_range"


def test_a_proof_of_more_hashes_than_any_tree_has_is_refused_before_hashing() -> None:
    assert refusal(verify_inclusion, head(8), 3, LEAVES[3], [b""] * 65) == "proof_too_long"


def test_a_node_passed_off_as_a_leaf_is_not_told_apart_by_the_proof_alone() -> None:
    # Leaf and node hashes differ by their prefix; a verifier must hash the leaf's bytes itself.
    inner = node(1, 1)
    verify_inclusion(TreeHead(4, head(8).root_hash), 1, inner, inclusion_proof(2, 8, node)[1:])
    assert leaf_hash(LEAVES[2] + LEAVES[3]) != inner


def test_an_empty_tree_is_consistent_with_every_tree() -> None:
    verify_consistency(TreeHead(0, EMPTY_ROOT), head(8), [])


def test_an_empty_tree_with_another_root_is_refused() -> None:
    code = refusal(verify_consistency, TreeHead(0, LEAVES[0]), head(8), [])
    assert code == "consistency_first_root_differs"


def test_a_fork_of_equal_size_is_refused() -> None:
    fork = TreeHead(8, root_hash(LEAVES[1:9]))
    assert refusal(verify_consistency, head(8), fork, []) == "consistency_first_root_differs"


def test_a_tree_that_shrank_is_refused() -> None:
    assert refusal(verify_consistency, head(8), head(7), []) == "tree_shrank"


def test_a_proof_where_none_can_be_is_refused() -> None:
    assert refusal(verify_consistency, head(8), head(8), [LEAVES[0]]) == "proof_not_empty"


def test_a_fork_is_refused_under_the_honest_proof() -> None:
    fork = TreeHead(12, root_hash(LEAVES[:4] + LEAVES[5:13]))
    code = refusal(verify_consistency, head(8), fork, consistency_proof(8, 12, node))
    assert code == "consistency_second_root_differs"


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_proof_is_made_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(InputError):
        inclusion_proof(index, size, node)


@pytest.mark.parametrize(("first", "second"), [(-1, 3), (4, 3)])
def test_no_consistency_proof_is_made_backwards(first: int, second: int) -> None:
    with pytest.raises(InputError):
        consistency_proof(first, second, node)


@pytest.mark.parametrize(("size", "peaks"), [(3, 1), (4, 2), (-1, 0), (0, 1)])
def test_a_state_whose_peaks_do_not_fit_its_size_is_refused(size: int, peaks: int) -> None:
    with pytest.raises(InputError):
        CompactRange(size, [LEAVES[0]] * peaks)


def test_proof_errors_are_verification_errors() -> None:
    with pytest.raises(VerificationError, match="inclusion_root_differs"):
        verify_inclusion(head(1), 0, LEAVES[1], [])
