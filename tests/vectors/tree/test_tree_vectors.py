"""The tree against Certificate Transparency's reference tree: every good proof, and each one spoiled in many ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sealtrail.errors import VerificationError
from sealtrail.log.tree import (
    EMPTY_ROOT,
    CompactRange,
    TreeHead,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_hash,
    verify_consistency,
    verify_inclusion,
)

CASES: dict[str, Any] = json.loads((Path(__file__).parent / "ct-reference.json").read_text())
LEAVES = [leaf_hash(bytes.fromhex(leaf)) for leaf in CASES["leaves"]]
ROOTS = [EMPTY_ROOT] + [bytes.fromhex(root) for root in CASES["roots"]]
OTHER = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")


def node(level: int, index: int) -> bytes:
    return root_hash(LEAVES[index << level : (index + 1) << level])


def proof_of(case: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(each) for each in case["proof"]]


def spoiled_proofs(proof: list[bytes], roots: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    for extra in (b"", OTHER, *roots):
        yield f"{extra.hex()[:8]} appended", [*proof, extra]
        yield f"{extra.hex()[:8]} prepended", [extra, *proof]
    for n, each in enumerate(proof):
        yield f"hash {n} removed", proof[:n] + proof[n + 1 :]
        yield f"hash {n} twice", [*proof[:n], each, *proof[n:]]
        yield f"hash {n} short", [*proof[:n], each[:-1], *proof[n + 1 :]]
        for bit in (0, 3, 255):
            flipped = (int.from_bytes(each, "big") ^ 1 << bit).to_bytes(32, "big")
            yield f"hash {n} bit {bit}", [*proof[:n], flipped, *proof[n + 1 :]]
    if len(proof) > 1:
        yield "reversed", proof[::-1]


def bad_inclusions() -> Iterator[Any]:
    for n, case in enumerate(CASES["inclusion"]):
        index, size, proof = case["leaf_index"], case["tree_size"], proof_of(case)
        leaf, root = LEAVES[index], ROOTS[size]
        good = (index, size, leaf, root, proof)
        variants = {
            "index - 1": (index - 1, *good[1:]),
            "index + 1": (index + 1, *good[1:]),
            "index ^ 2": (index ^ 2, *good[1:]),
            "index + 2**64": (index + 2**64, *good[1:]),
            "size * 2": (index, size * 2, leaf, root, proof),
            "size / 2": (index, size // 2, leaf, root, proof),
            "size 0": (index, 0, leaf, root, proof),
            "other leaf": (index, size, OTHER, root, proof),
            "empty root": (index, size, leaf, EMPTY_ROOT, proof),
            "other root": (index, size, leaf, OTHER, proof),
        }
        for name, wrong in spoiled_proofs(proof, [root, leaf]):
            variants[name] = (index, size, leaf, root, wrong)
        for name, variant in variants.items():
            yield pytest.param(*variant, id=f"{n}: {name}")


def bad_consistencies() -> Iterator[Any]:
    for n, case in enumerate(CASES["consistency"]):
        first, second, proof = case["first_size"], case["second_size"], proof_of(case)
        one, two = ROOTS[first], ROOTS[second]
        variants = {
            "other first root": (first, second, OTHER, two, proof),
            "other second root": (first, second, one, OTHER, proof),
            "first size + 1": (first + 1, second, one, two, proof),
            "sizes swapped": (second + 1, first, two, one, proof),
        }
        if first != second:
            variants["roots swapped"] = (first, second, two, one, proof)
            variants["empty proof"] = (first, second, one, two, [])
            variants["first size - 1"] = (first - 1, second, one, two, proof)
            variants["second size * 2"] = (first, second * 2, one, two, proof)
            variants["second size / 2"] = (first, second // 2, one, two, proof)
        for name, wrong in spoiled_proofs(proof, [one, two]):
            variants[name] = (first, second, one, two, wrong)
        for name, variant in variants.items():
            yield pytest.param(*variant, id=f"{n}: {name}")


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_reference_ones(size: int) -> None:
    grown = CompactRange()
    grown.extend(LEAVES[:size])
    assert root_hash(LEAVES[:size]) == grown.root() == ROOTS[size]


@pytest.mark.parametrize("case", CASES["inclusion"])
def test_inclusion_proofs_are_the_reference_ones(case: dict[str, Any]) -> None:
    index, size = case["leaf_index"], case["tree_size"]
    assert inclusion_proof(index, size, node) == proof_of(case)
    verify_inclusion(TreeHead(size, ROOTS[size]), index, LEAVES[index], proof_of(case))


@pytest.mark.parametrize("case", CASES["consistency"])
def test_consistency_proofs_are_the_reference_ones(case: dict[str, Any]) -> None:
    first, second = case["first_size"], case["second_size"]
    assert consistency_proof(first, second, node) == proof_of(case)
    verify_consistency(
        TreeHead(first, ROOTS[first]), TreeHead(second, ROOTS[second]), proof_of(case)
    )


@pytest.mark.parametrize(("index", "size", "leaf", "root", "proof"), list(bad_inclusions()))
def test_a_spoiled_inclusion_proof_is_refused(
    index: int, size: int, leaf: bytes, root: bytes, proof: list[bytes]
) -> None:
    with pytest.raises(VerificationError):
        verify_inclusion(TreeHead(size, root), index, leaf, proof)


@pytest.mark.parametrize(("first", "second", "one", "two", "proof"), list(bad_consistencies()))
def test_a_spoiled_consistency_proof_is_refused(
    first: int, second: int, one: bytes, two: bytes, proof: list[bytes]
) -> None:
    with pytest.raises(VerificationError):
        verify_consistency(TreeHead(first, one), TreeHead(second, two), proof)
