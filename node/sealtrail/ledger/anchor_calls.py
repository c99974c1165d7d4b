"""What the contracts answer and emit, parsed; :mod:`sealtrail.ledger.registry_calls` has the questions.

Events are taken apart here and not by web3.py, whose ``process_log`` lets bytes behind the values pass and takes
many times as long (docs/decisions/0038).

Source: contracts/src/IAnchors.sol, IRegistry.sol; Solidity ABI specification.
"""

from __future__ import annotations

from typing import Any

import msgspec
from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError

from sealtrail.ledger.contracts import event_topic
from sealtrail.ledger.wire import garbage, parse_bytes, parse_list, parse_object, parse_quantity


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """One log entry of a receipt or of ``eth_getLogs``; ``block_time`` where the endpoint says it (Unix seconds)."""

    address: bytes
    topics: tuple[bytes, ...]
    payload: bytes
    block_number: int
    block_hash: bytes
    log_index: int
    transaction_hash: bytes
    block_time: int | None


def decode_latest(answer: bytes) -> tuple[int, bytes]:
    """Return sequence and checkpoint hash from the answer to ``latest``.

    Raises:
        UnavailableError: there is no Anchors contract behind it (``rpc_garbage``).
    """
    if len(answer) != 64:
        raise garbage("Anchors.latest", "0x" + answer.hex())
    return _uint64(answer[:32], "Anchors.latest"), answer[32:]


def decode_address(answer: bytes) -> bytes:
    """Return the address from the answer to a call that gives one.

    Raises:
        UnavailableError: it is none (``rpc_garbage``).
    """
    if len(answer) != 32 or any(answer[:12]):
        raise garbage("an address", "0x" + answer.hex())
    return answer[12:]


def parse_log(value: Any) -> Log:
    """Return a log entry as an endpoint spells it.

    Raises:
        UnavailableError: it is none, or was taken back by a reorganisation (``rpc_garbage``).
    """
    log = parse_object(value, "a log")
    if log.get("removed"):
        raise garbage("a log", "one that was removed")
    time = log.get("blockTimestamp")
    return Log(
        address=parse_bytes(log.get("address"), "log address", length=20),
        topics=tuple(
            parse_bytes(t, "log topic", length=32) for t in parse_list(log.get("topics"), "topics")
        ),
        payload=parse_bytes(log.get("data"), "log data"),
        block_number=parse_quantity(log.get("blockNumber"), "log block number"),
        block_hash=parse_bytes(log.get("blockHash"), "log block hash", length=32),
        log_index=parse_quantity(log.get("logIndex"), "log index"),
        transaction_hash=parse_bytes(log.get("transactionHash"), "log transaction", length=32),
        block_time=None if time is None else parse_quantity(time, "log timestamp"),
    )


def parse_anchored(log: Log) -> tuple[bytes, int, bytes, bool]:
    """Return member, sequence, checkpoint hash and whether the member was suspended.

    Raises:
        UnavailableError: it is no ``Anchored`` (``rpc_garbage``).
    """
    if (
        len(log.topics) != 3
        or log.topics[0] != event_topic("Anchors", "Anchored")
        or len(log.payload) != 64
    ):
        raise garbage("an Anchored event", log.payload.hex())
    flag = _uint64(log.payload[32:], "Anchored.suspended")
    if flag > 1:
        raise garbage("Anchored.suspended", flag)
    sequence = _uint64(log.topics[2], "Anchored.sequence")
    return decode_address(log.topics[1]), sequence, log.payload[:32], bool(flag)


def parse_recorded(log: Log) -> tuple[bytes, int, bytes]:
    """Return member, version and the record as the contract encodes it.

    Raises:
        UnavailableError: it is no ``MemberRecorded`` (``rpc_garbage``).
    """
    if len(log.topics) != 3 or log.topics[0] != event_topic("Registry", "MemberRecorded"):
        raise garbage("a MemberRecorded event", log.topics)
    try:
        (record,) = decode(["bytes"], log.payload)
    except (DecodingError, OverflowError, ValueError) as error:
        raise garbage("MemberRecorded.record", log.payload.hex()) from error
    version = _uint64(log.topics[2], "MemberRecorded.version")
    return decode_address(log.topics[1]), version, bytes(record)


def _uint64(word: bytes, what: str) -> int:
    if any(word[:24]):
        raise garbage(what, "0x" + word.hex())
    return int.from_bytes(word, "big")
