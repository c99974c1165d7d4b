"""Gathers an item's history from the store: every event that may concern it, each entry verified.

What names the item; what names a container, for the time that the item was inside, recursively; what names its
lot or class. Which of these really touch the item is for :mod:`sealtrail.custody` to say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from sealtrail.custody import CLASS_SCHEMES, Mention, Recorded, classes_of
from sealtrail.custody.stays import Stay, ends_stay, stays_of
from sealtrail.epcis import read_content
from sealtrail.epcis.events import AggregationEvent, ObjectEvent, Timestamp
from sealtrail.errors import InputError
from sealtrail.evidence import EntryRecord, VerifiedEntry, Verifier, recorded_of
from sealtrail.gs1 import item_of
from sealtrail.services.integrity import StoreFault, half_erased
from sealtrail.services.portions import portions
from sealtrail.services.records import Provable, load_provable
from sealtrail.signing import Kind
from sealtrail.store.history import Mentioned, class_mentions, last_packing, mentions, noted
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

_CHUNK = 64
_CHUNK_BYTES = 4 * 1024 * 1024


class HistoryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is gathered for one question; beyond it the answer says that it is cut."""

    events_max: int = 5_000
    class_events_max: int = 500  # that name a lot or class
    stays_max: int = 200  # containers, each time the item was in one
    contents_bytes_max: int = 64 * 1024 * 1024
    values_max: int = 1_000_000  # in the contents, as a count of their commas tells


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded event with what proves it.

    ``verified`` is None where the leaf itself is unreadable; ``fault`` is what only the store can tell.
    """

    recorded: Recorded
    record: EntryRecord
    verified: VerifiedEntry | None
    fault: StoreFault | None = None


class History(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found, by entry id; ``cut`` if a limit ended the search."""

    found: dict[bytes, Found]
    cut: bool


