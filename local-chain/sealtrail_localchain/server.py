"""JSON-RPC over HTTP.

Answers on loopback only unless told otherwise, and there only to requests whose Host is a loopback
name: a web page that rebinds its own name to 127.0.0.1 gets nothing.
"""

from __future__ import annotations

import errno
import ipaddress

from aiohttp import web

from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.rpc.dispatch import Dispatcher

BODY_BYTES_MAX = 5 * 1024 * 1024  # geth's limit


def is_loopback(host: str) -> bool:
    """Say whether a host name can only be reached from this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class RpcServer:
    """Serves a dispatcher on one port."""

    def __init__(self, dispatcher: Dispatcher, *, remote_allowed: bool) -> None:
        self._dispatcher = dispatcher
        self._remote_allowed = remote_allowed
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/", self._post)
        app.router.add_get("/", self._get)
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

    async def _get(self, request: web.Request) -> web.Response:
        """Answer what a health check or a browser asks: this is up, and wants POST."""
        self._check_host(request)
        return web.Response(text="Sealtrail local chain: send JSON-RPC requests by POST.\n")

    async def _post(self, request: web.Request) -> web.Response:
        self._check_host(request)
        answer = await self._dispatcher.answer(await request.read())
        if answer is None:
            return web.Response(status=200, content_type="application/json")
        return web.Response(body=answer, content_type="application/json")

    def _check_host(self, request: web.Request) -> None:
        name = request.host.rsplit(":", 1)[0].strip("[]")
        if not self._remote_allowed and not is_loopback(name):
            raise web.HTTPForbidden(text=f"this chain answers to localhost only, not to {name!r}\n")


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
