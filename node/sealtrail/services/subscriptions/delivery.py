"""Delivery: each event that a subscription's query finds is posted to its consumer, in the order of recording.

Sending order, and what a crash after each step means:

1. the next events are found, and read: nothing happened.
2. how far the batch goes, and in the audit trail what is about to be shown, in one transaction: the same batch is sent
   at the next start, under the same number (``Idempotency-Key``), so that a consumer who took it already can tell.
3. the batch is posted: as after 2.
4. the consumer's answer is noted, and with it how far he is: the next batch begins there.

So each event is delivered once, unless an answer is lost; then its batch comes again under its number. Every
subscription has a course of its own: a consumer that is away or slow delays nobody else's. What goes wrong is noted and
tried again, ever later; after a set time the subscription is suspended, and keeps its place until it is resumed.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import msgspec

from sealtrail.consumers.webhook import (
    CONSUMERS_OWN,
    SIGNATURE_HEADER,
    WebhookClient,
    signature,
)
from sealtrail.epcis.query import EventFilter
from sealtrail.errors import SealtrailError, TooLargeError, UnavailableError
from sealtrail.evidence.audit_record import ENTRIES_MAX, NODE, Action, Ending
from sealtrail.gs1 import NO_PREFIXES, CompanyPrefixes
from sealtrail.services.answers.presentation import AS_RECORDED, Presentation
from sealtrail.services.answers.views import query_document
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.courses import Courses, Rhythm, Turn
from sealtrail.services.subscriptions import batches
from sealtrail.services.subscriptions.batches import ALL_ROWS, Since
from sealtrail.services.subscriptions.controls import schedule_of
from sealtrail.services.subscriptions.definitions import load_filter
from sealtrail.services.subscriptions.named_queries import require_query
from sealtrail.store import subscriptions as store
from sealtrail.store.database import Database
from sealtrail.store.subscriptions import Controls, Subscription

Prefixes: TypeAlias = Callable[[], Awaitable[CompanyPrefixes]]

LOOKS_AT_ONCE = 2  # of the database's readers: others have questions too
LOOK_SECONDS_MAX = 20.0
_UNSAVED_ROWS_MAX = 20_000  # looked through again after a crash, where nothing was to be sent
_FAILURE_CHARACTERS_MAX = 500
_HEADERS = {
    "Content-Type": "application/json",
    "GS1-EPCIS-Version": "2.0.0",
    "GS1-CBV-Version": "2.0.0",
    "User-Agent": "sealtrail",
}


class DeliveryPace(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries are paced."""

    batch_events_max: int = 500
    suspend_seconds: float = 72 * 3600.0
    # From one look for a subscription to the next: many captures, one look.
    beat_seconds: float = 0.1
    look_seconds: float = 1.0  # how often it is looked for what is due without being told
    retry_seconds_first: float = 1.0
    retry_seconds_max: float = 300.0


