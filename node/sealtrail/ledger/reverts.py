"""Why a contract refused a call, in words: its custom error with the values it carries."""

from __future__ import annotations

from functools import cache
from typing import Any

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from sha3 import keccak_256

from sealtrail_contracts import artifact

_BUILT_IN = (
    {"name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
    {"name": "Error", "inputs": [{"name": "reason", "type": "string"}]},
)


def explain_revert(data: bytes) -> str:
    """Return e.g. ``WrongSequence(given=3, expected=2)``; the bytes in hex where no error of ours fits."""
    error = _errors().get(data[:4])
    if error is not None:
        types = [parameter["type"] for parameter in error["inputs"]]
        try:
            values = decode(types, data[4:])
        except (DecodingError, OverflowError, UnicodeDecodeError):
            return f"0x{data.hex()}"
        shown = (
            f"{parameter['name']}={_show(parameter['type'], value)}"
            for parameter, value in zip(error["inputs"], values, strict=True)
        )
        return f"{error['name']}({', '.join(shown)})"
    return f"0x{data.hex()}" if data else "no reason given"


@cache
def _errors() -> dict[bytes, dict[str, Any]]:
    declared = [
        entry
        for name in ("Registry", "Anchors")
        for entry in artifact(name).abi
        if entry["type"] == "error"
    ]
    return {_selector(error): error for error in (*declared, *_BUILT_IN)}


def _selector(error: dict[str, Any]) -> bytes:
    types = ",".join(parameter["type"] for parameter in error["inputs"])
    digest: bytes = keccak_256(f"{error['name']}({types})".encode()).digest()
    return digest[:4]


def _show(kind: str, value: Any) -> str:
    if kind == "address":
        return str(value)
    return f"0x{value.hex()}" if isinstance(value, bytes) else repr(value)
