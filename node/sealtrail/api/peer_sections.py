"""``POST /peer/v1/log-sections``: to a member that had to do with an item, the log's complete lists of it."""

from __future__ import annotations

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import checks_callers_itself
from sealtrail.api.evidence import BUNDLE_MEDIA_TYPE
from sealtrail.api.limits import BodyRoom
from sealtrail.api.peer_callers import signed_body, signing_member
from sealtrail.peers.client import SECTIONS_PATH
from sealtrail.services.evidence.bundles import EvidenceService
from sealtrail.services.evidence.peers import parse_request
from sealtrail.services.exchange.intake import Intake

REQUEST_BYTES_MAX = 1024 * 1024
_REQUESTS_AT_ONCE = 4


def routes(
    evidence: EvidenceService, intake: Intake, *, public_url: str, timeout_seconds: float
) -> list[web.RouteDef]:
    """Return the route.

    Args:
        public_url: this node's URL in the registry: what callers sign.
        timeout_seconds: how long a request's body may take to arrive.
    """
    room = BodyRoom(
        bytes_max=REQUEST_BYTES_MAX,
        bytes_in_hand_max=_REQUESTS_AT_ONCE * REQUEST_BYTES_MAX,
        timeout_seconds=timeout_seconds,
    )

    @checks_callers_itself  # by the request's signature
    async def give_section(request: web.Request) -> web.Response:
        asker = await signing_member(request, intake, public_url)
        async with signed_body(request, room) as body:
            wanted = parse_request(body)
        note_of(request).asked_for([wanted.item, *wanted.items])
        lines = await evidence.section_for(asker, wanted)
        return web.Response(body=b"".join(lines), content_type=BUNDLE_MEDIA_TYPE)

    return [web.post(SECTIONS_PATH, give_section)]
