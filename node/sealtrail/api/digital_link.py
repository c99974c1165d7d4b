"""The node as a GS1 Digital Link resolver: ``GET /01/{gtin}/21/{serial}`` and all other keys.

Open to all, as resolvers are, since what it answers follows from the identifier alone; the services that it leads to
want a token. Scripts of any origin may ask.

Source: GS1-Conformant Resolver Standard 1.2, section 4; RFC 9264; Fetch standard (CORS).
"""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import open_to_all
from sealtrail.api.responses import json_response, problem_response
from sealtrail.errors import NotFoundError, SealtrailError
from sealtrail.gs1 import canonical
from sealtrail.gs1.elements import Elements
from sealtrail.gs1.link_elements import encode_link, encode_path, parse_link, path_of
from sealtrail.services.answers.resolver import (
    DEFAULT,
    LINKSET_CONTEXT,
    Link,
    description,
    link_type_of,
    links_of,
    linkset,
)

LINKSET = "application/linkset+json"
_LINKSET_WORDS = frozenset({"linkset", "all"})
_METHODS = "GET, HEAD, OPTIONS"
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Link, Location",
}
_PREFLIGHT = {
    **_CORS,
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Accept, Accept-Language",
    "Access-Control-Max-Age": "86400",
    "Allow": _METHODS,
}
_PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
    "<h1>{title}</h1><ul>{links}</ul></html>"
)

Resolve = Callable[[web.Request], Awaitable[web.Response]]


def routes(*, name: str, public_url: str) -> list[web.RouteDef]:
    """Return the resolver's routes.

    Args:
        name: the node's, for the description file.
        public_url: under which users reach the node.
    """

    @open_to_all
    async def resolve(request: web.Request) -> web.Response:
        return await _for_scripts(request, _resolve_at(public_url))

    @open_to_all
    async def get_description(_: web.Request) -> web.Response:
        return json_response(description(name, public_url), headers=_CORS)

    @open_to_all
    async def preflight(_: web.Request) -> web.Response:
        return web.Response(status=204, headers=_PREFLIGHT)

    # the keys, and the short names that earlier releases of the syntax had for them
    return [
        web.get("/.well-known/gs1resolver", get_description),
        web.options("/.well-known/gs1resolver", preflight),
        web.get(
            "/{key:0[01]|25[35]|40[12]|41[457]|80(0[346]|1[0378])|g[a-z]+|sscc|itip|cpid|party}/{value:.+}",
            resolve,
        ),
        web.options(
            "/{key:0[01]|25[35]|40[12]|41[457]|80(0[346]|1[0378])|g[a-z]+|sscc|itip|cpid|party}/{value:.+}",
            preflight,
        ),
    ]


async def _for_scripts(request: web.Request, resolve: Resolve) -> web.Response:
    """Let scripts of any origin read the answer, a refusal too."""
    try:
        response = await resolve(request)
    except SealtrailError as error:
        note_of(request).code = error.code
        response = problem_response(error)
    response.headers.update(_CORS)
    return response


def _resolve_at(public_url: str) -> Resolve:
    async def resolve(request: web.Request) -> web.Response:
        elements = parse_link(_link_text(request, public_url))
        path = path_of(elements)
        wanted = request.query.get("linkType")
        answer = _answer(request, elements, public_url, wanted)
        answer.headers["Link"] = _link_header(path, public_url)
        answer.headers["Vary"] = "Accept"
        return answer

    return resolve


def _link_text(request: web.Request, public_url: str) -> str:
    """The Digital Link that was asked for, at the node's public address; a slash at its end does no harm."""
    url = request.rel_url
    query = f"?{url.raw_query_string}" if url.raw_query_string else ""
    return f"{public_url}{url.raw_path.rstrip('/')}{query}"


def _answer(
    request: web.Request, elements: Elements, base: str, wanted: str | None
) -> web.Response:
    path = path_of(elements)
    accept = request.headers.get("Accept", "")
    if wanted in _LINKSET_WORDS or (wanted is None and LINKSET in accept):
        found = linkset(path, base)
        if not found["linkset"]:
            raise _nothing(path)
        if wanted in _LINKSET_WORDS and "text/html" in accept and "json" not in accept:
            return web.Response(text=_page(path, found), content_type="text/html")
        return web.Response(body=msgspec.json.encode(found), content_type=LINKSET)
    link = _chosen(path, base, _asked(request, path, elements), wanted)
    return web.Response(status=307, headers={"Location": link.href})


def _chosen(path: Elements, base: str, asked: str, wanted: str | None) -> Link:
    links = links_of(path, base, asked)
    if not links:
        raise _nothing(path)
    if wanted is None or (link_type := link_type_of(wanted)) == DEFAULT:
        return links[0]
    for link in links:
        if link.link_type == link_type:
            return link
    raise NotFoundError(
        "link_type_unavailable",
        f"there is no link of the type {wanted[:100]!r}",
        advice="ask with linkType=linkset for all there are",
    )


def _asked(request: web.Request, path: Elements, elements: Elements) -> str:
    """The identifier as asked, with its query but for what was meant for the resolver.

    Targets take it as the item, so that what the query states (expiry, a tracking key) is passed on with it.
    """
    link = encode_link({**path, **{ai: v for ai, v in elements.items() if ai not in path}})
    others = [(k, v) for k, v in request.query.items() if k != "linkType" and k not in elements]
    return link + (("&" if "?" in link else "?") + urlencode(others) if others else "")


def _link_header(path: Elements, base: str) -> str:
    here = f"{base}{encode_path(path)}"
    return (
        f'<{here}?linkType=linkset>; rel="linkset"; type="{LINKSET}", '
        f'<{canonical(encode_link(path))}>; rel="owl:sameAs", '
        f'<{LINKSET_CONTEXT}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
    )


def _page(path: Elements, found: dict[str, Any]) -> str:
    links = [
        f'<li><a href="{html.escape(target["href"])}">{html.escape(target["title"])}</a></li>'
        for name, targets in found["linkset"][0].items()
        if name not in ("anchor", DEFAULT)
        for target in targets
    ]
    return _PAGE.format(title=html.escape(encode_link(path)), links="".join(links))


def _nothing(path: Elements) -> NotFoundError:
    key = next(iter(path))
    return NotFoundError("links_unavailable", f"this node answers nothing about ({key})")
