"""Subscriptions by webhook: made, listed, ended, resumed, tried out. :mod:`delivery` is what serves them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import UUID

from sealtrail.consumers.destinations import Destinations
from sealtrail.errors import NotFoundError, SealtrailError, TooLargeError
from sealtrail.services.audit_trail.note import AuditNote
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.receipts import rfc3339
from sealtrail.services.subscriptions.changes import note_change
from sealtrail.services.subscriptions.controls import WantedSubscription
from sealtrail.services.subscriptions.definitions import load_filter, refuse_limits
from sealtrail.services.subscriptions.delivery import Delivery, next_run
from sealtrail.services.subscriptions.named_queries import require_query
from sealtrail.store import subscriptions as store
from sealtrail.store.database import Database
from sealtrail.store.subscriptions import Subscription


class Subscriptions:
    """One node's subscriptions.

    Args:
        clock: gives Unix milliseconds.
        random: gives that many random bytes.
        webhooks_max: so many there may be.
    """

    def __init__(
        self,
        database: Database,
        delivery: Delivery,
        destinations: Destinations,
        *,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        webhooks_max: int,
        audit: AuditTrail | None = None,
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._destinations = destinations
        self._clock = clock
        self._random = random
        self._webhooks_max = webhooks_max
        self._audit = audit

    async def create(
        self, query_name: str, wanted: WantedSubscription, note: AuditNote
    ) -> Subscription:
        """Subscribe a consumer to a query; durable on return. What is recorded from then on is sent to it.

        Raises:
            NotFoundError: ``query_name_unknown``.
            InputError: ``destination_malformed``, ``destination_refused``, ``subscription_controls_limited``.
            TooLargeError: ``subscriptions_too_many``.
        """
        self._destinations.check_url(wanted.dest)
        subscription_id = str(UUID(bytes=self._random(16), version=4))
        note.what = f"subscription {subscription_id} to {query_name}"

        def write(connection: sqlite3.Connection) -> Subscription:
            query = require_query(connection, query_name)
            refuse_limits(load_filter(connection, query.definition))
            if store.count_subscriptions(connection) >= self._webhooks_max:
                raise TooLargeError(
                    "subscriptions_too_many",
                    f"this node has {self._webhooks_max} subscriptions, and takes no more",
                    advice="end one, or raise subscriptions.webhooks_max",
                )
            now = self._clock()
            store.insert_subscription(
                connection,
                subscription_id=subscription_id,
                query_id=query.query_id,
                dest=wanted.dest,
                signature_token=wanted.signature_token,
                controls=wanted.controls,
                next_ms=next_run(wanted.controls, now),
                now_ms=now,
            )
            note_change(connection, self._audit, note)
            return _require(connection, subscription_id)

        made = await self._database.write(write)
        self._delivery.wake()
        return made

    async def get(self, query_name: str, subscription_id: str) -> Subscription:
        """Return a subscription to a query.

        Raises:
            NotFoundError: ``query_name_unknown``, ``subscription_unknown``.
        """

        def read(connection: sqlite3.Connection) -> Subscription:
            require_query(connection, query_name)
            found = _require(connection, subscription_id)
            if found.query_name != query_name:
                raise _unknown(subscription_id)
            return found

        return await self._database.read(read)

    async def page(
        self, query_name: str | None, *, after: int, limit: int
    ) -> tuple[list[Subscription], int | None]:
        """Return the oldest subscriptions after a row, to one query or all, and the row to go on after.

        Raises:
            NotFoundError: ``query_name_unknown``.
        """

        def read(connection: sqlite3.Connection) -> tuple[list[Subscription], int | None]:
            query_id = (
                None if query_name is None else require_query(connection, query_name).query_id
            )
            return store.list_subscriptions(connection, query_id=query_id, after=after, limit=limit)

        return await self._database.read(read)

    async def delete(self, query_name: str, subscription_id: str, note: AuditNote) -> None:
        """End a subscription; what is on its way still arrives.

        Raises:
            NotFoundError: ``query_name_unknown``, ``subscription_unknown``.
        """
        note.what = f"subscription {subscription_id[:100]} ended"

        def write(connection: sqlite3.Connection) -> None:
            require_query(connection, query_name)
            if not store.delete_subscription(connection, query_name, subscription_id):
                raise _unknown(subscription_id)
            note_change(connection, self._audit, note)

        await self._database.write(write)

    async def resume(self, subscription_id: str, note: AuditNote) -> Subscription:
        """Try a suspended subscription again, from where it was.

        Raises:
            NotFoundError: ``subscription_unknown``.
        """
        note.what = f"subscription {subscription_id[:100]} resumed"

        def write(connection: sqlite3.Connection) -> Subscription:
            if not store.resume(connection, subscription_id):
                raise _unknown(subscription_id)
            note_change(connection, self._audit, note)
            return _require(connection, subscription_id)

        resumed = await self._database.write(write)
        self._delivery.wake()
        return resumed

    async def test(self, subscription_id: str, note: AuditNote) -> SealtrailError | None:
        """Post a document without events to the consumer; return why it did not take that, if it did not.

        Raises:
            NotFoundError: ``subscription_unknown``.
        """
        found = await self._database.read(lambda c: _require(c, subscription_id))
        note.what = f"subscription {subscription_id} tested"
        try:
            await self._delivery.test(found, f"test-{self._random(8).hex()}")
        except SealtrailError as error:
            return error
        return None

    async def newest_row(self) -> int:
        """Return the row of the event that was recorded last: how far a subscription can be."""
        return await self._database.read(store.highest_row)


def subscription_view(subscription: Subscription) -> dict[str, Any]:
    """Return a subscription as EPCIS 2.0 has it; the consumer's token is never shown.

    ``suspendedAt`` and ``failure`` are ours, and there only of a consumer that takes nothing.
    """
    controls = subscription.controls
    run_ms = subscription.run_ms if controls.schedule else subscription.notified_ms
    shown: dict[str, Any] = {
        "subscriptionID": subscription.subscription_id,
        "queryName": subscription.query_name,
        "dest": subscription.dest,
        "createdAt": rfc3339(subscription.created_ms),
        "lastNotifiedAt": _time(subscription.notified_ms),
        "initialRecordTime": _time(controls.initial_ms),
        "minRecordTime": _time(run_ms if run_ms is not None else controls.initial_ms),
        "epcFormat": controls.epc_format,
        "suspendedAt": _time(subscription.suspended_ms),
        "failure": subscription.failure,
    }
    if controls.schedule is None:
        shown["stream"] = True
    else:
        shown |= {"schedule": controls.schedule, "reportIfEmpty": controls.report_if_empty}
    return {name: value for name, value in shown.items() if value is not None}


def operator_view(subscription: Subscription, highest: int) -> dict[str, Any]:
    """Return a subscription for whoever runs the node: with how far it is behind."""
    state = "active" if subscription.failing_ms is None else "failing"
    if subscription.suspended_ms is not None:
        state = "suspended"
    return {
        **subscription_view(subscription),
        "state": state,
        "lag_events": highest - subscription.event_row,
        "batch": subscription.batch,
        "failing_since": _time(subscription.failing_ms),
        "next_run": _time(subscription.next_ms),
    }


def _time(unix_ms: int | None) -> str | None:
    return None if unix_ms is None else rfc3339(unix_ms)


def _require(connection: sqlite3.Connection, subscription_id: str) -> Subscription:
    found = store.load_subscription(connection, subscription_id)
    if found is None:
        raise _unknown(subscription_id)
    return found


def _unknown(subscription_id: str) -> NotFoundError:
    return NotFoundError(
        "subscription_unknown", f"there is no subscription {subscription_id[:100]}"
    )
