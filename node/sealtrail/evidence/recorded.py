"""From what was verified to what the rules judge, whether all of an event was shown or parts of it."""

from __future__ import annotations

from sealtrail.custody.history import Mention, Recorded
from sealtrail.epcis import event_hash_uri
from sealtrail.evidence.report import VerifiedEntry
from sealtrail.signing import Relation


def recorded_of(verified: VerifiedEntry) -> Recorded:
    """Return a verified entry whose event is there, or parts of it, as the rules take it."""
    whole, shown = verified.event, verified.shown
    if whole is not None:
        event, items, content_hash = whole.event, whole.items, whole.content_hash
        named = event_hash_uri(whole.event_hash)
    else:
        assert shown is not None
        # Neither content hash nor event hash is known: the entry's id stands for both, and is like no other.
        event, items, content_hash = shown.event, shown.items, verified.entry_id
        named = "0x" + verified.entry_id.hex()
    return Recorded(
        entry_id=verified.entry_id,
        member=verified.entry.member,
        kind=verified.entry.kind,
        grade=verified.grade,
        record_time_ms=verified.entry.record_time_ms,
        content_hash=content_hash,
        event_id=event.event_id or named,
        event=event,
        mentions=tuple(Mention(m.item, m.place) for m in items),
        anchor_time=verified.anchor.block_time if verified.anchor else None,
        corrects=tuple(r.entry_id for r in verified.references if r.relation == Relation.CORRECTS),
        items_withheld=whole is None and shown is not None and shown.elements_withheld != 0,
    )
