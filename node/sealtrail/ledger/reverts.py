"""Why a contract refused: custom errors by name and values, from what an endpoint hands on of the revert.

Source: Solidity ABI specification, "Errors" (Error(string) and Panic(uint256) are built in).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from sha3 import keccak_256

from sealtrail.ledger.rpc import RpcRefusalError

_BUILT_IN = ("Error(string)", "Panic(uint256)")
_REVERTED = 3  # JSON-RPC error code of geth, Besu, anvil for a revert
_SHOWN_CHARACTERS_MAX = 200

Errors = Mapping[bytes, str]


def errors_by_selector(signatures: Iterable[str]) -> Errors:
    """Return error signatures (``WrongSequence(uint64,uint64)``) by the four bytes that a revert begins with."""
    return {keccak_256(s.encode()).digest()[:4]: s for s in (*_BUILT_IN, *signatures)}


def error_signatures(abi: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the signatures of the custom errors in a contract's ABI (errors with tuples are left out)."""
    return [
        f"{item['name']}({','.join(i['type'] for i in item['inputs'])})"
        for item in abi
        if item.get("type") == "error"
        and not any(i["type"].startswith("tuple") for i in item["inputs"])
    ]


def describe_revert(payload: bytes, errors: Errors) -> str:
    """Return a revert's payload for people: ``WrongSequence(7, 6)``; bare hex where nobody knows it."""
    signature = errors.get(payload[:4])
    if signature is None:
        return f"0x{payload[:68].hex()}" if payload else "no reason given"
    name, _, rest = signature.partition("(")
    types = [t for t in rest[:-1].split(",") if t]
    try:
        values = decode(types, payload[4:])
    except (DecodingError, OverflowError, ValueError):
        return f"{name}(0x{payload[4:68].hex()})"
    shown = ", ".join(f"0x{v.hex()}" if isinstance(v, bytes) else str(v) for v in values)
    return f"{name}({shown[:_SHOWN_CHARACTERS_MAX]})"


def reason_of(refusal: RpcRefusalError, errors: Errors) -> str | None:
    """Return why a contract reverted; None if ``refusal`` is no revert."""
    payload = _payload(refusal.payload)
    if payload is not None and (payload or refusal.number == _REVERTED):
        return describe_revert(payload, errors)
    if refusal.number == _REVERTED or "revert" in refusal.reason.lower():
        return refusal.reason
    return None


def _payload(value: Any) -> bytes | None:
    # bare hex (geth, Besu, anvil), or an object that has it inside (older clients)
    if isinstance(value, dict):
        value = value.get("data")
    if not isinstance(value, str):
        return None
    try:
        return bytes.fromhex(value.removeprefix("Reverted ").removeprefix("0x"))
    except ValueError:
        return None
