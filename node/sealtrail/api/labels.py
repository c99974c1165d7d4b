"""``GET /v1/label/{Digital Link path}`` and ``GET /v1/label?item=``: the label of a thing as a picture.

It says what it was asked for and nothing that this node knows, so that any token may ask.
"""

from __future__ import annotations

import re
from typing import get_args

from aiohttp import web

from sealtrail.api.auth import any_token
from sealtrail.api.item_text import check_parameters, item_text
from sealtrail.errors import InputError
from sealtrail.gs1.digital_link import DIGITAL_LINK
from sealtrail.services.answers.labels import SCALE_MAX, Symbology, draw, label_elements, png, svg

_OPTIONS = frozenset(
    {"item", "lot", "expiry", "serial", "symbology", "scale", "format", "text", "stem"}
)
_SCALE = 4
_STEM_CHARACTERS_MAX = 200
# RFC 3986's own characters without those of a query or fragment, behind which a key would be none
_is_stem = re.compile(r"https?://[A-Za-z0-9\-._~:/@!$&'()*+,;=%\[\]]+").fullmatch


def routes() -> list[web.RouteDef]:
    """Return the label's routes."""

    @any_token
    async def get_label(request: web.Request) -> web.Response:
        check_parameters(request, _OPTIONS | {name for name in request.query if name.isdigit()})
        query = request.query
        elements = label_elements(
            _item(request),
            lot=query.get("lot", ""),
            expiry=query.get("expiry", ""),
            serial=query.get("serial", ""),
        )
        label = draw(elements, _symbology(query.get("symbology", "datamatrix")), _stem(request))
        scale, form = _scale(query.get("scale")), query.get("format", "png")
        if form not in ("png", "svg"):
            raise _invalid("format", form, "png or svg")
        if form == "svg":
            body = svg(label, scale, with_text=_yes(query.get("text", "no")))
            return web.Response(body=body, content_type="image/svg+xml")
        return web.Response(body=png(label, scale), content_type="image/png")

    return [
        web.get("/v1/label", get_label),
        web.get("/v1/label/{item:.+}", get_label),
    ]


def _item(request: web.Request) -> str:
    """What was given as item; a path without a host is that of a Digital Link, whose query's AIs belong to it."""
    if "item" not in request.match_info:
        return item_text(request)
    item = item_text(request)
    path = request.rel_url.raw_path.removeprefix("/v1/label/")
    first = path.partition("/")[0]
    if "/" not in path or not first.isalnum():
        return item  # percent-encoded whole
    attributes = "&".join(
        part for part in request.rel_url.raw_query_string.split("&") if part[:1].isdigit()
    )
    return f"{DIGITAL_LINK}{path}" + (f"?{attributes}" if attributes else "")


def _symbology(text: str) -> Symbology:
    for symbology in get_args(Symbology):
        if text == symbology:
            found: Symbology = symbology
            return found
    raise _invalid("symbology", text, " or ".join(get_args(Symbology)))


def _scale(text: str | None) -> int:
    if text is None:
        return _SCALE
    if text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= SCALE_MAX:
        return int(text)
    raise _invalid("scale", text, f"1 to {SCALE_MAX} pixels a module")


def _stem(request: web.Request) -> str:
    stem = request.query.get("stem", DIGITAL_LINK)
    if len(stem) > _STEM_CHARACTERS_MAX or not _is_stem(stem):
        raise _invalid(
            "stem", stem, f"an http or https URL of at most {_STEM_CHARACTERS_MAX} characters"
        )
    return stem


def _yes(text: str) -> bool:
    if text in ("yes", "true", "1"):
        return True
    if text in ("no", "false", "0"):
        return False
    raise _invalid("text", text, "yes or no")


def _invalid(name: str, given: str, expected: str) -> InputError:
    return InputError(
        "query_parameter_invalid",
        f"{name} is {given[:40]!r}, expected {expected}",
        pointer=name,
    )
