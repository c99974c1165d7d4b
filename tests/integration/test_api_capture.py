"""Capture over HTTP: the forms of EPCIS 2.0, receipts, byte-for-byte content, refusals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import rfc8785

from capture_events import CONTEXT, bare, declaration, document, event
from capture_node import RECEIPTS, SIGNER, TOKEN, CaptureNode, capture_node

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as node:
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {TOKEN}", **RECEIPTS}
    async with aiohttp.ClientSession(node.url, headers=headers) as session:
        yield session


async def post(
    client: aiohttp.ClientSession, path: str, body: bytes, **headers: str
) -> tuple[int, dict[str, Any], Any]:
    sent = {**JSON, **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with client.post(path, data=body, headers=sent) as response:
        text = await response.read()
        if response.status >= 400:
            assert response.content_type == "application/problem+json"
        return response.status, dict(response.headers), json.loads(text) if text else None


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    async with client.get(path) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_a_document_is_accepted_with_the_address_of_its_finished_job(
    client: aiohttp.ClientSession,
) -> None:
    status, headers, body = await post(client, "/capture", document(event(1), event(2)))
    assert status == 202
    assert body is None
    assert headers["GS1-EPCIS-Version"].startswith("2.0")
    job = await get(client, headers["Location"])
    assert job["running"] is False
    assert job["success"] is True
    assert job["captureErrorBehaviour"] == "rollback"
    assert job["errors"] == []
    assert headers["Location"].endswith(job["captureID"])
    assert job["createdAt"] <= job["finishedAt"]
    assert [r["leaf_index"] for r in job["receipts"]] == [1, 2]


@pytest.mark.parametrize("body", [b"[]", document()], ids=["list", "document"])
async def test_no_events_are_a_job_that_succeeds_without_receipts(
    client: aiohttp.ClientSession, body: bytes
) -> None:
    status, headers, _ = await post(client, "/capture", body)
    assert status == 202
    job = await get(client, headers["Location"])
    assert (job["running"], job["success"]) == (False, True)
    assert (job["errors"], job["receipts"]) == ([], [])
    status, _, problem = await post(client, "/events", body)
    assert (status, problem["code"]) == (400, "one_event_expected")


async def test_a_list_of_bare_events_is_taken(client: aiohttp.ClientSession) -> None:
    body = b"[" + bare(event(1)) + b"," + bare(event(2)) + b"]"
    _, _, job = await post(client, "/capture", body, Prefer="return=representation")
    assert [r["leaf_index"] for r in job["receipts"]] == [1, 2]


async def test_receipts_come_with_the_answer_when_asked_for(client: aiohttp.ClientSession) -> None:
    _, headers, body = await post(
        client, "/capture", document(event(1)), Prefer="return=representation"
    )
    assert headers["Preference-Applied"] == "return=representation"
    assert body == await get(client, headers["Location"])
    assert set(body["receipts"][0]) == {
        "entry_id",
        "leaf_index",
        "content_hash",
        "event_hash",
        "event_id",
        "record_time",
        "anchor_by",
        "member",
        "signature",
    }
    assert body["receipts"][0]["member"] == "0x" + SIGNER.address.hex()


async def test_a_single_event_is_created_with_its_receipt(client: aiohttp.ClientSession) -> None:
    status, headers, receipt = await post(client, "/events", bare(event(1)))
    assert status == 201
    assert headers["Location"] == "/events/" + quote(receipt["event_id"], safe="")
    found = await get(client, headers["Location"])
    events = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert [e["eventID"] for e in events] == [receipt["event_id"]]
    assert events[0]["recordTime"] == receipt["record_time"]


async def test_a_duplicate_is_answered_as_the_first_was(client: aiohttp.ClientSession) -> None:
    _, headers, first = await post(client, "/events", bare(event(1)))
    status, again_headers, again = await post(client, "/events", bare(event(1)))
    assert (status, again) == (201, first)
    assert again_headers["Location"] == headers["Location"]
    assert "Sealtrail-Duplicate" not in headers
    assert again_headers["Sealtrail-Duplicate"] == "true"


async def test_the_same_id_with_other_content_is_409(client: aiohttp.ClientSession) -> None:
    await post(client, "/events", bare(event(1, eventID="urn:uuid:1")))
    status, _, problem = await post(client, "/events", bare(event(2, eventID="urn:uuid:1")))
    assert status == 409
    assert problem["code"] == "event_id_conflict"
    assert problem["type"] == "epcisException:ResourceAlreadyExistsException"
    assert problem["pointer"] == "/eventID"
    status, _, problem = await post(
        client, "/capture", document(event(3), event(2, eventID="urn:uuid:1"))
    )
    assert status == 409
    assert problem["pointer"] == "/epcisBody/eventList/1/eventID"
    status, _, problem = await post(client, "/events", bare(event(3)))
    assert status == 201, "the rolled back document recorded nothing"


async def test_an_error_declaration_shares_the_address_of_its_event(
    client: aiohttp.ClientSession,
) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    await post(client, "/events", bare(wrong))
    status, headers, _ = await post(client, "/events", bare(declaration(wrong)))
    assert status == 201
    found = await get(client, headers["Location"])
    events = found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert ["errorDeclaration" in e for e in events] == [False, True]


async def test_a_refused_event_names_the_field_and_nothing_is_recorded(
    client: aiohttp.ClientSession, node: CaptureNode
) -> None:
    status, _, problem = await post(
        client, "/capture", document(event(1), event(2, eventTime="yesterday"))
    )
    assert status == 400
    assert problem["pointer"] == "/epcisBody/eventList/1/eventTime"
    assert problem["errors"][0]["code"] == problem["code"]
    assert node.log.size == 1
    job = await get(client, f"/capture/{problem['captureID']}")
    assert job["success"] is False
    assert job["errors"][0]["pointer"] == problem["pointer"]


async def test_proceed_is_202_with_the_errors_in_the_job(client: aiohttp.ClientSession) -> None:
    status, headers, _ = await post(
        client,
        "/capture",
        document(event(1), event(2, eventTime="yesterday")),
        GS1_Capture_Error_Behaviour="proceed",
    )
    assert status == 202
    job = await get(client, headers["Location"])
    assert job["success"] is False
    assert len(job["receipts"]) == len(job["errors"]) == 1


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/capture", {"Content-Type": "application/soap+xml"}, 415, "media_type_unsupported"),
        ("/capture", {"Content-Type": "text/plain"}, 415, "media_type_unsupported"),
        ("/capture", {"Content-Type": "application/json; charset=latin-1"}, 415, None),
        ("/capture", {"GS1-EPCIS-Version": "1.2"}, 406, "epcis_version_unsupported"),
        ("/capture", {"GS1-CBV-Version": "nonsense"}, 406, "epcis_version_unsupported"),
        ("/capture", {"GS1-Capture-Error-Behaviour": "shrug"}, 400, "error_behaviour_unknown"),
        ("/capture?kind=genesis", {}, 400, "query_parameter_invalid"),
        ("/capture?kindd=event", {}, 400, "query_parameter_unknown"),
        ("/events", {"Content-Type": "application/xml+x"}, 415, "media_type_unsupported"),
        ("/capture", {"Content-Type": "application/xml"}, 400, "xml_malformed"),
        ("/events", {"Content-Type": "text/xml"}, 400, "xml_malformed"),
    ],
)
async def test_what_was_not_agreed_on_is_refused(
    client: aiohttp.ClientSession,
    path: str,
    headers: dict[str, str],
    status: int,
    code: str | None,
) -> None:
    async with client.post(path, data=document(event(1)), headers={**JSON, **headers}) as response:
        assert response.status == status
        problem = await response.json(content_type="application/problem+json")
    assert problem["status"] == status
    assert code in (None, problem["code"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\x00",
        b"\xff\xfe\x00",
        b"null",
        b"[1, 2]",
        b'{"type": "EPCISDocument", "type": "EPCISDocument"}',
        b'"' + b"a" * 100_000 + b'"',
        b"[" * 50_000 + b"]" * 50_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"x": 1e999999}',
        b'{"\\ud800": 1}',
        json.dumps({"type": "EPCISDocument", "epcisBody": {"eventList": "no list"}}).encode(),
        json.dumps({"@context": CONTEXT, "type": "ObjectEvent"}).encode(),
    ],
)
async def test_malformed_input_is_a_coded_400_and_the_node_goes_on(
    client: aiohttp.ClientSession, body: bytes
) -> None:
    for path in ("/capture", "/events"):
        status, _, problem = await post(client, path, body)
        assert status in (400, 413), problem
        assert problem["code"]
        assert "Traceback" not in problem["detail"]
    status, _, _ = await post(client, "/events", bare(event(1)))
    assert status == 201


async def test_what_comes_out_is_what_went_in(client: aiohttp.ClientSession) -> None:
    # Numbers, order of keys, letters outside ASCII, an extension: all as RFC 8785 has them.
    context = [*CONTEXT, {"ex": "https://ns.example.com/epcis/"}]
    sent = event(
        1, **{"ex:temperature": 4.50, "ex:note": "Größe \u00e9 \U0001f600", "ex:list": [1, 2.25]}
    )
    _, _, receipt = await post(
        client, "/events", json.dumps({"@context": context, **sent}).encode()
    )
    expected = rfc8785.dumps({**sent, "@context": context})

    for name in (receipt["event_id"], receipt["entry_id"], receipt["event_hash"]):
        async with client.get(f"/v1/events/{quote(name, safe='')}/content") as response:
            assert response.status == 200
            assert response.content_type == "application/ld+json"
            assert response.headers["Accept-Ranges"] == "none"
            content = await response.read()
        assert content == expected
        assert "0x" + sha256(content).hexdigest() == receipt["content_hash"]


async def test_an_id_that_two_contents_bear_is_ambiguous(client: aiohttp.ClientSession) -> None:
    wrong = event(1, eventID="urn:uuid:1")
    _, _, first = await post(client, "/events", bare(wrong))
    _, _, second = await post(client, "/events", bare(declaration(wrong)))
    async with client.get("/v1/events/urn:uuid:1/content") as response:
        assert response.status == 409
        problem = await response.json(content_type="application/problem+json")
    assert problem["code"] == "event_ambiguous"
    assert problem["entry_ids"] == [first["entry_id"], second["entry_id"]]
    for entry_id in problem["entry_ids"]:
        async with client.get(f"/v1/events/{entry_id}/content") as response:
            assert response.status == 200


async def test_an_event_of_forty_thousand_epcs_fits_the_defaults(
    client: aiohttp.ClientSession,
) -> None:
    epcs = [f"urn:epc:id:sgtin:4012345.011111.{n:020d}" for n in range(40_000)]
    status, _, receipt = await post(client, "/events", bare(event(1, epcList=epcs)))
    assert status == 201
    async with client.get(f"/v1/events/{receipt['entry_id']}/content") as response:
        content = await response.read()
    assert "0x" + sha256(content).hexdigest() == receipt["content_hash"]
    assert json.loads(content)["epcList"] == epcs


async def test_the_capture_interface_tells_its_settings(client: aiohttp.ClientSession) -> None:
    async with client.options("/capture") as response:
        assert response.status == 204
        headers = response.headers
    limits = await get(client, "/v1/limits")
    assert headers["GS1-EPCIS-Capture-Limit"] == str(limits["events_per_document_max"])
    assert headers["GS1-EPCIS-Capture-File-Size-Limit"] == str(limits["body_bytes_max"])
    assert headers["GS1-Capture-Error-Behaviour"] == "all"
    assert (headers["GS1-EPCIS-Min"], headers["GS1-EPCIS-Max"]) == ("1.2.0", "2.0.0")
    assert "POST" in headers["Allow"]


async def test_jobs_are_listed_newest_first_in_pages(client: aiohttp.ClientSession) -> None:
    made = []
    for n in range(5):
        _, headers, _ = await post(client, "/capture", document(event(n)))
        made.append(headers["Location"].rpartition("/")[2])
    listed, path = [], "/capture?perPage=2"
    while path:
        async with client.get(path) as response:
            listed += [job["captureID"] for job in await response.json()]
            path = str(response.links["next"]["url"]) if "next" in response.links else ""
    assert listed == made[::-1]


async def test_an_unknown_job_is_404(client: aiohttp.ClientSession) -> None:
    async with client.get("/capture/nothing") as response:
        assert response.status == 404
        problem = await response.json(content_type="application/problem+json")
    assert problem["code"] == "capture_job_unknown"
    assert problem["type"] == "epcisException:NoSuchNameException"


async def test_imported_history_is_asked_for_by_its_kind(client: aiohttp.ClientSession) -> None:
    status, _, receipt = await post(client, "/events?kind=imported", bare(event(1)))
    assert status == 201
    entry = await get(client, f"/v1/entries/{receipt['entry_id']}")
    assert bytes.fromhex(entry["leaf"][2:])[1] == 4


async def test_an_entry_shows_leaf_and_seed_and_no_proof_before_a_checkpoint(
    client: aiohttp.ClientSession,
) -> None:
    _, _, receipt = await post(client, "/events", bare(event(1)))
    entry = await get(client, f"/v1/entries/{receipt['entry_id']}")
    assert entry["leaf"].endswith(receipt["signature"][2:])
    assert len(bytes.fromhex(entry["seed"][2:])) == 32
    assert entry["proof"] is None
    headers = {"Authorization": "Bearer query-only"}
    async with client.get(f"/v1/entries/{receipt['entry_id']}", headers=headers) as response:
        assert "seed" not in await response.json()
