"""Sends signed requests to other members' nodes. Retries nothing itself: whoever keeps the delivery does.

An answer is a peer's word: it is size-limited, strictly read, and proves nothing beyond what it signs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncGenerator, Callable, Iterable
from enum import Enum
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.errors import (
    InputError,
    NotFoundError,
    SealtrailError,
    UnavailableError,
    VerificationError,
)
from sealtrail.peers.signatures import PeerKeyId, sign_request

PACKAGES_PATH = "/peer/v1/packages"
SECTIONS_PATH = "/peer/v1/log-sections"
SECTION_BYTES_MAX = 64 << 20
COPIES_PATH = "/peer/v1/copies"
COPIES_PURPOSE = "copies"
LOG_PATH = "/peer/v1/log/"
INDEX_AUDITS_PATH = "/peer/v1/index-audits"
PACKAGE_MEDIA_TYPE = "application/vnd.sealtrail.package+json"
PACKAGE_PURPOSES = frozenset({"consignment"})
ANSWER_BYTES_MAX = 1 << 20
# What a node answers to a package that it has read, or will not read; any other status is about something else.
REFUSALS = frozenset({400, 403, 409, 413, 415, 422})


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a peer says of a package: how many of its entries were new to it, and how many it had."""

    accepted: int
    known: int


class _Problem(msgspec.Struct):
    code: str = "unnamed"
    detail: str = ""


class PlainHttp(Enum):
    """Where a node may send what it ships without TLS."""

    NOWHERE = "nowhere"
    THIS_MACHINE = "this machine"
    ANYWHERE = "anywhere"

    @classmethod
    def allowed_to(cls, own_url: str, *, anywhere: bool) -> PlainHttp:
        """Return what a node may do whose own URL that is.

        To this machine only where the node itself is reached on it (a devnet): elsewhere a member's record could
        make it call what listens here for nobody but this machine.
        """
        if anywhere:
            return cls.ANYWHERE
        try:
            host = urlsplit(own_url).hostname or ""
        except ValueError:  # a configured URL that isn't one is no loopback URL
            host = ""
        return cls.THIS_MACHINE if _is_loopback(host) else cls.NOWHERE