class HistoryReader:
    """Reads histories through one connection's snapshot; make one for each question."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        log: LogStore,
        identity: Identity,
        verifier: Verifier,
        limits: HistoryLimits,
        *,
        last_block: int,
    ) -> None:
        self._connection = connection
        self._log = log
        self._identity = identity
        self._verifier = verifier
        self._limits = limits
        self._last_block = last_block
        self._found: dict[bytes, Found] = {}
        self._contents_bytes = 0
        self._values = 0
        self._cut = False

    def gather(self, item: str) -> History:
        """Return the history of a canonical identifier."""
        limits = self._limits
        of_class = item_of(item).scheme in CLASS_SCHEMES
        limit = (limits.class_events_max if of_class else limits.events_max) + 1
        listed = mentions(self._connection, item, limit=limit)
        self._cut = len(listed) == limit
        own = self._load(item, listed[: limit - 1])
        self._follow(stays_of([f.recorded for f in own], item))
        for each in classes_of(item, [f.recorded for f in own]):
            listed = class_mentions(self._connection, each, limit=limits.class_events_max + 1)
            self._cut = self._cut or len(listed) > limits.class_events_max
            self._load(each, listed[: limits.class_events_max])
        return History(found=self._found, cut=self._cut)

    def _follow(self, stays: list[Stay]) -> None:
        """Gather for each container what happened during the stay, and what it stood in itself."""
        seen: set[tuple[str, int]] = set()
        while stays:
            stay = stays.pop()
            if (stay.container, stay.since_us) in seen:
                continue
            if len(seen) >= self._limits.stays_max:
                self._cut = True
                return
            seen.add((stay.container, stay.since_us))
            during, until_us = self._during(stay)
            inner = stays_of([f.recorded for f in during], stay.container)
            stays += [s.within(stay.since_us, until_us) for s in inner]

    def _during(self, stay: Stay) -> tuple[list[Found], int]:
        """Return the container's events during a stay, and the stay's end: it may have been emptied before."""
        found: list[Found] = []
        before = last_packing(self._connection, stay.container, stay.since_us)
        if before is not None:  # it stood in something already
            found += self._load(stay.container, [before])
        listed = mentions(
            self._connection,
            stay.container,
            since_us=stay.since_us,
            until_us=stay.until_us,
            limit=self._limits.events_max + 1,
        )
        for at in range(0, len(listed), _CHUNK):
            loaded = self._load(stay.container, listed[at : at + _CHUNK], as_container=True)
            found += loaded
            ends = [f.recorded.time_us for f in loaded if ends_stay(f.recorded, stay)]
            if ends:
                return found, min(ends)
        return found, stay.until_us

    def _load(
        self, item: str, listed: Sequence[Mentioned], *, as_container: bool = False
    ) -> list[Found]:
        """Load and verify events once each; return those of ``listed``, in its order."""
        places = {m.entry_id: m for m in listed}
        new = [m for e, m in places.items() if e not in self._found]
        room = max(0, self._limits.events_max - len(self._found))
        self._cut = self._cut or len(new) > room
        for portion in portions(
            new[:room],
            count_max=_CHUNK,
            size=lambda m: m.content_bytes,
            size_max=_CHUNK_BYTES,
        ):
            if not self._has_room(portion):
                self._cut = True
                break
            for provable in load_provable(
                self._connection,
                self._log,
                self._identity,
                [m.entry_id for m in portion],
                last_block=self._last_block,
            ):
                self._values += (provable.record.content or b"").count(b",")
                mentioned = places[provable.event.entry_id]
                if not (as_container and mentioned.unpacks and _names_children(provable)):
                    self._found[mentioned.entry_id] = self._verify(provable, item, mentioned)
        return [self._found[e] for e in places if e in self._found]

    def _has_room(self, portion: Sequence[Mentioned]) -> bool:
        """Count a portion that is about to be loaded; tell whether the limits leave room for its contents."""
        limits = self._limits
        self._contents_bytes += sum(m.content_bytes for m in portion)
        return (
            self._contents_bytes <= limits.contents_bytes_max and self._values <= limits.values_max
        )

    def _verify(self, provable: Provable, item: str, mentioned: Mentioned) -> Found:
        try:
            verified = self._verifier.verify(provable.record)
        except InputError as error:  # the leaf's bytes are no entry
            recorded = self._noted(provable, item, mentioned, why_not=error.message)
            return Found(recorded=recorded, record=provable.record, verified=None)
        fault = _store_fault(provable, verified)
        why_not = _why_not(verified, fault)
        if verified.event is None or why_not is not None:
            recorded = self._noted(provable, item, mentioned, why_not=why_not, verified=verified)
        else:
            recorded = recorded_of(verified)
        return Found(recorded=recorded, record=provable.record, verified=verified, fault=fault)

    def _noted(
        self,
        provable: Provable,
        item: str,
        mentioned: Mentioned,
        *,
        why_not: str | None,
        verified: VerifiedEntry | None = None,
    ) -> Recorded:
        """Return an event of which only the store's own note is at hand: to be shown, never to be followed."""
        event = provable.event
        note = noted(self._connection, event.entry_id)
        shown = ObjectEvent(
            event_time=Timestamp("", note.event_time_us),
            event_time_zone_offset="+00:00",
            action="OBSERVE",
            biz_step=note.biz_step,
            disposition=note.disposition,
        )
        return Recorded(
            entry_id=event.entry_id,
            member=event.member,
            kind=verified.entry.kind if verified else Kind.EVENT,
            grade=None if verified is None or why_not is not None else verified.grade,
            why_not=why_not,
            withheld=True,
            record_time_ms=event.record_time_ms,
            content_hash=event.content_hash,
            event_id=event.event_id,
            event=shown,
            mentions=(Mention(item, mentioned.place),),
            anchor_time=verified.anchor.block_time if verified and verified.anchor else None,
        )


def _why_not(verified: VerifiedEntry, fault: StoreFault | None) -> str | None:
    """Return what does not hold, or None: what could not be checked only lowers the grade."""
    failed = [f"{s.name}: {s.reason or s.code}" for s in verified.failures()]
    if not failed and fault is not None:
        return fault.reason
    return "; ".join(failed) or None


def _store_fault(provable: Provable, verified: VerifiedEntry) -> StoreFault | None:
    """Return what the store contradicts itself in: what no node has written, the verifier can only not check."""
    event, record = provable.event, provable.record
    if verified.entry_id != event.entry_id:
        return StoreFault("entry_differs", "the store has it under another entry's id")
    if verified.entry.member != event.member:
        return StoreFault("member_differs", "the store has it under another member")
    if any(step.code == "media_type_unknown" for step in verified.steps):
        reason = f"the store has its content as {record.media_type[:100]!r}, which no node records"
        return StoreFault("media_type_unknown", reason)
    return half_erased(event, record.seed)


def _names_children(provable: Provable) -> bool:
    """Tell whether an unpacking names what it takes out: the item's own events name it then, if it was that."""
    if provable.record.content is None:
        return False
    try:
        event = read_content(provable.record.content, provable.record.media_type).event
    except InputError:
        return False  # to be verified, and shown
    return isinstance(event, AggregationEvent) and bool(event.child_epcs)
