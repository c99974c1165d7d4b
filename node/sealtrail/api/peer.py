"""What other members' nodes call: packages in, copies of entries out.

Authenticated by request signatures, not by tokens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.auth import checks_callers_itself
from sealtrail.api.limits import BodyRoom
from sealtrail.api.peer_callers import signed_body, signing_member
from sealtrail.errors import RateLimitedError, UnsupportedMediaError
from sealtrail.peers.client import COPIES_PATH, PACKAGE_MEDIA_TYPE, PACKAGES_PATH
from sealtrail.peers.signatures import verify_body
from sealtrail.services.exchange.copies import Copies
from sealtrail.services.exchange.intake import Intake

QUESTION_BYTES_MAX = 16 * 1024  # for copies: some ids
PACKAGES_IN_HAND_MAX = 2  # of one member at a time: a node sends another one after the other


def authenticator(intake: Intake, *, public_url: str) -> Callable[[web.Request], Awaitable[bytes]]:
    """Return what tells the member that signed a request without a body.

    It raises UnauthorizedError (the signature does not hold) and UnavailableError (nobody's keys are known).
    """

    async def authenticate(request: web.Request) -> bytes:
        member = await signing_member(request, intake, public_url)
        verify_body(request.headers, b"")
        return member

    return authenticate


def routes(
    intake: Intake, copies: Copies, *, public_url: str, timeout_seconds: float
) -> list[web.RouteDef]:
    """Return the peer routes.

    Args:
        public_url: this node's URL in the registry: what callers sign, whatever proxy stands in between.
        timeout_seconds: how long a package may take to arrive.
    """
    in_hand: Counter[bytes] = Counter()
    # of all members together one of the largest packages at a time, or several smaller ones
    room = BodyRoom(
        bytes_max=intake.limits.package_bytes_max,
        bytes_in_hand_max=intake.limits.package_bytes_max,
        timeout_seconds=timeout_seconds,
    )

    questions = BodyRoom(
        bytes_max=QUESTION_BYTES_MAX,
        bytes_in_hand_max=QUESTION_BYTES_MAX * PACKAGES_IN_HAND_MAX,
        timeout_seconds=timeout_seconds,
    )

    @checks_callers_itself  # by the request's signature
    async def receive_package(request: web.Request) -> web.Response:
        if request.content_type != PACKAGE_MEDIA_TYPE:
            raise UnsupportedMediaError(
                "media_type_unsupported", f"{request.content_type}; expected {PACKAGE_MEDIA_TYPE}"
            )
        sender = await signing_member(request, intake, public_url)
        note = note_of(request)
        # Only now that a member asks: nobody else makes this node read a large body.
        with _place(in_hand, sender):
            async with signed_body(request, room) as body:
                await note.took(body)
                acknowledgement = await intake.receive(body, sender, showed=note.showed)
        return web.json_response(
            {"accepted": acknowledgement.accepted, "known": acknowledgement.known}
        )

    @checks_callers_itself  # by the request's signature
    async def give_copies(request: web.Request) -> web.Response:
        member = await signing_member(request, intake, public_url)
        with _place(in_hand, member):
            async with signed_body(request, questions) as body:
                package = await copies.give(body, member)
        return web.Response(body=package, content_type=PACKAGE_MEDIA_TYPE)

    return [web.post(PACKAGES_PATH, receive_package), web.post(COPIES_PATH, give_copies)]


@contextmanager
def _place(in_hand: Counter[bytes], sender: bytes) -> Iterator[None]:
    if in_hand[sender] >= PACKAGES_IN_HAND_MAX:
        raise RateLimitedError(
            "packages_in_hand", f"{in_hand[sender]} packages of this member are in hand"
        )
    in_hand[sender] += 1
    try:
        yield
    finally:
        in_hand[sender] -= 1
