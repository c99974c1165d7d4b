"""``POST /peer/v1/index-audits``: an auditor's node hands over what it says of this log's item index."""

from __future__ import annotations

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import checks_callers_itself
from sealtrail.api.limits import BodyRoom
from sealtrail.api.responses import json_response
from sealtrail.peers.client import INDEX_AUDITS_PATH
from sealtrail.peers.signatures import verify_body, verify_request
from sealtrail.services.index_audits_taken import BODY_BYTES_MAX, IndexAuditsTaken
from sealtrail.services.intake import Intake

_BODIES_IN_HAND = 64


def routes(
    taken: IndexAuditsTaken, intake: Intake, *, public_url: str, timeout_seconds: float
) -> list[web.RouteDef]:
    """Return the route.

    Args:
        public_url: this node's URL in the registry: what callers sign.
        timeout_seconds: how long a request's body may take to arrive.
    """
    room = BodyRoom(
        bytes_max=BODY_BYTES_MAX,
        bytes_in_hand_max=_BODIES_IN_HAND * BODY_BYTES_MAX,
        timeout_seconds=timeout_seconds,
    )

    @checks_callers_itself  # by the request's signature
    async def take_audit(request: web.Request) -> web.Response:
        url = public_url.rstrip("/") + request.raw_path
        sender = await intake.authenticate(
            lambda is_valid: verify_request("POST", url, request.headers, is_valid=is_valid)
        )
        note_of(request).actor = "peer:0x" + sender.hex()
        async with room.body(request) as body:
            verify_body(request.headers, body)
            is_new = await taken.take(body, sender)
        return json_response({"known": not is_new})

    return [web.post(INDEX_AUDITS_PATH, take_audit)]
