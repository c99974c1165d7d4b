"""Which containers an item stood in, and when: whose events are part of its history, and for how long."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush

import msgspec

from sealtrail.custody.forks import FOLLOWED_SECONDS_MAX
from sealtrail.custody.history import Recorded
from sealtrail.custody.nesting import empties, parent_of
from sealtrail.epcis.events import AggregationEvent, ObjectEvent

_NEVER = 1 << 62
_NOWHERE = 1 << 62  # no place among the events


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
    moves = _Moves(r for r in history if r.holds and not r.withheld and _is_move(r, item))
    return [
        Stay(parent, recorded.time_us, moves.until(n, parent))
        for n, (recorded, parent) in enumerate(zip(moves.ordered, moves.parents, strict=True))
        if _action(recorded) != "DELETE" and parent is not None
    ]


def ends_stay(recorded: Recorded, stay: Stay) -> bool:
    """Tell whether the container was emptied after the stay began."""
    event = recorded.event
    if not recorded.holds or recorded.withheld or recorded.time_us <= stay.since_us:
        return False
    if isinstance(event, AggregationEvent):
        return empties(recorded, event) and parent_of(recorded) == stay.container
    return isinstance(event, ObjectEvent) and event.action == "ADD"


class _Moves:
    """Events that put one item somewhere, see it there or take it out, in order; of each is told what follows."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self.ordered = sorted(events, key=lambda r: r.time_us)
        self.parents = [parent_of(r) for r in self.ordered]
        self._taken: dict[str | None, list[int]] = {}
        for n, recorded in enumerate(self.ordered):
            if _action(recorded) == "DELETE":
                self._taken.setdefault(self.parents[n], []).append(n)
        self._added = self._elsewhere("ADD")
        self._seen = self._elsewhere("OBSERVE")

    def until(self, since: int, container: str) -> int:
        """Return when the item left the container that move ``since`` has it in.

        Packed again without that, it may be in both for a while.
        """
        taken = self._taken.get(container, [])
        at = bisect_right(taken, since)
        out = taken[at] if at < len(taken) else _NOWHERE
        added, seen = self._added(since, container), self._seen(since, container)
        if seen < min(added, out):
            return self.ordered[seen].time_us
        until_us = _NEVER
        if added != _NOWHERE:
            until_us = self.ordered[added].time_us + FOLLOWED_SECONDS_MAX * 1_000_000
        return until_us if out == _NOWHERE else min(until_us, self.ordered[out].time_us)

    def _elsewhere(self, action: str) -> Callable[[int, str], int]:
        """Return what finds the next such move behind one that is not in a given container."""
        places = [n for n, recorded in enumerate(self.ordered) if _action(recorded) == action]
        # the first place behind each that is in another container than it
        other = [_NOWHERE] * len(places)
        for n in range(len(places) - 2, -1, -1):
            same = self.parents[places[n]] == self.parents[places[n + 1]]
            other[n] = other[n + 1] if same else places[n + 1]

        def find(since: int, container: str) -> int:
            n = bisect_right(places, since)
            if n == len(places):
                return _NOWHERE
            return places[n] if self.parents[places[n]] != container else other[n]

        return find


def containers_of(history: Iterable[Recorded], item: str) -> frozenset[str]:
    """Return every container that the item was inside, directly or in another, by the events given."""
    events = sorted(history, key=lambda r: r.time_us)
    courses = _courses(events, {parent for r in events if (parent := parent_of(r)) is not None})
    # by their beginnings, so that of each container only what lies behind what was looked at is looked at
    stays = [(s.since_us, s.until_us, s.container) for s in stays_of(events, item)]
    heapify(stays)
    while stays:
        since_us, until_us, container = heappop(stays)
        for inner in courses[container].during(since_us, until_us):
            heappush(stays, (inner.since_us, inner.until_us, inner.container))
    return frozenset(each for each, course in courses.items() if course.was_entered)


def _courses(events: Sequence[Recorded], containers: set[str]) -> dict[str, _Course]:
    named: dict[str, list[Recorded]] = {container: [] for container in containers}
    for recorded in events:
        for each in {m.item for m in recorded.mentions} & containers:
            named[each].append(recorded)
    return {container: _Course(container, each) for container, each in named.items()}


class _Course:
    """One container's events in order, and up to when it is known what it stood in while the item was inside."""

    def __init__(self, container: str, named: Sequence[Recorded]) -> None:
        self._container = container
        self._named = named
        self._times = [r.time_us for r in named]
        self._moves = [n for n, r in enumerate(named) if _is_move(r, container)]
        self._known_us = -_NEVER
        self._emptied_us = -_NEVER
        self.was_entered = False

    def during(self, since_us: int, until_us: int) -> list[Stay]:
        """Return what it stood in during that time, but for what was returned already; to be asked in ascending order.

        What empties it ends all that the item stayed in it until then.
        """
        self.was_entered = True
        if since_us < self._emptied_us or until_us <= self._known_us:
            return []
        stay = Stay(self._container, max(since_us, self._known_us), until_us)
        first = bisect_left(self._times, stay.since_us)
        events = self._named[first : bisect_right(self._times, until_us)]
        ends = [r.time_us for r in events if ends_stay(r, stay)]
        if ends:
            self._emptied_us = min(ends)
        self._known_us = min([*ends, until_us])
        before = bisect_left(self._moves, first)
        # it stood in something already
        moved = [self._named[n] for n in self._moves[before - 1 : before] if before]
        inner = stays_of([*moved, *events], self._container)
        parts = [each.within(stay.since_us, self._known_us) for each in inner]
        return [each for each in parts if each.since_us <= each.until_us]


def _is_move(recorded: Recorded, item: str) -> bool:
    return isinstance(recorded.event, AggregationEvent) and "epc" in recorded.places(item)


def _action(recorded: Recorded) -> str:
    assert isinstance(recorded.event, AggregationEvent)
    return recorded.event.action
