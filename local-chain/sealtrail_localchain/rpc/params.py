"""Reading JSON-RPC parameters. Everything that is not exactly as specified is a -32602.

Source: Ethereum execution-apis: quantities without leading zeros, data with whole bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sealtrail_localchain.engine import Call
from sealtrail_localchain.errors import invalid_params
from sealtrail_localchain.fees import GAS_TARGET
from sealtrail_localchain.transactions import UINT64_MAX, UINT256_MAX, AccessList
from sealtrail_localchain.values import ZERO_ADDRESS

_QUANTITY = re.compile(r"0x(0|[1-9a-fA-F][0-9a-fA-F]*)\Z")
_DATA = re.compile(r"0x([0-9a-fA-F]{2})*\Z")
_TAGS = ("latest", "pending", "earliest", "safe", "finalized")
TOPICS_MAX = 4
ALTERNATIVES_MAX = 1_000  # addresses, or topics at one place


@dataclass(frozen=True, slots=True)
class BlockId:
    """A block as a client names it: a tag, a number or a hash (exactly one is set)."""

    tag: str | None = None
    number: int | None = None
    hash: bytes | None = None


LATEST = BlockId(tag="latest")


def positional(params: Any, required: int, allowed: int) -> list[Any]:
    """Return the parameters, absent optional ones as None."""
    if params is None:
        params = []
    if not isinstance(params, list):
        raise invalid_params("non-array args")
    if len(params) > allowed:
        raise invalid_params(f"too many arguments, want at most {allowed}")
    filled = params + [None] * (allowed - len(params))
    for at in range(required):
        if filled[at] is None:
            raise invalid_params(f"missing value for required argument {at}")
    return filled


def quantity(value: Any, name: str, maximum: int = UINT256_MAX) -> int:
    if not isinstance(value, str) or not _QUANTITY.match(value):
        raise invalid_params(f"{name}: expected a hexadecimal quantity such as 0x1")
    if len(value) > 66 or (number := int(value, 16)) > maximum:
        raise invalid_params(f"{name}: number too large")
    return number


def binary(value: Any, name: str, length: int | None = None) -> bytes:
    if not isinstance(value, str) or not _DATA.match(value):
        raise invalid_params(f"{name}: expected hexadecimal data such as 0x00ff")
    content = bytes.fromhex(value[2:])
    if length is not None and len(content) != length:
        raise invalid_params(f"{name}: expected {length} bytes, found {len(content)}")
    return content


def address(value: Any, name: str = "address") -> bytes:
    return binary(value, name, 20)


def block_hash(value: Any, name: str = "hash") -> bytes:
    return binary(value, name, 32)


def slot(value: Any) -> int:
    """Read a storage key: like geth, data of up to 32 bytes with or without leading zeros."""
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
    if not 1 <= len(digits) <= 64 or not re.fullmatch(r"[0-9a-fA-F]+", digits):
        raise invalid_params("storage key: expected up to 32 bytes of hexadecimal data")
    return int(digits, 16)


def flag(value: Any, name: str) -> bool:
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid_params(f"{name}: expected a boolean")
    return value


def block_id(value: Any) -> BlockId:
    """Read a tag, a number, or EIP-1898's object; absent is latest."""
    if value is None:
        return LATEST
    if isinstance(value, dict):
        return _block_object(value)
    if value in _TAGS:
        return BlockId(tag=value)
    if isinstance(value, str) and len(value) == 66:
        return BlockId(hash=block_hash(value))
    return BlockId(number=quantity(value, "block number", UINT64_MAX))


def _block_object(value: dict[str, Any]) -> BlockId:
    by_hash, by_number = value.get("blockHash"), value.get("blockNumber")
    if (by_hash is None) == (by_number is None):
        raise invalid_params("expected either blockHash or blockNumber")
    if by_hash is not None:
        return BlockId(hash=block_hash(by_hash, "blockHash"))
    return block_id(by_number)


def call(value: Any) -> tuple[Call, int]:
    """Read a transaction object to run without a signature, and the gas price it offers."""
    if not isinstance(value, dict):
        raise invalid_params("expected a transaction object")
    data, given = value.get("data"), value.get("input")
    if data is not None and given is not None and data != given:
        raise invalid_params('both "data" and "input" are set and not equal')
    if value.get("gasPrice") is not None and value.get("maxFeePerGas") is not None:
        raise invalid_params("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified")
    content = given if given is not None else data
    gas = _optional_quantity(value, "gas", UINT64_MAX)
    price = _optional_quantity(value, "gasPrice") or _optional_quantity(value, "maxFeePerGas")
    return Call(
        sender=_optional_address(value, "from") or ZERO_ADDRESS,
        recipient=_optional_address(value, "to"),
        gas=min(gas, GAS_TARGET) if gas else GAS_TARGET,
        value=_optional_quantity(value, "value") or 0,
        content=b"" if content is None else binary(content, "data"),
        access_list=_access_list(value.get("accessList")),
    ), price or 0


def _optional_quantity(value: dict[str, Any], name: str, maximum: int = UINT256_MAX) -> int | None:
    found = value.get(name)
    return None if found is None else quantity(found, name, maximum)


def _optional_address(value: dict[str, Any], name: str) -> bytes | None:
    found = value.get(name)
    return None if found is None else address(found, name)


def _access_list(value: Any) -> AccessList:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > ALTERNATIVES_MAX:
        raise invalid_params("accessList: expected a list")
    return tuple(_access(item) for item in value)


def _access(item: Any) -> tuple[bytes, tuple[int, ...]]:
    keys = item.get("storageKeys") if isinstance(item, dict) else None
    if not isinstance(keys, list) or len(keys) > ALTERNATIVES_MAX:
        raise invalid_params("accessList: expected objects with address and storageKeys")
    return address(item.get("address")), tuple(slot(key) for key in keys)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """What ``eth_getLogs`` and log filters ask for; empty tuples match everything."""

    first: BlockId
    last: BlockId
    block_hash: bytes | None
    addresses: tuple[bytes, ...]
    topics: tuple[tuple[bytes, ...], ...]


def log_query(value: Any) -> LogQuery:
    if not isinstance(value, dict):
        raise invalid_params("expected a filter object")
    of_block = value.get("blockHash")
    ends = (value.get("fromBlock"), value.get("toBlock"))
    if of_block is not None and ends != (None, None):
        raise invalid_params("cannot specify both BlockHash and FromBlock/ToBlock, choose one")
    return LogQuery(
        first=block_id(ends[0]),
        last=block_id(ends[1]),
        block_hash=None if of_block is None else block_hash(of_block, "blockHash"),
        addresses=_addresses(value.get("address")),
        topics=_topics(value.get("topics")),
    )


def _addresses(value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    if len(listed) > ALTERNATIVES_MAX:
        raise invalid_params(f"address: at most {ALTERNATIVES_MAX} addresses")
    return tuple(address(item) for item in listed)


def _topics(value: Any) -> tuple[tuple[bytes, ...], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > TOPICS_MAX:
        raise invalid_params(f"topics: expected a list of at most {TOPICS_MAX}")
    return tuple(_alternatives(item) for item in value)


def _alternatives(value: Any) -> tuple[bytes, ...]:
    if value is None:
        return ()
    listed = value if isinstance(value, list) else [value]
    if len(listed) > ALTERNATIVES_MAX:
        raise invalid_params(f"topics: at most {ALTERNATIVES_MAX} alternatives")
    if None in listed:
        return ()  # geth: a null among the alternatives matches everything
    return tuple(block_hash(item, "topic") for item in listed)
