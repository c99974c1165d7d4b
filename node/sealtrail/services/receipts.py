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


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """Says that an event is durably recorded, where, and by when it will be in an anchored checkpoint.

    Digests, addresses and the signature are ``0x`` hex; times RFC 3339 in UTC. ``signature`` is the
    member's over ``entry_id``: whoever holds it can show the entry if the log leaves it out.
    """

    entry_id: str
    leaf_index: int
    content_hash: str
    event_hash: str
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


def make_receipt(
    *,
    entry_id: bytes,
    leaf: bytes,
    leaf_index: int,
    content_hash: bytes,
    event_hash: bytes,
    event_id: str,
    anchor_delay_ms: int,
) -> Receipt:
    """Return the receipt for an entry; ``anchor_delay_ms`` is the network's maximum delay."""
    # Version, kind, member, record time: docs/protocol.md section 5.
    record_time_ms = int.from_bytes(leaf[22:30], "big")
    return Receipt(
        entry_id="0x" + entry_id.hex(),
        leaf_index=leaf_index,
        content_hash="0x" + content_hash.hex(),
        event_hash=event_hash_uri(event_hash),
        event_id=event_id,
        record_time=rfc3339(record_time_ms),
        anchor_by=rfc3339(record_time_ms + anchor_delay_ms),
        member="0x" + leaf[2:22].hex(),
        signature="0x" + leaf[-65:].hex(),
    )


def load_receipts(
    connection: sqlite3.Connection, entry_ids: Sequence[bytes], *, anchor_delay_ms: int
) -> list[Receipt]:
    """Return the receipts of entries in this node's log, in the order asked for.

    Raises:
        IntegrityError: an entry or its event is missing (``entry_missing``).
    """
    events = load_by_entries(connection, entry_ids)
    receipts = []
    for entry_id in entry_ids:
        event, entry = events.get(entry_id), load_entry(connection, entry_id)
        if event is None or entry is None:
            raise IntegrityError("entry_missing", f"no entry 0x{entry_id.hex()} in the log")
        receipts.append(
            make_receipt(
                entry_id=entry_id,
                leaf=entry.leaf,
                leaf_index=entry.leaf_index,
                content_hash=event.content_hash,
                event_hash=event.event_hash,
                event_id=event.event_id,
                anchor_delay_ms=anchor_delay_ms,
            )
        )
    return receipts
