"""The next events for a subscriber, in the order of recording."""

from __future__ import annotations

import sqlite3

import msgspec

from sealtrail.epcis.query import EventFilter
from sealtrail.store.described import resolve_filter
from sealtrail.store.event_query import walk_events
from sealtrail.store.events import StoredEvent
from sealtrail.store.subscriptions import highest_row

# Contents in one document, unless one event has more: a subscriber's program takes messages of a megabyte as a rule.
BATCH_CONTENTS_BYTES_MAX = 512 * 1024
ROWS_A_LOOK = 50_000  # a tenth of a second or so
ALL_ROWS = 1 << 62


class Since(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are a subscriber's at all: of those up to ``row``, what was recorded at ``time_ms`` or later."""

    row: int = 0
    time_ms: int = 0

    def takes(self, event: StoredEvent) -> bool:
        """Tell whether an event is his, if it matches."""
        return event.event_row > self.row or event.record_time_ms >= self.time_ms


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Events that match, the row up to which there are no others, and whether there are further rows."""

    events: tuple[StoredEvent, ...]
    upto: int
    more: bool = False

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
    now_ms: int,
) -> Found:
    """Return the next events after a row, at most ``limit``; what was erased is left out.

    Args:
        until: the last row that is looked at; None: the last there is. At a time, no more than some are.
        now_ms: which master data holds, if the query asks by it.

    Raises:
        SealtrailError: as :func:`walk_events` and :func:`resolve_filter`.
    """
    last = highest_row(connection)
    last = last if until is None else min(until, last)
    if last <= after:
        return Found(events=(), upto=after)
    events, upto = walk_events(
        connection,
        resolve_filter(connection, wanted, at_ms=now_ms),
        after=after,
        until=min(last, after + ROWS_A_LOOK),
        limit=limit,
        contents_bytes_max=BATCH_CONTENTS_BYTES_MAX,
    )
    return Found(
        events=tuple(each for each in events if since.takes(each)), upto=upto, more=upto < last
    )