class DeliveryCounts(msgspec.Struct, kw_only=True):
    """Counts since start, for metrics."""

    batches: int = 0
    events: int = 0
    failures: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be posted next."""

    subscription: Subscription
    upto: int
    entry_ids: tuple[bytes, ...]
    body: bytes
    made_ms: int
    more: bool


class Delivery:
    """Posts to all consumers; start :meth:`run` once.

    Args:
        prefixes: gives where company prefixes end, for who wants EPC URNs.
        clock: gives Unix milliseconds.
        random: gives numbers from 0 to 1, for the back-off.
    """

    def __init__(
        self,
        database: Database,
        client: WebhookClient,
        *,
        prefixes: Prefixes,
        clock: Callable[[], int],
        random: Callable[[], float],
        pace: DeliveryPace,
        audit: AuditTrail | None = None,
    ) -> None:
        self.counts = DeliveryCounts()
        self.states = store.Counts()
        self._database = database
        self._client = client
        self._prefixes = prefixes
        self._clock = clock
        self._pace = pace
        self._audit = audit
        self._looks = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._looked: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self._reported: set[str] = set()
        rhythm = Rhythm(
            look_seconds=pace.look_seconds,
            beat_seconds=pace.beat_seconds,
            retry_seconds_first=pace.retry_seconds_first,
            retry_seconds_max=pace.retry_seconds_max,
        )
        self._courses: Courses[str] = Courses(self._turns, rhythm, clock=clock, random=random)

    def wake(self) -> None:
        """Look for something to send: events were recorded, or a subscription was made or resumed."""
        self._courses.wake()

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self._courses.run()

    async def test(self, subscription: Subscription, key: str) -> None:
        """Post a document without events to a consumer, now.

        Raises:
            SealtrailError: as :meth:`WebhookClient.post`.
        """
        body = query_document(
            (),
            AS_RECORDED,
            now_ms=self._clock(),
            query_name=subscription.query_name,
            subscription_id=subscription.subscription_id,
        )
        await self._post(subscription, body, f"{subscription.subscription_id}-{key}")

    # -- whose turn it is ----------------------------------------------------------------------------

    async def _turns(self) -> list[Turn[str]]:
        def read(c: sqlite3.Connection) -> tuple[list[Subscription], int, store.Counts]:
            return store.active_subscriptions(c), store.highest_row(c), store.count_states(c)

        active, highest, self.states = await self._database.read(read)
        self._forget_others({each.subscription_id for each in active})
        now = self._clock()
        return [
            Turn(
                each.subscription_id,
                f"nothing is delivered to subscription {each.subscription_id}",
                partial(self._take, each.subscription_id, each.controls),
            )
            for each in active
            if self._is_due(each, highest, now)
        ]

    def _is_due(self, subscription: Subscription, highest: int, now: int) -> bool:
        if subscription.batch_row is not None:
            return True
        if subscription.next_ms is not None:
            return subscription.next_ms <= now
        return self._after(subscription) < highest

    def _after(self, subscription: Subscription) -> int:
        looked = self._looked.get(subscription.subscription_id, 0)
        return max(subscription.event_row, looked)

    def _forget_others(self, active: set[str]) -> None:
        for kept in (self._looked, self._limits):
            for gone in kept.keys() - active:
                del kept[gone]
        self._reported &= active

    # -- one turn ------------------------------------------------------------------------------------

    async def _take(self, subscription_id: str, controls: Controls) -> None:
        """Send what is due for one subscription until nothing is, or it fails.

        Raises:
            SealtrailError: what went wrong; it is noted with the subscription.
        """
        try:
            presentation = await self._presentation(controls)
            until = None
            if controls.schedule is not None:
                until = await self._database.read(store.highest_row)
            while await self._step(subscription_id, presentation, until):
                pass
        except SealtrailError as error:
            self.counts.failures += 1
            # A store that could not be asked says nothing of the consumer.
            if not isinstance(error, UnavailableError) or error.code in CONSUMERS_OWN:
                await self._database.write(partial(self._note_failure, subscription_id, error))
            raise

    async def _presentation(self, controls: Controls) -> Presentation:
        """Return how identifiers and words are to be spelt in what is sent."""
        known = NO_PREFIXES
        if controls.epc_format == "Always_EPC_URN":
            known = await self._prefixes()
        return Presentation(
            epc_format=controls.epc_format, cbv_format=controls.cbv_format, prefixes=known
        )

    async def _step(
        self, subscription_id: str, presentation: Presentation, until: int | None
    ) -> bool:
        """Send the next batch; return False if there is none.

        Args:
            until: the last event of a scheduled run, what is recorded while it runs being the next one's; or None.
        """
        async with self._looks:
            batch = await self._database.read(
                lambda c: self._next(c, subscription_id, presentation, until),
                seconds_max=LOOK_SECONDS_MAX,
            )
        if batch is None:
            return False
        subscription = batch.subscription
        if batch.entry_ids:
            return await self._deliver(batch)
        if batch.body:
            await self._report_nothing(batch)
        elif batch.upto - subscription.event_row > _UNSAVED_ROWS_MAX or subscription.batch_row:
            await self._database.write(lambda c: store.move_on(c, subscription, batch.upto))
        self._looked[subscription_id] = batch.upto
        if until is not None and batch.upto >= until:
            await self._end_run(subscription)
            return False
        return batch.more

    def _next(
        self,
        connection: sqlite3.Connection,
        subscription_id: str,
        presentation: Presentation,
        until: int | None,
    ) -> Batch | None:
        """Find what is next; without entries it only moves the place, or with a body says that there is nothing."""
        subscription = store.load_subscription(connection, subscription_id)
        if subscription is None or subscription.suspended_ms is not None:
            return None
        found = batches.find(
            connection,
            self._filter(connection, subscription),
            after=self._after(subscription),
            until=subscription.batch_row or until,
            limit=self._limit(subscription),
            since=_since(subscription),
            now_ms=self._clock(),
        )
        is_empty_report = (
            until is not None
            and subscription.controls.report_if_empty
            and found.upto >= until
            and subscription_id not in self._reported
        )
        body, made_ms = b"", subscription.batch_ms or self._clock()
        if found.events or is_empty_report:
            body = query_document(
                found.events,
                presentation,
                now_ms=made_ms,
                query_name=subscription.query_name,
                subscription_id=subscription_id,
            )
        return Batch(
            subscription=subscription,
            upto=found.upto,
            entry_ids=tuple(found.entry_ids),
            body=body,
            made_ms=made_ms,
            more=found.more,
        )

    def _limit(self, subscription: Subscription) -> int:
        if subscription.batch_row is not None:  # as it was, whatever the configuration was then
            return ENTRIES_MAX
        return self._limits.get(subscription.subscription_id, self._pace.batch_events_max)

    def _filter(self, connection: sqlite3.Connection, subscription: Subscription) -> EventFilter:
        return load_filter(
            connection, require_query(connection, subscription.query_name).definition
        )

    async def _deliver(self, batch: Batch) -> bool:
        subscription = batch.subscription
        if subscription.batch_row is None:
            await self._database.write(lambda c: self._begin(c, batch))
        try:
            await self._post(subscription, batch.body, _key(subscription))
        except TooLargeError:
            if len(batch.entry_ids) == 1:
                raise
            self._limits[subscription.subscription_id] = len(batch.entry_ids) // 2
            await self._database.write(lambda c: store.abandon_batch(c, subscription))
            return True
        now = self._clock()
        await self._database.write(
            lambda c: store.acknowledge_batch(c, subscription, batch.upto, now)
        )
        self._reported.add(subscription.subscription_id)
        self.counts.batches += 1
        self.counts.events += len(batch.entry_ids)
        return True

    async def _report_nothing(self, batch: Batch) -> None:
        subscription = batch.subscription
        await self._post(subscription, batch.body, _key(subscription))
        now = self._clock()
        await self._database.write(
            lambda c: store.acknowledge_batch(c, subscription, batch.upto, now)
        )
        self.counts.batches += 1

    async def _end_run(self, subscription: Subscription) -> None:
        """Note that a scheduled run is over; runs that were missed meanwhile are not made up for one by one."""
        now = self._clock()
        next_ms = next_run(subscription.controls, now)
        await self._database.write(lambda c: store.note_run(c, subscription, now, next_ms or now))
        self._reported.discard(subscription.subscription_id)

    def _begin(self, connection: sqlite3.Connection, batch: Batch) -> None:
        """Note a batch; the audit trail has it before it leaves."""
        subscription = batch.subscription
        store.begin_batch(connection, subscription, batch.upto, batch.made_ms)
        if self._audit is not None:
            note = self._audit.note(Action.NOTIFY, "")
            note.actor, note.what = NODE, f"subscription {subscription.subscription_id}"
            note.showed(batch.entry_ids)
            self._audit.write(connection, [note.drafted(Ending.DONE)])

    async def _post(self, subscription: Subscription, body: bytes, key: str) -> None:
        headers = {**_HEADERS, "Idempotency-Key": f'"{key}"'}
        if subscription.signature_token is not None:
            headers[SIGNATURE_HEADER] = signature(subscription.signature_token, body)
        await self._client.post(subscription.dest, body, headers)

    def _note_failure(
        self, subscription_id: str, error: SealtrailError, connection: sqlite3.Connection
    ) -> None:
        subscription = store.load_subscription(connection, subscription_id)
        if subscription is None:
            return
        now = self._clock()
        failing_ms = now if subscription.failing_ms is None else subscription.failing_ms
        store.note_failure(connection, subscription, str(error)[:_FAILURE_CHARACTERS_MAX], now)
        is_over = now - failing_ms >= self._pace.suspend_seconds * 1000
        if is_over or error.code == "consumer_gone":
            store.suspend(connection, subscription, now)


def next_run(controls: Controls, now_ms: int) -> int | None:
    """Return when a scheduled subscription runs next; None of a stream."""
    schedule = schedule_of(controls)
    return None if schedule is None else schedule.next_after(now_ms)


def _since(subscription: Subscription) -> Since:
    initial_ms = subscription.controls.initial_ms or 0
    to_come = initial_ms > subscription.created_ms
    return Since(row=ALL_ROWS if to_come else subscription.created_row, time_ms=initial_ms)


def _key(subscription: Subscription) -> str:
    return f"{subscription.subscription_id}-{subscription.batch}"
