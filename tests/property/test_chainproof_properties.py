"""Whatever is flipped in a header, a seal, a proof or a receipt, it is refused; whatever is made comes back."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import rlp
from hypothesis import given
from hypothesis import strategies as st

from sealed_chains import BftChain, CliqueChain, plain_header
from sealtrail.chainproof import strict_rlp, trie
from sealtrail.chainproof.consensus import Validators
from sealtrail.chainproof.headers import Header, encode_header, parse_header
from sealtrail.chainproof.receipts import Log, Receipt, encode_receipt, parse_receipt, receipt_at
from sealtrail.chainproof.validators import (
    follow,
    form_of_genesis,
    validators_at_genesis,
    verify_final,
)
from sealtrail.errors import InputError, SealtrailError

ITEM = st.recursive(
    st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6), max_leaves=20
)


def _clique() -> CliqueChain:
    chain = CliqueChain(range(4), base_fee=7)
    for by in (0, 1, 2, 3, 0):
        chain.seal(by)
    return chain


def _bft(kind: Any) -> BftChain:
    chain = BftChain(range(4), kind=kind)
    for proposer in range(5):
        chain.seal([0, 1, 3], proposer=proposer % 4, turn=proposer)
    return chain


CHAINS: list[list[Header]] = [_clique().headers, _bft("qbft").headers, _bft("ibft2").headers]
STARTS: list[Validators] = [validators_at_genesis(c[0], form_of_genesis(c[0])) for c in CHAINS]
LOG = Log(address=b"\1" * 20, topics=(b"\2" * 32,), payload=b"\3" * 100)
RECEIPTS = [
    encode_receipt(
        Receipt(
            kind=n % 5,
            succeeded=n % 3 > 0,
            cumulative_gas_used=21_000 * (n + 1),
            logs_bloom=bytes(256),
            logs=(LOG,) * (n % 4),
        )
    )
    for n in range(40)
]
BLOCK = plain_header(receipts_root=trie.ordered_trie_root(RECEIPTS))


def flipped(data: st.DataObject, octets: bytes) -> bytes:
    place = data.draw(st.integers(0, len(octets) - 1))
    mask = data.draw(st.integers(1, 255))
    return octets[:place] + bytes((octets[place] ^ mask,)) + octets[place + 1 :]


@given(ITEM)
def test_rlp_comes_back_and_agrees_with_another_implementation(item: Any) -> None:
    encoded = strict_rlp.encode(item)
    assert encoded == rlp.encode(item)
    assert strict_rlp.decode(encoded, depth_max=30) == item


@given(st.binary(max_size=200))
def test_what_decodes_encodes_to_the_same_bytes(octets: bytes) -> None:
    with suppress(InputError):
        assert strict_rlp.encode(strict_rlp.decode(octets, depth_max=30)) == octets


@given(st.data(), st.integers(0, 2), st.integers(0, 4))
def test_a_flipped_byte_in_a_run_of_headers_is_refused(
    data: st.DataObject, which: int, place: int
) -> None:
    chain, start = CHAINS[which], STARTS[which]
    run = [encode_header(h) for h in chain[1:]]
    assert verify_final([parse_header(h) for h in run], start).number == 1
    run[place] = flipped(data, run[place])
    with pytest.raises(SealtrailError):
        verify_final([parse_header(h) for h in run], start)


@given(st.data(), st.integers(0, 39))
def test_a_flipped_byte_in_a_receipts_proof_is_refused(data: st.DataObject, index: int) -> None:
    proof = trie.ordered_trie_proof(RECEIPTS, index)
    assert encode_receipt(receipt_at(BLOCK, index, proof)) == RECEIPTS[index]
    place = data.draw(st.integers(0, len(proof) - 1))
    proof[place] = flipped(data, proof[place])
    with pytest.raises(SealtrailError) as caught:
        receipt_at(BLOCK, index, proof)
    assert caught.value.code == "proof_node_wrong"


@given(st.data(), st.integers(0, 39))
def test_a_flipped_byte_in_a_receipt_makes_another_or_none(data: st.DataObject, index: int) -> None:
    forged = flipped(data, RECEIPTS[index])
    changed = [*RECEIPTS[:index], forged, *RECEIPTS[index + 1 :]]
    assert trie.ordered_trie_root(changed) != BLOCK.receipts_root
    with suppress(InputError):
        assert encode_receipt(parse_receipt(forged)) == forged


@given(st.integers(0, 39), st.integers(0, 60))
def test_a_proof_holds_for_its_own_index_only(index: int, other: int) -> None:
    proof = trie.ordered_trie_proof(RECEIPTS, index)
    if other == index:
        return
    try:
        proven = trie.verify(BLOCK.receipts_root, trie.index_key(other), proof)
    except SealtrailError:
        return
    assert proven is None
    assert other >= len(RECEIPTS)


@given(st.lists(st.binary(min_size=1, max_size=70), min_size=1, max_size=40), st.data())
def test_every_value_of_a_list_proves(values: list[bytes], data: st.DataObject) -> None:
    root = trie.ordered_trie_root(values)
    index = data.draw(st.integers(0, len(values) + 3))
    proof = trie.ordered_trie_proof(values, index)
    proven = trie.verify(root, trie.index_key(index), proof)
    assert proven == (values[index] if index < len(values) else None)


@given(st.lists(st.binary(max_size=120), max_size=5), st.binary(max_size=32))
def test_nodes_of_noise_prove_nothing(nodes: list[bytes], key: bytes) -> None:
    with pytest.raises(SealtrailError):
        trie.verify(b"\x11" * 32, key, nodes)


@given(st.binary(max_size=700))
def test_noise_is_no_header_and_exhausts_nothing(octets: bytes) -> None:
    with pytest.raises(InputError) as caught:
        parse_header(octets)
    assert caught.value.code == "header_malformed"


@given(st.integers(0, 2), st.permutations(range(5)))
def test_headers_follow_in_one_order_only(which: int, order: list[int]) -> None:
    chain, state = CHAINS[which], STARTS[which]
    refusals: list[str] = []
    for place in order:
        try:
            state = follow(state, chain[1 + place])
        except SealtrailError as error:
            refusals.append(error.code)
            break
    assert refusals == ([] if order == sorted(order) else ["header_not_next"])
