"""Every key, in every spelling, there and back; slips of digits are found; nothing is too strange to refuse."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sealtrail.errors import InputError
from sealtrail.gs1 import (
    CompanyPrefixes,
    canonical,
    item_of_scan,
    parse_item,
    read_scan,
    to_digital_link,
    to_urn,
)
from sealtrail.gs1.check_digit import check_digit
from sealtrail.gs1.elements import (
    encode_bracketed,
    encode_element_string,
    parse_bracketed,
    parse_element_string,
)
from sealtrail.gs1.link_elements import encode_link, parse_link

SET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
SET_39 = "#-/0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
PREFIX = st.text("0123456789", min_size=6, max_size=12)
# key, digits before its check digit, which of these are no part of the company prefix, and what may follow
NUMERIC = {
    "00": (17, 1, ""),
    "01": (13, 1, ""),
    "253": (12, 0, SET_82),
    "255": (12, 0, "0123456789"),
    "402": (16, 0, ""),
    "8003": (13, 1, SET_82),
    "8017": (17, 0, ""),
    "8018": (17, 0, ""),
}
BEHIND_MAX = {"253": 17, "255": 12, "8003": 16}
QUALIFIERS = {"01": ["21", "10", "235"], "8006": ["21"], "8010": ["8011"], "414": ["254"]}


@st.composite
def keys(draw: st.DrawFn) -> tuple[dict[str, str], str]:
    """Elements of one key that an EPC URN can say, and the company prefix in it."""
    prefix = draw(PREFIX)
    ai = draw(st.sampled_from([*NUMERIC, "401", "8004", "8010", "8006", "414", "417"]))
    if ai in NUMERIC:
        value = numeric(draw, prefix, *NUMERIC[ai], BEHIND_MAX.get(ai, 0))
    elif ai in ("414", "417"):
        value = numeric(draw, prefix, 12, 0, "", 0)
    elif ai == "8006":
        piece = draw(st.integers(1, 99))
        value = numeric(draw, prefix, 13, 1, "", 0) + f"{piece:02}{draw(st.integers(piece, 99)):02}"
    else:
        letters = SET_39 if ai == "8010" else SET_82
        value = prefix + draw(st.text(letters, min_size=1, max_size=30 - len(prefix)))
    elements = {ai: value}
    qualifier = draw(st.sampled_from([None, *QUALIFIERS.get(ai, [])]))
    if qualifier == "8011":
        elements[qualifier] = str(draw(st.integers(0, 10**12 - 1)))
    elif qualifier:
        sizes = {"235": 28}.get(qualifier, 20)
        elements[qualifier] = draw(st.text(SET_82, min_size=1, max_size=sizes))
    return elements, prefix


def numeric(
    draw: st.DrawFn, prefix: str, size: int, lead: int, letters: str, behind_max: int
) -> str:
    first = "0" if letters == SET_82 and lead else draw(st.sampled_from("0123456789"))
    digits = (first if lead else "") + prefix
    rest = size - len(digits)
    digits += draw(st.text("0123456789", min_size=rest, max_size=rest))
    behind = draw(st.text(letters, max_size=behind_max)) if letters else ""
    return digits + check_digit(digits) + behind


@given(keys())
def test_a_key_survives_every_spelling(drawn: tuple[dict[str, str], str]) -> None:
    elements, _ = drawn
    assert parse_bracketed(encode_bracketed(elements)) == elements
    assert parse_element_string(encode_element_string(elements)) == elements
    assert parse_link(encode_link(elements)) == elements
    assert read_scan("]d2" + encode_element_string(elements) + "\x1d").elements == elements


@given(keys())
def test_a_link_becomes_its_urn_and_comes_back(drawn: tuple[dict[str, str], str]) -> None:
    elements, prefix = drawn
    assume(elements.get("254") != "0")  # an SGLN's extension 0 says: none
    link = canonical(encode_link(elements))
    urn = to_urn(link, CompanyPrefixes.of([prefix]))
    assert urn is not None
    assert urn.startswith("urn:epc:")
    assert f":{prefix}." in urn
    assert to_digital_link(urn) == link == canonical(urn)


@given(keys())
def test_every_spelling_names_one_item(drawn: tuple[dict[str, str], str]) -> None:
    elements, prefix = drawn
    assume(not elements.keys() & {"414", "417"})
    link = encode_link(elements)
    spellings = [encode_bracketed(elements), "]d2" + encode_element_string(elements) + "\x1d", link]
    urn = to_urn(link, CompanyPrefixes.of([prefix]))
    assert urn is not None
    items = {parse_item(text).canonical for text in (*spellings, urn)}
    assert items == {canonical(link)}


@given(keys(), st.data())
def test_every_slip_of_a_digit_is_found(
    drawn: tuple[dict[str, str], str], data: st.DataObject
) -> None:
    elements, _ = drawn
    ai, value = next(iter(elements.items()))
    sizes = {"414": 13, "417": 13, "8006": 14} | {k: v[0] + 1 for k, v in NUMERIC.items()}
    assume(ai in sizes)
    at = data.draw(st.integers(1 if ai == "8003" else 0, sizes[ai] - 1))
    other = data.draw(st.sampled_from("0123456789".replace(value[at], "")))
    slipped = f"({ai}){value[:at]}{other}{value[at + 1 :]}"
    with pytest.raises(InputError) as caught:
        parse_bracketed(slipped)
    assert caught.value.code == "identifier_check_digit"


ODD = st.text("0123456789()ABab[]{}^<>GS\x1d\x1e\x04 ]dQC]12é%/:.?=&", max_size=60)
STARTS = st.sampled_from(
    ["", "]d2", "]Q1", "]E0", "(01)", "01", "[)>\x1e06\x1d9N", "urn:epc:id:", "https://a/01/", "]C1010"]
)  # fmt: skip


@given(STARTS, ODD)
def test_whatever_is_scanned_is_read_or_refused(start: str, rest: str) -> None:
    assert outcome(start + rest)


@given(st.text("0123456789", min_size=16, max_size=120))
def test_digits_without_fnc1_are_soon_read_or_refused(digits: str) -> None:
    assert outcome("01" + digits)


def outcome(text: str) -> str:
    """The item's name, or the code of what is wrong."""
    try:
        return item_of_scan(read_scan(text)).canonical
    except InputError as error:
        return error.code
