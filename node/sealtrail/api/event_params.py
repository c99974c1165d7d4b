"""Query parameters of ``GET /events`` and of every listing of events, with those of its pages.

What is asked of an event, :mod:`sealtrail.epcis.query` reads.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from hashlib import sha256

import msgspec
from multidict import MultiMapping

from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX
from sealtrail.epcis.query import (
    PAGING,
    EventFilter,
    Prefixes,
    each_given_once,
    parse_filter,
    refusal,
)
from sealtrail.errors import InputError
from sealtrail.services.answers.queries import PageToken

_COMPARES = ("GE_", "GT_", "LE_", "LT_")
_blank_before_offset = re.compile(r"(T[0-9:.]+) ([0-9]{2}:[0-9]{2})\Z")


class EventQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed query; ``total_max`` is eventCountLimit, ``refuse_over`` maxEventCount.

    ``digest`` is of all that is asked: it binds page tokens to their query.
    """

    wanted: EventFilter
    per_page: int
    after: PageToken | None
    total_max: int | None
    refuse_over: int | None
    digest: bytes


def parse_query(
    parameters: MultiMapping[str],
    *,
    prefixes: Mapping[str, str] | None = None,
    used: Prefixes | None = None,
    also: Mapping[str, str] | None = None,
) -> EventQuery:
    """Read the parameters of an event query.

    Args:
        prefixes: what prefixes of extension names stand for (header ``GS1-Extensions``).
        used: what they stand for in recorded events, where ``prefixes`` does not say it.
        also: what the resource itself asks, such as ``{"EQ_bizStep": "shipping"}``, beside the parameters.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_invalid``, ``query_parameter_repeated``,
            ``query_parameter_conflict``, ``page_token_invalid``; each names the parameter in ``pointer``.
    """
    given = _as_meant(each_given_once(parameters.items()))
    wanted = parse_filter(given, prefixes=prefixes, used=used)
    if also:
        conditions = (*parse_filter(also).conditions, *wanted.conditions)
        wanted = msgspec.structs.replace(wanted, conditions=conditions)
    asked = {name: text for name, text in given.items() if name not in PAGING}
    # as it was written: what prefixes stand for in recorded events may change from page to page
    digest = _digest(msgspec.json.encode([asked, also or {}, prefixes or {}], order="sorted"))
    return EventQuery(
        wanted=wanted,
        per_page=min(_number("perPage", given.get("perPage", str(PER_PAGE_DEFAULT))), PER_PAGE_MAX),
        after=page_token_of(given.get("nextPageToken"), digest),
        total_max=wanted.event_count_limit,
        refuse_over=wanted.max_event_count,
        digest=digest,
    )


def _as_meant(given: Mapping[str, str]) -> dict[str, str]:
    """Return values that clients' languages spell in their own way as the query language has them.

    The plus sign of a time's offset is a blank in a URL that doesn't escape it; Python writes ``True``.
    """
    meant = dict(given)
    for name, text in given.items():
        if name.startswith(_COMPARES):
            meant[name] = _blank_before_offset.sub(r"\1+\2", text)
        elif name.startswith("EXISTS_") or name == "EQ_booleanValue":
            meant[name] = text.lower()
    return meant


def names_prefixes(parameters: MultiMapping[str]) -> bool:
    """Tell whether a query names extension fields, so that prefixes matter."""
    return any(":" in name for name in parameters) or ":" in parameters.get("orderBy", "")


def query_digest(wanted: EventFilter) -> bytes:
    """Return what binds page tokens to a query that is kept."""
    return _digest(msgspec.json.encode(wanted))


def _digest(asked: bytes) -> bytes:
    return sha256(asked).digest()[:12]


def encode_page_token(token: PageToken, digest: bytes) -> str:
    """Return a token for clients to send back: where the listing goes on, bound to its query."""
    packed = msgspec.json.encode(msgspec.structs.replace(token, query=digest))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def page_token_of(text: str | None, digest: bytes) -> PageToken | None:
    """Return where a listing goes on.

    Raises:
        InputError: ``page_token_invalid``.
    """
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
        -(1 << 63) <= number < 1 << 63
        for number in (place.key, place.row)
        if isinstance(number, int)
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise refusal("invalid", name, f"{name} is {text[:40]!r}, expected a whole number above 0")
    return int(text)
