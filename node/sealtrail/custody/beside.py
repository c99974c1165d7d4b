"""What a node knows beside an item's history: master data of its product, and which events are recorded at all.

A member's word, or a node's own count, which no bundle proves: what rests on it raises no suspicion and changes no
verdict.
"""

from __future__ import annotations

import msgspec

from sealtrail.epcis.masterdata import VocabularyElement


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """Master data of the item's product or lot, and when it holds: until before ``until_us``, None: without an end."""

    element: VocabularyElement
    from_us: int
    until_us: int | None = None

    def holds_at(self, time_us: int) -> bool:
        """Tell whether it holds at that time."""
        return self.from_us <= time_us and (self.until_us is None or time_us < self.until_us)


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside a history.

    ``unlisted``: who numbers the product lists others of his in this node's master data, and not this one.
    ``recorded_ids``: of the events that declarations name as corrective, those that are held; None if nobody looked.
    """

    described: tuple[Described, ...] = ()
    unlisted: bool = False
    recorded_ids: frozenset[str] | None = None


NOTHING = Beside()
