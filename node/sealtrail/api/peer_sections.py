"""``POST /peer/v1/log-sections``: to a member that had to do with an item, the log's complete lists of it."""

from __future__ import annotations

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import checks_callers_itself
from sealtrail.api.evidence import BUNDLE_MEDIA_TYPE
from sealtrail.api.limits import BodyRoom
from sealtrail.peers.client import SECTIONS_PATH
from sealtrail.peers.signatures import verify_body, verify_request
from sealtrail.services.evidence import EvidenceService
from sealtrail.services.evidence_peers import parse_request
from sealtrail.services.intake import Intake

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
        url = public_url.rstrip("/") + request.raw_path
        asker = await intake.authenticate(
            lambda is_valid: verify_request("POST", url, request.headers, is_valid=is_valid)
        )
        note = note_of(request)
        note.actor = "peer:0x" + asker.hex()
        async with room.body(request) as body:
            verify_body(request.headers, body)
            wanted = parse_request(body)
        note.asked_for([wanted.item, *wanted.items])
        lines = await evidence.section_for(asker, wanted)
        return web.Response(body=b"".join(lines), content_type=BUNDLE_MEDIA_TYPE)

    return [web.post(SECTIONS_PATH, give_section)]
