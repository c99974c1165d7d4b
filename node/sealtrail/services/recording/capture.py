"""Capture: a document of events comes in, each is recorded, signed and durable, and gets a receipt.

Write order, and what a crash after each step means:

1. parse, hash, sign in memory: nothing happened.
2. one transaction: same-or-other decided, entries, leaves, events, items, job, audit record written: all or nothing.
   The master data of its header is written with it, if its events are.
   A document of which each event stands by itself (``proceed``) goes in by parts, so that others get in between, and
   the job, and the audit record, with the last: the parts before are recorded, and there is no job.
3. fsync, then receipts: a client that saw none asks again and gets the same ones (duplicates).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from sealtrail.epcis import MEDIA_TYPE
from sealtrail.epcis.masterdata import VocabularyElement
from sealtrail.errors import InputError, SealtrailError
from sealtrail.services.audit_trail.note import AuditNote
from sealtrail.services.audit_trail.note import Draft as RecordDraft
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.problems import as_problem
from sealtrail.services.receipts import Placed, Receipt, load_placed
from sealtrail.services.recording.captures_audited import about_document, about_event
from sealtrail.services.recording.drafting import Drafting
from sealtrail.services.recording.drafts import Body, DocumentHead, Draft, Drafted, Drafter
from sealtrail.services.recording.gathering import Gathering
from sealtrail.services.recording.sameness import Decision, Fresh, Same, decide
from sealtrail.signing import Kind
from sealtrail.store import masterdata
from sealtrail.store.database import Database
from sealtrail.store.events import insert_events
from sealtrail.store.jobs import CaptureJob, insert_job
from sealtrail.store.log import LogStore
from sealtrail.store.masterdata_rows import Statement

# Events written at a time where each stands by itself: bounds how long a single capture waits behind them.
PART_EVENTS_MAX = 500

Behaviour: TypeAlias = Literal["rollback", "proceed"]
Result: TypeAlias = "Placed | SealtrailError"


class Captured(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a document: one result an event, in order; only refusals where all were rolled back.

    Refusals of its master data come after those.
    """

    job: CaptureJob
    results: tuple[Result, ...]
    duplicates: int
    anchor_delay_ms: int

    @property
    def receipts(self) -> tuple[Receipt, ...]:
        """The receipts, in the document's order."""
        delay = self.anchor_delay_ms
        return tuple(
            r.receipt(anchor_delay_ms=delay) for r in self.results if isinstance(r, Placed)
        )

    @property
    def errors(self) -> tuple[SealtrailError, ...]:
        """The refusals, in the document's order."""
        return tuple(r for r in self.results if isinstance(r, SealtrailError))


class _Single(NamedTuple):
    """One event by itself, the document that it came in, and its audit record to be."""

    draft: Draft
    document: Drafted
    note: AuditNote | None


@dataclass(slots=True)
class CaptureStatistics:
    """Counts since start, for metrics."""

    documents: int = 0
    events: int = 0
    duplicates: int = 0
    refused: int = 0


