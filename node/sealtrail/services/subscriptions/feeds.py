"""Feeds: what a named query finds, document after document, for as long as somebody keeps a connection open.

A feed reads its next batch only when the one before was taken: a slow client is behind, and fills no buffer here.
It has no place on disk: it begins when it is opened, or with what was recorded since ``initialRecordTime``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from sealtrail.errors import UnavailableError
from sealtrail.evidence.audit_record import Action, Ending
from sealtrail.services.answers.presentation import Presentation
from sealtrail.services.answers.views import query_document
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.subscriptions import batches
from sealtrail.services.subscriptions.batches import ALL_ROWS, Found, Since
from sealtrail.services.subscriptions.definitions import load_filter, refuse_limits
from sealtrail.services.subscriptions.delivery import LOOK_SECONDS_MAX, next_run
from sealtrail.services.subscriptions.signal import Signal, wait_for
from sealtrail.store import subscriptions as store
from sealtrail.store.database import Database
from sealtrail.store.events import StoredEvent
from sealtrail.store.named_queries import NamedQuery, load_query
from sealtrail.store.subscriptions import Controls

WAIT_SECONDS_MAX = 1.0  # from one look to the next, if nobody told that events were recorded


class Place(msgspec.Struct, kw_only=True):
    """How far a feed is, and which events are its own."""

    row: int
    since: Since


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Who is shown what is found, by which route, and in which form."""

    actor: str
    route: str
    presentation: Presentation


class Feeds:
    """Gives feeds to those who are connected.

    Args:
        clock: gives Unix milliseconds.
        feeds_max: so many may be open at a time.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        feeds_max: int,
        batch_events_max: int,
        audit: AuditTrail | None = None,
    ) -> None:
        self.open = 0
        self._database = database
        self._clock = clock
        self._feeds_max = feeds_max
        self._batch_events_max = batch_events_max
        self._audit = audit
        self._recorded, self._changed = Signal(), Signal()
        self._ended = False

    def wake(self) -> None:
        """Look for something to send: events were recorded."""
        self._recorded.wake()

    def query_deleted(self) -> None:
        """Look which feeds are to end."""
        self._recorded.wake()
        self._changed.wake()

    def end(self) -> None:
        """End all feeds: the node stops."""
        self._ended = True
        self.query_deleted()

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place for one feed.

        Raises:
            UnavailableError: all are taken (``websockets_full``).
        """
        if self.open >= self._feeds_max:
            raise UnavailableError(
                "websockets_full", f"{self.open} WebSockets are open, and no more are taken"
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def start(self, query: NamedQuery, controls: Controls) -> Place:
        """Return where a feed begins.

        Raises:
            InputError: ``subscription_controls_limited``.
        """
        now, initial_ms = self._clock(), controls.initial_ms

        def read(connection: sqlite3.Connection) -> Place:
            refuse_limits(load_filter(connection, query.definition))
            highest = store.highest_row(connection)
            if initial_ms is None:
                return Place(row=highest, since=Since())
            row = store.row_before(connection, initial_ms)
            within = ALL_ROWS if initial_ms > now else highest
            return Place(row=row, since=Since(row=within, time_ms=initial_ms))

        return await self._database.read(read)

    async def documents(
        self, query: NamedQuery, controls: Controls, place: Place, shown: Shown
    ) -> AsyncIterator[str]:
        """Yield documents as events are recorded, or as the schedule runs, until the query or the node is gone.

        Args:
            shown: to whom, and in which form; the audit trail has it before a document is yielded.

        Raises:
            SealtrailError: the store can't be read, or the trail not be written.
        """
        next_ms = next_run(controls, self._clock())
        while True:
            told = (self._recorded if next_ms is None else self._changed).current()
            if next_ms is None:
                async for text in self._run(query, controls, place, shown):
                    yield text
            elif next_ms <= self._clock():
                async for text in self._run(query, controls, place, shown):
                    yield text
                next_ms = next_run(controls, self._clock())
            if self._ended or not await self._database.read(lambda c: _is_there(c, query)):
                return
            seconds = WAIT_SECONDS_MAX
            if next_ms is not None:
                seconds = min(seconds, max(0.0, (next_ms - self._clock()) / 1000))
            await wait_for(told, seconds)

    async def _run(
        self, query: NamedQuery, controls: Controls, place: Place, shown: Shown
    ) -> AsyncIterator[str]:
        """Yield what there is up to now."""
        until = await self._database.read(store.highest_row)
        sent = False

        def read(connection: sqlite3.Connection) -> tuple[Found, str]:
            found = batches.find(
                connection,
                load_filter(connection, query.definition),
                after=place.row,
                until=until,
                limit=self._batch_events_max,
                since=place.since,
                now_ms=self._clock(),
            )
            return found, self._document(found.events, query, shown) if found.events else ""

        while place.row < until and not self._ended:
            found, text = await self._database.read(read, seconds_max=LOOK_SECONDS_MAX)
            if text:
                await self._note(found.entry_ids, query, shown)
                yield text
                sent = True
            place.row = found.upto
        if controls.report_if_empty and not sent:
            yield self._document((), query, shown)

    def _document(self, events: Sequence[StoredEvent], query: NamedQuery, shown: Shown) -> str:
        return query_document(
            events, shown.presentation, now_ms=self._clock(), query_name=query.name
        ).decode()

    async def _note(self, entry_ids: list[bytes], query: NamedQuery, shown: Shown) -> None:
        if self._audit is not None:
            note = self._audit.note(Action.QUERY, shown.route)
            note.actor, note.what = shown.actor, f"query {query.name}"
            note.showed(entry_ids)
            await self._audit.record(note.drafted(Ending.DONE)[0])


def _is_there(connection: sqlite3.Connection, query: NamedQuery) -> bool:
    found = load_query(connection, query.name)
    return found is not None and found.query_id == query.query_id
