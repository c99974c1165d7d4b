"""``GET /openapi.json``: the interface as OpenAPI 3.1 has it, written from the routes that this node really has.

GS1's own document says more of the EPCIS part: its schemas of events. This one says what is here, and who may.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from aiohttp import web

from sealtrail import __version__
from sealtrail.api.auth import ANY_TOKEN, DISCOVERY, OPEN, OWN_CHECK, open_to_all
from sealtrail.api.openapi_operations import OPERATIONS, Operation
from sealtrail.api.responses import PROBLEM, PROBLEM_XML, json_response

_variables = re.compile(r"\{([a-z_]+)\}").findall
_ANYTHING: dict[str, Any] = {}
_TEXT = {"type": "string"}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "description": "The exception of EPCIS 2.0, or about:blank."},
        "title": _TEXT,
        "status": {"type": "integer"},
        "detail": _TEXT,
        "code": {"type": "string", "description": "Stable name of the finding."},
        "pointer": {"type": "string", "description": "RFC 6901, into the body; or a parameter."},
        "advice": _TEXT,
    },
}
_SECURITY: dict[str, list[Any]] = {
    OPEN: [],
    DISCOVERY: [{}, {"token": []}],
    OWN_CHECK: [{"member": []}],
    ANY_TOKEN: [{"token": []}],
}


def routes() -> list[web.RouteDef]:
    """Return the route of the document."""

    @open_to_all
    async def get_document(request: web.Request) -> web.Response:
        return json_response(openapi_document(request.app.router.routes()))

    return [web.get("/openapi.json", get_document)]


def openapi_document(of: Iterable[web.AbstractRoute]) -> dict[str, Any]:
    """Return the document of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, scope in _described(of):
        paths.setdefault(path, {})[method.lower()] = _operation(
            _OPTIONS if method == "OPTIONS" else OPERATIONS[method, path], path, scope
        )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sealtrail node",
            "version": __version__,
            "description": "EPCIS 2.0's REST binding, and the node's own /v1. See docs/http-api.md.",
        },
        "paths": {path: paths[path] for path in sorted(paths)},
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "member": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": "RFC 9421 HTTP message signature by a member's peer key.",
                },
            },
            "schemas": {"problem": _PROBLEM},
            "responses": {
                "problem": {
                    "description": "A problem document (RFC 9457).",
                    "content": {
                        PROBLEM: {"schema": {"$ref": "#/components/schemas/problem"}},
                        PROBLEM_XML: {},
                    },
                }
            },
        },
    }


_OPTIONS = Operation(
    summary="What the address takes: versions, formats, methods.", status=204, media_types=()
)


def _described(of: Iterable[web.AbstractRoute]) -> Iterator[tuple[str, str, str]]:
    """Give method, pattern and scope of each route; HEAD is what GET is."""
    for route in of:
        if route.resource is not None and route.method != "HEAD":
            yield route.method, route.resource.canonical, getattr(route.handler, "scope", "")


def _operation(of: Operation, path: str, scope: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": of.summary,
        "security": _SECURITY.get(scope, [{"token": [scope]}]),
        "parameters": [
            *(_parameter("path", name) for name in _variables(path)),
            *(_parameter("query", name) for name in of.query),
            *(_parameter("header", name) for name in of.headers),
        ],
        "responses": {
            str(of.status): {"description": of.summary, **_content(of.media_types)},
            "default": {"$ref": "#/components/responses/problem"},
        },
    }
    if of.query_language:
        found["parameters"].append(
            {
                "in": "query",
                "name": "parameters",
                "description": "The query language of EPCIS 2.0, section 8.2.7.1: docs/queries.md.",
                "style": "form",
                "explode": True,
                "schema": {"type": "object", "additionalProperties": _TEXT},
            }
        )
    if of.body:
        found["requestBody"] = {"required": True, **_content(of.body)}
    return found


def _parameter(place: str, name: str) -> dict[str, Any]:
    return {"in": place, "name": name, "required": place == "path", "schema": _TEXT}


def _content(media_types: tuple[str, ...]) -> dict[str, Any]:
    return {"content": {each: {"schema": _ANYTHING} for each in media_types}} if media_types else {}
