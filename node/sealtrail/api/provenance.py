"""``GET /v1/provenance/{item}``: where an item has been, what the rules say of it, and what proves each step.

An item that nothing is known of is an answer (identifier *unknown*); only one that can't be read is an error.
"""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.events import event_name
from sealtrail.api.item_text import check_parameters, item_text
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError
from sealtrail.gs1 import parse_item
from sealtrail.services.answers.corrections import CorrectionsService
from sealtrail.services.answers.provenance import Answer, ProvenanceService
from sealtrail.services.answers.provenance_view import answer_json

_PARAMETERS = frozenset({"item", "as_of", "known_at"})


def routes(provenance: ProvenanceService, corrections: CorrectionsService) -> list[web.RouteDef]:
    """Return the provenance routes."""

    @needs("provenance")
    async def get_provenance(request: web.Request) -> web.Response:
        check_parameters(request, _PARAMETERS)
        item, note = parse_item(item_text(request)), note_of(request)
        note.asked_for([item.canonical])
        as_of, known_at = moment(request, "as_of"), moment(request, "known_at")

        def view(answer: Answer) -> bytes:
            note.showed(answer.found)
            return answer_json(answer)

        answer = await provenance.answer(
            item,
            view,
            as_of_us=as_of,
            known_at=None if known_at is None else known_at // 1_000_000,
        )
        return json_response(answer)

    @needs("provenance")
    async def get_corrections(request: web.Request) -> web.Response:
        answer = await corrections.corrections(event_name(request), note_of(request).showed)
        return json_response(answer)

    return [
        web.get("/v1/events/{event_id:.+}/corrections", get_corrections),
        web.get("/v1/provenance", get_provenance),
        # an identifier may hold slashes: a Digital Link that was not percent-encoded, a serial that has one
        web.get("/v1/provenance/{item:.+}", get_provenance),
    ]


def moment(request: web.Request, name: str) -> int | None:
    """Return a time parameter in microseconds since 1970.

    Raises:
        InputError: no RFC 3339 time with an offset (``time_invalid``).
    """
    text = request.query.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a + that nobody encoded
        if moment.tzinfo is None:
            raise ValueError("no offset")
        moment.astimezone(UTC)  # at the calendar's edges there is no such moment in UTC
        return round(moment.timestamp() * 1_000_000)
    except (ValueError, OverflowError) as error:
        raise InputError(
            "time_invalid",
            f"{name} is {text[:60]!r}, expected an RFC 3339 time with an offset",
            pointer=name,
            advice="for example 2026-03-01T12:00:00Z",
        ) from error
