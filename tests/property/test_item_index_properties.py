"""The item index against the simplest one: a dictionary of everything."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealtrail.errors import VerificationError
from sealtrail.log.item_index import (
    BASE_POSTINGS,
    IndexHead,
    add_postings,
    coming_runs,
    index_root,
    parts_of,
    run_length,
    runs_of,
)
from sealtrail.log.item_proof import ItemProof, verify_item_proof
from sealtrail.log.item_run import RunInMemory, prove_in_run

POSTINGS = st.integers(0, 3_000_000) | st.integers(1, 700).map(lambda n: n * BASE_POSTINGS)
# Few keys, so that they meet in every run; the leaves' numbers of keys differ.
POOL = sorted(sha256(b"key %d" % n).digest() for n in range(40))
COVERS = 3000


def keys_of(leaf: int) -> list[bytes]:
    return POOL[leaf % 7 : leaf % 7 + leaf % 5] + (
        [sha256(b"own %d" % leaf).digest()] if leaf % 3 else []
    )


class Index:
    """An index of the log above, as far as ``covers``."""

    def __init__(self, covers: int) -> None:
        self.lists: dict[bytes, list[int]] = {}
        postings = []
        for leaf in range(covers):
            for key in sorted(keys_of(leaf)):
                self.lists.setdefault(key, []).append(leaf)
                postings.append((leaf, key))
        self.runs = []
        for run in runs_of(len(postings)):
            lists: dict[bytes, bytes] = {}
            for leaf, key in postings[run.first : run.end]:
                add_postings(lists, leaf, [key])
            self.runs.append(RunInMemory(run, lists))
        root = index_root(run.head for run in self.runs)
        self.head = IndexHead(covers=covers, postings=len(postings), root_hash=root)

    def prove(self, key: bytes) -> ItemProof:
        return ItemProof(tuple(prove_in_run(run, key) for run in self.runs))


@cache
def index(covers: int) -> Index:
    return Index(covers)


SIZES = st.sampled_from((0, 1, 2, 50, 1500, COVERS))


@given(SIZES, st.data())
def test_every_key_proves_exactly_its_list(covers: int, data: st.DataObject) -> None:
    known = index(covers)
    key = data.draw(st.sampled_from(sorted(known.lists) or [POOL[0]]))
    assert list(verify_item_proof(known.head, key, known.prove(key))) == known.lists.get(key, [])


@given(SIZES, st.binary(min_size=32, max_size=32))
def test_every_other_key_proves_absent(covers: int, key: bytes) -> None:
    known = index(covers)
    if key != b"\xff" * 32:
        assert verify_item_proof(known.head, key, known.prove(key)) == ()


def test_the_first_key_is_a_key_like_any_other() -> None:
    lists = {bytes(32): (5).to_bytes(8, "big")}
    run = RunInMemory(runs_of(1)[0], lists)
    assert run.head.tree_leaves == 1
    head = IndexHead(covers=9, postings=1, root_hash=index_root([run.head]))
    assert verify_item_proof(head, bytes(32), ItemProof((prove_in_run(run, bytes(32)),))) == (5,)


def test_the_last_key_is_never_proven_absent() -> None:
    key = b"\xff" * 32
    with pytest.raises(VerificationError) as error:
        verify_item_proof(index(50).head, key, index(50).prove(key))
    assert error.value.code == "item_gap_differs"


@settings(max_examples=300)
@given(st.sampled_from((50, COVERS)), st.data())
def test_one_flipped_bit_never_proves(covers: int, data: st.DataObject) -> None:
    known = index(covers)
    key = data.draw(st.sampled_from([*POOL[:8], b"\x77" * 32]))
    proof = known.prove(key)
    number = data.draw(st.integers(0, len(proof.runs) - 1))
    part = proof.runs[number]
    fields = ["key", "next_key", "leaf_indices", "hashes"]
    field = data.draw(st.sampled_from([f for f in fields if getattr(part, f)]))
    value = getattr(part, field)
    bit = data.draw(st.integers(0, 8 * len(value) - 1))
    flipped = (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")
    changed = msgspec.structs.replace(part, **{field: flipped})
    runs = (*proof.runs[:number], changed, *proof.runs[number + 1 :])
    with pytest.raises(VerificationError):
        verify_item_proof(known.head, key, ItemProof(runs))


@given(st.sampled_from(POOL[:8]), st.sampled_from(POOL[:8]))
def test_a_proof_of_another_index_or_key_never_proves(one: bytes, other: bytes) -> None:
    known = index(1500)
    with pytest.raises(VerificationError):
        verify_item_proof(index(COVERS).head, one, known.prove(one))
    if one != other:
        with pytest.raises(VerificationError):
            verify_item_proof(known.head, one, known.prove(other))


@given(POSTINGS)
def test_runs_cover_every_posting_once_in_order(postings: int) -> None:
    runs = runs_of(postings)
    assert [run.first for run in runs] == [0, *(run.end for run in runs)][: len(runs)]
    assert sum(run.postings for run in runs) == postings
    full = runs[:-1] if postings % BASE_POSTINGS else runs
    assert all(not run.first % run.postings for run in full)
    assert all(run.postings >= BASE_POSTINGS for run in full)


@given(POSTINGS)
def test_runs_are_those_that_are_due_and_in_no_longer_one(postings: int) -> None:
    expected = []
    covered = 0
    for level in range(12, -1, -1):
        length = run_length(level)
        wait = length // 2 if level else 0
        while covered + length + wait <= postings:
            expected.append((covered, length))
            covered += length
    expected += [(covered, postings - covered)] if covered < postings else []
    assert [(run.first, run.postings) for run in runs_of(postings)] == expected


@given(POSTINGS)
def test_a_merged_run_is_announced_half_of_its_length_before_it_is_due(postings: int) -> None:
    for run in runs_of(postings):
        if run.postings > BASE_POSTINGS:
            half = run.postings // 2
            for moment in (run.end, run.end + half - 1):
                assert run in coming_runs(moment)
                assert run not in runs_of(moment)
            assert run not in coming_runs(run.end + half)


@given(POSTINGS)
def test_what_is_merged_comes_from_runs_that_are_kept(postings: int) -> None:
    kept = {*runs_of(postings), *coming_runs(postings)}
    for run in coming_runs(postings):
        assert run.end <= postings
        assert kept.issuperset(parts_of(run))
