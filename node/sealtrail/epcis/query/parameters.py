"""Queries as clients write them: parameters of a URL, and the JSON object of a named query.

Both become one :class:`~sealtrail.epcis.query.conditions.EventFilter`. Every parameter is known or refused: one that is
silently ignored would answer another question.

Source: EPCIS 2.0 section 8.2.7.1, its REST binding (section 12) and query schema.
"""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sealtrail.epcis.query.conditions import ARRIVAL, Condition, EventFilter, TimeRange
from sealtrail.epcis.query.families import family_reader, field_names
from sealtrail.epcis.query.names import Prefixes
from sealtrail.epcis.query.readers import FIXED, Reader, one
from sealtrail.epcis.query.refusals import invalid, refusal, unknown
from sealtrail.errors import InputError

VALUES_MAX = 100  # values of one parameter
PARAMETERS_MAX = 64  # of one query
_NAME_CHARACTERS_MAX = 2_048
_COUNT_DIGITS_MAX = 15
LISTING = frozenset({"orderBy", "orderDirection", "eventCountLimit", "maxEventCount"})
PAGING = frozenset({"perPage", "nextPageToken"})

Given = Mapping[str, tuple[str, ...]]


def parse_filter(
    given: Mapping[str, str],
    *,
    prefixes: Mapping[str, str] | None = None,
    used: Prefixes | None = None,
) -> EventFilter:
    """Read the parameters of a URL, several values joined with ``|``; those of paging are passed over.

    Args:
        prefixes: what prefixes of extension names stand for (header ``GS1-Extensions``).
        used: what prefixes stand for in events that are recorded, where the query does not say it.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_invalid``, ``query_parameter_conflict``, with the
            parameter in ``pointer``.
    """
    listed = {n: tuple(text.split("|")) for n, text in given.items() if n not in PAGING}
    return _filter(listed, _known(used, prefixes))


def parse_query_object(
    query: Any,
    *,
    prefixes: Mapping[str, str] | None = None,
    used: Prefixes | None = None,
) -> EventFilter:
    """Read the JSON object of a query; its ``@context`` may define prefixes.

    Raises:
        InputError: as :func:`parse_filter`, and ``query_malformed``.
    """
    if not isinstance(query, dict):
        raise InputError("query_malformed", "A query is a JSON object of parameters.")
    known = _known(used, prefixes, _prefixes_of(query.get("@context")))
    listed = {
        name: _texts(name, value)
        for name, value in query.items()
        if name != "@context" and name not in PAGING
    }
    return _filter(listed, known)


def filter_of_query(query: str, *, prefixes: Mapping[str, str] | None = None) -> EventFilter:
    """Read a URL's query string.

    Raises:
        InputError: as :func:`parse_filter`, and ``query_parameter_repeated``.
    """
    try:
        pairs = urllib.parse.parse_qsl(
            query, keep_blank_values=True, errors="strict", max_num_fields=PARAMETERS_MAX
        )
    except ValueError as e:  # not UTF-8, or too many
        raise refusal("invalid", "", f"no query string: {e}") from e
    return parse_filter(each_given_once(pairs), prefixes=prefixes)


