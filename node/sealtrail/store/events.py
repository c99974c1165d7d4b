"""Events in the database: what was recorded, and the items it names."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TypeAlias, TypeVar

import msgspec

from sealtrail.epcis import event_hash_uri
from sealtrail.errors import IntegrityError, NotFoundError
from sealtrail.store.bulk import insert_rows
from sealtrail.store.contents import HEAD_BYTES, content_size, parse_content
from sealtrail.store.event_index import insert_index, insert_prefixes

T = TypeVar("T")

# Values of one statement's IN list at most.
_CHUNK = 256


class NewEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event to store, in the order of the columns of :data:`_INSERT`.

    ``content`` as :mod:`sealtrail.store.contents` keeps it; ``event_id`` None where it is the event hash's own URI,
    as most are (it is a fifth of a row); ``items`` as (canonical identifier, place). What else it is found by
    (:class:`sealtrail.epcis.query.EventIndex`): ``terms``, and ``values`` as (name, value). ``prefixes`` are those of
    its own contexts, as (prefix, namespace).
    """

    member: bytes
    media_type: str
    content: bytes
    content_hash: bytes
    event_hash: bytes
    event_id: str | None
    is_declaration: bool
    hash_ambiguous: str | None
    event_type: str
    action: str | None
    biz_step: str | None
    disposition: str | None
    read_point: str | None
    biz_location: str | None
    event_time_us: int
    record_time_ms: int
    items: list[tuple[str, str]]
    terms: list[int]
    values: list[tuple[int, int | float | str]]
    prefixes: list[tuple[str, str]]


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event as stored; ``content`` is None once erased, ``leaf_index`` None in another member's log."""

    event_row: int
    member: bytes
    entry_id: bytes
    leaf_index: int | None
    media_type: str
    content: bytes | None
    content_hash: bytes
    event_hash: bytes
    event_id: str
    is_declaration: bool
    hash_ambiguous: str | None
    record_time_ms: int

    @property
    def erased(self) -> bool:
        """Tell whether it was erased for law: the entry's id then stands in the content hash's place."""
        return self.content is None and self.content_hash == self.entry_id


class EntrySize(msgspec.Struct, frozen=True):
    """How much an entry and its event have, in bytes; a content that was erased has none."""

    content_bytes: int = 0
    item_keys_bytes: int = 0
    references_bytes: int = 0


class Known(msgspec.Struct, frozen=True):
    """What tells whether another event is the same, its twin, a conflict, or the one that is declared wrong."""

    event_id: str
    content_hash: bytes
    entry_id: bytes
    is_declaration: bool
    media_type: str
    event_hash: bytes


Row: TypeAlias = tuple[
    int, bytes, bytes, int | None, str, bytes | None, bytes, bytes, str | None, int, str | None, int
]

COLUMNS = (
    "event_row, member, entry_id, leaf_index, media_type, content, content_hash, event_hash, event_id,"
    " is_declaration, hash_ambiguous, record_time_ms"
)
_INSERT = (
    "INSERT INTO event (event_row, entry_id, leaf_index, member, media_type, content, content_hash,"
    " event_hash, event_id, is_declaration, hash_ambiguous, event_type, action, biz_step, disposition,"
    " read_point, biz_location, event_time_us, record_time_ms)"
)
# An event may name an item twice in one place.
_INSERT_ITEM = "INSERT OR IGNORE INTO event_item (item, event_row, place)"


ERASED_EVENT_HASH = bytes(32)  # in the event hash's place once an event is erased

_HASH_URI = re.compile(r"ni:///sha-256;([0-9a-f]{64})\?ver=CBV2\.0")


