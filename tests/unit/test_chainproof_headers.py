"""Headers of every fork's form, from RLP and from JSON; and what is none."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import rlp

from sealed_chains import plain_header, shown
from sealtrail.chainproof.clique import block_hash
from sealtrail.chainproof.hashing import keccak
from sealtrail.chainproof.headers import (
    FORMS,
    Header,
    encode_header,
    form_of,
    genesis_from_json,
    header_from_json,
    header_items,
    parse_header,
)
from sealtrail.chainproof.limits import HEADER_BYTES_MAX
from sealtrail.errors import InputError

LONDON: dict[str, Any] = {"base_fee": 7}
SHANGHAI = LONDON | {"withdrawals_root": b"\1" * 32}
CANCUN = SHANGHAI | {
    "blob_gas_used": 0,
    "excess_blob_gas": 131_072,
    "parent_beacon_root": b"\2" * 32,
}
PRAGUE = CANCUN | {"requests_hash": b"\3" * 32}
FORKS = [{}, LONDON, SHANGHAI, CANCUN, PRAGUE]
# Ethereum's block 0, from any endpoint
MAINNET_GENESIS = {
    "difficulty": "0x400000000",
    "extraData": "0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "gasLimit": "0x1388",
    "gasUsed": "0x0",
    "hash": "0xd4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
    "logsBloom": "0x" + "00" * 256,
    "miner": "0x0000000000000000000000000000000000000000",
    "mixHash": "0x" + "00" * 32,
    "nonce": "0x0000000000000042",
    "number": "0x0",
    "parentHash": "0x" + "00" * 32,
    "receiptsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
    "sha3Uncles": "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347",
    "stateRoot": "0xd7f8974fb5ac78d9ac099b9ad5018bedc2ce0a72dad1827a1709da30580f0544",
    "timestamp": "0x0",
    "transactionsRoot": "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421",
}


def refused(encoded: bytes) -> str:
    with pytest.raises(InputError) as caught:
        parse_header(encoded)
    return caught.value.code


@pytest.mark.parametrize(("fields", "count"), [*zip(FORKS, FORMS, strict=True)])
def test_each_forks_form_comes_back(fields: dict[str, Any], count: int) -> None:
    header = plain_header(number=5, extra_data=b"xyz", gas_used=21_000, **fields)
    assert form_of(header) == count == len(header_items(header))
    assert parse_header(encode_header(header)) == header
    assert header_from_json(shown(header, bytes(32))) == header


def test_a_header_of_a_public_chain_has_its_hash() -> None:
    assert "0x" + block_hash(header_from_json(MAINNET_GENESIS)).hex() == MAINNET_GENESIS["hash"]


def test_nulls_stand_for_items_of_later_forks() -> None:
    block = shown(plain_header(), bytes(32))
    later = ("baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "requestsHash")
    assert header_from_json(block | dict.fromkeys(later)) == plain_header()


@pytest.mark.parametrize("count", [0, 1, 14, 18, 19, 22])
def test_no_other_number_of_items_is_a_header(count: int) -> None:
    items = (header_items(plain_header(**PRAGUE)) + [b"x"] * 5)[:count]
    assert refused(rlp.encode(items)) == "header_malformed"


@pytest.mark.parametrize(
    ("place", "item"),
    [
        (0, bytes(31)),
        (0, []),
        (2, bytes(21)),
        (6, bytes(255)),
        (7, b"\0\1"),
        (8, b"\1" * 9),
        (8, b"\0"),
        (11, b"\1" * 9),
        (12, [b"x"]),
        (13, b""),
        (14, bytes(7)),
        (15, b"\1" * 33),
        (16, b""),
        (17, b"\0"),
    ],
)
def test_an_item_of_another_size_is_refused(place: int, item: Any) -> None:
    items: list[Any] = list(header_items(plain_header(**PRAGUE)))
    items[place] = item
    assert refused(rlp.encode(items)) == "header_malformed"


def test_another_spelling_of_a_header_is_refused() -> None:
    encoded = encode_header(plain_header(number=5))
    assert refused(encoded + b"\0") == "header_malformed"
    assert refused(encoded[:-1]) == "header_malformed"
    assert refused(b"") == "header_malformed"
    assert refused(b"\x01") == "header_malformed"
    longer = b"\xfa\x00" + encoded[1:]  # the length with a zero before it
    assert refused(longer) == "header_malformed"


def test_a_header_that_is_too_long_is_refused_unread() -> None:
    assert refused(bytes(HEADER_BYTES_MAX + 1)) == "header_malformed"


def test_items_of_a_later_fork_without_an_earlier_ones_are_no_header() -> None:
    for fields in ({"withdrawals_root": bytes(32)}, LONDON | {"blob_gas_used": 0}):
        with pytest.raises(InputError) as caught:
            encode_header(plain_header(**fields))
        assert caught.value.code == "header_malformed"


@pytest.mark.parametrize(
    "change",
    [
        {"number": None},
        {"number": 5},
        {"number": "5"},
        {"number": "0x"},
        {"number": "0x" + "1" * 17},
        {"number": "0x1_0"},
        {"number": "-0x1"},
        {"parentHash": "0x" + "00" * 31},
        {"parentHash": "0x" + "0g" * 32},
        {"parentHash": "0x" + "00 " * 32},
        {"miner": None},
        {"extraData": "0x1"},
        {"withdrawalsRoot": "0x" + "00" * 32},
        {"baseFeePerGas": "0x" + "f" * 65},
    ],
)
def test_what_json_shows_as_no_header_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        header_from_json(shown(plain_header(), bytes(32)) | change)
    assert caught.value.code == "header_malformed"


def test_a_block_0_with_items_out_of_order_has_its_hash_all_the_same() -> None:
    """As anvil makes it with ``--hardfork london``."""
    header = plain_header(base_fee=10**9)
    block = shown(header, bytes(32)) | {"blobGasUsed": "0x0", "excessBlobGas": "0x0"}
    first, own = genesis_from_json(block)
    assert first == plain_header()
    assert own == keccak(rlp.encode([*header_items(header), b"", b""]))
    with pytest.raises(InputError):
        header_from_json(block)


@pytest.mark.parametrize("value", [None, [], {}, {"number": "0x0"}])
def test_what_is_no_block_0_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as caught:
        genesis_from_json(value)
    assert caught.value.code == "header_malformed"


@pytest.mark.parametrize("value", [None, [], "block", 5, {}])
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(InputError):
        header_from_json(value)


def test_every_item_is_under_the_hash() -> None:
    header = plain_header(**PRAGUE)
    encodings = {encode_header(header)}
    for name in msgspec.structs.asdict(header):
        value = getattr(header, name)
        other = value + 1 if isinstance(value, int) else b"\xee" * len(value) or b"x"
        encodings.add(encode_header(msgspec.structs.replace(header, **{name: other})))
    assert len(encodings) == 1 + len(Header.__struct_fields__)