class CaptureService:
    """Records events for one member.

    Args:
        drafting: where documents are parsed and signed.
        drafter: signs what only the writer can: error declarations.
        clock: gives Unix milliseconds.
        anchor_delay_ms: the network's maximum delay from receipt to anchored checkpoint.
        recorded: told whenever events were recorded and are durable.
        audit: gets a record of each document, in the transaction that records its events.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        drafting: Drafting,
        drafter: Drafter,
        *,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        anchor_delay_ms: int,
        recorded: Callable[[], None] | None = None,
        audit: AuditTrail | None = None,
    ) -> None:
        self.statistics = CaptureStatistics()
        self.anchor_delay_ms = anchor_delay_ms
        self._database = database
        self._log = log
        self._drafting = drafting
        self._drafter = drafter
        self._clock = clock
        self._random = random
        self._recorded = recorded
        self._audit = audit
        self._singles = Gathering(self._write_singles)

    async def capture(
        self,
        data: bytes,
        *,
        media_type: str = MEDIA_TYPE,
        charset: str | None = None,
        behaviour: Behaviour = "rollback",
        kind: Kind = Kind.EVENT,
        note: AuditNote | None = None,
    ) -> Captured:
        """Record a document's events and return a finished job.

        With ``rollback`` one refused event refuses all; with ``proceed`` the others are recorded. The job,
        and each receipt, is durable on return, and so is the audit record of ``note``.

        Raises:
            InputError: the document itself can't be read; nothing was recorded, not even a job.
            UnavailableError: nothing was recorded, or with ``proceed`` some of it and no job; try again.
        """
        created_ms = self._clock()
        drafted = await self._drafting.draft(Body(data, media_type, charset), kind)
        job_id = self._random(16).hex()
        # refused master data refuses, or stands in the job, as a refused event does
        *before, last = _parts([*drafted.events, *_refused(drafted)], behaviour)
        results, duplicates = await self._record_parts(before, behaviour)

        def finish(connection: sqlite3.Connection) -> tuple[CaptureJob, tuple[Result, ...], int]:
            written, again = self._record(last, behaviour, connection)
            job = self._job(job_id, created_ms, behaviour, results + written, drafted.head)
            insert_job(connection, job)
            if job.success or behaviour == "proceed":
                self._keep_master_data(connection, drafted, job_id)
            if audit is not None and note is not None:
                audit.write(connection, [about_document(note, job, results + written, kind)])
            return job, written, again

        audit = self._audit
        job, written, again = await self._database.write(finish)
        _is_written(note, audit)
        self._count(written, again)
        self.statistics.documents += 1
        return Captured(
            job=job,
            results=results + written,
            duplicates=duplicates + again,
            anchor_delay_ms=self.anchor_delay_ms,
        )

    async def _record_parts(
        self, parts: Sequence[Sequence[Draft | InputError]], behaviour: Behaviour
    ) -> tuple[tuple[Result, ...], int]:
        """Record what comes before a document's last part; each is durable, and counted, by itself."""
        results: list[Result] = []
        duplicates = 0
        for part in parts:
            written, again = await self._database.write(partial(self._record, part, behaviour))
            self._count(written, again)
            results += written
            duplicates += again
        return tuple(results), duplicates

    async def capture_event(
        self,
        data: bytes,
        *,
        media_type: str = MEDIA_TYPE,
        charset: str | None = None,
        kind: Kind = Kind.EVENT,
        note: AuditNote | None = None,
    ) -> tuple[Receipt, bool]:
        """Record one event; return its receipt, durable, and whether it was recorded before.

        Raises:
            InputError: it can't be read, or it isn't one event (``one_event_expected``).
            ConflictError: its id is taken (``event_id_conflict``).
            UnavailableError: nothing was recorded; try again.
        """
        drafted = await self._drafting.draft(Body(data, media_type, charset), kind)
        drafts = drafted.events
        if len(drafts) != 1:
            raise InputError(
                "one_event_expected",
                f"{len(drafts)} events where one is expected",
                advice="send documents to /capture",
            )
        self.statistics.documents += 1
        draft = drafts[0]
        refused = [draft] if isinstance(draft, InputError) else _refused(drafted)
        if isinstance(draft, InputError) or refused:
            self._count(refused[:1], 0)
            raise refused[0]
        result, duplicate = await self._singles.submit(_Single(draft, drafted, note))
        _is_written(note, self._audit)
        self._count((result,), duplicate)
        if isinstance(result, SealtrailError):
            raise result
        return result.receipt(anchor_delay_ms=self.anchor_delay_ms), duplicate

    async def _write_singles(self, singles: Sequence[_Single]) -> list[tuple[Result, bool]]:
        def write(connection: sqlite3.Connection) -> list[tuple[Result, bool]]:
            decisions = decide(connection, self._drafter, [single.draft for single in singles])
            results = self._write(connection, decisions)
            for single, result in zip(singles, results, strict=True):
                if not isinstance(result, SealtrailError):
                    self._keep_master_data(connection, single.document, None)
            outcomes = [(r, isinstance(d, Same)) for r, d in zip(results, decisions, strict=True)]
            if self._audit is not None:
                self._audit.write(connection, list(_about_singles(singles, outcomes)))
            return outcomes

        return await self._database.write(write)

    def _record(
        self,
        drafts: Sequence[Draft | InputError],
        behaviour: Behaviour,
        connection: sqlite3.Connection,
    ) -> tuple[tuple[Result, ...], int]:
        """Decide and write, in the writer thread; all of it is one savepoint."""
        good = [d for d in drafts if isinstance(d, Draft)]
        decisions = decide(connection, self._drafter, good)
        refused = len(good) < len(drafts) or any(isinstance(d, SealtrailError) for d in decisions)
        if refused and behaviour == "rollback":
            outcomes: list[Placed | SealtrailError | None] = [
                d if isinstance(d, SealtrailError) else None for d in decisions
            ]
        else:
            outcomes = list(self._write(connection, decisions))
        in_order = iter(outcomes)
        results = [d if isinstance(d, InputError) else next(in_order) for d in drafts]
        duplicates = sum(isinstance(d, Same) for d in decisions)
        return tuple(r for r in results if r is not None), duplicates

    def _write(
        self, connection: sqlite3.Connection, decisions: Sequence[Decision]
    ) -> list[Placed | SealtrailError]:
        fresh = [d for d in decisions if isinstance(d, Fresh)]
        first = self._log.append(connection, [f.entry for f in fresh]) if fresh else 0
        insert_events(
            connection,
            [(f.entry.entry_id, first + n, f.draft.event) for n, f in enumerate(fresh)],
        )
        placed = {f.entry.entry_id: _placed(f, first + n) for n, f in enumerate(fresh)}
        before = {d.entry_id for d in decisions if isinstance(d, Same) and d.entry_id not in placed}
        placed.update((each.entry_id, each) for each in load_placed(connection, tuple(before)))
        return [
            d
            if isinstance(d, SealtrailError)
            else placed[d.entry.entry_id if isinstance(d, Fresh) else d.entry_id]
            for d in decisions
        ]

    def _keep_master_data(
        self, connection: sqlite3.Connection, drafted: Drafted, job_id: str | None
    ) -> None:
        """Record what a document's header says: it holds since the document was made, as far as that is past."""
        elements = [e for e in drafted.master_data if isinstance(e, VocabularyElement)]
        if not elements:
            return
        now_ms = self._clock()
        created_ms = now_ms if drafted.created_ms is None else drafted.created_ms
        masterdata.put(
            connection,
            elements,
            Statement(
                source="header",
                member=self._drafter.member,
                valid_from_ms=min(created_ms, now_ms),
                recorded_ms=now_ms,
                job_id=job_id,
            ),
        )

    def _job(
        self,
        job_id: str,
        created_ms: int,
        behaviour: Behaviour,
        results: Sequence[Result],
        head: DocumentHead,
    ) -> CaptureJob:
        errors: list[dict[str, Any]] = [
            as_problem(r) for r in results if isinstance(r, SealtrailError)
        ]
        return CaptureJob(
            job_id=job_id,
            created_ms=created_ms,
            finished_ms=self._clock(),
            success=not errors,
            error_behaviour=behaviour,
            errors=tuple(errors),
            entry_ids=tuple(r.entry_id for r in results if isinstance(r, Placed)),
            sender=head.sender,
            receiver=head.receiver,
            instance_identifier=head.instance_identifier,
        )

    def _count(self, results: Sequence[object], duplicates: int) -> None:
        refused = sum(isinstance(r, SealtrailError) for r in results)
        self.statistics.refused += refused
        self.statistics.duplicates += duplicates
        events = max(0, len(results) - refused - duplicates)
        self.statistics.events += events
        if events and self._recorded is not None:
            self._recorded()