def insert_events(
    connection: sqlite3.Connection, events: Sequence[tuple[bytes, int | None, NewEvent]]
) -> None:
    """Store events and their items; the caller has made sure that none is there yet.

    Args:
        events: entry id, leaf index (None in another member's log) and event.
    """
    first = connection.execute("SELECT coalesce(max(event_row), 0) + 1 FROM event").fetchone()[0]
    rows, items, index = [], [], []
    defined: dict[tuple[str, str], None] = {}
    for row, (entry_id, leaf_index, event) in enumerate(events, first):
        *columns, named, terms, values, prefixes = msgspec.structs.astuple(event)
        rows.append((row, entry_id, leaf_index, *columns))
        items += [(item, row, place) for item, place in named]
        index.append((row, terms, values))
        defined.update(dict.fromkeys(prefixes))
    insert_rows(connection, _INSERT, rows)
    insert_rows(connection, _INSERT_ITEM, items)
    insert_index(connection, index)
    insert_prefixes(connection, defined)


def known_contents(
    connection: sqlite3.Connection, member: bytes, content_hashes: Sequence[bytes]
) -> dict[bytes, bytes]:
    """Return content hash → entry id for those that ``member`` recorded already."""
    found: dict[bytes, bytes] = {}
    for chunk in _chunks(content_hashes):
        found.update(
            connection.execute(
                "SELECT content_hash, entry_id FROM event WHERE member = ?"
                f" AND content_hash IN ({_marks(chunk)})",
                (member, *chunk),
            )
        )
    return found


def known_ids(
    connection: sqlite3.Connection, member: bytes, event_ids: Sequence[str]
) -> list[Known]:
    """Return what ``member`` recorded under those event ids, in the order of recording."""
    found: list[Known] = []
    for chunk in _chunks(event_ids):
        rows = connection.execute(
            "SELECT event_id, event_hash, content_hash, entry_id, is_declaration, media_type FROM event"
            f" WHERE {with_ids(chunk)} AND member = ? ORDER BY event_row",
            (*ids_values(chunk), member),
        )
        found.extend(
            Known(_event_id(*row[:2]), row[2], row[3], bool(row[4]), row[5], row[1]) for row in rows
        )
    return found


def entries_with_ids(
    connection: sqlite3.Connection, event_ids: Sequence[str]
) -> dict[str, list[bytes]]:
    """Return event id → the entries of the events with that id, whoever recorded them; unknown ids are left out."""
    found: dict[str, list[bytes]] = {}
    for chunk in _chunks(event_ids):
        rows = connection.execute(
            "SELECT event_id, event_hash, entry_id FROM event"
            f" WHERE {with_ids(chunk)} ORDER BY event_row",
            ids_values(chunk),
        )
        for row in rows:
            found.setdefault(_event_id(*row[:2]), []).append(row[2])
    return found


def with_ids(event_ids: Sequence[str]) -> str:
    """Return the SQL condition for events with one of these ids; its values come from :func:`ids_values`."""
    hashes = len(hashes_of(event_ids))
    return (
        f"event_row IN (SELECT event_row FROM event WHERE event_id IN ({_marks(event_ids)})"
        f" UNION ALL SELECT event_row FROM event WHERE event_hash IN ({', '.join('?' * hashes)})"
        " AND event_id IS NULL)"
    )


def ids_values(event_ids: Sequence[str]) -> tuple[str | bytes, ...]:
    """Return the values that :func:`with_ids` asks for."""
    return (*event_ids, *hashes_of(event_ids))


def hashes_of(event_ids: Sequence[str]) -> list[bytes]:
    """Return the event hashes among the ids that are URIs of such."""
    matches = (_HASH_URI.fullmatch(event_id) for event_id in event_ids)
    return [bytes.fromhex(match[1]) for match in matches if match]


def load_by_entries(
    connection: sqlite3.Connection, entry_ids: Iterable[bytes]
) -> dict[bytes, StoredEvent]:
    """Return entry id → event for those that are known."""
    found: dict[bytes, StoredEvent] = {}
    for chunk in _chunks(list(entry_ids)):
        rows = connection.execute(
            f"SELECT {COLUMNS} FROM event WHERE entry_id IN ({_marks(chunk)})", chunk
        )
        found.update((event.entry_id, event) for event in map(stored_event, rows))
    return found


def known_entries(connection: sqlite3.Connection, entry_ids: Iterable[bytes]) -> set[bytes]:
    """Return which of those entries' events are known, without reading the events."""
    found: set[bytes] = set()
    for chunk in _chunks(list(entry_ids)):
        rows = connection.execute(
            f"SELECT entry_id FROM event WHERE entry_id IN ({_marks(chunk)})", chunk
        )
        found.update(entry_id for (entry_id,) in rows)
    return found


