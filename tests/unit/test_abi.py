"""The ABI encoding of records against the library that everyone uses, and what it refuses."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode

from sealtrail.membership.abi import Array, Bytes, Bytes32, Tuple, Uint, decode_abi, encode_abi

RIGHT = Tuple((Bytes(), Uint(64)))
KIND = Tuple((Uint(8), Bytes(), Array(RIGHT), Array(Tuple((Uint(1), Bytes32())))))
VALUES = [
    (0, b"", (), ()),
    (255, b"x" * 32, ((b"", 1),), ((1, b"k" * 32), (0, bytes(32)))),
    (7, b"x" * 33, ((b"a" * 31, 2), (b"b" * 64, 2**64 - 1)), ()),
]


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


@pytest.mark.parametrize("value", VALUES)
def test_it_is_what_the_library_encodes(value: tuple[object, ...]) -> None:
    theirs = encode(
        ["uint8", "bytes", "(bytes,uint64)[]", "(bool,bytes32)[]"],
        [*value[:3], [(bool(flag), key) for flag, key in value[3]]],  # type: ignore[attr-defined]
    )
    assert encode_abi(KIND, value) == theirs
    assert decode_abi(KIND, theirs) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Uint(8), 256), (Uint(8), -1), (Uint(1), 2), (Bytes32(), b"short"), (RIGHT, (b"",))],
)
def test_a_value_that_the_type_cannot_hold_is_refused(kind: Uint, value: object) -> None:
    with pytest.raises(ValueError):
        encode_abi(kind, value)


TWO = Tuple((Bytes(), Bytes()))


@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        (Uint(8), word(256), "over 8 bits"),
        (Uint(8), word(1)[1:], "missing"),
        (Uint(8), word(1) + b"\0", "too many"),
        (Bytes(), word(1) + b"x" + b"\1" * 31, "padding"),
        (Bytes(), word(2**255), "missing"),
        (Array(Uint(8)), word(2**255), "more than there is room for"),
        (TWO, word(64) + word(64) + word(0), "leads elsewhere"),  # both the same bytes
        (TWO, word(96) + word(64) + word(0) + word(0), "leads elsewhere"),  # in the other order
        (TWO, word(64) + word(128) + word(0) + word(7) + word(0), "leads elsewhere"),  # a hole
    ],
)
def test_what_is_not_the_one_encoding_is_refused(
    kind: Uint | Tuple, data: bytes, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        decode_abi(kind, data)


def test_an_array_of_a_large_record_is_read_once() -> None:
    """Offsets that all lead to one long string would make megabytes of kilobytes."""
    count = 1_000
    data = word(count) + word(32 * count) * count + word(30_000) + bytes(30_016)
    with pytest.raises(ValueError, match="leads elsewhere"):
        decode_abi(Array(Bytes()), data)
