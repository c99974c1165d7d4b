"""RLP in its one canonical form: what decodes here encodes to the same bytes again.

Refuses what a lenient reader takes: a length spelled longer than needed, a single byte below 0x80 with a prefix,
trailing bytes, and nesting deeper than the caller expects.
Source: Yellow Paper, appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, Union

from sealtrail.errors import InputError

Item: TypeAlias = Union[bytes, list["Item"]]  # noqa: UP007  (a recursive alias in quotes takes no |)
Encodable: TypeAlias = Union[bytes, Sequence["Encodable"]]  # noqa: UP007

_SHORT_MAX = 55
_STRING, _LONG_STRING, _LIST, _LONG_LIST = 0x80, 0xB7, 0xC0, 0xF7
_SHORT_STRINGS = [bytes((_STRING + length,)) for length in range(_SHORT_MAX + 1)]


def decode(encoded: bytes, *, depth_max: int) -> Item:
    """Return the item that ``encoded`` is, all of it.

    Args:
        encoded: bytes of any origin.
        depth_max: how many lists may stand in each other; 0 takes a string only.

    Raises:
        InputError: it is no canonical RLP, or nested deeper (``rlp_malformed``).
    """
    item, end = _read(encoded, 0, len(encoded), depth_max)
    if end != len(encoded):
        raise _malformed(end, f"{len(encoded) - end} bytes follow the item")
    return item


def encode(item: Encodable) -> bytes:
    """Return the RLP of a string, or of a list of items."""
    if isinstance(item, bytes):
        length = len(item)
        if length > _SHORT_MAX:
            return _prefix(length, _STRING) + item
        return item if length == 1 and item[0] < _STRING else _SHORT_STRINGS[length] + item
    return encode_joined([encode(part) for part in item])


def encode_joined(parts: Sequence[bytes]) -> bytes:
    """Return the RLP of a list whose items are given in RLP already."""
    body = b"".join(parts)
    return _prefix(len(body), _LIST) + body


def encode_number(number: int) -> bytes:
    """Return the octets of a number: big-endian, without leading zeros; none for 0 (not yet RLP)."""
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def decode_number(octets: Item, bytes_max: int, what: str) -> int:
    """Return the number that ``octets`` are.

    Raises:
        InputError: a list, a leading zero, or more than ``bytes_max`` bytes (``rlp_malformed``).
    """
    if not isinstance(octets, bytes) or len(octets) > bytes_max or octets[:1] == b"\0":
        raise InputError(
            "rlp_malformed", f"{what} is no number of up to {bytes_max} bytes without leading zeros"
        )
    return int.from_bytes(octets, "big")


def _prefix(length: int, base: int) -> bytes:
    if length <= _SHORT_MAX:
        return bytes((base + length,))
    spelled = encode_number(length)
    return bytes((base + _SHORT_MAX + len(spelled),)) + spelled


def _read(encoded: bytes, at: int, end: int, depth: int) -> tuple[Item, int]:
    if at >= end:
        raise _malformed(at, "the item is missing")
    first = encoded[at]
    if first < _STRING:
        return encoded[at : at + 1], at + 1
    if first < _LIST:
        start, stop = _bounds(encoded, at, end, _STRING, _LONG_STRING)
        if stop - start == 1 and encoded[start] < _STRING:
            raise _malformed(at, "a single byte below 0x80 has a prefix")
        return encoded[start:stop], stop
    if depth == 0:
        raise _malformed(at, "a list stands where none is expected")
    start, stop = _bounds(encoded, at, end, _LIST, _LONG_LIST)
    items: list[Item] = []
    while start < stop:
        item, start = _read(encoded, start, stop, depth - 1)
        items.append(item)
    return items, stop


def _bounds(encoded: bytes, at: int, end: int, base: int, long: int) -> tuple[int, int]:
    first = encoded[at]
    start, length = at + 1, first - base
    if first > long:
        start = at + 1 + first - long
        spelled = encoded[at + 1 : min(start, end)]
        length = int.from_bytes(spelled, "big")
        if spelled[:1] in (b"", b"\0") or length <= _SHORT_MAX:
            raise _malformed(at, "a length is not spelled in its shortest form")
    if start + length > end:
        raise _malformed(at, f"{length} bytes are announced, and {max(0, end - start)} are left")
    return start, start + length


def _malformed(at: int, what: str) -> InputError:
    return InputError("rlp_malformed", f"at byte {at}: {what}")
