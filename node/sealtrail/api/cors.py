"""Which web pages of other origins may use the interface from a browser: none but those that the configuration names.

A page gives its token itself, so that no browser adds one unasked: ``Access-Control-Allow-Credentials`` is never sent,
and neither is ``*``. What is refused here is refused by the browser; whoever has a token and no browser is not held up.

Source: Fetch standard (CORS protocol); RFC 6455 section 10.2 (origins of WebSockets).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web

from sealtrail.errors import ForbiddenError

EXPOSED = (
    "Accept-Encoding",
    "Allow",
    "ETag",
    "GS1-CBV-Max",
    "GS1-CBV-Min",
    "GS1-CBV-Version",
    "GS1-CBV-XML-Format",
    "GS1-Capture-Error-Behaviour",
    "GS1-EPC-Format",
    "GS1-EPCIS-Capture-File-Size-Limit",
    "GS1-EPCIS-Capture-Limit",
    "GS1-EPCIS-Max",
    "GS1-EPCIS-Min",
    "GS1-EPCIS-Version",
    "GS1-Extensions",
    "GS1-Next-Page-Token-Expires",
    "GS1-Vendor-Version",
    "Link",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "Sealtrail-Duplicate",
    "WWW-Authenticate",
)
"""What scripts may read of an answer's headers, beside those that they may always."""

# How long a browser keeps the answer to a preflight; Chromium keeps none longer.
MAX_AGE_SECONDS = 7_200
_METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
_is_token = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch  # RFC 9110 section 5.6.2


class Origins:
    """The origins whose pages may use this node."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(allowed)

    def attach(self, application: web.Application) -> None:
        """Have every answer say who may read it; also those that are streamed, and WebSockets."""
        if self._allowed:
            application.on_response_prepare.append(self._tell)

    def preflight(self, request: web.Request) -> web.Response | None:
        """Return the answer to a browser's question whether a page may send a request; None to any other request.

        It is the same for every address: what is there, and who may use it, is told to whoever sends the request.
        """
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        if request.headers.get("Origin") not in self._allowed:
            return None
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
        }
        wanted = request.headers.getall("Access-Control-Request-Headers", ())
        # all that it asks for: no header is of use here to whoever has no token
        names = [name.strip() for name in ",".join(wanted).split(",") if _is_token(name.strip())]
        if names:
            headers["Access-Control-Allow-Headers"] = ", ".join(names)
        return web.Response(status=204, headers=headers)

    def require_known(self, request: web.Request) -> None:
        """Refuse a WebSocket that a page of another origin opens: browsers leave that to the server.

        Raises:
            ForbiddenError: ``origin_refused``.
        """
        origin = request.headers.get("Origin")
        if origin is None or origin in self._allowed or _host_of(origin) == request.host:
            return
        raise ForbiddenError(
            "origin_refused",
            f"pages of {origin[:200]} may not open WebSockets here",
            pointer="Origin",
            advice="the operator can allow them with http.cors_origins",
        )

    async def _tell(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        varies = headers.get("Vary")
        headers["Vary"] = f"{varies}, Origin" if varies else "Origin"
        origin = request.headers.get("Origin")
        # the Digital Link resolver says by itself that everybody may read it
        if origin in self._allowed and "Access-Control-Allow-Origin" not in headers:
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = ", ".join(EXPOSED)


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None
