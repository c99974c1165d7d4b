"""The REST binding of EPCIS 2.0 (section 12) as a client written against it would try it, one behaviour a test.

The client knows GS1's documents, the node's address and a token, and nothing else of the node.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import schemathesis
from lxml import etree

from capture_events import CONTEXT, bare, document, event, pack
from capture_node import TOKEN, CaptureNode, capture_node
from sealtrail.config import HttpSettings

AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
COLLECTIONS = ("eventTypes", "epcs", "bizSteps", "bizLocations", "readPoints", "dispositions")
SHOP = "urn:epc:id:sgln:4012345.00007.0"
DOCK = "urn:epc:id:sgln:4012345.00001.0"
CUSTOM_STEP = "https://ns.example.com/epcis/steps/blessing"
CUSTOM_TYPE = "https://ns.example.com/epcis/types/Blessing"
VERSION = re.compile(r"\d+(\.\d+)*")

EVENTS = (
    event(1, bizLocation={"id": SHOP}),
    event(2, bizStep=CUSTOM_STEP, disposition="https://ns.example.com/epcis/disp/blessed"),
    event("SHIPPED", action="OBSERVE", bizStep="shipping", disposition="in_transit"),
    {
        "type": "AggregationEvent",
        "action": "ADD",
        "parentID": "urn:epc:id:sscc:4012345.0000000001",
        "childEPCs": [pack(1)],
        "bizStep": "packing",
        "eventTime": "2026-03-03T12:00:00.000+02:00",
        "eventTimeZoneOffset": "+02:00",
    },
    event(
        None,
        epcList=None,
        quantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.011111.LOT1", "quantity": 10}],
    ),
)
# one of each kind that the events above name
NAMED = {
    "eventTypes": "AggregationEvent",
    "epcs": pack(1),
    "bizSteps": "shipping",
    "bizLocations": SHOP,
    "readPoints": DOCK,
    "dispositions": "in_transit",
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as node:
        await node.capture.capture(document(*EVENTS))
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(node.url, headers=AUTHORIZATION) as session:
        yield session


async def get(
    client: aiohttp.ClientSession, path: str, **headers: str
) -> tuple[int, Any, dict[str, str]]:
    async with client.get(path, headers=headers) as response:
        text = await response.read()
        is_json = "json" in response.content_type
        return response.status, json.loads(text) if is_json else text, dict(response.headers)


async def options(client: aiohttp.ClientSession, path: str) -> dict[str, str]:
    async with client.options(path) as response:
        assert response.status == 204
        assert await response.read() == b""
        return dict(response.headers)


async def members(client: aiohttp.ClientSession, path: str, **headers: str) -> list[str]:
    status, found, _ = await get(client, path, **headers)
    assert status == 200, found
    assert found["type"] == "Collection"
    assert found["@context"]
    named: list[str] = found["member"]
    return named


async def events(client: aiohttp.ClientSession, path: str) -> list[dict[str, Any]]:
    status, found, headers = await get(client, path)
    assert status == 200, found
    assert headers["GS1-EPCIS-Version"].startswith("2.0")
    listed: list[dict[str, Any]] = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return listed


def escaped(text: str) -> str:
    return quote(text, safe="")


# -- discovery ---------------------------------------------------------------------------------------------


async def test_the_root_lists_the_nine_top_level_resources(client: aiohttp.ClientSession) -> None:
    assert set(await members(client, "/")) == {*COLLECTIONS, "events", "capture", "queries"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/capture",
        "/capture/any",
        "/events",
        "/events/urn:uuid:any",
        *(f"/{kind}" for kind in COLLECTIONS),
        *(f"/{kind}/any" for kind in COLLECTIONS),
        *(f"/{kind}/any/events" for kind in COLLECTIONS),
    ],
)
async def test_options_tell_versions_formats_and_methods(
    client: aiohttp.ClientSession, path: str
) -> None:
    headers = await options(client, path)
    assert "GET" in headers["Allow"]
    assert "OPTIONS" in headers["Allow"]
    assert ("POST" in headers["Allow"]) == (path in ("/capture", "/events"))
    for name in ("EPCIS-Version", "EPCIS-Min", "EPCIS-Max", "CBV-Version", "CBV-Min", "CBV-Max"):
        assert VERSION.fullmatch(headers[f"GS1-{name}"])
    assert headers["GS1-EPC-Format"] in ("Never_Translates", "No_Preference")
    assert headers["GS1-CBV-XML-Format"] in ("Never_Translates", "No_Preference")
    assert "=" in headers["GS1-Extensions"]
    assert headers["GS1-Vendor-Version"]


async def test_capture_tells_its_limits_and_both_error_behaviours(
    client: aiohttp.ClientSession,
) -> None:
    headers = await options(client, "/capture")
    assert int(headers["GS1-EPCIS-Capture-Limit"]) > 0
    assert int(headers["GS1-EPCIS-Capture-File-Size-Limit"]) > 0
    assert headers["GS1-Capture-Error-Behaviour"] == "all"


@pytest.mark.parametrize("path", ["/", "/events", "/epcs", "/bizSteps/shipping", "/capture"])
async def test_head_is_get_without_its_body(client: aiohttp.ClientSession, path: str) -> None:
    _, _, expected = await get(client, path)
    async with client.head(path) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == expected["Content-Type"]
        assert await response.read() == b""


@pytest.mark.parametrize("path", ["/epcs", "/bizSteps/shipping", "/", "/readPoints/x/events"])
async def test_another_method_is_405_with_those_allowed(
    client: aiohttp.ClientSession, path: str
) -> None:
    async with client.post(path, data=b"{}", headers=JSON) as response:
        assert response.status == 405
        assert {"GET", "OPTIONS"} <= set(response.headers["Allow"].split(","))


@pytest.mark.parametrize("path", [f"/{kind}" for kind in COLLECTIONS] + ["/"])
async def test_nobody_is_answered_without_a_token(node: CaptureNode, path: str) -> None:
    async with aiohttp.ClientSession(node.url) as stranger:
        status, problem, _ = await get(stranger, path)
    assert (status, problem["type"]) == (401, "epcisException:SecurityException")


@pytest.mark.parametrize("path", [f"/{kind}" for kind in COLLECTIONS])
async def test_a_token_that_may_not_query_gets_403(node: CaptureNode, path: str) -> None:
    headers = {"Authorization": "Bearer capture-only"}
    async with aiohttp.ClientSession(node.url, headers=headers) as writer:
        status, problem, _ = await get(writer, path)
    assert (status, problem["type"]) == (403, "epcisException:SecurityException")


# -- top-level resources -----------------------------------------------------------------------------------


async def test_event_types_are_the_standards_five(client: aiohttp.ClientSession) -> None:
    assert await members(client, "/eventTypes") == [
        "AggregationEvent",
        "AssociationEvent",
        "ObjectEvent",
        "TransactionEvent",
        "TransformationEvent",
    ]


async def test_business_steps_are_the_standards_and_those_of_events(
    client: aiohttp.ClientSession,
) -> None:
    found = await members(client, "/bizSteps?perPage=100")
    assert found == sorted(set(found))
    assert {"shipping", "void_shipping", "sampling", CUSTOM_STEP} <= set(found)
    assert len(found) == 42


async def test_dispositions_are_the_standards_and_those_of_events(
    client: aiohttp.ClientSession,
) -> None:
    found = await members(client, "/dispositions?perPage=100")
    assert {"in_transit", "mismatch_class", "https://ns.example.com/epcis/disp/blessed"} <= set(
        found
    )
    assert len(found) == 34


async def test_epcs_are_those_of_events_each_once_and_no_classes(
    client: aiohttp.ClientSession,
) -> None:
    assert await members(client, "/epcs") == [
        "https://id.gs1.org/00/040123450000000016",
        "https://id.gs1.org/01/04012345111118/21/1",
        "https://id.gs1.org/01/04012345111118/21/2",
        "https://id.gs1.org/01/04012345111118/21/SHIPPED",
    ]


async def test_places_are_those_of_events(client: aiohttp.ClientSession) -> None:
    assert await members(client, "/bizLocations") == [SHOP]
    assert await members(client, "/readPoints") == [DOCK]


@pytest.mark.parametrize(("kind", "value"), NAMED.items())
async def test_one_of_a_kind_has_events(
    client: aiohttp.ClientSession, kind: str, value: str
) -> None:
    assert await members(client, f"/{kind}/{escaped(value)}") == ["events"]


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("/eventTypes/AggregationEvent/events", 1),
        ("/eventTypes/TransformationEvent/events", 0),
        (f"/epcs/{escaped(pack(1))}/events", 2),
        ("/bizSteps/shipping/events", 1),
        ("/bizSteps/urn:epcglobal:cbv:bizstep:shipping/events", 1),
        (f"/bizSteps/{escaped('https://ref.gs1.org/cbv/BizStep-shipping')}/events", 1),
        ("/bizSteps/cbv:BizStep-shipping/events", 1),
        (f"/bizSteps/{escaped(CUSTOM_STEP)}/events", 1),
        ("/bizSteps/destroying/events", 0),
        (f"/bizLocations/{escaped(SHOP)}/events", 1),
        (f"/readPoints/{DOCK}/events", 4),
        ("/readPoints/https://id.gs1.org/414/4012345000016/events", 4),
        ("/bizLocations/https%3A%2F%2Fshop.example%2F414%2F4012345000078/events", 1),
        ("/dispositions/active/events", 2),
        ("/dispositions/urn:epcglobal:cbv:disp:in_transit/events", 1),
    ],
)
async def test_events_of_one_are_those_that_name_it(
    client: aiohttp.ClientSession, path: str, count: int
) -> None:
    assert len(await events(client, path)) == count


@pytest.mark.parametrize(
    "epc",
    [
        "urn:epc:id:sgtin:4012345.011111.SHIPPED",
        "https://id.gs1.org/01/04012345111118/21/SHIPPED",
        "https://pharma.example.com/01/04012345111118/21/SHIPPED",
    ],
)
@pytest.mark.parametrize("spelt", [escaped, str], ids=["escaped", "as it is"])
async def test_an_epc_is_found_in_every_spelling(
    client: aiohttp.ClientSession, epc: str, spelt: Any
) -> None:
    (found,) = await events(client, f"/epcs/{spelt(epc)}/events")
    assert found["bizStep"] == "shipping"


async def test_events_of_one_take_the_parameters_of_queries(client: aiohttp.ClientSession) -> None:
    path = f"/epcs/{escaped(pack(1))}/events"
    assert len(await events(client, f"{path}?EQ_bizStep=packing")) == 1
    assert await events(client, f"{path}?EQ_bizStep=shipping") == []
    assert len(await events(client, f"{path}?GE_eventTime=2026-03-03T00:00:00Z")) == 1


async def test_what_the_address_says_holds_beside_the_parameters(
    client: aiohttp.ClientSession,
) -> None:
    assert await events(client, "/bizSteps/shipping/events?EQ_bizStep=packing") == []
    assert len(await events(client, "/bizSteps/shipping/events?EQ_bizStep=packing|shipping")) == 1


@pytest.mark.parametrize("below", ["", "/events"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("eventTypes", "QuantumEvent"),
        ("epcs", pack("UNKNOWN")),
        ("epcs", "nonsense"),
        ("epcs", "urn:epc:class:lgtin:4012345.011111.LOT1"),
        ("bizSteps", "levitating"),
        ("bizSteps", "https://ns.example.com/epcis/steps/cursing"),
        ("bizSteps", "shipping|packing"),
        ("bizLocations", DOCK),
        ("readPoints", SHOP),
        ("dispositions", "shipping"),
        ("dispositions", "\U0001f600"),
    ],
)
async def test_what_is_not_known_is_404(
    client: aiohttp.ClientSession, kind: str, value: str, below: str
) -> None:
    status, problem, _ = await get(client, f"/{kind}/{escaped(value)}{below}")
    assert status == 404
    assert problem["type"] == "epcisException:NoSuchNameException"
    assert problem["code"] == "resource_unknown"


async def test_what_only_erased_events_named_is_not_known(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    node.database.write_sync(
        lambda c: c.execute("UPDATE event SET content = NULL WHERE event_type = 'AggregationEvent'")
    )
    assert "https://id.gs1.org/00/040123450000000016" not in await members(client, "/epcs")
    status, _, _ = await get(client, "/epcs/urn:epc:id:sscc:4012345.0000000001")
    assert status == 404


async def test_collections_use_the_prefixes_that_the_client_names(
    client: aiohttp.ClientSession,
) -> None:
    prefixes = "ex=https://ns.example.com/epcis/steps/,\tother=urn:other:"
    path = "/bizSteps?perPage=100"
    _, found, _ = await get(client, path, **{"GS1-Extensions": prefixes})
    assert "ex:blessing" in found["member"]
    assert CUSTOM_STEP not in found["member"]
    assert found["@context"][1]["ex"] == "https://ns.example.com/epcis/steps/"
    status, listed, _ = await get(
        client, "/bizSteps/ex:blessing/events", **{"GS1-Extensions": prefixes}
    )
    assert status == 200
    assert len(listed["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 1


async def test_an_event_of_somebodys_own_type_is_a_resource_like_others(
    client: aiohttp.ClientSession, node: CaptureNode
) -> None:
    blessing = event("B", type=CUSTOM_TYPE, action=None)
    await node.capture.capture(document(blessing))
    assert CUSTOM_TYPE in await members(client, "/eventTypes?perPage=100")
    for path in (
        f"/eventTypes/{escaped(CUSTOM_TYPE)}/events",
        f"/events?eventType={escaped(CUSTOM_TYPE)}",
        f"/events?MATCH_epc={pack('B')}",
        f"/epcs/{pack('B')}/events",
    ):
        _, found, _ = await get(client, path)
        (listed,) = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        assert (listed["type"], listed["epcList"]) == (CUSTOM_TYPE, blessing["epcList"])
    prefixes = "ex=https://ns.example.com/epcis/types/"
    _, types, _ = await get(client, "/eventTypes?perPage=100", **{"GS1-Extensions": prefixes})
    assert "ex:Blessing" in types["member"]
    for path in ("/eventTypes/ex:Blessing/events", "/events?eventType=ex:Blessing"):
        _, found, _ = await get(client, path, **{"GS1-Extensions": prefixes})
        assert len(found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 1
    status, problem, _ = await get(client, "/eventTypes/ex:Curse", **{"GS1-Extensions": prefixes})
    assert (status, problem["code"]) == (404, "resource_unknown")


async def test_an_event_of_somebodys_own_type_is_shown_in_forms_that_have_a_place_for_it(
    client: aiohttp.ClientSession, node: CaptureNode
) -> None:
    await node.capture.capture(document(event("B", type=CUSTOM_TYPE, action=None)))
    path = f"/events?eventType={escaped(CUSTOM_TYPE)}"
    status, text, _ = await get(client, path, Accept="application/xml")
    (found,) = etree.fromstring(text).iterfind(".//EventList/extension/*")
    assert (status, found.tag) == (200, "{https://ns.example.com/epcis/types/}Blessing")
    older = {"Accept": "application/xml, application/problem+json", "GS1-EPCIS-Max": "1.2"}
    status, problem, _ = await get(client, path, **older)
    assert (status, problem["code"]) == (406, "not_in_epcis_1_2")


async def test_a_prefix_that_only_a_context_elsewhere_defines_is_asked_for_as_it_stands(
    client: aiohttp.ClientSession, node: CaptureNode
) -> None:
    context = [*CONTEXT, "https://ns.example.com/context.jsonld"]
    blessed = event("B", **{"wonder:by": "hand"})
    await node.capture.capture(document(blessed, **{"@context": context}))
    _, found, _ = await get(client, "/events?EQ_wonder:by=hand")
    assert found["@context"] == context
    (listed,) = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert listed["wonder:by"] == "hand"
    accepted = "application/xml, application/problem+json"
    status, problem, _ = await get(client, f"/events?MATCH_epc={pack('B')}", Accept=accepted)
    assert (status, problem["code"], problem["pointer"]) == (406, "not_in_xml", "/wonder:by")


@pytest.mark.parametrize("given", ["=", "a", "a=", "=urn:x", "a=b"])
@pytest.mark.parametrize("path", ["/dispositions", "/events", "/bizSteps/shipping/events"])
async def test_prefixes_that_are_none_are_400(
    client: aiohttp.ClientSession, path: str, given: str
) -> None:
    status, problem, _ = await get(client, path, **{"GS1-Extensions": given})
    assert (status, problem["code"]) == (400, "extensions_malformed")


# -- pages -------------------------------------------------------------------------------------------------


async def pages(client: aiohttp.ClientSession, path: str) -> list[Any]:
    found: list[Any] = []
    while path:
        async with client.get(path) as response:
            assert response.status == 200, await response.text()
            found.append(await response.json())
            link = response.headers.get("Link")
            assert (link is None) == ("GS1-Next-Page-Token-Expires" not in response.headers)
        if link is None:
            break
        match = re.fullmatch(r'<([^<>]+)>; rel="next"', link)
        assert match
        assert match[1].startswith("http://127.0.0.1:"), "a whole address, which any client follows"
        path = match[1]
    return found


@pytest.mark.parametrize("kind", COLLECTIONS)
async def test_a_collection_in_pages_is_the_whole_collection(
    client: aiohttp.ClientSession, kind: str
) -> None:
    whole = await members(client, f"/{kind}?perPage=1000")
    for size in (1, 2, 3, len(whole), len(whole) + 1):
        found = await pages(client, f"/{kind}?perPage={size}")
        assert [name for page in found for name in page["member"]] == whole
        assert {len(page["member"]) for page in found[:-1]} <= {size}


async def test_pages_have_thirty_members_unless_told(client: aiohttp.ClientSession) -> None:
    assert len(await members(client, "/bizSteps")) == 30


async def test_pages_of_one_resources_events_go_on(client: aiohttp.ClientSession) -> None:
    found = await pages(client, f"/readPoints/{escaped(DOCK)}/events?perPage=3")
    sizes = [len(p["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) for p in found]
    assert sizes == [3, 1]


async def test_what_is_recorded_between_pages_hides_and_repeats_nothing(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for path, listed in (("/epcs", "member"), ("/capture", None)):
        whole = (await get(client, f"{path}?perPage=1000"))[1]
        seen: list[str] = []
        page = f"{path}?perPage=1"
        number = 0
        while page:
            async with client.get(page) as response:
                body = await response.json()
                page = str(response.links["next"]["url"]) if "next" in response.links else ""
            seen += body[listed] if listed else [job["captureID"] for job in body]
            number += 1
            assert number < 30
            # sorts before what was seen; and is newer than the jobs that were
            await node.capture.capture(document(event(f"!{number}")))
        wanted = whole[listed] if listed else [job["captureID"] for job in whole]
        assert [each for each in seen if each in wanted] == wanted
        assert len(seen) == len(set(seen))


async def test_a_token_tells_when_it_ends(client: aiohttp.ClientSession) -> None:
    _, _, headers = await get(client, "/bizSteps?perPage=1")
    ends = datetime.fromisoformat(headers["GS1-Next-Page-Token-Expires"])
    assert ends > datetime.now(ends.tzinfo)


async def _token(client: aiohttp.ClientSession, path: str) -> str:
    async with client.get(path) as response:
        token: str = response.links["next"]["url"].query["nextPageToken"]
        return token


async def test_a_deleted_token_leads_nowhere(client: aiohttp.ClientSession) -> None:
    for path in ("/bizSteps?perPage=1", "/events?perPage=1"):
        token = await _token(client, path)
        assert (await get(client, f"{path}&nextPageToken={token}"))[0] == 200
        for _ in range(2):
            async with client.delete(f"/nextPageToken/{token}") as response:
                assert response.status == 204
        status, problem, _ = await get(client, f"{path}&nextPageToken={token}")
        assert (status, problem["code"]) == (400, "page_token_expired")


async def test_a_token_alone_goes_on_with_what_was_asked(client: aiohttp.ClientSession) -> None:
    dock = escaped(DOCK)
    for path in (f"/events?EQ_readPoint={dock}", f"/readPoints/{dock}/events?EQ_action=ADD"):
        whole = await events(client, f"{path}&perPage=1000")
        assert len(whole) > 1
        token = await _token(client, f"{path}&perPage=1")
        alone = f"{path.partition('?')[0]}?nextPageToken={token}"
        assert await events(client, alone) == whole[1:]
        for other in ("EQ_bizStep=packing", "EQ_disposition=active"):
            status, problem, _ = await get(client, f"{alone}&{other}")
            assert (status, problem["code"]) == (400, "page_token_invalid")


async def test_a_token_does_not_repeat_a_query_that_is_long(client: aiohttp.ClientSession) -> None:
    steps = "|".join(["commissioning", *("x" * 80 for _ in range(20))])
    async with client.get(f"/events?EQ_bizStep={escaped(steps)}&perPage=1") as response:
        link = response.links["next"]["url"]
        assert len(response.headers["Link"]) < len(steps) + 500
    assert (await get(client, str(link)))[0] == 200
    status, problem, _ = await get(client, f"/events?nextPageToken={link.query['nextPageToken']}")
    assert (status, problem["code"]) == (400, "page_token_invalid")


async def test_a_token_of_another_listing_is_refused(client: aiohttp.ClientSession) -> None:
    token = await _token(client, "/bizSteps?perPage=1")
    for path in ("/dispositions", "/epcs", "/events", "/capture"):
        status, problem, _ = await get(client, f"{path}?nextPageToken={token}")
        assert (status, problem["code"]) == (400, "page_token_invalid")


@pytest.mark.parametrize("token", ["x", "W10", "%F0%9F%98%80", "bnVsbA", "WzEsMiwzXQ", "A" * 5000])
async def test_a_token_that_is_none_is_refused(client: aiohttp.ClientSession, token: str) -> None:
    for path in ("/bizSteps", "/epcs", "/events", "/capture"):
        status, problem, _ = await get(client, f"{path}?nextPageToken={token}")
        assert (status, problem["code"]) == (400, "page_token_invalid")
    # GS1's OpenAPI document has no other answer, and afterwards it leads nowhere as one that was released
    async with client.delete(f"/nextPageToken/{token}") as response:
        assert response.status == 204


@pytest.mark.parametrize("size", ["0", "-1", "many", "1.5", "", "9" * 400])
@pytest.mark.parametrize("path", ["/bizSteps", "/epcs", "/capture"])
async def test_a_page_size_that_is_none_is_400(
    client: aiohttp.ClientSession, path: str, size: str
) -> None:
    status, problem, _ = await get(client, f"{path}?perPage={size}")
    assert (status, problem["code"]) == (400, "query_parameter_invalid")


@pytest.mark.parametrize("path", ["/bizSteps", "/epcs", "/capture"])
async def test_a_collection_has_no_other_parameters(
    client: aiohttp.ClientSession, path: str
) -> None:
    status, problem, _ = await get(client, f"{path}?EQ_bizStep=shipping")
    assert (status, problem["code"]) == (400, "query_parameter_unknown")


# -- capture -----------------------------------------------------------------------------------------------


async def test_capture_is_202_with_the_address_of_its_job(client: aiohttp.ClientSession) -> None:
    async with client.post("/capture", data=document(event(50)), headers=JSON) as response:
        assert response.status == 202
        assert response.headers["GS1-EPCIS-Version"].startswith("2.0")
        location = response.headers["Location"]
    status, job, _ = await get(client, location)
    assert status == 200
    assert location.endswith(job["captureID"])
    assert (job["running"], job["success"]) == (False, True)
    assert job["captureErrorBehaviour"] == "rollback"
    assert job["errors"] == []
    assert datetime.fromisoformat(job["createdAt"]) <= datetime.fromisoformat(job["finishedAt"])


async def test_one_event_is_201_with_its_address_and_itself(client: aiohttp.ClientSession) -> None:
    sent = event(51, eventID="urn:uuid:7c1e9f0c-51")
    async with client.post("/events", data=bare(sent), headers=JSON) as response:
        assert response.status == 201
        assert response.content_type == "application/json"
        location, answer = response.headers["Location"], await response.json()
    assert answer == {"@context": CONTEXT, **sent, "recordTime": answer["recordTime"]}
    (found,) = await events(client, location)
    assert found == {**sent, "recordTime": answer["recordTime"]}


async def test_an_event_without_an_id_gets_one(client: aiohttp.ClientSession) -> None:
    async with client.post("/events", data=bare(event(52)), headers=JSON) as response:
        answer = await response.json()
    assert answer["eventID"].startswith("ni:///sha-256;")
    assert len(await events(client, f"/events/{escaped(answer['eventID'])}")) == 1


async def test_the_event_is_left_out_of_the_answer_for_whoever_asks_so(
    client: aiohttp.ClientSession,
) -> None:
    headers = {**JSON, "Prefer": "return=minimal"}
    async with client.post("/events", data=bare(event(53)), headers=headers) as response:
        assert response.status == 201
        assert response.headers["Preference-Applied"] == "return=minimal"
        assert await response.read() == b""


async def test_what_answer_is_accepted_is_known_before_anything_is_recorded(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    size = node.log.size
    headers = {**JSON, "Accept": "text/html"}
    async with client.post("/events", data=bare(event(54)), headers=headers) as response:
        assert response.status == 406
    assert node.log.size == size


async def test_a_refused_event_refuses_its_document_unless_told(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    size = node.log.size
    body = document(event(60), event(61, eventTime="yesterday"))
    for headers in ({}, {"GS1-Capture-Error-Behaviour": "rollback"}):
        async with client.post("/capture", data=body, headers={**JSON, **headers}) as response:
            problem = await response.json(content_type=None)
        assert (response.status, problem["type"]) == (400, "epcisException:ValidationException")
    assert node.log.size == size


async def test_proceed_records_the_others_and_the_job_has_the_errors(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    size = node.log.size
    headers = {**JSON, "GS1-Capture-Error-Behaviour": "proceed"}
    body = document(event(62), event(63, eventTime="yesterday"))
    async with client.post("/capture", data=body, headers=headers) as response:
        assert response.status == 202
        _, job, _ = await get(client, response.headers["Location"])
    assert (job["success"], job["captureErrorBehaviour"]) == (False, "proceed")
    assert job["errors"][0]["type"] == "epcisException:ValidationException"
    assert job["errors"][0]["title"]
    assert node.log.size == size + 1


@pytest.mark.parametrize("media_type", ["application/xml", "text/xml"])
async def test_a_job_comes_as_the_standards_xml(
    client: aiohttp.ClientSession, media_type: str, shared: Path
) -> None:
    headers = {**JSON, "GS1-Capture-Error-Behaviour": "proceed"}
    body = document(event(64), event(65, eventTime="yes\u0001terday"))
    async with client.post("/capture", data=body, headers=headers) as response:
        location = response.headers["Location"]
    status, found, answered = await get(client, location, Accept=media_type)
    assert (status, answered["Content-Type"].partition(";")[0]) == (200, media_type)
    root = etree.fromstring(found)
    schema = etree.XMLSchema(file=shared / "standards/xsd-2.0/EPCglobal-epcis-2_0.xsd")
    schema.assertValid(root)
    assert root.tag == "{urn:epcglobal:epcis:xsd:2}EPCISCaptureJob"
    assert root.get("success") == "false"
    assert root.findtext("errors/error/type") == "epcisException:ValidationException"


async def test_an_id_that_is_taken_is_409(client: aiohttp.ClientSession) -> None:
    for serial, expected in ((70, 201), (71, 409)):
        body = bare(event(serial, eventID="urn:uuid:7c1e9f0c-70"))
        async with client.post("/events", data=body, headers=JSON) as response:
            assert response.status == expected
            answer = await response.json(content_type=None)
    assert answer["type"] == "epcisException:ResourceAlreadyExistsException"


async def test_a_body_over_the_limit_is_413_with_the_limits(tmp_path: Path) -> None:
    settings = HttpSettings(body_bytes_max=10_000, events_per_document_max=5)
    async with (
        capture_node(tmp_path / "small.db", settings=settings) as node,
        aiohttp.ClientSession(node.url, headers={**AUTHORIZATION, **JSON}) as client,
    ):
        body = document(*(event(n) for n in range(100)))
        for path in ("/capture", "/events"):
            async with client.post(path, data=body) as response:
                problem = await response.json(content_type=None)
            assert response.status == 413
            assert problem["type"] == "epcisException:CaptureLimitExceededException"
            assert response.headers["GS1-EPCIS-Capture-Limit"] == "5"
            assert response.headers["GS1-EPCIS-Capture-File-Size-Limit"] == "10000"


@pytest.mark.parametrize("media_type", ["text/plain", "application/pdf", "multipart/form-data"])
async def test_another_media_type_is_415(client: aiohttp.ClientSession, media_type: str) -> None:
    for path in ("/capture", "/events"):
        headers = {"Content-Type": media_type}
        async with client.post(path, data=bare(event(1)), headers=headers) as response:
            problem = await response.json(content_type=None)
        assert response.status == 415
        assert problem["type"] == "epcisException:UnsupportedMediaTypeException"


# -- negotiation -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/json"),
        ("", "application/json"),
        ("application/*", "application/json"),
        ("application/json", "application/json"),
        ("application/ld+json", "application/ld+json"),
        ("APPLICATION/LD+JSON", "application/ld+json"),
        ("application/json;q=0.5, application/ld+json", "application/ld+json"),
        ("text/html, application/ld+json;q=0.9, */*;q=0.8", "application/ld+json"),
        ("text/csv, application/json;q=0.001", "application/json"),
        ("application/json; charset=utf-8", "application/json"),
        ("application/json;q=0, */*;q=0.1", "application/ld+json"),
        ("application/json;q=nonsense", "application/json"),
    ],
)
@pytest.mark.parametrize("path", ["/events", "/epcs", "/", "/capture", "/bizSteps/shipping"])
async def test_the_media_type_that_weighs_most_is_produced(
    client: aiohttp.ClientSession, path: str, accept: str, media_type: str
) -> None:
    status, _, headers = await get(client, path, Accept=accept)
    assert status == 200
    assert headers["Content-Type"].partition(";")[0] == media_type


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("application/xml", "application/xml"),
        ("text/xml", "text/xml"),
        ("application/json;q=0.1, text/xml", "text/xml"),
        ("application/xml, application/json;q=0.9", "application/xml"),
    ],
)
@pytest.mark.parametrize(
    "path",
    ["/events", "/bizSteps/shipping/events", "/epcs/urn:epc:id:sgtin:4012345.011111.1/events"],
)
async def test_events_come_as_the_standards_xml(
    client: aiohttp.ClientSession, path: str, accept: str, media_type: str, shared: Path
) -> None:
    status, found, headers = await get(client, path, Accept=accept)
    assert status == 200
    assert headers["Content-Type"].partition(";")[0] == media_type
    assert headers["GS1-EPCIS-Version"] == "2.0.0"
    root = etree.fromstring(found)
    assert root.tag == "{urn:epcglobal:epcis-query:xsd:2}EPCISQueryDocument"
    schema = etree.XMLSchema(file=shared / "standards/xsd-2.0/EPCglobal-epcis-query-2_0.xsd")
    schema.assertValid(root)
    asked_as_json = await events(client, path)
    assert len(root.findall(".//EventList/*")) == len(asked_as_json)


async def test_one_event_comes_as_the_standards_xml(client: aiohttp.ClientSession) -> None:
    (shown,) = await events(client, "/events?EQ_bizStep=shipping")
    path = f"/events/{escaped(shown['eventID'])}"
    status, found, _ = await get(client, path, Accept="application/xml")
    assert status == 200
    assert etree.fromstring(found).findtext(".//eventID") == shown["eventID"]


async def test_a_client_of_epcis_1_2_gets_epcis_1_2_with_urns(
    client: aiohttp.ClientSession, shared: Path
) -> None:
    sent = event(80, epcList=["https://id.gs1.org/01/04012345111118/21/80"], readPoint=None)
    async with client.post("/events", data=bare(sent), headers=JSON) as response:
        assert response.status == 201
    headers = {"Accept": "application/xml", "GS1-EPCIS-Max": "1.2", "GS1-CBV-Max": "1.2.2"}
    status, found, answered = await get(client, f"/events?MATCH_epc={pack(80)}", **headers)
    assert status == 200
    assert answered["GS1-EPCIS-Version"].startswith("1.2")
    root = etree.fromstring(found)
    schema = etree.XMLSchema(file=shared / "standards/xsd-1.2/EPCglobal-epcis-query-1_2.xsd")
    schema.assertValid(root)
    assert root.findtext(".//epc") == pack(80)
    assert root.findtext(".//bizStep") == "urn:epcglobal:cbv:bizstep:commissioning"


@pytest.mark.parametrize(
    ("asked", "epc", "place"),
    [
        ("Always_GS1_Digital_Link", "https://id.gs1.org/01/04012345111118/21/SHIPPED",
         "https://id.gs1.org/414/4012345000016"),
        ("Always_EPC_URN", pack("SHIPPED"), DOCK),
        ("Never_Translates", pack("SHIPPED"), DOCK),
        ("No_Preference", pack("SHIPPED"), DOCK),
        (None, pack("SHIPPED"), DOCK),
    ],
)  # fmt: skip
async def test_identifiers_come_in_the_format_asked_for(
    client: aiohttp.ClientSession, asked: str | None, epc: str, place: str
) -> None:
    headers = {"GS1-EPC-Format": asked} if asked else {}
    for path in ("/events?EQ_bizStep=shipping", "/bizSteps/shipping/events"):
        _, found, _ = await get(client, path, **headers)
        (shown,) = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        assert shown["epcList"] == [epc]
        assert shown["readPoint"] == {"id": place}


async def test_digital_links_come_as_urns_where_that_is_asked_for(
    client: aiohttp.ClientSession,
) -> None:
    links = ["https://id.gs1.org/01/04012345111118/21/81", "https://elsewhere.example/no/gs1/key"]
    async with client.post(
        "/events",
        data=bare(event(81, epcList=links)),
        headers={**JSON, "GS1-EPC-Format": "Always_EPC_URN"},
    ) as response:
        answer = await response.json()
    assert answer["epcList"] == [pack(81), links[1]], "what has no URN stays as it is"
    status, found, _ = await get(client, f"/events/{escaped(answer['eventID'])}")
    assert status == 200
    (shown,) = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert shown["epcList"] == links, "what is recorded is not changed"
    assert pack(81) in await members(client, "/epcs", **{"GS1-EPC-Format": "Always_EPC_URN"})


@pytest.mark.parametrize(
    ("asked", "step"),
    [
        ("Always_URN", "urn:epcglobal:cbv:bizstep:shipping"),
        ("Always_Web_URI", "https://ref.gs1.org/cbv/BizStep-shipping"),
    ],
)
async def test_standard_words_come_in_xml_in_the_format_asked_for(
    client: aiohttp.ClientSession, asked: str, step: str
) -> None:
    headers = {"Accept": "application/xml", "GS1-CBV-XML-Format": asked}
    _, found, _ = await get(client, "/bizSteps/shipping/events", **headers)
    assert etree.fromstring(found).findtext(".//bizStep") == step


@pytest.mark.parametrize("accept", ["text/html", "image/*", "application/json;q=0", "*/*;q=0.0"])
@pytest.mark.parametrize("path", ["/events", "/epcs", "/", "/capture", "/bizSteps/shipping/events"])
async def test_what_is_not_produced_is_406(
    client: aiohttp.ClientSession, path: str, accept: str
) -> None:
    status, problem, _ = await get(client, path, Accept=accept)
    assert (status, problem["type"]) == (406, "epcisException:NotAcceptableException")


@pytest.mark.parametrize(
    "headers",
    [
        {"GS1-EPCIS-Min": "2.1"},
        {"GS1-EPCIS-Max": "1.2"},
        {"GS1-CBV-Min": "3"},
        {"GS1-CBV-Max": "1.2.2"},
        {"GS1-EPCIS-Max": "two"},
        {"GS1-EPC-Format": "Sometimes"},
        {"GS1-CBV-XML-Format": "Always"},
    ],
)
async def test_versions_and_formats_that_are_not_spoken_are_406(
    client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    status, problem, _ = await get(client, "/events", **headers)
    assert (status, problem["type"]) == (406, "epcisException:NotAcceptableException")


@pytest.mark.parametrize(
    "headers",
    [
        {"GS1-EPCIS-Min": "1.0", "GS1-EPCIS-Max": "2.0.0"},
        {"GS1-EPCIS-Min": "2", "GS1-EPCIS-Max": "3"},
        {"GS1-CBV-Min": "2.0.0"},
        {"GS1-EPC-Format": "Never_Translates"},
        {"GS1-EPC-Format": "No_Preference"},
        {"GS1-CBV-XML-Format": "Always_URN"},
    ],
)
async def test_versions_and_formats_that_are_spoken_are_taken(
    client: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    assert (await get(client, "/events", **headers))[0] == 200


# -- problems ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/events/urn:uuid:none", 404),
        ("/epcs/none", 404),
        ("/nowhere", 404),
        ("/epcs?perPage=x", 400),
    ],
)
async def test_problems_come_as_xml_to_whoever_would_rather_have_that(
    client: aiohttp.ClientSession, path: str, status: int, shared: Path
) -> None:
    accept = "application/problem+xml, application/json;q=0.5"
    found_status, found, headers = await get(client, path, Accept=accept)
    assert found_status == status
    assert headers["Content-Type"].partition(";")[0] == "application/problem+xml"
    root = etree.fromstring(found)
    schema = etree.XMLSchema(file=shared / "standards/xsd-2.0/EPCglobal-epcis-2_0.xsd")
    schema.assertValid(root)
    assert root.findtext("status") == str(status)
    assert root.findtext("{https://sealtrail.org/epcis/}code")


async def test_an_address_that_is_too_long_is_414(node: CaptureNode) -> None:
    answer = await _answer_to(node, f"GET /events?MATCH_epc={'x' * 20_000} HTTP/1.1\r\nHost: x\r\n")
    assert answer[0] == 414
    assert answer[1]["type"] == "epcisException:URITooLongException"


async def test_a_header_that_is_too_long_is_431(node: CaptureNode) -> None:
    for name, value in (("Cookie", "/" * 20_000), ("X" * 20_000, "short")):
        answer = await _answer_to(node, f"GET /events HTTP/1.1\r\nHost: x\r\n{name}: {value}\r\n")
        assert (answer[0], answer[1]["code"]) == (431, "headers_too_large")


async def test_a_query_of_a_hundred_digital_links_is_not_too_long(
    client: aiohttp.ClientSession,
) -> None:
    packs = "|".join(f"https://id.gs1.org/01/04012345111118/21/{n:020d}" for n in range(100))
    assert await events(client, f"/events?MATCH_epc={escaped(packs)}") == []


async def _answer_to(node: CaptureNode, head: str) -> tuple[int, dict[str, Any]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(node.url.rpartition(":")[2]))
    writer.write(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    status, _, body = answer.partition(b"\r\n\r\n")
    return int(status.split()[1]), json.loads(body)


# -- the node's own document -------------------------------------------------------------------------------


async def test_the_node_describes_itself_to_everybody(node: CaptureNode) -> None:
    async with aiohttp.ClientSession(node.url) as stranger:
        status, found, _ = await get(stranger, "/openapi.json")
    assert status == 200
    described = {
        (method, path) for path, operations in found["paths"].items() for method in operations
    }
    assert {("post", "/capture"), ("get", "/epcs/{value}/events"), ("options", "/")} <= described
    assert ("get", "/v1/audit") in described
    assert ("get", "/v1/provenance/{item}") not in described, "this node has no such route"
    events = found["paths"]["/events"]
    assert events["get"]["security"] == [{"token": ["query"]}]
    assert "application/xml" in events["get"]["responses"]["200"]["content"]
    assert found["paths"]["/health"]["get"]["security"] == []
    schema = schemathesis.openapi.from_dict(found)
    assert schema.statistic.operations.total == len(described)
