"""EPCIS events for the tests of capture."""

from __future__ import annotations

import json
from typing import Any

CONTEXT = ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"]


def pack(serial: int | str) -> str:
    """Return the URN of a pack."""
    return f"urn:epc:id:sgtin:4012345.011111.{serial}"


def event(serial: int | str = 1, **more: Any) -> dict[str, Any]:
    """Return a commissioning event of one pack; None takes a field out."""
    fields = {
        "type": "ObjectEvent",
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        "epcList": [pack(serial)],
        "eventTime": "2026-03-01T10:00:00.000Z",
        "eventTimeZoneOffset": "+01:00",
        "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0"},
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def declaration(of: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the error declaration of an event."""
    return {
        **of,
        "errorDeclaration": {
            "declarationTime": "2026-03-02T10:00:00.000Z",
            "reason": "incorrect_data",
        },
        **more,
    }


def document(*events: dict[str, Any], **more: Any) -> bytes:
    """Return an EPCIS document of those events."""
    return json.dumps(
        {
            "@context": CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-03-01T10:00:00Z",
            "epcisBody": {"eventList": list(events)},
            **more,
        }
    ).encode()


def bare(event: dict[str, Any]) -> bytes:
    """Return one event with its context, as ``POST /events`` takes it."""
    return json.dumps({"@context": CONTEXT, **event}).encode()
