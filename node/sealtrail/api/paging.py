"""Pages: how many a client wants, and the tokens with which it asks for the next ones (EPCIS 2.0 section 12).

A token says where its listing goes on, so that none is lost or comes twice when more is recorded meanwhile, and
nothing is held for it here. It says what was asked as well, for clients that send it back alone. It is bound to its
listing, ends some time after it was given out, and can be released before.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias

import msgspec
from aiohttp import web
from multidict import MultiDict, MultiMapping

from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX
from sealtrail.errors import InputError

TOKEN_SECONDS = 7 * 24 * 3600
# Tokens that were released and would not have ended yet; beyond that the first one is forgotten.
RELEASED_MAX = 10_000
# A longer query has to be sent with its token: as part of both, it would make a Link that clients refuse to read.
ASKED_BYTES_MAX = 1024
_PAGING = ("perPage", "nextPageToken")

Pairs: TypeAlias = list[tuple[str, str]]


class _Token(msgspec.Struct, frozen=True, array_like=True):
    """``ends`` is a Unix time in seconds; ``listing`` what it is for; ``place`` where that goes on.

    ``asked`` are the parameters of the listing, if they are few.
    """

    ends: int
    listing: str
    place: str
    asked: Pairs = []


class PageTokens:
    """Gives out tokens and takes them back.

    Args:
        clock: gives Unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._released: dict[bytes, int] = {}

    def next_page(self, request: web.Request, place: str) -> dict[str, str]:
        """Return the headers that lead to the page after this one."""
        ends = int(self._clock()) + TOKEN_SECONDS
        asked = _asked(request.query)
        kept = asked if len(msgspec.json.encode(asked)) <= ASKED_BYTES_MAX else []
        packed = msgspec.json.encode(_Token(ends, _listing(request.path, asked), place, kept))
        token = base64.urlsafe_b64encode(packed).decode().rstrip("=")
        address = request.rel_url.update_query(nextPageToken=token)
        return {
            "Link": f'<{_absolute(request, str(address))}>; rel="next"',
            "GS1-Next-Page-Token-Expires": datetime.fromtimestamp(ends, UTC).strftime(
                "%Y-%m-%dT%H:%M:%SZ"
            ),
        }

    def place(self, request: web.Request) -> str | None:
        """Return where the listing that is asked for goes on; None: from its beginning.

        Raises:
            InputError: ``page_token_invalid``, ``page_token_expired``, ``query_parameter_repeated``.
        """
        text = _given(request)
        return None if text is None else self._place(text, _read(text), request.path, request.query)

    def query(self, request: web.Request) -> MultiDict[str]:
        """Return the request's parameters with what its token leads to in the token's place.

        A token that comes without what was asked brings that with it.

        Raises:
            InputError: as :meth:`place`.
        """
        parameters = MultiDict(request.query)
        text = _given(request)
        if text is not None:
            token = _read(text)
            if not _asked(parameters):
                parameters.extend(token.asked)
            parameters["nextPageToken"] = self._place(text, token, request.path, parameters)
        return parameters

    def _place(self, text: str, token: _Token, path: str, parameters: MultiMapping[str]) -> str:
        if token.listing != _listing(path, _asked(parameters)):
            raise _invalid("nextPageToken is of another listing")
        if token.ends < self._clock() or _digest(text) in self._released:
            raise InputError(
                "page_token_expired",
                "nextPageToken has ended, or was released",
                pointer="nextPageToken",
                advice="ask for the first page again",
            )
        return token.place

    def release(self, token: str) -> None:
        """Let a token end now; harmless to repeat, and of what is no token, which leads nowhere already."""
        try:
            ends = _read(token).ends
        except InputError:
            return
        self._released[_digest(token)] = ends
        if len(self._released) > RELEASED_MAX:
            del self._released[next(iter(self._released))]


def page_size(request: web.Request) -> int:
    """Return how many one page is to have: ``perPage``, within the node's limit.

    Raises:
        InputError: ``query_parameter_invalid``.
    """
    return check_page_size(request.query.get("perPage", PER_PAGE_DEFAULT))


def check_page_size(given: object) -> int:
    """Return how many one page is to have, given as text or as a number.

    Raises:
        InputError: ``query_parameter_invalid``.
    """
    text = given if isinstance(given, str) else str(given)
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise InputError(
            "query_parameter_invalid",
            f"perPage is {text[:40]!r}, expected a whole number above 0",
            pointer="perPage",
        )
    return min(int(text), PER_PAGE_MAX)


def row_page(request: web.Request, pages: PageTokens) -> tuple[int, int]:
    """Return the row after which a listing by rows goes on, and how many its page is to have.

    Raises:
        InputError: as :func:`check_only_paging`, :func:`page_size` and :meth:`PageTokens.place`.
    """
    check_only_paging(request)
    place = pages.place(request)
    if place is not None and not (place.isascii() and place.isdigit() and len(place) < 16):
        raise _invalid("nextPageToken is of another listing")
    return int(place or 0), page_size(request)


def next_row_page(request: web.Request, pages: PageTokens, row: int | None) -> dict[str, str]:
    """Return the headers that lead to the page after a row; none, if there is none."""
    return {} if row is None else pages.next_page(request, str(row))


def check_only_paging(request: web.Request) -> None:
    """Refuse parameters that a listing doesn't have.

    Raises:
        InputError: ``query_parameter_unknown``.
    """
    for name in request.query:
        if name not in _PAGING:
            raise InputError(
                "query_parameter_unknown", f"{name[:80]} is not known here", pointer=name[:80]
            )


def _read(token: str) -> _Token:
    try:
        packed = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), b"-_", validate=True)
        return msgspec.json.decode(packed, type=_Token)
    except (ValueError, msgspec.DecodeError, RecursionError) as e:
        raise _invalid("this is not a page token that this node gave out") from e


def _invalid(message: str) -> InputError:
    return InputError(
        "page_token_invalid",
        message,
        pointer="nextPageToken",
        advice="follow the Link header without changing the query",
    )


def _given(request: web.Request) -> str | None:
    """Return the request's token, still to be read."""
    given = request.query.getall("nextPageToken", [])
    if len(given) > 1:
        raise InputError(
            "query_parameter_repeated", "nextPageToken is given twice", pointer="nextPageToken"
        )
    return given[0] if given else None


def _asked(parameters: MultiMapping[str]) -> Pairs:
    """Return what a listing is asked, whichever page of it."""
    return sorted((n, v) for n, v in parameters.items() if n not in _PAGING)


def _listing(path: str, asked: Pairs) -> str:
    return sha256(msgspec.json.encode([path, asked])).hexdigest()[:24]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _absolute(request: web.Request, address: str) -> str:
    """Return an address as the client reaches it: many follow only whole ones."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    known = scheme in ("http", "https") and _is_host(request.host)
    return f"{scheme}://{request.host}{address}" if known else address


def _is_host(text: str) -> bool:
    return bool(text) and all(each.isalnum() or each in ".-:[]_" for each in text)
