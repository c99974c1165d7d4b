"""From what was verified to what the rules judge."""

from __future__ import annotations

from sealtrail.custody.history import Mention, Recorded
from sealtrail.epcis import event_hash_uri
from sealtrail.evidence.report import VerifiedEntry
from sealtrail.signing import Relation


def recorded_of(verified: VerifiedEntry) -> Recorded:
    """Return a verified entry whose event is there as the rules take it."""
    event = verified.event
    assert event is not None
    return Recorded(
        entry_id=verified.entry_id,
        member=verified.entry.member,
        kind=verified.entry.kind,
        grade=verified.grade,
        record_time_ms=verified.entry.record_time_ms,
        content_hash=event.content_hash,
        event_id=event.event.event_id or event_hash_uri(event.event_hash),
        event=event.event,
        mentions=tuple(Mention(m.item, m.place) for m in event.items),
        anchor_time=verified.anchor.block_time if verified.anchor else None,
        corrects=tuple(r.entry_id for r in verified.references if r.relation == Relation.CORRECTS),
    )
