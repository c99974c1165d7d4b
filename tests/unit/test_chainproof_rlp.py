"""RLP in one form: round trips, and every spelling that a lenient reader would take is refused."""

from __future__ import annotations

import pytest
import rlp

from sealtrail.chainproof import strict_rlp
from sealtrail.errors import InputError

ITEMS = [
    b"",
    b"\x00",
    b"\x7f",
    b"\x80",
    b"a" * 55,
    b"a" * 56,
    b"a" * 256,
    b"a" * 70_000,
    [],
    [b""],
    [[], [b"x", [b"y" * 60]], b"z"],
    [b"ab"] * 30,
]


@pytest.mark.parametrize("item", ITEMS)
def test_it_agrees_with_another_implementation(item: strict_rlp.Item) -> None:
    encoded = strict_rlp.encode(item)
    assert encoded == rlp.encode(item)
    assert strict_rlp.decode(encoded, depth_max=5) == item


@pytest.mark.parametrize(
    "spelled",
    [
        "",  # nothing
        "8105",  # a single byte that needs no prefix
        "82ff",  # cut short
        "b7" + "61" * 54,
        "b801" + "61",  # a long form for a short length
        "b837" + "61" * 55,
        "b90038" + "61" * 56,  # a zero before the length
        "b8",  # no length at all
        "bf" + "ff" * 8,  # 2^64 bytes are announced
        "c1",  # a list cut short
        "c28105",
        "f800",
        "f83701" + "01" * 53,
        "f90038" + "01" * 56,
        "c0c0",  # something follows
        "8000",
        "c101" + "00",
        "c3820102" + "03",
        "c283616263",  # an item that reaches beyond its list
    ],
)
def test_any_other_spelling_is_refused(spelled: str) -> None:
    with pytest.raises(InputError) as caught:
        strict_rlp.decode(bytes.fromhex(spelled), depth_max=5)
    assert caught.value.code == "rlp_malformed"


def test_lists_deeper_than_expected_are_refused_and_exhaust_nothing() -> None:
    encoded = b"\xc0"
    for _ in range(3):
        encoded = strict_rlp.encode_joined([encoded])
    assert strict_rlp.decode(encoded, depth_max=4) == [[[[]]]]
    for depth in range(4):
        with pytest.raises(InputError):
            strict_rlp.decode(encoded, depth_max=depth)
    bomb = b"\xc0"
    for _ in range(20_000):
        bomb = strict_rlp.encode_joined([bomb])
    with pytest.raises(InputError):
        strict_rlp.decode(bomb, depth_max=4)


@pytest.mark.parametrize("octets", [b"\0", b"\0\1", b"\1" * 9, [], [b"\1"]])
def test_what_is_no_number_is_refused(octets: strict_rlp.Item) -> None:
    with pytest.raises(InputError) as caught:
        strict_rlp.decode_number(octets, 8, "it")
    assert caught.value.code == "rlp_malformed"


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 256, 2**64 - 1])
def test_a_number_comes_back(number: int) -> None:
    assert strict_rlp.decode_number(strict_rlp.encode_number(number), 8, "it") == number
