"""Responses that every route shares: JSON, and problem documents, in JSON or XML, for whatever went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from sealtrail.api.accept import choose
from sealtrail.api.content_coding import CODINGS
from sealtrail.api.xml_answers import problem_xml
from sealtrail.errors import SealtrailError
from sealtrail.services.problems import as_problem, problem

JSON = "application/json"
PROBLEM = "application/problem+json"
PROBLEM_XML = "application/problem+xml"
# A problem is told in the binding that was asked for, and in JSON to whoever asked for neither.
_BINDINGS = (PROBLEM, JSON, "application/ld+json", PROBLEM_XML, "application/xml", "text/xml")
RETRY_AFTER_SECONDS = 1


def json_response(
    value: Any,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    media_type: str = JSON,
) -> web.Response:
    """Return ``value`` as JSON; bytes are taken as they are."""
    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type=media_type, headers=headers)


def problem_response(
    error: SealtrailError, *, accept: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the problem document of an error, with the headers that its status asks for.

    Args:
        accept: the request's ``Accept`` header.
        headers: what stands on every answer of the interface that was asked.
    """
    headers = dict(headers or {})
    if error.status in (429, 503):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="sealtrail"'
    if error.code == "content_coding_unsupported":  # RFC 9110 section 15.5.16
        headers["Accept-Encoding"] = ", ".join(CODINGS)
    return _response(as_problem(error), headers, accept)


def http_problem_response(error: web.HTTPException, *, accept: str = "") -> web.Response:
    """Return the problem document of an error that aiohttp itself found (no such route, too large…)."""
    code, detail = http_finding(error)
    kept = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    return _response(problem(error.status, code=code, detail=detail), kept, accept)


def http_finding(error: web.HTTPException) -> tuple[str, str]:
    """Return code and detail of an error that aiohttp itself found."""
    return _HTTP.get(error.status, ("http_error", error.reason))


def bare_problem_response(status: int) -> web.Response:
    """Return the problem document of a request that could not even be read as HTTP."""
    if status not in _HTTP:
        return internal_error_response()
    code, detail = _HTTP[status]
    return _response(problem(status, code=code, detail=detail), {}, "")


def internal_error_response(*, accept: str = "") -> web.Response:
    """Return what the outside is told about a fault of our own: nothing but that it is one."""
    return _response(
        problem(
            500,
            code="internal_error",
            detail="the node met an error that it didn't expect; its log has it",
            advice="try again; if it stays, tell whoever runs this node",
        ),
        {},
        accept,
    )


_HTTP = {
    400: ("http_malformed", "the request is no valid HTTP"),
    404: ("route_unknown", "there is nothing at this address"),
    405: ("method_not_allowed", "this address doesn't have that method"),
    408: ("request_timeout", "the request took too long to arrive"),
    413: ("body_too_large", "the request body is over the limit"),
    414: ("address_too_long", "the request's address is over the limit"),
    417: ("expectation_unknown", "the only expectation that is met here is 100-continue"),
    431: ("headers_too_large", "the request's headers are over the limit"),
}


def _legible(value: Any) -> Any:
    """Return what can be written: a header's octets that are no UTF-8 may be quoted in a text."""
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _response(document: dict[str, Any], headers: Mapping[str, str], accept: str) -> web.Response:
    in_xml = (choose(accept, _BINDINGS) or PROBLEM) in _BINDINGS[3:]
    document = {name: _legible(value) for name, value in document.items()}
    return web.Response(
        body=problem_xml(document) if in_xml else msgspec.json.encode(document),
        status=document["status"],
        content_type=PROBLEM_XML if in_xml else PROBLEM,
        headers=headers,
    )
