"""Further entries of a member over a content that it recorded before: it is kept once, each seed is its own.

A member that erased an event may record the same anew; one that means ill may do so at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sealtrail.errors import SealtrailError
from sealtrail.signing import Entry, event_disclosure_root, parse_leaf
from sealtrail.store import foreign
from sealtrail.store.events import StoredEvent


def is_over(
    entry: Entry, seed: bytes, content: bytes, *, content_hash: bytes, event_hash: bytes
) -> bool:
    """Tell whether an entry is over that content: whether its seed opens its disclosure root so."""
    try:
        root = event_disclosure_root(
            seed, content, content_hash=content_hash, event_hash=event_hash
        )
    except SealtrailError:  # it is no event's content
        return False
    return root == entry.disclosure_root


def further_entries(connection: sqlite3.Connection, events: Iterable[StoredEvent]) -> list[bytes]:
    """Return the ids of members' further entries over their events' contents, as far as their seeds are kept."""
    by_member: dict[bytes, list[StoredEvent]] = {}
    for event in events:
        by_member.setdefault(event.member, []).append(event)
    return [
        entry_id
        for member, own in by_member.items()
        for entry_id, leaf, seed in foreign.without_event(connection, member)
        if any(_is_over_event(parse_leaf(leaf).entry, seed, event) for event in own)
    ]


def _is_over_event(entry: Entry, seed: bytes, event: StoredEvent) -> bool:
    return event.content is not None and is_over(
        entry,
        seed,
        event.content,
        content_hash=event.content_hash,
        event_hash=event.event_hash,
    )
