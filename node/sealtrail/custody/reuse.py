"""One id for several events: a node refuses that of its own member; of another's signed entries it can only tell."""

from __future__ import annotations

from collections.abc import Iterable

from sealtrail.custody.containment import Touch
from sealtrail.custody.findings import Finding, finding
from sealtrail.signing import Kind


def reused_ids(touches: Iterable[Touch]) -> list[Finding]:
    """Return a finding for each id that one member gave to events with different contents."""
    by_id: dict[tuple[bytes, str], dict[bytes, bytes]] = {}
    for recorded in (touch.recorded for touch in touches):
        event_id = recorded.event.event_id  # as given: events without one may share a hash
        if event_id is not None and recorded.kind != Kind.RECEIVED:
            contents = by_id.setdefault((recorded.member, event_id), {})
            contents.setdefault(recorded.content_hash, recorded.entry_id)
    return [
        finding(
            "event_id_reused",
            f"one member recorded {len(contents)} events with the id {event_id}",
            contents.values(),
        )
        for (_, event_id), contents in by_id.items()
        if len(contents) > 1
    ]
