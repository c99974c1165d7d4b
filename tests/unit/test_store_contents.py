"""Contents as they are kept: what comes out is what went in, or else not the content at all."""

from __future__ import annotations

import zlib
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.store.contents import (
    DICTIONARY,
    HEAD_BYTES,
    content_size,
    encode_content,
    parse_content,
)

EVENT = (
    b'{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],"action":"OBSERVE",'
    b'"bizStep":"storing","epcList":["https://id.gs1.org/01/09506000134352/21/1"],'
    b'"eventTime":"2026-03-01T10:00:00.000Z","eventTimeZoneOffset":"+01:00","type":"ObjectEvent"}'
)


def test_the_dictionary_is_part_of_the_form() -> None:
    # A change makes every stored content unreadable: it needs a form of its own, with another first byte.
    assert (
        sha256(DICTIONARY).hexdigest()
        == "b2c6a20f0117c8fbc3919e48448c4cbf554fc2f7b7ce1cec343c81b1e2a5718f"
    )


@given(st.binary(max_size=5_000))
def test_what_comes_out_is_what_went_in(content: bytes) -> None:
    kept = encode_content(content)
    assert parse_content(kept) == content
    assert content_size(kept[:HEAD_BYTES]) == len(content)


def test_an_event_takes_a_third_or_less() -> None:
    assert len(encode_content(EVENT)) * 3 < len(EVENT)


def test_no_flipped_bit_gives_the_content_but_one_that_no_one_reads() -> None:
    kept = encode_content(EVENT)
    for bit in range(len(kept) * 8):
        flipped = bytearray(kept)
        flipped[bit // 8] ^= 1 << bit % 8
        if parse_content(bytes(flipped)) == EVENT:
            assert bit // 8 == len(kept) - 1  # what fills up the stream's last byte


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x01\x00\x00", b"{}", EVENT])
def test_what_is_no_kept_content_comes_back_as_it_is(damage: bytes) -> None:
    assert parse_content(damage) == damage


def test_what_is_cut_off_or_added_comes_back_as_it_is() -> None:
    kept = encode_content(EVENT)
    for damaged in (kept[:-1], kept + b" ", b"\x01\x00\x00\x00\x01" + kept[HEAD_BYTES:]):
        assert parse_content(damaged) == damaged


def test_a_bomb_is_not_inflated() -> None:
    stream = zlib.compressobj(9, zlib.DEFLATED, -12)
    bomb = stream.compress(bytes(1 << 24)) + stream.flush()
    kept = b"\x01" + (100).to_bytes(4, "big") + bomb
    assert parse_content(kept) == kept
