"""Each condition of a query as SQL over the indexes: the rows for which it holds, and whether it holds for a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from sealtrail.epcis.query import (
    AnyOf,
    Compared,
    Condition,
    Has,
    ItemMatch,
    Pattern,
    TimeRange,
    WithId,
    term,
    value_name,
)
from sealtrail.errors import InputError
from sealtrail.store.events import hashes_of

_COMPARISONS = {"eq": "=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
TIME_COLUMNS = {"eventTime": "event_time_us", "recordTime": "record_time_ms"}
# Looked up row by row; of more, the rows are gathered once.
_LOOKUPS_MAX = 64
# A statement has 32,766 values at most, and a query may come to many more.
_MARKS_MAX = 16
_LAST_CHARACTER = "\U0010ffff"


class Binder:
    """Names the values of one statement."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def one(self, value: object) -> str:
        """Return the mark of a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return f":{name}"

    def listed(self, values: Sequence[int] | Sequence[float] | Sequence[str]) -> str:
        """Return what ``IN`` takes for several values: of many, one value that holds them all."""
        if len(values) > _MARKS_MAX:
            return f"(SELECT value FROM json_each({self.one(_json(values))}))"
        return f"({', '.join(map(self.one, values))})"


class Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A condition as SQL.

    Attributes:
        rows: a SELECT of event rows for which it holds, some perhaps twice; of one column, ``event_row``.
        holds: a condition for a row, with ``{row}`` in its place.
        terms: if the condition is that an event has one of these terms, they.
        live: no erased event is among the rows.
        time: of a condition on a time, which, and the condition on its column.
    """

    rows: str
    holds: str
    terms: tuple[int, ...] = ()
    live: bool = True
    time: tuple[str, str] | None = None


def clause_of(condition: Condition, binder: Binder) -> Clause:
    """Return the clause of a condition.

    Raises:
        InputError: ``query_needs_master_data``: the query was not resolved.
    """
    match condition:
        case Has(field, values):
            terms = [term(field, value) for value in values] if values else [term(field)]
            return _terms_clause(terms, binder)
        case Compared():
            return _compared_clause(condition, binder)
        case AnyOf(conditions):
            return _either([*_any_of(conditions, binder)])
        case ItemMatch():
            return _items_clause(condition, binder)
        case TimeRange():
            return _range_clause(condition, binder)
        case WithId(event_ids):
            return _ids_clause(event_ids, binder)
    raise InputError("query_needs_master_data", "master data is needed first")


def absence_of(field: str, binder: Binder) -> str:
    """Return the condition that a row's event does not have a field."""
    return f"NOT {_terms_clause([term(field)], binder).holds}"


def _gathered(rows: str, *, live: bool = True) -> Clause:
    return Clause(rows=rows, holds=f"{{row}} IN ({rows})", live=live)


def _terms_clause(terms: Sequence[int], binder: Binder) -> Clause:
    listed = binder.listed(terms)
    rows = f"SELECT event_row FROM event_term WHERE term IN {listed}"
    if len(terms) > _LOOKUPS_MAX:
        return _gathered(rows)
    holds = f"EXISTS (SELECT 1 FROM event_term WHERE term IN {listed} AND event_row = {{row}})"
    return Clause(rows=rows, holds=holds, terms=tuple(terms))


def _compared_clause(condition: Compared, binder: Binder) -> Clause:
    where = (
        f"name = {binder.one(value_name(condition.field, condition.kind))}"
        f" AND value {_COMPARISONS[condition.comparison]} {binder.one(condition.value)}"
    )
    return Clause(
        rows=f"SELECT event_row FROM event_value WHERE {where}",
        holds="EXISTS (SELECT 1 FROM event_value INDEXED BY event_value_by_event"
        f" WHERE event_row = {{row}} AND {where})",
    )


