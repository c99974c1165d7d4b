"""Feeds of a named query over a WebSocket, with a client of the standard's handshake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import WSMsgType

from capture_node import TO_THIS_MACHINE, TOKEN, CaptureNode, capture_node
from sealtrail.api import websocket
from sealtrail.evidence.audit_record import parse_record
from subscription_world import WAIT_SECONDS, client_of, make_query, record, until


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    settings = msgspec.structs.replace(TO_THIS_MACHINE, websockets_max=2, batch_events_max=10)
    async with capture_node(tmp_path / "node.db", subscriptions=settings) as node:
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with client_of(node.url) as session:
        await make_query(session)
        yield session


async def results(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    text = await socket.receive_str(timeout=WAIT_SECONDS)
    found: dict[str, Any] = json.loads(text)["epcisBody"]["queryResults"]
    return found


async def serials(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        events = (await results(socket))["resultsBody"]["eventList"]
        found += [each["epcList"][0].rpartition(".")[2] for each in events]
    return found


async def test_a_stream_shows_what_is_recorded_from_then_on_in_order(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, "before")
    async with client.ws_connect("/queries/all/events?stream=true") as socket:
        for first in range(0, 200, 20):
            await record(node, *range(first, first + 20))
        assert await serials(socket, 200) == [str(n) for n in range(200)]


async def test_a_feed_goes_on_where_another_broke_off(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, 1, 2)
    place = "/queries/all/events?stream=true&initialRecordTime=2020-01-01T00:00:00+00:00"
    async with client.ws_connect(place) as socket:
        assert await serials(socket, 2) == ["1", "2"]
        await record(node, 3)
        assert await serials(socket, 1) == ["3"]


async def test_a_schedule_runs_and_reports_nothing_if_asked_to(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    place = "/queries/all/events?second=*&reportIfEmpty=true"
    async with client.ws_connect(place) as socket:
        found = await results(socket)
        assert (found["queryName"], found["resultsBody"]["eventList"]) == ("all", [])
        await record(node, 1)
        assert await serials(socket, 1) == ["1"]


async def test_what_is_shown_stands_in_the_audit_trail(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/queries/all/events?stream=true") as socket:
        await record(node, 1)
        await serials(socket, 1)
        await node.trail.flush()
        rows = await node.database.read(
            lambda c: c.execute("SELECT body FROM audit_record").fetchall()
        )
    shown = [
        each
        for each in (parse_record(body) for (body,) in rows)
        if each.subject is not None and each.subject.entries and each.action == "query"
    ]
    (found,) = shown
    assert found.actor.startswith("user:")
    assert found.route == "GET /queries/{query_name}/events"


async def test_a_deleted_query_ends_its_feeds(
    client: aiohttp.ClientSession,
) -> None:
    async with client.ws_connect("/queries/all/events?stream=true") as socket:
        async with client.delete("/queries/all") as response:
            assert response.status == 204
        assert (await socket.receive(timeout=WAIT_SECONDS)).type is WSMsgType.CLOSE
        assert socket.close_code == 1000


async def test_a_node_that_stops_says_goodbye(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as other, capture_node(tmp_path / "node.db") as node:
        async with client_of(node.url) as client:
            await make_query(client)
        place = f"{node.url}/queries/all/events?stream=true"
        socket = await other.ws_connect(place, headers={"Authorization": f"Bearer {TOKEN}"})
        node.subscribing.feeds.end()
        message = await socket.receive(timeout=WAIT_SECONDS)
        assert message.type is WSMsgType.CLOSE


async def test_no_more_than_so_many_are_open_and_a_closed_one_makes_room(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    place = "/queries/all/events?stream=true"
    first, second = await client.ws_connect(place), await client.ws_connect(place)
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect(place)
    assert refused.value.status == 503
    await first.close()
    await until(lambda: node.subscribing.feeds.open < 2)
    third = await client.ws_connect(place)
    for each in (second, third):
        await each.close()


async def test_who_takes_too_long_is_closed_and_delays_nobody(
    node: CaptureNode, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "SEND_SECONDS_MAX", 0.2)
    monkeypatch.setattr(websocket, "CLOSE_SECONDS_MAX", 0.2)
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        b"GET /queries/all/events?stream=true HTTP/1.1\r\nHost: node\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer all-scopes\r\n"
        b"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    assert b"101" in await reader.readline()
    async with client.ws_connect("/queries/all/events?stream=True") as socket:
        assert node.subscribing.feeds.open == 2
        sent = 0
        async with asyncio.timeout(WAIT_SECONDS):
            while (
                node.subscribing.feeds.open == 2
            ):  # it reads nothing: what was sent to it piles up
                await record(
                    node, *range(sent, sent + 100), readPoint={"id": "urn:x:" + "x" * 1900}
                )
                sent += 100
        assert await serials(socket, sent) == [str(n) for n in range(sent)]
    writer.close()


@pytest.mark.parametrize(
    ("place", "code"),
    [
        ("/queries/all/events", "subscription_controls_missing"),
        ("/queries/all/events?stream=false", "subscription_controls_invalid"),
        ("/queries/all/events?stream=true&second=0", "subscription_controls_conflict"),
        ("/queries/all/events?second=99", "schedule_invalid"),
        ("/queries/all/events?stream=true&EQ_action=ADD", "query_parameter_unknown"),
        ("/queries/all/events?stream=true&stream=true", "query_parameter_repeated"),
        ("/queries/all/events?stream=true&initialRecordTime=x", "subscription_controls_invalid"),
        ("/queries/none/events?stream=true", "query_name_unknown"),
    ],
)
async def test_a_handshake_that_asks_for_nonsense_is_refused(
    client: aiohttp.ClientSession, place: str, code: str
) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "MDEyMzQ1Njc4OWFiY2RlZg=="
    async with client.get(place, headers=headers) as response:
        assert response.status in (400, 404)
        assert (await response.json(content_type=None))["code"] == code


async def test_a_stream_without_a_handshake_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/queries/all/events?stream=true") as response:
        problem = await response.json(content_type=None)
        assert (response.status, problem["code"]) == (400, "subscription_controls_upgrade")
        assert problem["type"] == "epcisException:SubscriptionControlsException"


async def test_a_handshake_needs_a_token_that_may_query(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for token, status in (("capture-only", 403), ("nobody", 401)):
        async with client_of(node.url, token) as other:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await other.ws_connect("/queries/all/events?stream=true")
            assert refused.value.status == status


async def test_what_a_client_says_is_not_listened_to_and_too_much_of_it_ends_the_feed(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async with client.ws_connect("/queries/all/events?stream=true") as socket:
        await socket.send_str("hello")
        await record(node, 1)
        assert await serials(socket, 1) == ["1"]
        await socket.send_str("x" * 5000)
        assert (await socket.receive(timeout=WAIT_SECONDS)).type is WSMsgType.CLOSE
        assert socket.close_code == 1009


async def test_a_feed_is_in_xml_if_that_is_accepted(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    place, headers = "/queries/all/events?stream=true", {"Accept": "application/xml"}
    async with client.ws_connect(place, headers=headers) as socket:
        await record(node, 1)
        text = await socket.receive_str(timeout=WAIT_SECONDS)
        assert text.startswith("<?xml")
        assert "<ObjectEvent>" in text
