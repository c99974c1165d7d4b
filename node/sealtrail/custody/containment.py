"""What stood in what, when; and so which events touch an item.

Containment is a history: an item is touched by an event on a container only while it is inside,
recursively. Totes and SSCCs are used again; an AssociationEvent is not containment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.forks import Fork, Forks
from sealtrail.custody.history import Recorded
from sealtrail.custody.lifecycle import end_of_life
from sealtrail.custody.nesting import NAMED, Nesting, empties, parent_of, renews, through
from sealtrail.epcis.events import AggregationEvent

CLASS_PLACES = frozenset({"class", "input_class", "output_class", "lot"})


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """One event as it touches the item asked for.

    ``via`` is the container through which it does (None: named itself), ``by_class`` that only the lot or class
    is named; ``containers`` what the item stands in after it, innermost first; ``repeats`` are the entries of
    further scans of the same observation.
    """

    recorded: Recorded
    place: str
    containers: tuple[str, ...]
    via: str | None = None
    by_class: bool = False
    repeats: tuple[bytes, ...] = ()


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """All touches in order, and what containment itself gives reason to say."""

    touches: tuple[Touch, ...]
    forks: tuple[Fork, ...] = ()
    findings: tuple[Finding, ...] = ()


def trace(events: Iterable[Recorded], item: str, classes: frozenset[str] = frozenset()) -> Trace:
    """Follow ``item`` through ordered events; ``classes`` are its lot and class, as canonical identifiers."""
    ordered = tuple(events)
    tracked = {item} | {m.item for r in ordered for m in r.mentions if m.place == "parent"}
    course = _Course(item, tracked)
    touches: list[Touch] = []
    for recorded in ordered:
        before = (item, *course.nesting.chain(item))
        course.pass_by(recorded, before)
        after = course.nesting.chain(item)
        course.forks.pass_by(recorded, course.nesting, (item, *after))
        touch = _touch(recorded, item, before, after, classes)
        if touch is not None:
            touches.append(touch)
    return Trace(
        touches=tuple(touches), forks=course.forks.found(), findings=tuple(course.findings)
    )


class _Course:
    """Containment while events go by."""

    def __init__(self, item: str, tracked: set[str]) -> None:
        self.tracked = tracked
        self.nesting = Nesting()
        self.forks = Forks(item)
        self.findings: list[Finding] = []

    def pass_by(self, recorded: Recorded, chain: Sequence[str]) -> None:
        """Apply an event; ``chain`` is the item and what it stood in before."""
        event, nesting = recorded.event, self.nesting
        if isinstance(event, AggregationEvent):
            self._aggregate(recorded, event, chain)
            return
        named = {
            m.item: m.place
            for m in recorded.mentions
            if m.place in NAMED and m.item in self.tracked
        }
        for each, place in named.items():
            parent = nesting.parent(each)
            if _leaves(recorded, place, parent is not None and parent in named):
                nesting.take(each)
            if renews(recorded, place):
                nesting.empty(each)

    def _aggregate(self, recorded: Recorded, event: AggregationEvent, chain: Sequence[str]) -> None:
        parent = parent_of(recorded)
        children = [
            m.item for m in recorded.mentions if m.place == "epc" and m.item in self.tracked
        ]
        if event.action == "DELETE":
            if parent and empties(recorded, event):
                self.nesting.empty(parent)
            for child in children:
                if parent is None or self.nesting.parent(child) == parent:
                    self.nesting.take(child)
            return
        for child in children if parent else ():
            self._put(recorded, child, parent or "", chain)

    def _put(self, recorded: Recorded, child: str, parent: str, chain: Sequence[str]) -> None:
        old = self.nesting.parent(child)
        if not self.nesting.put(child, parent):
            if child in chain or parent in chain:
                message = f"{child} was put into {parent}, which stands in it"
                self.findings.append(finding("containment_cycle", message, [recorded.entry_id]))
        elif old is not None and old != parent and child in chain and _adds(recorded):
            message = f"{child} was put into {parent} while it stood in {old}"
            self.findings.append(finding("two_parents", message, [recorded.entry_id]))
            self.forks.open(recorded, child, old, self.nesting)


def _adds(recorded: Recorded) -> bool:
    """Tell whether the event packs, rather than sees something packed."""
    return isinstance(recorded.event, AggregationEvent) and recorded.event.action == "ADD"


def _leaves(recorded: Recorded, place: str, with_container: bool) -> bool:
    """Tell whether a thing named in the event no longer stands in its container.

    Few record the unpacking of what they dispense, or ship singly.
    """
    if end_of_life(recorded.event, place) is not None:
        return True
    return recorded.event.biz_step == "shipping" and not with_container


def _touch(
    recorded: Recorded,
    item: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    classes: frozenset[str],
) -> Touch | None:
    places = recorded.places(item)
    named = places & NAMED or (places if item not in classes else frozenset())
    if named:
        return Touch(recorded=recorded, place=min(named), containers=after)
    via = through(recorded, before, after)
    if via is not None:
        place = min(recorded.places(via))
        return Touch(recorded=recorded, place=place, containers=after, via=via)
    for each in classes:
        if recorded.places(each) & (CLASS_PLACES - {"lot"}):
            return Touch(recorded=recorded, place="class", containers=after, by_class=True)
    return None


def collapse(touches: Sequence[Touch], double_scan_us: int) -> tuple[Touch, ...]:
    """Fold retries and double scans of one observation into their first.

    The same observation: same member, kind of event, place, item and container, within the time given, and the
    same said of it (lot and expiry of a second commissioning must not vanish behind the first).
    """
    kept: list[Touch] = []
    latest: dict[object, int] = {}
    for touch in touches:
        key = _observation(touch)
        index = latest.get(key)
        if index is not None:
            first = kept[index]
            if touch.recorded.time_us - first.recorded.time_us <= double_scan_us:
                repeats = (*first.repeats, touch.recorded.entry_id)
                kept[index] = msgspec.structs.replace(first, repeats=repeats)
                continue
        latest[key] = len(kept)
        kept.append(touch)
    return tuple(kept)


def _observation(touch: Touch) -> object:
    recorded, event = touch.recorded, touch.recorded.event
    return (
        recorded.member,
        recorded.kind,
        type(event).__name__,
        getattr(event, "action", None),
        event.biz_step,
        event.disposition,
        event.read_point,
        event.biz_location,
        event.source_list,
        event.destination_list,
        touch.via,
        touch.place,
        touch.by_class,
        parent_of(recorded),
        getattr(event, "ilmd", ()),
        event.persistent_disposition,
    )
