"""Master data over HTTP: put by the member, or in a captured document's header; asked for by identifier and time."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from capture_events import CONTEXT, declaration, document, event
from capture_node import SIGNER, TOKEN, CaptureNode, capture_node
from master_data import (
    EPC_CLASS,
    LOCATION,
    PRODUCT,
    PRODUCT_LINK,
    ROOM,
    SITE,
    SITE_LINK,
    element,
    header,
    product,
    site,
    vocabulary,
    xml_document,
    xml_master_data,
)

PATH = "/v1/masterdata"


@pytest.fixture(params=[0, 1], ids=["in this process", "in a process"])
async def node(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db", processes=request.param) as node:
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(node.url, headers=headers) as session:
        yield session


async def send(
    client: aiohttp.ClientSession, method: str, path: str, body: Any, **headers: str
) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json", **headers}
    async with client.request(method, path, data=data, headers=sent) as response:
        text = await response.read()
        return response.status, json.loads(text) if text else None


async def put(client: aiohttp.ClientSession, *vocabularies: Any, query: str = "") -> Any:
    status, answer = await send(client, "PUT", PATH + query, {"vocabularyList": list(vocabularies)})
    assert status == 200, answer
    return answer


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> Any:
    async with client.get(path) as response:
        assert response.status == status, await response.text()
        return await response.json()


async def show(client: aiohttp.ClientSession, identifier: str, query: str = "") -> Any:
    return await get(client, f"{PATH}/{quote(identifier, safe='')}{query}")


async def unknown(client: aiohttp.ClientSession, identifier: str) -> bool:
    problem = await get(client, f"{PATH}/{quote(identifier, safe='')}", 404)
    return bool(problem["code"] == "master_data_unknown")


def attributes(shown: dict[str, Any]) -> dict[str, Any]:
    return {a["id"].rpartition(":")[2]: a["attribute"] for a in shown["attributes"]}


async def test_what_is_put_is_shown_under_any_spelling(client: aiohttp.ClientSession) -> None:
    answer = await put(client, product(), site())
    assert [e["new"] for e in answer["elements"]] == [True] * 4
    for spelt in (SITE, SITE_LINK, "https://example.com/gln/414/4012345000016"):
        shown = await show(client, spelt)
        assert shown["id"] == SITE_LINK
        (plant,) = shown["elements"]
        assert (plant["type"], plant["id"], plant["source"]) == (LOCATION, SITE, "put")
        assert attributes(plant) == {"name": "Plant 1", "city": "Bonn", "countryCode": "DE"}
        assert plant["children"] == [f"{SITE_LINK}/254/room"]
        assert plant["stated_by"]["member"] == "0x" + SIGNER.address.hex()
        assert plant["valid_from"] == answer["valid_from"]
    (goods,) = (await get(client, f"{PATH}?id={quote(PRODUCT_LINK, safe='')}"))["elements"]
    assert attributes(goods)["strengthDescription"] == "100 mg"


async def test_putting_the_same_again_makes_no_version(client: aiohttp.ClientSession) -> None:
    first = await put(client, site())
    again = await put(client, site())
    assert [e["new"] for e in again["elements"]] == [False] * 3
    assert [e["version"] for e in again["elements"]] == [e["version"] for e in first["elements"]]
    assert len((await show(client, SITE))["versions"]) == 1


async def test_versions_hold_from_their_dates(client: aiohttp.ClientSession) -> None:
    await put(client, site(name="Old"), query="?valid_from=2020-01-01T00:00:00Z")
    await put(client, site(name="New"), query="?valid_from=2024-01-01T00:00:00%2B01:00")
    await put(client, site(name="To be"), query="?valid_from=2999-01-01T00:00:00Z")
    for at, name in (("2021-01-01", "Old"), ("2025-01-01", "New"), ("2999-06-01", "To be")):
        (plant,) = (await show(client, SITE, f"?at={at}T00:00:00Z"))["elements"]
        assert attributes(plant)["name"] == name
    shown = await show(client, SITE)
    assert attributes(shown["elements"][0])["name"] == "New"
    assert [attributes(v)["name"] for v in shown["versions"]] == ["To be", "New", "Old"]
    assert (await show(client, SITE, "?at=2019-01-01T00:00:00Z"))["elements"] == []


async def test_the_list_comes_in_pages_of_what_holds(client: aiohttp.ClientSession) -> None:
    await put(client, site(), product())
    await put(
        client,
        vocabulary(LOCATION, element("urn:x:later")),
        query="?valid_from=2999-01-01T00:00:00Z",
    )
    seen, path = [], f"{PATH}?perPage=1"
    while path:
        async with client.get(path) as response:
            assert response.status == 200
            seen += [each["id"] for each in (await response.json())["elements"]]
            path = str(response.links["next"]["url"].relative()) if response.links else ""
    assert seen[:2] == [PRODUCT, SITE]
    assert len(seen) == 4
    of_type = await get(client, f"{PATH}?type={quote(EPC_CLASS, safe='')}")
    assert [each["id"] for each in of_type["elements"]] == [PRODUCT]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?perPage=0", "query_parameter_invalid"),
        ("?nextPageToken=x", "page_token_invalid"),
        ("?nextPageToken=WzEsMl0", "page_token_invalid"),
        ("?at=yesterday", "time_invalid"),
        ("?at=1960-01-01T00:00:00Z", "time_invalid"),
        ("?colour=red", "query_parameter_unknown"),
        ("/urn:x:a?valid_from=2020-01-01T00:00:00Z", "query_parameter_unknown"),
    ],
)
async def test_a_question_that_is_none_is_refused(
    client: aiohttp.ClientSession, query: str, code: str
) -> None:
    assert (await get(client, PATH + query, 400))["code"] == code


async def test_one_faulty_element_refuses_all_that_was_put(client: aiohttp.ClientSession) -> None:
    bad = vocabulary(LOCATION, {"id": "no uri"}, {"id": SITE, "children": 7})
    status, problem = await send(client, "PUT", PATH, {"vocabularyList": [site(), bad]})
    assert (status, problem["code"]) == (400, "uri_malformed")
    assert [e["pointer"] for e in problem["errors"]] == [
        "/vocabularyList/1/vocabularyElementList/0/id",
        "/vocabularyList/1/vocabularyElementList/1/children",
    ]
    assert await unknown(client, SITE)


async def test_only_a_token_that_may_capture_puts(node: CaptureNode) -> None:
    for token, status in (("query-only", 403), ("capture-only", 200)):
        async with aiohttp.ClientSession(
            node.url, headers={"Authorization": f"Bearer {token}"}
        ) as session:
            assert (await send(session, "PUT", PATH, {"vocabularyList": [site()]}))[0] == status
            if token == "capture-only":
                assert (await get(session, PATH, 403))["code"] == "scope_missing"


async def test_what_was_put_stands_in_the_audit_trail(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await put(client, site())
    bad = {"vocabularyList": [vocabulary(LOCATION, {"id": 1})]}
    await send(client, "PUT", PATH, bad)
    records = (await get(client, "/v1/audit?action=capture"))["records"]
    refused, done = (each["record"] for each in records)
    assert (done["outcome"], done["route"]) == ("done", f"PUT {PATH}")
    assert (refused["outcome"], refused["code"]) == ("refused", "type_mismatch")


async def test_a_header_is_kept_with_its_events_and_says_which_job(
    client: aiohttp.ClientSession,
) -> None:
    body = document(event(1), epcisHeader=header(product(), site()))
    async with client.post(
        "/capture", data=body, headers={"Content-Type": "application/json"}
    ) as response:
        assert response.status == 202
        job = response.headers["Location"].rpartition("/")[2]
    (plant,) = (await show(client, SITE))["elements"]
    assert (plant["source"], plant["capture_job"]) == ("header", job)
    # it holds since the document was made
    assert plant["valid_from"] == "2026-03-01T10:00:00.000Z"


async def test_a_header_of_tomorrow_holds_from_now(client: aiohttp.ClientSession) -> None:
    body = document(event(1), epcisHeader=header(site()), creationDate="2999-01-01T00:00:00Z")
    assert (await send(client, "POST", "/capture", body))[0] == 202
    (plant,) = (await show(client, SITE))["elements"]
    assert plant["valid_from"] == plant["recorded_at"]


async def test_a_document_of_one_event_brings_its_header_by_the_event_route(
    client: aiohttp.ClientSession,
) -> None:
    body = document(event(1), epcisHeader=header(site()))
    assert (await send(client, "POST", "/events", body))[0] == 201
    (plant,) = (await show(client, SITE))["elements"]
    assert (plant["source"], plant["capture_job"]) == ("header", None)


async def test_a_document_without_events_brings_its_header(client: aiohttp.ClientSession) -> None:
    assert (await send(client, "POST", "/capture", document(epcisHeader=header(site()))))[0] == 202
    assert not (await show(client, SITE))["elements"][0]["by_right"]


@pytest.mark.parametrize("version", [1, 2])
async def test_a_document_of_master_data_alone_may_be_captured(
    client: aiohttp.ClientSession, version: int
) -> None:
    kind = {"Content-Type": "application/xml"}
    async with client.post("/capture", data=xml_master_data(version), headers=kind) as response:
        assert response.status == 202, await response.text()
        job = response.headers["Location"]
    assert (await get(client, job))["receipts"] == []
    (plant,) = (await show(client, SITE))["elements"]
    assert (plant["source"], plant["valid_from"]) == ("header", "2026-03-01T10:00:00.000Z")


async def test_a_header_that_repeats_makes_no_version(client: aiohttp.ClientSession) -> None:
    for n in range(3):
        body = document(
            event(n), epcisHeader=header(site()), creationDate=f"2026-03-0{n + 1}T10:00:00Z"
        )
        assert (await send(client, "POST", "/capture", body))[0] == 202
    assert len((await show(client, SITE))["versions"]) == 1


FAULTY = vocabulary(LOCATION, element(SITE, name="Plant"), {"id": ROOM, "attributes": [{}]})
PLACE = "/epcisHeader/epcisMasterData/vocabularyList/0/vocabularyElementList/1/attributes/0/id"


async def test_a_faulty_element_refuses_the_whole_document(client: aiohttp.ClientSession) -> None:
    body = document(event(1), epcisHeader=header(FAULTY))
    status, problem = await send(client, "POST", "/capture", body)
    assert (status, problem["code"], problem["pointer"]) == (400, "type_mismatch", PLACE)
    job = await get(client, f"/capture/{problem['captureID']}")
    assert (job["success"], [e["pointer"] for e in job["errors"]]) == (False, [PLACE])
    assert await unknown(client, SITE)
    assert (await get(client, "/events"))["epcisBody"]["queryResults"]["resultsBody"][
        "eventList"
    ] == []
    status, problem = await send(client, "POST", "/events", body)
    assert (status, problem["pointer"]) == (400, PLACE)


async def test_with_proceed_the_rest_is_kept_and_the_job_says_what_is_not(
    client: aiohttp.ClientSession,
) -> None:
    body = document(event(1), event(2, eventTime="never"), epcisHeader=header(FAULTY))
    behaviour = {"GS1-Capture-Error-Behaviour": "proceed", "Prefer": "return=representation"}
    status, job = await send(client, "POST", "/capture", body, **behaviour)
    assert (status, job["success"], len(job["receipts"])) == (202, False, 1)
    assert [e["pointer"] for e in job["errors"]] == ["/epcisBody/eventList/1/eventTime", PLACE]
    assert attributes((await show(client, SITE))["elements"][0]) == {"name": "Plant"}
    assert await unknown(client, ROOM)


async def test_a_refused_event_takes_the_header_with_it(client: aiohttp.ClientSession) -> None:
    body = document(event(1, eventTime="never"), epcisHeader=header(site()))
    assert (await send(client, "POST", "/capture", body))[0] == 400
    assert await unknown(client, SITE)
    conflict = document(event(1, eventID="urn:uuid:1"))
    assert (await send(client, "POST", "/capture", conflict))[0] == 202
    other = document(event(2, eventID="urn:uuid:1"), epcisHeader=header(site()))
    for path in ("/capture", "/events"):
        assert (await send(client, "POST", path, other))[0] == 409
        assert await unknown(client, SITE)


async def test_headers_do_not_stand_over_what_was_put(client: aiohttp.ClientSession) -> None:
    await put(client, site(name="Ours"), query="?valid_from=2025-01-01T00:00:00Z")
    body = document(event(1), epcisHeader=header(site(name="Theirs")))
    assert (await send(client, "POST", "/capture", body))[0] == 202
    shown = await show(client, SITE)
    assert attributes(shown["elements"][0])["name"] == "Ours"
    assert [v["source"] for v in shown["versions"]] == ["header", "put"]
    assert shown["versions"][0]["valid_until"] == shown["versions"][0]["valid_from"]


async def test_a_bare_event_and_a_declaration_have_no_header(client: aiohttp.ClientSession) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    for each in (wrong, declaration(wrong)):
        assert (await send(client, "POST", "/events", {"@context": CONTEXT, **each}))[0] == 201
    assert (await get(client, PATH))["elements"] == []


async def test_limits_are_told(client: aiohttp.ClientSession) -> None:
    limits = await get(client, "/v1/limits")
    assert limits["vocabulary_elements_max"] == 10_000
    many = vocabulary(LOCATION, *(element(f"urn:x:{n}") for n in range(10_001)))
    status, problem = await send(client, "PUT", PATH, [many])
    assert (status, problem["code"]) == (413, "too_many_elements")
    status, problem = await send(client, "POST", "/capture", document(epcisHeader=header(many)))
    assert (status, problem["code"]) == (413, "too_many_elements")


XML = {"Content-Type": "application/xml"}
XML_EVENT = """<ObjectEvent>
  <eventTime>2026-03-01T10:00:00Z</eventTime><eventTimeZoneOffset>+01:00</eventTimeZoneOffset>
  <epcList><epc>urn:epc:id:sgtin:4012345.011111.1</epc></epcList><action>OBSERVE</action>
