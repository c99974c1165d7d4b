"""Solidity's ABI encoding, as far as a registry's record needs it: one byte form, both ways.

Written out because the library for it brings fourteen others along, and the offline verifier is to need few. The tests
compare it with that library. Offsets are taken only where the encoder puts them, so that no byte is read twice.

Source: Solidity, "Contract ABI Specification", "Formal Specification of the Encoding".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

WORD_BYTES = 32


class Uint(msgspec.Struct, frozen=True):
    """``uint<bits>``; a ``bool`` is one of 1 bit, an ``address`` one of 160."""

    bits: int


class Bytes32(msgspec.Struct, frozen=True):
    """``bytes32``."""


class Bytes(msgspec.Struct, frozen=True):
    """``bytes``, and ``string`` as its bytes."""


class Array(msgspec.Struct, frozen=True):
    """``of[]``."""

    of: AbiType


class Tuple(msgspec.Struct, frozen=True):
    """A struct, or a call's arguments."""

    of: tuple[AbiType, ...]


AbiType: TypeAlias = Uint | Bytes32 | Bytes | Array | Tuple


def encode_abi(kind: AbiType, value: Any) -> bytes:
    """Return the encoding of a value: int, bytes, or sequences of these.

    Raises:
        ValueError: the type can't hold it.
    """
    match kind:
        case Uint(bits):
            if not 0 <= value < 1 << bits:
                raise ValueError(f"{value} is no number of {bits} bits")
            return int(value).to_bytes(WORD_BYTES, "big")
        case Bytes32():
            if len(value) != WORD_BYTES:
                raise ValueError(f"{len(value)} bytes, not {WORD_BYTES}")
            return bytes(value)
        case Bytes():
            return _word(len(value)) + bytes(value) + bytes(-len(value) % WORD_BYTES)
        case Array(of):
            return _word(len(value)) + _encode_row((of,) * len(value), value)
        case Tuple(of):
            return _encode_row(of, value)


def decode_abi(kind: AbiType, data: bytes) -> Any:
    """Return the value of an encoding; sequences are tuples.

    Raises:
        ValueError: it is not the one encoding of a value of that type.
    """
    value, end = _decode(kind, data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} bytes too many")
    return value


def _is_dynamic(kind: AbiType) -> bool:
    if isinstance(kind, Tuple):
        return any(_is_dynamic(each) for each in kind.of)
    return isinstance(kind, Bytes | Array)


def _head_bytes(kind: AbiType) -> int:
    """Return how many bytes of a row a component takes: its own, or those of the offset that leads to it."""
    if isinstance(kind, Tuple) and not _is_dynamic(kind):
        return sum(_head_bytes(each) for each in kind.of)
    return WORD_BYTES


def _encode_row(kinds: Sequence[AbiType], values: Sequence[Any]) -> bytes:
    heads, tails = [], []
    at = sum(_head_bytes(each) for each in kinds)
    for kind, value in zip(kinds, values, strict=True):
        encoded = encode_abi(kind, value)
        if _is_dynamic(kind):
            heads.append(_word(at))
            tails.append(encoded)
            at += len(encoded)
        else:
            heads.append(encoded)
    return b"".join(heads + tails)


def _decode(kind: AbiType, data: bytes, at: int) -> tuple[Any, int]:
    """Return the value that begins there, and where it ends."""
    match kind:
        case Uint(bits):
            number = int.from_bytes(_slice(data, at, WORD_BYTES), "big")
            if number >> bits:
                raise ValueError(f"over {bits} bits at byte {at}")
            return number, at + WORD_BYTES
        case Bytes32():
            return _slice(data, at, WORD_BYTES), at + WORD_BYTES
        case Bytes():
            return _decode_bytes(data, at)
        case Array(of):
            count = _count(data, at)
            if count * _head_bytes(of) > len(data) - at:  # before a row of that length is made
                raise ValueError(f"{count} elements at byte {at} are more than there is room for")
            return _decode_row((of,) * count, data, at + WORD_BYTES)
        case Tuple(of):
            return _decode_row(of, data, at)


def _decode_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    length = _count(data, at)
    padding = -length % WORD_BYTES
    begin = at + WORD_BYTES
    padded = _slice(data, begin, length + padding)
    if any(padded[length:]):
        raise ValueError(f"padding that is not zero before byte {begin + length + padding}")
    return padded[:length], begin + length + padding


def _decode_row(kinds: Sequence[AbiType], data: bytes, begin: int) -> tuple[tuple[Any, ...], int]:
    values = []
    head, tail = begin, begin + sum(_head_bytes(each) for each in kinds)
    for kind in kinds:
        if _is_dynamic(kind):
            if _count(data, head) != tail - begin:
                raise ValueError(f"the offset at byte {head} leads elsewhere than to {tail}")
            value, tail = _decode(kind, data, tail)
            head += WORD_BYTES
        else:
            value, head = _decode(kind, data, head)
        values.append(value)
    return tuple(values), tail


def _count(data: bytes, at: int) -> int:
    """Read a length or offset; one beyond the data is refused by whoever follows it."""
    return int.from_bytes(_slice(data, at, WORD_BYTES), "big")


def _slice(data: bytes, at: int, length: int) -> bytes:
    if at + length > len(data):
        raise ValueError(f"it ends at byte {len(data)}, {length} are missing from byte {at} on")
    return data[at : at + length]


def _word(number: int) -> bytes:
    return number.to_bytes(WORD_BYTES, "big")
