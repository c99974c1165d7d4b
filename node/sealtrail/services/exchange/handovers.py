"""Which events go with a shipment: the shipping event, and as much history as the disclosure policy gives.

The history of a shipment is that of everything in it, containment resolved as it stood when it was shipped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from sealtrail.epcis import RecordedEvent, read_content
from sealtrail.epcis.events import AggregationEvent, AnyEvent
from sealtrail.errors import InputError, IntegrityError
from sealtrail.gs1 import canonical
from sealtrail.store.contents import parse_content

# Containers in containers: pack, bundle, case, layer, pallet, container, and some to spare.
DEPTH_MAX = 12
ITEMS_MAX = 500_000  # a lorry of packs; they are held in memory
_CHUNK = 256
# A declaration repeats the event that it declares erroneous: neither put anything anywhere.
_DECLARED = (
    "EXISTS (SELECT 1 FROM event AS declaration WHERE (declaration.event_id = event.event_id"
    " OR event.event_id IS NULL AND declaration.event_id IS NULL"
    " AND declaration.event_hash = event.event_hash)"
    " AND declaration.member = event.member AND declaration.is_declaration)"
)


class Policy(StrEnum):
    """What a receiver gets to see of the history.

    ``default``: commissioning, containment and the sender's own handover: nothing that names others' business.
    ``all``: every event known here on what is shipped and on what contained it on its way.
    """

    DEFAULT = "default"
    ALL = "all"


class Consigned(msgspec.Struct, frozen=True, kw_only=True):
    """What goes with a shipment: its history's entry ids, its own last; ``cut`` if it has too many items for all."""

    entry_ids: tuple[bytes, ...]
    cut: bool


