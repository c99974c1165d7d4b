"""Event routes: EPCIS 2.0 queries, one event by its id, its recorded bytes, and its entry with proof."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import any_token, needs
from sealtrail.api.event_params import encode_page_token, names_prefixes, parse_query
from sealtrail.api.gate import caller_of
from sealtrail.api.negotiation import DISCOVERY_HEADERS, VERSION_HEADERS, check_accept
from sealtrail.api.responses import json_response
from sealtrail.epcis.query import parse_extensions
from sealtrail.errors import InputError
from sealtrail.services.answers.queries import HASH_URI_PREFIX, QueryService


def routes(queries: QueryService) -> list[web.RouteDef]:
    """Return the routes that read events."""

    @any_token
    async def discover(request: web.Request) -> web.Response:
        one = "event_id" in request.match_info
        allow = "OPTIONS, GET" if one else "OPTIONS, GET, POST"
        return web.Response(status=204, headers={**DISCOVERY_HEADERS, "Allow": allow})

    @needs("query")
    async def list_events(request: web.Request) -> web.Response:
        check_accept(request)
        prefixes = parse_extensions(request.headers.get("GS1-Extensions", ""))
        used = await queries.prefixes() if names_prefixes(request.query) else {}
        query, note = parse_query(request.query, prefixes=prefixes, used=used), note_of(request)
        note.asked_for(query.wanted.items)
        body, token = await queries.events(
            query.wanted,
            per_page=query.per_page,
            after=query.after,
            total_max=query.total_max,
            refuse_over=query.refuse_over,
            showed=note.showed,
        )
        headers = dict(VERSION_HEADERS)
        if token is not None:
            following = request.rel_url.update_query(
                nextPageToken=encode_page_token(token, query.digest)
            )
            headers["Link"] = f'<{following}>; rel="next"'
        return json_response(body, headers=headers)

    @needs("query")
    async def get_event(request: web.Request) -> web.Response:
        check_accept(request)
        body = await queries.events_with_id(event_name(request), showed=note_of(request).showed)
        return json_response(body, headers=VERSION_HEADERS)

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
        web.options("/events", discover),
        web.get("/events", list_events),
        web.options("/events/{event_id:.+}", discover),
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