def each_given_once(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters by their names.

    Raises:
        InputError: ``query_parameter_repeated``, with the parameter in ``pointer``.
    """
    listed = list(pairs)
    for name, count in Counter(name for name, _ in listed).items():
        if count > 1:
            raise refusal("repeated", name, f"{name} is given twice; join values with |")
    return dict(listed)


def parse_extensions(header: str) -> dict[str, str]:
    """Return the prefixes that a ``GS1-Extensions`` header defines: ``prefix=namespace``, joined with commas.

    Raises:
        InputError: ``extensions_malformed``.
    """
    found: dict[str, str] = {}
    for part in filter(None, map(str.strip, header.split(","))):
        prefix, equals, namespace = part.partition("=")
        if not (equals and prefix.strip() and ":" in namespace and part.isprintable()):
            raise InputError(
                "extensions_malformed",
                f"{part[:100]!r} is not prefix=namespace",
                pointer="GS1-Extensions",
            )
        found[prefix.strip()] = namespace.strip()
    return found


def _known(used: Prefixes | None, *defined: Mapping[str, str] | None) -> Prefixes:
    known = dict(used or {})
    for prefixes in defined:
        known.update({prefix: (namespace,) for prefix, namespace in (prefixes or {}).items()})
    return known


def _filter(given: Given, prefixes: Prefixes) -> EventFilter:
    if len(given) > PARAMETERS_MAX:
        raise refusal("invalid", "", f"a query has at most {PARAMETERS_MAX} parameters")
    conditions: list[Condition] = []
    for name, values in given.items():
        if name in LISTING:
            continue
        reader = _reader(name, prefixes)
        _check_values(name, values)
        condition = reader(name, values)
        if condition is not None:
            conditions.append(condition)
    order_by, descending = _order(given, prefixes)
    limit, most = _count("eventCountLimit", given), _count("maxEventCount", given)
    if limit is not None and most is not None:
        raise refusal(
            "conflict", "maxEventCount", "eventCountLimit and maxEventCount exclude each other"
        )
    if limit is not None and "orderBy" not in given:
        raise refusal("conflict", "eventCountLimit", "eventCountLimit needs orderBy")
    return EventFilter(
        conditions=_joined(conditions),
        order_by=order_by,
        descending=descending,
        event_count_limit=limit,
        max_event_count=most,
    )


def _reader(name: str, prefixes: Prefixes) -> Reader:
    if len(name) > _NAME_CHARACTERS_MAX:
        raise unknown(name)
    reader = FIXED.get(name) or family_reader(name, prefixes)
    if reader is None:
        raise unknown(name)
    return reader


def _check_values(name: str, values: tuple[str, ...]) -> None:
    empty = not all(values) and not name.startswith("EXISTS_")
    if empty or not 0 < len(values) <= VALUES_MAX:
        raise invalid(name, f"takes 1 to {VALUES_MAX} values, in a URL joined with |")


def _joined(conditions: list[Condition]) -> tuple[Condition, ...]:
    """Make one range of what is asked of one time."""
    ranges: dict[str, TimeRange] = {}
    others: list[Condition] = []
    for each in conditions:
        if not isinstance(each, TimeRange):
            others.append(each)
            continue
        known = ranges.get(each.of, each)
        ranges[each.of] = TimeRange(
            of=each.of,
            start=known.start if each.start is None else each.start,
            end=known.end if each.end is None else each.end,
        )
    return (*ranges.values(), *others)


def _order(given: Given, prefixes: Prefixes) -> tuple[str, bool]:
    direction = one("orderDirection", given.get("orderDirection", ("DESC",)))
    if direction not in ("ASC", "DESC"):
        raise invalid("orderDirection", "takes ASC or DESC")
    if "orderBy" not in given:
        return ARRIVAL, False
    order = one("orderBy", given["orderBy"])
    if order not in ("eventTime", "recordTime"):
        if ":" not in order and "#" not in order:
            raise invalid(
                "orderBy", "takes eventTime, recordTime or the name of an extension field"
            )
        order = field_names("orderBy", order, prefixes)[0]
    return order, direction == "DESC"


def _count(name: str, given: Given) -> int | None:
    if name not in given:
        return None
    text = one(name, given[name])
    if not (text.isascii() and text.isdigit() and len(text) <= _COUNT_DIGITS_MAX and int(text)):
        raise invalid(name, f"is {text[:40]!r}, expected a whole number above 0")
    return int(text)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """Return a parameter's JSON value as the texts that a URL would have."""
    if isinstance(value, list):
        return tuple(_text(name, element) for element in value)
    return (_text(name, value),)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    raise invalid(name, "takes texts, numbers, true or false, or a list of them")


def _prefixes_of(context: Any) -> dict[str, str]:
    """Return the prefixes that a context defines, as far as it does so in place; none is fetched."""
    found: dict[str, str] = {}
    for part in context if isinstance(context, list) else [context]:
        if not isinstance(part, dict):
            continue
        for prefix, definition in part.items():
            namespace = definition.get("@id") if isinstance(definition, dict) else definition
            if isinstance(namespace, str) and not prefix.startswith("@"):
                found[prefix] = namespace
    return found