</ObjectEvent>"""


async def test_master_data_is_put_in_xml(client: aiohttp.ClientSession) -> None:
    status, answer = await send(client, "PUT", PATH, xml_master_data(2), **XML)
    assert status == 200, answer
    (plant,) = (await show(client, SITE))["elements"]
    assert attributes(plant)["name"] == "Plant 1"
    status, again = await send(client, "PUT", PATH, xml_document(), **XML)
    assert [e["new"] for e in again["elements"]] == [False, False]
    status, problem = await send(client, "PUT", PATH, xml_document(XML_EVENT), **XML)
    assert (status, problem["code"]) == (400, "master_data_expected")


@pytest.mark.parametrize("created", ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00"])
async def test_the_header_of_a_document_in_xml_is_kept(
    client: aiohttp.ClientSession, created: str
) -> None:
    body = xml_document(XML_EVENT).replace(b"2026-03-01T10:00:00Z", created.encode(), 1)
    assert (await send(client, "POST", "/capture", body, **XML))[0] == 202
    (goods,) = (await show(client, PRODUCT))["elements"]
    assert attributes(goods)["regulatedProductName"] == "Epcistra"
    assert goods["valid_from"] == "2026-03-01T10:00:00.000Z"


async def found(client: aiohttp.ClientSession, **parameters: str) -> set[str]:
    """Return the serials of the packs in the events that match."""
    async with client.get("/events", params=parameters) as response:
        assert response.status == 200, await response.text()
        results = (await response.json())["epcisBody"]["queryResults"]["resultsBody"]
    return {e["epcList"][0].rpartition(".")[2] for e in results["eventList"]}


async def test_queries_follow_places_into_places_in_any_spelling(
    client: aiohttp.ClientSession,
) -> None:
    elsewhere = "urn:epc:id:sgln:4012345.00002.0"
    events = [
        event("site", readPoint={"id": SITE}),
        event("room", readPoint={"id": f"{SITE_LINK}/254/room"}, bizLocation={"id": SITE_LINK}),
        event("shelf", readPoint={"id": ROOM.replace("room", "shelf")}),
        event("else", readPoint={"id": elsewhere}),
    ]
    body = document(*events, epcisHeader=header(site()))
    assert (await send(client, "POST", "/capture", body))[0] == 202
    for spelt in (SITE, SITE_LINK):
        assert await found(client, WD_readPoint=spelt) == {"site", "room", "shelf"}
    assert await found(client, WD_readPoint=ROOM) == {"room", "shelf"}
    assert await found(client, WD_readPoint=elsewhere) == {"else"}
    assert await found(client, WD_bizLocation=SITE) == {"room"}
    assert await found(client, HASATTR_readPoint="urn:epcglobal:cbv:mda:city") == {"site"}
    assert await found(client, HASATTR_readPoint="name") == {"site", "room", "shelf"}
    assert await found(client, EQATTR_readPoint_name="Cold room") == {"room"}
    # the room is cleared: what holds now counts, whenever the events were
    await put(client, vocabulary(LOCATION, element(ROOM, name="Empty")))
    assert await found(client, WD_readPoint=SITE) == {"site", "room"}
    assert await found(client, EQATTR_readPoint_name="Cold room") == set()
    await put(
        client,
        vocabulary(LOCATION, element(SITE, name="Empty")),
        query="?valid_from=2999-01-01T00:00:00Z",
    )
    assert await found(client, WD_readPoint=SITE) == {"site", "room"}


async def test_products_are_found_by_what_master_data_says_of_them(
    client: aiohttp.ClientSession,
) -> None:
    lots = [f"urn:epc:class:lgtin:4012345.{item}.L1" for item in ("011111", "022222")]
    events = [
        event(n, quantityList=[{"epcClass": lot, "quantity": 5}]) for n, lot in enumerate(lots)
    ]
    told = vocabulary(EPC_CLASS, element(lots[0], strengthDescription="100 mg"))
    body = document(*events, epcisHeader=header(told))
    assert (await send(client, "POST", "/capture", body))[0] == 202
    assert await found(client, HASATTR_epcClass="strengthDescription") == {"0"}
    assert await found(client, EQATTR_epcClass_strengthDescription="100 mg") == {"0"}
    assert await found(client, EQATTR_epcClass_strengthDescription="200 mg") == set()
