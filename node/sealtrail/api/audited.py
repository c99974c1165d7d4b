"""Which requests the audit trail records, and how: the gate asks here before and after a request is answered."""

from __future__ import annotations

import time
from collections.abc import Mapping

from aiohttp import web

from sealtrail.api.discovery import COLLECTIONS
from sealtrail.errors import InputError
from sealtrail.evidence.audit_record import NOBODY, Action, Ending, check_reason
from sealtrail.services.audit_trail.note import AuditNote
from sealtrail.services.audit_trail.trail import AuditTrail

REASON_HEADER = "Sealtrail-Reason"
NOTE = web.RequestKey("audit_note", AuditNote)

# By method and pattern. None: says nothing of what is recorded, and is not recorded unless it is turned away.
ACTIONS: Mapping[tuple[str, str], Action | None] = {
    ("POST", "/capture"): Action.CAPTURE,
    ("GET", "/capture"): Action.READ_JOB,
    ("GET", "/capture/{job_id}"): Action.READ_JOB,
    ("OPTIONS", "/capture"): None,
    ("POST", "/events"): Action.CAPTURE,
    ("GET", "/events"): Action.QUERY,
    ("OPTIONS", "/events"): None,
    ("GET", "/events/{event_id}"): Action.READ_EVENT,
    ("OPTIONS", "/events/{event_id}"): None,
    ("OPTIONS", "/queries"): None,
    ("GET", "/queries"): Action.REQUEST,
    ("POST", "/queries"): Action.QUERY_CHANGE,
    ("OPTIONS", "/queries/{query_name}"): None,
    ("GET", "/queries/{query_name}"): Action.REQUEST,
    ("DELETE", "/queries/{query_name}"): Action.QUERY_CHANGE,
    ("OPTIONS", "/queries/{query_name}/events"): None,
    ("GET", "/queries/{query_name}/events"): Action.QUERY,
    ("GET", "/queries/SimpleEventQuery"): None,
    ("POST", "/queries/SimpleEventQuery"): Action.QUERY,
    ("GET", "/queries/SimpleEventQuery/events"): Action.QUERY,
    ("OPTIONS", "/queries/{query_name}/subscriptions"): None,
    ("GET", "/queries/{query_name}/subscriptions"): Action.REQUEST,
    ("POST", "/queries/{query_name}/subscriptions"): Action.SUBSCRIPTION_CHANGE,
    ("OPTIONS", "/queries/{query_name}/subscriptions/{subscription_id}"): None,
    ("GET", "/queries/{query_name}/subscriptions/{subscription_id}"): Action.REQUEST,
    ("DELETE", "/queries/{query_name}/subscriptions/{subscription_id}"): Action.SUBSCRIPTION_CHANGE,
    ("GET", "/v1/subscriptions"): Action.REQUEST,
    ("POST", "/v1/subscriptions/{subscription_id}/resume"): Action.SUBSCRIPTION_CHANGE,
    ("POST", "/v1/subscriptions/{subscription_id}/test"): Action.SUBSCRIPTION_CHANGE,
    ("OPTIONS", "/capture/{job_id}"): None,
    ("GET", "/"): None,
    ("GET", "/openapi.json"): None,
    ("OPTIONS", "/"): None,
    ("DELETE", "/nextPageToken/{token}"): None,
    **{
        (method, path): action
        for kind in COLLECTIONS
        for path in (f"/{kind}", f"/{kind}/{{value}}", f"/{kind}/{{value}}/events")
        for method, action in (("GET", Action.QUERY), ("OPTIONS", None))
    },
    ("GET", "/v1/events/{event_id}/content"): Action.READ_EVENT,
    ("GET", "/v1/events/{event_id}/corrections"): Action.PROVENANCE,
    ("GET", "/v1/entries/{entry_id}"): Action.READ_ENTRY,
    ("GET", "/v1/provenance"): Action.PROVENANCE,
    ("GET", "/v1/provenance/{item}"): Action.PROVENANCE,
    ("PUT", "/v1/masterdata"): Action.CAPTURE,
    ("GET", "/v1/masterdata"): Action.QUERY,
    ("GET", "/v1/masterdata/{item}"): Action.QUERY,
    ("GET", "/v1/item-index"): Action.PROVENANCE,
    ("GET", "/v1/item-index/{item}"): Action.PROVENANCE,
    ("GET", "/v1/evidence"): Action.EVIDENCE,
    ("GET", "/v1/evidence/{item}"): Action.EVIDENCE,
    ("GET", "/v1/log-evidence"): Action.EVIDENCE,
    ("GET", "/v1/query-evidence"): Action.EVIDENCE,
    ("GET", "/v1/label"): None,
    ("GET", "/v1/label/{item}"): None,
    ("GET", "/v1/scan"): None,
    ("POST", "/v1/scan"): None,
    ("GET", "/{key}/{value}"): None,
    ("OPTIONS", "/{key}/{value}"): None,
    ("GET", "/.well-known/gs1resolver"): None,
    ("OPTIONS", "/.well-known/gs1resolver"): None,
    ("GET", "/v1/trust"): None,
    ("GET", "/v1/log-findings"): None,
    ("GET", "/log/checkpoint"): Action.READ_LOG,
    ("GET", "/log/tile/{tile}"): Action.READ_LOG,
    ("GET", "/v1/audit"): Action.AUDIT_READ,
    ("GET", "/v1/audit/export"): Action.AUDIT_EXPORT,
    ("GET", "/v1/status"): None,
    ("GET", "/v1/limits"): None,
    ("GET", "/metrics"): None,
    ("GET", "/health"): None,
    ("GET", "/ready"): None,
    ("POST", "/peer/v1/packages"): Action.PACKAGE_RECEIVED,
    ("POST", "/peer/v1/log-sections"): Action.LOG_SECTION,
    ("POST", "/peer/v1/copies"): Action.COPIES,
    ("GET", "/peer/v1/log/checkpoint"): Action.READ_LOG,
    ("GET", "/peer/v1/log/tile/{tile}"): Action.READ_LOG,
    ("POST", "/peer/v1/add-checkpoint"): None,
    ("POST", "/peer/v1/index-audits"): None,
}
_AT_THE_DOOR = frozenset({"token_missing", "token_unknown", "scope_missing"})
# These are recorded before the answer goes out, also what was refused, which is kept with its reason.
_WRITING = frozenset(
    {
        Action.CAPTURE,
        Action.PACKAGE_RECEIVED,
        Action.QUERY_CHANGE,
        Action.SUBSCRIPTION_CHANGE,
    }
)


