"""The tables by which events are found: exactly what the contents name and say, no more and no fewer.

They are in the order of items, terms and values, contents in the order of events. So what each event is found by is
counted on both sides (:mod:`sealtrail.services.fsck.counting`), and looked up one by one only where the counts differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from sealtrail.epcis import read_content
from sealtrail.errors import SealtrailError
from sealtrail.log.tree import split_hashes
from sealtrail.services.fsck import foreign_entries, own_entries
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.counting import MODULUS, Counting, Sums, decode_sums
from sealtrail.services.fsck.events import TERM, VALUE, found_by, term_pair, value_pair
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.signing import item_key
from sealtrail.store.contents import parse_content

_NAMED_MAX = 500  # events
_ITEM, _TERM, _VALUE, _GAP = "event_item", "event_term", "event_value", "event_index_gap"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Count all of the tables."""
    counting = Counting(scope.subject.counting_key)
    totals: dict[int, int] = {}
    for event_row, pair in _pairs(scope):
        totals[event_row] = totals.get(event_row, 0) + counting.one(*pair)
    sums = Sums()
    for event_row, total in totals.items():
        sums.add(event_row, total % MODULUS)
    return Findings(carried=sums.encode())


def _pairs(scope: Scope, where: str = "") -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield (event row, pair) of every row of the tables."""
    for item, place, event_row in scope.connection.execute(
        f"SELECT item, place, event_row FROM event_item {where}"
    ):
        yield event_row, (item, place)
    # of events that are being taken in nothing is expected there yet
    lacks = scope.gap.lacks
    for term, event_row in scope.connection.execute(
        f"SELECT term, event_row FROM event_term {where}"
    ):
        if not lacks(event_row):
            yield event_row, term_pair(term)
    for name, value, event_row in scope.connection.execute(
        f"SELECT name, value, event_row FROM event_value {where}"
    ):
        if not lacks(event_row):
            yield event_row, value_pair(name, value)


def finish(scope: Scope, carried: Mapping[str, Sequence[bytes]]) -> Findings:
    """Compare what the tables count with what the contents do, and name what is too many or wanting."""
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
    _check_gap(scope, found)
    return found


def _check_erased(scope: Scope, found: Findings) -> None:
    """An erased event is found by nothing but what its item keys stand for; by how much of that, nothing says."""
    rows = scope.connection.execute(
        "SELECT event_row, coalesce(own.item_keys, f.item_keys), CASE WHEN own.leaf IS NULL THEN l.item_salt END,"
        " own.leaf IS NOT NULL, content_hash = event.entry_id FROM event"
        " LEFT JOIN entry AS own ON own.leaf_index = event.leaf_index"
        " LEFT JOIN foreign_entry AS f ON f.entry_id = event.entry_id"
        " LEFT JOIN foreign_log AS l ON l.member = event.member WHERE content IS NULL"
    ).fetchall()
    stored = _stored_items(scope, [row[0] for row in rows])
    for event_row, item_keys, log_salt, is_own, erased in rows:
        salt = scope.item_salt if is_own else log_salt
        if salt is None or item_keys is None:
            continue
        keys = set(split_hashes(item_keys))
        items = stored.get(event_row, set())
        named = {each for each in items if item_key(salt, each[0], packs=each[1] == "lot") in keys}
        if not erased:  # lost, which is said elsewhere: what it was found by may be right
            named |= {each for each in items if each[1] in (TERM, VALUE)}
        _name(found, event_row, items, named)


def _check_gap(scope: Scope, found: Findings) -> None:
    """How far events of an earlier version are taken in: too little does no harm, too much would hide some."""
    last = scope.count("SELECT coalesce(max(event_row), 0) FROM event")
    rows = scope.connection.execute("SELECT id, event_row, until FROM event_index_gap").fetchall()
    if not rows:
        found.add("row_missing", _GAP, {"id": 1}, "the node could not tell what is indexed")
    for number, event_row, until in rows:
        if number != 1 or not 0 <= event_row <= until <= last:
            message = f"up to event {event_row} of {until}, and there are {last}"
            found.add("state_contradicts", _GAP, {"id": number}, message)


def _sums(data: Iterable[bytes]) -> Iterable[tuple[int, int]]:
    return (pair for each in data for pair in decode_sums(each))


def _is_event(scope: Scope, event_row: int) -> bool:
    return scope.count("SELECT count(*) FROM event WHERE event_row = ?", event_row) > 0


def _stored_items(scope: Scope, event_rows: Sequence[int]) -> dict[int, set[tuple[str, str]]]:
    """Return event row → pairs; one pass over the tables, which have no index by event."""
    found: dict[int, set[tuple[str, str]]] = {}
    for start in range(0, len(event_rows), _NAMED_MAX):
        part = event_rows[start : start + _NAMED_MAX]
        where = f"WHERE event_row IN ({', '.join(map(str, part))})"
        for event_row, pair in _pairs(scope, where):
            found.setdefault(event_row, set()).add(pair)
    return found


def _expected(scope: Scope, event_row: int) -> set[tuple[str, str]] | None:
    """Return what an event is found by, nothing if it is gone; None if it can't be read, or was erased meanwhile."""
    row = scope.connection.execute(
        "SELECT content, media_type FROM event WHERE event_row = ?", (event_row,)
    ).fetchone()
    if row is None:
        return set()
    if row[0] is None:
        return None
    try:
        recorded = read_content(parse_content(row[0]), row[1])
    except SealtrailError:
        return None
    return set(found_by(recorded, indexed=not scope.gap.lacks(event_row)))


def _name(
    found: Findings, event_row: int, stored: set[tuple[str, str]], expected: set[tuple[str, str]]
) -> None:
    for pair in sorted(stored - expected):
        table, key = _named(event_row, pair)
        found.add("item_unexpected", table, key, "the event does not say it, or is gone")
    for pair in sorted(expected - stored):
        table, key = _named(event_row, pair)
        found.add("item_missing", table, key, "the event says it, and is not found by it")


def _named(event_row: int, pair: tuple[str, str]) -> tuple[str, dict[str, str | int]]:
    """Return the table and the key of the row that a pair stands for."""
    text, place = pair
    if place == TERM:
        return _TERM, {"term": int(text), "event_row": event_row}
    if place == VALUE:
        name, kind, value = text.split(" ", 2)
        read = int(value) if kind == "int" else value
        return _VALUE, {"name": int(name), "value": read, "event_row": event_row}
    return _ITEM, {"item": text, "place": place, "event_row": event_row}


CHECK = Check(
    name="event items",
    tables=(
        _ITEM,
        _TERM,
        _VALUE,
        _GAP,
        "extension_prefix",
    ),  # the last rests on nothing, nor anything on it
    look=look,
    span=lambda scope: (0, scope.count("SELECT max(event_row) FROM event")),
    weight=0.02,
    finish=finish,
)
