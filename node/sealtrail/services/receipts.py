"""Receipts: what a member promises whoever handed in an event, from the durable entry alone.

A receipt holds nothing that the entry doesn't, so the first one can be given again at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from sealtrail.epcis import event_hash_uri
from sealtrail.errors import IntegrityError
from sealtrail.store.events import load_by_entries
from sealtrail.store.log import load_entry

# The last millisecond of the year 9999.
TIME_MS_MAX = 253_402_300_799_999


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Says that an event is durably recorded, where, and by when it will be in an anchored checkpoint.

    Digests, addresses and the signature are ``0x`` hex; times RFC 3339 in UTC. ``signature`` is the
    member's over ``entry_id``: whoever holds it can show the entry if the log leaves it out.
    """

    entry_id: str
    leaf_index: int
    content_hash: str | None  # this and the next: None once the event was erased
    event_hash: str | None
    event_id: str
    record_time: str
    anchor_by: str
    member: str
    signature: str


@lru_cache(maxsize=1024)  # all events of a document share two times
def rfc3339(unix_ms: int) -> str:
    """Return a time in milliseconds as RFC 3339 text in UTC, with three fraction digits."""
    moment = datetime.fromtimestamp(unix_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{unix_ms % 1000:03d}Z"


def rfc3339_if_spelt(unix_ms: int) -> str | None:
    """Return what :func:`rfc3339` does; None of a time after the year 9999, which RFC 3339 cannot spell."""
    return rfc3339(unix_ms) if unix_ms <= TIME_MS_MAX else None


class Placed(msgspec.Struct, frozen=True):
    """An event that stands in this node's log: what its receipt is made of."""

    entry_id: bytes
    leaf: bytes
    leaf_index: int
    content_hash: bytes
    event_hash: bytes
    event_id: str

    def receipt(self, *, anchor_delay_ms: int) -> Receipt:
        """Return the receipt; ``anchor_delay_ms`` is the network's maximum delay."""
        # Version, kind, member, record time: docs/protocol.md section 5.
        record_time_ms = int.from_bytes(self.leaf[22:30], "big")
        erased = self.content_hash == self.entry_id
        return Receipt(
            entry_id="0x" + self.entry_id.hex(),
            leaf_index=self.leaf_index,
            content_hash=None if erased else "0x" + self.content_hash.hex(),
            event_hash=None if erased else event_hash_uri(self.event_hash),
            event_id=self.event_id,
            record_time=rfc3339(record_time_ms),
            anchor_by=rfc3339(record_time_ms + anchor_delay_ms),
            member="0x" + self.leaf[2:22].hex(),
            signature="0x" + self.leaf[-65:].hex(),
        )


def load_placed(connection: sqlite3.Connection, entry_ids: Sequence[bytes]) -> list[Placed]:
    """Return where events of this node's log stand, in the order asked for.

    Raises:
        IntegrityError: an entry or its event is missing (``entry_missing``).
    """
    events = load_by_entries(connection, entry_ids)
    placed = []
    for entry_id in entry_ids:
        event, entry = events.get(entry_id), load_entry(connection, entry_id)
        if event is None or entry is None:
            raise IntegrityError("entry_missing", f"no entry 0x{entry_id.hex()} in the log")
        placed.append(
            Placed(
                entry_id,
                entry.leaf,
                entry.leaf_index,
                event.content_hash,
                event.event_hash,
                event.event_id,
            )
        )
    return placed
