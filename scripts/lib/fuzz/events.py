"""Targets that read events: what is accepted is of one form, in JSON and in XML, and has one event hash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from fuzz.mutations import Choices, mutated
from fuzz.target import check
from fuzz.xml_mutations import mutated_xml
from sealtrail.epcis import RecordedEvent, divide, json_form, parse_document, read_content
from sealtrail.epcis.query import parse_query_object
from sealtrail.epcis.views import write_event
from sealtrail.errors import InputError

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"
JSON, XML = "application/ld+json", "application/xml"


def read_document(data: bytes, media_type: str = JSON) -> None:
    """Read a document; the content of each accepted event is read back as the same event."""
    for event in parse_document(data, media_type=media_type).events:
        if isinstance(event, RecordedEvent):
            again = read_content(event.content, event.media_type)
            check(again.event_hash == event.event_hash, "the content has another event hash")
            check(again.items == event.items, "the content names other items")
            check(divide(event.content) == divide(event.content, event.form), "other parts")


def read_xml(data: bytes) -> None:
    """Read a document in XML."""
    read_document(data, XML)


def json_documents() -> Iterator[bytes]:
    """Yield documents of one event."""
    for path in sorted((VECTORS / "event-hash").glob("*.jsonl")):
        for line in path.read_text().splitlines():
            yield json.dumps(json.loads(line)["document"]).encode()


def xml_documents() -> list[bytes]:
    """Return documents in XML, of both versions."""
    return [path.read_bytes() for path in sorted((VECTORS / "xml").glob("*.xml"))]


def read_tree(data: bytes) -> None:
    """Read a document that was changed as JSON."""
    read_document(_changed_document(Choices(data)))


def read_xml_tree(data: bytes) -> None:
    """Read a document that was changed as XML."""
    choices = Choices(data)
    root = etree.fromstring(choices.of(_xml_seeds()))
    read_xml(etree.tostring(mutated_xml(root, choices)))


def compare_twins(data: bytes) -> None:
    """Write an accepted JSON event as XML, and read it back: an event of the same hash, or one that says why not."""
    choices = Choices(data)
    form = choices.of(("xml-2.0", "xml-1.2"))
    for event in parse_document(_changed_document(choices)).events:
        if not isinstance(event, RecordedEvent):
            continue
        try:
            written = write_event(json_form(event.content), form=form)
        except InputError:
            continue  # XML, or that version of it, has no place for it
        (twin,) = parse_document(written, media_type=XML).events
        check(isinstance(twin, RecordedEvent), f"what was written is refused: {twin}")
        same = twin.event_hash == event.event_hash  # type: ignore[union-attr]
        check(same or bool(event.hash_ambiguous), "the twin has another event hash")


def read_query_object(data: bytes) -> None:
    """Read the body of a named query."""
    choices = Choices(data)
    parse_query_object(mutated(_QUERY, choices))


@cache
def _seeds() -> list[Any]:
    return [json.loads(document) for document in json_documents()]


@cache
def _xml_seeds() -> list[bytes]:
    return xml_documents()


def _changed_document(choices: Choices) -> bytes:
    changed = mutated(choices.of(_seeds()), choices)
    return json.dumps(changed, ensure_ascii=bool(choices.below(2))).encode()


_QUERY = {
    "eventType": ["ObjectEvent"],
    "GE_eventTime": "2026-01-01T00:00:00Z",
    "EQ_bizStep": ["shipping", "urn:epcglobal:cbv:bizstep:receiving"],
    "MATCH_epc": ["urn:epc:idpat:sgtin:9521001.012345.*"],
    "WD_readPoint": ["urn:epc:id:sgln:9521001.00001.0"],
    "EQ_https://acme.example/ns/colour": ["red"],
    "GE_ILMD_https://acme.example/ns/weight": 1.5,
    "GE_quantity": 7,
    "GE_value_CEL": 2.5,
    "EXISTS_errorDeclaration": True,
    "orderBy": "eventTime",
    "orderDirection": "ASC",
    "eventCountLimit": 10,
}
