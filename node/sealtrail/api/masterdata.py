"""``/v1/masterdata``: what products, places and parties are, put by the member and asked for by anybody of its own."""

from __future__ import annotations

import base64
import re
from typing import Any

import msgspec
from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.item_text import check_parameters, item_text
from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX, BodyRoom
from sealtrail.api.negotiation import check_accept, check_body
from sealtrail.api.provenance import moment
from sealtrail.api.responses import json_response
from sealtrail.config import HttpSettings
from sealtrail.errors import InputError
from sealtrail.services.answers.master_data import MasterDataAnswers, Place
from sealtrail.services.receipts import TIME_MS_MAX, rfc3339
from sealtrail.services.recording.drafts import Body
from sealtrail.services.recording.master_data import Kept, MasterDataService

# Bodies of all requests in hand, as multiples of the largest: master data comes seldom.
_BODIES_IN_HAND = 2
_is_number = re.compile(r"[1-9][0-9]{0,8}").fullmatch


def routes(
    service: MasterDataService, answers: MasterDataAnswers, settings: HttpSettings
) -> list[web.RouteDef]:
    """Return the routes of master data."""
    room = BodyRoom(
        bytes_max=settings.body_bytes_max,
        bytes_in_hand_max=settings.body_bytes_max * _BODIES_IN_HAND,
        timeout_seconds=settings.request_timeout_seconds,
    )

    @needs("capture")
    async def put_master_data(request: web.Request) -> web.Response:
        check_parameters(request, frozenset({"valid_from"}))
        media_type = check_body(request)
        valid_from_ms = _moment_ms(request, "valid_from")
        async with room.body(request) as body:
            note = await note_of(request).took(body)
            given = Body(body, media_type, request.charset)
            kept = await service.put(given, valid_from_ms=valid_from_ms, note=note)
        return json_response(_kept_view(kept))

    @needs("query")
    async def list_master_data(request: web.Request) -> web.Response:
        check_accept(request)
        check_parameters(request, frozenset({"type", "at", "perPage", "nextPageToken", "id"}))
        if "id" in request.query:
            return await show(request, request.query["id"])
        view, more = await answers.page(
            request.query.get("type"),
            at_ms=_moment_ms(request, "at"),
            after=_place(request.query.get("nextPageToken")),
            limit=_per_page(request),
        )
        headers = {}
        if more is not None:
            following = request.rel_url.update_query(nextPageToken=_encode(more))
            headers["Link"] = f'<{following}>; rel="next"'
        return json_response(view, headers=headers)

    @needs("query")
    async def get_master_data(request: web.Request) -> web.Response:
        check_accept(request)
        check_parameters(request, frozenset({"at"}))
        return await show(request, item_text(request))

    async def show(request: web.Request, identifier: str) -> web.Response:
        return json_response(await answers.show(identifier, at_ms=_moment_ms(request, "at")))

    return [
        web.put("/v1/masterdata", put_master_data),
        web.get("/v1/masterdata", list_master_data),
        web.get("/v1/masterdata/{item:.+}", get_master_data),
    ]


def _kept_view(kept: Kept) -> dict[str, Any]:
    return {
        "valid_from": rfc3339(kept.valid_from_ms),
        "elements": [
            {
                "type": element.vocabulary,
                "id": element.id,
                "canonical": element.canonical,
                "version": put.version,
                "new": put.new,
            }
            for element, put in kept.elements
        ],
    }


def _moment_ms(request: web.Request, name: str) -> int | None:
    """Return a time parameter in milliseconds since 1970.

    Raises:
        InputError: ``time_invalid``.
    """
    found = moment(request, name)
    if found is None:
        return None
    if not 0 <= found // 1000 <= TIME_MS_MAX:
        raise InputError("time_invalid", f"{name} is before 1970 or after 9999", pointer=name)
    return found // 1000


def _per_page(request: web.Request) -> int:
    given = request.query.get("perPage", str(PER_PAGE_DEFAULT))
    if not _is_number(given):
        raise InputError(
            "query_parameter_invalid",
            f"perPage is {given[:40]!r}, expected a whole number above 0",
            pointer="perPage",
        )
    return min(int(given), PER_PAGE_MAX)


def _encode(place: Place) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def _place(token: str | None) -> Place:
    if token is None:
        return Place()
    try:
        packed = base64.urlsafe_b64decode(token.encode() + b"=" * (-len(token) % 4))
        return msgspec.json.decode(packed, type=Place)
    except (ValueError, msgspec.DecodeError) as error:
        raise InputError(
            "page_token_invalid",
            "nextPageToken is not one that was given here",
            pointer="nextPageToken",
            advice="follow the Link header",
        ) from error
