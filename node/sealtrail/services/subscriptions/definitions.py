"""A named query's definition, as JSON, and what it asks of events.

Source: EPCIS 2.0 query schema; section 8.2.7.1 for the parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from sealtrail.epcis.query import EventFilter, each_given_once, parse_filter, refusal
from sealtrail.errors import InputError

# How much is answered, and in which order: of an answer, not of an event. A subscription has its own.
_LIMITS = frozenset({"eventCountLimit", "maxEventCount"})


def parameters_of(definition: Mapping[str, Any]) -> dict[str, str]:
    """Return a definition's parameters as the REST binding spells them in a URL.

    Raises:
        InputError: ``query_parameter_invalid``.
    """
    return {name: _spelt(name, value) for name, value in definition.items() if name != "@context"}


def filter_of(definition: Mapping[str, Any]) -> EventFilter:
    """Return what a definition asks of an event; how much of it, and in which order, is not asked of one.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_invalid``.
    """
    wanted = parse_filter(each_given_once(parameters_of(definition).items()))
    return msgspec.structs.replace(wanted, order_by="arrival", descending=False)


def refuse_limits(definition: Mapping[str, Any]) -> None:
    """Refuse to subscribe to a query that leaves out what is more than some number: each event is to be delivered.

    Raises:
        InputError: ``subscription_controls_limited``.
    """
    for name in _LIMITS & definition.keys():
        raise InputError(
            "subscription_controls_limited",
            f"the query has {name}: what is more would be left out, and never delivered",
            advice=f"subscribe to a query without {name}; documents are cut into batches anyway",
        )


def _spelt(name: str, value: Any) -> str:
    if isinstance(value, list):
        if not value or any(not isinstance(each, str | int | float) for each in value):
            raise refusal("invalid", name, f"{name} takes a list of values")
        return "|".join(_spelt(name, each) for each in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise refusal("invalid", name, f"{name} takes text, a number, or a list of them")
