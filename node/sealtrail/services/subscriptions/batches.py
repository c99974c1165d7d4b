"""The next events for a subscriber, in the order of recording, as a document to be sent."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from sealtrail.epcis.query import EventFilter
from sealtrail.services.answers.views import query_document
from sealtrail.store.event_query import Position, find_events
from sealtrail.store.events import StoredEvent
from sealtrail.store.subscriptions import highest_row

# Contents in one document, unless one event has more: a subscriber's program takes messages of a megabyte as a rule.
BATCH_CONTENTS_BYTES_MAX = 512 * 1024
ALL_ROWS = 1 << 62


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are a subscriber's at all: of those up to ``row``, what was recorded at ``time_ms`` or later."""

    row: int = 0
    time_ms: int = 0

    def takes(self, event: StoredEvent) -> bool:
        """Tell whether an event is his, if it matches."""
        return event.event_row > self.row or event.record_time_ms >= self.time_ms


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Events that match, and the row up to which there are no others."""

    events: tuple[StoredEvent, ...]
    upto: int

    @property
    def entry_ids(self) -> list[bytes]:
        """Which entries they are."""
        return [event.entry_id for event in self.events]


def find(
    connection: sqlite3.Connection,
    wanted: EventFilter,
    *,
    after: int,
    until: int | None = None,
    limit: int,
    since: Since,
) -> Found:
    """Return the next events after a row, at most ``limit``; what was erased is left out.

    Args:
        until: the last row that is looked at; None: the last there is.
    """
    last = highest_row(connection)
    last = last if until is None else min(until, last)
    if last <= after:
        return Found(events=(), upto=after)
    events, more = find_events(
        connection,
        wanted,
        after=Position(after, after),
        limit=limit,
        contents_bytes_max=BATCH_CONTENTS_BYTES_MAX,
    )
    upto = last if more is None else min(more.row, last)
    taken = (event for event in events if event.event_row <= upto and since.takes(event))
    return Found(events=tuple(taken), upto=upto)


def document(
    events: Sequence[StoredEvent], *, now_ms: int, query_name: str, subscription_id: str | None
) -> bytes:
    """Return the EPCISQueryDocument that a subscriber is sent."""
    return query_document(
        events, now_ms=now_ms, query_name=query_name, subscription_id=subscription_id
    )
