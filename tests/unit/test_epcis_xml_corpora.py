"""Other people's EPCIS documents in XML: the same event hashes as their JSON twins, and invalid ones refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sealtrail.epcis import (
    XML_MEDIA_TYPE,
    Document,
    RecordedEvent,
    event_hash_uri,
    parse_document,
    read_content,
)
from sealtrail.errors import InputError


@pytest.fixture(scope="module")
def corpus(shared: Path) -> Path:
    return shared / "corpora" / "openepcis"


def hashes(document: Document) -> list[str]:
    assert all(isinstance(each, RecordedEvent) for each in document.events), document.events
    return [event_hash_uri(e.event_hash) for e in document.events if isinstance(e, RecordedEvent)]


def test_documents_of_2_0_have_the_hashes_of_the_reference_and_of_their_twins(corpus: Path) -> None:
    known = json.loads((corpus / "expected-hashes-cbv20.json").read_text(encoding="utf-8"))
    paths = sorted((corpus / "xml").glob("*.xml"))
    assert len(paths) >= 14
    for path in paths:
        found = hashes(parse_document(path.read_bytes(), media_type=XML_MEDIA_TYPE))
        assert found == known[f"xml/{path.name}"], path.name
        twin = corpus / "json" / f"{path.stem}.json"
        assert found == hashes(parse_document(twin.read_bytes())), path.name


def test_documents_of_1_2_are_read_and_their_contents_read_back(corpus: Path) -> None:
    paths = sorted((corpus / "xml-1.2").glob("*.xml"))
    assert len(paths) >= 4
    for path in paths:
        document = parse_document(path.read_bytes(), media_type=XML_MEDIA_TYPE)
        for event in document.events:
            assert isinstance(event, RecordedEvent), event
            again = read_content(event.content, event.media_type)
            assert (again.event_hash, again.items) == (event.event_hash, event.items)


def test_the_parties_of_a_shipment_in_1_2_are_kept(corpus: Path) -> None:
    data = (corpus / "xml-1.2" / "GS1_US_Pharma_Example_2_2_1_1.xml").read_bytes()
    document = parse_document(data, media_type=XML_MEDIA_TYPE)
    assert document.sender == "urn:epc:id:sgln:030001.111111.0"
    assert document.receiver == "urn:epc:id:sgln:039999.999999.0"
    assert document.instance_identifier == "1100220001"
    assert [each["type"].rpartition(":")[2] for each in document.vocabularies] == [
        "EPCClass",
        "Location",
    ]
    shipping = document.events[-1]
    assert isinstance(shipping, RecordedEvent)
    assert {(each.type, each.id) for each in shipping.event.destination_list} == {
        ("owning_party", "urn:epc:id:sgln:039999.999999.0"),
        ("location", "urn:epc:id:sgln:039999.345678.0"),
    }


@pytest.mark.parametrize(
    ("name", "code", "line", "place"),
    [
        ("ObjectEvent_bare_event_without_action", "field_missing", 1, "/ObjectEvent"),
        ("ObjectEvent_with_invalid_eventTime_format", "time_malformed", 7, "/eventTime"),
        ("ObjectEvent_with_unknown_element", "field_unknown", 13, "/madeUpField"),
        ("ObjectEvent_without_eventTime", "field_missing", 6, "/ObjectEvent[1]"),
    ],
)
def test_invalid_documents_are_refused_with_line_and_reason(
    corpus: Path, name: str, code: str, line: int, place: str
) -> None:
    data = (corpus / "invalid-xml" / f"{name}.xml").read_bytes()
    (refused,) = parse_document(data, media_type=XML_MEDIA_TYPE).events
    assert isinstance(refused, InputError)
    assert (refused.code, refused.context["line"]) == (code, line)
    assert refused.message.startswith(f"Line {line}: ")
    assert refused.pointer is not None
    assert refused.pointer.endswith(place)
