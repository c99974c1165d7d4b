"""Evidence bundles, and the trust file to read them with.

``GET /v1/evidence/{item}`` is about an item, ``GET /v1/log-evidence`` about a part of the own log,
``GET /v1/trust`` gives the network as this node followed it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.event_params import parse_query
from sealtrail.api.item_text import check_parameters, item_text
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.trust import encode_trust
from sealtrail.gs1 import parse_item
from sealtrail.services.evidence.bundles import EvidenceService

BUNDLE_MEDIA_TYPE = "application/vnd.sealtrail.evidence+jsonl"
_LEAF_INDEX_DIGITS_MAX = 16


def routes(evidence: EvidenceService) -> list[web.RouteDef]:
    """Return the routes."""

    @needs("provenance")
    async def about_item(request: web.Request) -> web.StreamResponse:
        check_parameters(request, frozenset({"item", "whole"}))
        item = parse_item(item_text(request))
        note_of(request).asked_for([item.canonical])
        return await _stream(
            request,
            _given(await evidence.about_item(item.canonical, whole=_flag(request, "whole"))),
        )

    @needs("log")
    async def about_log(request: web.Request) -> web.StreamResponse:
        check_parameters(request, frozenset({"first", "until"}))
        first, until = _leaf_index(request, "first"), _leaf_index(request, "until")
        return await _stream(request, evidence.about_log(first or 0, until))

    @needs("query")
    async def about_query(request: web.Request) -> web.StreamResponse:
        query = parse_query(request.query)
        # as it came: decoded, it could not be told any more which of its characters part it
        lines = await evidence.about_query(request.rel_url.raw_query_string, query.wanted)
        return await _stream(request, _given(lines))

    @needs("provenance")
    async def trust(request: web.Request) -> web.Response:
        check_parameters(request, frozenset())
        return web.Response(
            body=encode_trust(await evidence.trust()), content_type="application/json"
        )

    return [
        web.get("/v1/evidence", about_item),
        # an identifier may hold slashes: a Digital Link that was not percent-encoded, a serial that has one
        web.get("/v1/evidence/{item:.+}", about_item),
        web.get("/v1/query-evidence", about_query),
        web.get("/v1/log-evidence", about_log),
        web.get("/v1/trust", trust),
    ]


async def _given(lines: Iterable[bytes]) -> AsyncIterator[bytes]:
    for line in lines:
        yield line


async def _stream(request: web.Request, lines: AsyncIterator[bytes]) -> web.StreamResponse:
    """Send lines as they come; what fails before the first is a problem document, later the body breaks off.

    A bundle that breaks off has no signature line, and every reader sees that.
    """
    first = await anext(lines)
    response = web.StreamResponse(headers={"Content-Type": BUNDLE_MEDIA_TYPE})
    await response.prepare(request)
    await response.write(first)
    async for line in lines:
        await response.write(line)
    await response.write_eof()
    return response


def _flag(request: web.Request, name: str) -> bool:
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise InputError(
            "flag_invalid", f"{name} is {text[:40]!r}, not true or false", pointer=name
        )
    return text == "true"


def _leaf_index(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _LEAF_INDEX_DIGITS_MAX):
        raise InputError(
            "leaf_index_invalid", f"{name} is {text[:40]!r}, no leaf index", pointer=name
        )
    return int(text)
