"""Posts documents to consumers. What they answer is a status; whatever else they say is not read."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping

import aiohttp

from sealtrail.consumers.connecting import RefusedError
from sealtrail.consumers.destinations import Destinations
from sealtrail.errors import (
    InputError,
    NotFoundError,
    SealtrailError,
    TooLargeError,
    UnavailableError,
)

SIGNATURE_HEADER = "GS1-Signature"
CONSUMERS_OWN = frozenset({"consumer_unreachable", "consumer_not_taking"})  # what is told of him


def signature(token: str, body: bytes) -> str:
    """Return what ``GS1-Signature`` has: HMAC-SHA-256 over the body, keyed with the consumer's token, in base64.

    Source: EPCIS 2.0's OpenAPI leaves the kind of signature open and names this one first; FasTnT's form of it.
    """
    return base64.b64encode(hmac.digest(token.encode(), body, "sha256")).decode()


class WebhookClient:
    """Posts to destinations that a node's configuration allows; follows no redirect.

    Args:
        session: of :func:`sealtrail.consumers.connecting.open_session`.
    """

    def __init__(
        self, session: aiohttp.ClientSession, destinations: Destinations, *, timeout_seconds: float
    ) -> None:
        self._session = session
        self._destinations = destinations
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)

    async def post(self, dest: str, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body; return when the consumer has taken it.

        Raises:
            InputError: ``destination_refused``: the configuration doesn't allow it, or not where it leads by now.
            NotFoundError: ``consumer_gone``: it wants nothing any more (410).
            TooLargeError: ``consumer_wants_less`` (413).
            UnavailableError: ``consumer_unreachable``; ``consumer_not_taking``, any other answer.
        """
        self._destinations.check_url(dest)
        try:
            async with self._session.post(
                dest, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                status = response.status
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a host name that can't be one
            raise _unreachable(error) from error
        if not 200 <= status < 300:
            raise _refusal(status)


def _unreachable(error: Exception) -> SealtrailError:
    refused = error if isinstance(error, RefusedError) else getattr(error, "os_error", None)
    if isinstance(refused, RefusedError):
        found = refused.refusal
        return InputError(found.code, found.message, pointer=found.pointer, advice=found.advice)
    return UnavailableError("consumer_unreachable", f"no answer: {error or type(error).__name__}")


def _refusal(status: int) -> SealtrailError:
    if status == 410:
        return NotFoundError("consumer_gone", "the consumer answered 410: it is there no more")
    if status == 413:
        return TooLargeError("consumer_wants_less", "the consumer answered 413: too much at once")
    what = "a redirect, which is not followed" if 300 <= status < 400 else "no success"
    return UnavailableError("consumer_not_taking", f"the consumer answered {status}: {what}")
