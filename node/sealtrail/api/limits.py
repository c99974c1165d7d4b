"""Every limit of the HTTP interface, in one place; clients read them at ``/v1/limits``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from aiohttp import StreamReader, web

from sealtrail.api.content_coding import Decoder, decoder_of
from sealtrail.api.protocol import ProblemRunner, SentMax
from sealtrail.config import HttpSettings
from sealtrail.epcis import Limits
from sealtrail.epcis.limits import URI_CHARACTERS_MAX
from sealtrail.epcis.query import VALUES_MAX
from sealtrail.errors import TooLargeError, UnavailableError
from sealtrail.services.answers.queries import PAGE_CONTENTS_BYTES_MAX

# A request's address: a hundred Digital Links, escaped, have room. Another number than a header field's, by which
# aiohttp's error tells one from the other.
LINE_BYTES_MAX = 16_384
FIELD_BYTES_MAX = 8190  # one header field
PER_PAGE_DEFAULT = 30  # EPCIS 2.0 REST bindings
PER_PAGE_MAX = 1000
KEEPALIVE_SECONDS = 75.0  # also for a connection that sends no whole header
IDLE_CONNECTIONS = 256  # open beyond those that have a request in hand
# Over a WebSocket, by its client: nothing of it is for us.
SENT_MAX = SentMax(128 * 1024, seconds=10.0)
# Bodies of all requests in hand, as multiples of the largest body: bounds the memory they take.
BODIES_IN_HAND = 8


class BodyRoom:
    """Reads bodies, each held to a size and a time, and all that are in hand to a size together.

    Working on a body takes its size several times over: this is what bounds the memory of a node under load.
    """

    def __init__(self, *, bytes_max: int, bytes_in_hand_max: int, timeout_seconds: float) -> None:
        self._bytes_max = bytes_max
        self._in_hand_max = bytes_in_hand_max
        self._in_hand = 0
        self._timeout_seconds = timeout_seconds

    @asynccontextmanager
    async def body(self, request: web.Request) -> AsyncIterator[bytes]:
        """Read the request's body, decoded, and count its bytes for as long as it is worked on.

        Raises:
            UnsupportedMediaError: encoded with what isn't known here (``content_coding_unsupported``).
            InputError: not encoded as its header says (``body_broken_off``).
            TooLargeError: over the limit, as it came or decoded (``body_too_large``).
            UnavailableError: the bodies in hand are over their limit together (``node_busy``).
            HTTPRequestTimeout: it didn't arrive in time.
        """
        decoder = decoder_of(request)
        self._refuse_over(request.content_length or 0)
        held = _Held()
        try:
            yield await self._read(request, decoder, held)
        finally:
            self._in_hand -= held.count

    async def _read(self, request: web.Request, decoder: Decoder | None, held: _Held) -> bytes:
        content = request.content
        if decoder is None and content.is_eof():  # a small body is there when its header is
            return self._hold(content.read_nowait(), held)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if decoder is not None:
                    return await self._decode(content, decoder, held)
                return b"".join([self._hold(chunk, held) async for chunk in content.iter_any()])
        except TimeoutError as error:
            raise web.HTTPRequestTimeout from error

    async def _decode(self, content: StreamReader, decoder: Decoder, held: _Held) -> bytes:
        received, pieces = 0, []
        async for chunk in content.iter_any():
            received += len(chunk)
            self._refuse_over(received)  # what decodes to nothing is counted as well
            for piece in decoder.pieces(chunk):
                pieces.append(self._hold(piece, held))
                await asyncio.sleep(0)  # a large body lets the others have their turns
        pieces.append(self._hold(decoder.finish(), held))
        return b"".join(pieces)

    def _hold(self, chunk: bytes, held: _Held) -> bytes:
        held.count += len(chunk)
        self._in_hand += len(chunk)
        self._refuse_over(held.count)
        if self._in_hand > self._in_hand_max:
            raise UnavailableError("node_busy", "too many large requests are in hand; try again")
        return chunk

    def _refuse_over(self, body_bytes: int) -> None:
        if body_bytes > self._bytes_max:
            raise TooLargeError(
                "body_too_large",
                f"the body has over {self._bytes_max} bytes",
                advice="send it in several parts",
                body_bytes_max=self._bytes_max,
            )


class _Held:
    """Body bytes of one request that are counted."""

    def __init__(self) -> None:
        self.count = 0


class Admission:
    """Counts requests in hand, and turns away what is over the limits."""

    def __init__(self, settings: HttpSettings) -> None:
        self.settings = settings
        self.requests = 0
        self.body = BodyRoom(
            bytes_max=settings.body_bytes_max,
            bytes_in_hand_max=settings.body_bytes_max * BODIES_IN_HAND,
            timeout_seconds=settings.request_timeout_seconds,
        ).body

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold a place for one request.

        Raises:
            UnavailableError: all are taken (``node_busy``).
        """
        if self.requests >= self.settings.requests_max:
            raise UnavailableError(
                "node_busy", f"{self.requests} requests are in hand; try again in a moment"
            )
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1


def limits_view(settings: HttpSettings) -> dict[str, Any]:
    """Return all limits with their units, for clients."""
    epcis = Limits()
    return {
        "body_bytes_max": settings.body_bytes_max,
        "events_per_document_max": settings.events_per_document_max,
        "requests_max": settings.requests_max,
        "connections_max": _connections_max(settings),
        "request_timeout_seconds": settings.request_timeout_seconds,
        "request_line_bytes_max": LINE_BYTES_MAX,
        "header_field_bytes_max": FIELD_BYTES_MAX,
        "document_values_max": epcis.document_values_max,
        "contexts_bytes_max": epcis.contexts_bytes_max,
        "event_bytes_max": epcis.content_bytes_max,
        "event_values_max": epcis.event_values_max,
        "event_items_max": epcis.items_count_max,
        "vocabulary_elements_max": epcis.vocabulary_elements_max,
        "vocabulary_values_max": epcis.vocabulary_values_max,
        "attribute_bytes_max": epcis.attribute_bytes_max,
        "nesting_levels_max": epcis.nesting_levels_max,
        "uri_characters_max": URI_CHARACTERS_MAX,
        "per_page_default": PER_PAGE_DEFAULT,
        "per_page_max": PER_PAGE_MAX,
        "page_contents_bytes_max": PAGE_CONTENTS_BYTES_MAX,
        "parameter_values_max": VALUES_MAX,
    }


def _connections_max(settings: HttpSettings) -> int:
    return settings.requests_max + IDLE_CONNECTIONS


def make_runner(application: web.Application, settings: HttpSettings) -> web.AppRunner:
    """Return a runner that holds connections to the limits above."""
    return ProblemRunner(
        application,
        connections_max=_connections_max(settings),
        sent_max=SENT_MAX,
        auto_decompress=False,  # bodies are decoded as they are read
        access_log=None,  # the gate writes its own, without bodies and addresses' secrets
        max_line_size=LINE_BYTES_MAX,
        max_field_size=FIELD_BYTES_MAX,
        keepalive_timeout=KEEPALIVE_SECONDS,
        handle_signals=False,
        shutdown_timeout=10.0,
    )
