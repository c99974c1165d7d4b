"""Capture routes of EPCIS 2.0: ``/capture`` with its jobs, and ``POST /events``.

Capture is synchronous inside: the job is finished, and its receipts are durable, when 202 is sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import any_token, needs
from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX, Admission
from sealtrail.api.negotiation import (
    DISCOVERY_HEADERS,
    VERSION_HEADERS,
    capture_kind,
    check_accept,
    check_body,
    error_behaviour,
    wants_representation,
)
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError
from sealtrail.services.answers.queries import QueryService, job_view
from sealtrail.services.problems import as_problem
from sealtrail.services.receipts import Receipt
from sealtrail.services.recording.capture import Captured, CaptureService


def routes(
    capture: CaptureService, queries: QueryService, admission: Admission
) -> list[web.RouteDef]:
    """Return the capture routes."""

    @any_token
    async def discover(_: web.Request) -> web.Response:
        settings = admission.settings
        return web.Response(
            status=204,
            headers={
                **DISCOVERY_HEADERS,
                "Allow": "OPTIONS, GET, POST",
                "GS1-EPCIS-Capture-Limit": str(settings.events_per_document_max),
                "GS1-EPCIS-Capture-File-Size-Limit": str(settings.body_bytes_max),
                "GS1-Capture-Error-Behaviour": "all",
            },
        )

    @needs("capture")
    async def post_document(request: web.Request) -> web.Response:
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
        media_type = check_body(request)
        kind = capture_kind(request)
        async with admission.body(request) as body:
            note = await note_of(request).took(body)
            receipt, duplicate = await capture.capture_event(
                body, media_type=media_type, charset=request.charset, kind=kind, note=note
            )
        headers = {**VERSION_HEADERS, "Location": f"/events/{quote(receipt.event_id, safe='')}"}
        if duplicate:
            headers["Sealtrail-Duplicate"] = "true"
        return json_response(receipt, status=201, headers=headers)

    @needs("capture")
    async def get_job(request: web.Request) -> web.Response:
        check_accept(request)
        job, receipts = await queries.job(request.match_info["job_id"])
        note_of(request).job = job.job_id
        return json_response(_with_receipts(job_view(job), receipts), headers=VERSION_HEADERS)

    @needs("capture")
    async def list_jobs(request: web.Request) -> web.Response:
        check_accept(request)
        before, limit = _job_page(request)
        jobs, more = await queries.jobs(before=before, limit=limit)
        headers = dict(VERSION_HEADERS)
        if more is not None:
            headers["Link"] = f'</capture?perPage={limit}&nextPageToken={more}>; rel="next"'
        return json_response([job_view(job) for job in jobs], headers=headers)

    return [
        web.options("/capture", discover),
        web.post("/capture", post_document),
        web.get("/capture", list_jobs),
        web.get("/capture/{job_id}", get_job),
        web.post("/events", post_event),
    ]


def _accepted(request: web.Request, captured: Captured) -> web.Response:
    headers = {**VERSION_HEADERS, "Location": f"/capture/{captured.job.job_id}"}
    if not wants_representation(request):
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


def _job_page(request: web.Request) -> tuple[int | None, int]:
    for name in request.query:
        if name not in ("perPage", "nextPageToken"):
            raise InputError("query_parameter_unknown", f"{name[:80]} is not known here")
    before = request.query.get("nextPageToken")
    return (
        None if before is None else _number("nextPageToken", before),
        min(_number("perPage", request.query.get("perPage", str(PER_PAGE_DEFAULT))), PER_PAGE_MAX),
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 16 and int(text) > 0):
        raise InputError(
            "query_parameter_invalid", f"{name} is {text[:40]!r}, expected a whole number above 0"
        )
    return int(text)