def entry_sizes(
    connection: sqlite3.Connection, entry_ids: Iterable[bytes]
) -> dict[bytes, EntrySize]:
    """Return entry id → how much the entry and its event have, without reading them."""
    found: dict[bytes, EntrySize] = {}
    for chunk in _chunks(list(entry_ids)):
        rows = connection.execute(
            f"SELECT event.entry_id, substr(content, 1, {HEAD_BYTES}),"
            " coalesce(length(own.item_keys), length(other.item_keys), 0),"
            " coalesce(length(own.refs), length(other.refs), 0)"
            " FROM event LEFT JOIN entry AS own USING (leaf_index)"
            " LEFT JOIN foreign_entry AS other ON other.entry_id = event.entry_id"
            f" WHERE event.entry_id IN ({_marks(chunk)})",
            chunk,
        )
        found.update((row[0], EntrySize(content_size(row[1] or b""), *row[2:])) for row in rows)
    return found


def load_by_event_id(connection: sqlite3.Connection, event_id: str) -> list[StoredEvent]:
    """Return every event of that id in the order of arrival: an error declaration shares its event's."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM event WHERE {with_ids((event_id,))} ORDER BY event_row",
        ids_values((event_id,)),
    )
    return [stored_event(row) for row in rows]


def load_by_event_hash(connection: sqlite3.Connection, event_hash: bytes) -> list[StoredEvent]:
    """Return every event of that CBV 2.0 hash in the order of arrival: equal hashes are no proof of equality."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM event WHERE event_hash = ? ORDER BY event_row", (event_hash,)
    )
    return [stored_event(row) for row in rows]


def load_by_item(connection: sqlite3.Connection, item: str) -> list[tuple[StoredEvent, str]]:
    """Return (event, place) for every event that names the canonical identifier, by event time."""
    columns = ", ".join(f"event.{name.strip()}" for name in COLUMNS.split(","))
    rows = connection.execute(
        f"SELECT {columns}, event_item.place FROM event_item JOIN event USING (event_row)"
        " WHERE event_item.item = ? ORDER BY event.event_time_us, event.event_row",
        (item,),
    )
    return [(stored_event(row[:-1]), row[-1]) for row in rows]


def require_content(event: StoredEvent) -> bytes:
    """Return the recorded bytes, after hashing them again.

    Raises:
        NotFoundError: erased (``content_erased``).
        IntegrityError: they aren't what was recorded (``content_corrupt``).
    """
    if event.content is None:
        raise NotFoundError(
            "content_erased",
            f"the content of entry 0x{event.entry_id.hex()} was erased; the entry remains",
            entry_id="0x" + event.entry_id.hex(),
        )
    if sha256(event.content).digest() != event.content_hash:
        raise IntegrityError(
            "content_corrupt",
            f"the stored content of entry 0x{event.entry_id.hex()} is not what was recorded",
            advice="the database was damaged or tampered with; restore a backup",
        )
    return event.content


def erased_event_id(entry_id: bytes) -> str:
    """Return what an erased event is called in place of its id."""
    return f"urn:x-sealtrail:erased:0x{entry_id.hex()}"


def stored_event(row: Row) -> StoredEvent:
    """Return the value of a row of :data:`COLUMNS`."""
    return StoredEvent(
        event_row=row[0],
        member=row[1],
        entry_id=row[2],
        leaf_index=row[3],
        media_type=row[4],
        content=None if row[5] is None else parse_content(row[5]),
        content_hash=row[6],
        event_hash=row[7],
        event_id=_event_id(row[8], row[7]),
        is_declaration=bool(row[9]),
        hash_ambiguous=row[10],
        record_time_ms=row[11],
    )


def _event_id(given: str | None, event_hash: bytes) -> str:
    return event_hash_uri(event_hash) if given is None else given


def _chunks(values: Sequence[T]) -> Iterable[Sequence[T]]:
    return (values[at : at + _CHUNK] for at in range(0, len(values), _CHUNK))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
