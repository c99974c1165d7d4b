"""Hashing alone says what recording says."""

from __future__ import annotations

import json

import pytest

from sealtrail.epcis import RecordedEvent, hash_document, parse_document
from sealtrail.errors import InputError

CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]
EVENT = {
    "type": "ObjectEvent",
    "eventTime": "2026-03-01T10:00:00.0005Z",
    "eventTimeZoneOffset": "+01:00",
    "epcList": ["urn:epc:id:sgtin:9521234.054321.1", "urn:epc:id:sgtin:9521234.054321.2"],
    "action": "ADD",
}


def document(*events: object) -> bytes:
    return json.dumps(
        {
            "@context": CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-03-01T10:00:00Z",
            "epcisBody": {"eventList": events},
        }
    ).encode()


def test_hashes_content_doubts_and_places_are_those_of_the_recorded_events() -> None:
    data = document(EVENT, {**EVENT, "@context": CONTEXT})
    for hashed, recorded in zip(hash_document(data), parse_document(data).events, strict=True):
        assert not isinstance(hashed, InputError)
        assert isinstance(recorded, RecordedEvent)
        for name in hashed.__struct_fields__:
            assert getattr(hashed, name) == getattr(recorded, name)


def test_a_refused_event_is_refused_alike() -> None:
    data = document(EVENT, {**EVENT, "action": "MAYBE"})
    refused = list(hash_document(data))[1]
    recorded = parse_document(data).events[1]
    assert isinstance(refused, InputError)
    assert isinstance(recorded, InputError)
    assert (refused.code, refused.pointer) == (recorded.code, recorded.pointer)


def test_a_malformed_document_is_refused_before_the_first_event() -> None:
    with pytest.raises(InputError, match="/creationData"):
        hash_document(document(EVENT).replace(b"creationDate", b"creationData"))


@pytest.mark.parametrize("blank", [b" ", b"\t", b"\n", b"\r\n  "])
def test_a_repeated_key_is_found_among_any_blanks(blank: bytes) -> None:
    data = document(EVENT).replace(
        b'"action":', b'"action":' + blank + b'"ADD",' + blank + b'"action":'
    )
    with pytest.raises(InputError) as caught:
        hash_document(data)
    assert caught.value.code == "json_key_repeated"


def test_a_key_that_differs_by_a_blank_alone_is_another_key() -> None:
    twice = document(EVENT).replace(b'"action":', b'"act ion": "ADD", "action":')
    error = next(iter(hash_document(twice)))
    assert isinstance(error, InputError)
    assert error.code == "field_unknown"
