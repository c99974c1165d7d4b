"""Tokens with scopes, as bearer tokens or as passwords. They are known by their SHA-256 only; a route without a scope
is closed.

That passwords are taken is never offered (``WWW-Authenticate``): a browser would ask for one, and send it along with
what pages of other origins ask for.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from sealtrail.config import TokenSettings
from sealtrail.errors import ForbiddenError, UnauthorizedError

Handler = TypeVar("Handler", bound=Callable[[web.Request], Awaitable[web.StreamResponse]])

# Scopes that aren't a token's: open to all; open to all, though a token that is shown must be known; any token;
# checked by the handler (peers' signatures).
OPEN = "-open"
DISCOVERY = "-discovery"
ANY_TOKEN = "-any"  # noqa: S105 - a scope's name
OWN_CHECK = "-own"
_NOBODYS = (OPEN, DISCOVERY, ANY_TOKEN, OWN_CHECK)


class Caller(msgspec.Struct, frozen=True):
    """Who asks: the token's name, and what it may do."""

    name: str
    scopes: frozenset[str]


ANONYMOUS = Caller("-", frozenset())


def needs(scope: str) -> Callable[[Handler], Handler]:
    """Mark a handler as open to tokens with ``scope``. A handler without a mark answers nobody."""

    def mark(handler: Handler) -> Handler:
        handler.__dict__["scope"] = scope
        return handler

    return mark


open_to_all = needs(OPEN)
for_discovery = needs(DISCOVERY)
any_token = needs(ANY_TOKEN)
checks_callers_itself = needs(OWN_CHECK)


class Tokens:
    """The tokens that this node knows."""

    def __init__(self, settings: Sequence[TokenSettings]) -> None:
        self._known = [
            (bytes.fromhex(t.sha256), Caller(t.name, frozenset(t.scopes))) for t in settings
        ]

    def caller(self, authorization: str | None) -> Caller:
        """Return whose token an ``Authorization`` header shows.

        Raises:
            UnauthorizedError: none (``token_missing``) or not known (``token_unknown``).
        """
        token = _token_of(authorization or "")
        if not token:
            raise UnauthorizedError(
                "token_missing",
                "this address wants a bearer token",
                advice="send the header Authorization: Bearer TOKEN, or the token as a password (Basic)",
            )
        digest = sha256(token.encode("utf-8", "surrogateescape")).digest()
        for known, caller in self._known:
            if hmac.compare_digest(digest, known):
                return caller
        raise UnauthorizedError("token_unknown", "the token is not known here")


def _token_of(authorization: str) -> str:
    """Return the token in an ``Authorization`` header: by itself (RFC 6750), or as anyone's password (RFC 7617)."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return given.strip()
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(given.strip(), validate=True)
        except (binascii.Error, ValueError):
            return ""
        return pair.partition(b":")[2].decode("utf-8", "surrogateescape").strip()
    return ""


def identify(request: web.Request, tokens: Tokens) -> Caller:
    """Return the caller of a request: whose token it shows, or nobody where the route wants none.

    Raises:
        UnauthorizedError: no token, or none that is known.
    """
    scope, authorization = _scope(request), request.headers.get("Authorization")
    if scope in (OPEN, OWN_CHECK) or (scope == DISCOVERY and authorization is None):
        return ANONYMOUS
    return tokens.caller(authorization)


def require_scope(request: web.Request, caller: Caller) -> None:
    """Check that the caller may use the route.

    Raises:
        ForbiddenError: the token has not the scope (``scope_missing``).
    """
    scope = _scope(request)
    if scope not in _NOBODYS and scope not in caller.scopes:
        raise ForbiddenError(
            "scope_missing", f"this needs a token with the scope {scope}", scope=scope
        )


def _scope(request: web.Request) -> str | None:
    handler: Any = request.match_info.handler
    unrouted = request.match_info.http_exception is not None
    return ANY_TOKEN if unrouted else getattr(handler, "scope", None)
