"""The query that the standard names itself: what ``/events`` answers, and the same for a query that is sent as a body.

Clients of drafts of EPCIS 2.0 (GDST's among them) ask so; and a query of many identifiers is too long for an address.

Source: EPCIS 2.0 sections 8.2.7.1 (SimpleEventQuery) and 12.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sealtrail.api.auth import needs
from sealtrail.api.events import EventListing
from sealtrail.api.json_body import JsonBodies
from sealtrail.api.named_queries import check_definition, definition_of, definition_page
from sealtrail.api.negotiation import VERSION_HEADERS, check_accept, extension_prefixes
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError
from sealtrail.services.answers.views import QUERY_NAME

_KINDS = ("queryType", "type")  # as drafts say of what the query is; there are events only


def routes(listing: EventListing, bodies: JsonBodies) -> list[web.RouteDef]:
    """Return the routes."""

    @needs("query")
    async def get_query(request: web.Request) -> web.Response:
        check_accept(request)
        return json_response({"name": QUERY_NAME, "query": {}}, headers=VERSION_HEADERS)

    @needs("query")
    async def ask(request: web.Request) -> web.Response:
        agreed = await listing.negotiator.agree(request)
        tree = await bodies.read(request, of_any_version=True)
        definition = definition_of(tree, extension_prefixes(request), beside=("name", *_KINDS))
        _check_kind(tree)
        check_definition(definition, await listing.queries.prefixes())
        return await definition_page(request, QUERY_NAME, definition, listing, agreed)

    @needs("query")
    async def list_events(request: web.Request) -> web.Response:
        return await listing.answer(request)

    # OPTIONS is that of any named query: what the standard has of one
    return [
        web.get("/queries/SimpleEventQuery", get_query),
        web.post("/queries/SimpleEventQuery", ask),
        web.get("/queries/SimpleEventQuery/events", list_events),
    ]


def _check_kind(tree: dict[str, Any]) -> None:
    """Refuse a body that is of another query than this."""
    said = {"name": QUERY_NAME, **dict.fromkeys(_KINDS, "events")}
    for member, is_this in said.items():
        if tree.get(member, is_this) != is_this:
            raise InputError("query_malformed", f"{member} is {is_this} here", pointer=f"/{member}")
