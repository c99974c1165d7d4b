"""What goes wrong before a request reaches the gate (no valid HTTP, an unknown Expect) as problem documents too.

aiohttp answers these by itself, as plain text that repeats what it was sent.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from sealtrail.api.responses import bare_problem_response, http_problem_response


class ProblemRunner(web.AppRunner):
    """Runs an application; whatever it answers is a problem document or its own."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()

        async def handle(request: Any) -> web.StreamResponse:
            try:
                return await made.request_handler(request)
            except web.HTTPException as error:  # from before the middlewares
                return http_problem_response(error)

        return _Server(handle, request_factory=made.request_factory, **made._kwargs)


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(RequestHandler):
    __slots__ = ()

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
        response = bare_problem_response(status)
        response.force_close()
        return response
