"""Subscriptions of EPCIS 2.0's REST binding, and what the operator sees and does of them."""

from __future__ import annotations

from urllib.parse import quote

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.discovery import discovery
from sealtrail.api.events import EventListing
from sealtrail.api.json_body import JsonBodies
from sealtrail.api.negotiation import JSON_OFFERED, VERSION_HEADERS, agree, check_accept
from sealtrail.api.paging import next_row_page, row_page
from sealtrail.api.responses import json_response
from sealtrail.services.problems import as_problem
from sealtrail.services.subscriptions.controls import parse_subscription
from sealtrail.services.subscriptions.subscribing import (
    Subscriptions,
    operator_view,
    subscription_view,
)


def routes(
    subscriptions: Subscriptions, listing: EventListing, bodies: JsonBodies, *, public_url: str
) -> list[web.RouteDef]:
    """Return the routes.

    Args:
        public_url: this node's URL, with which a new subscription's address begins.
    """
    pages = listing.pages

    @needs("subscribe")
    async def list_of_query(request: web.Request) -> web.Response:
        check_accept(request)
        after, limit = row_page(request, pages)
        found, more = await subscriptions.page(_query(request), after=after, limit=limit)
        headers = {**VERSION_HEADERS, **next_row_page(request, pages, more)}
        return json_response([subscription_view(each) for each in found], headers=headers)

    @needs("subscribe")
    async def create(request: web.Request) -> web.Response:
        agreed = agree(request, JSON_OFFERED)
        wanted = parse_subscription(await bodies.read(request), agreed.presentation)
        query_name = _query(request)
        made = await subscriptions.create(query_name, wanted, note_of(request))
        place = f"/queries/{quote(query_name, safe='')}/subscriptions/{made.subscription_id}"
        headers = {**VERSION_HEADERS, "Location": public_url + place}
        return json_response(subscription_view(made), status=201, headers=headers)

    @needs("subscribe")
    async def get_one(request: web.Request) -> web.Response:
        check_accept(request)
        found = await subscriptions.get(_query(request), _id(request))
        return json_response(subscription_view(found), headers=VERSION_HEADERS)

    @needs("subscribe")
    async def delete(request: web.Request) -> web.Response:
        await subscriptions.delete(_query(request), _id(request), note_of(request))
        return web.Response(status=204, headers=VERSION_HEADERS)

    @needs("subscribe")
    async def list_all(request: web.Request) -> web.Response:
        after, limit = row_page(request, pages)
        found, more = await subscriptions.page(None, after=after, limit=limit)
        newest = await subscriptions.newest_row()
        views = [operator_view(each, newest) for each in found]
        return json_response({"subscriptions": views}, headers=next_row_page(request, pages, more))

    @needs("subscribe")
    async def resume(request: web.Request) -> web.Response:
        resumed = await subscriptions.resume(_id(request), note_of(request))
        return json_response(operator_view(resumed, await subscriptions.newest_row()))

    @needs("subscribe")
    async def test(request: web.Request) -> web.Response:
        error = await subscriptions.test(_id(request), note_of(request))
        failure = None if error is None else as_problem(error)
        return json_response({"taken": error is None, "failure": failure})

    return [
        web.options("/queries/{query_name}/subscriptions", discovery("GET", "POST")),
        web.get("/queries/{query_name}/subscriptions", list_of_query),
        web.post("/queries/{query_name}/subscriptions", create),
        web.options(
            "/queries/{query_name}/subscriptions/{subscription_id}", discovery("GET", "DELETE")
        ),
        web.get("/queries/{query_name}/subscriptions/{subscription_id}", get_one),
        web.delete("/queries/{query_name}/subscriptions/{subscription_id}", delete),
        web.get("/v1/subscriptions", list_all),
        web.post("/v1/subscriptions/{subscription_id}/resume", resume),
        web.post("/v1/subscriptions/{subscription_id}/test", test),
    ]


def _query(request: web.Request) -> str:
    return request.match_info["query_name"]


def _id(request: web.Request) -> str:
    return request.match_info["subscription_id"]
