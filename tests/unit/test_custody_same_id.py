"""Many events with one id: what a declaration takes out of them, and that it is not told of each with each."""

from __future__ import annotations

from bundle_world import PACK, event
from evidence_world import JSON
from sealtrail.custody import Recorded
from sealtrail.custody.corrections import SAME_ID_MAX
from sealtrail.custody.history import Mention, Parameters, Question
from sealtrail.custody.timeline import settle
from sealtrail.epcis import read_content
from sealtrail.evidence.report import Grade
from sealtrail.signing import Kind

ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
DECLARED = {"declarationTime": "2026-03-01T12:00:00.000Z", "reason": "incorrect_data"}
QUESTION, PARAMETERS = Question(item=PACK), Parameters()


def recorded(number: int, member: bytes = b"\1" * 20, *, declares: bool = False) -> Recorded:
    more = {"errorDeclaration": DECLARED} if declares else {}
    read = read_content(event(number % 200, eventID=ID, **more), JSON)
    return Recorded(
        entry_id=number.to_bytes(32, "big"),
        member=member,
        kind=Kind.EVENT,
        grade=Grade.CHAIN_PROVEN,
        record_time_ms=number,
        content_hash=number.to_bytes(32, "little"),
        event_id=ID,
        event=read.event,
        mentions=tuple(Mention(m.item, m.place) for m in read.items),
    )


def test_a_members_correction_is_not_crowded_out_by_others() -> None:
    others = [recorded(n, b"\2" * 20) for n in range(2 * SAME_ID_MAX)]
    own = recorded(199)
    timeline = settle([*others, own, recorded(1_000, declares=True)], QUESTION, PARAMETERS)
    assert [r.entry_id for r in timeline.corrected] == [own.entry_id]


def test_of_many_events_with_one_id_some_are_taken_out() -> None:
    """Compared each with each, a thousand declarations named half a million entries."""
    events = [recorded(n) for n in range(1_000)]
    declarations = [recorded(1_000 + n, declares=True) for n in range(1_000)]
    timeline = settle([*events, *declarations], QUESTION, PARAMETERS)
    assert len(timeline.corrected) == SAME_ID_MAX
    assert max(len(each.entries) for each in timeline.findings) <= 2 * SAME_ID_MAX + 1
