"""Lists in pages by row: the page that a request asks for, and the link to the next."""

from __future__ import annotations

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
    after = _number(request, "nextPageToken", 0, "page_token_invalid")
    limit = _number(request, "perPage", PER_PAGE_DEFAULT, "query_parameter_invalid")
    return after, min(limit, PER_PAGE_MAX)


def link_to_next(request: web.Request, token: int | str | None) -> dict[str, str]:
    """Return the header that leads to the next page; none, if there is none."""
    if token is None:
        return {}
    following = request.rel_url.update_query(nextPageToken=str(token))
    return {"Link": f'<{following}>; rel="next"'}


def _number(request: web.Request, name: str, default: int, code: str) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 16 and int(text) > 0):
        raise InputError(
            code, f"{name} is {text[:40]!r}, expected a whole number above 0", pointer=name
        )
    return int(text)
