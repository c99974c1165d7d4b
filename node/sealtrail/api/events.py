"""Event routes: EPCIS 2.0 queries, one event by its id, its recorded bytes, and its entry with proof."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.discovery import discovery
from sealtrail.api.event_params import encode_page_token, names_prefixes, parse_query
from sealtrail.api.gate import caller_of
from sealtrail.api.negotiation import Negotiator, extension_prefixes
from sealtrail.api.paging import PageTokens
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError
from sealtrail.services.answers.queries import HASH_URI_PREFIX, QueryService


class EventListing:
    """Answers event queries, for every resource that is one: page by page, in the form asked for."""

    def __init__(self, queries: QueryService, pages: PageTokens, negotiator: Negotiator) -> None:
        self.queries = queries
        self.pages = pages
        self.negotiator = negotiator

    async def answer(
        self, request: web.Request, *, also: Mapping[str, str] | None = None
    ) -> web.Response:
        """Return the page of events that a request asks for.

        Args:
            also: what the address asks, beside its parameters.

        Raises:
            InputError: as :func:`parse_query`.
            NotAcceptableError: as :func:`agree`; the form has no words for an event.
        """
        agreed, note = await self.negotiator.agree(request), note_of(request)
        parameters = self.pages.query(request)
        used = await self.queries.prefixes() if names_prefixes(parameters) else {}
        query = parse_query(
            parameters,
            prefixes=extension_prefixes(request),
            also=also,
            used=used,
        )
        note.asked_for(query.wanted.items)
        body, token = await self.queries.events(
            query.wanted,
            per_page=query.per_page,
            after=query.after,
            total_max=query.total_max,
            refuse_over=query.refuse_over,
            showed=note.showed,
            presentation=agreed.presentation,
        )
        headers = agreed.headers
        if token is not None:
            place = encode_page_token(token, query.digest)
            headers.update(self.pages.next_page(request, place))
        return json_response(body, headers=headers, media_type=agreed.media_type)


def routes(listing: EventListing) -> list[web.RouteDef]:
    """Return the routes that read events."""
    queries = listing.queries

    @needs("query")
    async def list_events(request: web.Request) -> web.Response:
        return await listing.answer(request)

    @needs("query")
    async def get_event(request: web.Request) -> web.Response:
        agreed = await listing.negotiator.agree(request)
        body = await queries.events_with_id(
            event_name(request),
            showed=note_of(request).showed,
            presentation=agreed.presentation,
        )
        return json_response(body, headers=agreed.headers, media_type=agreed.media_type)

    @needs("query")
    async def get_content(request: web.Request) -> web.Response:
        content = await queries.content(event_name(request))
        note_of(request).showed([content.entry_id])
        return web.Response(
            body=content.body,
            headers={
                "Content-Type": content.media_type,
                "Accept-Ranges": "none",
                "ETag": f'"{content.content_hash.hex()}"',
                "X-Content-Type-Options": "nosniff",
            },
        )

    @needs("query")
    async def get_entry(request: web.Request) -> web.Response:
        scopes = caller_of(request).scopes
        entry_id = parse_entry_id(request.match_info["entry_id"])
        view = await queries.entry(entry_id, with_seed="provenance" in scopes)
        note_of(request).showed([entry_id])
        return json_response(view)

    return [
        web.options("/events", discovery("GET", "POST")),
        web.get("/events", list_events),
        web.options("/events/{event_id:.+}", discovery("GET")),
        web.get("/events/{event_id:.+}", get_event),
        web.get("/v1/events/{event_id:.+}/content", get_content),
        web.get("/v1/entries/{entry_id}", get_entry),
    ]


def event_name(request: web.Request) -> str:
    """Return the name of an event in a request's path.

    Raises:
        InputError: ``query_parameter_unknown``.
    """
    name = request.match_info["event_id"]
    version = request.query.get("ver")
    if name.startswith(HASH_URI_PREFIX) and version is not None:
        # An ni URI whose "?" the client left unescaped
        name = f"{name}?ver={version}"
    elif request.query:
        unknown = next(iter(request.query))
        raise InputError(
            "query_parameter_unknown",
            f"{unknown[:80]} is not known here",
            pointer=unknown[:80],
            advice=f"escape event ids in addresses, such as {quote('ni:///…?ver=CBV2.0', safe='')}",
        )
    return name


def parse_entry_id(text: str) -> bytes:
    """Return an entry's id from its hex.

    Raises:
        InputError: ``entry_id_malformed``.
    """
    try:
        entry_id = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        entry_id = b""
    if len(entry_id) != 32:
        raise InputError("entry_id_malformed", f"{text[:80]!r} is not 32 bytes in hex")
    return entry_id
