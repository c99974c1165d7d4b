"""``GET /v1/scan?text=`` and ``POST /v1/scan``: what a scan says. Nothing recorded is looked up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from sealtrail.api.auth import any_token
from sealtrail.api.item_text import ITEM_CHARACTERS_MAX, check_parameters
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError, TooLargeError
from sealtrail.gs1 import CompanyPrefixes
from sealtrail.services.answers.scan_view import scan_view

_PARAMETERS = frozenset({"text"})


def routes(
    prefixes: Callable[[], Awaitable[CompanyPrefixes]], *, clock: Callable[[], int]
) -> list[web.RouteDef]:
    """Return the routes; ``clock`` gives Unix milliseconds."""

    async def answer(text: str) -> web.Response:
        today = datetime.fromtimestamp(clock() / 1000, UTC).date()
        return json_response(scan_view(text, prefixes=await prefixes(), today=today))

    @any_token
    async def get_scan(request: web.Request) -> web.Response:
        check_parameters(request, _PARAMETERS)
        return await answer(_limited(request.query.get("text", "")))

    @any_token
    async def post_scan(request: web.Request) -> web.Response:
        check_parameters(request, frozenset())
        body = await request.content.read(ITEM_CHARACTERS_MAX + 1)
        if len(body) > ITEM_CHARACTERS_MAX:
            raise TooLargeError(
                "identifier_too_long", f"at most {ITEM_CHARACTERS_MAX} bytes are read"
            )
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise InputError("identifier_malformed", f"the body is no UTF-8: {error}") from error
        return await answer(text)

    return [web.get("/v1/scan", get_scan), web.post("/v1/scan", post_scan)]


def _limited(text: str) -> str:
    if len(text) > ITEM_CHARACTERS_MAX:
        raise InputError(
            "identifier_too_long", f"{len(text)} characters, at most {ITEM_CHARACTERS_MAX} are read"
        )
    return text
