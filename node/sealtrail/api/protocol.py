"""Connections: a bounded number, and what goes wrong before a request reaches the gate told as a problem document.

aiohttp takes any number of connections, and answers what is no valid HTTP, or an unknown Expect, by itself: as plain
text that repeats what it was sent. To it, an address with a slash at its end is another one. It parses whatever comes
over a WebSocket, and fragments without content are told to nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.http import RawRequestMessage, WebSocketReader
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from sealtrail.api.rate import Rate
from sealtrail.api.responses import bare_problem_response, http_problem_response

_SPELT_IN_ONE_WAY = ("/log/", "/peer/")


class SentMax(NamedTuple):
    """What the client of a WebSocket may send in a time."""

    count_bytes: int
    seconds: float


class ProblemRunner(web.AppRunner):
    """Runs an application; whatever it answers is a problem document or its own.

    Args:
        connections_max: each open one takes a file descriptor. A further one takes the place of the oldest that
            waits for a request, so that nobody is shut out by whoever opens many; where all are at work it is closed.
        sent_max: a client that sends more over a WebSocket is cut off, before that is parsed.
    """

    def __init__(
        self,
        application: web.Application,
        *,
        connections_max: int,
        sent_max: SentMax,
        **kwargs: Any,
    ) -> None:
        super().__init__(application, **kwargs)
        self._connections_max = connections_max
        self._sent_max = sent_max

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()

        async def handle(request: Any) -> web.StreamResponse:
            server.at_work.add(request.protocol)
            try:
                return await made.request_handler(request)
            except web.HTTPException as error:  # from before the middlewares
                return http_problem_response(error)
            finally:
                server.at_work.discard(request.protocol)

        def make_request(message: RawRequestMessage, *rest: Any) -> web.BaseRequest:
            return made.request_factory(without_slash(message), *rest)

        server = _Server(
            handle,
            connections_max=self._connections_max,
            sent_max=self._sent_max,
            request_factory=make_request,
            **made._kwargs,
        )
        return server


def without_slash(message: RawRequestMessage) -> RawRequestMessage:
    """Return a request whose address has no slash at its end: clients write collections either way.

    One that ends an identifier which stands in the address unescaped (``/readPoints/https://a.example/``) stays, and so
    do those of tiles and of members' nodes, who spell an address in one way, and sign it.
    """
    path = message.url.raw_path
    if len(path) < 2 or path[-1] != "/" or path.startswith(_SPELT_IN_ONE_WAY):
        return message
    if "://" in path and not path.endswith("/events/"):
        return message
    url = message.url.with_path(path[:-1], encoded=True, keep_query=True)
    return message._replace(path=url.raw_path_qs, url=url)


class _Server(web.Server):
    def __init__(
        self, handler: Any, *, connections_max: int, sent_max: SentMax, **kwargs: Any
    ) -> None:
        super().__init__(handler, **kwargs)
        self.connections_max = connections_max
        self.sent_max = sent_max
        self.line_bytes_max: int = kwargs["max_line_size"]
        self.at_work: set[RequestHandler] = set()

    def make_room(self) -> bool:
        """Close the oldest connection that waits for a request, if all places are taken; False if none does."""
        is_open = [each for each in self.connections if each.transport is not None]
        if len(is_open) < self.connections_max:
            return True
        waiting = next((each for each in is_open if each not in self.at_work), None)
        if waiting is not None:
            waiting.force_close()
        return waiting is not None

    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a connection, unless all places are at work."""
        server = self._manager
        if isinstance(server, _Server) and not server.make_room():
            transport.close()
        else:
            super().connection_made(transport)

    def set_parser(
        self, parser: WebSocketReader, data_received_cb: Callable[[], None] | None = None
    ) -> None:
        """Take what parses a WebSocket from now on."""
        server = self._manager
        if isinstance(server, _Server):
            parser = _Metered(parser, self, server.sent_max)  # type: ignore[assignment]
        super().set_parser(parser, data_received_cb)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer with a problem document, and close the connection: where the next request begins is unknown."""
        if status >= 500:  # logged, and told nothing of
            super().handle_error(request, status, exc, message)
        elif request.writer.output_size > 0:
            raise ConnectionError("the response was begun already")
        if isinstance(exc, LineTooLong):
            status = 414 if exc.args[1] == self._line_bytes_max() else 431
        response = bare_problem_response(status)
        response.force_close()
        return response

    def _line_bytes_max(self) -> int | None:
        server = self._manager
        return server.line_bytes_max if isinstance(server, _Server) else None


class _Metered:
    """Parses a WebSocket until its client has sent too much, and cuts it off then."""

    def __init__(self, parser: WebSocketReader, connection: RequestHandler, most: SentMax) -> None:
        self._parser = parser
        self._connection = connection
        self._rate = Rate(most.count_bytes, seconds=most.seconds)

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        if not self._rate.takes(len(data)):
            self._connection.force_close()
            return False, b""
        return self._parser.feed_data(data)

    def feed_eof(self) -> None:
        self._parser.feed_eof()
