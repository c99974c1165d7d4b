"""Erasing events for law: which they are, whether they may go, and their going.

Works on a database that no node has open. Nothing is erased that was not named; what goes cannot be brought back.

Write order, and what a crash after each step means:

1. One transaction: contents, seeds and what is derived from them go, tombstones come. Before its commit nothing is
   erased, after it everything is, as far as any answer tells.
2. The database file is written anew without what was erased. Before its end, bytes may remain in its pages: to erase
   the same entries again, which is harmless, does this step again.

Source: docs/erasure.md.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from sealtrail.errors import InputError, NotFoundError
from sealtrail.gs1 import item_of
from sealtrail.services.further_entries import further_entries
from sealtrail.services.retention import Candidate, Order, RetentionRules
from sealtrail.store.disclosures import told_of
from sealtrail.store.erasure import (
    Tombstone,
    erase_events,
    erase_seed,
    items_of_row,
    load_copies,
    load_tombstones,
    scrub,
)
from sealtrail.store.events import (
    StoredEvent,
    load_by_entries,
    load_by_event_hash,
    load_by_item,
)

ENTRIES_MAX = 10_000
GROUND_CHARACTERS_MAX = 2_000
# Items under which an event is no longer to be found: they name persons (GSRN), or nobody knows what.
_SCHEMES_ERASED = frozenset({"gsrn", "gsrnp", "other"})


class Warrant(msgspec.Struct, frozen=True, kw_only=True):
    """Who erases, on what ground, and the order, if there is one."""

    by: str
    ground: str
    order: Order | None = None

    def __post_init__(self) -> None:
        texts = [self.by, self.ground]
        if self.order is not None:
            texts += [self.order.authority, self.order.reference]
        if any(not 0 < len(text.strip()) <= GROUND_CHARACTERS_MAX for text in texts):
            raise InputError(
                "erasure_ground_missing",
                f"who erases, on what ground, and an order's words: 1 to {GROUND_CHARACTERS_MAX} characters each",
            )


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be erased: the events that were named with all their copies.

    ``further`` are other entries of their members over the same contents: only the seeds are kept, and go too.
    ``erased_before`` were erased already. ``related`` are entries that are not erased, and hold much of the same: an
    error declaration repeats what it declares wrong. ``shown_to`` are members whose nodes were sent any of it.
    """

    events: tuple[StoredEvent, ...]
    further: tuple[bytes, ...]
    erased_before: tuple[bytes, ...]
    related: tuple[bytes, ...]
    shown_to: tuple[bytes, ...]


class Erasure:
    """Erases events of one database, held alone (:func:`sealtrail.store.database.open_alone`)."""

    def __init__(
        self, connection: sqlite3.Connection, rules: RetentionRules, now_ms: Callable[[], int]
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._now_ms = now_ms

    def plan(self, entry_ids: Iterable[bytes], items: Iterable[str] = ()) -> Plan:
        """Return what is to be erased by these names; nothing is changed.

        Args:
            items: canonical identifiers; every event that names one, as itself or as a parent.

        Raises:
            NotFoundError: ``entry_unknown``, ``item_unknown``.
            InputError: ``too_many_entries``.
        """
        named = self._named(list(entry_ids), list(items))
        events: dict[bytes, StoredEvent] = {}
        for event in named:
            for copy in load_copies(self._connection, event):
                events[copy.entry_id] = copy
        going = tuple(event for event in events.values() if not event.erased)
        return Plan(
            events=going,
            further=tuple(further_entries(self._connection, going)),
            erased_before=tuple(e.entry_id for e in events.values() if e.erased),
            related=self._related(going),
            shown_to=tuple(told_of(self._connection, [e.entry_id for e in going])),
        )

    def carry_out(self, plan: Plan, warrant: Warrant) -> list[Tombstone]:
        """Erase what was planned, all or nothing, then scrub the files; return all its tombstones.

        Raises:
            ForbiddenError: ``legal_hold``, ``retention_time_runs``; nothing is erased.
            UnavailableError: ``store_busy``, ``disk_full``; once more does no harm.
        """
        now_ms = self._now_ms()
        self.require_erasable(plan, warrant)
        connection = self._connection
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        try:
            erase_events(
                connection,
                (
                    (
                        event,
                        _tombstone(event.entry_id, warrant, now_ms),
                        [i for i in self._items(event) if item_of(i).scheme in _SCHEMES_ERASED],
                    )
                    for event in plan.events
                ),
            )
            for entry_id in plan.further:
                erase_seed(connection, _tombstone(entry_id, warrant, now_ms))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        scrub(connection)
        ids = [event.entry_id for event in plan.events]
        return list(
            load_tombstones(connection, [*ids, *plan.further, *plan.erased_before]).values()
        )

    def require_erasable(self, plan: Plan, warrant: Warrant) -> None:
        """Refuse a plan of which any event may not be erased today.

        Raises:
            ForbiddenError: ``legal_hold``, ``retention_time_runs``.
        """
        today = datetime.fromtimestamp(self._now_ms() / 1000, UTC).date()
        for event in plan.events:
            candidate = Candidate(
                entry_id=event.entry_id,
                record_time_ms=event.record_time_ms,
                items=self._items(event),
            )
            self._rules.require_erasable(candidate, warrant.order, today=today)

    def _items(self, event: StoredEvent) -> list[str]:
        return items_of_row(self._connection, event.event_row)

    def _named(self, entry_ids: Sequence[bytes], items: Sequence[str]) -> list[StoredEvent]:
        found = load_by_entries(self._connection, entry_ids)
        for entry_id in entry_ids:
            if entry_id not in found:
                raise NotFoundError(
                    "entry_unknown",
                    f"no event of entry 0x{entry_id.hex()} is held here",
                    advice="entries that are about no event hold nothing to erase",
                )
        for item in items:
            events = [event for event, _ in load_by_item(self._connection, item)]
            if not events:
                raise NotFoundError("item_unknown", f"no event that is held here names {item}")
            found.update({event.entry_id: event for event in events})
        if len(found) > ENTRIES_MAX:
            raise InputError(
                "too_many_entries", f"{len(found)} events, at most {ENTRIES_MAX} at once"
            )
        return list(found.values())

    def _related(self, going: Sequence[StoredEvent]) -> tuple[bytes, ...]:
        """Return entries of the same event hash, which leaves an error declaration out."""
        ids = {event.entry_id for event in going}
        related: dict[bytes, None] = {}
        for event_hash in {event.event_hash for event in going}:
            for each in load_by_event_hash(self._connection, event_hash):
                if each.entry_id not in ids:
                    related[each.entry_id] = None
        return tuple(related)


def _tombstone(entry_id: bytes, warrant: Warrant, now_ms: int) -> Tombstone:
    order = warrant.order
    return Tombstone(
        entry_id=entry_id,
        erased_ms=now_ms,
        erased_by=warrant.by,
        ground=warrant.ground,
        authority=order.authority if order else None,
        reference=order.reference if order else None,
        ordered_on=str(order.day) if order else None,
    )
