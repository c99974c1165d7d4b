"""Names without a namespace in a read point or location, which GS1's JSON schema takes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sealtrail.epcis import RecordedEvent, parse_document, pre_hash, read_content
from sealtrail.epcis.events import Extension
from sealtrail.epcis.views import write_event
from sealtrail.errors import NotAcceptableError

PLACE = "urn:epc:id:sgln:4012345.00001.0"


def recorded(**fields: Any) -> RecordedEvent:
    event = {
        "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"b": "https://b.example/"}],
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "epcList": [],
        "eventTime": "2026-03-01T10:00:00Z",
        "eventTimeZoneOffset": "+01:00",
        **fields,
    }  # fmt: skip
    (found,) = parse_document(json.dumps(event).encode()).events
    assert isinstance(found, RecordedEvent), found
    return found


@pytest.mark.parametrize("place", ["readPoint", "bizLocation"])
def test_they_are_kept_and_hashed_behind_the_place_with_a_doubt(place: str) -> None:
    event = recorded(**{place: {"id": PLACE, "name": "Dock 3", "geo": {"lat": 1}}})
    own = event.event.read_point_extensions or event.event.biz_location_extensions
    assert [each.local for each in own] == ["geo", "name"]
    assert own[1] == Extension(namespace="", local="name", text="Dock 3")
    assert pre_hash(event.content).endswith(f"{place}geolat=1name=Dock 3")
    assert event.hash_ambiguous == "field_extension_namespace"
    assert read_content(event.content, event.media_type) == event


def test_beside_a_namespaced_one_the_hash_leaves_them_out_and_says_so() -> None:
    event = recorded(readPoint={"id": PLACE, "name": "Dock 3", "b:bay": "2"})
    assert "Dock" not in pre_hash(event.content)
    assert event.hash_ambiguous == "field_extension_namespace"


def test_xml_has_no_place_for_them() -> None:
    view = json.loads(recorded(readPoint={"id": PLACE, "name": "Dock 3"}).content)
    with pytest.raises(NotAcceptableError) as caught:
        write_event(view, form="xml-2.0")
    assert (caught.value.code, caught.value.pointer) == ("not_in_xml", "/readPoint/name")
