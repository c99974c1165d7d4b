"""Which containers an item stood in, and when: whose events are part of its history, and for how long."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealtrail.custody.forks import FOLLOWED_SECONDS_MAX
from sealtrail.custody.history import Recorded
from sealtrail.custody.nesting import empties, parent_of
from sealtrail.epcis.events import AggregationEvent, ObjectEvent

_NEVER = 1 << 62


class Stay(msgspec.Struct, frozen=True):
    """A container, and the time (us) during which something asked for stood in it."""

    container: str
    since_us: int
    until_us: int

    def within(self, since_us: int, until_us: int) -> Stay:
        """Return the part of the stay that falls into that time."""
        return Stay(self.container, max(self.since_us, since_us), min(self.until_us, until_us))


def stays_of(history: Iterable[Recorded], item: str) -> list[Stay]:
    """Return each container that ``item`` was put into or seen in, and until when by the item's own events."""
    ordered = sorted(
        (r for r in history if r.holds and not r.withheld),
        key=lambda r: r.time_us,
    )
    stays = []
    for index, recorded in enumerate(ordered):
        event, parent = recorded.event, parent_of(recorded)
        if not isinstance(event, AggregationEvent) or event.action == "DELETE" or parent is None:
            continue
        if "epc" not in recorded.places(item):
            continue
        until_us = _until(ordered[index + 1 :], item, parent)
        stays.append(Stay(parent, recorded.time_us, until_us))
    return stays


def ends_stay(recorded: Recorded, stay: Stay) -> bool:
    """Tell whether the container was emptied after the stay began."""
    event = recorded.event
    if not recorded.holds or recorded.withheld or recorded.time_us <= stay.since_us:
        return False
    if isinstance(event, AggregationEvent):
        return empties(recorded, event) and parent_of(recorded) == stay.container
    return isinstance(event, ObjectEvent) and event.action == "ADD"


def _until(later: Iterable[Recorded], item: str, container: str) -> int:
    """Return when the item left the container; packed again without that, it may be in both for a while."""
    until_us = _NEVER
    for recorded in later:
        event, same = recorded.event, parent_of(recorded) == container
        if recorded.time_us > until_us:
            break
        if not isinstance(event, AggregationEvent) or "epc" not in recorded.places(item):
            continue
        if event.action == "DELETE" and same:
            return recorded.time_us
        if event.action == "OBSERVE" and not same and until_us == _NEVER:
            return recorded.time_us
        if event.action == "ADD" and not same:
            until_us = min(until_us, recorded.time_us + FOLLOWED_SECONDS_MAX * 1_000_000)
    return until_us


def containers_of(history: Iterable[Recorded], item: str) -> frozenset[str]:
    """Return every container that the item was inside, directly or in another, by the events given."""
    ordered = sorted(history, key=lambda r: r.time_us)
    stays, seen = stays_of(ordered, item), set[tuple[str, int]]()
    while stays:
        stay = stays.pop()
        if (stay.container, stay.since_us) in seen:
            continue
        seen.add((stay.container, stay.since_us))
        named = [r for r in ordered if r.places(stay.container)]
        during = [r for r in named if stay.since_us <= r.time_us <= stay.until_us]
        until_us = min([r.time_us for r in during if ends_stay(r, stay)], default=stay.until_us)
        before = [r for r in named if r.time_us < stay.since_us and _moves(r, stay.container)]
        inner = stays_of([*before[-1:], *during], stay.container)  # it stood in something already
        stays += [s.within(stay.since_us, until_us) for s in inner]
    return frozenset(container for container, _ in seen)


def _moves(recorded: Recorded, item: str) -> bool:
    return isinstance(recorded.event, AggregationEvent) and "epc" in recorded.places(item)
