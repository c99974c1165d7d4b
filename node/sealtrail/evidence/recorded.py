"""From what was verified to what the rules judge, whether all of an event was shown or parts of it."""

from __future__ import annotations

from sealtrail.custody.history import Mention, Recorded
from sealtrail.epcis import event_hash_uri
from sealtrail.evidence.report import ShownEvent, VerifiedEntry
from sealtrail.signing import Relation


def recorded_of(verified: VerifiedEntry) -> Recorded:
    """Return a verified entry whose event is there as the rules take it."""
    event, shown = verified.event, verified.shown
    if event is None:
        assert shown is not None
        return _of_parts(verified, shown)
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


def _of_parts(verified: VerifiedEntry, shown: ShownEvent) -> Recorded:
    # Neither content hash nor event hash is known: the entry's id stands for both, and is like no other.
    return Recorded(
        entry_id=verified.entry_id,
        member=verified.entry.member,
        kind=verified.entry.kind,
        grade=verified.grade,
        record_time_ms=verified.entry.record_time_ms,
        content_hash=verified.entry_id,
        event_id=shown.event.event_id or "0x" + verified.entry_id.hex(),
        event=shown.event,
        mentions=tuple(Mention(m.item, m.place) for m in shown.items),
        anchor_time=verified.anchor.block_time if verified.anchor else None,
        corrects=tuple(r.entry_id for r in verified.references if r.relation == Relation.CORRECTS),
        items_withheld=shown.elements_withheld != 0,
    )
