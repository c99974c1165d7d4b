"""A node's HTTP interface, as the command line uses it: one connection, kept open.

It is the standard library's blocking client, because the commands start faster without a bigger one.
"""

from __future__ import annotations

import http.client
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from sealtrail.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    IntegrityError,
    NotFoundError,
    RateLimitedError,
    SealtrailError,
    TooLargeError,
    UnauthorizedError,
    UnavailableError,
    VerificationError,
)
from sealtrail.evidence.audit_record import check_reason

TIMEOUT_SECONDS = 120.0
ANSWER_BYTES_MAX = 256 * 1024 * 1024
_CHUNK_BYTES = 1 << 16
_next_link = re.compile(r'<([^>]*)>[^,<]*;\s*rel="?next"?').search
_BY_STATUS: Mapping[int, type[SealtrailError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    422: VerificationError,
    429: RateLimitedError,
    500: IntegrityError,
}
_PROBLEM_MEMBERS = {
    *("type", "title", "status", "detail", "instance", "code", "pointer", "advice"),
    *("self", "message"),  # names of the error's own
}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the node answered; ``headers`` by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON.

        Raises:
            UnavailableError: ``node_garbage``.
        """
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise UnavailableError(
                "node_garbage", f"the answer is no JSON: {self.body[:80]!r}"
            ) from e


class NodeClient:
    """Asks one node, as the user whose token it is given."""

    def __init__(self, url: str, token: str | None, reason: str | None = None) -> None:
        parts, port = _parse_url(url)
        if token is not None and not re.fullmatch(r"[\x21-\x7e]+", token):
            raise InputError("token_malformed", "the token holds characters that no token has")
        self.url = url.rstrip("/")
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._reason = None if reason is None else check_reason(reason)
        make = (
            http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        )
        self._connection = make(parts.hostname or "", port, timeout=TIMEOUT_SECONDS)

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for ``path`` (already percent-encoded).

        Raises:
            SealtrailError: what the node answered as a problem; ``node_unreachable``.
        """
        return self._ask("GET", path, None, headers)

    def put(self, path: str, body: bytes, **headers: str) -> Answer:
        """Put ``body`` at ``path``.

        Raises:
            SealtrailError: what the node answered as a problem; ``node_unreachable``.
        """
        return self._ask("PUT", path, body, headers)

    def post(self, path: str, body: bytes, **headers: str) -> Answer:
        """Send ``body`` to ``path``.

        Raises:
            SealtrailError: what the node answered as a problem; ``node_unreachable``.
        """
        return self._ask("POST", path, body, headers)

    def stream(self, path: str) -> Iterator[bytes]:
        """Ask for ``path``, and yield the body as it comes, however long it is.

        Raises:
            SealtrailError: what the node answered as a problem; ``node_unreachable``; ``answer_broken_off``: it
                ended before its end.
        """
        given = {"Accept": "*/*", **self._authorization()}
        try:
            self._connection.request("GET", self._prefix + path, None, given)
            response = self._connection.getresponse()
        except (OSError, http.client.HTTPException) as e:
            raise self._unreachable(e) from e
        if response.status >= 400:
            raise _problem(_answer(response, response.read(ANSWER_BYTES_MAX)))
        try:
            while chunk := response.read(_CHUNK_BYTES):
                yield chunk
        except (OSError, http.client.HTTPException) as e:
            self._connection.close()
            raise UnavailableError(
                "answer_broken_off",
                f"the node's answer ended before its end: {e or type(e).__name__}",
                advice="see the node's log for why, and ask again",
            ) from e

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        given: dict[str, str | bytes] = {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        if self._reason is not None:
            given["Sealtrail-Reason"] = self._reason.encode()
        given.setdefault("Accept", "application/json, application/problem+json")
        given.update(self._authorization())
        try:
            answer = self._exchange(method, path, body, given)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # a connection that idled out; every request here is harmless to repeat
            self._connection.close()
            answer = self._retry(method, path, body, given)
        except (OSError, http.client.HTTPException) as e:
            raise self._unreachable(e) from e
        if answer.status >= 400:
            raise _problem(answer)
        return answer

    def _retry(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str | bytes]
    ) -> Answer:
        try:
            return self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as e:
            raise self._unreachable(e) from e

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str | bytes]
    ) -> Answer:
        self._connection.request(method, self._prefix + path, body, headers)
        response = self._connection.getresponse()
        content = response.read(ANSWER_BYTES_MAX + 1)
        if len(content) > ANSWER_BYTES_MAX:
            raise UnavailableError("node_garbage", f"an answer of over {ANSWER_BYTES_MAX} bytes")
        return _answer(response, content)

    def _unreachable(self, error: Exception) -> UnavailableError:
        self._connection.close()
        return UnavailableError(
            "node_unreachable",
            f"no node answers at {self.url}: {error or type(error).__name__}",
            advice="is the node running (`sealtrail run`, `sealtrail devnet`), and is the URL right?",
        )


