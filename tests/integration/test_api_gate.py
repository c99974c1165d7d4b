"""The gate of the HTTP interface: tokens, scopes, limits, problem documents, nothing anonymous but health."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from capture_events import bare, document, event
from capture_node import TOKEN, TOKENS, CaptureNode, capture_node
from sealtrail.api.application import make_application
from sealtrail.api.limits import make_runner
from sealtrail.config import HttpSettings

JSON = {"Content-Type": "application/json"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as node:
        yield node


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def problem_of(response: aiohttp.ClientResponse, status: int) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = await response.json(content_type=None)
    assert problem["status"] == status
    assert problem["code"]
    assert problem["title"]
    assert problem["type"]
    return problem


ROUTES = [
    ("POST", "/capture"),
    ("GET", "/capture"),
    ("GET", "/capture/x"),
    ("POST", "/events"),
    ("GET", "/events"),
    ("GET", "/events/x"),
    ("GET", "/v1/events/x/content"),
    ("GET", "/v1/entries/x"),
    ("GET", "/v1/status"),
    ("GET", "/v1/limits"),
    ("GET", "/metrics"),
    ("GET", "/nothing"),
    ("DELETE", "/events"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "authorization",
    [
        *(None, "Bearer wrong", "Bearer", "Bearer \xe9", "bearer  "),
        *("Basic YTpi", "Basic YTo=", "Basic YQ==", "Basic YTp", "Basic \xe9", "Basic"),
        f"Digest {TOKEN}",
    ],
)
async def test_nothing_is_answered_to_strangers(
    node: CaptureNode,
    client: aiohttp.ClientSession,
    method: str,
    path: str,
    authorization: str | None,
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    async with client.request(method, node.url + path, headers=headers) as response:
        problem = await problem_of(response, 401)
        assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert problem["code"] in ("token_missing", "token_unknown")


@pytest.mark.parametrize("user", ["", "anyone"])
async def test_a_token_may_be_sent_as_a_password(
    node: CaptureNode, client: aiohttp.ClientSession, user: str
) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(user, TOKEN)}
    async with client.get(f"{node.url}/events", headers=headers) as response:
        assert response.status == 200


async def test_a_token_sent_as_a_password_has_its_scopes_only(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth("anyone", "capture-only")}
    async with client.get(f"{node.url}/events", headers=headers) as response:
        problem = await problem_of(response, 403)
    assert problem["code"] == "scope_missing"


async def test_a_token_is_no_user_name(node: CaptureNode, client: aiohttp.ClientSession) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(TOKEN, "")}
    async with client.get(f"{node.url}/events", headers=headers) as response:
        problem = await problem_of(response, 401)
    assert problem["code"] == "token_missing"


@pytest.mark.parametrize("path", ["/health", "/ready"])
async def test_health_is_anonymous(
    node: CaptureNode, client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(node.url + path) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("token", "method", "path"),
    [
        ("query-only", "POST", "/capture"),
        ("query-only", "POST", "/events"),
        ("query-only", "GET", "/capture/x"),
        ("capture-only", "GET", "/events"),
        ("capture-only", "GET", "/events/x"),
        ("capture-only", "GET", "/v1/events/x/content"),
        ("capture-only", "GET", "/v1/status"),
        ("query-only", "GET", "/metrics"),
    ],
)
async def test_a_token_without_the_scope_is_refused(
    node: CaptureNode, client: aiohttp.ClientSession, token: str, method: str, path: str
) -> None:
    headers = {"Authorization": f"Bearer {token}", **JSON}
    async with client.request(method, node.url + path, headers=headers, data=b"{}") as response:
        problem = await problem_of(response, 403)
    assert problem["code"] == "scope_missing"


async def test_a_route_without_a_scope_answers_nobody(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async def unmarked(_: web.Request) -> web.Response:
        return web.Response(text="secret")

    async with (
        serve(node, [web.get("/unmarked", unmarked)]) as url,
        client.get(f"{url}/unmarked", headers=BEARER) as response,
    ):
        await problem_of(response, 403)


async def test_an_unexpected_error_is_a_500_without_its_traceback(
    node: CaptureNode, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    from sealtrail.api.auth import any_token

    @any_token
    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("the secret is 42")

    async with (
        serve(node, [web.get("/broken", broken)]) as url,
        client.get(f"{url}/broken", headers=BEARER) as response,
    ):
        problem = await problem_of(response, 500)
        text = json.dumps(problem)
    assert problem["code"] == "internal_error"
    assert "42" not in text
    assert "RuntimeError" not in text
    assert "the secret is 42" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "route_unknown"),
        ("DELETE", "/capture", 405, "method_not_allowed"),
        ("PATCH", "/events", 405, "method_not_allowed"),
    ],
)
async def test_errors_of_the_router_are_problems_too(
    node: CaptureNode, client: aiohttp.ClientSession, method: str, path: str, status: int, code: str
) -> None:
    async with client.request(method, node.url + path, headers=BEARER) as response:
        problem = await problem_of(response, status)
        assert status != 405 or "GET" in response.headers["Allow"]
    assert problem["code"] == code


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "text/csv, */*;q=0"])
async def test_what_cannot_be_produced_is_406(
    node: CaptureNode, client: aiohttp.ClientSession, accept: str
) -> None:
    async with client.get(node.url + "/events", headers={**BEARER, "Accept": accept}) as response:
        problem = await problem_of(response, 406)
    assert problem["code"] == "media_type_unavailable"


async def test_a_body_over_the_limit_is_413_before_it_is_read(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    settings = HttpSettings(body_bytes_max=10_000)
    async with capture_node(tmp_path / "small.db", settings=settings) as node:
        body = document(*(event(n) for n in range(200)))
        for data in (body, _pieces(body), gzip.compress(body)):
            headers = {**BEARER, **JSON}
            if isinstance(data, bytes) and data[:2] == b"\x1f\x8b":
                headers["Content-Encoding"] = "gzip"
            async with client.post(f"{node.url}/capture", data=data, headers=headers) as response:
                problem = await problem_of(response, 413)
            assert problem["code"] == "body_too_large"
            assert problem["body_bytes_max"] == 10_000
        async with client.post(
            f"{node.url}/events", data=bare(event(1)), headers={**BEARER, **JSON}
        ) as response:
            assert response.status == 201


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


ENCODED = [
    ("gzip", gzip.compress),
    ("x-GZIP", gzip.compress),
    ("gzip", lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:])),
    ("deflate", zlib.compress),
    ("deflate", _raw_deflate),
    ("identity", bytes),
    ("", bytes),
]


async def post_encoded(node: CaptureNode, coding: str, body: bytes) -> tuple[int, str, Any]:
    """Post a document of that Content-Encoding in one piece; return status, Accept-Encoding and answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(node.url.rpartition(":")[2]))
    head = (
        "POST /capture HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n"
        f"Authorization: Bearer {TOKEN}\r\nPrefer: return=representation\r\n"
        f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        writer.write(head.encode() + body)
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        fields = dict(line.split(": ", 1) for line in answer.decode().strip().split("\r\n")[1:])
        content = await asyncio.wait_for(reader.readexactly(int(fields["Content-Length"])), 30)
        return int(answer.split()[1]), fields.get("Accept-Encoding", ""), json.loads(content)
    finally:
        writer.close()


@pytest.mark.parametrize(("coding", "encode"), ENCODED)
@pytest.mark.parametrize("count", [1, 2_000])
async def test_a_body_is_taken_in_every_coding_that_the_node_knows(
    node: CaptureNode, coding: str, encode: Callable[[bytes], bytes], count: int
) -> None:
    body = encode(document(*(event(n) for n in range(count))))
    status, _, answer = await post_encoded(node, coding, body)
    assert (status, len(answer["receipts"])) == (202, count)


@pytest.mark.parametrize("coding", ["foo", "br", "zstd", "gzip, gzip", "gzip;q=1", "compress"])
async def test_a_coding_that_is_not_known_is_415_and_names_what_is(
    node: CaptureNode, coding: str
) -> None:
    status, accepted, problem = await post_encoded(node, coding, document(event(1)))
    assert (status, problem["code"]) == (415, "content_coding_unsupported")
    assert accepted == "gzip, deflate, identity"
    assert "gzip, deflate, identity" in problem["detail"]
    assert node.log.size == 1


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"not gzip!"),
        ("gzip", b""),
        ("gzip", gzip.compress(document(event(1)))[:-1]),
        ("gzip", gzip.compress(document(event(1)))[:40]),
        ("gzip", gzip.compress(document(event(1))) + b"behind it"),
        ("gzip", gzip.compress(document(event(1)))[:-8] + b"\x00" * 8),
        ("deflate", b"\x78\x9cneither"),
        ("deflate", zlib.compress(document(event(1)))[:-5]),
        ("deflate", b"\xff" * 100),
    ],
    ids=[
        "no gzip", "nothing", "a byte short", "half of it", "more behind", "other checksum", "no deflate",
        "no checksum", "neither kind of deflate",
    ],
)  # fmt: skip
async def test_a_body_that_does_not_decode_is_a_coded_400_and_no_fault_of_the_node(
    node: CaptureNode, coding: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    status, _, problem = await post_encoded(node, coding, body)
    assert (status, problem["code"]) == (400, "body_broken_off")
    assert not [each for each in caplog.records if each.levelname == "ERROR" or each.exc_info]
    assert node.log.size == 1


async def test_a_body_that_decodes_to_gigabytes_is_413_and_is_never_held(tmp_path: Path) -> None:
    settings = HttpSettings(body_bytes_max=5_000_000)
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(2_000)) + packer.flush()
    async with capture_node(tmp_path / "small.db", settings=settings) as node:
        tracemalloc.start()
        try:
            status, _, problem = await post_encoded(node, "gzip", bomb)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (status, problem["code"]) == (413, "body_too_large")
        assert peak < 50_000_000


