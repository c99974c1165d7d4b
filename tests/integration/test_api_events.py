"""``GET /events``: every parameter, paging, order, and the refusal of what is not known."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from capture_events import CONTEXT, bare, declaration, document, event, pack
from capture_node import TOKEN, CaptureNode, capture_node
from sealtrail.epcis import RecordedEvent, read_content
from sealtrail.epcis.query import EventFilter, filter_of_query, matches
from sealtrail.log.tree import leaf_hash, verify_inclusion
from sealtrail.store.event_query import find_events

CASE = "urn:epc:id:sscc:4012345.0000000001"
LOT = "urn:epc:class:lgtin:4012345.011111.LOT1"
INPUT, OUTPUT = pack("raw"), pack("done")

EVENTS = {
    "commissioned": event(1),
    "observed": event(
        2,
        action="OBSERVE",
        bizStep="shipping",
        disposition="in_transit",
        eventTime="2026-03-02T10:00:00.000Z",
        readPoint={"id": "urn:epc:id:sgln:4012345.00002.0"},
        bizLocation={"id": "urn:epc:id:sgln:4012345.00009.0"},
    ),
    "packed": {
        "type": "AggregationEvent",
        "action": "ADD",
        "parentID": CASE,
        "childEPCs": [pack(1)],
        "bizStep": "packing",
        "eventTime": "2026-03-03T12:00:00.000+02:00",
        "eventTimeZoneOffset": "+02:00",
    },
    "classes": event(
        None, epcList=None, quantityList=[{"epcClass": LOT, "quantity": 10}], eventID="urn:uuid:c"
    ),
    "transformed": {
        "type": "TransformationEvent",
        "inputEPCList": [INPUT],
        "outputEPCList": [OUTPUT],
        "eventTime": "2026-03-04T10:00:00.000Z",
        "eventTimeZoneOffset": "+01:00",
    },
    "declared": declaration(event(9, eventID="urn:uuid:9")),
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as node:
        await node.capture.capture(document(*EVENTS.values()))
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(node.url, headers=headers) as session:
        yield session


def events_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    assert found["type"] == "EPCISQueryDocument"
    events: list[dict[str, Any]] = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return events


async def names(client: aiohttp.ClientSession, **parameters: str) -> list[str]:
    async with client.get("/events", params=parameters) as response:
        assert response.status == 200, await response.text()
        found = events_of(await response.json())
    return [next(n for n, e in EVENTS.items() if e.items() <= shown.items()) for shown in found]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, list(EVENTS)),
        ({"eventType": "AggregationEvent"}, ["packed"]),
        ({"eventType": "AggregationEvent|TransformationEvent"}, ["packed", "transformed"]),
        ({"EQ_action": "OBSERVE"}, ["observed"]),
        ({"EQ_bizStep": "shipping|packing"}, ["observed", "packed"]),
        ({"EQ_bizStep": "https://ref.gs1.org/cbv/BizStep-shipping"}, ["observed"]),
        ({"EQ_bizStep": "urn:epcglobal:cbv:bizstep:shipping"}, ["observed"]),
        ({"EQ_disposition": "in_transit"}, ["observed"]),
        ({"EQ_readPoint": "urn:epc:id:sgln:4012345.00002.0"}, ["observed"]),
        ({"EQ_bizLocation": "urn:epc:id:sgln:4012345.00009.0"}, ["observed"]),
        ({"EQ_eventID": "urn:uuid:c|urn:uuid:9"}, ["classes", "declared"]),
        ({"EXISTS_errorDeclaration": "true"}, ["declared"]),
        ({"EXISTS_errorDeclaration": "false"}, list(EVENTS)),
        ({"MATCH_epc": pack(1)}, ["commissioned", "packed"]),
        ({"MATCH_epc": "https://id.gs1.org/01/04012345111118/21/2"}, ["observed"]),
        ({"MATCH_epc": CASE}, []),
        ({"MATCH_parentID": CASE}, ["packed"]),
        ({"MATCH_anyEPC": f"{CASE}|{INPUT}"}, ["packed", "transformed"]),
        ({"MATCH_inputEPC": INPUT}, ["transformed"]),
        ({"MATCH_inputEPC": OUTPUT}, []),
        ({"MATCH_outputEPC": OUTPUT}, ["transformed"]),
        ({"MATCH_epcClass": LOT}, ["classes"]),
        ({"MATCH_anyEPCClass": LOT}, ["classes"]),
        ({"MATCH_epc": pack(1), "EQ_bizStep": "packing"}, ["packed"]),
        ({"MATCH_epc": pack(1), "MATCH_parentID": CASE}, ["packed"]),
        (
            {"GE_eventTime": "2026-03-02T10:00:00Z", "LT_eventTime": "2026-03-03T10:00:00Z"},
            ["observed"],
        ),
        ({"GE_eventTime": "2026-03-03T11:00:00+01:00"}, ["packed", "transformed"]),
        ({"LT_recordTime": "2020-01-01T00:00:00Z"}, []),
        ({"GE_recordTime": "2020-01-01T00:00:00Z"}, list(EVENTS)),
    ],
)
async def test_a_parameter_selects(
    node: CaptureNode,
    client: aiohttp.ClientSession,
    parameters: dict[str, str],
    expected: list[str],
) -> None:
    found = await names(client, **parameters)
    assert sorted(found) == sorted(expected)
    assert len(found) == len(matching(node, urllib.parse.urlencode(parameters)))


def matching(node: CaptureNode, query: str) -> list[RecordedEvent]:
    """Return the recorded events that a verifier takes for what the query asks for."""
    wanted = filter_of_query(query)
    stored, _ = node.database.read_sync(
        lambda c: find_events(c, EventFilter(), after=None, limit=100, contents_bytes_max=1 << 24)
    )
    read = [(read_content(e.content or b"", e.media_type), e.record_time_ms) for e in stored]
    return [recorded for recorded, time_ms in read if matches(wanted, recorded, time_ms)]


async def test_a_verifier_takes_the_same_events_for_those_of_a_query(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    async with client.get("/events", params={"EQ_bizStep": "packing"}) as response:
        (shown,) = events_of(await response.json())
    for event_id in (shown["eventID"], "urn:uuid:c", "urn:uuid:9", "urn:uuid:none"):
        query = urllib.parse.urlencode({"EQ_eventID": event_id})
        found = await names(client, EQ_eventID=event_id)
        assert len(matching(node, query)) == len(found) == (event_id != "urn:uuid:none")


async def test_order_is_as_asked(client: aiohttp.ClientSession) -> None:
    ascending = await names(client, orderBy="eventTime", orderDirection="ASC")
    assert ascending[-3:] == ["observed", "packed", "transformed"]
    assert await names(client, orderBy="eventTime") == ascending[::-1]
    assert await names(client, orderBy="eventTime", eventCountLimit="1") == ["transformed"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"orderBy": "eventTime"},
        {"orderBy": "eventTime", "orderDirection": "ASC"},
        {"orderBy": "recordTime"},
    ],
)
async def test_pages_give_every_event_once(
    client: aiohttp.ClientSession, parameters: dict[str, str]
) -> None:
    whole = await names(client, **parameters)
    found, sizes, url, query = [], [], "/events", {**parameters, "perPage": "2"}
    while url:
        async with client.get(url, params=query) as response:
            page = events_of(await response.json())
            link = response.links.get("next")
        sizes.append(len(page))
        found += [next(n for n, e in EVENTS.items() if e.items() <= s.items()) for s in page]
        url, query = (str(link["url"]), {}) if link else ("", {})
    assert found == whole
    assert sizes == [2, 2, 2]


async def test_a_count_limit_holds_over_all_pages(client: aiohttp.ClientSession) -> None:
    query = {"orderBy": "eventTime", "eventCountLimit": "3", "perPage": "2"}
    async with client.get("/events", params=query) as response:
        first, link = events_of(await response.json()), response.links["next"]["url"]
    async with client.get(str(link)) as response:
        second = events_of(await response.json())
        assert "next" not in response.links
    assert (len(first), len(second)) == (2, 1)


async def test_true_and_false_may_be_pythons(client: aiohttp.ClientSession) -> None:
    for value in (True, False):
        as_json = await names(client, EXISTS_errorDeclaration=str(value).lower())
        assert await names(client, EXISTS_errorDeclaration=str(value)) == as_json
    assert await names(client, EQ_booleanValue="True") == []


async def test_an_offset_may_have_its_plus_sign_unescaped(client: aiohttp.ClientSession) -> None:
    for offset in ("+01:00", "%2B01:00"):
        url = URL(f"/events?GE_eventTime=2026-03-03T11:00:00.000{offset}", encoded=True)
        async with client.get(url) as response:
            body = await response.json()
            assert response.status == 200, body
        assert len(body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 2


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"EQ_bizstep": "shipping"}, "query_parameter_unknown"),
        ({"WD_place": "urn:x"}, "query_parameter_unknown"),
        ({"eventType": "QuantumEvent"}, "query_parameter_invalid"),
        ({"EQ_action": "EXPLODE"}, "query_parameter_invalid"),
        ({"GE_eventTime": "yesterday"}, "query_parameter_invalid"),
        ({"GE_eventTime": "2026-03-02T10:00:00"}, "query_parameter_invalid"),
        ({"GE_eventTime": "9999-12-31T23:59:59-23:59"}, None),
        ({"GE_eventTime": "0001-01-01T00:00:00+23:59"}, None),
        ({"perPage": "0"}, "query_parameter_invalid"),
        ({"perPage": "-1"}, "query_parameter_invalid"),
        ({"perPage": "many"}, "query_parameter_invalid"),
        ({"perPage": "9" * 400}, "query_parameter_invalid"),
        ({"orderBy": "shoeSize"}, "query_parameter_invalid"),
        ({"orderDirection": "sideways"}, "query_parameter_invalid"),
        ({"eventCountLimit": "5"}, "query_parameter_conflict"),
        (
            {"orderBy": "eventTime", "eventCountLimit": "5", "maxEventCount": "5"},
            "query_parameter_conflict",
        ),
        ({"nextPageToken": "x"}, "page_token_invalid"),
        ({"nextPageToken": "W10"}, "page_token_invalid"),
        ({"nextPageToken": "\U0001f600"}, "page_token_invalid"),
        ({"EXISTS_errorDeclaration": "maybe"}, "query_parameter_invalid"),
        ({"MATCH_epc": ""}, "query_parameter_invalid"),
        ({"MATCH_epc": "|".join(pack(n) for n in range(101))}, "query_parameter_invalid"),
    ],
)
async def test_a_parameter_that_is_not_understood_is_a_coded_400(
    client: aiohttp.ClientSession, parameters: dict[str, str], code: str | None
) -> None:
    async with client.get("/events", params=parameters) as response:
        assert response.status in ((400,) if code else (200, 400)), await response.text()
        if code:
            problem = await response.json(content_type="application/problem+json")
            assert problem["code"] == code
            assert problem["pointer"] in parameters


async def test_a_repeated_parameter_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/events?EQ_action=ADD&EQ_action=DELETE") as response:
        assert response.status == 400
        problem = await response.json(content_type=None)
    assert problem["code"] == "query_parameter_repeated"


async def test_a_page_token_of_another_query_is_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/events", params={"perPage": "1"}) as response:
        token = response.links["next"]["url"].query["nextPageToken"]
    async with client.get(
        "/events", params={"perPage": "1", "EQ_action": "ADD", "nextPageToken": token}
    ) as response:
        assert response.status == 400


async def test_more_than_the_maximum_is_refused_not_cut(client: aiohttp.ClientSession) -> None:
    assert len(await names(client, maxEventCount="6")) == 6
    async with client.get("/events", params={"maxEventCount": "5"}) as response:
        assert response.status == 413
        problem = await response.json(content_type=None)
    assert problem["code"] == "query_too_large"
    assert problem["type"] == "epcisException:QueryTooLargeException"


async def test_other_contexts_stay_with_their_events(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    other = [*CONTEXT, {"ex": "https://ns.example.com/epcis/"}]
    await node.capture.capture_event(
        json.dumps({"@context": other, **event(77, **{"ex:shade": "blue"})}).encode()
    )
    async with client.get("/events") as response:
        events = events_of(await response.json())
    assert events[-1]["@context"] == other
    assert events[0]["@context"] == CONTEXT
    async with client.get("/events", params={"MATCH_epc": pack(77)}) as response:
        found = await response.json()
    assert found["@context"] == other
    assert "@context" not in events_of(found)[0]


async def test_what_a_query_gives_can_be_captured_again_as_a_query_document(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await node.capture.capture_event(bare(event(5, eventID="urn:uuid:5")))
    async with client.get("/events", params={"EQ_eventID": "urn:uuid:5"}) as response:
        found = await response.read()
    size = node.log.size
    captured = await node.capture.capture(found)
    assert captured.duplicates == 1
    assert node.log.size == size


async def test_an_unknown_event_is_404(client: aiohttp.ClientSession) -> None:
    for path in (
        "/events/urn:uuid:none",
        "/v1/events/urn:uuid:none/content",
        f"/v1/entries/{'00' * 32}",
    ):
        async with client.get(path) as response:
            assert response.status == 404


async def test_an_event_hash_is_found_with_its_question_mark_unescaped(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/events") as response:
        event_id = events_of(await response.json())[0]["eventID"]
    assert event_id.endswith("?ver=CBV2.0")
    async with client.get(f"/events/{event_id}") as response:
        assert response.status == 200
    async with client.get(f"/v1/entries/{'zz' * 32}") as response:
        assert response.status == 400


@pytest.mark.parametrize(
    "damage",
    [
        "content = CAST(content || ' ' AS BLOB)",
        "content = NULL",
        "content_hash = zeroblob(32)",
        "event_hash = zeroblob(32)",
        f"content = zeroblob(100), content_hash = x'{sha256(bytes(100)).hexdigest()}'",
    ],
)
async def test_a_tampered_event_is_told_as_damage_never_given_out(
    node: CaptureNode, client: aiohttp.ClientSession, damage: str
) -> None:
    receipt, _ = await node.capture.capture_event(bare(event(5, eventID="urn:uuid:5")))
    entry_id = bytes.fromhex(receipt.entry_id[2:])
    await node.database.write(
        lambda c: (
            c.execute(
                f"UPDATE event SET {damage} WHERE entry_id = ?",
                (entry_id,),
            )
            and None
        )
    )
    async with client.get(f"/v1/events/{receipt.entry_id}/content") as response:
        assert response.status == 500
        problem = await response.json(content_type="application/problem+json")
    assert problem["code"] == "content_corrupt"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: [token[0], -2, token[2]],
        lambda token: [token[0], 0, token[2]],
        lambda token: [[1 << 63, 1], token[1], token[2]],
        lambda token: [[1, -(1 << 64)], token[1], token[2]],
        lambda token: [[1], token[1], token[2]],
    ],
)
async def test_a_made_up_page_token_is_refused(
    client: aiohttp.ClientSession, change: Callable[[list[Any]], list[Any]]
) -> None:
    query = {"orderBy": "eventTime", "eventCountLimit": "4", "perPage": "1"}
    async with client.get("/events", params=query) as response:
        given = response.links["next"]["url"].query["nextPageToken"]
    token = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps(change(token)).encode()).decode().rstrip("=")
    async with client.get("/events", params={**query, "nextPageToken": forged}) as response:
        assert response.status == 400
        assert (await response.json(content_type=None))["code"] == "page_token_invalid"


@pytest.mark.parametrize(
    "damage",
    [
        "leaf = zeroblob(191)",
        "leaf = CAST(substr(leaf, 1, 40) || x'00' || substr(leaf, 42) AS BLOB)",
        "refs = zeroblob(33)",
        "refs = zeroblob(1)",
        "item_keys = zeroblob(32)",
    ],
)
async def test_a_tampered_entry_is_told_as_damage_never_as_the_caller_s_fault(
    node: CaptureNode, client: aiohttp.ClientSession, damage: str
) -> None:
    receipt, _ = await node.capture.capture_event(bare(event(5)))
    entry_id = bytes.fromhex(receipt.entry_id[2:])
    await node.database.write(
        lambda c: (
            c.execute(f"UPDATE entry SET {damage} WHERE entry_id = ?", (entry_id,)).rowcount == 1
            and None
        )
    )
    async with client.get(f"/v1/entries/{receipt.entry_id}") as response:
        assert response.status == 500
        problem = await response.json(content_type="application/problem+json")
    assert problem["code"] == "entry_damaged"


async def test_an_entry_comes_with_its_proof_to_the_signed_checkpoint(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    receipt, _ = await node.capture.capture_event(bare(event(5)))
    head = node.log.head()
    await node.database.write(
        lambda c: (
            c.execute(
                "INSERT INTO checkpoint SELECT x'aa', member, ?, ?, 'note', 1, 0 FROM identity",
                (head.size, head.root_hash),
            )
            and None
        )
    )
    async with client.get(f"/v1/entries/{receipt.entry_id}") as response:
        entry = await response.json()
    proof = entry["proof"]
    assert (proof["leaf_index"], proof["tree_size"]) == (receipt.leaf_index, head.size)
    verify_inclusion(
        head,
        proof["leaf_index"],
        leaf_hash(bytes.fromhex(entry["leaf"][2:])),
        [bytes.fromhex(each[2:]) for each in proof["hashes"]],
    )
    await node.database.write(
        lambda c: c.execute("UPDATE checkpoint SET root_hash = zeroblob(32)") and None
    )
    async with client.get(f"/v1/entries/{receipt.entry_id}") as response:
        assert response.status == 500
        assert (await response.json(content_type=None))["code"] == "log_corrupt"


async def test_a_page_of_long_events_ends_before_it_grows_without_bound(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    text = "x" * 1_500_000
    long = [
        event(f"L{n}", eventID=f"urn:uuid:l{n}", bizStep="storing", **{"https://a.example/t": text})
        for n in range(4)
    ]
    giant = event("G", eventID="urn:uuid:g", bizStep="storing", **{"https://a.example/t": text * 4})
    for each in (*long[:3], giant, long[3]):
        await node.capture.capture(document(each))
    url, pages = "/events?EQ_bizStep=storing&perPage=1000", []
    while url:
        async with client.get(url) as response:
            assert response.status == 200
            pages.append([e["eventID"][-2:] for e in events_of(await response.json())])
            url = str(response.links["next"]["url"]) if "next" in response.links else ""
    assert pages == [["l0", "l1"], ["l2"], [":g"], ["l3"]]


async def test_a_limit_on_events_holds_over_pages_that_are_short(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    text = "x" * 3_000_000
    for n in range(4):
        long = event(
            f"S{n}", eventID=f"urn:uuid:s{n}", bizStep="storing", **{"https://a.example/t": text}
        )
        await node.capture.capture(document(long))
    query = "EQ_bizStep=storing&orderBy=recordTime&orderDirection=ASC&eventCountLimit=3&perPage=2"
    url, pages = f"/events?{query}", []
    while url:
        async with client.get(url) as response:
            pages.append([e["eventID"][-2:] for e in events_of(await response.json())])
            url = str(response.links["next"]["url"]) if "next" in response.links else ""
    assert [name for page in pages for name in page] == ["s0", "s1", "s2"]


EXTENDED = {"ex": "https://example.com/ns/"}


async def test_an_extension_is_asked_for_in_every_spelling_of_its_name(
    client: aiohttp.ClientSession,
) -> None:
    context = [*CONTEXT, EXTENDED]
    for n in range(3):
        body = {"@context": context, **event(50 + n), "ex:batch": n, "ex:note": f"n{n}"}
        async with client.post("/events", json=body) as response:
            assert response.status == 201, await response.text()
    header = {"GS1-Extensions": "other=https://example.com/ns#"}
    for name, headers in (
        ("ex:batch", {}),
        ("https://example.com/ns#batch", {}),
        ("https://example.com/ns/batch", {}),
        ("other:batch", header),
    ):
        for operator, value, count in (
            ("EQ", "1|2", 2),
            ("GE", "1", 2),
            ("EXISTS", "", 3),
            ("LT", "0", 0),
        ):
            parameters = {f"{operator}_{name}": value}
            async with client.get("/events", params=parameters, headers=headers) as response:
                assert response.status == 200, await response.text()
                assert len(events_of(await response.json())) == count, parameters
    async with client.get("/events", params={"EQ_other:batch": "1"}) as response:
        problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["code"]) == (400, "query_parameter_invalid")
    async with client.get("/events", headers={"GS1-Extensions": "other"}) as response:
        problem = await response.json(content_type="application/problem+json")
        assert (response.status, problem["code"]) == (400, "extensions_malformed")


async def test_pages_are_in_the_order_of_an_extension(client: aiohttp.ClientSession) -> None:
    for n in range(5):
        body = {"@context": [*CONTEXT, EXTENDED], **event(60 + n), "ex:rank": 5 - n}
        async with client.post("/events", json=body) as response:
            assert response.status == 201, await response.text()
    parameters = {
        "EXISTS_ex:rank": "",
        "orderBy": "ex:rank",
        "orderDirection": "ASC",
        "perPage": "2",
    }
    ranks: list[int] = []
    url: Any = "/events"
    while url is not None:
        async with client.get(url, params=parameters if url == "/events" else None) as response:
            assert response.status == 200, await response.text()
            ranks += [shown["ex:rank"] for shown in events_of(await response.json())]
            url = response.links["next"]["url"] if "next" in response.links else None
    assert ranks == [1, 2, 3, 4, 5]


async def test_sensors_and_errors_are_asked_for_over_http(client: aiohttp.ClientSession) -> None:
    report = {"type": "Temperature", "value": 46.5, "uom": "FAH"}
    warm = event(70, sensorElementList=[{"sensorReport": [report]}])
    async with client.post("/events", json={"@context": CONTEXT, **warm}) as response:
        assert response.status == 201, await response.text()
    for parameters, count in (
        ({"EQ_type": "Temperature", "GT_value_CEL": "8"}, 1),
        ({"GT_value_CEL": "8.1"}, 0),
        (
            {
                "EQ_errorReason": "incorrect_data",
                "GE_errorDeclaration_Time": "2026-03-01T00:00:00Z",
            },
            1,
        ),
        ({"MATCH_anyEPC": "urn:epc:idpat:sgtin:4012345.*.*", "EQ_type": "Temperature"}, 1),
        ({"EQ_readPoint": "https://id.gs1.org/414/4012345000023"}, 1),
    ):
        async with client.get("/events", params=parameters) as response:
            assert response.status == 200, await response.text()
            assert len(events_of(await response.json())) == count, parameters


async def test_a_context_that_document_and_event_both_give_is_answered_once(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    own = {"ext": "https://ext.example/"}
    twice = event(50, eventID="urn:uuid:50") | {"@context": [*CONTEXT, own], "ext:a": "1"}
    await node.capture.capture(document(twice, **{"@context": [*CONTEXT, own]}))
    async with client.get("/events/urn:uuid:50") as answer:
        found = await answer.json(content_type=None)
    assert found["@context"] == [*CONTEXT, own]
