"""Where an item stood, and when; many moves do not take the square of their number."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from bundle_world import CASE, PACK, event
from evidence_world import JSON
from sealtrail.custody import Recorded
from sealtrail.custody.history import Mention
from sealtrail.custody.nesting import NESTED_MAX, Nesting
from sealtrail.custody.stays import containers_of, stays_of
from sealtrail.epcis import read_content
from sealtrail.evidence.report import Grade
from sealtrail.signing import Kind

SGTIN = "urn:epc:id:sgtin:9521234.054321.7"
EVENTS = 2_000


def sscc(number: int) -> str:
    return f"urn:epc:id:sscc:9521234.{number:010d}"


def recorded(number: int, content: bytes) -> Recorded:
    read = read_content(content, JSON)
    return Recorded(
        entry_id=number.to_bytes(32, "big"),
        member=bytes(20),
        kind=Kind.EVENT,
        grade=Grade.CHAIN_PROVEN,
        record_time_ms=0,
        content_hash=read.content_hash,
        event_id=str(number),
        event=read.event,
        mentions=tuple(Mention(m.item, m.place) for m in read.items),
    )


def packing(
    minute: int, parent: int, *epcs: str, action: str = "ADD", step: str = "packing"
) -> bytes:
    return event(
        minute,
        kind="AggregationEvent",
        action=action,
        step=step,
        epcs=epcs,
        parentID=sscc(parent),
    )


def history(contents: Sequence[bytes]) -> list[Recorded]:
    return [recorded(n, each) for n, each in enumerate(contents)]


def test_a_container_counts_for_the_time_the_item_was_inside() -> None:
    events = history(
        [
            packing(1, 1, SGTIN),
            packing(2, 2, sscc(1)),
            packing(3, 1, SGTIN, action="DELETE", step="unpacking"),
            packing(4, 2, sscc(1), action="DELETE", step="unpacking"),
            packing(5, 3, sscc(1)),
        ]
    )
    assert containers_of(events, PACK) == {CASE, CASE[:-2] + "20"}


def test_what_empties_a_container_ends_every_stay_in_it() -> None:
    events = history(
        [
            packing(1, 1, SGTIN),
            packing(2, 1, SGTIN, action="OBSERVE"),
            packing(3, 1, action="DELETE", step="unpacking"),
            packing(4, 2, sscc(1)),
        ]
    )
    assert containers_of(events, PACK) == {CASE}


def test_an_item_that_is_seen_elsewhere_has_left() -> None:
    events = history([packing(1, 1, SGTIN), packing(2, 2, SGTIN, action="OBSERVE")])
    assert next(s.until_us - s.since_us for s in stays_of(events, PACK)) == 60_000_000


def in_turns(number: int) -> bytes:
    """In and out of a container for each event."""
    action = "DELETE" if number % 2 else "ADD"
    return packing(number // 60, number // 2, SGTIN, action=action)


def crossing(number: int) -> bytes:
    """Forty containers that hold each other, and the pack in all of them."""
    return packing(number // 60, number % 40, sscc(number // 50), SGTIN)


@pytest.mark.parametrize(("content", "containers"), [(in_turns, EVENTS // 2), (crossing, 40)])
def test_many_moves_are_followed(content: Callable[[int], bytes], containers: int) -> None:
    """Compared each with each, they would take half a minute."""
    events = history([content(n) for n in range(EVENTS)])
    assert len(containers_of(events, PACK)) == containers


def test_a_thing_is_nested_no_deeper_than_things_are() -> None:
    nesting = Nesting()
    for number in range(3 * NESTED_MAX):
        assert nesting.put(str(number), str(number + 1))
    assert nesting.chain("0") == tuple(str(n + 1) for n in range(NESTED_MAX))
    nesting.put(str(3 * NESTED_MAX), "0")  # a cycle too long to be seen ends all the same
    assert len(nesting.chain("0")) == NESTED_MAX
