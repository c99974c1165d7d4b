"""Why a contract refused: custom errors by name and values, from what an endpoint hands on of the revert.

Source: Solidity ABI specification, "Errors" (Error(string) and Panic(uint256) are built in).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_typing import ABIComponent, ABIElement, ABIError
from web3.utils import filter_abi_by_type, function_abi_to_4byte_selector, get_abi_input_types

from sealtrail.ledger.rpc import RpcRefusalError

_BUILT_IN = (
    ABIError(type="error", name="Error", inputs=[ABIComponent(name="reason", type="string")]),
    ABIError(type="error", name="Panic", inputs=[ABIComponent(name="code", type="uint256")]),
)
_REVERTED = 3  # JSON-RPC error code of geth, Besu, anvil for a revert
_SHOWN_CHARACTERS_MAX = 200

Errors = Mapping[bytes, ABIError]


def errors_by_selector(abi: Sequence[Mapping[str, Any]]) -> Errors:
    """Return the errors in a contract's ABI, and the built-in ones, by the four bytes that a revert begins with."""
    own = filter_abi_by_type("error", cast("Sequence[ABIElement]", abi))
    return {function_abi_to_4byte_selector(error): error for error in (*_BUILT_IN, *own)}


def describe_revert(payload: bytes, errors: Errors) -> str:
    """Return a revert's payload for people: ``WrongSequence(7, 6)``; bare hex where nobody knows it."""
    error = errors.get(payload[:4])
    if error is None:
        return f"0x{payload[:68].hex()}" if payload else "no reason given"
    name = error["name"]
    try:
        values = decode(get_abi_input_types(error), payload[4:])
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
