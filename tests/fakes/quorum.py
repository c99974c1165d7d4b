"""The embedded chain, made to look and behave like a GoQuorum network of QBFT validators with gas price 0.

What differs from geth is what a node must cope with: no base fee, headers of another form, transactions refused
unless they are legacy ones that offer nothing, no ``finalized`` tag, fewer methods and fields, other words.
Source: GoQuorum 24.4.1 as it answered; EIP-650 and the QBFT specification for the header.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
import orjson
import rlp
from aiohttp import web

# Keccak of "Istanbul practical byzantine fault tolerance", which marks such headers
MIX_HASH = "0x63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365"
VALIDATORS = [bytes([n]) * 20 for n in range(1, 5)]
GAS_LIMIT = 0xE0000000

_GONE_FROM_BLOCKS = ("baseFeePerGas", "withdrawals", "withdrawalsRoot")
_GONE_FROM_RECEIPTS = ("effectiveGasPrice", "type")
_METHODS = {
    "eth_blockNumber", "eth_call", "eth_chainId", "eth_estimateGas", "eth_gasPrice", "eth_getBalance",
    "eth_getBlockByHash", "eth_getBlockByNumber", "eth_getCode", "eth_getLogs", "eth_getProof", "eth_getStorageAt",
    "eth_getTransactionByHash", "eth_getTransactionCount", "eth_getTransactionReceipt", "eth_sendRawTransaction",
    "eth_syncing", "net_version", "web3_clientVersion",
}  # fmt: skip


class RefusedError(Exception):
    """What it refuses with: number and message of a JSON-RPC error."""


@contextmanager
def quorum_over(rpc_url: str) -> Iterator[str]:
    """Serve the chain behind ``rpc_url`` in that form, in a thread; gives the URL."""
    loop = asyncio.new_event_loop()
    ready: asyncio.Future[str] = loop.create_future()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(_serve(rpc_url, ready, stop)))
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(_result(ready), loop).result(30)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


async def _result(ready: asyncio.Future[str]) -> str:
    return await ready


async def _serve(rpc_url: str, ready: asyncio.Future[str], stop: asyncio.Event) -> None:
    async with aiohttp.ClientSession() as session:

        async def handle(request: web.Request) -> web.Response:
            question = orjson.loads(await request.read())
            try:
                _refuse(question["method"], question["params"])
            except RefusedError as refusal:
                number, message = refusal.args
                fault = {"code": number, "message": message}
                return web.json_response({"jsonrpc": "2.0", "id": question["id"], "error": fault})
            async with session.post(rpc_url, json=question) as response:
                answer = orjson.loads(await response.read())
            if answer.get("result") is not None:
                answer["result"] = _disguised(question["method"], answer["result"])
            return web.json_response(answer)

        app = web.Application()
        app.router.add_post("/", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.set_result(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await stop.wait()
        await runner.cleanup()


def _refuse(method: str, params: list[Any]) -> None:
    if method not in _METHODS:
        raise RefusedError(-32601, f"the method {method} does not exist/is not available")
    if method == "eth_getBlockByNumber" and params[0] in ("finalized", "safe"):
        raise RefusedError(-32602, "invalid argument 0: hex string without 0x prefix")
    if method == "eth_sendRawTransaction":
        raw = bytes.fromhex(params[0][2:])
        if raw[0] < 0x80:
            raise RefusedError(-32000, "transaction type not supported")
        if rlp.decode(raw)[1]:
            raise RefusedError(-32000, "Gas price not 0")


def _disguised(method: str, result: Any) -> Any:
    match method:
        case "eth_gasPrice":
            return "0x0"
        case "eth_getBlockByNumber" | "eth_getBlockByHash":
            return _block(result)
        case "eth_getTransactionReceipt":
            kept = {k: v for k, v in result.items() if k not in _GONE_FROM_RECEIPTS}
            return {**kept, "logs": _logs(result["logs"]), "isPrivacyMarkerTransaction": False}
        case "eth_getLogs":
            return _logs(result)
    return result


def _block(block: dict[str, Any]) -> dict[str, Any]:
    height = int(block["number"], 16)
    seals = [bytes(64) + bytes([n]) for n in range(3)] if height else []
    extra = rlp.encode([bytes(32), VALIDATORS, [], b"", seals])
    kept = {k: v for k, v in block.items() if k not in _GONE_FROM_BLOCKS}
    return kept | {
        "difficulty": "0x1",
        "extraData": "0x" + extra.hex(),
        "gasLimit": hex(GAS_LIMIT),
        "miner": "0x" + VALIDATORS[height % 4].hex(),
        "mixHash": MIX_HASH,
        "nonce": "0x" + "00" * 8,
    }


def _logs(logs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in log.items() if k != "blockTimestamp"} for log in logs]
