"""Receipts of every type, and accounts and slots, from bytes that were proven; and bytes that are none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import rlp

from sealed_chains import plain_header
from sealtrail.chainproof import strict_rlp, trie
from sealtrail.chainproof.hashing import EMPTY_TRIE_ROOT, keccak
from sealtrail.chainproof.headers import Header
from sealtrail.chainproof.receipts import (
    TYPES,
    Log,
    Receipt,
    encode_receipt,
    parse_receipt,
    receipt_at,
    receipt_from_json,
)
from sealtrail.chainproof.state import Account, account_at, storage_at
from sealtrail.errors import InputError, SealtrailError, VerificationError

LOG = Log(address=b"\1" * 20, topics=(b"\2" * 32, b"\3" * 32), payload=b"\0\1\2")
SHOWN: dict[str, Any] = {
    "status": "0x1",
    "cumulativeGasUsed": "0x5208",
    "logsBloom": "0x" + "00" * 256,
    "type": "0x2",
    "logs": [
        {
            "address": "0x" + "01" * 20,
            "topics": ["0x" + "02" * 32, "0x" + "03" * 32],
            "data": "0x000102",
            "logIndex": "0x0",
        }
    ],
}


def receipt(**fields: Any) -> Receipt:
    plain = Receipt(
        kind=2,
        succeeded=True,
        cumulative_gas_used=21_000,
        logs_bloom=bytes(256),
        logs=(LOG,),
    )
    return msgspec.structs.replace(plain, **fields)


def refused(encoded: bytes) -> str:
    with pytest.raises(InputError) as caught:
        parse_receipt(encoded)
    return caught.value.code


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("fields", [{"succeeded": True}, {"succeeded": False}, {"logs": ()}])
def test_each_type_comes_back(kind: int, fields: dict[str, Any]) -> None:
    made = receipt(kind=kind, **fields)
    encoded = encode_receipt(made)
    assert parse_receipt(encoded) == made
    assert (encoded[0] == kind) is (kind > 0)


def test_a_receipt_from_before_byzantium_has_a_root_instead_of_a_status() -> None:
    made = receipt(kind=0, succeeded=None, state_root=b"\7" * 32)
    assert parse_receipt(encode_receipt(made)) == made
    shown = {k: v for k, v in SHOWN.items() if k not in ("status", "type")}
    assert receipt_from_json(shown | {"root": "0x" + "07" * 32}) == made


def test_json_shows_the_same() -> None:
    assert receipt_from_json(SHOWN) == receipt()
    assert receipt_from_json(SHOWN | {"status": "0x0"}) == receipt(succeeded=False)
    untyped = {k: v for k, v in SHOWN.items() if k != "type"}
    assert receipt_from_json(untyped) == receipt(kind=0)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "0x2"},
        {"status": None},
        {"status": "1"},
        {"type": "0x5"},
        {"type": "0x7e"},
        {"type": 2},
        {"cumulativeGasUsed": None},
        {"cumulativeGasUsed": "0x" + "1" * 17},
        {"logsBloom": "0x00"},
        {"logs": None},
        {"logs": {}},
        {"logs": [None]},
        {"logs": [SHOWN["logs"][0] | {"address": "0x01"}]},
        {"logs": [SHOWN["logs"][0] | {"topics": ["0x01"]}]},
        {"logs": [SHOWN["logs"][0] | {"topics": ["0x" + "02" * 32] * 5}]},
        {"logs": [SHOWN["logs"][0] | {"data": "0x0"}]},
    ],
)
def test_json_that_shows_no_receipt_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        receipt_from_json(SHOWN | change)
    assert caught.value.code == "receipt_malformed"


ITEMS: list[Any] = [b"\1", b"\x52\x08", bytes(256), [[b"\1" * 20, [b"\2" * 32], b""]]]


@pytest.mark.parametrize(
    ("place", "item"),
    [
        (0, b"\2"),
        (0, b"\0"),
        (0, bytes(31)),
        (0, []),
        (1, b"\0\1"),
        (1, b"\1" * 9),
        (1, []),
        (2, bytes(255)),
        (2, []),
        (3, b""),
        (3, [b""]),
        (3, [[]]),
        (3, [[b"\1" * 19, [], b""]]),
        (3, [[b"\1" * 20, b"", b""]]),
        (3, [[b"\1" * 20, [b"\2" * 31], b""]]),
        (3, [[b"\1" * 20, [b"\2" * 32] * 5, b""]]),
        (3, [[b"\1" * 20, [], []]]),
        (3, [[b"\1" * 20, [[]], b""]]),
        (3, [[b"\1" * 20, [[[]]], b""]]),
    ],
)
def test_an_item_of_another_form_is_refused(place: int, item: Any) -> None:
    parse_receipt(rlp.encode(ITEMS))
    items = list(ITEMS)
    items[place] = item
    assert refused(rlp.encode(items)) == "receipt_malformed"


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\2",
        b"\0" + rlp.encode(ITEMS),
        b"\5" + rlp.encode(ITEMS),
        b"\x7f" + rlp.encode(ITEMS),
        b"\2" + rlp.encode(ITEMS) + b"\0",
        rlp.encode(ITEMS[:3]),
        rlp.encode([*ITEMS, b""]),
        rlp.encode(b"x" * 60),
    ],
)
def test_what_is_no_receipt_is_refused(encoded: bytes) -> None:
    assert refused(encoded) == "receipt_malformed"


def block_of(receipts: list[Receipt]) -> tuple[Header, list[bytes]]:
    encoded = [encode_receipt(r) for r in receipts]
    return plain_header(receipts_root=trie.ordered_trie_root(encoded)), encoded


def test_a_receipt_is_proven_by_its_place_in_the_block() -> None:
    receipts = [receipt(cumulative_gas_used=n, kind=n % 5) for n in range(200)]
    header, encoded = block_of(receipts)
    for index in (0, 1, 127, 128, 199):
        assert receipt_at(header, index, trie.ordered_trie_proof(encoded, index)) == receipts[index]
    with pytest.raises(VerificationError) as caught:
        receipt_at(header, 200, trie.ordered_trie_proof(encoded, 200))
    assert caught.value.code == "receipt_absent"


@pytest.mark.parametrize("index", [-1, 1_000_000, 2**64])
def test_no_block_has_so_many_transactions(index: int) -> None:
    with pytest.raises(InputError) as caught:
        receipt_at(plain_header(), index, [])
    assert caught.value.code == "receipt_malformed"


ACCOUNT = Account(nonce=1, balance=10**18, storage_root=EMPTY_TRIE_ROOT, code_hash=keccak(b""))


def leaf_of(key: bytes, value: bytes) -> tuple[bytes, list[bytes]]:
    """A trie of one entry: its root, and the proof."""
    node = strict_rlp.encode([b"\x20" + key, value])
    return keccak(node), [node]


def state_of(value: Any) -> tuple[Header, bytes, list[bytes]]:
    address = b"\5" * 20
    root, proof = leaf_of(keccak(address), rlp.encode(value))
    return plain_header(state_root=root), address, proof


def test_an_account_is_proven_or_its_absence() -> None:
    header, address, proof = state_of(
        [b"\1", b"\x0d\xe0\xb6\xb3\xa7\x64\x00\x00", EMPTY_TRIE_ROOT, keccak(b"")]
    )
    assert account_at(header, address, proof) == ACCOUNT
    assert account_at(header, b"\6" * 20, proof) is None


@pytest.mark.parametrize(
    "value",
    [
        b"",
        [],
        [b"\1", b"", EMPTY_TRIE_ROOT],
        [b"\1", b"", EMPTY_TRIE_ROOT, keccak(b""), b""],
        [b"\0", b"", EMPTY_TRIE_ROOT, keccak(b"")],
        [b"\1" * 9, b"", EMPTY_TRIE_ROOT, keccak(b"")],
        [b"\1", b"\1" * 33, EMPTY_TRIE_ROOT, keccak(b"")],
        [b"\1", b"", bytes(31), keccak(b"")],
        [b"\1", b"", EMPTY_TRIE_ROOT, []],
    ],
)
def test_what_is_no_account_is_refused(value: Any) -> None:
    with pytest.raises(VerificationError) as caught:
        account_at(*state_of(value))
    assert caught.value.code == "account_malformed"


def with_slot(slot: int, value: Any) -> tuple[Account, list[bytes]]:
    root, proof = leaf_of(keccak(slot.to_bytes(32, "big")), rlp.encode(value))
    return msgspec.structs.replace(ACCOUNT, storage_root=root), proof


def test_a_slot_is_proven_or_its_absence() -> None:
    account, proof = with_slot(2**256 - 1, b"\xff" * 32)
    assert storage_at(account, 2**256 - 1, proof) == 2**256 - 1
    assert storage_at(account, 0, proof) == 0
    assert storage_at(ACCOUNT, 0, []) == 0
    assert storage_at(None, 0, []) == 0


@pytest.mark.parametrize("value", [b"", b"\0", b"\0\1", b"\1" * 33, [], [b"\1"]])
def test_what_is_no_slot_is_refused(value: Any) -> None:
    account, proof = with_slot(0, value)
    with pytest.raises(VerificationError) as caught:
        storage_at(account, 0, proof)
    assert caught.value.code == "storage_malformed"


@pytest.mark.parametrize("slot", [-1, 2**256])
def test_a_slot_that_cannot_be_is_refused(slot: int) -> None:
    with pytest.raises(SealtrailError) as caught:
        storage_at(ACCOUNT, slot, [])
    assert caught.value.code == "slot_malformed"
    with pytest.raises(SealtrailError) as caught:
        account_at(plain_header(), bytes(19), [])
    assert caught.value.code == "address_malformed"
