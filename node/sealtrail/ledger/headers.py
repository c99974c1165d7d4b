"""Blocks as an endpoint shows them: parsed to what the node uses, and to the items that a block's hash is made of."""

from __future__ import annotations

from typing import Any

from sealtrail.ledger.wire import garbage, parse_bytes, parse_object, parse_quantity
from sealtrail.ports import Head

_ADDRESS, _DIGEST, _BLOOM, _NONCE = 20, 32, 256, 8
_MAX_QUANTITY = 2**256 - 1

# Yellow Paper section 4.3, and EIP-1559 for the last: the order of a header's items; None marks a number.
_ITEMS: tuple[tuple[str, int | None], ...] = (
    ("parentHash", _DIGEST),
    ("sha3Uncles", _DIGEST),
    ("miner", _ADDRESS),
    ("stateRoot", _DIGEST),
    ("transactionsRoot", _DIGEST),
    ("receiptsRoot", _DIGEST),
    ("logsBloom", _BLOOM),
    ("difficulty", None),
    ("number", None),
    ("gasLimit", None),
    ("gasUsed", None),
    ("timestamp", None),
    ("extraData", -1),
    ("mixHash", _DIGEST),
    ("nonce", _NONCE),
    ("baseFeePerGas", None),
)


def parse_head(value: Any, what: str) -> Head:
    """Return the block that an endpoint answered with.

    Raises:
        UnavailableError: it is none (``rpc_garbage``).
    """
    block = parse_object(value, what)
    return Head(
        number=parse_quantity(block.get("number"), "block number"),
        hash=parse_bytes(block.get("hash"), "block hash", length=_DIGEST),
        parent_hash=parse_bytes(block.get("parentHash"), "parent hash", length=_DIGEST),
        time=parse_quantity(block.get("timestamp"), "block timestamp"),
    )


def parse_header_items(value: Any) -> tuple[bytes, ...]:
    """Return the RLP items of a header up to London (what Clique runs on).

    Raises:
        UnavailableError: it is no such header (``rpc_garbage``).
    """
    block = parse_object(value, "a block header")
    return tuple(
        _item(block, name, length)
        for name, length in _ITEMS
        if name in block or name != "baseFeePerGas"
    )


def _item(block: dict[str, Any], name: str, length: int | None) -> bytes:
    if name not in block:
        raise garbage(f"a header's {name}", None)
    if length is None:
        number = parse_quantity(block[name], name, maximum=_MAX_QUANTITY)
        return number.to_bytes((number.bit_length() + 7) // 8, "big")
    return parse_bytes(block[name], name, length=None if length < 0 else length)