def _any_of(conditions: Sequence[Has | Compared], binder: Binder) -> Iterator[Clause]:
    """Yield clauses, one of which must hold: of values that a field is to equal, one for all of them."""
    equal: dict[int, list[int | float]] = {}
    for each in conditions:
        if isinstance(each, Compared) and each.comparison == "eq":
            equal.setdefault(value_name(each.field, each.kind), []).append(each.value)
        else:
            yield clause_of(each, binder)
    for name, values in equal.items():
        yield _gathered(
            f"SELECT event_row FROM event_value WHERE name = {binder.one(name)}"
            f" AND value IN {binder.listed(values)}"
        )


def _either(clauses: Sequence[Clause]) -> Clause:
    return Clause(
        rows=" UNION ALL ".join(clause.rows for clause in clauses),
        holds=f"({' OR '.join(clause.holds for clause in clauses)})",
        live=all(clause.live for clause in clauses),
    )


def _items_clause(match: ItemMatch, binder: Binder) -> Clause:
    places = binder.listed(match.places)
    clauses: list[Clause] = []
    if match.items:
        where = f"item IN {binder.listed(match.items)} AND place IN {places}"
        rows = f"SELECT event_row FROM event_item WHERE {where}"
        holds = f"EXISTS (SELECT 1 FROM event_item WHERE {where} AND event_row = {{row}})"
        if len(match.items) * len(match.places) > _LOOKUPS_MAX:
            holds = f"{{row}} IN ({rows})"
        clauses.append(Clause(rows=rows, holds=holds, live=False))
    if match.gtins:
        terms = [term(f"sgtin_{place}", gtin) for place in match.places for gtin in match.gtins]
        clauses.append(_terms_clause(terms, binder))
    if match.patterns:
        clauses.append(_gathered(_like(match.patterns, places, binder), live=False))
    if not clauses:
        return Clause(rows="SELECT event_row FROM event WHERE 0", holds="0")
    return clauses[0] if len(clauses) == 1 else _either(clauses)


def _like(patterns: Sequence[Pattern], places: str, binder: Binder) -> str:
    """Return the rows whose items begin as a pattern does, and go on as it says."""
    listed = binder.one(
        _json([(p.begins, p.begins + _LAST_CHARACTER, p.at, p.then) for p in patterns])
    )
    first, last, at, then = (f"json_extract(p.value, '$[{n}]')" for n in range(4))
    return (
        f"SELECT event_row FROM json_each({listed}) AS p CROSS JOIN event_item AS i"
        f" ON i.item >= {first} AND i.item < {last} WHERE i.place IN {places} AND CASE"
        f" WHEN {at} IS NULL THEN 1 WHEN {then} = '' THEN length(i.item) = {at}"
        f" ELSE substr(i.item, {at} + 1, length({then})) = {then} END"
    )


def _json(values: Sequence[object]) -> str:
    return msgspec.json.encode(values).decode()


def _range_clause(condition: TimeRange, binder: Binder) -> Clause:
    column = TIME_COLUMNS[condition.of]
    bounds = [
        f"{column} {comparison} {binder.one(bound)}"
        for comparison, bound in ((">=", condition.start), ("<", condition.end))
        if bound is not None
    ]
    where = " AND ".join(bounds)
    return Clause(
        rows=f"SELECT event_row FROM event WHERE {where}",
        holds=f"EXISTS (SELECT 1 FROM event WHERE event_row = {{row}} AND {where})",
        live=False,
        time=(condition.of, where),
    )


def _ids_clause(event_ids: Sequence[str], binder: Binder) -> Clause:
    hashes = hashes_of(event_ids)
    rows = f"SELECT event_row FROM event WHERE event_id IN {binder.listed(event_ids)}"
    if hashes:
        marks = ", ".join(map(binder.one, hashes))
        rows += (
            f" UNION ALL SELECT event_row FROM event WHERE event_hash IN ({marks})"
            " AND event_id IS NULL"
        )
    return _gathered(rows, live=False)
