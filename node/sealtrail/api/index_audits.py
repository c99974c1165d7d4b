"""``POST /peer/v1/index-audits``: an auditor's node hands over what it says of this log's item index."""

from __future__ import annotations

from aiohttp import web

from sealtrail.api.auth import checks_callers_itself
from sealtrail.api.limits import BodyRoom
from sealtrail.api.peer_callers import signed_body, signing_member
from sealtrail.api.responses import json_response
from sealtrail.peers.client import INDEX_AUDITS_PATH
from sealtrail.services.exchange.intake import Intake
from sealtrail.services.witnesses.index_audits_taken import BODY_BYTES_MAX, IndexAuditsTaken

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
        sender = await signing_member(request, intake, public_url)
        async with signed_body(request, room) as body:
            is_new = await taken.take(body, sender)
        return json_response({"known": not is_new})

    return [web.post(INDEX_AUDITS_PATH, take_audit)]
