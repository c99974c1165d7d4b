"""Requests that nobody's client library sends. Each gets a coded answer and the chain goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from localchain_process import LocalChainProcess, local_chain

__all__ = ["local_chain"]

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager(retries=False) as pool:
        yield pool


@pytest.fixture
def post(local_chain: LocalChainProcess, http: urllib3.PoolManager) -> Any:
    def send(body: bytes, **headers: str) -> Any:
        answer = http.request("POST", local_chain.rpc_url, body=body, headers=JSON | headers)
        assert answer.status == 200
        return json.loads(answer.data) if answer.data else None

    return send


def _code(answer: Any) -> int:
    return int(answer["error"]["code"])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[NaN]}', -32700),
        (b"[" * 5_000, -32700),
        (b"[" * 900 + b"]" * 900, -32600),
        (b"[]", -32600),
        (b"1", -32600),
        (b"null", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_nothing"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"__init__"}', -32601),
    ],
)
def test_a_malformed_request_gets_its_code(post: Any, body: bytes, code: int) -> None:
    answer = post(body)
    assert _code(answer[0] if isinstance(answer, list) else answer) == code


@pytest.mark.parametrize(
    ("method", "args"),
    [
        ("eth_getBalance", None),
        ("eth_getBalance", []),
        ("eth_getBalance", {"address": "0x" + "00" * 20}),
        ("eth_getBalance", ["0x" + "00" * 19]),
        ("eth_getBalance", ["00" * 20]),
        ("eth_getBalance", [7]),
        ("eth_getBalance", ["0x" + "00" * 20, "newest"]),
        ("eth_getBalance", ["0x" + "00" * 20, "0x01"]),
        ("eth_getBalance", ["0x" + "00" * 20, "0x" + "f" * 40]),
        ("eth_getBalance", ["0x" + "00" * 20, 5]),
        ("eth_getBalance", ["0x" + "00" * 20, {}]),
        ("eth_getBalance", ["0x" + "00" * 20, "latest", "more"]),
        ("eth_getBlockByNumber", [[], True]),
        ("eth_getBlockByNumber", ["latest", "yes"]),
        ("eth_getBlockByHash", ["0x00"]),
        ("eth_getStorageAt", ["0x" + "00" * 20, "0x" + "1" * 65]),
        ("eth_getProof", ["0x" + "00" * 20, "0x0"]),
        ("eth_getProof", ["0x" + "00" * 20, ["0x0"] * 2_000]),
        ("eth_call", ["0x"]),
        ("eth_call", [{"to": "0x", "data": "0x"}]),
        ("eth_call", [{"data": "0x1"}]),
        ("eth_call", [{"data": "0x01", "input": "0x02"}]),
        ("eth_call", [{"value": -1}]),
        ("eth_call", [{}, "latest", {"0x": {}}]),
        ("eth_getLogs", []),
        ("eth_getLogs", [{"topics": ["0x00"]}]),
        ("eth_getLogs", [{"topics": [None] * 5}]),
        ("eth_getLogs", [{"address": ["0x" + "00" * 20] * 5_000}]),
        ("eth_getLogs", [{"fromBlock": "0x5", "toBlock": "0x1"}]),
        ("eth_getLogs", [{"blockHash": "0x" + "00" * 32, "fromBlock": "0x1"}]),
        ("eth_newFilter", [{"blockHash": "0x" + "00" * 32}]),
        ("eth_sendRawTransaction", ["0xzz"]),
        ("eth_feeHistory", ["0x1", "latest", [101]]),
        ("eth_feeHistory", [True, "latest"]),
        ("eth_chainId", ["latest"]),
    ],
)
def test_wrong_parameters_are_named_as_such(post: Any, method: str, args: Any) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": args}
    assert _code(post(json.dumps(request).encode())) == -32602


@pytest.mark.parametrize(
    "raw",
    [
        "0x",
        "0x00",
        "0x7f",
        "0x01",
        "0x02c0",
        "0x03" + "c0",
        "0xc0",
        "0xf8",
        "0xff" * 1 + "ff" * 20,
        "0x02" + "c0" * 200,
        "0x" + "c1" * 4_000,
        "0x" + "00" * 200_000,
    ],
)
def test_what_is_no_transaction_is_refused(post: Any, raw: str) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}
    assert _code(post(json.dumps(request).encode())) == -32000


def test_an_unknown_block_is_null_and_no_error(post: Any) -> None:
    for method in ("eth_getBlockByNumber", "eth_getBlockReceipts"):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": ["0xffffff"]}
        assert post(json.dumps(request).encode())["result"] is None
    request = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_getBalance",
        "params": ["0x" + "00" * 20, "0xffffff"],
    }
    assert post(json.dumps(request).encode())["error"]["message"] == "header not found"


def test_a_batch_answers_each_in_order_and_notifications_not_at_all(post: Any) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": None, "method": "eth_nothing"},
        5,
    ]
    answers = post(json.dumps(batch).encode())
    assert [one["id"] for one in answers] == ["a", None, None]
    assert answers[0]["result"] == "0x7a69"
    assert [_code(one) for one in answers[1:]] == [-32601, -32600]
    assert post(json.dumps(batch[1]).encode()) is None


def test_a_batch_that_is_too_long_is_refused_whole(post: Any) -> None:
    batch = [{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}] * 1_001
    assert _code(post(json.dumps(batch).encode())) == -32005


def test_a_body_over_the_limit_is_refused(
    local_chain: LocalChainProcess, http: urllib3.PoolManager
) -> None:
    answer = http.request("POST", local_chain.rpc_url, body=b" " * (6 * 1024 * 1024), headers=JSON)
    assert answer.status == 413


def test_a_rebound_host_name_gets_nothing(
    local_chain: LocalChainProcess, http: urllib3.PoolManager
) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    for host in ("evil.example", "evil.example:8545", "127.0.0.1.evil.example", ""):
        answer = http.request("POST", local_chain.rpc_url, body=body, headers=JSON | {"host": host})
        assert answer.status in (400, 403)
    named = {"host": f"localhost:{local_chain.port}"}
    assert http.request("POST", local_chain.rpc_url, body=body, headers=JSON | named).status == 200


def test_a_web_page_of_another_origin_gets_nothing(
    local_chain: LocalChainProcess, http: urllib3.PoolManager
) -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}'
    for origin, status in (
        ("https://evil.example", 403),
        ("null", 403),
        ("http://localhost:3000", 200),
    ):
        headers = JSON | {"origin": origin}
        answer = http.request("POST", local_chain.rpc_url, body=body, headers=headers)
        assert answer.status == status


def test_too_many_filters_are_refused(post: Any) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "eth_newBlockFilter"}
    batch = json.dumps([request] * 1_000).encode()
    answers = post(batch) + post(batch)
    assert _code(answers[-1]) == -32005
    for one in answers:
        if "result" in one:
            removal = {**request, "method": "eth_uninstallFilter", "params": [one["result"]]}
            assert post(json.dumps(removal).encode())["result"] is True
