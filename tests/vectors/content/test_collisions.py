"""What the event hash can't tell apart, the content hash does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sealtrail.epcis import RecordedEvent, parse_document

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parent / "collisions.json").read_text(encoding="utf-8")
)


def recorded(fields: dict[str, Any]) -> RecordedEvent:
    event = {"@context": CASES["context"], **CASES["event"], **fields}
    found = parse_document(json.dumps(event).encode()).events[0]
    assert isinstance(found, RecordedEvent), found
    return found


@pytest.mark.parametrize("pair", CASES["pairs"], ids=lambda pair: pair["name"])
def test_events_with_one_event_hash_have_two_content_hashes(pair: dict[str, Any]) -> None:
    one, other = recorded(pair["one"]), recorded(pair["other"])
    assert one.event_hash == other.event_hash
    assert one.content_hash != other.content_hash
