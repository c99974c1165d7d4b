"""Reading back what was recorded: events, their bytes, entries with proofs, capture jobs."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec

from sealtrail.epcis.query import EventFilter, Prefixes
from sealtrail.errors import ConflictError, NotFoundError, TooLargeError
from sealtrail.log.tree import split_hashes
from sealtrail.services.answers.views import query_document
from sealtrail.services.integrity import require_committed, require_included, require_sealed
from sealtrail.services.receipts import Receipt, load_placed, rfc3339
from sealtrail.signing import Reference
from sealtrail.store.coverage import Coverage, first_coverage
from sealtrail.store.database import Database
from sealtrail.store.described import resolve_filter
from sealtrail.store.erasure import load_tombstones
from sealtrail.store.event_index import load_prefixes
from sealtrail.store.event_query import Position, count_events, find_events
from sealtrail.store.events import (
    StoredEvent,
    load_by_entries,
    load_by_event_hash,
    load_by_event_id,
    require_content,
)
from sealtrail.store.identity import require_identity
from sealtrail.store.jobs import CaptureJob, list_jobs, load_job
from sealtrail.store.log import LogStore, StoredEntry, load_entry

# A query that no index serves may walk over every event; it must not hold its reader for ever.
QUERY_SECONDS_MAX = 20.0
# A page ends before the event that would exceed it, so that what a page costs does not grow with the events' size.
PAGE_CONTENTS_BYTES_MAX = 4 * 1024 * 1024
HASH_URI_PREFIX = "ni:///sha-256;"

Showed: TypeAlias = Callable[[Iterable[bytes]], None]  # told the entry ids of what is shown


class PageToken(msgspec.Struct, frozen=True, array_like=True):
    """Where a listing goes on; ``left`` is what remains of a requested total, ``query`` what it is for."""

    position: Position
    left: int | None
    query: bytes


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """An event's recorded bytes."""

    entry_id: bytes
    body: bytes
    media_type: str
    content_hash: bytes


class QueryService:
    """Answers questions about one node's store.

    Args:
        clock: gives Unix milliseconds.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        *,
        clock: Callable[[], int],
        anchor_delay_ms: int,
    ) -> None:
        self._database = database
        self._log = log
        self._clock = clock
        self._anchor_delay_ms = anchor_delay_ms

    async def events(
        self,
        wanted: EventFilter,
        *,
        per_page: int,
        after: PageToken | None = None,
        total_max: int | None = None,
        refuse_over: int | None = None,
        showed: Showed | None = None,
    ) -> tuple[bytes, PageToken | None]:
        """Return an EPCISQueryDocument with one page of matching events, and where the next begins.

        A page of long events has fewer than ``per_page``: at most 4 MiB of contents, or one event.

        Args:
            total_max: end after that many events, over all pages (``eventCountLimit``).
            refuse_over: refuse a query that more events match (``maxEventCount``).
            showed: told the entry ids of the events that are returned.

        Raises:
            TooLargeError: over ``refuse_over`` (``query_too_large``), or ``query_too_complex``.
            UnavailableError: ``query_index_incomplete``.
        """
        left = total_max if after is None else after.left
        limit = per_page if left is None else min(per_page, left)

        def read(connection: sqlite3.Connection) -> tuple[bytes, list[bytes], Position | None]:
            asked = resolve_filter(connection, wanted, at_ms=self._clock())
            if refuse_over is not None:
                _refuse_over(connection, asked, refuse_over)
            position = None if after is None else after.position
            found, more = find_events(
                connection,
                asked,
                after=position,
                limit=limit,
                contents_bytes_max=PAGE_CONTENTS_BYTES_MAX,
            )
            entry_ids = [event.entry_id for event in found]
            return query_document(found, now_ms=self._clock()), entry_ids, more

        body, entry_ids, more = await self._database.read(read, seconds_max=QUERY_SECONDS_MAX)
        if showed is not None:
            showed(entry_ids)
        rest = None if left is None else left - len(entry_ids)
        if more is None or rest == 0:
            return body, None
        return body, PageToken(more, rest, b"")

    async def prefixes(self) -> Prefixes:
        """Return what prefixes of extensions stand for in recorded events, for queries that don't say it."""
        return await self._database.read(load_prefixes)

    async def events_with_id(self, event_id: str, *, showed: Showed | None = None) -> bytes:
        """Return an EPCISQueryDocument of every event with that id (an error declaration shares it).

        Raises:
            NotFoundError: none (``event_unknown``).
        """
        found = await self._database.read(lambda c: load_by_event_id(c, event_id))
        shown = [event for event in found if event.content is not None]
        if not shown:
            raise _unknown(event_id)
        if showed is not None:
            showed([event.entry_id for event in shown])
        return query_document(shown, now_ms=self._clock())

    async def content(self, name: str) -> Content:
        """Return the recorded bytes of one event, by entry id, event hash or event id.

        Raises:
            NotFoundError: none such (``event_unknown``), or erased (``content_erased``).
            ConflictError: several events bear the name (``event_ambiguous``); their entry ids stand beside.
        """

        def read(connection: sqlite3.Connection) -> list[StoredEvent]:
            events = named_events(connection, name)
            for event in events:
                require_sealed(connection, event)
            return events

        found = await self._database.read(read)
        if not found:
            raise _unknown(name)
        if len({event.content_hash for event in found}) > 1:
            raise ConflictError(
                "event_ambiguous",
                f"{len(found)} recorded events are named {name}",
                advice="ask by entry id",
                entry_ids=["0x" + event.entry_id.hex() for event in found],
            )
        event = found[0]
        if event.content is None:
            raise await self._erased(event)
        return Content(
            entry_id=event.entry_id,
            body=require_content(event),
            media_type=event.media_type,
            content_hash=event.content_hash,
        )

    async def _erased(self, event: StoredEvent) -> NotFoundError:
        stones = await self._database.read(lambda c: load_tombstones(c, [event.entry_id]))
        name, stone = "0x" + event.entry_id.hex(), stones.get(event.entry_id)
        when = {} if stone is None else {"erased_at": rfc3339(stone.erased_ms)}
        return NotFoundError(
            "content_erased",
            f"the content of entry {name} was erased for law; the entry remains",
            entry_id=name,
            **when,
        )

    async def entry(self, entry_id: bytes, *, with_seed: bool) -> dict[str, Any]:
        """Return an entry of this node's log with its proof to the first checkpoint that covers it.

        Raises:
            NotFoundError: not in this log (``entry_unknown``).
            IntegrityError: the stored log contradicts the signed checkpoint (``log_corrupt``), or the entry
                is not what was signed (``entry_damaged``).
        """

        def read(connection: sqlite3.Connection) -> dict[str, Any]:
            entry = load_entry(connection, entry_id)
            if entry is None:
                raise NotFoundError("entry_unknown", f"no entry 0x{entry_id.hex()} in this log")
            references = require_committed(entry, require_identity(connection).domain)
            coverage = first_coverage(connection, entry.leaf_index)
            proof = None if coverage is None else self._proof(connection, entry, coverage)
            return {**_entry_view(entry, references, with_seed=with_seed), "proof": proof}

        return await self._database.read(read)

    def _proof(
        self, connection: sqlite3.Connection, entry: StoredEntry, coverage: Coverage
    ) -> dict[str, Any]:
        hashes = self._log.inclusion_proof(connection, entry.leaf_index, coverage.tree_size)
        require_included(entry, coverage, hashes)
        return {
            "leaf_index": entry.leaf_index,
            "tree_size": coverage.tree_size,
            "checkpoint": coverage.note,
            "checkpoint_hash": _hex(coverage.checkpoint_hash),
            "hashes": [_hex(each) for each in hashes],
            "anchor": {
                "sequence": coverage.sequence,
                "state": coverage.state,
                "block_number": coverage.block_number,
                "transaction_hash": _hex(coverage.transaction_hash),
            },
        }

    async def job(self, job_id: str) -> tuple[CaptureJob, list[Receipt]]:
        """Return a capture job and its receipts.

        Raises:
            NotFoundError: none such (``capture_job_unknown``).
        """

        def read(connection: sqlite3.Connection) -> tuple[CaptureJob, list[Receipt]]:
            job = load_job(connection, job_id)
            if job is None:
                raise NotFoundError("capture_job_unknown", f"no capture job {job_id}")
            delay = self._anchor_delay_ms
            placed = load_placed(connection, job.entry_ids)
            return job, [each.receipt(anchor_delay_ms=delay) for each in placed]

        return await self._database.read(read)

    async def jobs(self, *, before: int | None, limit: int) -> tuple[list[CaptureJob], int | None]:
        """Return the newest jobs older than row ``before``, and the row to go on before."""
        jobs, more = await self._database.read(lambda c: list_jobs(c, before=before, limit=limit))
        return list(jobs), more


