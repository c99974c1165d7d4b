"""JSON-RPC over HTTP, and over WebSocket for subscriptions, on one port.

Answers on loopback only unless told otherwise, and there only to requests whose Host is a loopback
name: a web page that rebinds its own name to 127.0.0.1 gets nothing. Pages of other origins neither.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
from contextlib import suppress
from urllib.parse import urlsplit

from aiohttp import WSMsgType, web

from sealtrail_localchain.chain import Chain
from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.rpc.dispatch import Dispatcher
from sealtrail_localchain.rpc.methods import methods_of
from sealtrail_localchain.rpc.subscriptions import Subscriptions

BODY_BYTES_MAX = 5 * 1024 * 1024  # geth's limit
CONNECTIONS_MAX = 200  # WebSockets
HEARTBEAT_SECONDS = 30.0


def is_loopback(host: str) -> bool:
    """Say whether a host name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class RpcServer:
    """Serves a chain on one port."""

    def __init__(self, chain: Chain, *, remote_allowed: bool) -> None:
        self._chain = chain
        self._methods = methods_of(chain)
        self._dispatcher = Dispatcher(self._methods)
        self._connections: set[web.WebSocketResponse] = set()
        self._remote_allowed = remote_allowed
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/", self._post)
        app.router.add_get("/", self._get)
        app.on_shutdown.append(self._disconnect)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port, which the system chose if ``port`` is 0.

        Raises:
            LocalChainError: the port is taken, or the host is not this machine's.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        try:
            await site.start()
        except OSError as error:
            raise _cannot_listen(host, port, error) from error
        bound: int = self._runner.addresses[0][1]
        return bound

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _get(self, request: web.Request) -> web.StreamResponse:
        """Open a WebSocket, or tell a health check or a browser that this is up and wants POST."""
        self._check_host(request)
        socket = web.WebSocketResponse(max_msg_size=BODY_BYTES_MAX, heartbeat=HEARTBEAT_SECONDS)
        if socket.can_prepare(request):
            return await self._converse(request, socket)
        return web.Response(text="Sealtrail local chain: send JSON-RPC requests by POST.\n")

    async def _post(self, request: web.Request) -> web.Response:
        self._check_host(request)
        answer = await self._dispatcher.answer(await request.read())
        if answer is None:
            return web.Response(status=200, content_type="application/json")
        return web.Response(body=answer, content_type="application/json")

    async def _converse(
        self, request: web.Request, socket: web.WebSocketResponse
    ) -> web.StreamResponse:
        if len(self._connections) >= CONNECTIONS_MAX:
            raise web.HTTPServiceUnavailable(text=f"at most {CONNECTIONS_MAX} WebSockets\n")
        await socket.prepare(request)
        self._connections.add(socket)
        subscriptions = Subscriptions(self._chain)
        sender = asyncio.create_task(_send(socket, subscriptions))
        try:
            dispatcher = Dispatcher(self._methods | subscriptions.methods())
            async for message in socket:
                if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                body = message.data.encode() if message.type == WSMsgType.TEXT else message.data
                answer = await dispatcher.answer(body)
                if answer is not None:
                    await socket.send_str(answer.decode())
        finally:
            subscriptions.close()
            sender.cancel()
            self._connections.discard(socket)
        return socket

    async def _disconnect(self, app: web.Application) -> None:
        for socket in tuple(self._connections):
            await socket.close(code=1001, message=b"the chain stops")

    def _check_host(self, request: web.Request) -> None:
        if self._remote_allowed:
            return
        origin = urlsplit(request.headers.get("Origin", "http://localhost")).hostname or ""
        name = request.host.rsplit(":", 1)[0].strip("[]")
        for given in (name, origin):
            if not is_loopback(given):
                raise web.HTTPForbidden(
                    text=f"this chain answers to localhost only, not to {given!r}\n"
                )


async def _send(socket: web.WebSocketResponse, subscriptions: Subscriptions) -> None:
    with suppress(ConnectionError):  # the reader is gone: its own loop ends the connection
        while not subscriptions.overrun.is_set():
            content = await subscriptions.outgoing.get()
            await socket.send_str(content.decode())
    await socket.close(code=1013, message=b"too slow: messages were lost")


def _cannot_listen(host: str, port: int, error: OSError) -> LocalChainError:
    if error.errno == errno.EADDRINUSE:
        return LocalChainError(
            "port_in_use",
            f"port {port} on {host} is taken by another process",
            advice="stop that process, or choose another --port (0 takes a free one)",
            exit_code=3,
        )
    return LocalChainError(
        "cannot_listen",
        f"cannot listen on {host}:{port}: {error.strerror}",
        advice="choose an address of this machine and a port above 1023",
    )
