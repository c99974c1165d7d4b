"""Values from an endpoint: one spelling each, everything else is garbage."""

from __future__ import annotations

from typing import Any

import pytest

from abi_hashes import ANCHORED_TOPIC, MEMBER_RECORDED_TOPIC
from sealtrail.chainproof.consensus import Form
from sealtrail.errors import UnavailableError
from sealtrail.ledger.anchor_calls import (
    decode_address,
    decode_latest,
    parse_anchored,
    parse_log,
    parse_recorded,
)
from sealtrail.ledger.headers import parse_head, parse_header
from sealtrail.ledger.wire import encode_bytes, parse_bytes, parse_quantity

WORD = "0x" + "00" * 31 + "07"
LOG: dict[str, Any] = {
    "address": "0x" + "aa" * 20,
    "topics": [encode_bytes(ANCHORED_TOPIC), "0x" + "00" * 12 + "bb" * 20, WORD],
    "data": "0x" + "cc" * 32 + "00" * 31 + "01",
    "blockNumber": "0x10",
    "blockHash": "0x" + "dd" * 32,
    "logIndex": "0x0",
    "transactionHash": "0x" + "ee" * 32,
}


@pytest.mark.parametrize(
    ("text", "number"), [("0x0", 0), ("0x10", 16), ("0xffffffffffffffff", 2**64 - 1)]
)
def test_quantities_are_read(text: str, number: int) -> None:
    assert parse_quantity(text, "it") == number


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        True,
        "",
        "0x",
        "16",
        "0x-1",
        "0x+1",
        "0x 1",
        "0x1_0",
        "0xg",
        "0x" + "f" * 17,
        "0x" + "1" * 10_000,
        [],
        {},
    ],
)
def test_what_is_no_quantity_is_garbage(value: Any) -> None:
    with pytest.raises(UnavailableError) as caught:
        parse_quantity(value, "it")
    assert caught.value.code == "rpc_garbage"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    "value", [None, 5, "", "00", "0x0", "0xgg", "0x00 00", "0x0000 ", b"0x00", []]
)
def test_what_is_no_data_is_garbage(value: Any) -> None:
    with pytest.raises(UnavailableError):
        parse_bytes(value, "it")


def test_data_of_another_length_is_garbage() -> None:
    assert parse_bytes("0x" + "ab" * 32, "it", length=32) == b"\xab" * 32
    with pytest.raises(UnavailableError):
        parse_bytes("0x" + "ab" * 31, "it", length=32)


def test_an_anchored_event_is_read() -> None:
    log = parse_log(LOG)
    assert parse_anchored(log) == (b"\xbb" * 20, 7, b"\xcc" * 32, True)
    assert (log.block_number, log.log_index, log.block_time) == (16, 0, None)
    assert parse_log({**LOG, "blockTimestamp": "0x64"}).block_time == 100


@pytest.mark.parametrize(
    "change",
    [
        {"topics": LOG["topics"][:2]},
        {"topics": [*LOG["topics"], WORD]},
        {"topics": [WORD, *LOG["topics"][1:]]},
        {"topics": [LOG["topics"][0], "0x" + "bb" * 32, WORD]},
        {"topics": [*LOG["topics"][:2], "0x" + "ff" * 32]},
        {"data": "0x" + "cc" * 32},
        {"data": "0x" + "cc" * 32 + "00" * 31 + "02"},
        {"data": "0x"},
        {"removed": True},
        {"blockHash": None},
        {"blockNumber": None},
        {"address": "0xaa"},
        {"topics": None},
        {"topics": "0x"},
        {"transactionHash": 7},
    ],
)
def test_a_malformed_anchored_event_is_garbage(change: dict[str, Any]) -> None:
    with pytest.raises(UnavailableError) as caught:
        parse_anchored(parse_log({**LOG, **change}))
    assert caught.value.code == "rpc_garbage"


@pytest.mark.parametrize(
    "data",
    [
        "0x",
        "0x" + "00" * 32,
        "0x" + "ff" * 64,
        "0x" + "00" * 31 + "20" + "ff" * 32,
        "0x" + "00" * 31 + "20" + "00" * 31 + "40",
    ],
)
def test_a_malformed_record_event_is_garbage(data: str) -> None:
    topics = [encode_bytes(MEMBER_RECORDED_TOPIC), *LOG["topics"][1:]]
    with pytest.raises(UnavailableError):
        parse_recorded(parse_log({**LOG, "topics": topics, "data": data}))


@pytest.mark.parametrize("answer", [b"", bytes(32), bytes(96), b"\xff" * 64])
def test_an_answer_that_is_no_latest_anchor_is_garbage(answer: bytes) -> None:
    with pytest.raises(UnavailableError):
        decode_latest(answer)


@pytest.mark.parametrize("answer", [b"", bytes(31), b"\x01" + bytes(31)])
def test_an_answer_that_is_no_address_is_garbage(answer: bytes) -> None:
    with pytest.raises(UnavailableError):
        decode_address(answer)


@pytest.mark.parametrize("value", [None, [], "block", {}, {"number": "0x1"}])
def test_what_is_no_block_is_garbage(value: Any) -> None:
    with pytest.raises(UnavailableError):
        parse_head(value, "a block")
    with pytest.raises(UnavailableError):
        parse_header(value, Form(name="none"))