class PeerClient:
    """Delivers packages to nodes by their URL in the registry."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        key_id: PeerKeyId,
        private_key: Ed25519PrivateKey,
        now_seconds: Callable[[], float],
        new_nonce: Callable[[], str],
        timeout_seconds: float,
        plain_http: PlainHttp,
    ) -> None:
        self._session = session
        self._key_id = key_id
        self._private_key = private_key
        self._now_seconds = now_seconds
        self._new_nonce = new_nonce
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        # of a long answer, each step: the whole is bounded by who reads it
        self._step_timeout = aiohttp.ClientTimeout(
            total=None, connect=timeout_seconds, sock_read=timeout_seconds
        )
        self._plain_http = plain_http

    async def deliver(self, node_url: str, package: bytes) -> Acknowledgement:
        """Send a package and return what the peer acknowledged.

        Raises:
            InputError: ``peer_url_refused``: the registry names a URL that must not be called.
            UnavailableError: nothing is known of the package: ``peer_unreachable``; ``peer_not_taking`` (busy, or it
                does not know our key); ``peer_answer_malformed``, it did not answer as a node does.
            VerificationError: ``peer_refused``: it refused this package, with its own code and words.
        """
        url = node_url.rstrip("/") + PACKAGES_PATH
        status, body = await self._post(url, package, PACKAGE_MEDIA_TYPE, ANSWER_BYTES_MAX)
        return _read_answer(url, status, body)

    async def fetch_section(self, node_url: str, request: bytes) -> bytes:
        """Ask a peer for a section of its log on an item; what comes is not believed.

        Raises:
            InputError: ``peer_url_refused``.
            UnavailableError: ``peer_unreachable``, ``peer_not_taking``, ``peer_answer_malformed``.
            VerificationError: ``peer_refused``.
        """
        url = node_url.rstrip("/") + SECTIONS_PATH
        status, body = await self._post(url, request, "application/json", SECTION_BYTES_MAX)
        if status == 200:
            return body
        raise _refusal(url, status, body)

    async def fetch_copies(
        self, node_url: str, entry_ids: Iterable[bytes], bytes_max: int
    ) -> bytes:
        """Ask a member's node for copies of entries and return its package, of which nothing is believed yet.

        Raises:
            InputError: ``peer_url_refused``.
            UnavailableError: as :meth:`deliver`.
            NotFoundError: ``copies_unknown``: it has none for us.
            VerificationError: ``peer_refused``: it takes no such question.
        """
        url = node_url.rstrip("/") + COPIES_PATH
        body = msgspec.json.encode({"entry_ids": ["0x" + each.hex() for each in entry_ids]})
        status, answer = await self._post(url, body, "application/json", bytes_max)
        if status == 404:
            raise NotFoundError("copies_unknown", f"{url} has no copy for this member")
        if status != 200:
            raise _refusal(url, status, answer)
        return answer

    async def give_index_audit(self, node_url: str, audit: bytes) -> None:
        """Hand a member an audit of its item index.

        Raises:
            InputError: ``peer_url_refused``.
            UnavailableError: as :meth:`deliver`.
            VerificationError: ``peer_refused``.
        """
        url = node_url.rstrip("/") + INDEX_AUDITS_PATH
        status, body = await self._post(url, audit, "application/json", ANSWER_BYTES_MAX)
        if status != 200:
            raise _refusal(url, status, body)

    async def read_log(
        self, node_url: str, path: str, bytes_max: int
    ) -> AsyncGenerator[bytes, None]:
        """Yield a file of a member's log (``checkpoint``, ``tile/…``) as it comes; close it if not read to its end.

        Raises:
            InputError: ``peer_url_refused``.
            UnavailableError: ``peer_unreachable``; ``peer_not_taking``, it shows us no such file;
                ``peer_answer_malformed``, over ``bytes_max``.
            VerificationError: ``peer_refused``.
        """
        url = node_url.rstrip("/") + LOG_PATH + path
        headers = self._signed("GET", url, b"")
        try:
            async with self._session.get(
                url, headers=headers, timeout=self._step_timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    answer = await read_at_most(response, ANSWER_BYTES_MAX)
                    raise _refusal(url, response.status, answer)
                missing = bytes_max
                async for chunk in response.content.iter_any():
                    missing -= len(chunk)
                    if missing < 0:
                        raise _too_long(response, bytes_max)
                    yield chunk
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            # ValueError: a host name that can't be one, out of another member's record
            raise _unreachable(url, error) from error

    def _signed(self, method: str, url: str, body: bytes) -> dict[str, str]:
        check_url(url, self._plain_http)
        return sign_request(
            method,
            url,
            body,
            key_id=self._key_id,
            private_key=self._private_key,
            created_seconds=int(self._now_seconds()),
            nonce=self._new_nonce(),
        )

    async def _post(
        self, url: str, body: bytes, media_type: str, answer_bytes_max: int
    ) -> tuple[int, bytes]:
        headers = self._signed("POST", url, body)
        headers["Content-Type"] = media_type
        try:
            async with self._session.post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as response:
                answer = await read_at_most(response, answer_bytes_max)
                return response.status, answer
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> UnavailableError:
    return UnavailableError("peer_unreachable", f"{url}: {str(error) or type(error).__name__}")


def _too_long(response: aiohttp.ClientResponse, limit: int) -> UnavailableError:
    return UnavailableError(
        "peer_answer_malformed", f"{response.url} answered with more than {limit} bytes"
    )


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return an answer's body.

    Raises:
        UnavailableError: it is longer than ``limit`` bytes (``peer_answer_malformed``).
    """
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        chunks += chunk
        if len(chunks) > limit:
            raise _too_long(response, limit)
    return bytes(chunks)


def _read_answer(url: str, status: int, body: bytes) -> Acknowledgement:
    if 200 <= status < 300:
        try:
            return msgspec.json.decode(body, type=Acknowledgement)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UnavailableError(
                "peer_answer_malformed", f"{url} answered {status}: {error}"
            ) from error
    raise _refusal(url, status, body)


def _refusal(url: str, status: int, body: bytes) -> SealtrailError:
    """Return what an answer other than a success means."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        problem = _Problem()
    said = f"{url} answered {status} {problem.code}: {problem.detail[:500]}"
    if status in REFUSALS:
        return VerificationError("peer_refused", said)
    return UnavailableError("peer_not_taking", said)


def check_url(url: str, plain_http: PlainHttp) -> None:
    """Refuse a URL that a node must not call: not HTTP(S), with credentials, or in the clear where that isn't allowed.

    Raises:
        InputError: ``peer_url_refused``.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError as error:
        raise InputError("peer_url_refused", f"{url!r}: {error}") from error
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise InputError("peer_url_refused", f"{url!r} is no plain http or https URL")
    allowed = plain_http is PlainHttp.ANYWHERE or (
        plain_http is PlainHttp.THIS_MACHINE and _is_loopback(host)
    )
    if parts.scheme == "http" and not allowed:
        raise InputError(
            "peer_url_refused",
            f"{url!r} would go in the clear over a network, or to this machine itself",
            advice="put the node behind TLS and record its https URL, or allow peers.plain_http on a private network",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