def _about_singles(
    singles: Sequence[_Single], outcomes: Sequence[tuple[Result, bool]]
) -> Iterator[RecordDraft]:
    for single, (result, duplicate) in zip(singles, outcomes, strict=True):
        if single.note is not None:
            yield about_event(single.note, result, single.draft.kind, duplicate=duplicate)


def _refused(drafted: Drafted) -> list[InputError]:
    """Return why elements of a document's master data are refused."""
    return [each for each in drafted.master_data if isinstance(each, InputError)]


def _is_written(note: AuditNote | None, audit: AuditTrail | None) -> None:
    if note is not None and audit is not None:
        note.written = True


def _parts(
    drafts: Sequence[Draft | InputError], behaviour: Behaviour
) -> list[Sequence[Draft | InputError]]:
    """Cut a document into what is written at a time, at least one part."""
    if behaviour == "rollback" or len(drafts) <= PART_EVENTS_MAX:
        return [drafts]
    starts = range(0, len(drafts), PART_EVENTS_MAX)
    return [drafts[start : start + PART_EVENTS_MAX] for start in starts]


def _placed(fresh: Fresh, leaf_index: int) -> Placed:
    event = fresh.draft.event
    return Placed(
        fresh.entry.entry_id,
        fresh.entry.leaf,
        leaf_index,
        event.content_hash,
        event.event_hash,
        fresh.draft.event_id,
    )
