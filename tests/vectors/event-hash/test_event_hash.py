"""Event hashes equal to the GS1 reference, text and digest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sealtrail.epcis import RecordedEvent, event_hash_uri, parse_document, pre_hash, read_content

HERE = Path(__file__).parent


def load(name: str) -> list[dict[str, Any]]:
    lines = (HERE / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def recorded(document: Any) -> RecordedEvent:
    event = parse_document(json.dumps(document, ensure_ascii=False).encode()).events[0]
    assert isinstance(event, RecordedEvent), event
    return event


@pytest.mark.parametrize("name", ["cbv20.jsonl", "extensions.jsonl", "others.jsonl"])
def test_pre_hash_and_event_hash_equal_the_reference(name: str) -> None:
    cases = load(name)
    assert len(cases) in (18, 90, 250)
    for number, case in enumerate(cases):
        event = recorded(case["document"])
        assert pre_hash(event.content) == case["prehash"], f"{name} line {number + 1}"
        assert event_hash_uri(event.event_hash) == case["hash"], f"{name} line {number + 1}"


def test_the_ordinary_vectors_are_not_ambiguous() -> None:
    assert {recorded(case["document"]).hash_ambiguous for case in load("cbv20.jsonl")} <= {
        None,
        "numeric_text",
    }


def test_the_reasons_for_ambiguity_are_as_recorded() -> None:
    for case in [*load("extensions.jsonl"), *load("others.jsonl")]:
        assert recorded(case["document"]).hash_ambiguous == case["hash_ambiguous"]


@pytest.mark.parametrize("name", ["cbv20.jsonl", "extensions.jsonl", "others.jsonl"])
def test_an_event_read_back_from_its_content_is_the_same(name: str) -> None:
    for case in load(name):
        event = recorded(case["document"])
        again = read_content(event.content, event.media_type)
        assert again.content == event.content
        assert again.content_hash == event.content_hash
        assert again.event_hash == event.event_hash
        assert again.items == event.items
        assert again.hash_ambiguous == event.hash_ambiguous


def test_hashes_of_the_openepcis_corpus_equal_the_reference(shared: Path) -> None:
    corpus = shared / "corpora" / "openepcis"
    expected = json.loads((corpus / "expected-hashes-cbv20.json").read_text())
    for name, hashes in expected.items():
        if not name.startswith("json/"):
            continue
        events = parse_document((corpus / name).read_bytes()).events
        assert all(isinstance(event, RecordedEvent) for event in events), name
        found = [event_hash_uri(e.event_hash) for e in events if isinstance(e, RecordedEvent)]
        assert found == hashes, name


@pytest.mark.parametrize("name", ["cbv20.jsonl", "extensions.jsonl", "others.jsonl"])
def test_what_is_read_once_for_many_events_of_a_document_is_what_each_alone_gives(
    name: str,
) -> None:
    for case in load(name):
        body = case["document"]["epcisBody"]
        event = body["eventList"][0]
        later = event | {"eventTime": "2026-03-01T10:00:00.0005+02:00", "eventID": "urn:x:1"}
        if "epcList" in event:
            later["epcList"] = ["urn:epc:id:sgtin:9521234.054321.1"]
        alone = []
        for one in (event, later):
            body["eventList"] = [one]
            alone.append(recorded(case["document"]))
        body["eventList"] = [event, later, event]
        together = parse_document(json.dumps(case["document"]).encode()).events
        expected = [msgspec.structs.replace(one, pointer="") for one in (*alone, alone[0])]
        assert [msgspec.structs.replace(one, pointer="") for one in together] == expected
