"""Subscriptions by webhook: what is sent, in which order, how often, and what happens to who does not take it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web

from capture_events import declaration, document, event
from capture_node import TO_THIS_MACHINE, CaptureNode, capture_node
from sealtrail.evidence.audit_record import parse_record
from subscription_world import (
    Consumer,
    Received,
    client_of,
    consumer,
    make_query,
    record,
    subscribe,
    until_shown,
)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as node:
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with client_of(node.url) as session:
        yield session


@pytest.fixture
async def taker() -> AsyncIterator[Consumer]:
    async with consumer() as taker:
        yield taker


def with_settings(path: Path, **settings: Any) -> Any:
    """Open a node with other settings of subscriptions."""
    changed = msgspec.structs.replace(TO_THIS_MACHINE, **settings)
    return capture_node(path / "node.db", subscriptions=changed)


async def test_a_stream_gets_what_is_recorded_from_then_on(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await record(node, "before")
    await make_query(client)
    made = await subscribe(client, taker.url)
    await record(node, "after")
    await taker.until(lambda c: c.received)
    assert taker.serials == ["after"]
    (got,) = taker.received
    assert got.results["queryName"] == "all"
    assert got.results["subscriptionID"] == made["subscriptionID"]
    assert got.headers["Content-Type"] == "application/json"
    assert got.headers["GS1-EPCIS-Version"] == "2.0.0"
    assert got.key == f'"{made["subscriptionID"]}-1"'


async def test_only_what_the_query_finds_is_sent(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client, EQ_bizStep=["shipping", "receiving"], eventType=["ObjectEvent"])
    await subscribe(client, taker.url)
    await record(node, 1)
    await record(node, 2, bizStep="shipping", action="OBSERVE")
    await record(node, 3)
    await record(node, 4, bizStep="receiving", action="OBSERVE")
    await taker.until(lambda c: len(c.serials) == 2)
    assert taker.serials == ["2", "4"]


async def test_an_error_declaration_is_sent_as_any_event(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    await node.capture.capture(document(wrong))
    await make_query(client)
    await subscribe(client, taker.url)
    await node.capture.capture(document(declaration(wrong)))
    await taker.until(lambda c: c.received)
    (sent,) = taker.received[0].events
    assert sent["errorDeclaration"]["reason"] == "incorrect_data"


async def test_thousands_come_once_and_in_order(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    await subscribe(client, taker.url)
    parts = [range(first, first + 100) for first in range(0, 3000, 100)]
    for part in parts:
        await record(node, *part)
    await taker.until(lambda c: len(c.serials) >= 3000)
    assert taker.serials == [str(n) for n in range(3000)]
    assert len({got.key for got in taker.received}) == len(taker.received)


async def test_the_signature_is_an_hmac_of_the_body_with_the_consumers_token(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    made = await subscribe(client, taker.url, signatureToken="the consumer's secret")
    assert "secret" not in json.dumps(made)
    await record(node, 1)
    await taker.until(lambda c: c.received)
    (got,) = taker.received
    expected = hmac.digest(b"the consumer's secret", got.body, hashlib.sha256)
    assert base64.b64decode(got.headers["GS1-Signature"]) == expected


async def test_without_a_token_there_is_no_signature(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    await subscribe(client, taker.url)
    await record(node, 1)
    await taker.until(lambda c: c.received)
    assert "GS1-Signature" not in taker.received[0].headers


async def test_a_batch_that_was_not_taken_comes_again_as_it_was_under_its_number(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    failures = 2

    async def answer(_: Received) -> int:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            await record(node, f"meanwhile{failures}")
            return 500
        return 204

    async with consumer(answer=answer) as taker:
        await make_query(client)
        await subscribe(client, taker.url)
        await record(node, 1)
        await taker.until(lambda c: len(c.received) == 4)
        first, second, third, fourth = taker.received
        assert first.body == second.body == third.body
        assert first.key == second.key == third.key != fourth.key
        assert taker.serials[2:] == ["1", "meanwhile1", "meanwhile0"]


async def test_a_dead_consumer_delays_nobody_and_shows_why(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    async def hang(_: Received) -> int:
        await asyncio.sleep(3600)
        return 200

    async with consumer(answer=hang) as hanging:
        await make_query(client)
        await subscribe(client, hanging.url)
        await subscribe(client, "http://127.0.0.1:9/nobody")
        await subscribe(client, taker.url)
        await record(node, 1)
        await record(node, 2)
        await taker.until(lambda c: len(c.serials) == 2)
        shown = await until_shown(client, lambda s: s["state"] == "failing")
        assert "consumer_unreachable" in shown["failure"]
        assert shown["lag_events"] == 2


async def test_who_takes_nothing_is_suspended_and_goes_on_where_he_was_when_resumed(
    tmp_path: Path,
) -> None:
    status = 503

    async def answer(_: Received) -> int:
        return status

    async with (
        with_settings(tmp_path, suspend_hours=1e-5) as node,
        client_of(node.url) as client,
        consumer(answer=answer) as taker,
    ):
        await make_query(client)
        made = await subscribe(client, taker.url)
        await record(node, 1)
        shown = await until_shown(client, lambda s: s["state"] == "suspended")
        assert "the consumer answered 503" in shown["failure"]
        status = 200
        await record(node, 2)
        taker.received.clear()
        place = f"/v1/subscriptions/{made['subscriptionID']}"
        async with client.post(f"{place}/test") as response:
            assert (await response.json())["taken"] is True
        assert [got.events for got in taker.received] == [[]]
        async with client.post(f"{place}/resume") as response:
            assert (await response.json())["state"] == "active"
        await taker.until(lambda c: len(c.serials) == 2)
        assert taker.serials == ["1", "2"]


async def test_who_is_gone_is_suspended_at_once(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async def answer(_: Received) -> int:
        return 410

    async with consumer(answer=answer) as taker:
        await make_query(client)
        await subscribe(client, taker.url)
        await record(node, 1)
        await until_shown(client, lambda s: s["state"] == "suspended")
        assert len(taker.received) == 1


async def test_who_finds_it_too_large_gets_less_at_a_time(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async def answer(got: Received) -> int:
        return 413 if len(got.events) > 3 else 200

    async with consumer(answer=answer) as taker:
        await make_query(client)
        await subscribe(client, taker.url)
        await record(node, *range(20))
        await taker.until(
            lambda c: sum(len(g.events) for g in c.received if len(g.events) <= 3) == 20
        )
        taken = [got for got in taker.received if len(got.events) <= 3]
        assert [e["epcList"][0].rpartition(".")[2] for g in taken for e in g.events] == [
            str(n) for n in range(20)
        ]
        assert len({got.key for got in taker.received}) == len(taker.received)


async def test_a_redirect_is_not_followed(node: CaptureNode, client: aiohttp.ClientSession) -> None:
    async with consumer() as inside:

        async def answer(_: Received) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": inside.url})

        async with consumer(answer=answer) as taker:
            await make_query(client)
            await subscribe(client, taker.url)
            await record(node, 1)
            shown = await until_shown(client, lambda s: s["state"] == "failing")
            assert "307: a redirect" in shown["failure"]
            assert inside.received == []


async def test_what_is_erased_is_left_out(tmp_path: Path) -> None:
    async with (
        capture_node(tmp_path / "node.db") as node,
        client_of(node.url) as client,
        consumer() as taker,
    ):
        await make_query(client)
        await record(node, 1, 2, 3)
        await node.database.write(
            lambda c: c.execute("UPDATE event SET content = NULL WHERE event_row = 2")
        )
        await subscribe(client, taker.url, initialRecordTime="2020-01-01T00:00:00Z")
        await taker.until(lambda c: c.received)
        assert taker.serials == ["1", "3"]


async def test_initial_record_time_leaves_out_what_was_recorded_before(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await record(node, 1)
    await record(node, 2)
    async with client.get("/events") as response:
        events = (await response.json())["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert len(events) == 2
    await make_query(client)
    made = await subscribe(client, taker.url, initialRecordTime=events[1]["recordTime"])
    assert made["initialRecordTime"] == events[1]["recordTime"]
    await record(node, 3)
    await taker.until(lambda c: "3" in c.serials)
    later = [
        e["epcList"][0].rpartition(".")[2]
        for e in events
        if e["recordTime"] >= made["initialRecordTime"]
    ]
    assert taker.serials == [*later, "3"]


async def test_a_schedule_sends_what_came_since_it_ran_last(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    made = await subscribe(client, taker.url, schedule={"second": "*"})
    assert made["schedule"] == {"second": "*"}
    assert made["reportIfEmpty"] is False
    await record(node, 1, 2)
    await taker.until(lambda c: len(c.serials) == 2)
    await record(node, 3)
    await taker.until(lambda c: len(c.serials) == 3)
    assert taker.serials == ["1", "2", "3"]
    assert all(got.events for got in taker.received)
    shown = await until_shown(client, lambda s: "minRecordTime" in s)
    assert shown["next_run"] > shown["minRecordTime"]


async def test_a_schedule_reports_that_there_is_nothing_if_asked_to(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    await subscribe(client, taker.url, schedule={"second": "0/1"}, reportIfEmpty=True)
    await taker.until(lambda c: len(c.received) == 2)
    assert taker.serials == []
    await record(node, 1)
    await taker.until(lambda c: c.serials)
    assert len({got.key for got in taker.received}) == len(taker.received)


async def test_what_is_sent_stands_in_the_audit_trail_before(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    trail: list[Any] = []

    async def answer(_: Received) -> int:
        octets = await node.database.read(
            lambda c: c.execute("SELECT body FROM audit_record ORDER BY n").fetchall()
        )
        trail.extend(parse_record(each) for (each,) in octets)
        return 200

    async with consumer(answer=answer) as taker:
        await make_query(client)
        made = await subscribe(client, taker.url)
        await record(node, 1)
        await taker.until(lambda c: c.received)
    by_action = {each.action: each for each in trail}
    assert by_action["query_change"].subject.what == "query all"
    subscribed = by_action["subscription_change"]
    assert subscribed.actor.startswith("user:")
    assert made["subscriptionID"] in subscribed.subject.what
    sent = by_action["notify"]
    assert sent.actor == "node"
    assert made["subscriptionID"] in sent.subject.what
    assert len(sent.subject.entries) == 1


async def test_an_ended_subscription_gets_no_more(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    ended = await subscribe(client, taker.url)
    place = f"/queries/all/subscriptions/{ended['subscriptionID']}"
    async with client.delete(place) as response:
        assert response.status == 204
    async with client.get(place) as response:
        assert response.status == 404
    async with consumer() as other:
        await subscribe(client, other.url)
        await record(node, 1)
        await other.until(lambda c: c.received)
    assert taker.received == []


async def test_a_deleted_query_ends_its_subscriptions(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    await make_query(client, "kept")
    await subscribe(client, taker.url)
    async with client.delete("/queries/all") as response:
        assert response.status == 204
    async with consumer() as other:
        await subscribe(client, other.url, "kept")
        await record(node, 1)
        await other.until(lambda c: c.received)
    assert taker.received == []
    async with client.get("/v1/subscriptions") as response:
        assert len((await response.json())["subscriptions"]) == 1


async def test_a_place_is_kept_over_a_restart(tmp_path: Path) -> None:
    async with consumer() as taker:
        async with capture_node(tmp_path / "node.db") as node, client_of(node.url) as client:
            await make_query(client)
            await subscribe(client, taker.url)
            await record(node, 1)
            await taker.until(lambda c: c.serials == ["1"])
            await until_shown(client, lambda s: s["lag_events"] == 0)
        async with capture_node(tmp_path / "node.db") as node:
            await record(node, 2)
            await taker.until(lambda c: len(c.serials) == 2)
        assert taker.serials == ["1", "2"]


async def test_identifiers_are_spelt_as_the_subscriber_asked(
    node: CaptureNode, client: aiohttp.ClientSession, taker: Consumer
) -> None:
    await make_query(client)
    headers = {"GS1-EPC-Format": "Always_GS1_Digital_Link"}
    body = {"dest": taker.url, "stream": True}
    async with client.post("/queries/all/subscriptions", json=body, headers=headers) as response:
        assert (await response.json())["epcFormat"] == "Always_GS1_Digital_Link"
    await record(node, 7)
    await taker.until(lambda c: c.received)
    (sent,) = taker.received[0].events
    assert sent["epcList"] == ["https://id.gs1.org/01/04012345111118/21/7"]


async def test_an_unknown_format_is_refused(client: aiohttp.ClientSession, taker: Consumer) -> None:
    await make_query(client)
    headers = {"GS1-EPC-Format": "Sometimes"}
    body = {"dest": taker.url, "stream": True}
    async with client.post("/queries/all/subscriptions", json=body, headers=headers) as response:
        assert response.status == 406
