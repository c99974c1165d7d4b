"""What an event is found by: the same in either binding, and nothing that could be read from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealtrail.epcis import RecordedEvent, parse_document
from sealtrail.epcis.query import index_of, term
from sealtrail.epcis.query.values import number_of, time_of

CORPUS = Path(__file__).resolve().parents[3] / "shared/corpora/openepcis"
TWINS = sorted(
    p.stem for p in CORPUS.glob("json/*.json") if (CORPUS / f"xml/{p.stem}.xml").exists()
)
# In JSON a comment is rdfs:comment, which the XML twin writes as an element of its own.
UNLIKE = {"ObjectEvent_with_comment"}


@pytest.mark.skipif(not TWINS, reason="needs ../shared/corpora/openepcis")
@pytest.mark.parametrize("name", [name for name in TWINS if name not in UNLIKE])
def test_both_bindings_are_found_by_the_same(name: str) -> None:
    json = parse_document((CORPUS / f"json/{name}.json").read_bytes()).events
    xml = parse_document(
        (CORPUS / f"xml/{name}.xml").read_bytes(), media_type="application/xml"
    ).events
    assert len(json) == len(xml) > 0
    for one, other in zip(json, xml, strict=True):
        assert isinstance(one, RecordedEvent)
        assert isinstance(other, RecordedEvent)
        assert index_of(one.event, one.items) == index_of(other.event, other.items)


def test_a_term_is_a_signed_word_of_64_bits_and_stays_what_it_was() -> None:
    assert (
        term("bizStep", "shipping") == -3_458_799_849_590_219_658
    )  # stores of today are read by it tomorrow
    assert -(2**63) <= term("bizStep", "x" * 100_000) < 2**63
    assert term("bizStep") != term("bizStep", "")


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("-7", -7), ("7.0", 7), ("7.5", 7.5), ("1e-07", 1e-7), ("1e+16", 1e16), ("-0.0", 0),
        ("9223372036854775807", 2**63 - 1), ("9223372036854775808", 2.0**63),
        ("007", None), ("+7", None), (".5", None), ("7.", None), ("1e7", None), ("0x1", None), ("", None),
        ("1e+999", None), ("inf", None), ("nan", None), ("٧", None), ("1" * 200, None), (" 7", None),
    ],
)  # fmt: skip
def test_a_number_is_what_json_writes_as_one(text: str, number: float | None) -> None:
    assert number_of(text) == number
    assert type(number_of(text)) is type(number_of(repr(number)) if number is not None else None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1970-01-02", 86_400_000_000),
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01T01:00:00.5+01:00", 500_000),
        ("1970-01-01T00:00:01", None),
        ("1970-02-30", None),
        ("1970-1-1", None),
        ("soon", None),
    ],
)
def test_a_time_is_a_moment_or_a_day(text: str, moment: int | None) -> None:
    assert time_of(text) == moment
