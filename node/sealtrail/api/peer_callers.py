"""Which member signed a request: known from its head, and noted for the audit trail before a body is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.limits import BodyRoom
from sealtrail.peers.signatures import verify_body, verify_request
from sealtrail.services.exchange.intake import Intake


async def signing_member(request: web.Request, intake: Intake, public_url: str) -> bytes:
    """Return the member that signed the request's head; what stands below it is compared by :func:`signed_body`.

    Args:
        public_url: this node's URL in the registry: what callers sign, whatever proxy stands in between.

    Raises:
        UnauthorizedError: the signature does not hold.
        UnavailableError: nobody's keys are known.
    """
    url = public_url.rstrip("/") + request.raw_path
    member = await intake.authenticate(
        lambda is_valid: verify_request(request.method, url, request.headers, is_valid=is_valid)
    )
    note_of(request).actor = "peer:0x" + member.hex()
    return member


@asynccontextmanager
async def signed_body(request: web.Request, room: BodyRoom) -> AsyncIterator[bytes]:
    """Read the body, which must be the one whose digest was signed.

    Raises:
        UnauthorizedError: it is another.
        SealtrailError, HTTPRequestTimeout: as :meth:`BodyRoom.body`.
    """
    async with room.body(request) as body:
        verify_body(request.headers, body)
        yield body
