"""A named query's definition, the JSON object of its client, and what it asks of events.

Source: EPCIS 2.0 query schema; section 8.2.7.1 for the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from sqlite3 import Connection
from typing import Any

from sealtrail.epcis.query import EventFilter, Prefixes, parse_query_object
from sealtrail.errors import InputError
from sealtrail.store.event_index import load_prefixes


def with_prefixes(definition: dict[str, Any], prefixes: Mapping[str, str]) -> dict[str, Any]:
    """Return a definition that says itself what the prefixes of its extensions stand for."""
    if not prefixes:
        return definition
    own = definition.get("@context", [])
    return {**definition, "@context": [dict(prefixes), *(own if isinstance(own, list) else [own])]}


def filter_of(definition: Mapping[str, Any], used: Prefixes) -> EventFilter:
    """Return what a definition asks of an event, and how much of it in which order.

    Args:
        used: what prefixes stand for in recorded events, where the definition does not say it.

    Raises:
        InputError: as :func:`parse_query_object`.
    """
    return parse_query_object(definition, used=used)


def load_filter(connection: Connection, definition: Mapping[str, Any]) -> EventFilter:
    """Return what :func:`filter_of` does, by the events that are recorded by now."""
    return filter_of(definition, load_prefixes(connection))


def refuse_limits(wanted: EventFilter) -> None:
    """Refuse to subscribe to a query that leaves out what is more than some number: each event is to be delivered.

    Raises:
        InputError: ``subscription_controls_limited``.
    """
    if wanted.event_count_limit is not None or wanted.max_event_count is not None:
        raise InputError(
            "subscription_controls_limited",
            "the query limits how many events it finds: what is more would never be delivered",
            advice="subscribe to one without eventCountLimit and maxEventCount; deliveries come in batches anyway",
        )