def job_view(job: CaptureJob) -> dict[str, Any]:
    """Return a job as EPCIS 2.0 has it (``CaptureJob``), with what the document's header said of itself."""
    header = {
        "sender": job.sender,
        "receiver": job.receiver,
        "instanceIdentifier": job.instance_identifier,
    }
    return {
        "captureID": job.job_id,
        "createdAt": rfc3339(job.created_ms),
        "finishedAt": rfc3339(job.finished_ms),
        "running": False,
        "success": job.success,
        "captureErrorBehaviour": job.error_behaviour,
        "errors": list(job.errors),
        **{name: value for name, value in header.items() if value is not None},
    }


def named_events(connection: sqlite3.Connection, name: str) -> list[StoredEvent]:
    """Return the events that are named by an entry's id, an event hash or an event id."""
    digest = _digest(name.removeprefix(HASH_URI_PREFIX).partition("?")[0])
    if digest is None:
        return load_by_event_id(connection, name)
    by_entry = load_by_entries(connection, [digest])
    return list(by_entry.values()) or load_by_event_hash(connection, digest)


def _digest(text: str) -> bytes | None:
    try:
        digest = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        return None
    return digest if len(digest) == 32 else None


def _entry_view(
    entry: StoredEntry, references: Sequence[Reference], *, with_seed: bool
) -> dict[str, Any]:
    view: dict[str, Any] = {
        "entry_id": _hex(entry.entry_id),
        "leaf_index": entry.leaf_index,
        "leaf": _hex(entry.leaf),
        "references": [
            {"relation": r.relation.name.lower(), "entry_id": _hex(r.entry_id)} for r in references
        ],
        "item_keys": [_hex(key) for key in split_hashes(entry.item_keys)],
    }
    if with_seed:
        view["seed"] = _hex(entry.seed)
    return view


def _hex(value: bytes | None) -> str | None:
    return None if value is None else "0x" + value.hex()


def _refuse_over(connection: sqlite3.Connection, wanted: EventFilter, limit: int) -> None:
    if count_events(connection, wanted, limit=limit + 1) > limit:
        raise TooLargeError(
            "query_too_large",
            f"more than {limit} events match",
            advice="ask for less, or page without maxEventCount",
        )


def _unknown(name: str) -> NotFoundError:
    return NotFoundError("event_unknown", f"no event {name} is recorded here")
