"""Lists in pages by row: the page that a request asks for, and the link to the next."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX
from sealtrail.errors import InputError

_KNOWN = ("perPage", "nextPageToken")


def page_of(request: web.Request) -> tuple[int, int]:
    """Return the row to go on after, and how many are asked for.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_invalid``, ``page_token_invalid``.
    """
    for name in request.query:
        if name not in _KNOWN:
            raise InputError(
                "query_parameter_unknown", f"{name[:80]} is not known here", pointer=name[:80]
            )
    token = request.query.get("nextPageToken")
    after = 0 if token is None else _number("nextPageToken", token, "page_token_invalid")
    return after, per_page(request)


def per_page(request: web.Request, default: int = PER_PAGE_DEFAULT) -> int:
    """Return how many are asked for at a time, by the request or else by ``default``.

    Raises:
        InputError: ``query_parameter_invalid``.
    """
    return check_per_page(request.query.get("perPage", default))


def check_per_page(given: Any) -> int:
    """Return how many are asked for at a time, as text or as a number.

    Raises:
        InputError: ``query_parameter_invalid``.
    """
    text = given if isinstance(given, str) else str(given)
    return min(_number("perPage", text, "query_parameter_invalid"), PER_PAGE_MAX)


def link_to_next(request: web.Request, token: int | str | None) -> dict[str, str]:
    """Return the header that leads to the next page; none, if there is none."""
    if token is None:
        return {}
    following = request.rel_url.update_query(nextPageToken=str(token))
    return {"Link": f'<{following}>; rel="next"'}


def _number(name: str, text: str, code: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text) > 0):
        raise InputError(
            code, f"{name} is {text[:40]!r}, expected a whole number above 0", pointer=name
        )
    return int(text)
