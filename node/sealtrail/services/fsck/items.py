"""The table by which events are found: exactly the items that the contents name, no more and no fewer.

It is in the order of items, contents in the order of events. So each event's items are counted on both sides
(:mod:`sealtrail.services.fsck.counting`), and looked up one by one only where the counts differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sealtrail.epcis import read_content
from sealtrail.errors import SealtrailError
from sealtrail.log.tree import split_hashes
from sealtrail.services.fsck import foreign_entries, own_entries
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.counting import MODULUS, Counting, Sums, decode_sums
from sealtrail.services.fsck.events import items_of
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.signing import item_key
from sealtrail.store.contents import parse_content

_NAMED_MAX = 500  # events
_ITEM = "event_item"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Count the whole table."""
    counting = Counting(scope.subject.counting_key)
    totals: dict[int, int] = {}
    for item, place, event_row in scope.connection.execute(
        "SELECT item, place, event_row FROM event_item"
    ):
        totals[event_row] = totals.get(event_row, 0) + counting.one(item, place)
    sums = Sums()
    for event_row, total in totals.items():
        sums.add(event_row, total % MODULUS)
    return Findings(carried=sums.encode())


def finish(scope: Scope, carried: Mapping[str, Sequence[bytes]]) -> Findings:
    """Compare what the table counts with what the contents do, and name what is too many or wanting."""
    stored = dict(_sums(carried[CHECK.name]))
    named = dict(_sums((*carried[own_entries.CHECK.name], *carried[foreign_entries.CHECK.name])))
    unlike = [row for row, total in named.items() if stored.get(row, 0) != total]
    # Those of events whose content is erased or damaged can't be compared; those of no event at all can.
    unlike += [row for row in stored if row not in named and not _is_event(scope, row)]
    found = Findings()
    chosen = sorted(unlike)[:_NAMED_MAX]
    rows = _stored_items(scope, chosen)
    for event_row in chosen:
        expected = _expected(scope, event_row)
        if expected is not None:
            _name(found, event_row, rows.get(event_row, set()), expected)
    _check_erased(scope, found)
    return found


def _check_erased(scope: Scope, found: Findings) -> None:
    """An erased event is found by nothing but what its item keys stand for; by how much of that, nothing says."""
    rows = scope.connection.execute(
        "SELECT event_row, coalesce(own.item_keys, f.item_keys), CASE WHEN own.leaf IS NULL THEN l.item_salt END,"
        " own.leaf IS NOT NULL FROM event LEFT JOIN entry AS own ON own.leaf_index = event.leaf_index"
        " LEFT JOIN foreign_entry AS f ON f.entry_id = event.entry_id"
        " LEFT JOIN foreign_log AS l ON l.member = event.member WHERE content IS NULL"
    ).fetchall()
    stored = _stored_items(scope, [row[0] for row in rows])
    for event_row, item_keys, log_salt, is_own in rows:
        salt = scope.item_salt if is_own else log_salt
        if salt is None or item_keys is None:
            continue
        keys = set(split_hashes(item_keys))
        items = stored.get(event_row, set())
        named = {each for each in items if item_key(salt, each[0], packs=each[1] == "lot") in keys}
        _name(found, event_row, items, named)


def _sums(data: Iterable[bytes]) -> Iterable[tuple[int, int]]:
    return (pair for each in data for pair in decode_sums(each))


def _is_event(scope: Scope, event_row: int) -> bool:
    return scope.count("SELECT count(*) FROM event WHERE event_row = ?", event_row) > 0


def _stored_items(scope: Scope, event_rows: Sequence[int]) -> dict[int, set[tuple[str, str]]]:
    """Return event row → (item, place); one pass over the table, which has no index by event."""
    found: dict[int, set[tuple[str, str]]] = {}
    for start in range(0, len(event_rows), _NAMED_MAX):
        part = event_rows[start : start + _NAMED_MAX]
        marks = ", ".join("?" * len(part))
        for event_row, item, place in scope.connection.execute(
            f"SELECT event_row, item, place FROM event_item WHERE event_row IN ({marks})",
            part,
        ):
            found.setdefault(event_row, set()).add((item, place))
    return found


def _expected(scope: Scope, event_row: int) -> set[tuple[str, str]] | None:
    """Return what an event names, nothing if it is gone; None if it can't be read, or was erased meanwhile."""
    row = scope.connection.execute(
        "SELECT content, media_type FROM event WHERE event_row = ?", (event_row,)
    ).fetchone()
    if row is None:
        return set()
    try:
        return (
            None if row[0] is None else set(items_of(read_content(parse_content(row[0]), row[1])))
        )
    except SealtrailError:
        return None


def _name(
    found: Findings, event_row: int, stored: set[tuple[str, str]], expected: set[tuple[str, str]]
) -> None:
    for item, place in sorted(stored - expected):
        key: dict[str, str | int] = {"item": item, "place": place, "event_row": event_row}
        found.add("item_unexpected", _ITEM, key, "the event does not name it there, or is gone")
    for item, place in sorted(expected - stored):
        key = {"item": item, "place": place, "event_row": event_row}
        found.add("item_missing", _ITEM, key, "the event names it there, and is not found by it")


CHECK = Check(
    name="event items",
    tables=(_ITEM,),
    look=look,
    span=lambda scope: (0, scope.count("SELECT max(event_row) FROM event")),
    weight=0.02,
    finish=finish,
)
