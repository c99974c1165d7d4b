"""Small JSON bodies, read strictly."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from sealtrail.api.audited import note_of
from sealtrail.api.limits import BodyRoom
from sealtrail.api.negotiation import XML_OFFERED, check_body, media_type_of_body
from sealtrail.epcis.strict_json import parse_json
from sealtrail.errors import UnsupportedMediaError

BODY_BYTES_MAX = 256 * 1024
_IN_HAND = 8


class JsonBodies:
    """Reads bodies of up to 256 KiB, and at most eight such at a time.

    Args:
        timeout_seconds: how long one may take to arrive.
    """

    def __init__(self, *, timeout_seconds: float) -> None:
        self._room = BodyRoom(
            bytes_max=BODY_BYTES_MAX,
            bytes_in_hand_max=BODY_BYTES_MAX * _IN_HAND,
            timeout_seconds=timeout_seconds,
        )

    async def read(self, request: web.Request, *, of_any_version: bool = False) -> Any:
        """Return a request's body; the audit trail is told what came.

        Args:
            of_any_version: the versions that the request's headers name are the answer's, not the body's.

        Raises:
            UnsupportedMediaError, NotAcceptableError: as :func:`check_body`.
            TooLargeError, UnavailableError, InputError: as :meth:`BodyRoom.body`, and for what is no strict JSON.
        """
        given = media_type_of_body(request) if of_any_version else check_body(request)
        if given in XML_OFFERED:
            raise UnsupportedMediaError(
                "media_type_unsupported",
                "this is read as JSON only",
                advice="send the header Content-Type: application/json",
            )
        async with self._room.body(request) as body:
            await note_of(request).took(body)
            return parse_json(body, octets_max=BODY_BYTES_MAX)
