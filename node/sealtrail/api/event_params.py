"""Query parameters of ``GET /events`` (EPCIS 2.0 section 8.2.7.1, as the REST binding spells them).

Every parameter is known or refused: one that is silently ignored would answer another question.
"""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any

import msgspec
from multidict import MultiMapping

from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX
from sealtrail.epcis.query import EventFilter, each_given_once, parse_filter, refusal
from sealtrail.errors import InputError
from sealtrail.services.answers.queries import PageToken


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed query; ``total_max`` is eventCountLimit, ``refuse_over`` maxEventCount."""

    wanted: EventFilter
    per_page: int
    after: PageToken | None
    total_max: int | None
    refuse_over: int | None
    digest: bytes


def parse_query(parameters: MultiMapping[str]) -> EventQuery:
    """Read the parameters of an event query.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_invalid``, ``query_parameter_repeated``,
            ``query_parameter_conflict``, ``page_token_invalid``; each names the parameter in ``pointer``.
    """
    given = each_given_once(parameters.items())
    wanted = msgspec.structs.replace(parse_filter(given), **_order_of(given))
    digest = _digest(given)
    return EventQuery(
        wanted=wanted,
        per_page=min(_number("perPage", given.get("perPage", str(PER_PAGE_DEFAULT))), PER_PAGE_MAX),
        after=_page_token(given.get("nextPageToken"), digest),
        total_max=_optional_number("eventCountLimit", given),
        refuse_over=_optional_number("maxEventCount", given),
        digest=digest,
    )


def encode_page_token(token: PageToken, digest: bytes) -> str:
    """Return a token for clients to send back: where the listing goes on, bound to its query."""
    packed = msgspec.json.encode(msgspec.structs.replace(token, query=digest))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _page_token(text: str | None, digest: bytes) -> PageToken | None:
    if text is None:
        return None
    try:
        packed = base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
        token = msgspec.json.decode(packed, type=PageToken)
    except (ValueError, msgspec.DecodeError, RecursionError):
        token = None
    if token is None or token.query != digest or not _in_range(token):
        raise InputError(
            "page_token_invalid",
            "nextPageToken is not one that this query was given",
            pointer="nextPageToken",
            advice="follow the Link header without changing the query",
        )
    return token


def _in_range(token: PageToken) -> bool:
    """Tell whether the store can have given it: tokens aren't signed, and a LIMIT below 0 is none at all."""
    place = token.position
    return (token.left is None or token.left > 0) and all(
        -(1 << 63) <= number < 1 << 63 for number in (place.key, place.row)
    )


def _digest(given: dict[str, str]) -> bytes:
    query = sorted((n, v) for n, v in given.items() if n not in ("nextPageToken", "perPage"))
    return sha256(msgspec.json.encode(query)).digest()[:12]


def _order_of(given: dict[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    order, direction = given.get("orderBy"), given.get("orderDirection", "DESC")
    if order is not None:
        names = {"eventTime": "event_time", "recordTime": "record_time"}
        if order not in names:
            raise refusal("invalid", "orderBy", "orderBy takes eventTime or recordTime")
        fields["order_by"] = names[order]
    if direction not in ("ASC", "DESC"):
        raise refusal("invalid", "orderDirection", "orderDirection takes ASC or DESC")
    fields["descending"] = order is not None and direction == "DESC"
    if "eventCountLimit" in given and "maxEventCount" in given:
        raise refusal(
            "conflict", "maxEventCount", "eventCountLimit and maxEventCount exclude each other"
        )
    if "eventCountLimit" in given and order is None:
        raise refusal("conflict", "eventCountLimit", "eventCountLimit needs orderBy")
    return fields


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise refusal("invalid", name, f"{name} is {text[:40]!r}, expected a whole number above 0")
    return int(text)


def _optional_number(name: str, given: dict[str, str]) -> int | None:
    return _number(name, given[name]) if name in given else None
