"""Capture routes of EPCIS 2.0: ``/capture`` with its jobs, and ``POST /events``.

Capture is synchronous inside: the job is finished, and its receipts are durable, when 202 is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.discovery import capture_limits, discovery
from sealtrail.api.events import EventListing
from sealtrail.api.gate import PROBLEM_HEADERS
from sealtrail.api.limits import Admission
from sealtrail.api.negotiation import (
    EVENTS_OFFERED,
    JSON_OFFERED,
    VERSION_HEADERS,
    agree,
    capture_kind,
    check_accept,
    check_body,
    error_behaviour,
    prefers,
)
from sealtrail.api.paging import check_only_paging, page_size
from sealtrail.api.responses import json_response
from sealtrail.api.xml_answers import job_xml
from sealtrail.errors import InputError, NotAcceptableError
from sealtrail.services.answers.queries import job_view
from sealtrail.services.problems import as_problem
from sealtrail.services.receipts import Receipt
from sealtrail.services.recording.capture import Captured, CaptureService

RECEIPT = "application/vnd.sealtrail.receipt+json"
"""What ``POST /events`` answers with to whoever accepts this rather than the event."""
_EVENT_ANSWERS = (*EVENTS_OFFERED, RECEIPT)


def routes(
    capture: CaptureService, admission: Admission, listing: EventListing
) -> list[web.RouteDef]:
    """Return the capture routes."""
    queries, pages, negotiator = listing.queries, listing.pages, listing.negotiator
    limits = capture_limits(admission.settings)
    settings = {**limits, "GS1-Capture-Error-Behaviour": "all"}

    @needs("capture")
    async def post_document(request: web.Request) -> web.Response:
        request[PROBLEM_HEADERS] = limits
        media_type = check_body(request)
        behaviour, kind = error_behaviour(request), capture_kind(request)
        async with admission.body(request) as body:
            note = await note_of(request).took(body)
            captured = await capture.capture(
                body,
                media_type=media_type,
                charset=request.charset,
                behaviour=behaviour,
                kind=kind,
                note=note,
            )
        if captured.errors and behaviour == "rollback":
            raise _refused(captured)
        return _accepted(request, captured)

    @needs("capture")
    async def post_event(request: web.Request) -> web.Response:
        request[PROBLEM_HEADERS] = limits
        media_type = check_body(request)
        agreed = await negotiator.agree(request, _EVENT_ANSWERS)
        kind = capture_kind(request)
        async with admission.body(request) as body:
            note = await note_of(request).took(body)
            receipt, duplicate = await capture.capture_event(
                body, media_type=media_type, charset=request.charset, kind=kind, note=note
            )
        headers = {**VERSION_HEADERS, "Location": f"/events/{quote(receipt.event_id, safe='')}"}
        if duplicate:
            headers["Sealtrail-Duplicate"] = "true"
        if agreed.media_type == RECEIPT:
            return json_response(receipt, status=201, headers=headers, media_type=RECEIPT)
        if prefers(request, "return=minimal"):
            headers["Preference-Applied"] = "return=minimal"
            return web.Response(status=201, headers=headers)
        try:
            event = await queries.event(bytes.fromhex(receipt.entry_id[2:]), agreed.presentation)
        except NotAcceptableError:  # it is recorded all the same, and that is what was asked
            return web.Response(status=201, headers=headers)
        return json_response(event, status=201, headers=headers, media_type=agreed.media_type)

    @needs("capture")
    async def get_job(request: web.Request) -> web.Response:
        agreed = agree(request, EVENTS_OFFERED)
        job, receipts = await queries.job(request.match_info["job_id"])
        note_of(request).job = job.job_id
        in_xml = agreed.media_type not in JSON_OFFERED
        view = job_view(job)
        return json_response(
            job_xml(view) if in_xml else _with_receipts(view, receipts),
            headers=VERSION_HEADERS,
            media_type=agreed.media_type,
        )

    @needs("capture")
    async def list_jobs(request: web.Request) -> web.Response:
        media_type = check_accept(request)
        check_only_paging(request)
        place = pages.place(request)
        jobs, more = await queries.jobs(
            before=None if place is None else _row(place), limit=page_size(request)
        )
        headers = dict(VERSION_HEADERS)
        if more is not None:
            headers.update(pages.next_page(request, str(more)))
        views = [job_view(job) for job in jobs]
        return json_response(views, headers=headers, media_type=media_type)

    return [
        web.options("/capture", discovery("GET", "POST", headers=settings)),
        web.options("/capture/{job_id}", discovery("GET")),
        web.post("/capture", post_document),
        web.get("/capture", list_jobs),
        web.get("/capture/{job_id}", get_job),
        web.post("/events", post_event),
    ]


def _accepted(request: web.Request, captured: Captured) -> web.Response:
    headers = {**VERSION_HEADERS, "Location": f"/capture/{captured.job.job_id}"}
    if not prefers(request, "return=representation"):
        return web.Response(status=202, headers=headers)
    headers["Preference-Applied"] = "return=representation"
    view = _with_receipts(job_view(captured.job), captured.receipts)
    return json_response(view, status=202, headers=headers)


def _with_receipts(view: dict[str, Any], receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {**view, "receipts": receipts}


def _refused(captured: Captured) -> Exception:
    """Return the first refusal, with all of them and the job (kept with its reasons) beside it."""
    first = captured.errors[0]
    return type(first)(
        first.code,
        first.message,
        pointer=first.pointer,
        advice=first.advice,
        **{
            **first.context,
            "captureID": captured.job.job_id,
            "errors": [as_problem(error) for error in captured.errors],
        },
    )


def _row(place: str) -> int:
    if not (place.isascii() and place.isdigit() and len(place) < 16):
        raise InputError(
            "page_token_invalid",
            "this is not a page token that this node gave out",
            pointer="nextPageToken",
        )
    return int(place)
