"""The top-level resources of EPCIS 2.0: what the node knows of each kind, and the events of each one.

The standard's event types, business steps and dispositions are known to every node; EPCs, places and words of others
are known once a recorded event names them.

Source: EPCIS 2.0 section 12; its OpenAPI, the collections.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import msgspec
from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.discovery import COLLECTIONS, discovery
from sealtrail.api.events import EventListing
from sealtrail.api.negotiation import (
    EVENTS_OFFERED,
    JSON_OFFERED,
    VERSION_HEADERS,
    XML_OFFERED,
    agree,
    check_accept,
    extension_prefixes,
)
from sealtrail.api.paging import check_only_paging, page_size
from sealtrail.api.responses import json_response
from sealtrail.api.xml_answers import resources_xml
from sealtrail.epcis.query import parse_filter
from sealtrail.epcis.reader import EVENT_TYPES
from sealtrail.epcis.views import STANDARD_CONTEXT
from sealtrail.epcis.vocabulary import BIZ_STEP, DISPOSITION
from sealtrail.errors import InputError, NotFoundError
from sealtrail.services.answers.queries import QueryService

_TOP_LEVEL = ("events", *COLLECTIONS, "capture", "queries")

KnownAfter = Callable[..., Awaitable[list[str]]]


class _Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of resource: the query parameter that selects its events, and which of them there are.

    ``standard`` are known whatever was recorded, in order, and ``words`` leads to them from their other spellings;
    ``recorded`` gives the others, and perhaps some of these.
    """

    name: str
    parameter: str
    standard: tuple[str, ...] = ()
    words: Mapping[str, str] = MappingProxyType({})
    recorded: KnownAfter | None = None


def _kinds(queries: QueryService) -> Iterator[_Kind]:
    yield _Kind(
        name="eventTypes",
        parameter="eventType",
        standard=tuple(sorted(EVENT_TYPES)),
        recorded=partial(queries.known_values, "event_type"),
    )
    yield _Kind(name="epcs", parameter="MATCH_anyEPC", recorded=queries.known_epcs)
    yield _Kind(
        name="bizSteps",
        parameter="EQ_bizStep",
        standard=tuple(sorted(BIZ_STEP.web_uris)),
        words=BIZ_STEP.words,
        recorded=partial(queries.known_values, "biz_step"),
    )
    yield _Kind(
        name="dispositions",
        parameter="EQ_disposition",
        standard=tuple(sorted(DISPOSITION.web_uris)),
        words=DISPOSITION.words,
        recorded=partial(queries.known_values, "disposition"),
    )
    yield _Kind(
        name="bizLocations",
        parameter="EQ_bizLocation",
        recorded=partial(queries.known_values, "biz_location"),
    )
    yield _Kind(
        name="readPoints",
        parameter="EQ_readPoint",
        recorded=partial(queries.known_values, "read_point"),
    )


def routes(listing: EventListing) -> list[web.RouteDef]:
    """Return the routes of the top-level resources, and of the root that lists them."""

    @needs("query")
    async def list_top_level(request: web.Request) -> web.Response:
        agreed = agree(request, EVENTS_OFFERED)
        if agreed.media_type in XML_OFFERED:
            return json_response(
                resources_xml(_TOP_LEVEL), headers=agreed.headers, media_type=agreed.media_type
            )
        return _collection(request, list(_TOP_LEVEL))

    @needs("query")
    async def release_token(request: web.Request) -> web.Response:
        listing.pages.release(request.match_info["token"])
        return web.Response(status=204, headers=VERSION_HEADERS)

    found = [
        web.options("/", discovery("GET")),
        web.get("/", list_top_level),
        web.delete("/nextPageToken/{token}", release_token),
    ]
    for kind in _kinds(listing.queries):
        found += _routes_of(kind, listing)
    return found


def _routes_of(kind: _Kind, listing: EventListing) -> list[web.RouteDef]:
    @needs("query")
    async def list_known(request: web.Request) -> web.Response:
        agreed = await listing.negotiator.agree(request, JSON_OFFERED)
        check_only_paging(request)
        pages = listing.pages
        members, more = await _page(kind, pages.place(request) or "", page_size(request))
        if kind.name == "epcs":
            note_of(request).asked_for(members)
        headers = pages.next_page(request, members[-1]) if more else {}
        shown = dict.fromkeys(map(agreed.presentation.convert, members))
        return _collection(request, list(shown), headers)

    @needs("query")
    async def get_one(request: web.Request) -> web.Response:
        check_accept(request)
        check_only_paging(request)
        page_size(request)  # its one member is the first page of every size
        await _require_known(kind, listing.queries, _value(request))
        return _collection(request, ["events"])

    @needs("query")
    async def list_events(request: web.Request) -> web.Response:
        value = _value(request)
        await _require_known(kind, listing.queries, value)
        return await listing.answer(request, also={kind.parameter: value})

    every, one = f"/{kind.name}", f"/{kind.name}/{{value:.+}}"
    return [
        web.options(every, discovery("GET")),
        web.get(every, list_known),
        web.options(f"{one}/events", discovery("GET")),
        web.get(f"{one}/events", list_events),
        web.options(one, discovery("GET")),
        web.get(one, get_one),
    ]


async def _page(kind: _Kind, after: str, limit: int) -> tuple[list[str], bool]:
    """Return the next members of a collection, and whether there are more."""
    further = [] if kind.recorded is None else await kind.recorded(after=after, limit=limit + 1)
    known = {*further, *(each for each in kind.standard if each > after)}
    members = sorted(known)
    return members[:limit], len(members) > limit


async def _require_known(kind: _Kind, queries: QueryService, value: str) -> None:
    if kind.words.get(value, value) in kind.standard:
        return
    try:
        wanted = parse_filter({kind.parameter: value})
    except InputError:
        wanted = None
    if wanted is not None and "|" not in value and await queries.any(wanted):
        return
    raise NotFoundError(
        "resource_unknown",
        f"none of the {kind.name} that are known here is {value[:100]}",
        advice=f"GET /{kind.name} lists them; escape identifiers in addresses",
    )


def _value(request: web.Request) -> str:
    """Return which one is asked for, written out if the request's own prefix abbreviates it."""
    value = request.match_info["value"]
    prefix, _, local = value.partition(":")
    namespace = extension_prefixes(request).get(prefix)
    return value if namespace is None else namespace + local


def _collection(
    request: web.Request, members: list[str], headers: dict[str, str] | None = None
) -> web.Response:
    """Return a collection; what begins with a namespace that the client named a prefix for has that prefix."""
    media_type = check_accept(request)
    context: Any = STANDARD_CONTEXT
    prefixes = extension_prefixes(request)
    if prefixes:
        context = [STANDARD_CONTEXT, prefixes]
        members = [_abbreviated(member, prefixes) for member in members]
    return json_response(
        {"@context": context, "type": "Collection", "member": members},
        headers={**VERSION_HEADERS, **(headers or {})},
        media_type=media_type,
    )


def _abbreviated(member: str, prefixes: dict[str, str]) -> str:
    for prefix, namespace in prefixes.items():
        if member.startswith(namespace):
            return f"{prefix}:{member.removeprefix(namespace)}"
    return member
