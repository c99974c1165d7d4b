"""EPCIS documents to measure with: each event of one pack, no two alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

CONTEXT = ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"]


def pack(gtin: str, serial: int | str) -> str:
    """Return the Digital Link of a pack."""
    return f"https://id.gs1.org/01/{gtin}/21/{serial}"


def commissioning(gtin: str, serials: list[str], *, gln: str, lot: str = "B2026") -> dict[str, Any]:
    """Return the event that commissions these packs."""
    return {
        "type": "ObjectEvent",
        "eventTime": "2026-03-01T10:00:00.000Z",
        "eventTimeZoneOffset": "+01:00",
        "epcList": [pack(gtin, serial) for serial in serials],
        "action": "ADD",
        "bizStep": "commissioning",
        "disposition": "active",
        "readPoint": {"id": f"https://id.gs1.org/414/{gln}"},
        "bizLocation": {"id": f"https://id.gs1.org/414/{gln}"},
        "ilmd": {"cbvmda:lotNumber": lot, "cbvmda:itemExpirationDate": "2029-12-31"},
    }


def observing(gtin: str, serial: str, minute: int, *, gln: str) -> dict[str, Any]:
    """Return one later sighting of a pack where it is."""
    return {
        "type": "ObjectEvent",
        "eventTime": f"2026-03-02T{minute // 60:02d}:{minute % 60:02d}:00.000Z",
        "eventTimeZoneOffset": "+01:00",
        "epcList": [pack(gtin, serial)],
        "action": "OBSERVE",
        "bizStep": "storing",
        "disposition": "in_progress",
        "readPoint": {"id": f"https://id.gs1.org/414/{gln}"},
        "bizLocation": {"id": f"https://id.gs1.org/414/{gln}"},
    }


def document(events: list[dict[str, Any]]) -> bytes:
    """Return an EPCIS document of those events."""
    return json.dumps(
        {
            "@context": CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-03-01T10:00:00Z",
            "epcisBody": {"eventList": events},
        }
    ).encode()


def single(event: dict[str, Any]) -> bytes:
    """Return an event on its own, as POST /events takes it."""
    return json.dumps({"@context": CONTEXT, **event}).encode()


def batches(gtin: str, gln: str, *, events: int, a_document: int, tag: str) -> Iterator[bytes]:
    """Yield documents with ``events`` one-pack events in all; ``tag`` keeps runs apart."""
    for first in range(0, events, a_document):
        yield document(
            [
                commissioning(gtin, [f"{tag}{n:07d}"], gln=gln)
                for n in range(first, min(first + a_document, events))
            ]
        )
