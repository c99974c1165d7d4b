"""Once after each start: is what answers are looked up by still what the recorded content says?

Signed rows (content, entries, checkpoints) are checked whenever an answer rests on them. What is derived from them
to find them by (columns, item rows, indexes) is checked here, and made anew when it is wrong: a flipped byte in it
would make an event vanish from answers without a trace. Pages that SQLite can't read stop the node.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from sealtrail.epcis import read_content
from sealtrail.errors import InputError, IntegrityError, SealtrailError
from sealtrail.services.fsck.events import is_same_doubt
from sealtrail.services.integrity import half_erased
from sealtrail.services.recording.drafts import event_row
from sealtrail.signing import EVENT_KINDS, Domain, Entry, entry_id, parse_leaf
from sealtrail.store import derived
from sealtrail.store.database import Database
from sealtrail.store.event_index import load_gap
from sealtrail.store.events import NewEvent, StoredEvent, require_content

_log = logging.getLogger(__name__)

_EVENTS_AT_ONCE = 8  # a few milliseconds: no answer waits longer for the interpreter
# A store that takes longer than this is looked through beside the ordinary work, at a tenth of one core.
_HURRY_SECONDS = 2.0
_PAUSES = 9


class CheckState(msgspec.Struct, frozen=True, kw_only=True):
    """How far the check is; ``damaged`` are entries whose event is not what was recorded, or lost in part."""

    checked_events: int = 0
    events: int | None = None
    finished: bool = False
    rebuilt: bool = False
    damaged: tuple[bytes, ...] = ()


class StoreCheck:
    """Checks one database; :meth:`run` once."""

    def __init__(self, database: Database, domain: Domain) -> None:
        self._database = database
        self._domain = domain
        self._started = 0.0
        self.state = CheckState()

    async def run(self, stop: asyncio.Event) -> None:
        """Check everything that was there at the start.

        Raises:
            IntegrityError: pages are damaged, and indexes made anew don't help (``store_corrupt``); or the log has
                an entry whose event is gone, which no answer could show (``event_lost``).
        """
        self._started = _now()
        if await self._database.read(derived.structure_faults):
            await self._rebuild("pages or indexes are damaged")
            faults = await self._database.read(derived.structure_faults)
            if faults:
                raise IntegrityError(
                    "store_corrupt",
                    f"the database is damaged: {faults[0]}",
                    advice="keep the file, and restore a backup",
                )
        kinds = [kind.value for kind in EVENT_KINDS]
        lost = await self._database.read(lambda c: derived.entries_without_event(c, kinds))
        if lost:
            raise IntegrityError(
                "event_lost",
                f"{len(lost)} entries of the log have lost their event; the first is 0x{lost[0].hex()}",
                advice="keep the file, and restore a backup",
            )
        last = await self._database.read(derived.last_row)
        self.state = msgspec.structs.replace(self.state, events=last)
        row = 0
        while row < last and not stop.is_set():
            row = await self._slice(row, last, stop)
        self.state = msgspec.structs.replace(self.state, checked_events=row, finished=row >= last)

    async def _slice(self, row: int, last: int, stop: asyncio.Event) -> int:
        began = _now()
        reached, wrong, damaged = await self._database.read(
            lambda c: _compare(c, row, last, self._domain)
        )
        for each in damaged:
            _log.error("what is stored of entry 0x%s is not what was recorded", each.hex())
        self.state = msgspec.structs.replace(
            self.state, checked_events=reached, damaged=(*self.state.damaged, *damaged)
        )
        if wrong and not self.state.rebuilt:
            await self._rebuild(f"event {wrong[0]} is not found by what it names")
        ended = _now()
        if ended - self._started > _HURRY_SECONDS:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), (ended - began) * _PAUSES)
        return reached

    async def _rebuild(self, why: str) -> None:
        _log.critical("%s: making what is derived from recorded content anew", why)
        await self._database.write(lambda c: _rebuild(c, self._domain))
        self.state = msgspec.structs.replace(self.state, rebuilt=True)
        _log.warning("what is derived from recorded content was made anew")


def _now() -> float:
    return asyncio.get_running_loop().time()


def _compare(
    connection: sqlite3.Connection, row: int, last: int, domain: Domain
) -> tuple[int, list[int], list[bytes]]:
    """Return how far a slice reaches, which events' derived rows are wrong, and which contents are."""
    wrong, damaged = [], []
    found = derived.rows_after(connection, row, last=last, limit=_EVENTS_AT_ONCE)
    seals = derived.seals(connection, [event.entry_id for event, _ in found])
    gap = load_gap(connection)
    for event, columns in found:
        seal = seals.get(event.entry_id)
        expected = _expected(event, seal, domain)
        if _is_damaged(event, seal, expected, domain):
            damaged.append(event.entry_id)
        if expected is not None and (
            columns != derived.derived_columns(expected)
            or not derived.is_found(connection, event.event_row, expected, gap)
        ):
            wrong.append(event.event_row)
    return found[-1][0].event_row if found else last, wrong, damaged


def _is_damaged(
    event: StoredEvent, seal: derived.Sealed | None, expected: NewEvent | None, domain: Domain
) -> bool:
    """Tell damage from erasure, which takes content and seed and leaves the entry."""
    if seal is None or half_erased(event, seal.seed) is not None:
        return True
    if event.content is None:
        return _entry_of(event, seal, domain) is None
    return expected is None


def _entry_of(event: StoredEvent, seal: derived.Sealed | None, domain: Domain) -> Entry | None:
    """Return the entry that the event was recorded by; None if its leaf is gone or another's."""
    try:
        entry = parse_leaf(seal.leaf if seal else b"").entry
    except InputError:
        return None
    return entry if entry_id(entry, domain) == event.entry_id else None


def _expected(event: StoredEvent, seal: derived.Sealed | None, domain: Domain) -> NewEvent | None:
    """Return the event's row as it follows from its content and its entry.

    None: it was erased; or they are not what was signed, and answers that rest on it say so.
    """
    entry = _entry_of(event, seal, domain)
    try:
        recorded = read_content(require_content(event), event.media_type)
    except SealtrailError:
        return None
    if entry is None:
        return None
    expected = event_row(
        recorded,
        member=event.member,
        content=b"",  # recorded, not derived: not compared
        record_time_ms=entry.record_time_ms,
    )
    if is_same_doubt(event.hash_ambiguous, expected.hash_ambiguous):
        return msgspec.structs.replace(expected, hash_ambiguous=event.hash_ambiguous)
    return expected


def _rebuild(connection: sqlite3.Connection, domain: Domain) -> None:
    derived.rebuild_indexes(connection)
    lasting = [row for row, expected in _all(connection, domain) if expected is None]
    derived.clear_found(connection, keep=lasting)
    derived.write_derived(
        connection, ((row, expected) for row, expected in _all(connection, domain) if expected)
    )
    derived.rebuild_indexes(connection)


def _all(connection: sqlite3.Connection, domain: Domain) -> Iterator[tuple[int, NewEvent | None]]:
    row, last = 0, derived.last_row(connection)
    while row < last:
        found = derived.rows_after(connection, row, last=last, limit=_EVENTS_AT_ONCE)
        seals = derived.seals(connection, [event.entry_id for event, _ in found])
        for event, _ in found:
            yield event.event_row, _expected(event, seals.get(event.entry_id), domain)
        row = found[-1][0].event_row if found else last
