"""A feed over a WebSocket: documents out; what the client sends is not read, but for its pongs and its goodbye.

Source: RFC 6455; EPCIS 2.0 section 12 (query subscriptions by WebSocket).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from aiohttp import WSCloseCode, WSMsgType, web

from sealtrail.api.audited import note_of
from sealtrail.api.rate import Rate
from sealtrail.errors import SealtrailError
from sealtrail.services.answers.presentation import Presentation
from sealtrail.services.subscriptions.feeds import Feeds, Shown
from sealtrail.store.named_queries import NamedQuery
from sealtrail.store.subscriptions import Controls

PING_SECONDS = 30.0  # a client that answers no ping for half of that is gone
# To take one document; who takes longer is closed, and comes again with initialRecordTime.
SEND_SECONDS_MAX = 30.0
CLOSE_SECONDS_MAX = 5.0
MESSAGE_BYTES_MAX = 4 * 1024  # nothing that a client sends is for us
MESSAGES_MAX = 100  # in MESSAGES_SECONDS, pings and pongs too: each takes its turn from everybody else's requests
MESSAGES_SECONDS = 10.0

_log = logging.getLogger("sealtrail.api")


def is_upgrade(request: web.Request) -> bool:
    """Tell whether a request asks for a WebSocket."""
    return request.method == "GET" and request.headers.get("Upgrade", "").lower() == "websocket"


async def serve_feed(
    request: web.Request,
    feeds: Feeds,
    query: NamedQuery,
    controls: Controls,
    presentation: Presentation,
) -> web.StreamResponse:
    """Send documents until the client goes, the query or the node is gone, or the client is too slow.

    Close codes: 1000 the query was deleted or the node stops; 1008 the client sends more than it has to; 1013 the
    client took too long, and may try again; 1011 the store could not be read.

    Raises:
        SealtrailError: before the connection is a WebSocket.
    """
    with feeds.place():
        place = await feeds.start(query, controls)
        socket = web.WebSocketResponse(
            heartbeat=PING_SECONDS,
            timeout=CLOSE_SECONDS_MAX,
            max_msg_size=MESSAGE_BYTES_MAX,
            compress=False,
            autoping=False,  # they are counted
        )
        await socket.prepare(request)
        note = note_of(request)
        note.what = f"query {query.name}"
        shown = Shown(actor=note.actor, route=note.route, presentation=presentation)
        documents = feeds.documents(query, controls, place, shown)
        listening = asyncio.create_task(_listen(socket))
        sending = asyncio.create_task(_send(socket, documents))
        try:
            await asyncio.wait({listening, sending}, return_when=asyncio.FIRST_COMPLETED)
            code = (sending if sending.done() else listening).result()
        finally:
            for task in (listening, sending):
                task.cancel()
            await asyncio.gather(listening, sending, return_exceptions=True)
        await _close(request, socket, code)
    return socket


async def _listen(socket: web.WebSocketResponse) -> WSCloseCode:
    """Answer pings; return when the client is gone, or sends more than it has to, and with which code to close."""
    rate = Rate(MESSAGES_MAX, seconds=MESSAGES_SECONDS)
    while True:
        message = await socket.receive()
        if message.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
            return WSCloseCode.OK
        if not rate.takes():
            return WSCloseCode.POLICY_VIOLATION
        if message.type is WSMsgType.PING:
            try:
                await socket.pong(message.data)
            except ConnectionError:
                return WSCloseCode.GOING_AWAY


async def _send(socket: web.WebSocketResponse, documents: AsyncIterator[str]) -> WSCloseCode:
    """Send one document after the other; return with which code to close."""
    try:
        async for text in documents:
            async with asyncio.timeout(SEND_SECONDS_MAX):
                await socket.send_str(text)
    except TimeoutError:
        return WSCloseCode.TRY_AGAIN_LATER
    except ConnectionError:
        return WSCloseCode.GOING_AWAY
    except SealtrailError as error:
        _log.error("a WebSocket is closed: %s", error)
        return WSCloseCode.INTERNAL_ERROR
    return WSCloseCode.OK


async def _close(request: web.Request, socket: web.WebSocketResponse, code: WSCloseCode) -> None:
    """Say goodbye; a client that does not listen is cut off."""
    # the goodbye of one that sends too much would stand behind all of that
    seconds = 0.0 if code is WSCloseCode.POLICY_VIOLATION else CLOSE_SECONDS_MAX
    try:
        async with asyncio.timeout(seconds):
            await socket.close(code=code)
    except (TimeoutError, ConnectionError):
        if request.transport is not None:
            request.transport.abort()
