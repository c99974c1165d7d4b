"""WebSockets whose clients send without an end, do not answer, or are too many: the node goes on, with room again."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp import WSMsgType

from capture_node import TO_THIS_MACHINE, TOKEN, CaptureNode, capture_node
from sealtrail.api import websocket
from subscription_world import WAIT_SECONDS, client_of, make_query, until

PLACE = "/queries/all/events?stream=true"
FINAL, PING, TEXT, CONTINUED = 0x80, 0x9, 0x1, 0x0


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    settings = msgspec.structs.replace(TO_THIS_MACHINE, websockets_max=3)
    async with capture_node(tmp_path / "node.db", subscriptions=settings) as node:
        async with client_of(node.url) as client:
            await make_query(client)
        yield node


def frame(kind: int, payload: bytes = b"", *, final: bool = True, claimed: int = 0) -> bytes:
    """Return a client's frame; ``claimed``: the length that it says it has."""
    first = bytes([kind | (FINAL if final else 0)])
    length = claimed or len(payload)
    if length < 126:
        return first + bytes([0x80 | length]) + bytes(4) + payload
    return first + bytes([0x80 | 127]) + struct.pack(">Q", length) + bytes(4) + payload


class Raw:
    """A client that speaks WebSocket byte by byte, and answers nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.status = 0

    @classmethod
    async def opened(cls, url: str) -> Raw:
        host, port = url.removeprefix("http://").split(":")
        made = cls(*await asyncio.open_connection(host, int(port)))
        made.writer.write(
            f"GET {PLACE} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        head = await asyncio.wait_for(made.reader.readuntil(b"\r\n\r\n"), WAIT_SECONDS)
        made.status = int(head.split()[1])
        return made

    async def send_until_cut_off(self, data: bytes) -> bytes:
        """Send the same again and again until the node ends it, and return what it said before."""
        reading = asyncio.create_task(self.reader.read())
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                while not reading.done():
                    self.writer.write(data)
                    await self.writer.drain()
        except ConnectionError:
            pass
        try:
            return await asyncio.wait_for(reading, WAIT_SECONDS)
        except ConnectionError:
            return b""
        finally:
            self.writer.close()


async def alive(node: CaptureNode) -> None:
    async with client_of(node.url) as client, client.get("/health") as response:
        assert response.status == 200
    await until(lambda: node.subscribing.feeds.open == 0)


@pytest.mark.parametrize(
    "data",
    [
        frame(PING, b"p" * 125) * 1_000,
        frame(TEXT) * 10_000,
        frame(TEXT, final=False) + frame(CONTINUED, final=False) * 10_000,
        frame(CONTINUED | 0x2, b"x" * 100, claimed=1 << 62),
        frame(CONTINUED | 0x2, b"x" * 100, claimed=1 << 30),
        frame(TEXT, b"x" * 4_000, final=False) + frame(CONTINUED, b"x" * 4_000, final=False),
    ],
    ids=["pings", "texts", "empty fragments", "huge", "large", "long fragments"],
)
async def test_who_sends_without_an_end_is_cut_off(node: CaptureNode, data: bytes) -> None:
    for _ in range(2):
        client = await Raw.opened(node.url)
        assert client.status == 101
        await client.send_until_cut_off(data)
        await alive(node)


async def test_many_messages_end_a_feed_with_their_own_code(
    node: CaptureNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MESSAGES_MAX", 20)
    async with client_of(node.url) as client, client.ws_connect(PLACE) as socket:
        for _ in range(21):
            await socket.send_str("hello")
        assert (await socket.receive(timeout=WAIT_SECONDS)).type is WSMsgType.CLOSE
        assert socket.close_code == 1008
    await alive(node)


async def test_pings_are_answered_as_long_as_they_are_few(
    node: CaptureNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "MESSAGES_MAX", 20)
    monkeypatch.setattr(websocket, "MESSAGES_SECONDS", 0.0)  # each has a time of its own
    async with client_of(node.url) as client, client.ws_connect(PLACE, autoping=False) as socket:
        for number in range(50):
            await socket.ping(str(number).encode())
            message = await socket.receive(timeout=WAIT_SECONDS)
            assert (message.type, message.data) == (WSMsgType.PONG, str(number).encode())


async def test_who_answers_no_ping_is_gone(
    node: CaptureNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.2)
    monkeypatch.setattr(websocket, "CLOSE_SECONDS_MAX", 0.2)
    client = await Raw.opened(node.url)
    assert node.subscribing.feeds.open == 1
    await alive(node)
    assert await asyncio.wait_for(client.reader.read(), WAIT_SECONDS)  # pings, and the end
    client.writer.close()


async def test_who_answers_pings_stays(node: CaptureNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_SECONDS", 0.2)
    async with client_of(node.url) as client, client.ws_connect(PLACE, autoping=False) as socket:
        for _ in range(10):
            message = await socket.receive(timeout=WAIT_SECONDS)
            assert message.type is WSMsgType.PING
            await socket.pong(message.data)
        assert node.subscribing.feeds.open == 1


async def test_of_many_that_are_opened_at_once_so_many_stay_and_there_is_room_again(
    node: CaptureNode,
) -> None:
    opened = await asyncio.gather(*(Raw.opened(node.url) for _ in range(300)))
    assert Counter(each.status for each in opened) == {101: 3, 503: 297}
    for each in opened:
        each.writer.close()
    await alive(node)
    again = await Raw.opened(node.url)
    assert again.status == 101
    again.writer.close()
