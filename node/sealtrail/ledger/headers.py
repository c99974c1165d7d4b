"""Blocks as an endpoint shows them: parsed to what the node uses, and to the header that a block's hash is made of."""

from __future__ import annotations

from typing import Any

from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.headers import Header, header_from_json
from sealtrail.chainproof.validators import block_hash
from sealtrail.errors import SealtrailError
from sealtrail.ledger.wire import garbage, parse_bytes, parse_object, parse_quantity
from sealtrail.ports import Head

_DIGEST = 32


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


def parse_header(value: Any, form: Form) -> Header:
    """Return the header of the block that an endpoint answered with.

    Raises:
        UnavailableError: it is none, or does not have the hash it claims (``rpc_garbage``).
    """
    block = parse_object(value, "a block header")
    try:
        header = header_from_json(block)
        own = block_hash(header, form)
    except SealtrailError as error:
        raise garbage(f"a block header ({error.message})", block.get("number")) from error
    if own != parse_bytes(block.get("hash"), "block hash", length=_DIGEST):
        raise garbage("a block header, whose hash is another", block.get("hash"))
    return header
