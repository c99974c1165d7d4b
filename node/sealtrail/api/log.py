"""The whole log in the form of C2SP tlog-tiles: to tokens with the scope ``log``, and to auditors and regulators.

Source: C2SP tlog-tiles; docs/protocol.md section 15.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from sealtrail.api.auth import checks_callers_itself, needs
from sealtrail.api.content_coding import accepts_gzip, encode_gzip
from sealtrail.log.tiles import ENTRIES
from sealtrail.services.own_log.published_log import PublishedLog

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
# A name's bytes never change. Private: a shared cache would show them to who may not read the log.
IMMUTABLE = "private, max-age=31536000, immutable"

Authenticate = Callable[[web.Request], Awaitable[bytes]]


def routes(published: PublishedLog, *, authenticate: Authenticate) -> list[web.RouteDef]:
    """Return the routes.

    Args:
        authenticate: returns the member that signed a request without a body.
    """

    @needs("log")
    async def get_checkpoint(_: web.Request) -> web.Response:
        return await _checkpoint(published)

    @needs("log")
    async def get_tile(request: web.Request) -> web.Response:
        return await _tile(published, request)

    @checks_callers_itself  # by the request's signature, and its member's role
    async def peer_checkpoint(request: web.Request) -> web.Response:
        await published.require_reader(await authenticate(request))
        return await _checkpoint(published)

    @checks_callers_itself  # as above
    async def peer_tile(request: web.Request) -> web.Response:
        await published.require_reader(await authenticate(request))
        return await _tile(published, request)

    return [
        web.get("/log/checkpoint", get_checkpoint),
        web.get("/log/tile/{tile:.+}", get_tile),
        web.get("/peer/v1/log/checkpoint", peer_checkpoint),
        web.get("/peer/v1/log/tile/{tile:.+}", peer_tile),
    ]


async def _checkpoint(published: PublishedLog) -> web.Response:
    note = await published.checkpoint()
    return web.Response(
        body=note.encode(), headers={"Content-Type": TEXT, "Cache-Control": "no-store"}
    )


async def _tile(published: PublishedLog, request: web.Request) -> web.Response:
    path = request.match_info["tile"]
    body = await published.tile(path)
    headers = {"Content-Type": BINARY, "Cache-Control": IMMUTABLE}
    if path.startswith(f"{ENTRIES}/"):  # tiles of hashes and keys would not get smaller
        headers["Vary"] = "Accept-Encoding"
        if accepts_gzip(request):
            headers["Content-Encoding"] = "gzip"
            body = encode_gzip(body)
    return web.Response(body=body, headers=headers)
