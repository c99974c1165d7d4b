"""Second packings without an unpacking: where the item goes with its newer container, and where the older one goes.

Ordinary in practice: few record each unpacking. But when both containers then go on to different parties, the item
is by these records in two places.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealtrail.custody.history import Recorded
from sealtrail.custody.lifecycle import end_of_life
from sealtrail.custody.nesting import NAMED, Nesting, empties, parent_of, renews, through
from sealtrail.epcis.events import AggregationEvent

FOLLOWED_SECONDS_MAX = 30 * 86_400  # after the second packing
_OPEN_MAX = 16
HANDOVERS = frozenset({"shipping", "departing", "void_shipping", "receiving", "accepting"})


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """A second packing, and what handed over the first container after it."""

    packed: Recorded
    old: str
    elsewhere: tuple[Recorded, ...]


class _Open:
    """A fork while events go by: ``child`` (the item, or what it stands in) may be in ``old`` still."""

    def __init__(self, packed: Recorded, child: str, old: str, above: tuple[str, ...]) -> None:
        self.packed = packed
        self.child = child
        self.old = old
        self.above = above
        self.elsewhere: list[Recorded] = []

    def pass_by(self, recorded: Recorded, nesting: Nesting) -> None:
        if self._late(recorded):
            return
        above = nesting.chain(self.old)
        chain = (self.child, self.old, *self.above)
        handed = recorded.event.biz_step in HANDOVERS
        if handed and through(recorded, chain, (self.old, *above)) is not None:
            self.elsewhere.append(recorded)
        self.above = above

    def ended(self, recorded: Recorded, nesting: Nesting, chain: Sequence[str]) -> bool:
        """Tell whether the child is no longer to be looked for in the old container after this event."""
        event = recorded.event
        if self.child not in chain or nesting.parent(self.child) == self.old:
            return True
        if self._late(recorded):
            return True
        if isinstance(event, AggregationEvent):
            named = empties(recorded, event) or "epc" in recorded.places(self.child)
            return event.action == "DELETE" and named and parent_of(recorded) in (None, self.old)
        ends = any(end_of_life(event, place) for place in recorded.places(chain[0]))
        return ends or any(renews(recorded, place) for place in recorded.places(self.old) & NAMED)

    def _late(self, recorded: Recorded) -> bool:
        return recorded.time_us - self.packed.time_us > FOLLOWED_SECONDS_MAX * 1_000_000


class Forks:
    """All forks of one item, while its events go by; of more than a few open ones the newest are followed."""

    def __init__(self, item: str) -> None:
        self._item = item
        self._open: list[_Open] = []
        self._found: list[_Open] = []

    def open(self, packed: Recorded, child: str, old: str, nesting: Nesting) -> None:
        """Begin to follow ``old``, which ``child`` was not taken out of when it was packed again."""
        fork = _Open(packed, child, old, nesting.chain(old))
        self._open = [*self._open, fork][-_OPEN_MAX:]
        self._found.append(fork)

    def pass_by(self, recorded: Recorded, nesting: Nesting, chain: Sequence[str]) -> None:
        """Follow the old containers through an event, already applied; ``chain`` is the item and what it is in now."""
        for fork in list(self._open):
            if fork.packed is recorded:
                continue
            fork.pass_by(recorded, nesting)
            if fork.ended(recorded, nesting, chain):
                self._open.remove(fork)

    def found(self) -> tuple[Fork, ...]:
        """Return the forks whose old container went anywhere."""
        return tuple(
            Fork(packed=f.packed, old=f.old, elsewhere=tuple(f.elsewhere))
            for f in self._found
            if f.elsewhere
        )
