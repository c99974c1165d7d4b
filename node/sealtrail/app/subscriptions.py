"""Named queries and subscriptions, wired."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import aiohttp
import msgspec
from aiohttp import web

from sealtrail.api import named_queries, simple_event_query, subscriptions
from sealtrail.api.events import EventListing
from sealtrail.api.json_body import JsonBodies
from sealtrail.config import HttpSettings, SubscriptionsSettings
from sealtrail.consumers.connecting import open_session
from sealtrail.consumers.destinations import allowed_destinations
from sealtrail.consumers.webhook import WebhookClient
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.subscriptions.delivery import Delivery, DeliveryPace, Prefixes
from sealtrail.services.subscriptions.feeds import Feeds
from sealtrail.services.subscriptions.named_queries import NamedQueries
from sealtrail.services.subscriptions.signal import Gathered
from sealtrail.services.subscriptions.subscribing import Subscriptions
from sealtrail.store.database import Database

# From being told that events were recorded to looking: many captures, one look.
GATHER_SECONDS = 0.05


class Subscribing(msgspec.Struct, frozen=True, kw_only=True):
    """What serves named queries and subscriptions."""

    session: aiohttp.ClientSession
    delivery: Delivery
    feeds: Feeds
    named: NamedQueries
    subscriptions: Subscriptions
    gathered: Gathered

    def recorded(self) -> None:
        """Events were recorded: look soon whom to send them to."""
        self.gathered.wake()

    async def run(self) -> None:
        """Deliver until cancelled."""
        await self.delivery.run()

    async def close(self) -> None:
        """Close the connections to consumers."""
        self.gathered.cancel()
        await self.session.close()

    def routes(
        self, listing: EventListing, *, http: HttpSettings, public_url: str
    ) -> list[web.RouteDef]:
        """Return the routes for users."""
        bodies = JsonBodies(timeout_seconds=http.request_timeout_seconds)
        return [
            *simple_event_query.routes(listing, bodies),
            *named_queries.routes(self.named, listing, self.feeds, bodies),
            *subscriptions.routes(self.subscriptions, listing, bodies, public_url=public_url),
        ]


def make_subscribing(
    settings: SubscriptionsSettings,
    database: Database,
    *,
    prefixes: Prefixes,
    clock: Callable[[], int],
    audit: AuditTrail | None,
) -> Subscribing:
    """Return named queries and subscriptions over one store; to be called in the event loop.

    Args:
        prefixes: gives where company prefixes end, for who wants EPC URNs.

    Raises:
        InputError: the configuration allows what is no destination (``config_out_of_range``).
    """
    destinations = allowed_destinations(settings)
    session = open_session(destinations)
    client = WebhookClient(session, destinations, timeout_seconds=settings.timeout_seconds)
    delivery = Delivery(
        database,
        client,
        prefixes=prefixes,
        clock=clock,
        random=random.random,
        pace=DeliveryPace(
            batch_events_max=settings.batch_events_max,
            suspend_seconds=settings.suspend_hours * 3600,
            retry_seconds_max=settings.retry_seconds_max,
        ),
        audit=audit,
    )
    feeds = Feeds(
        database,
        clock=clock,
        feeds_max=settings.websockets_max,
        batch_events_max=settings.batch_events_max,
        audit=audit,
    )

    def wake() -> None:
        delivery.wake()
        feeds.wake()

    return Subscribing(
        session=session,
        delivery=delivery,
        feeds=feeds,
        named=NamedQueries(database, clock=clock, deleted=feeds.query_deleted, audit=audit),
        subscriptions=Subscriptions(
            database,
            delivery,
            destinations,
            clock=clock,
            random=os.urandom,
            webhooks_max=settings.webhooks_max,
            audit=audit,
        ),
        gathered=Gathered(wake, seconds=GATHER_SECONDS),
    )
