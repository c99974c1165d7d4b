"""Which thing stands in which: containment as it is at one moment, and how an event reaches what is inside."""

from __future__ import annotations

from sealtrail.custody.history import Recorded
from sealtrail.custody.lifecycle import end_of_life, reaches_contents
from sealtrail.epcis.events import (
    AggregationEvent,
    AssociationEvent,
    ObjectEvent,
    TransactionEvent,
)

# Packs stand in cases, on pallets, in containers, on ships. Without a limit, events that nest ten thousand things
# would each be compared with ten thousand.
NESTED_MAX = 64
NAMED = frozenset({"epc", "input", "output", "parent"})


class Nesting:
    """Which thing stands in which, as events go by; a thing stands in one container, and never in itself."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._children: dict[str, set[str]] = {}

    def chain(self, item: str) -> tuple[str, ...]:
        """Return the containers of ``item``, innermost first; no more than things are ever packed into."""
        found: list[str] = []
        parent = self._parent.get(item)
        # put() keeps the graph free of cycles, but for those that are longer than this
        while parent is not None and len(found) < NESTED_MAX:
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


def parent_of(recorded: Recorded) -> str | None:
    """Return the event's parent, canonical."""
    return next((m.item for m in recorded.mentions if m.place == "parent"), None)


def empties(recorded: Recorded, event: AggregationEvent) -> bool:
    """Tell whether the event takes everything out of its parent: no children means all (EPCIS 2.0 section 7.4.3)."""
    children = event.child_epcs or event.child_quantity_list or recorded.items_withheld
    return event.action == "DELETE" and not children


def renews(recorded: Recorded, place: str) -> bool:
    """Tell whether a container begins or ends its life with the event, and so is empty."""
    event = recorded.event
    if isinstance(event, ObjectEvent) and event.action == "ADD":
        return True
    return end_of_life(event, place) is not None and not reaches_contents(event)


def through(recorded: Recorded, before: tuple[str, ...], after: tuple[str, ...]) -> str | None:
    """Return the container through which the event touches the item.

    Packing something else into it, or tying it to an asset, does not.
    """
    for container in before[1:]:
        places = recorded.places(container)
        if not places & NAMED or isinstance(recorded.event, AssociationEvent):
            continue
        if places & NAMED != {"parent"} or isinstance(recorded.event, TransactionEvent):
            return container
        if before[1:] != after:  # emptied
            return container
    return None
