"""Transaction receipts: bytes as the receipts trie holds them, values, and the form that JSON-RPC shows.

A legacy receipt is the RLP of four items; one of a typed transaction has the type's byte before it.
Source: Yellow Paper section 4.4.1; EIP-658 (status), EIP-2718, EIP-2930, EIP-1559, EIP-4844, EIP-7702.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sealtrail.chainproof import strict_rlp, trie
from sealtrail.chainproof.headers import Header
from sealtrail.chainproof.limits import RECEIPTS_MAX
from sealtrail.chainproof.strict_rlp import Item
from sealtrail.chainproof.wire import parse_data, parse_list, parse_number, parse_object
from sealtrail.errors import InputError, VerificationError

TYPES = range(5)
"""0: legacy; 1: access list; 2: dynamic fee; 3: blob; 4: set code."""

_ADDRESS, _DIGEST, _BLOOM = 20, 32, 256
_TOPICS_MAX = 4
_LOGS_MAX = 100_000
_DEPTH = 4  # receipt, logs, log, topics


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """What a contract emitted."""

    address: bytes
    topics: tuple[bytes, ...]
    payload: bytes


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one transaction. ``state_root`` stood in the status's place before Byzantium."""

    kind: int
    succeeded: bool | None
    cumulative_gas_used: int
    logs_bloom: bytes
    logs: tuple[Log, ...]
    state_root: bytes | None = None


def receipt_at(header: Header, index: int, proof: Sequence[bytes]) -> Receipt:
    """Return the receipt of the block's transaction number ``index`` (from 0).

    Whether the header is one of the chain's is not looked at.

    Raises:
        VerificationError: the block has no such transaction (``receipt_absent``), or the proof doesn't hold: see
            :func:`sealtrail.chainproof.trie.verify`.
        InputError: what is proven is no receipt that is known here (``receipt_malformed``).
    """
    if not 0 <= index < RECEIPTS_MAX:
        raise InputError("receipt_malformed", f"no block has a transaction number {index}")
    encoded = trie.verify(header.receipts_root, trie.index_key(index), proof)
    if encoded is None:
        raise VerificationError(
            "receipt_absent", f"block {header.number} has no transaction number {index}"
        )
    return parse_receipt(encoded)


def parse_receipt(encoded: bytes) -> Receipt:
    """Return the receipt that ``encoded`` is.

    Raises:
        InputError: it is none, or of a type that is not known here (``receipt_malformed``).
    """
    kind = encoded[0] if encoded[:1] < b"\x80" and encoded else 0
    try:
        items = strict_rlp.decode(encoded[1:] if kind else encoded, depth_max=_DEPTH)
        receipt = _from_items(kind, items)
    except InputError as error:
        raise _malformed(error.message) from error
    if encode_receipt(receipt) != encoded:
        raise _malformed("it does not encode to the same bytes again")
    return receipt


def encode_receipt(receipt: Receipt) -> bytes:
    """Return the bytes that the receipts trie holds."""
    outcome = b"\x01" if receipt.succeeded else b""
    body = strict_rlp.encode(
        [
            outcome if receipt.state_root is None else receipt.state_root,
            strict_rlp.encode_number(receipt.cumulative_gas_used),
            receipt.logs_bloom,
            [[log.address, list(log.topics), log.payload] for log in receipt.logs],
        ]
    )
    return bytes((receipt.kind,)) + body if receipt.kind else body


def receipt_from_json(value: Any) -> Receipt:
    """Return the receipt that JSON-RPC shows; whether it is the chain's, the header's root says.

    Raises:
        InputError: it is none, or of a type that is not known here (``receipt_malformed``).
    """
    try:
        shown = parse_object(value, "a receipt")
        root = shown.get("root")
        has_root = shown.get("status") is None and root not in (None, "0x")
        return Receipt(
            # clients from before Berlin, and GoQuorum at times, show no type
            kind=_kind(parse_number(shown.get("type") or "0x0", "type", bytes_max=1)),
            succeeded=None if has_root else _status(shown.get("status")),
            state_root=parse_data(root, "root", length=_DIGEST) if has_root else None,
            cumulative_gas_used=parse_number(
                shown.get("cumulativeGasUsed"), "cumulativeGasUsed", bytes_max=8
            ),
            logs_bloom=parse_data(shown.get("logsBloom"), "logsBloom", length=_BLOOM),
            logs=tuple(
                _log_from_json(log)
                for log in parse_list(shown.get("logs"), "logs", count_max=_LOGS_MAX)
            ),
        )
    except InputError as error:
        raise _malformed(error.message) from error


def _from_items(kind: int, items: Item) -> Receipt:
    if not isinstance(items, list) or len(items) != 4:
        raise _malformed("it is no list of four items")
    outcome, gas, bloom, logs = items
    if outcome not in (b"", b"\x01") and not (
        isinstance(outcome, bytes) and len(outcome) == _DIGEST
    ):
        raise _malformed("its first item is neither a status nor a state root")
    if not isinstance(logs, list) or len(logs) > _LOGS_MAX:
        raise _malformed(f"its logs are no list of up to {_LOGS_MAX}")
    has_root = len(outcome) == _DIGEST
    return Receipt(
        kind=_kind(kind),
        succeeded=None if has_root else outcome == b"\x01",
        state_root=bytes(outcome) if has_root and isinstance(outcome, bytes) else None,
        cumulative_gas_used=strict_rlp.decode_number(gas, 8, "the gas used"),
        logs_bloom=_octets(bloom, _BLOOM, "the bloom filter"),
        logs=tuple(map(_log, logs)),
    )


def _log(item: Item) -> Log:
    if not isinstance(item, list) or len(item) != 3 or not isinstance(item[1], list):
        raise _malformed("a log is no list of address, topics and data")
    if len(item[1]) > _TOPICS_MAX:
        raise _malformed(f"a log has {len(item[1])} topics")
    return Log(
        address=_octets(item[0], _ADDRESS, "a log's address"),
        topics=tuple(_octets(topic, _DIGEST, "a topic") for topic in item[1]),
        payload=_octets(item[2], None, "a log's data"),
    )


def _log_from_json(value: Any) -> Log:
    shown = parse_object(value, "a log")
    return Log(
        address=parse_data(shown.get("address"), "a log's address", length=_ADDRESS),
        topics=tuple(
            parse_data(topic, "a topic", length=_DIGEST)
            for topic in parse_list(shown.get("topics"), "topics", count_max=_TOPICS_MAX)
        ),
        payload=parse_data(shown.get("data"), "a log's data"),
    )


def _status(value: Any) -> bool:
    status = parse_number(value, "status", bytes_max=1)
    if status > 1:
        raise _malformed(f"its status is {status}")
    return status == 1


def _kind(number: int) -> int:
    if number not in TYPES:
        raise _malformed(f"transactions of type {number} are not known here")
    return number


def _octets(item: Item, size: int | None, what: str) -> bytes:
    if not isinstance(item, bytes) or size not in (None, len(item)):
        raise _malformed(f"{what} is not octets{'' if size is None else f', {size} of them'}")
    return item


def _malformed(what: str) -> InputError:
    return InputError("receipt_malformed", f"this is no receipt: {what}")