def with_query(path: str, parameters: Mapping[str, str | None]) -> str:
    """Return ``path`` with a query of the parameters that have a value."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urllib.parse.urlencode(given)}" if given else path


def follow_pages(
    client: NodeClient, path: str, parameters: Mapping[str, str | None]
) -> Iterator[Answer]:
    """Ask for a listing, and yield its pages.

    Raises:
        SealtrailError: as :meth:`NodeClient.get` and :func:`next_page_token`; ``node_garbage``: a page leads back to
            one before it.
    """
    seen: set[str] = set()
    token: str | None = None
    while True:
        answer = client.get(with_query(path, {**parameters, "nextPageToken": token}))
        yield answer
        token = next_page_token(answer)
        if token is None:
            return
        if token in seen:
            raise circling(path)
        seen.add(token)


def circling(path: str) -> UnavailableError:
    """Return the error of pages that have no end."""
    return UnavailableError("node_garbage", f"a page of {path} leads back to one before it")


def next_page_token(answer: Answer) -> str | None:
    """Return the token of the page that follows an answer; None if it is the last.

    The page's address may be that of a node behind a proxy, and is not gone by.

    Raises:
        UnavailableError: ``node_garbage``: there is a next page and no way to it.
    """
    link = _next_link(answer.headers.get("link", ""))
    if link is None:
        return None
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(link[1]).query)
    token = next(iter(query.get("nextPageToken", ())), None)
    if token is None:
        raise UnavailableError(
            "node_garbage", f"the node's link to the next page leads nowhere: {link[1][:200]!r}"
        )
    return token


def _answer(response: http.client.HTTPResponse, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(status=response.status, headers=headers, body=body)


def _parse_url(url: str) -> tuple[urllib.parse.SplitResult, int | None]:
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise InputError("node_url_invalid", f"{url!r}: {e}") from e
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError("node_url_invalid", f"{url!r} is no http or https URL of a node")
    return parts, port


def _problem(answer: Answer) -> SealtrailError:
    """Return the error that a problem document (RFC 9457) tells of."""
    kind = _BY_STATUS.get(answer.status, UnavailableError if answer.status > 500 else InputError)
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return kind("http_error", f"the node answered {answer.status}: {answer.body[:200]!r}")
    name = str(found.get("code") or str(found.get("type", "")).rpartition("/")[2] or "http_error")
    return kind(
        name,
        str(found.get("detail") or found.get("title") or answer.status),
        pointer=found.get("pointer"),
        advice=_advice(answer.status) or found.get("advice"),
        **{str(k): v for k, v in found.items() if k not in _PROBLEM_MEMBERS},
    )


def _advice(status: int) -> str | None:
    """Return what helps at the command line, where the node would advise on headers."""
    if status == 401:
        return "give a token with --token or SEALTRAIL_TOKEN; `sealtrail token new` makes one"
    if status == 403:
        return "use a token that has the scope for this"
    return None
