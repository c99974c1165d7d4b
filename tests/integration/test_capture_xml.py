"""EPCIS XML over HTTP: captured as JSON is, kept as it came, answered for in JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from capture_events import document as json_document
from capture_events import event as json_event
from capture_node import TOKEN, CaptureNode, capture_node
from sealtrail.epcis import XML_MEDIA_TYPE, json_form, parse_document
from xml_documents import DECLARED, document, event

VECTORS = Path(__file__).parent.parent / "vectors" / "xml"
XML = {"Content-Type": "application/xml", "Prefer": "return=representation"}


@pytest.fixture(params=[0, 1], ids=["here", "process"])
async def node(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db", processes=request.param) as node:
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(node.url, headers=headers) as session:
        yield session


async def captured(
    client: aiohttp.ClientSession, data: bytes, status: int = 202, **headers: str
) -> dict[str, Any]:
    async with client.post("/capture", data=data, headers={**XML, **headers}) as response:
        assert response.status == status, await response.text()
        found: dict[str, Any] = await response.json(content_type=None)
        return found


async def listed(client: aiohttp.ClientSession, **query: str) -> list[dict[str, Any]]:
    async with client.get("/events", params=query) as response:
        assert response.status == 200, await response.text()
        body = (await response.json())["epcisBody"]
        events: list[dict[str, Any]] = body["queryResults"]["resultsBody"]["eventList"]
        return events


@pytest.mark.parametrize("name", ["dscsa-1.2", "eu-hospital-1.2", "cold-chain-2.0"])
async def test_a_document_is_recorded_kept_and_answered_for(
    client: aiohttp.ClientSession, name: str
) -> None:
    data = (VECTORS / f"{name}.xml").read_bytes()
    vector = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    job = await captured(client, data)
    assert job["success"] is True
    for receipt, case in zip(job["receipts"], vector["events"], strict=True):
        assert receipt["content_hash"] == "0x" + case["content_hash"]
        assert receipt["event_hash"] == case["event_hash"]
        async with client.get(f"/v1/events/{receipt['entry_id']}/content") as response:
            assert response.content_type == XML_MEDIA_TYPE
            content = await response.read()
        assert content.decode() == case["content"]
        assert sha256(content).hexdigest() == case["content_hash"]
    shown = {each["eventTime"]: each for each in await listed(client)}
    for case in vector["events"]:
        found = shown[case["form"]["eventTime"]]
        added = {"eventID", "recordTime", "@context"}
        assert {k: v for k, v in found.items() if k not in added} == {
            k: v for k, v in case["form"].items() if k not in added
        }
    header = {
        "sender": "sender",
        "receiver": "receiver",
        "instance_identifier": "instanceIdentifier",
    }
    for told, shown_as in header.items():
        assert job.get(shown_as) == vector["header"][told]
    async with client.get(f"/capture/{job['captureID']}") as response:
        again = await response.json()
    assert again.get("sender") == vector["header"]["sender"]


async def test_a_document_in_json_says_who_sent_it(client: aiohttp.ClientSession) -> None:
    body = json_document(json_event(1), sender="urn:a:b", receiver="c", instanceIdentifier="7")
    job = await captured(client, body, Content_Type="x", **{"Content-Type": "application/json"})
    assert (job["sender"], job["receiver"], job["instanceIdentifier"]) == ("urn:a:b", "c", "7")


async def test_an_event_sent_twice_gets_its_first_receipt(client: aiohttp.ClientSession) -> None:
    first = await captured(client, document(event(1)))
    renamed = document(event(1)).replace(b"epcis:EPCIS", b"e:EPCIS").replace(b":epcis=", b":e=")
    second = await captured(client, renamed, **{"Content-Type": "text/xml; charset=utf-8"})
    assert [each["entry_id"] for each in first["receipts"]] == [
        each["entry_id"] for each in second["receipts"]
    ]


async def test_an_event_and_its_twin_are_two_entries_with_one_event_hash(
    client: aiohttp.ClientSession,
) -> None:
    (xml,) = (await captured(client, document(event(1))))["receipts"]
    (recorded,) = parse_document(document(event(1)), media_type=XML_MEDIA_TYPE).events
    twin = json.dumps(json_form(recorded.content)).encode()  # type: ignore[union-attr]
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/vnd.sealtrail.receipt+json",
    }
    async with client.post("/events", data=twin, headers=headers) as response:
        assert response.status == 201
        other = await response.json()
    assert other["event_hash"] == xml["event_hash"]
    assert other["entry_id"] != xml["entry_id"]
    assert len(await listed(client)) == 2


async def test_an_event_by_itself_is_taken(client: aiohttp.ClientSession) -> None:
    body = event(1, late="<x:a>1</x:a>").replace("<ObjectEvent>", f"<ObjectEvent {DECLARED}>")
    headers = {"Content-Type": "text/xml"}
    async with client.post("/events", data=body, headers=headers) as response:
        assert response.status == 201, await response.text()
    (found,) = await listed(client)
    assert found["x:a"] == "1"


async def test_an_event_is_found_by_what_it_says(client: aiohttp.ClientSession) -> None:
    late = "<bizStep>urn:epcglobal:cbv:bizstep:shipping</bizStep>"
    await captured(client, document(event(1, late=late), event(2)))
    assert len(await listed(client, EQ_bizStep="shipping")) == 1
    assert len(await listed(client, MATCH_epc="https://id.gs1.org/01/04012345111118/21/2")) == 1


async def test_a_refusal_tells_line_and_place(client: aiohttp.ClientSession) -> None:
    data = document(event(1), event(2, late="<madeUp/>"))
    problem = await captured(client, data, status=400)
    assert (problem["code"], problem["line"]) == ("field_unknown", 5)
    assert problem["pointer"] == ("/epcis:EPCISDocument/EPCISBody/EventList/ObjectEvent[2]/madeUp")
    assert await listed(client) == []
    job = await captured(client, data, **{"GS1-Capture-Error-Behaviour": "proceed"})
    assert [each["line"] for each in job["errors"]] == [5]
    assert len(job["receipts"]) == 1


@pytest.mark.parametrize(
    ("body", "media_type", "code"),
    [
        (b"<a>", "application/xml", "xml_malformed"),
        (b"{}", "application/xml", "xml_malformed"),
        (document(event(1)), "application/json", "json_malformed"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "text/xml", "xml_entities_refused"),
        (document(event(1)), "text/xml; charset=ebcdic", "xml_encoding_unsupported"),
        (document(event(1)).replace(b"OBSERVE", b"\xe9"), "application/xml", "xml_not_utf8"),
    ],
)
async def test_a_malformed_body_is_refused(
    client: aiohttp.ClientSession, body: bytes, media_type: str, code: str
) -> None:
    problem = await captured(client, body, status=400, **{"Content-Type": media_type})
    assert problem["code"] == code


async def test_charset_tells_the_encoding(client: aiohttp.ClientSession) -> None:
    text = document(event(1, late="<x:a>Weiß</x:a>")).decode().replace('encoding="UTF-8"', "")
    await captured(
        client, text.encode("latin-1"), **{"Content-Type": "text/xml; charset=ISO-8859-1"}
    )
    (found,) = await listed(client)
    assert found["x:a"] == "Weiß"
