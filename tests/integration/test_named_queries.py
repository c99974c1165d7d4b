"""Named queries and the subscriptions to them, as EPCIS 2.0's REST binding has them: answers, headers, refusals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from yarl import URL

from capture_events import CONTEXT, document, event
from capture_node import TO_THIS_MACHINE, CaptureNode, capture_node
from subscription_world import client_of, make_query, record, subscribe

DEST = "http://127.0.0.1:9/hook"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    settings = msgspec.structs.replace(TO_THIS_MACHINE, webhooks_max=3)
    async with capture_node(tmp_path / "node.db", subscriptions=settings) as node:
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with client_of(node.url) as session:
        yield session


async def get(client: aiohttp.ClientSession, place: str, status: int = 200) -> Any:
    async with client.get(place) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def refused(
    client: aiohttp.ClientSession, place: str, body: Any, status: int = 400
) -> dict[str, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    async with client.post(place, data=data, headers=headers) as response:
        assert response.status == status, await response.text()
        problem: dict[str, Any] = await response.json(content_type=None)
        return problem


async def test_a_query_is_kept_as_it_was_given(client: aiohttp.ClientSession) -> None:
    query = {"eventType": ["ObjectEvent"], "EQ_bizStep": ["shipping", "receiving"], "perPage": 5}
    body = {"name": "myQuery", "query": query}
    async with client.post("/queries", json=body) as response:
        assert response.status == 201
        assert response.headers["Location"] == "/queries/myQuery"
        assert response.headers["GS1-EPCIS-Version"] == "2.0.0"
    assert await get(client, "/queries/myQuery") == body
    assert await get(client, "/queries") == [body]


async def test_a_name_is_taken_once(client: aiohttp.ClientSession) -> None:
    await make_query(client, "q")
    problem = await refused(client, "/queries", {"name": "q", "query": {}}, 409)
    assert problem["type"] == "epcisException:ResourceAlreadyExistsException"
    assert problem["code"] == "query_name_taken"


@pytest.mark.parametrize("name", ["a b", "ä/ö?#%", "q" * 200, "urn:x:1", "..."])
async def test_names_of_all_kinds_lead_to_their_query(
    client: aiohttp.ClientSession, name: str
) -> None:
    async with client.post("/queries", json={"name": name, "query": {}}) as response:
        place = response.headers["Location"]
    async with client.get(URL(place, encoded=True)) as response:
        assert (await response.json())["name"] == name
    async with client.delete(URL(place, encoded=True)) as response:
        assert response.status == 204
    async with client.get(URL(f"/queries/{quote(name, safe='')}", encoded=True)) as response:
        assert response.status == 404


async def test_events_of_a_query_come_in_pages(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, 1, 2, 3)
    await record(node, 4, bizStep="shipping", action="OBSERVE")
    await make_query(client, EQ_bizStep=["commissioning"], perPage=2)
    found, place = [], "/queries/all/events"
    while place:
        async with client.get(place) as response:
            results = (await response.json())["epcisBody"]["queryResults"]
            assert results["queryName"] == "all"
            found.append([e["epcList"][0][-1] for e in results["resultsBody"]["eventList"]])
            place = str(response.links["next"]["url"].relative()) if response.links else ""
    assert found == [["1", "2"], ["3"]]
    whole = await get(client, "/queries/all/events?perPage=10")
    assert len(whole["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 3


async def test_order_and_count_of_a_query_hold_for_its_events(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for n in (1, 2, 3):
        await record(node, n, eventTime=f"2026-03-0{n}T10:00:00Z")
    await make_query(client, orderBy="eventTime", orderDirection="DESC", eventCountLimit=2)
    found = await get(client, "/queries/all/events")
    events = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert [e["epcList"][0][-1] for e in events] == ["3", "2"]


@pytest.mark.parametrize("what", ["queries", "queries/all/subscriptions"])
async def test_lists_come_in_pages(client: aiohttp.ClientSession, what: str) -> None:
    await make_query(client)
    if what == "queries":
        for n in range(2):
            await make_query(client, f"q{n}")
    else:
        for _ in range(3):
            await subscribe(client, DEST)
    found, place = [], f"/{what}?perPage=2"
    while place:
        async with client.get(place) as response:
            found.append(len(await response.json()))
            place = str(response.links["next"]["url"].relative()) if response.links else ""
    assert found == [2, 1]


async def test_a_page_of_long_queries_has_fewer(client: aiohttp.ClientSession) -> None:
    for n in range(19):
        await make_query(client, f"q{n}", **{"@context": {"x": "urn:x:" + "a" * 230_000}})
    found, place = [], "/queries?perPage=1000"
    while place:
        async with client.get(place) as response:
            found.append([each["name"] for each in await response.json()])
            place = str(response.links["next"]["url"].relative()) if response.links else ""
    assert [len(page) for page in found] == [18, 1]
    assert [name for page in found for name in page] == [f"q{n}" for n in range(19)]


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"[]", "query_malformed", ""),
        (b"{", "json_malformed", None),
        (b'{"name":"a","name":"b","query":{}}', "json_key_repeated", None),
        ({"query": {}}, "query_malformed", "/name"),
        ({"name": 5, "query": {}}, "query_malformed", "/name"),
        ({"name": "q"}, "query_malformed", "/query"),
        ({"name": "q", "query": []}, "query_malformed", "/query"),
        ({"name": "q", "query": {}, "dest": "x"}, "query_member_unknown", "/dest"),
        ({"name": "", "query": {}}, "query_name_invalid", "/name"),
        ({"name": " q", "query": {}}, "query_name_invalid", "/name"),
        ({"name": "..", "query": {}}, "query_name_invalid", "/name"),
        ({"name": "a\nb", "query": {}}, "query_name_invalid", "/name"),
        ({"name": "q" * 201, "query": {}}, "query_name_invalid", "/name"),
        ({"name": "SimpleEventQuery", "query": {}}, "query_name_reserved", "/name"),
        ({"name": "q", "query": {"EQ_nothing": ["x"]}}, "query_parameter_unknown", None),
        ({"name": "q", "query": {"eventType": ["X"]}}, "query_parameter_invalid", None),
        ({"name": "q", "query": {"eventType": []}}, "query_parameter_invalid", None),
        ({"name": "q", "query": {"eventType": {}}}, "query_parameter_invalid", None),
        ({"name": "q", "query": {"GE_eventTime": "now"}}, "query_parameter_invalid", None),
        ({"name": "q", "query": {"orderBy": "x"}}, "query_parameter_invalid", None),
        ({"name": "q", "query": {"perPage": -1}}, "query_parameter_invalid", None),
        ({"name": "q", "query": {"nextPageToken": "x"}}, "query_parameter_invalid", None),
    ],
)
async def test_what_is_no_query_is_refused_and_nothing_is_kept(
    client: aiohttp.ClientSession, body: Any, code: str, pointer: str | None
) -> None:
    problem = await refused(client, "/queries", body)
    assert problem["code"] == code
    if pointer is not None:
        assert problem["pointer"] == pointer
    if code.startswith("query_parameter"):
        assert problem["type"] == "epcisException:QueryParameterException"
        assert problem["pointer"].startswith("/query/")
    assert await get(client, "/queries") == []


async def test_a_body_in_another_form_or_too_large_is_refused(
    client: aiohttp.ClientSession,
) -> None:
    async with client.post("/queries", data=b"x") as response:
        assert response.status == 415
    large = json.dumps({"name": "q", "query": {"EQ_eventID": ["x" * 300_000]}}).encode()
    assert (await refused(client, "/queries", large, 413))["code"] == "body_too_large"


@pytest.mark.parametrize(
    "place",
    ["/queries/none", "/queries/none/events", "/queries/none/subscriptions",
     "/queries/none/subscriptions/x"],
)  # fmt: skip
async def test_a_query_that_is_not_there_is_the_standards_no_such_name(
    client: aiohttp.ClientSession, place: str
) -> None:
    problem = await get(client, place, 404)
    assert problem["type"] == "epcisException:NoSuchNameException"


async def test_what_is_not_there_cannot_be_deleted_or_subscribed_to(
    client: aiohttp.ClientSession,
) -> None:
    async with client.delete("/queries/none") as response:
        assert response.status == 404
    body = {"dest": DEST, "stream": True}
    problem = await refused(client, "/queries/none/subscriptions", body, 404)
    assert problem["code"] == "query_name_unknown"
    await make_query(client)
    async with client.delete("/queries/all/subscriptions/none") as response:
        assert (await response.json(content_type=None))["code"] == "subscription_unknown"


async def test_a_subscription_is_shown_without_its_secret(client: aiohttp.ClientSession) -> None:
    await make_query(client)
    wanted = {
        "dest": DEST, "signatureToken": "hush", "reportIfEmpty": True,
        "schedule": {"hour": "1", "minute": 5}, "initialRecordTime": "2026-01-01T00:00:00+01:00",
    }  # fmt: skip
    async with client.post("/queries/all/subscriptions", json=wanted) as response:
        assert response.status == 201
        made, place = await response.json(), response.headers["Location"]
    assert place.startswith("http://")
    assert place.endswith(f"/queries/all/subscriptions/{made['subscriptionID']}")
    assert made == {
        "subscriptionID": made["subscriptionID"],
        "queryName": "all",
        "dest": DEST,
        "createdAt": made["createdAt"],
        "initialRecordTime": "2025-12-31T23:00:00.000Z",
        "minRecordTime": "2025-12-31T23:00:00.000Z",
        "epcFormat": "No_Preference",
        "reportIfEmpty": True,
        "schedule": {"hour": "1", "minute": "5"},
    }
    assert await get(client, f"/queries/all/subscriptions/{made['subscriptionID']}") == made
    assert await get(client, "/queries/all/subscriptions") == [made]
    await make_query(client, "other")
    assert await get(client, "/queries/other/subscriptions") == []
    await get(client, f"/queries/other/subscriptions/{made['subscriptionID']}", 404)


async def test_what_a_client_leaves_unset_may_be_null_or_false(
    client: aiohttp.ClientSession,
) -> None:
    await make_query(client)
    unset = {"signatureToken": None, "reportIfEmpty": None, "initialRecordTime": None}
    hourly = {"second": None, "minute": "5", "hour": None}
    for given, controls in (
        ({"stream": True, "schedule": None}, {"stream": True}),
        ({"stream": False, "schedule": hourly}, {"schedule": {"minute": "5"}}),
        ({"stream": None, "schedule": hourly}, {"schedule": {"minute": "5"}}),
    ):
        body = {"dest": DEST, **unset, **given}
        async with client.post("/queries/all/subscriptions", json=body) as response:
            made = await response.json()
            assert response.status == 201, made
        assert {name: made[name] for name in ("stream", "schedule") if name in made} == controls


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ([], "subscription_malformed", ""),
        ({"stream": True}, "subscription_malformed", "/dest"),
        ({"dest": 5, "stream": True}, "subscription_malformed", "/dest"),
        ({"dest": "x", "stream": True}, "destination_malformed", "/dest"),
        ({"dest": "https://10.0.0.1/", "stream": True}, "destination_refused", "/dest"),
        ({"dest": "http://169.254.169.254/", "stream": True}, "destination_refused", "/dest"),
        ({"dest": DEST, "stream": True, "x": 1}, "subscription_member_unknown", "/x"),
        ({"dest": DEST, "stream": True, "signatureToken": ""}, "subscription_malformed", None),
        ({"dest": DEST, "stream": True, "signatureToken": 5}, "subscription_malformed", None),
        ({"dest": DEST}, "subscription_controls_missing", "/stream"),
        ({"dest": DEST, "stream": False}, "subscription_controls_invalid", "/stream"),
        ({"dest": DEST, "stream": "true"}, "subscription_controls_invalid", "/stream"),
        ({"dest": DEST, "stream": True, "schedule": {"second": "1"}},
         "subscription_controls_conflict", "/stream"),
        ({"dest": DEST, "schedule": {}}, "schedule_invalid", "/schedule"),
        ({"dest": DEST, "schedule": []}, "subscription_controls_invalid", "/schedule"),
        ({"dest": DEST, "schedule": {"second": True}}, "subscription_controls_invalid", None),
        ({"dest": DEST, "schedule": {"second": "61"}}, "schedule_invalid", "/schedule/second"),
        ({"dest": DEST, "schedule": {"second": "1"}, "reportIfEmpty": 1},
         "subscription_controls_invalid", "/reportIfEmpty"),
        ({"dest": DEST, "stream": True, "initialRecordTime": "2026-01-01"},
         "subscription_controls_invalid", "/initialRecordTime"),
        ({"dest": DEST, "stream": True, "initialRecordTime": 5},
         "subscription_controls_invalid", "/initialRecordTime"),
    ],
)  # fmt: skip
async def test_what_is_no_subscription_is_refused_and_nothing_is_kept(
    client: aiohttp.ClientSession, body: Any, code: str, pointer: str | None
) -> None:
    await make_query(client)
    problem = await refused(client, "/queries/all/subscriptions", body)
    assert problem["code"] == code
    if pointer is not None:
        assert problem["pointer"] == pointer
    controls = code.startswith(("subscription_controls", "schedule"))
    expected = "SubscriptionControlsException" if controls else "ValidationException"
    assert problem["type"] == f"epcisException:{expected}"
    assert await get(client, "/queries/all/subscriptions") == []


@pytest.mark.parametrize(
    "limit", [{"eventCountLimit": 5, "orderBy": "eventTime"}, {"maxEventCount": 5}]
)
async def test_a_query_that_leaves_events_out_is_not_subscribed_to(
    client: aiohttp.ClientSession, limit: dict[str, Any]
) -> None:
    await make_query(client, **limit)
    body = {"dest": DEST, "stream": True}
    problem = await refused(client, "/queries/all/subscriptions", body)
    assert problem["code"] == "subscription_controls_limited"


async def test_no_more_than_so_many_are_taken(client: aiohttp.ClientSession) -> None:
    await make_query(client)
    for _ in range(3):
        await subscribe(client, DEST)
    body = {"dest": DEST, "stream": True}
    problem = await refused(client, "/queries/all/subscriptions", body, 413)
    assert problem["code"] == "subscriptions_too_many"


@pytest.mark.parametrize(
    ("place", "allow"),
    [
        ("/queries", "OPTIONS, GET, POST"),
        ("/queries/q", "OPTIONS, GET, DELETE"),
        ("/queries/q/events", "OPTIONS, GET"),
        ("/queries/q/subscriptions", "OPTIONS, GET, POST"),
        ("/queries/q/subscriptions/x", "OPTIONS, GET, DELETE"),
    ],
)
async def test_options_say_what_may_be_done(
    client: aiohttp.ClientSession, place: str, allow: str
) -> None:
    async with client.options(place) as response:
        assert (response.status, response.headers["Allow"]) == (204, allow)
        assert response.headers["GS1-EPCIS-Max"] == "2.0.0"


async def test_who_may_query_may_name_queries_and_not_subscribe(
    node: CaptureNode,
) -> None:
    async with client_of(node.url, "query-only") as reader:
        await make_query(reader)
        await get(reader, "/queries/all/events")
        body = {"dest": DEST, "stream": True}
        problem = await refused(reader, "/queries/all/subscriptions", body, 403)
        assert problem["scope"] == "subscribe"
        async with reader.delete("/queries/all") as response:
            assert response.status == 403
        await get(reader, "/v1/subscriptions", 403)
    async with client_of(node.url, "capture-only") as writer:
        await get(writer, "/queries", 403)


async def test_a_subscription_that_is_not_there_is_neither_resumed_nor_tested(
    client: aiohttp.ClientSession,
) -> None:
    for what in ("resume", "test"):
        async with client.post(f"/v1/subscriptions/none/{what}") as response:
            assert response.status == 404


async def test_a_test_says_why_the_consumer_took_nothing(client: aiohttp.ClientSession) -> None:
    await make_query(client)
    made = await subscribe(client, DEST)
    async with client.post(f"/v1/subscriptions/{made['subscriptionID']}/test") as response:
        found = await response.json()
    assert found["taken"] is False
    assert found["failure"]["code"] == "consumer_unreachable"


async def test_a_query_keeps_what_its_prefixes_stand_for(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    context = [*CONTEXT, {"ext": "https://example.com/ext/"}]
    await node.capture.capture(document(event(1, **{"ext:batch": "A"}), **{"@context": context}))
    await record(node, 2)
    body = {"name": "all", "query": {"EQ_x:batch": ["A"]}}
    headers = {"GS1-Extensions": "x=https://example.com/ext/"}
    async with client.post("/queries", json=body, headers=headers) as response:
        assert response.status == 201, await response.text()
    found = await get(client, "/queries/all/events")
    assert len(found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 1


async def test_a_prefix_that_nobody_explains_is_what_recorded_events_say(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    body = {"name": "all", "query": {"EQ_ext:batch": ["A"]}}
    assert (await refused(client, "/queries", body))["pointer"] == "/query/EQ_ext:batch"
    context = [*CONTEXT, {"ext": "https://example.com/ext/"}]
    await node.capture.capture(document(event(1, **{"ext:batch": "A"}), **{"@context": context}))
    await make_query(client, **{"EQ_ext:batch": ["A"]})
    found = await get(client, "/queries/all/events")
    assert len(found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 1


async def test_events_of_a_query_come_in_xml_if_that_is_accepted(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, 1)
    await make_query(client)
    headers = {"Accept": "application/xml"}
    async with client.get("/queries/all/events", headers=headers) as response:
        assert response.content_type == "application/xml"
        text = await response.text()
    assert "<queryName>all</queryName>" in text
    assert "<ObjectEvent>" in text


async def test_an_xml_body_is_not_read(client: aiohttp.ClientSession) -> None:
    headers = {"Content-Type": "application/xml"}
    async with client.post("/queries", data=b"<q/>", headers=headers) as response:
        assert response.status == 415


def events_in(found: Any) -> list[str]:
    return [
        e["epcList"][0][-1] for e in found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    ]


async def test_the_standards_own_query_is_the_events_resource(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, 1)
    await record(node, 2, bizStep="shipping", action="OBSERVE")
    own = "/queries/SimpleEventQuery"
    assert await get(client, own) == {"name": "SimpleEventQuery", "query": {}}
    found = await get(client, f"{own}/events?EQ_bizStep=shipping")
    assert found["epcisBody"]["queryResults"]["queryName"] == "SimpleEventQuery"
    assert events_in(found) == ["2"]
    problem = await get(client, f"{own}/events?EQ_nothing=x", 400)
    assert problem["code"] == "query_parameter_unknown"
    async with client.options(own) as response:
        assert response.headers["Allow"] == "OPTIONS, GET, DELETE"


async def test_a_query_may_be_sent_as_a_body(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, 1, 2, 3)
    await record(node, 4, bizStep="shipping", action="OBSERVE")
    body = {"queryType": "events", "query": {"EQ_bizStep": ["commissioning"], "perPage": 2}}
    found, place = [], "/queries/SimpleEventQuery"
    while place:
        async with client.post(place, json=body) as response:
            assert response.status == 200
            found.append(events_in(await response.json()))
            place = str(response.links["next"]["url"].relative()) if response.links else ""
    assert found == [["1", "2"], ["3"]]
    assert await get(client, "/queries") == []


async def test_a_query_in_a_body_is_answered_in_the_form_asked_for(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await record(node, 1)
    headers = {"Accept": "application/xml", "GS1-EPCIS-Version": "1.2", "GS1-EPCIS-Max": "1.2"}
    body = {"type": "events", "query": {"MATCH_epc": [event(1)["epcList"][0]]}}
    async with client.post("/queries/SimpleEventQuery", json=body, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert 'schemaVersion="1.2"' in await response.text()


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        (b"[]", "query_malformed", ""),
        ({}, "query_malformed", "/query"),
        ({"query": []}, "query_malformed", "/query"),
        ({"query": {}, "dest": "x"}, "query_member_unknown", "/dest"),
        ({"query": {}, "queryType": "masterdata"}, "query_malformed", "/queryType"),
        ({"query": {}, "type": []}, "query_malformed", "/type"),
        ({"query": {}, "name": "mine"}, "query_malformed", "/name"),
        ({"query": {"EQ_nothing": ["x"]}}, "query_parameter_unknown", "/query/EQ_nothing"),
        ({"query": {"nextPageToken": "x"}}, "query_parameter_invalid", "/query/nextPageToken"),
    ],
)
async def test_what_is_no_query_is_not_answered(
    client: aiohttp.ClientSession, body: Any, code: str, pointer: str
) -> None:
    problem = await refused(client, "/queries/SimpleEventQuery", body)
    assert (problem["code"], problem["pointer"]) == (code, pointer)


async def test_parameters_beside_a_query_in_a_body_are_those_of_paging(
    client: aiohttp.ClientSession,
) -> None:
    place = "/queries/SimpleEventQuery?EQ_bizStep=shipping"
    problem = await refused(client, place, {"query": {}})
    assert problem["code"] == "query_parameter_unknown"


async def test_the_standards_own_query_is_neither_deleted_nor_subscribed_to(
    client: aiohttp.ClientSession,
) -> None:
    async with client.delete("/queries/SimpleEventQuery") as response:
        assert response.status == 404
        assert "POST /queries" in (await response.json(content_type=None))["advice"]
    place = "/queries/SimpleEventQuery/subscriptions"
    problem = await refused(client, place, {"dest": DEST, "stream": True}, 404)
    assert problem["code"] == "query_name_unknown"
