"""``GET /v1/audit``: who read or wrote what, when and why. Reading it is recorded as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import needs
from sealtrail.api.events import parse_entry_id
from sealtrail.api.item_text import ITEM_CHARACTERS_MAX
from sealtrail.api.limits import PER_PAGE_DEFAULT, PER_PAGE_MAX
from sealtrail.api.provenance import moment
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError
from sealtrail.evidence.audit_record import Action, Ending
from sealtrail.gs1 import parse_item
from sealtrail.services.audit_trail.reader import AuditReader
from sealtrail.store.audit import AuditFilter

EXPORT_MEDIA_TYPE = "application/jsonl"
_SUBJECT = frozenset({"entry", "item"})
_FILTER = frozenset({"from", "until", "action", "actor", "outcome"})
_PAGING = frozenset({"perPage", "nextPageToken"})
_is_actor = re.compile(r"(user|operator):[0-9a-f]{32}|peer:0x[0-9a-f]{40}|node|nobody").fullmatch


def routes(reader: AuditReader) -> list[web.RouteDef]:
    """Return the audit trail's routes."""

    @needs("audit")
    async def list_records(request: web.Request) -> web.Response:
        given = _parameters(request, _FILTER | _SUBJECT | _PAGING)
        entry, item = _subject(request, given)
        before = _number(given, "nextPageToken", None)
        limit = min(_number(given, "perPage", PER_PAGE_DEFAULT) or 1, PER_PAGE_MAX)
        records, more = await reader.page(
            _filter(request, given), entry=entry, item=item, before=before, limit=limit
        )
        headers = {}
        if more is not None:
            following = request.rel_url.update_query(nextPageToken=str(more))
            headers["Link"] = f'<{following}>; rel="next"'
        return json_response({"records": records}, headers=headers)

    @needs("audit")
    async def export_records(request: web.Request) -> web.Response:
        given = _parameters(request, _FILTER | _SUBJECT)
        entry, item = _subject(request, given)
        lines = await reader.export(_filter(request, given), entry=entry, item=item)
        return web.Response(body=lines, headers={"Content-Type": EXPORT_MEDIA_TYPE})

    return [
        web.get("/v1/audit", list_records),
        web.get("/v1/audit/export", export_records),
    ]


def _parameters(request: web.Request, known: frozenset[str]) -> Mapping[str, str]:
    for name in request.query:
        if name not in known:
            raise InputError(
                "query_parameter_unknown",
                f"{name[:80]} is not known here",
                pointer=name[:80],
                advice="known are " + ", ".join(sorted(known)),
            )
        if len(request.query.getall(name)) > 1:
            raise InputError("query_parameter_repeated", f"{name} is given twice", pointer=name)
    return request.query


def _subject(request: web.Request, given: Mapping[str, str]) -> tuple[bytes | None, str | None]:
    """Return the entry's id or the canonical item that is asked about, and note it."""
    if set(given) >= _SUBJECT:
        raise InputError(
            "query_parameter_conflict", "ask about an entry or about an item", pointer="item"
        )
    note = note_of(request)
    if "entry" in given:
        entry = parse_entry_id(given["entry"])
        note.showed([entry])
        return entry, None
    if "item" in given:
        text = given["item"]
        if len(text) > ITEM_CHARACTERS_MAX:
            raise InputError(
                "identifier_too_long",
                f"{len(text)} characters, at most {ITEM_CHARACTERS_MAX} are read",
                pointer="item",
            )
        item = parse_item(text).canonical
        note.asked_for([item])
        return None, item
    return None, None


def _filter(request: web.Request, given: Mapping[str, str]) -> AuditFilter:
    since, until = moment(request, "from"), moment(request, "until")
    actor = given.get("actor")
    if actor is not None and not _is_actor(actor):
        raise InputError(
            "query_parameter_invalid",
            f"actor is {actor[:60]!r}, expected a pseudonym as records have it",
            pointer="actor",
            advice="for example user:0123456789abcdef0123456789abcdef",
        )
    return AuditFilter(
        time_ms_from=None if since is None else since // 1000,
        time_ms_before=None if until is None else until // 1000,
        actor=actor,
        action=_one_of(given, "action", Action),
        outcome=_one_of(given, "outcome", Ending),
    )


def _one_of(given: Mapping[str, str], name: str, kind: Any) -> str | None:
    text = given.get(name)
    known = [each.value for each in kind]
    if text is not None and text not in known:
        raise InputError(
            "query_parameter_invalid",
            f"{name} is {text[:60]!r}",
            pointer=name,
            advice="one of " + ", ".join(known),
        )
    return text


def _number(given: Mapping[str, str], name: str, default: int | None) -> int | None:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 16):
        raise InputError(
            "query_parameter_invalid",
            f"{name} is {text[:40]!r}, expected a whole number",
            pointer=name,
        )
    return int(text)
