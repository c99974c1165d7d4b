"""Headers, seals, base fee, tries and the engine, without a process around them."""

from __future__ import annotations

from dataclasses import replace

import coincurve
import pytest
import rlp
from eth_bloom import BloomFilter
from hypothesis import given
from hypothesis import strategies as st

from sealtrail_localchain import clique
from sealtrail_localchain.accounts import address_of
from sealtrail_localchain.engine import Call, Environment, TransactionRefused
from sealtrail_localchain.fees import next_base_fee
from sealtrail_localchain.genesis import Genesis
from sealtrail_localchain.hashing import bloom_of, keccak
from sealtrail_localchain.pyevm import PyEvmEngine
from sealtrail_localchain.rpc.state import revert_reason
from sealtrail_localchain.tries import StateView, list_root
from sealtrail_localchain.values import EMPTY_TRIE_ROOT, Header, decode_header

KEY = coincurve.PrivateKey(b"\x07" * 32)
SIGNER = address_of(KEY.secret)
GENESIS = Genesis(chain_id=5, period_seconds=1, signer=SIGNER, timestamp=1_700_000_000)
ENVIRONMENT = Environment(
    chain_id=5,
    beneficiary=SIGNER,
    number=1,
    timestamp=1_700_000_001,
    difficulty=2,
    gas_limit=30_000_000,
    base_fee=0,
    ancestors=(),
)


def parent(**fields: int) -> Header:
    return replace(GENESIS.header(EMPTY_TRIE_ROOT), **fields)  # type: ignore[arg-type]


def test_a_header_is_read_as_it_was_written() -> None:
    header = parent(number=7, gas_used=21_000)
    assert decode_header(header.encode()) == header
    assert keccak(header.encode()) == header.hash


def test_a_seal_recovers_to_the_signer_and_signs_everything_but_itself() -> None:
    header = replace(parent(number=7), extra_data=clique.unsealed_extra_data(7, SIGNER))
    sealed = clique.seal(header, KEY)
    signature = sealed.extra_data[-clique.SEAL_BYTES :]
    digest = replace(sealed, extra_data=sealed.extra_data[: -clique.SEAL_BYTES]).hash
    public = coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)
    assert keccak(public.format(compressed=False)[1:])[12:] == SIGNER


def test_an_epochs_first_block_lists_the_signer_and_others_do_not() -> None:
    assert SIGNER in clique.unsealed_extra_data(0, SIGNER)
    assert SIGNER in clique.unsealed_extra_data(clique.EPOCH_BLOCKS, SIGNER)
    assert SIGNER not in clique.unsealed_extra_data(clique.EPOCH_BLOCKS + 1, SIGNER)


@pytest.mark.parametrize(
    ("base_fee", "gas_used", "expected"),
    [
        (0, 0, 0),
        (0, 15_000_000, 0),
        (0, 15_000_001, 1),
        (7, 0, 7),
        (8, 0, 7),
        (1_000, 30_000_000, 1_125),
        (1_000, 0, 875),
        (1_000, 15_000_000, 1_000),
    ],
)
def test_the_base_fee_moves_as_eip_1559_says(base_fee: int, gas_used: int, expected: int) -> None:
    assert next_base_fee(parent(base_fee=base_fee, gas_used=gas_used)) == expected


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_the_bloom_equals_that_of_an_independent_library(values: list[bytes]) -> None:
    assert bloom_of(values) == int(BloomFilter.from_iterable(values)).to_bytes(256, "big")


def test_the_root_of_one_item_is_that_of_a_single_leaf() -> None:
    leaf = rlp.encode([bytes.fromhex("2080"), b"x" * 40])  # key 0x80, even, a leaf
    assert list_root([b"x" * 40]) == keccak(leaf)


def test_the_geth_genesis_holds_what_the_header_holds() -> None:
    told = GENESIS.for_geth()
    header = GENESIS.header(EMPTY_TRIE_ROOT)
    assert told["extraData"] == "0x" + header.extra_data.hex()
    assert int(told["timestamp"], 16) == header.timestamp
    assert int(told["gasLimit"], 16) == header.gas_limit
    assert len(told["alloc"]) == 11


def test_a_call_changes_nothing() -> None:
    nodes: dict[bytes, bytes] = {}
    engine = PyEvmEngine()
    root = engine.fund(nodes, {SIGNER: 10})
    before = dict(nodes)
    call = Call(sender=SIGNER, recipient=b"\x09" * 20, gas=50_000, value=7, content=b"")
    outcome = engine.call(nodes, root, ENVIRONMENT, call)
    assert (outcome.failure, outcome.gas_used) == (None, 21_000)
    assert nodes == before
    assert StateView(nodes, root).account(SIGNER).balance == 10


def test_a_call_that_cannot_pay_its_value_is_refused() -> None:
    nodes: dict[bytes, bytes] = {}
    root = PyEvmEngine().fund(nodes, {SIGNER: 10})
    call = Call(sender=SIGNER, recipient=b"\x09" * 20, gas=50_000, value=11, content=b"")
    with pytest.raises(TransactionRefused, match="insufficient funds"):
        PyEvmEngine().call(nodes, root, ENVIRONMENT, call)


def test_a_call_under_its_intrinsic_gas_is_refused() -> None:
    call = Call(sender=SIGNER, recipient=None, gas=21_000, value=0, content=b"\x00")
    with pytest.raises(TransactionRefused, match="intrinsic gas too low"):
        PyEvmEngine().call({}, EMPTY_TRIE_ROOT, ENVIRONMENT, call)


@given(st.binary(max_size=200))
def test_no_code_makes_the_engine_fail(code: bytes) -> None:
    nodes: dict[bytes, bytes] = {}
    root = PyEvmEngine().fund(nodes, {SIGNER: 10})
    call = Call(sender=SIGNER, recipient=None, gas=200_000, value=0, content=code)
    outcome = PyEvmEngine().call(nodes, root, ENVIRONMENT, call)
    assert 0 < outcome.gas_used <= 200_000


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"", None),
        (b"\xde\xad\xbe\xef", None),
        (bytes.fromhex("08c379a0") + bytes(31), None),
        (bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + b"\xff" * 32, None),
        (
            bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"no",
            "no",
        ),
        (bytes.fromhex("4e487b71") + (17).to_bytes(32, "big"), "panic: code 0x11"),
    ],
)
def test_a_revert_reason_is_read_only_where_there_is_one(
    output: bytes, expected: str | None
) -> None:
    assert revert_reason(output) == expected
