"""The JSON-RPC client against endpoints over real HTTP: good, slow, away, lying."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from sealtrail.errors import UnavailableError
from sealtrail.ledger.rpc import ChainIdentity, Rpc, RpcRefusalError

GENESIS = b"\x07" * 32
EXPECTED = ChainIdentity(chain_id=1337, genesis_hash=GENESIS)

Answer = Callable[[web.Request, dict[str, Any]], Awaitable[web.Response]]


def answered(question: dict[str, Any], result: Any) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": question["id"], "result": result})


class Endpoint:
    """An endpoint that is the expected chain, and answers every other method with its own name."""

    def __init__(self, name: str = "one", chain_id: int = 1337, genesis: bytes = GENESIS) -> None:
        self.name, self.chain_id, self.genesis = name, chain_id, genesis
        self.asked: list[str] = []
        self.batches: list[int] = []
        self.batched: Callable[[list[dict[str, Any]]], Any] = lambda answers: answers
        self.instead: Answer | None = None
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        question = orjson.loads(await request.read())
        if isinstance(question, list):
            return await self.handle_batch(question)
        self.asked.append(question["method"])
        if self.instead is not None:
            return await self.instead(request, question)
        if question["method"] == "eth_chainId":
            return answered(question, hex(self.chain_id))
        if question["method"] == "eth_getBlockByNumber":
            return answered(question, {"hash": "0x" + self.genesis.hex()})
        return answered(question, self.name)

    async def handle_batch(self, questions: list[dict[str, Any]]) -> web.Response:
        self.batches.append(len(questions))
        answers = [{"jsonrpc": "2.0", "id": q["id"], "result": q["params"]} for q in questions]
        return web.json_response(self.batched(answers))


@asynccontextmanager
async def serving(*endpoints: Endpoint) -> AsyncIterator[None]:
    runners = []
    for endpoint in endpoints:
        app = web.Application()
        app.router.add_post("/", endpoint.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        runners.append(runner)
    try:
        yield
    finally:
        for runner in runners:
            await runner.cleanup()


@asynccontextmanager
async def client(*endpoints: Endpoint, **options: Any) -> AsyncIterator[Rpc]:
    rpc = Rpc([e.url for e in endpoints], **{"timeout_seconds": 5, **options})
    try:
        yield rpc
    finally:
        await rpc.close()


async def _code(rpc: Rpc) -> str:
    with pytest.raises(UnavailableError) as caught:
        await rpc.call("x")
    return caught.value.code


async def test_the_first_endpoint_is_asked_first_and_checked_once() -> None:
    one, two = Endpoint("one"), Endpoint("two")
    async with serving(one, two), client(one, two, expected=EXPECTED) as rpc:
        assert [await rpc.call("x") for _ in range(3)] == ["one"] * 3
        assert one.asked == ["eth_chainId", "eth_getBlockByNumber", "x", "x", "x"]
        assert two.asked == []


async def test_the_next_endpoint_takes_over_and_stays() -> None:
    one, two = Endpoint("one"), Endpoint("two")
    async with serving(one, two), client(one, two, expected=EXPECTED) as rpc:
        assert await rpc.call("x") == "one"
        one.instead = _status(503)
        assert await rpc.call("x") == "two"
        one.instead = None
        assert await rpc.call("x") == "two"
        two.instead = _status(502)
        assert await rpc.call("x") == "one"


async def test_an_endpoint_that_was_away_must_show_its_chain_again() -> None:
    one = Endpoint("one")
    async with serving(one), client(one, expected=EXPECTED) as rpc:
        await rpc.call("x")
        one.instead = _status(500)
        await _code(rpc)
        one.instead, one.genesis = None, b"\x08" * 32
        assert await _code(rpc) == "wrong_chain"


@pytest.mark.parametrize(("chain_id", "genesis"), [(1, GENESIS), (1337, b"\x08" * 32)])
async def test_another_chain_is_not_asked(chain_id: int, genesis: bytes) -> None:
    wrong, right = Endpoint("wrong", chain_id, genesis), Endpoint("right")
    async with serving(wrong, right):
        async with client(wrong, right, expected=EXPECTED) as rpc:
            assert await rpc.call("eth_sendRawTransaction", "0x") == "right"
        async with client(wrong, expected=EXPECTED) as rpc:
            assert await _code(rpc) == "wrong_chain"
        assert "eth_sendRawTransaction" not in wrong.asked


async def test_a_refusal_is_an_answer_and_goes_to_no_other_endpoint() -> None:
    one, two = Endpoint("one"), Endpoint("two")
    one.instead = _body({"error": {"code": -32000, "message": "nonce too low", "data": "0x01"}})
    async with serving(one, two), client(one, two) as rpc:
        with pytest.raises(RpcRefusalError) as caught:
            await rpc.call("x")
    assert (caught.value.number, caught.value.reason, caught.value.payload) == (
        -32000,
        "nonce too low",
        "0x01",
    )
    assert two.asked == []


async def test_a_refusal_with_an_http_error_status_is_an_answer_too() -> None:
    one = Endpoint()
    one.instead = _body({"error": {"code": 3, "message": "execution reverted"}}, status=400)
    async with serving(one), client(one) as rpc:
        with pytest.raises(RpcRefusalError):
            await rpc.call("x")


def _status(status: int, text: str = "<html>") -> Answer:
    async def answer(_request: web.Request, _question: dict[str, Any]) -> web.Response:
        return web.Response(status=status, text=text)

    return answer


def _body(members: dict[str, Any], *, status: int = 200, own_id: Any = ...) -> Answer:
    async def answer(_request: web.Request, question: dict[str, Any]) -> web.Response:
        number = question["id"] if own_id is ... else own_id
        return web.json_response({"jsonrpc": "2.0", "id": number, **members}, status=status)

    return answer


def _text(text: str | bytes) -> Answer:
    async def answer(_request: web.Request, _question: dict[str, Any]) -> web.Response:
        return web.Response(body=text)

    return answer


def _encoded(body: bytes, **headers: str) -> Answer:
    async def answer(_request: web.Request, _question: dict[str, Any]) -> web.Response:
        return web.Response(body=body, headers=headers)

    return answer


async def _cut_off(request: web.Request, _question: dict[str, Any]) -> web.Response:
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    request.transport.close()
    return web.Response()


async def _not_http(request: web.Request, _question: dict[str, Any]) -> web.Response:
    assert request.transport is not None
    request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n")
    request.transport.close()
    return web.Response()


BOMB = gzip.compress(bytes(5_000_000))


async def _redirect(_request: web.Request, _question: dict[str, Any]) -> web.Response:
    raise web.HTTPTemporaryRedirect("http://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (_text("not json"), "rpc_garbage"),
        (_text(""), "rpc_garbage"),
        (_text("[]"), "rpc_garbage"),
        (_text("null"), "rpc_garbage"),
        (_text(b"\xff\xfe"), "rpc_garbage"),
        (_text("[" * 100_000), "rpc_garbage"),
        (_text('{"a":' * 20_000), "rpc_garbage"),
        (_body({}), "rpc_garbage"),
        (_body({"result": 1}, own_id=999), "rpc_garbage"),
        (_body({"result": 1}, own_id=None), "rpc_garbage"),
        (_body({"error": "no"}), "rpc_garbage"),
        (_body({"error": {"code": "x", "message": 5}}), "rpc_garbage"),
        (_text(b"x" * 300_000), "rpc_answer_too_large"),
        (_status(404), "chain_unreachable"),
        (_status(500), "chain_unreachable"),
        (_redirect, "chain_unreachable"),
        (_encoded(b"not gzip", **{"Content-Encoding": "gzip"}), "chain_unreachable"),
        (_encoded(BOMB, **{"Content-Encoding": "gzip"}), "rpc_answer_too_large"),
        (_cut_off, "chain_unreachable"),
        (_not_http, "chain_unreachable"),
    ],
)
async def test_what_is_no_answer_is_could_not_ask(answer: Answer, code: str) -> None:
    one = Endpoint()
    one.instead = answer
    async with serving(one), client(one, answer_bytes_max=200_000) as rpc:
        assert await _code(rpc) == code


async def test_an_endpoint_that_says_nothing_times_out() -> None:
    one, forever = Endpoint(), asyncio.Event()

    async def wait(_request: web.Request, _question: dict[str, Any]) -> web.Response:
        await forever.wait()
        return web.Response()

    one.instead = wait
    async with serving(one):
        async with client(one, timeout_seconds=0.2) as rpc:
            assert await _code(rpc) == "chain_timeout"
        forever.set()


async def test_nobody_there_is_unreachable() -> None:
    rpc = Rpc(["http://127.0.0.1:1/"])
    assert await _code(rpc) == "chain_unreachable"
    await rpc.close()


@pytest.mark.parametrize(
    "url", ["", "nonsense", "http://", "http://[::1", "ftp://127.0.0.1/", "http://\x00/"]
)
async def test_a_url_that_is_none_is_unreachable(url: str) -> None:
    rpc = Rpc([url])
    assert await _code(rpc) == "chain_unreachable"
    await rpc.close()


async def test_secrets_in_a_url_are_not_shown() -> None:
    for url in ("http://user:secret@127.0.0.1:1/secret?key=secret", "http://secret@:x/secret"):
        rpc = Rpc([url])
        with pytest.raises(UnavailableError) as caught:
            await rpc.call("x")
        assert "secret" not in str(caught.value)
        await rpc.close()


async def test_no_endpoints_is_unreachable() -> None:
    assert await _code(Rpc([])) == "chain_unreachable"


async def test_identity_asks_whoever_is_there() -> None:
    one = Endpoint(chain_id=5, genesis=b"\x09" * 32)
    async with serving(one), client(one) as rpc:
        assert await rpc.identity() == ChainIdentity(chain_id=5, genesis_hash=b"\x09" * 32)


async def test_many_calls_at_once_are_answered_each_with_its_own() -> None:
    one = Endpoint()

    async def echo(_request: web.Request, question: dict[str, Any]) -> web.Response:
        return answered(question, question["params"][0])

    one.instead = echo
    async with serving(one), client(one) as rpc:
        numbers = await asyncio.gather(*(rpc.call("x", n) for n in range(200)))
    assert numbers == list(range(200))


async def test_a_batch_is_one_request_answered_in_any_order() -> None:
    one = Endpoint()
    one.batched = lambda answers: answers[::-1]
    async with serving(one), client(one, expected=EXPECTED) as rpc:
        assert await rpc.call_many("x", [(n, "a") for n in range(20)]) == [
            [n, "a"] for n in range(20)
        ]
        assert one.batches == [20]
        assert await rpc.call_many("x", []) == []
        assert await rpc.call_many("x", [(7,)]) == ["one"]  # a single one needs no batch
        assert one.batches == [20]


async def test_an_endpoint_that_takes_no_batches_is_asked_one_by_one() -> None:
    one = Endpoint()
    one.batched = lambda _answers: {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": "batches are not taken"},
    }
    async with serving(one), client(one) as rpc:
        for _ in range(2):
            assert await rpc.call_many("x", [(1,), (2,)]) == ["one", "one"]
        assert one.batches == [2]
        assert one.asked == ["x"] * 4


async def test_a_refusal_in_a_batch_is_that_calls() -> None:
    one = Endpoint()

    def refuse_second(answers: list[dict[str, Any]]) -> Any:
        return [
            answers[0],
            {"id": answers[1]["id"], "error": {"code": -32000, "message": "missing trie node"}},
        ]

    one.batched = refuse_second
    async with serving(one), client(one) as rpc:
        with pytest.raises(RpcRefusalError) as caught:
            await rpc.call_many("x", [(1,), (2,)])
        assert caught.value.reason == "missing trie node"


@pytest.mark.parametrize(
    "lie",
    [
        lambda answers: answers[:-1],
        lambda answers: [answers[0], answers[0]],
        lambda answers: [*answers, answers[0]],
        lambda answers: [answers[0], answers[1] | {"id": 999}],
        lambda answers: [answers[0], {"id": answers[1]["id"]}],
        lambda answers: [answers[0], None],
        lambda answers: [answers[0], answers[1] | {"id": [answers[1]["id"]]}],
        lambda _answers: [],
        lambda _answers: {},
        lambda _answers: "0x",
    ],
)
async def test_answers_to_a_batch_that_are_not_one_each_are_garbage(
    lie: Callable[[Any], Any],
) -> None:
    one = Endpoint()
    one.batched = lie
    async with serving(one), client(one) as rpc:
        with pytest.raises(UnavailableError) as caught:
            await rpc.call_many("x", [(1,), (2,)])
    assert caught.value.code == "rpc_garbage"


async def test_a_batch_goes_to_the_next_endpoint_whole() -> None:
    one, two = Endpoint("one"), Endpoint("two")
    one.batched = lambda _answers: "0x"
    async with serving(one, two), client(one, two) as rpc:
        assert await rpc.call_many("x", [(1,), (2,)]) == [[1], [2]]
        assert (one.batches, two.batches) == ([2], [2])
