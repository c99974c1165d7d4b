"""Values as Ethereum's JSON-RPC spells them. Anything else is an endpoint's fault: ``rpc_garbage``.

Source: Ethereum execution-apis, section "Types" (QUANTITY and DATA).
"""

from __future__ import annotations

from typing import Any

from sealtrail.errors import UnavailableError

UINT64_MAX = 2**64 - 1


def garbage(what: str, value: object) -> UnavailableError:
    """Return the error that says an endpoint's answer is not what the protocol has in that place."""
    shown = repr(value)
    return UnavailableError(
        "rpc_garbage",
        f"the chain's endpoint answered {shown[:80]}{'…' if len(shown) > 80 else ''} for {what}",
        advice="check that the URL is an Ethereum JSON-RPC endpoint",
    )


def parse_quantity(value: Any, what: str, *, maximum: int = UINT64_MAX) -> int:
    """Return the number that a QUANTITY spells.

    Raises:
        UnavailableError: it is none, or over ``maximum`` (``rpc_garbage``).
    """
    if not isinstance(value, str) or not value.startswith("0x") or len(value) > 66:
        raise garbage(what, value)
    try:
        number = int(value[2:], 16)
    except ValueError as error:
        raise garbage(what, value) from error
    # int() takes signs, underscores and blanks; a QUANTITY has hex digits only
    if not 0 <= number <= maximum or not value[2:].isalnum():
        raise garbage(what, value)
    return number


def parse_bytes(value: Any, what: str, *, length: int | None = None) -> bytes:
    """Return the bytes that a DATA value spells; of exactly ``length`` if that is given.

    Raises:
        UnavailableError: it is none (``rpc_garbage``).
    """
    if not isinstance(value, str) or not value.startswith("0x"):
        raise garbage(what, value)
    try:
        decoded = bytes.fromhex(value[2:])
    except ValueError as error:
        raise garbage(what, value) from error
    # fromhex() skips blanks: one spelling only
    if len(value) != 2 + 2 * len(decoded) or length not in (None, len(decoded)):
        raise garbage(what, value)
    return decoded


def parse_object(value: Any, what: str) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object.

    Raises:
        UnavailableError: it is none (``rpc_garbage``).
    """
    if not isinstance(value, dict):
        raise garbage(what, value)
    return value


def parse_list(value: Any, what: str) -> list[Any]:
    """Return ``value`` if it is a JSON list.

    Raises:
        UnavailableError: it is none (``rpc_garbage``).
    """
    if not isinstance(value, list):
        raise garbage(what, value)
    return value


def encode_bytes(value: bytes) -> str:
    """Return ``value`` as DATA."""
    return "0x" + value.hex()