async def test_a_body_that_decodes_to_nothing_is_held_to_the_limit_as_well(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    settings = HttpSettings(body_bytes_max=10_000)
    empty_blocks = b"\x00\x00\x00\xff\xff" * 3_000
    headers = {**BEARER, **JSON, "Content-Encoding": "deflate"}
    async with (
        capture_node(tmp_path / "small.db", settings=settings) as node,
        client.post(f"{node.url}/capture", data=_pieces(empty_blocks), headers=headers) as response,
    ):
        problem = await problem_of(response, 413)
    assert problem["code"] == "body_too_large"


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 1000):
        yield body[at : at + 1000]


async def test_a_body_that_does_not_arrive_is_given_up(tmp_path: Path) -> None:
    settings = HttpSettings(request_timeout_seconds=1.0)
    async with capture_node(tmp_path / "slow.db", settings=settings) as node:
        port = int(node.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /capture HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer all-scopes\r\nContent-Length: 100\r\n\r\n{"
        )
        answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
    assert b" 408 " in answer.splitlines()[0]


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 9\r\n\r\nnot gzip!",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nnot a chunk\r\n",
        b"Content-Length: 0\r\n\r\n",
    ],
)
async def test_a_body_that_is_not_what_its_header_says_is_refused(
    node: CaptureNode, client: aiohttp.ClientSession, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(node.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Authorization: Bearer all-scopes\r\n" + body
    )
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    writer.close()
    assert answer.split()[1] == b"400"
    assert "unexpected error" not in caplog.text


async def test_a_client_that_goes_away_in_its_body_harms_nobody(
    node: CaptureNode, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    port = int(node.url.rpartition(":")[2])
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer all-scopes\r\nContent-Length: 500\r\n\r\n{"
        )
        await writer.drain()
        writer.close()
    async with client.post(
        f"{node.url}/events", data=bare(event(1)), headers={**BEARER, **JSON}
    ) as response:
        assert response.status == 201
    assert "unexpected error" not in caplog.text


async def test_requests_over_the_limit_are_told_to_come_again(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with capture_node(tmp_path / "busy.db", settings=HttpSettings(requests_max=1)) as node:
        port = int(node.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST /capture HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            b"Authorization: Bearer all-scopes\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)  # the node has it in hand
        async with client.get(f"{node.url}/health") as response:
            problem = await problem_of(response, 503)
            assert response.headers["Retry-After"]
        assert problem["code"] == "node_busy"
        writer.write(b"{}")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        writer.close()
        async with client.get(f"{node.url}/health") as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /events?" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /events HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"POST /capture HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /capture HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\n\r\n",
        b"GET /%00 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all-scopes\r\n\r\n",
        b"GET /events/%ff%fe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer all-scopes\r\n\r\n",
    ],
)
async def test_broken_http_is_a_400_and_the_node_goes_on(
    node: CaptureNode, client: aiohttp.ClientSession, request_bytes: bytes
) -> None:
    port = int(node.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request_bytes)
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    writer.close()
    assert answer.split()[1][:1] == b"4"
    async with client.get(f"{node.url}/health") as response:
        assert response.status == 200


async def test_metrics_name_routes_and_no_identifiers(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async with client.get(f"{node.url}/events/urn:uuid:secret", headers=BEARER) as response:
        await problem_of(response, 404)
    async with client.get(f"{node.url}/metrics", headers=BEARER) as response:
        assert response.status == 200
        text = await response.text()
    assert 'route="/events/{event_id}",method="GET",status="404"' in text
    assert "secret" not in text
    assert "sealtrail_events_captured_total 0" in text


async def test_access_logs_hold_no_bodies_and_no_addresses(
    node: CaptureNode, client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "sealtrail.access")
    async with client.get(f"{node.url}/events/urn:uuid:secret", headers=BEARER) as response:
        await problem_of(response, 404)
    record = next(r for r in caplog.records if r.name == "sealtrail.access")
    fields = record.__dict__["fields"]
    assert fields["caller"] == "everything"
    assert fields["status"] == 404
    assert "secret" not in str(fields) + record.getMessage()


async def test_a_connection_beyond_the_limit_takes_the_place_of_the_oldest_idle_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealtrail.api.limits.IDLE_CONNECTIONS", 3)
    settings = HttpSettings(requests_max=2)
    async with capture_node(tmp_path / "busy.db", settings=settings) as node:
        host, port = node.url.removeprefix("http://").split(":")
        ask = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        held = []
        for _ in range(6):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(ask)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            held.append((reader, writer))
        assert await held[0][0].read()  # the rest of its answer, and the end
        assert held[0][0].at_eof()
        for reader, writer in held[1:]:
            await reader.readuntil(b'"}')
            writer.write(ask)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            writer.close()


async def test_a_connection_beyond_the_limit_is_closed_where_all_are_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealtrail.api.limits.IDLE_CONNECTIONS", 0)
    settings = HttpSettings(requests_max=2)
    async with capture_node(tmp_path / "busy.db", settings=settings) as node:
        host, port = node.url.removeprefix("http://").split(":")
        begun = (
            f"POST /capture HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nExpect: 100-continue"
            "\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n"
        ).encode()
        held = [await asyncio.open_connection(host, int(port)) for _ in range(2)]
        for reader, writer in held:
            writer.write(begun)
            assert b"100 Continue" in await reader.readline()
        further, _ = await asyncio.open_connection(host, int(port))
        assert await further.read() == b""
        for _, writer in held:
            writer.close()


class serve:  # noqa: N801 - reads as a verb
    """Serve the node's services with more routes."""

    def __init__(self, node: CaptureNode, routes: list[web.RouteDef]) -> None:
        async def status() -> dict[str, Any]:
            return {}

        async def readiness() -> list[str]:
            return []

        self._runner = make_runner(
            make_application(
                capture=node.capture,
                queries=node.queries,
                settings=HttpSettings(),
                tokens=TOKENS,
                status=status,
                readiness=readiness,
                metrics=dict,
                more_routes=routes,
            ),
            HttpSettings(),
        )

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
