"""The order of events: by event time, and where many have one time by what must come first."""

from __future__ import annotations

from sealtrail.custody.history import Recorded
from sealtrail.epcis.events import AggregationEvent, ObjectEvent, TransformationEvent

_STEP_RANK = {
    "commissioning": 0,
    "packing": 2,
    "staging_outbound": 3,
    "loading": 3,
    "shipping": 4,
    "departing": 5,
    "transporting": 5,
    "arriving": 6,
    "void_shipping": 6,
    "receiving": 7,
    "accepting": 8,
    "dispensing": 11,
    "retail_selling": 11,
}


def event_order(recorded: Recorded) -> tuple[int, int, int, bytes]:
    """Return what events are sorted by: a function of the event alone, never of its arrival."""
    return recorded.time_us, _rank(recorded), recorded.record_time_ms, recorded.entry_id


def _rank(recorded: Recorded) -> int:
    """Break ties of one event time by what must come first: lines stamp whole batches with one time."""
    event = recorded.event
    if isinstance(event, ObjectEvent) and event.action != "OBSERVE":
        return 0 if event.action == "ADD" else 12
    if isinstance(event, TransformationEvent):
        return 1
    if isinstance(event, AggregationEvent) and event.action != "OBSERVE":
        return 2 if event.action == "ADD" else 10
    return _STEP_RANK.get(event.biz_step or "", 9)
