"""Named queries of EPCIS 2.0's REST binding, and their events: in pages, or as they are recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.discovery import discovery
from sealtrail.api.event_params import encode_page_token, page_token_of, query_digest
from sealtrail.api.events import EventListing
from sealtrail.api.json_body import JsonBodies
from sealtrail.api.limits import PER_PAGE_DEFAULT
from sealtrail.api.negotiation import (
    VERSION_HEADERS,
    Agreed,
    check_accept,
    extension_prefixes,
)
from sealtrail.api.paging import check_page_size, next_row_page, page_size, row_page
from sealtrail.api.responses import json_response
from sealtrail.api.websocket import is_upgrade, serve_feed
from sealtrail.epcis.query import Prefixes, refusal
from sealtrail.errors import InputError
from sealtrail.services.subscriptions.controls import FEED_PARAMETERS, parse_feed
from sealtrail.services.subscriptions.definitions import filter_of, with_prefixes
from sealtrail.services.subscriptions.feeds import Feeds
from sealtrail.services.subscriptions.named_queries import NamedQueries
from sealtrail.store.named_queries import NamedQuery

_PAGING = frozenset({"perPage", "nextPageToken"})


def routes(
    named: NamedQueries, listing: EventListing, feeds: Feeds, bodies: JsonBodies
) -> list[web.RouteDef]:
    """Return the routes."""
    pages = listing.pages

    @needs("query")
    async def list_queries(request: web.Request) -> web.Response:
        check_accept(request)
        after, limit = row_page(request, pages)
        found, more = await named.page(after=after, limit=limit)
        headers = {**VERSION_HEADERS, **next_row_page(request, pages, more)}
        return json_response([_view(each) for each in found], headers=headers)

    @needs("query")
    async def create_query(request: web.Request) -> web.Response:
        prefixes = extension_prefixes(request)
        name, definition = _named_query(await bodies.read(request), prefixes)
        check_definition(definition, await listing.queries.prefixes())
        await named.create(name, definition, note_of(request))
        headers = {**VERSION_HEADERS, "Location": f"/queries/{quote(name, safe='')}"}
        return web.Response(status=201, headers=headers)

    @needs("query")
    async def get_query(request: web.Request) -> web.Response:
        check_accept(request)
        found = await named.get(request.match_info["query_name"])
        return json_response(_view(found), headers=VERSION_HEADERS)

    @needs("subscribe")
    async def delete_query(request: web.Request) -> web.Response:
        await named.delete(request.match_info["query_name"], note_of(request))
        return web.Response(status=204, headers=VERSION_HEADERS)

    @needs("query")
    async def list_events(request: web.Request) -> web.StreamResponse:
        agreed = await listing.negotiator.agree(request)
        query = await named.get(request.match_info["query_name"])
        if is_upgrade(request):
            _refuse_unknown(request, FEED_PARAMETERS)
            controls = parse_feed(request.query)
            return await serve_feed(request, feeds, query, controls, agreed.presentation)
        return await definition_page(request, query.name, query.definition, listing, agreed)

    return [
        web.options("/queries", discovery("GET", "POST")),
        web.get("/queries", list_queries),
        web.post("/queries", create_query),
        web.options("/queries/{query_name}", discovery("GET", "DELETE")),
        web.get("/queries/{query_name}", get_query),
        web.delete("/queries/{query_name}", delete_query),
        web.options("/queries/{query_name}/events", discovery("GET")),
        web.get("/queries/{query_name}/events", list_events),
    ]


async def definition_page(
    request: web.Request,
    name: str,
    definition: Mapping[str, Any],
    listing: EventListing,
    agreed: Agreed,
) -> web.Response:
    """Return the page of what a query finds that the request's parameters ask for.

    Raises:
        InputError: parameters other than those of paging; as :meth:`EventListing.answer`.
    """
    if FEED_PARAMETERS & request.query.keys():
        raise InputError(
            "subscription_controls_upgrade",
            "stream and schedules are for WebSockets, and this request asks for none",
            advice="send the headers Upgrade: websocket and Connection: Upgrade, or subscribe a webhook",
        )
    _refuse_unknown(request, _PAGING)
    wanted = filter_of(definition, await listing.queries.prefixes())
    digest = query_digest(wanted)
    note = note_of(request)
    note.what = f"query {name}"
    note.asked_for(wanted.items)
    body, token = await listing.queries.events(
        wanted,
        per_page=_page_size(request, definition),
        after=page_token_of(listing.pages.place(request), digest),
        total_max=wanted.event_count_limit,
        refuse_over=wanted.max_event_count,
        showed=note.showed,
        presentation=agreed.presentation,
        query_name=name,
    )
    headers = agreed.headers
    if token is not None:
        headers.update(listing.pages.next_page(request, encode_page_token(token, digest)))
    return json_response(body, headers=headers, media_type=agreed.media_type)


def _page_size(request: web.Request, definition: Mapping[str, Any]) -> int:
    """Return how many events the request wants at a time, or else the query."""
    own = definition.get("perPage")
    return page_size(request) if own is None or "perPage" in request.query else check_page_size(own)


def _view(query: NamedQuery) -> dict[str, Any]:
    return {"name": query.name, "query": query.definition}


def _named_query(tree: Any, prefixes: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return name and definition out of the body of ``POST /queries``."""
    definition = definition_of(tree, prefixes, beside=("name",))
    name = tree.get("name")
    if not isinstance(name, str):
        raise InputError("query_malformed", "name must be text", pointer="/name")
    return name, definition


def definition_of(
    tree: Any, prefixes: Mapping[str, str], *, beside: Collection[str]
) -> dict[str, Any]:
    """Return the query out of a body that has it under ``query``.

    Args:
        prefixes: what prefixes of extension names stand for (header ``GS1-Extensions``).
        beside: what else the body may have.

    Raises:
        InputError: ``query_malformed``, ``query_member_unknown``.
    """
    if not isinstance(tree, dict):
        raise InputError("query_malformed", "a query is sent as a JSON object", pointer="")
    known = ("query", *beside)
    for name in tree:
        if name not in known and name != "@context":
            raise InputError(
                "query_member_unknown",
                f"{name[:80]!r} is not known here",
                pointer=f"/{name[:80]}",
                advice=f"known are {', '.join(known)}; what is asked for stands under query",
            )
    definition = tree.get("query")
    if not isinstance(definition, dict):
        raise InputError("query_malformed", "query must be an object", pointer="/query")
    return with_prefixes(definition, prefixes)


def check_definition(definition: dict[str, Any], used: Prefixes) -> None:
    """Read a query as it will be read whenever it is asked.

    Raises:
        InputError: what is wrong is named by its place in the body.
    """
    place = "/query"
    try:
        if "nextPageToken" in definition:
            raise refusal("invalid", "nextPageToken", "it is of an answer, not of a query")
        check_page_size(definition.get("perPage", PER_PAGE_DEFAULT))
        filter_of(definition, used)
    except InputError as error:
        raise type(error)(
            error.code,
            error.message,
            pointer=f"{place}/{error.pointer}" if error.pointer else place,
            advice=error.advice,
            **error.context,
        ) from error


def _refuse_unknown(request: web.Request, known: frozenset[str]) -> None:
    given: Mapping[str, str] = request.query
    for name in given:
        if name not in known:
            raise InputError(
                "query_parameter_unknown",
                f"{name[:80]} is not known here",
                pointer=name[:80],
                advice="what a named query asks for stands in the query itself",
            )
        if len(request.query.getall(name)) > 1:
            raise InputError("query_parameter_repeated", f"{name} is given twice", pointer=name)
