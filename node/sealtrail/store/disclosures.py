"""Which events were shown to which member: who relied on them. Functions over one connection."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

# Values of one statement's IN list at most.
_CHUNK = 256


def disclose(connection: sqlite3.Connection, entry_ids: Sequence[bytes], recipient: bytes) -> None:
    """Note that a member is about to be shown the events of those entries; harmless to repeat."""
    for chunk in _chunks(entry_ids):
        connection.execute(
            "INSERT OR IGNORE INTO disclosed (event_row, recipient)"
            f" SELECT event_row, ? FROM event WHERE entry_id IN ({_marks(chunk)})",
            (recipient, *chunk),
        )


def told_of(connection: sqlite3.Connection, entry_ids: Sequence[bytes]) -> list[bytes]:
    """Return the members that were shown any of those entries' events, or for whom one waits to be sent."""
    found: set[bytes] = set()
    for chunk in _chunks(entry_ids):
        marks = _marks(chunk)
        rows = connection.execute(
            "SELECT recipient FROM event JOIN disclosed USING (event_row)"
            f" WHERE entry_id IN ({marks})"
            f" UNION SELECT recipient FROM delivery WHERE entry_id IN ({marks})",
            (*chunk, *chunk),
        )
        found.update(recipient for (recipient,) in rows)
    return sorted(found)


def shown_to(
    connection: sqlite3.Connection, entry_ids: Sequence[bytes], member: bytes
) -> set[bytes]:
    """Return which of those entries' events the member was shown, or handed to this node itself."""
    found: set[bytes] = set()
    for chunk in _chunks(entry_ids):
        marks = _marks(chunk)
        rows = connection.execute(
            "SELECT entry_id FROM event JOIN disclosed USING (event_row)"
            f" WHERE recipient = ? AND entry_id IN ({marks})"
            f" UNION SELECT entry_id FROM foreign_entry WHERE received_from = ? AND entry_id IN ({marks})",
            (member, *chunk, member, *chunk),
        )
        found.update(entry_id for (entry_id,) in rows)
    return found


def shared_items(connection: sqlite3.Connection, items: Sequence[str], member: bytes) -> bool:
    """Tell whether an event that names one of those items was shown to the member, or came from it."""
    for item in items:
        row = connection.execute(
            "SELECT 1 FROM event_item JOIN event USING (event_row) WHERE item = ? AND"
            " (EXISTS (SELECT 1 FROM disclosed WHERE disclosed.event_row = event.event_row"
            "  AND recipient = ?)"
            " OR EXISTS (SELECT 1 FROM foreign_entry WHERE foreign_entry.entry_id = event.entry_id"
            "  AND received_from = ?)) LIMIT 1",
            (item, member, member),
        ).fetchone()
        if row is not None:
            return True
    return False


def _chunks(values: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
