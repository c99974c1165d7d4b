"""What stood in what, when; and so which events touch an item.

Containment is a history: an item is touched by an event on a container only while it is inside,
recursively. Totes and SSCCs are used again; an AssociationEvent is not containment.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Recorded
from sealtrail.custody.lifecycle import end_of_life, reaches_contents
from sealtrail.epcis.events import AggregationEvent, AssociationEvent, ObjectEvent, TransactionEvent

_NAMED = frozenset({"epc", "input", "output", "parent"})
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
    findings: tuple[Finding, ...] = ()


class Nesting:
    """Which thing stands in which, as events go by; a thing stands in one container, and never in itself."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._children: dict[str, set[str]] = {}

    def chain(self, item: str) -> tuple[str, ...]:
        """Return the containers of ``item``, innermost first."""
        found: list[str] = []
        parent = self._parent.get(item)
        while parent is not None:  # ends: put() keeps the graph free of cycles
            found.append(parent)
            parent = self._parent.get(parent)
        return tuple(found)

    def parent(self, item: str) -> str | None:
        """Return the container that ``item`` stands in."""
        return self._parent.get(item)

    def put(self, item: str, container: str) -> bool:
        """Move ``item`` into ``container``; False, and nothing moved, if the container stands in the item."""
        if item == container or item in self.chain(container):
            return False
        self.take(item)
        self._parent[item] = container
        self._children.setdefault(container, set()).add(item)
        return True

    def take(self, item: str) -> None:
        """Take ``item`` out of whatever it stands in."""
        parent = self._parent.pop(item, None)
        if parent is not None:
            self._children[parent].discard(item)

    def empty(self, container: str) -> None:
        """Take everything out of ``container``."""
        for item in self._children.pop(container, ()):
            del self._parent[item]


def trace(events: Iterable[Recorded], item: str, classes: frozenset[str] = frozenset()) -> Trace:
    """Follow ``item`` through ordered events; ``classes`` are its lot and class, as canonical identifiers."""
    ordered = tuple(events)
    tracked = {item} | {m.item for r in ordered for m in r.mentions if m.place == "parent"}
    nesting = Nesting()
    touches: list[Touch] = []
    findings: list[Finding] = []
    for recorded in ordered:
        before = (item, *nesting.chain(item))
        _apply(recorded, nesting, tracked, before, findings)
        touch = _touch(recorded, item, before, nesting.chain(item), classes)
        if touch is not None:
            touches.append(touch)
    return Trace(touches=tuple(touches), findings=tuple(findings))


def _apply(
    recorded: Recorded,
    nesting: Nesting,
    tracked: set[str],
    chain: Sequence[str],
    findings: list[Finding],
) -> None:
    event = recorded.event
    if isinstance(event, AggregationEvent):
        _aggregate(recorded, event, nesting, tracked, chain, findings)
        return
    named = {m.item: m.place for m in recorded.mentions if m.place in _NAMED and m.item in tracked}
    for each, place in named.items():
        parent = nesting.parent(each)
        if _leaves(recorded, place, parent is not None and parent in named):
            nesting.take(each)
        if _renews(recorded, place):
            nesting.empty(each)


def _aggregate(
    recorded: Recorded,
    event: AggregationEvent,
    nesting: Nesting,
    tracked: set[str],
    chain: Sequence[str],
    findings: list[Finding],
) -> None:
    parent = parent_of(recorded)
    children = [m.item for m in recorded.mentions if m.place == "epc" and m.item in tracked]
    if event.action == "DELETE":
        if parent and not event.child_epcs and not event.child_quantity_list:
            nesting.empty(parent)  # EPCIS 2.0 section 7.4.3: no children means all
        for child in children:
            if parent is None or nesting.parent(child) == parent:
                nesting.take(child)
        return
    for child in children if parent else ():
        _put(recorded, child, parent or "", nesting, chain, findings)


def _put(
    recorded: Recorded,
    child: str,
    parent: str,
    nesting: Nesting,
    chain: Sequence[str],
    findings: list[Finding],
) -> None:
    old = nesting.parent(child)
    if not nesting.put(child, parent):
        if child in chain or parent in chain:
            message = f"{child} was put into {parent}, which stands in it"
            findings.append(finding("containment_cycle", message, [recorded.entry_id]))
    elif old not in (None, parent) and child in chain and _adds(recorded):
        message = f"{child} was put into {parent} while it stood in {old}"
        findings.append(finding("two_parents", message, [recorded.entry_id]))


def _adds(recorded: Recorded) -> bool:
    """Tell whether the event packs, rather than sees something packed."""
    return isinstance(recorded.event, AggregationEvent) and recorded.event.action == "ADD"


def parent_of(recorded: Recorded) -> str | None:
    """Return the event's parent, canonical."""
    return next((m.item for m in recorded.mentions if m.place == "parent"), None)


def _leaves(recorded: Recorded, place: str, with_container: bool) -> bool:
    """Tell whether a thing named in the event no longer stands in its container.

    Few record the unpacking of what they dispense, or ship singly.
    """
    if end_of_life(recorded.event, place) is not None:
        return True
    return recorded.event.biz_step == "shipping" and not with_container


def _renews(recorded: Recorded, place: str) -> bool:
    """Tell whether a container begins or ends its life with the event, and so is empty."""
    event = recorded.event
    if isinstance(event, ObjectEvent) and event.action == "ADD":
        return True
    return end_of_life(event, place) is not None and not reaches_contents(event)


def _touch(
    recorded: Recorded,
    item: str,
    before: tuple[str, ...],
    after: tuple[str, ...],
    classes: frozenset[str],
) -> Touch | None:
    places = recorded.places(item)
    named = places & _NAMED or (places if item not in classes else frozenset())
    if named:
        return Touch(recorded=recorded, place=min(named), containers=after)
    via = _via(recorded, before, after)
    if via is not None:
        place = min(recorded.places(via))
        return Touch(recorded=recorded, place=place, containers=after, via=via)
    for each in classes:
        if recorded.places(each) & (CLASS_PLACES - {"lot"}):
            return Touch(recorded=recorded, place="class", containers=after, by_class=True)
    return None


def _via(recorded: Recorded, before: tuple[str, ...], after: tuple[str, ...]) -> str | None:
    """Return the container through which the event touches the item.

    Packing something else into it, or tying it to an asset, does not.
    """
    for container in before[1:]:
        places = recorded.places(container)
        if not places & _NAMED or isinstance(recorded.event, AssociationEvent):
            continue
        if places & _NAMED != {"parent"} or isinstance(recorded.event, TransactionEvent):
            return container
        if before[1:] != after:  # emptied
            return container
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
