"""This node as a witness (C2SP tlog-witness), and what it found about logs.

``add-checkpoint`` takes no token and no request signature: the checkpoint's own signature is all there is to check.
"""

from __future__ import annotations

from aiohttp import web

from sealtrail.api.auth import any_token, checks_callers_itself
from sealtrail.api.limits import BodyRoom
from sealtrail.api.responses import json_response
from sealtrail.errors import ConflictError, InputError
from sealtrail.log.add_checkpoint import BODY_BYTES_MAX
from sealtrail.peers.witness_client import SIZE_MEDIA_TYPE
from sealtrail.services.witnesses.log_finding_view import log_finding_view
from sealtrail.services.witnesses.log_watch import FINDINGS_A_PAGE_MAX, LogWatch
from sealtrail.services.witnesses.witnessing import SIZE_DIFFERS, Witnessing

BODIES_IN_HAND = 64
_AFTER_MAX = 2**63 - 1


def routes(
    witnessing: Witnessing, watch: LogWatch, *, timeout_seconds: float
) -> list[web.RouteDef]:
    """Return the routes.

    Args:
        timeout_seconds: how long a request may take to arrive.
    """
    room = BodyRoom(
        bytes_max=BODY_BYTES_MAX,
        bytes_in_hand_max=BODY_BYTES_MAX * BODIES_IN_HAND,
        timeout_seconds=timeout_seconds,
    )

    @checks_callers_itself  # by the checkpoint's signature
    async def add_checkpoint(request: web.Request) -> web.Response:
        async with room.body(request) as body:
            try:
                lines = await witnessing.add_checkpoint(body)
            except ConflictError as error:
                if error.code != SIZE_DIFFERS:
                    raise
                size = f"{error.context['tree_size']}\n".encode()
                return web.Response(
                    body=size, status=409, headers={"Content-Type": SIZE_MEDIA_TYPE}
                )
        return web.Response(
            body=lines.encode(), headers={"Content-Type": "text/plain; charset=utf-8"}
        )

    @any_token
    async def get_findings(request: web.Request) -> web.Response:
        after = _after(request)
        found = await watch.findings(count_max=FINDINGS_A_PAGE_MAX, after=after)
        return json_response({"findings": [log_finding_view(n, each) for n, each in found]})

    return [
        web.post("/peer/v1/add-checkpoint", add_checkpoint),
        web.get("/v1/log-findings", get_findings),
    ]


def _after(request: web.Request) -> int:
    """Return the number behind which the listing begins.

    Raises:
        InputError: ``query_parameter_unknown``, ``query_parameter_malformed``.
    """
    for name in request.query:
        if name != "after":
            raise InputError("query_parameter_unknown", f"{name[:80]} is not known here")
    text = request.query.get("after", "0")
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _AFTER_MAX):
        raise InputError(
            "query_parameter_malformed", "after is the number of a finding", pointer="after"
        )
    return int(text)
