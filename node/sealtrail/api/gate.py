"""The one middleware: admits a request, and turns whatever goes wrong into a problem document.

Order: a place is taken (or 503), a browser's question for another origin is answered, the caller is known and allowed
(or 401, 403), the handler runs, the outcome is recorded in the audit trail, counted and logged. ``except Exception``
stands here and nowhere else in the interface.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from aiohttp import ClientPayloadError, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler, Middleware

from sealtrail.api.audited import NOTE, Audited
from sealtrail.api.auth import ANONYMOUS, Caller, Tokens, identify, require_scope
from sealtrail.api.cors import Origins
from sealtrail.api.limits import Admission
from sealtrail.api.metrics import HttpMetrics
from sealtrail.api.negotiation import accepted
from sealtrail.api.responses import (
    http_finding,
    http_problem_response,
    internal_error_response,
    problem_response,
)
from sealtrail.api.websocket import is_upgrade
from sealtrail.errors import InputError, SealtrailError

CALLER = web.RequestKey("caller", Caller)
PROBLEM_HEADERS: web.RequestKey[dict[str, str]] = web.RequestKey("problem_headers", dict)
"""What a handler wants beside its problem documents."""

# What aiohttp raises from a body that ends early or is badly chunked
_BROKEN_OFF = (ConnectionError, web.RequestPayloadError, ClientPayloadError, HttpProcessingError)

_log = logging.getLogger("sealtrail.api")
_access = logging.getLogger("sealtrail.access")


def make_gate(
    tokens: Tokens,
    admission: Admission,
    metrics: HttpMetrics,
    audited: Audited,
    origins: Origins,
    clock: Callable[[], float],
) -> Middleware:
    """Return the middleware; ``clock`` gives seconds that only grow."""

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = clock()
        request[CALLER] = ANONYMOUS
        audited.begin(request, _route(request))
        response = await _answer(request, handler, tokens, admission, audited, origins)
        try:
            await audited.finish(request, response.status)
        except SealtrailError as error:  # what can't be recorded is not shown
            response = problem_response(error, accept=accepted(request))
        seconds = clock() - started
        metrics.observe(_route(request), request.method, response.status, seconds)
        if _access.isEnabledFor(logging.INFO):
            _write_access(request, response.status, seconds)
        return response

    return gate


def caller_of(request: web.Request) -> Caller:
    """Return who sent the request."""
    return request[CALLER]


async def _answer(
    request: web.Request,
    handler: Handler,
    tokens: Tokens,
    admission: Admission,
    audited: Audited,
    origins: Origins,
) -> web.StreamResponse:
    try:
        with admission.request():
            preflight = origins.preflight(request)
            if preflight is not None:
                return preflight
            request[CALLER] = caller = identify(request, tokens)
            if caller is not ANONYMOUS:
                await audited.known(request, caller.name)
            require_scope(request, caller)
            if is_upgrade(request):
                origins.require_known(request)
            audited.require_reason(request)
            return await handler(request)
    except web.HTTPException as error:
        request[NOTE].code = http_finding(error)[0]
        return http_problem_response(error, accept=accepted(request))
    except SealtrailError as error:
        if error.status == 500:
            _log.error("%s %s: %s", request.method, _route(request), error)
        request[NOTE].code, request[NOTE].pointer = error.code, error.pointer
        return problem_response(
            error, accept=accepted(request), headers=request.get(PROBLEM_HEADERS)
        )
    except _BROKEN_OFF as error:
        request[NOTE].code = "body_broken_off"
        what = f"the body is not what its header says: {error}"
        return problem_response(InputError("body_broken_off", what), accept=accepted(request))
    except Exception:  # noqa: BLE001 - the outermost place: logged, and told as a fault of ours
        _log.exception("%s %s: unexpected error", request.method, _route(request))
        request[NOTE].code = "internal_error"
        return internal_error_response(accept=accepted(request))


def _route(request: web.Request) -> str:
    # The pattern, never the address: addresses hold serial numbers.
    resource = request.match_info.route.resource
    return "unrouted" if resource is None else resource.canonical


def _write_access(request: web.Request, status: int, seconds: float) -> None:
    fields = {
        "method": request.method,
        "route": _route(request),
        "status": status,
        "milliseconds": round(seconds * 1000, 2),
        "body_bytes": request.content_length,
        "caller": caller_of(request).name,
        "remote": request.remote,
    }
    _access.info(
        "%s %s %d %.1f ms",
        request.method,
        fields["route"],
        status,
        seconds * 1000,
        extra={"fields": fields},
    )