class Audited:
    """The gate's side of the audit trail; without a trail nothing is recorded."""

    def __init__(self, trail: AuditTrail | None) -> None:
        self._trail = trail

    def begin(self, request: web.Request, route: str) -> None:
        """Give the request its note."""
        method = "GET" if request.method == "HEAD" else request.method
        action = ACTIONS.get((method, route), Action.REQUEST)
        spelt = f"{method[:20]} {route}"
        if self._trail is None:
            note = AuditNote(round(time.time() * 1000), action, spelt, b"")
        else:
            note = self._trail.note(action, spelt)
        request[NOTE] = note

    async def known(self, request: web.Request, name: str) -> None:
        """Note whose token it is.

        Raises:
            UnavailableError: the name has no pseudonym yet, and it could not be stored.
        """
        if self._trail is not None:
            request[NOTE].actor = await self._trail.pseudonym("user", name)

    def require_reason(self, request: web.Request) -> None:
        """Note why, as the caller says.

        Raises:
            InputError: nothing is said where the configuration wants a reason (``reason_required``); as
                :func:`check_reason`.
        """
        note = request[NOTE]
        given = request.headers.get(REASON_HEADER)
        if given is not None:
            note.reason = _reason(given)
        elif self._trail is not None and note.action in self._trail.settings.reason_required_for:
            raise InputError(
                "reason_required",
                f"this node wants a reason for {note.action}",
                pointer=REASON_HEADER,
                advice=f"send the header {REASON_HEADER}, or --reason on the command line",
            )

    async def finish(self, request: web.Request, status: int) -> None:
        """Record the request as it was answered.

        Raises:
            UnavailableError: it could not be recorded, and so is not to be answered.
        """
        note = request[NOTE]
        if self._trail is None or note.written:
            return
        at_the_door = note.code in _AT_THE_DOOR
        if note.action is None and not at_the_door:
            return
        outcome = _outcome(status)
        draft = note.drafted(outcome, action=Action.TOKEN_USE if at_the_door else None)
        ended = outcome in (Ending.DONE, Ending.REFUSED)
        if note.action in _WRITING and ended and not at_the_door and note.actor != NOBODY:
            await self._trail.record_now(draft)
        else:
            await self._trail.record(draft[0])


def note_of(request: web.Request) -> AuditNote:
    """Return the note of a request, for its handler to add what it is about."""
    return request[NOTE]


def _outcome(status: int) -> Ending:
    if status < 400:
        return Ending.DONE
    if status < 500:
        return Ending.REFUSED
    return Ending.UNAVAILABLE if status == 503 else Ending.FAILED


def _reason(header: str) -> str:
    try:
        return check_reason(header)
    except InputError as error:
        raise InputError(error.code, error.message, pointer=REASON_HEADER) from error
