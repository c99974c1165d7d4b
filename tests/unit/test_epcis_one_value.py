"""One event has one value, whichever binding, order or prefixes it came in."""

from __future__ import annotations

import json
from typing import Any

from sealtrail.epcis import RecordedEvent, parse_document, read_content
from sealtrail.epcis.events import AnyEvent
from sealtrail.epcis.views import write_event

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
NAMESPACES = {"zz": "https://first.example/", "aa": "https://second.example/"}
EVENT: dict[str, Any] = {
    "@context": [CONTEXT, NAMESPACES],
    "type": "ObjectEvent",
    "eventTime": "2026-03-01T08:00:00Z",
    "eventTimeZoneOffset": "+00:00",
    "eventID": "urn:uuid:1",
    "epcList": ["urn:epc:id:sgtin:9521234.054321.7"],
    "action": "ADD",
    "readPoint": {"id": "urn:epc:id:sgln:9521234.00001.0", "zz:dock": "1", "aa:gate": "2"},
    "ilmd": {"cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2030-01-31", "aa:x": "1"},
    "sensorElementList": [
        {
            "sensorMetadata": {"time": "2026-03-01T07:00:00Z", "deviceID": "urn:a:b"},
            "sensorReport": [{"value": 4.5, "type": "gs1:Temperature", "uom": "CEL", "zz:k": "v"}],
        }
    ],
    "zz:outer": {"zz:b": ["2", "1"], "aa:b": {"zz:d": "x", "aa:c": "y"}, "aa:a": "1"},
    "aa:plain": "text",
}


def turned(value: Any) -> Any:
    """The same with the members of each object the other way round."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


def value_of(data: bytes, media_type: str = "application/ld+json") -> AnyEvent:
    (event,) = parse_document(data, media_type=media_type).events
    assert isinstance(event, RecordedEvent)
    assert read_content(event.content, event.media_type).event == event.event
    return event.event


def test_the_order_of_members_changes_no_value() -> None:
    assert value_of(json.dumps(turned(EVENT)).encode()) == value_of(json.dumps(EVENT).encode())


def test_a_twin_in_xml_has_the_same_value_whatever_its_order() -> None:
    value = value_of(json.dumps(EVENT).encode())
    for event in (EVENT, turned(EVENT)):
        assert value_of(write_event(event, form="xml-2.0"), "application/xml") == value


def test_the_names_of_prefixes_change_no_value() -> None:
    text = json.dumps(EVENT)
    text = text.replace("zz:", "mm:").replace('"zz"', '"mm"').replace("aa:", "yy:")
    renamed = json.loads(text.replace('"aa"', '"yy"'))
    assert renamed["@context"][1] == {
        "mm": "https://first.example/",
        "yy": "https://second.example/",
    }
    assert value_of(json.dumps(renamed).encode()) == value_of(json.dumps(EVENT).encode())


def test_elements_of_one_name_stay_in_their_order() -> None:
    (outer,) = (e for e in value_of(json.dumps(EVENT).encode()).extensions if e.local == "outer")
    assert [
        e.text for e in outer.children if (e.namespace, e.local) == ("https://first.example/", "b")
    ] == ["2", "1"]
