"""Asks witnesses for cosignatures. Retries nothing itself; an answer is size-limited, and believed once it is verified.

Source: C2SP tlog-witness, add-checkpoint.
"""

from __future__ import annotations

import re

import aiohttp

from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.log.checkpoint import NoteSignature, parse_signatures
from sealtrail.peers.client import PlainHttp, check_url, read_at_most

ADD_CHECKPOINT = "/add-checkpoint"
SIZE_MEDIA_TYPE = "text/x.tlog.size"
ANSWER_BYTES_MAX = 64 * 1024

_SIZE = re.compile(r"(0|[1-9][0-9]{0,18})\n", re.ASCII)


class WitnessClient:
    """Sends add-checkpoint requests to submission prefixes."""

    def __init__(
        self, session: aiohttp.ClientSession, *, timeout_seconds: float, plain_http: PlainHttp
    ) -> None:
        """Take a session.

        Args:
            plain_http: where URLs out of the registry may lead without TLS.
        """
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._plain_http = plain_http

    async def add_checkpoint(
        self, prefix: str, body: bytes, *, is_configured: bool
    ) -> tuple[NoteSignature, ...] | int:
        """Send a request; return the signature lines, or the size that the witness cosigned last where it differs.

        Args:
            is_configured: the operator named the URL himself, and may mean plain HTTP.

        Raises:
            InputError: ``peer_url_refused``; ``note_malformed``, the answer is no signature lines.
            UnavailableError: nothing was learnt (``witness_unreachable``, ``witness_not_taking``).
            VerificationError: it refused this request (``witness_refused``).
        """
        url = prefix.rstrip("/") + ADD_CHECKPOINT
        check_url(url, PlainHttp.ANYWHERE if is_configured else self._plain_http)
        status, media_type, answer = await self._post(url, body)
        if status == 200:
            return parse_signatures(answer)
        size = _SIZE.fullmatch(answer)
        if status == 409 and media_type == SIZE_MEDIA_TYPE and size is not None:
            return int(size[1])
        said = f"{url} answered {status}: {answer[:500]!r}"
        if 400 <= status < 500 and status not in (408, 429):
            raise VerificationError("witness_refused", said)
        raise UnavailableError("witness_not_taking", said)

    async def _post(self, url: str, body: bytes) -> tuple[int, str, str]:
        try:
            async with self._session.post(
                url, data=body, timeout=self._timeout, allow_redirects=False
            ) as response:
                answer = await read_at_most(response, ANSWER_BYTES_MAX)
                return response.status, response.content_type, answer.decode("utf-8", "replace")
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a host name that can't be one, out of another member's record
            reason = str(error) or type(error).__name__
            raise UnavailableError("witness_unreachable", f"{url}: {reason}") from error
