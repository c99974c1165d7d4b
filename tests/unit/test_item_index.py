"""What an item index refuses: every code of proofs and documents, by its own name."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from sealtrail.errors import InputError, VerificationError
from sealtrail.log import item_proof
from sealtrail.log.item_index import (
    IndexHead,
    add_postings,
    encode_index_document,
    index_root,
    parse_index_document,
    runs_of,
)
from sealtrail.log.item_proof import ItemProof, verify_item_proof
from sealtrail.log.item_run import RunInMemory, prove_in_run

KEYS = sorted(sha256(b"%d" % n).digest() for n in range(6000))
OFTEN = KEYS[5]  # in a run of its own 4096 postings, and behind them
COVERS = 6000


def _runs() -> list[RunInMemory]:
    postings = [(leaf, KEYS[leaf]) for leaf in range(5000)]
    postings += [(leaf, OFTEN) for leaf in range(5000, 5010)]
    runs = []
    for run in runs_of(len(postings)):
        lists: dict[bytes, bytes] = {}
        for leaf, key in postings[run.first : run.end]:
            add_postings(lists, leaf, [key])
        runs.append(RunInMemory(run, lists))
    return runs


RUNS = _runs()
HEAD = IndexHead(covers=COVERS, postings=5010, root_hash=index_root(run.head for run in RUNS))
PROOF = ItemProof(tuple(prove_in_run(run, OFTEN) for run in RUNS))
# leaf 5999 is named nowhere; the leaf before its place in the second run is OFTEN's or another's
ABSENT = KEYS[5999]
ABSENT_PROOF = ItemProof(tuple(prove_in_run(run, ABSENT) for run in RUNS))


def changed(proof: ItemProof, number: int, **fields: Any) -> ItemProof:
    parts = list(proof.runs)
    parts[number] = msgspec.structs.replace(parts[number], **fields)
    return ItemProof(tuple(parts))


def refused(
    code: str,
    proof: ItemProof,
    *,
    key: bytes = OFTEN,
    head: IndexHead = HEAD,
    at: str | None = None,
) -> None:
    with pytest.raises(VerificationError) as error:
        verify_item_proof(head, key, proof)
    assert (error.value.code, error.value.pointer) == (code, at)


def test_a_list_over_two_runs_is_complete() -> None:
    assert verify_item_proof(HEAD, OFTEN, PROOF) == (5, *range(5000, 5010))
    assert verify_item_proof(HEAD, ABSENT, ABSENT_PROOF) == ()


def test_what_is_shown_of_a_neighbour_is_short() -> None:
    behind = (int.from_bytes(OFTEN, "big") + 1).to_bytes(32, "big")
    proof = ItemProof(tuple(prove_in_run(run, behind) for run in RUNS))
    assert proof.runs[1].key == OFTEN
    assert len(proof.runs[1].leaf_indices) == 36
    assert verify_item_proof(HEAD, behind, proof) == ()


def test_a_key_of_another_length_is_refused() -> None:
    refused("item_key_length", PROOF, key=OFTEN[:31])


def test_a_missing_or_further_run_is_refused() -> None:
    refused("item_runs_differ", ItemProof(PROOF.runs[:1]))
    refused("item_runs_differ", ItemProof((*PROOF.runs, PROOF.runs[1])))
    refused("item_runs_differ", PROOF, head=msgspec.structs.replace(HEAD, postings=0))


def test_runs_in_another_order_are_refused() -> None:
    refused("item_leaf_malformed", ItemProof(PROOF.runs[::-1]), at="/runs/1")


def test_malformed_leaves_are_refused() -> None:
    refused("item_leaf_malformed", changed(PROOF, 0, key=b""), at="/runs/0")
    refused("item_leaf_malformed", changed(PROOF, 1, next_key=bytes(33)), at="/runs/1")
    refused("item_leaf_malformed", changed(PROOF, 1, tree_leaves=0), at="/runs/1")
    refused("item_leaf_malformed", changed(PROOF, 1, tree_leaves=916), at="/runs/1")
    refused("item_leaf_malformed", changed(PROOF, 1, tree_leaves=2**80), at="/runs/1")


def test_a_gap_that_does_not_hold_the_key_is_refused() -> None:
    refused("item_gap_differs", changed(ABSENT_PROOF, 1, next_key=ABSENT), key=ABSENT, at="/runs/1")
    other = prove_in_run(RUNS[0], KEYS[100])
    refused("item_gap_differs", ItemProof((other, PROOF.runs[1])), at="/runs/0")


@pytest.mark.parametrize(
    "listed", [bytes(7), bytes(40), bytes(36), (4).to_bytes(4, "big") + bytes(32)]
)
def test_a_neighbours_list_in_no_form_is_refused(listed: bytes) -> None:
    proof = changed(ABSENT_PROOF, 0, leaf_indices=listed)
    refused("item_list_malformed", proof, key=ABSENT, at="/runs/0")


def test_a_list_of_no_whole_number_of_leaves_is_refused() -> None:
    refused("item_list_malformed", changed(PROOF, 1, leaf_indices=bytes(15)), at="/runs/1")


def test_more_leaves_than_the_run_has_postings_are_refused() -> None:
    refused("item_list_too_long", changed(PROOF, 1, leaf_indices=bytes(8 * 915)), at="/runs/1")


def test_more_leaves_than_a_proof_may_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_proof, "LEAF_INDICES_MAX", 10)
    refused("item_list_too_long", PROOF, at="/runs/1")


def joined(*leaves: int) -> bytes:
    return b"".join(leaf.to_bytes(8, "big") for leaf in leaves)


def test_a_list_that_does_not_ascend_is_refused() -> None:
    refused("item_list_order", changed(PROOF, 0, leaf_indices=joined(5, 5)), at="/runs/0")
    refused("item_list_order", changed(PROOF, 0, leaf_indices=joined(5000)), at="/runs/1")


def test_a_leaf_that_the_index_does_not_cover_is_refused() -> None:
    refused(
        "item_list_outside", PROOF, head=msgspec.structs.replace(HEAD, covers=5009), at="/runs/1"
    )


def test_a_list_with_a_leaf_left_out_is_refused() -> None:
    indices = PROOF.runs[1].leaf_indices
    refused("item_index_root_differs", changed(PROOF, 1, leaf_indices=indices[8:]))


def test_a_position_outside_of_the_run_is_refused() -> None:
    refused("leaf_index_out_of_range", changed(PROOF, 1, position=-1), at="/runs/1")
    refused("leaf_index_out_of_range", changed(PROOF, 1, position=2**70), at="/runs/1")


def test_paths_of_another_length_are_refused() -> None:
    hashes = PROOF.runs[0].hashes
    refused("proof_too_short", changed(PROOF, 0, hashes=hashes[:-32]), at="/runs/0")
    refused("proof_too_long", changed(PROOF, 0, hashes=hashes + bytes(32)), at="/runs/0")
    refused("proof_too_long", changed(PROOF, 0, hashes=bytes(32 * 65)), at="/runs/0")
    refused("proof_hash_length", changed(PROOF, 0, hashes=hashes[:-1]), at="/runs/0")


def test_another_root_is_refused() -> None:
    refused(
        "item_index_root_differs", PROOF, head=msgspec.structs.replace(HEAD, root_hash=bytes(32))
    )


GOOD = encode_index_document(HEAD)


def test_a_document_is_read_in_its_one_form() -> None:
    assert parse_index_document(GOOD) == HEAD


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        GOOD + b"\n",
        GOOD.replace(b'"covers":6000', b'"covers": 6000'),
        GOOD.replace(b'"covers":6000', b'"covers":06000'),
        GOOD.replace(b'"covers":6000', b'"covers":-1'),
        GOOD.replace(b'"covers":6000', b'"covers":9007199254740992'),
        GOOD.replace(b'"postings":5010', b'"postings":99999999999999999999'),
        GOOD.replace(b'"postings":5010', b'"postings":5010.0'),
        GOOD.replace(b"item-index/1", b"item-index/2"),
        GOOD.replace(b'"root":"0x', b'"root":"0X'),
        GOOD.replace(HEAD.root_hash.hex().encode(), HEAD.root_hash.hex().upper().encode()),
        GOOD.replace(HEAD.root_hash.hex().encode(), b"00"),
        GOOD.replace(b"{", b'{"also":1,'),
        b"\xff" + GOOD,
    ],
)
def test_a_document_in_another_form_is_refused(bad: bytes) -> None:
    with pytest.raises(InputError) as error:
        parse_index_document(bad)
    assert error.value.code == "index_document_malformed"
