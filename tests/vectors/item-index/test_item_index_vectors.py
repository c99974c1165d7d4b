"""The item index against vectors made by a recursive tree and runs chosen by definition."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sealtrail.log.item_index import (
    Run,
    add_postings,
    encode_index_document,
    index_root,
    parse_index_document,
    runs_of,
)
from sealtrail.log.item_proof import ItemProof, RunProof, verify_item_proof
from sealtrail.log.item_run import RunInMemory, prove_in_run

CASES = json.loads(Path(__file__).with_name("item-index.json").read_text())["cases"]
PROOFS = [(case, proof) for case in CASES for proof in case["proofs"]]


def keys_of(leaf: int) -> list[bytes]:
    names = (f"pack {leaf}", f"lot {leaf // 100}") if leaf % 7 else ()
    return sorted(sha256(name.encode()).digest() for name in names)


def built(covers: int) -> list[RunInMemory]:
    postings = [(leaf, key) for leaf in range(covers) for key in keys_of(leaf)]
    runs = []
    for run in runs_of(len(postings)):
        lists: dict[bytes, bytes] = {}
        for leaf, key in postings[run.first : run.end]:
            add_postings(lists, leaf, [key])
        runs.append(RunInMemory(run, lists))
    return runs


def read(parts: list[dict[str, Any]]) -> ItemProof:
    numbers = ("tree_leaves", "position")
    return ItemProof(
        tuple(
            RunProof(**{n: v if n in numbers else bytes.fromhex(v) for n, v in part.items()})
            for part in parts
        )
    )


def test_there_are_vectors() -> None:
    assert len(CASES) == 6
    assert len(PROOFS) == 16


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['covers']}_leaves")
def test_runs_and_roots_are_the_references(case: dict[str, Any]) -> None:
    runs = built(case["covers"])
    assert [run.head.run for run in runs] == [Run(r["first"], r["postings"]) for r in case["runs"]]
    assert [run.head.tree_leaves for run in runs] == [r["tree_leaves"] for r in case["runs"]]
    assert [run.head.root_hash.hex() for run in runs] == [r["root"] for r in case["runs"]]
    head = parse_index_document(case["content"].encode())
    assert index_root(run.head for run in runs) == head.root_hash
    assert encode_index_document(head) == case["content"].encode()


@pytest.mark.parametrize(
    ("case", "proof"),
    PROOFS,
    ids=lambda v: str(v.get("item", v.get("covers", ""))),
)
def test_proofs_are_the_references_and_hold(case: dict[str, Any], proof: dict[str, Any]) -> None:
    key, expected = bytes.fromhex(proof["key"]), read(proof["runs"])
    head = parse_index_document(case["content"].encode())
    assert list(verify_item_proof(head, key, expected)) == proof["leaves"]
    assert ItemProof(tuple(prove_in_run(r, key) for r in built(case["covers"]))) == expected
