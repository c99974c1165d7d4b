"""Where events name an item, by event time: what gathering a history asks. Functions over one connection."""

from __future__ import annotations

import sqlite3

import msgspec

from sealtrail.errors import IntegrityError
from sealtrail.store.contents import HEAD_BYTES, content_size

_NEVER = 1 << 62
# A class or lot is named beside every pack; a container as parent of everything packed into it.
_SELECT = (
    "SELECT event.entry_id, event_item.place, event.event_type, event.action, event.event_time_us,"
    f" substr(event.content, 1, {HEAD_BYTES}) FROM event_item JOIN event USING (event_row)"
)


class Mentioned(msgspec.Struct, frozen=True):
    """One event that names an item, in which place, and how long its content is (0 once erased)."""

    entry_id: bytes
    place: str
    event_type: str
    action: str | None
    event_time_us: int
    content_bytes: int

    @classmethod
    def of(cls, row: tuple[bytes, str, str, str | None, int, bytes | None]) -> Mentioned:
        """Return what a row of :data:`_SELECT` says."""
        return cls(*row[:5], content_size(row[5] or b""))

    @property
    def unpacks(self) -> bool:
        """Tell whether something was taken out of the item."""
        return (
            self.place == "parent"
            and self.event_type == "AggregationEvent"
            and self.action == "DELETE"
        )


class Note(msgspec.Struct, frozen=True):
    """What the store noted of an event whose content is of no use."""

    event_time_us: int
    biz_step: str | None
    disposition: str | None


def mentions(
    connection: sqlite3.Connection,
    item: str,
    *,
    since_us: int | None = None,
    until_us: int = _NEVER,
    limit: int,
) -> list[Mentioned]:
    """Return the events that name ``item``, by event time.

    Args:
        since_us: asks of a container: from that event time, and without what was packed into it.
    """
    if since_us is None:
        rows = connection.execute(
            f"{_SELECT} WHERE event_item.item = ? ORDER BY event.event_time_us, event_row LIMIT ?",
            (item, limit),
        )
    else:
        rows = connection.execute(
            f"{_SELECT} WHERE event_item.item = ? AND event.event_time_us BETWEEN ? AND ?"
            " AND NOT (place = 'parent' AND event_type = 'AggregationEvent' AND action <> 'DELETE')"
            " AND event_type <> 'AssociationEvent' ORDER BY event.event_time_us, event_row LIMIT ?",
            (item, since_us, until_us, limit),
        )
    return [Mentioned.of(row) for row in rows]


def last_packing(connection: sqlite3.Connection, item: str, before_us: int) -> Mentioned | None:
    """Return the aggregation by which ``item`` stood in something at that time; None if it was taken out."""
    row = connection.execute(
        f"{_SELECT} WHERE event_item.item = ? AND place = 'epc' AND event_type = 'AggregationEvent'"
        " AND event.event_time_us < ? ORDER BY event.event_time_us DESC, event_row DESC LIMIT 1",
        (item, before_us),
    ).fetchone()
    if row is None or row[3] == "DELETE":
        return None
    return Mentioned.of(row)


def class_mentions(connection: sqlite3.Connection, item: str, *, limit: int) -> list[Mentioned]:
    """Return the events that name a lot or class itself, not only packs of it."""
    rows = connection.execute(
        f"{_SELECT} WHERE event_item.item = ? AND place = 'class'"
        " ORDER BY event.event_time_us, event_row LIMIT ?",
        (item, limit),
    )
    return [Mentioned.of(row) for row in rows]


def known_items(connection: sqlite3.Connection, items: list[str]) -> list[str]:
    """Return those of ``items`` that some event names."""
    return [
        item
        for item in items
        if connection.execute("SELECT 1 FROM event_item WHERE item = ? LIMIT 1", (item,)).fetchone()
    ]


def noted(connection: sqlite3.Connection, entry_id: bytes) -> Note:
    """Return what the store noted of an event.

    Raises:
        IntegrityError: it has no such event (``entry_missing``).
    """
    row = connection.execute(
        "SELECT event_time_us, biz_step, disposition FROM event WHERE entry_id = ?", (entry_id,)
    ).fetchone()
    if row is None:
        raise IntegrityError("entry_missing", f"no event of entry 0x{entry_id.hex()}")
    return Note(*row)
