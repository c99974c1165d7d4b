"""One id for several events: a node refuses that of its own member; of another's signed entries it can only tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sealtrail.custody.containment import Touch
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Recorded
from sealtrail.signing import Kind


def reused_ids(touches: Iterable[Touch]) -> list[Finding]:
    """Return a finding for each id that one member gave to events that say different things.

    A JSON event and its XML twin have different contents, and say the same.
    """
    by_id: dict[tuple[bytes, str], dict[bytes, Recorded]] = {}
    for recorded in (touch.recorded for touch in touches):
        event_id = recorded.event.event_id  # as given: events without one may share a hash
        if event_id is not None and recorded.kind != Kind.RECEIVED:
            contents = by_id.setdefault((recorded.member, event_id), {})
            contents.setdefault(recorded.content_hash, recorded)
    return [
        finding(
            "event_id_reused",
            f"one member recorded {len(contents)} events with the id {event_id}",
            (recorded.entry_id for recorded in contents.values()),
        )
        for (_, event_id), contents in by_id.items()
        if _differ(list(contents.values()))
    ]


def _differ(records: Sequence[Recorded]) -> bool:
    return any(each.event != records[0].event for each in records[1:])
