"""Subscriptions over WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from localchain_client import RECORDER, TOPIC, Client, word
from localchain_process import LocalChainProcess, local_chain

__all__ = ["local_chain"]

SECONDS_MAX = 20


class Conversation:
    """Requests on one WebSocket; pushed messages are kept apart."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.pushed: list[Any] = []

    async def ask(self, method: str, *args: Any) -> Any:
        await self.socket.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": args})
        while True:
            message = await self.socket.receive_json(timeout=SECONDS_MAX)
            if "id" in message:
                return message
            self.pushed.append(message)

    async def next_push(self, subscription: str) -> Any:
        while True:
            for at, message in enumerate(self.pushed):
                if message["params"]["subscription"] == subscription:
                    return self.pushed.pop(at)["params"]["result"]
            self.pushed.append(await self.socket.receive_json(timeout=SECONDS_MAX))


@pytest.fixture
async def conversation(local_chain: LocalChainProcess) -> AsyncIterator[Conversation]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(local_chain.rpc_url) as socket,
    ):
        yield Conversation(socket)


async def test_new_heads_and_logs_are_pushed(
    local_chain: LocalChainProcess, conversation: Conversation
) -> None:
    client = Client(local_chain)
    recorder = await asyncio.to_thread(client.deploy, RECORDER)
    heads = (await conversation.ask("eth_subscribe", "newHeads"))["result"]
    query = {"address": recorder, "topics": [TOPIC]}
    logs = (await conversation.ask("eth_subscribe", "logs", query))["result"]
    others = (await conversation.ask("eth_subscribe", "logs", {"topics": [TOPIC, TOPIC]}))["result"]
    receipt = await asyncio.to_thread(client.run, to=recorder, data=word(7))
    head = await conversation.next_push(heads)
    log = await conversation.next_push(logs)
    assert head["hash"] == receipt["blockHash"].to_0x_hex()
    assert log["transactionHash"] == receipt["transactionHash"].to_0x_hex()
    assert int(log["data"], 16) == 7
    assert all(one["params"]["subscription"] != others for one in conversation.pushed)


async def test_what_was_unsubscribed_is_pushed_no_more(
    local_chain: LocalChainProcess, conversation: Conversation
) -> None:
    name = (await conversation.ask("eth_subscribe", "newHeads"))["result"]
    assert (await conversation.ask("eth_unsubscribe", name))["result"] is True
    assert (await conversation.ask("eth_unsubscribe", name))["error"]["code"] == -32000
    client = Client(local_chain)
    await asyncio.to_thread(client.run, to=client.address)
    assert (await conversation.ask("eth_chainId"))["result"] == "0x7a69"
    assert conversation.pushed == []


@pytest.mark.parametrize("args", [[], ["syncing"], [["newHeads"]], ["logs", "all"], [None]])
async def test_a_subscription_to_something_else_is_refused(
    conversation: Conversation, args: list[Any]
) -> None:
    assert (await conversation.ask("eth_subscribe", *args))["error"]["code"] == -32602


async def test_garbage_gets_an_answer_and_the_connection_stays(conversation: Conversation) -> None:
    await conversation.socket.send_str("{")
    answer = await conversation.socket.receive_json(timeout=SECONDS_MAX)
    assert answer["error"]["code"] == -32700
    await conversation.socket.send_bytes(b"\xff\x00")
    answer = await conversation.socket.receive_json(timeout=SECONDS_MAX)
    assert answer["error"]["code"] == -32700
    assert (await conversation.ask("eth_chainId"))["result"] == "0x7a69"


async def test_too_many_subscriptions_are_refused(conversation: Conversation) -> None:
    answers = [await conversation.ask("eth_subscribe", "newHeads") for _ in range(101)]
    assert answers[-1]["error"]["code"] == -32005
    assert all("result" in one for one in answers[:-1])