class _Change(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregation event of a container, as far as containment goes."""

    event_row: int
    entry_id: bytes
    time_us: int
    parent: str | None
    children: frozenset[str]
    action: str


def history_of(
    connection: sqlite3.Connection, shipped: RecordedEvent, entry_id: bytes, policy: Policy
) -> Consigned:
    """Return what goes with a shipping event."""
    until_us = shipped.event.event_time.epoch_us
    aggregations = _Aggregations(connection)
    contents = _Contents(aggregations, until_us)
    inside = contents.resolve({mention.item for mention in shipped.items})
    entries = dict.fromkeys(contents.entry_ids)
    if policy is Policy.ALL:
        entries.update(dict.fromkeys(_events_of(connection, inside)))
        entries.update(dict.fromkeys(_events_of_containers(connection, aggregations, inside)))
    else:
        entries.update(dict.fromkeys(_origins_of(connection, inside)))
    entries.pop(entry_id, None)
    return Consigned(entry_ids=(*entries, entry_id), cut=contents.cut)


class _Aggregations:
    """Aggregation events by the items they name; each is read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._read: dict[int, _Change] = {}

    def of_parent(self, parent: str) -> list[_Change]:
        """Return the events in which the item is the container, by time."""
        return self._of(parent, "= 'parent'")

    def of_child(self, item: str) -> list[_Change]:
        """Return the events in which the item is put in or taken out, by time."""
        return self._of(item, "IN ('epc', 'class')")

    def _of(self, item: str, place: str) -> list[_Change]:
        rows = self._connection.execute(
            "SELECT event_row FROM event JOIN event_item USING (event_row)"
            " WHERE item = ? AND event_type = 'AggregationEvent' AND content IS NOT NULL"
            f" AND place {place} AND NOT {_DECLARED} ORDER BY event_time_us, event_row",
            (item,),
        ).fetchall()
        return [self._change(event_row) for (event_row,) in rows]

    def _change(self, event_row: int) -> _Change:
        if event_row not in self._read:
            row = self._connection.execute(
                "SELECT entry_id, event_time_us, action, content, media_type FROM event"
                " WHERE event_row = ?",
                (event_row,),
            ).fetchone()
            self._read[event_row] = _change(event_row, *row)
        return self._read[event_row]


class _Contents:
    """Resolves what is in containers at one time, and remembers the events that say so."""

    def __init__(self, aggregations: _Aggregations, until_us: int) -> None:
        self._aggregations = aggregations
        self._until_us = until_us
        self.entry_ids: list[bytes] = []
        self.cut = False

    def resolve(self, items: set[str]) -> set[str]:
        """Return the items and everything inside them, as far as ``ITEMS_MAX`` goes."""
        found, edge = set(items), set(items)
        for _ in range(DEPTH_MAX):
            edge = {child for parent in edge for child in self._inside(parent)} - found
            if not edge:
                break
            if len(found) + len(edge) > ITEMS_MAX:
                self.cut = True
                break
            found |= edge
        return found

    def _inside(self, parent: str) -> frozenset[str]:
        children: frozenset[str] = frozenset()
        behind: list[bytes] = []
        for change in self._aggregations.of_parent(parent):
            if change.time_us > self._until_us:
                break
            if change.action == "ADD":
                children |= change.children
                behind.append(change.entry_id)
            elif change.action == "DELETE":
                children = children - change.children if change.children else frozenset()
                behind = [*behind, change.entry_id] if children else []
        self.entry_ids += behind
        return children


def _events_of(connection: sqlite3.Connection, items: Iterable[str]) -> list[bytes]:
    return _select(
        connection,
        "SELECT event_row, entry_id FROM event WHERE event_row IN"
        " (SELECT event_row FROM event_item WHERE item IN ({marks}))",
        items,
    )


def _origins_of(connection: sqlite3.Connection, items: Iterable[str]) -> list[bytes]:
    """Return the events that brought the items into being; their corrections, which repeat them, included."""
    return _select(
        connection,
        "SELECT event_row, entry_id FROM event WHERE event_row IN"
        " (SELECT event_row FROM event_item WHERE item IN ({marks}))"
        " AND (biz_step IN ('commissioning', 'creating_class_instance') AND instr(event_type, ':') = 0"
        " OR event_type = 'TransformationEvent')",
        items,
    )


def _events_of_containers(
    connection: sqlite3.Connection, aggregations: _Aggregations, items: set[str]
) -> list[bytes]:
    """Return the events of whatever contained the items, for as long as it did; then of what contained that."""
    found: list[tuple[int, bytes]] = []
    seen, edge = set(items), {(item, 0, _FOREVER) for item in items}
    for _ in range(DEPTH_MAX):
        stays = {
            stay for item, first, last in edge for stay in _stays(aggregations, item, first, last)
        }
        edge = {stay for stay in stays if stay[0] not in seen}
        if not edge:
            break
        seen |= {parent for parent, _, _ in edge}
        for parent, first, last in edge:
            found += connection.execute(
                "SELECT event_row, entry_id FROM event JOIN event_item USING (event_row)"
                " WHERE item = ? AND event_time_us BETWEEN ? AND ?",
                (parent, first, last),
            ).fetchall()
    return [entry_id for _, entry_id in sorted(set(found))]


_FOREVER = (1 << 63) - 1


def _stays(
    aggregations: _Aggregations, item: str, first: int, last: int
) -> list[tuple[str, int, int]]:
    """Return (container, from, until) for each time that the item was inside something, in microseconds."""
    stays: list[tuple[str, int, int]] = []
    entered = [
        (change.parent, change.time_us)
        for change in aggregations.of_child(item)
        if change.action == "ADD" and change.parent and first <= change.time_us <= last
    ]
    for parent, since in entered:
        left = _left_at(aggregations, parent, item, since)
        stays.append((parent, since, min(left, last)))
    return stays


def _left_at(aggregations: _Aggregations, parent: str, item: str, since: int) -> int:
    for change in aggregations.of_parent(parent):
        emptied = change.action == "DELETE" and (not change.children or item in change.children)
        if emptied and change.time_us >= since:
            return change.time_us
    return _FOREVER


def _change(
    event_row: int, entry_id: bytes, time_us: int, action: str, content: bytes, media_type: str
) -> _Change:
    event = _read(content, media_type)
    parent, children = None, frozenset[str]()
    if isinstance(event, AggregationEvent):
        parent = canonical(event.parent_id) if event.parent_id else None
        named: Sequence[str] = [
            *event.child_epcs,
            *(q.epc_class for q in event.child_quantity_list),
        ]
        children = frozenset(map(canonical, named))
    return _Change(
        event_row=event_row,
        entry_id=entry_id,
        time_us=time_us,
        parent=parent,
        children=children,
        action=action,
    )


def _read(content: bytes, media_type: str) -> AnyEvent | None:
    try:
        return read_content(parse_content(content), media_type).event
    except (InputError, IntegrityError):
        return None  # damaged here: it shows nothing, and must not hold up the shipment


def _select(connection: sqlite3.Connection, query: str, items: Iterable[str]) -> list[bytes]:
    wanted = list(items)
    rows: set[tuple[int, bytes]] = set()
    for at in range(0, len(wanted), _CHUNK):
        chunk = wanted[at : at + _CHUNK]
        rows.update(connection.execute(query.format(marks=", ".join("?" * len(chunk))), chunk))
    return [entry_id for _, entry_id in sorted(rows)]
