"""What routes that take an item in their path or query have in common."""

from __future__ import annotations

from aiohttp import web

from sealtrail.errors import InputError

ITEM_CHARACTERS_MAX = 2_000


def check_parameters(request: web.Request, known: frozenset[str]) -> None:
    """Refuse a query parameter that the route does not know.

    Raises:
        InputError: ``query_parameter_unknown``.
    """
    for name in request.query:
        if name not in known:
            raise InputError(
                "query_parameter_unknown",
                f"{name[:80]} is not known here",
                advice="percent-encode an identifier that has a question mark",
            )


def item_text(request: web.Request) -> str:
    """Return what was given for an item, in the path or as parameter ``item``.

    Raises:
        InputError: ``identifier_too_long``.
    """
    text: str = request.match_info.get("item") or request.query.get("item") or ""
    if len(text) > ITEM_CHARACTERS_MAX:
        raise InputError(
            "identifier_too_long", f"{len(text)} characters, at most {ITEM_CHARACTERS_MAX} are read"
        )
    return text
