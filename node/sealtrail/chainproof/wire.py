"""Values as Ethereum's JSON-RPC spells them, where a proof is made of what an endpoint shows.

Source: Ethereum execution-apis, section "Types" (QUANTITY and DATA).
"""

from __future__ import annotations

import re
from typing import Any

from sealtrail.errors import InputError

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}", re.ASCII)
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*", re.ASCII)


def parse_number(value: Any, what: str, *, bytes_max: int) -> int:
    """Return the number that a QUANTITY spells.

    Raises:
        InputError: it is none of up to ``bytes_max`` bytes (``chain_value_malformed``).
    """
    if isinstance(value, str) and _QUANTITY.fullmatch(value):
        number = int(value, 16)
        if number.bit_length() <= 8 * bytes_max:
            return number
    raise _malformed(f"{what} is {_show(value)}, not a number of up to {bytes_max} bytes in hex")


def parse_data(value: Any, what: str, *, length: int | None = None) -> bytes:
    """Return the bytes that DATA spells; of exactly ``length`` if that is given.

    Raises:
        InputError: it is none (``chain_value_malformed``).
    """
    if isinstance(value, str) and _DATA.fullmatch(value):
        octets = bytes.fromhex(value[2:])
        if length in (None, len(octets)):
            return octets
    size = "" if length is None else f"{length} "
    raise _malformed(f"{what} is {_show(value)}, not {size}bytes in hex")


def parse_object(value: Any, what: str) -> dict[str, Any]:
    """Return ``value`` if it is a JSON object.

    Raises:
        InputError: it is none (``chain_value_malformed``).
    """
    if not isinstance(value, dict):
        raise _malformed(f"{what} is {_show(value)}, not an object")
    return value


def parse_list(value: Any, what: str, *, count_max: int) -> list[Any]:
    """Return ``value`` if it is a JSON list of up to ``count_max``.

    Raises:
        InputError: it is none (``chain_value_malformed``).
    """
    if not isinstance(value, list) or len(value) > count_max:
        raise _malformed(f"{what} is {_show(value)}, not a list of up to {count_max}")
    return value


def show(octets: bytes) -> str:
    """Return octets as DATA."""
    return "0x" + octets.hex()


def _show(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _malformed(what: str) -> InputError:
    return InputError("chain_value_malformed", what)
