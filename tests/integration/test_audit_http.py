"""The audit trail over HTTP: every request that reads or writes is recorded, refused input included."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from capture_events import bare, document, event, pack
from capture_node import DOMAIN, ITEM_SALT, RECEIPTS, TOKEN, CaptureNode, capture_node
from sealtrail.config import AuditSettings
from sealtrail.errors import UnavailableError
from sealtrail.evidence.audit_check import verify_export
from sealtrail.evidence.audit_record import AuditRecord, parse_record
from sealtrail.gs1 import canonical
from sealtrail.services.audit_trail.check import check_trail
from sealtrail.signing import item_key
from sealtrail.store import audit, audit_names
from sealtrail.store.database import Database

NODE = Path(__file__).parent.parent / "capture_node.py"
JSON = {"Content-Type": "application/json"}


def bearer(token: str = TOKEN, **more: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **JSON, **more}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as node:
        yield node


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def records(node: CaptureNode) -> list[AuditRecord]:
    """Everything recorded by now, but the start."""
    await node.trail.flush()
    return stored(node)


def stored(node: CaptureNode) -> list[AuditRecord]:
    """What is durable by now, but the start."""
    rows = node.database.read_sync(lambda c: audit.load_records(c, 1, before=2**62, limit=100_000))
    return [parse_record(each.body) for each in rows]


async def send(
    client: aiohttp.ClientSession,
    node: CaptureNode,
    method: str,
    path: str,
    data: bytes | None = None,
    **headers: Any,
) -> tuple[int, Any]:
    url = node.url + path
    given = {**bearer(), **RECEIPTS, **headers}
    async with client.request(method, url, data=data, headers=given) as response:
        return response.status, json.loads(await response.read() or b"null")


# -- what is recorded --------------------------------------------------------------------------------------


async def test_a_capture_and_its_record_are_durable_together(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    body = document(event(1), event(2))
    status, _ = await send(client, node, "POST", "/capture", body)
    assert status == 202
    (only,) = stored(node)  # without a flush
    assert (only.action, only.outcome, only.meaning) == ("capture", "done", "author")
    assert only.actor.startswith("user:")
    assert only.route == "POST /capture"
    assert only.subject is not None
    assert only.subject.leaves == ((1, 2),)
    assert only.subject.job is not None
    assert only.input is not None
    assert only.input.digest == "0x" + sha256(body).hexdigest()
    assert only.input.size == len(body)


async def test_single_events_have_a_record_each_and_duplicates_say_so(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await asyncio.gather(
        *(send(client, node, "POST", "/events", bare(event(n))) for n in range(1, 41))
    )
    await send(client, node, "POST", "/events", bare(event(1)))
    found = stored(node)
    leaves = [each.subject.leaves for each in found if each.subject]
    assert sorted(leaves[:40]) == [((n, 1),) for n in range(1, 41)]
    assert [each.code for each in found] == [None] * 40 + ["duplicate"]
    assert leaves[40] in leaves[:40]


async def test_imported_history_has_another_meaning(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await send(client, node, "POST", "/capture?kind=imported", document(event(1)))
    assert [each.meaning for each in stored(node)] == ["importer"]


async def test_a_document_that_is_refused_in_part_says_which_leaves_it_has(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    body = document(event(1), event(2, eventTime="yesterday"), event(3))
    headers = {"GS1-Capture-Error-Behaviour": "proceed"}
    await send(client, node, "POST", "/capture", body, **headers)
    (only,) = stored(node)
    assert (only.outcome, only.code) == ("partly", "time_malformed")
    assert only.subject is not None
    assert only.subject.leaves == ((1, 2),)
    assert only.input is not None
    assert only.input.pointer == "/epcisBody/eventList/1/eventTime"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/capture", document(event(1, eventTime="yesterday")), "time_malformed"),
        ("/capture", b"{", "json_malformed"),
        ("/capture", b"\xff\xfe", "json_not_utf8"),
        ("/events", document(event(1), event(2)), "one_event_expected"),
        ("/events", bare(event(1, eventTime="yesterday")), "time_malformed"),
        ("/events", b"", "json_malformed"),
    ],
)
async def test_refused_input_is_durable_with_its_reason_before_the_answer(
    node: CaptureNode, client: aiohttp.ClientSession, path: str, body: bytes, code: str
) -> None:
    status, problem = await send(client, node, "POST", path, body)
    assert status == 400
    (only,) = stored(node)
    assert (only.action, only.outcome, only.code) == ("capture", "refused", problem["code"])
    assert problem["code"] == code
    assert only.input is not None
    assert only.input.digest == "0x" + sha256(body).hexdigest()
    assert only.input.pointer == problem.get("pointer")
    assert only.input.kept is False
    assert only.meaning is None


async def test_refused_input_is_kept_where_the_configuration_says_so(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    settings = AuditSettings(keep_refused_bytes=2_000)
    small, large = document(event(1, eventTime="yesterday")), b"{" * 2_001
    async with capture_node(tmp_path / "node.db", audit=settings) as node:
        for body in (small, large, document(event(1))):
            await send(client, node, "POST", "/capture", body)
        kept = [each.input.kept for each in stored(node) if each.input]
        assert kept == [True, False, False]
        digest = sha256(small).digest()
        assert await node.database.read(lambda c: audit_names.load_input(c, digest)) == small


async def test_a_conflict_is_recorded_as_refused(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for step in ("commissioning", "inspecting"):
        changed = event(1, eventID="urn:uuid:1", bizStep=step)
        await send(client, node, "POST", "/events", bare(changed))
    assert [(e.outcome, e.code) for e in stored(node)] == [
        ("done", None),
        ("refused", "event_id_conflict"),
    ]


async def test_reads_say_what_was_asked_and_what_was_shown(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    entries = []
    for number in (1, 2):
        _, receipt = await send(client, node, "POST", "/events", bare(event(number)))
        entries.append(receipt["entry_id"])
    await send(client, node, "GET", f"/events?MATCH_epc={pack(1)}")
    await send(client, node, "GET", "/events")
    await send(client, node, "GET", f"/v1/entries/{entries[1]}")
    await send(client, node, "GET", f"/v1/events/{entries[0]}/content")
    matched, listed, entry, content = (await records(node))[2:]
    key = "0x" + item_key(ITEM_SALT, canonical(pack(1))).hex()
    assert matched.subject is not None
    assert (matched.action, matched.subject.items) == ("query", (key,))
    assert matched.subject.entries == (entries[0],)
    assert listed.subject is not None
    assert listed.subject.entries == tuple(entries)
    assert (entry.action, entry.subject and entry.subject.entries) == ("read_entry", (entries[1],))
    assert (content.action, content.subject and content.subject.entries) == (
        "read_event",
        (entries[0],),
    )


async def test_a_read_that_found_nothing_is_recorded_as_refused(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await send(client, node, "GET", "/events/urn:uuid:none")
    (only,) = await records(node)
    assert (only.action, only.outcome, only.code) == ("read_event", "refused", "event_unknown")


async def test_the_item_itself_is_nowhere_in_the_trail(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await send(client, node, "POST", "/events", bare(event("SECRET77")))
    await send(client, node, "GET", f"/events?MATCH_epc={pack('SECRET77')}")
    await node.trail.flush()
    rows = await node.database.read(
        lambda c: c.execute("SELECT group_concat(CAST(body AS TEXT)) FROM audit_record").fetchone()
    )
    assert "SECRET77" not in rows[0]
    assert "everything" not in rows[0]  # the token's name


async def test_who_is_turned_away_is_recorded_and_a_flood_of_them_is_few_records(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for _ in range(50):
        async with client.get(node.url + "/events", headers=bearer("wrong")) as response:
            assert response.status == 401
    async with client.get(node.url + "/v1/status", headers=bearer("query-only")) as response:
        assert response.status == 403
    found = await records(node)
    strangers = [each for each in found if each.actor == "nobody"]
    assert sum(each.times for each in strangers) == 50
    assert len(strangers) <= 5
    assert {each.code for each in strangers} == {"token_unknown"}
    known = [each for each in found if each.actor != "nobody"]
    assert [(e.action, e.outcome, e.code) for e in known] == [
        ("token_use", "refused", "scope_missing")
    ]


async def test_what_says_nothing_of_records_is_not_recorded(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for path in ("/health", "/ready", "/v1/limits", "/v1/status", "/metrics"):
        async with client.get(node.url + path, headers=bearer()) as response:
            assert response.status == 200
    assert await records(node) == []


async def test_what_is_not_there_is_recorded(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await send(client, node, "GET", "/nothing/secret-serial")
    (only,) = await records(node)
    assert (only.action, only.code, only.route) == ("request", "route_unknown", "GET unrouted")


# -- reasons -----------------------------------------------------------------------------------------------


async def test_a_reason_is_kept_as_it_was_given(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    reason = "Rückfrage der Apotheke – 薬"
    url = node.url + "/events"
    headers = {**bearer(), "Sealtrail-Reason": reason}
    async with client.get(url, headers=headers) as response:
        assert response.status == 200
    assert [each.reason for each in await records(node)] == [reason]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        (b"x" * 501, "reason_too_long"),
        (b"\xff\xfe", "reason_malformed"),
        (b"a\tb", "reason_malformed"),
        (b"\xe2\x80\xaeabc", "reason_malformed"),
        (b" ", "reason_empty"),
    ],
)
async def test_a_hostile_reason_is_refused_recorded_and_not_kept(
    node: CaptureNode, reason: bytes, code: str
) -> None:
    host, port = node.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"GET /events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
    )
    writer.write(head.encode() + b"Sealtrail-Reason: " + reason + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b" 400 " in answer.split(b"\r\n")[0]
    assert code.encode() in answer
    (only,) = await records(node)
    assert (only.outcome, only.code, only.reason) == ("refused", code, None)


async def test_a_reason_is_demanded_where_the_configuration_says_so(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    settings = AuditSettings(reason_required_for=["query", "capture"])
    async with capture_node(tmp_path / "node.db", audit=settings) as node:
        status, problem = await send(client, node, "GET", "/events")
        assert (status, problem["code"]) == (400, "reason_required")
        assert (await send(client, node, "POST", "/events", bare(event(1))))[0] == 400
        assert node.log.size == 1
        why = {"Sealtrail-Reason": "recall 7"}
        assert (await send(client, node, "GET", "/events", **why))[0] == 200
        assert (await send(client, node, "GET", "/v1/audit"))[0] == 200
        assert [(e.action, e.code) for e in await records(node)] == [
            ("capture", "reason_required"),
            ("query", "reason_required"),
            ("query", None),
            ("audit_read", None),
        ]


# -- reading the trail -------------------------------------------------------------------------------------


async def test_the_trail_wants_a_scope_of_its_own(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    for path in ("/v1/audit", "/v1/audit/export?entry=0x" + "00" * 32):
        async with client.get(node.url + path, headers=bearer("query-only")) as response:
            assert response.status == 403


async def test_the_trail_is_paged_filtered_and_its_reading_recorded(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    entries = []
    for number in range(1, 6):
        _, receipt = await send(client, node, "POST", "/events", bare(event(number)))
        entries.append(receipt["entry_id"])
    await send(client, node, "GET", f"/v1/entries/{entries[2]}")
    await node.trail.flush()

    async def listed(query: str) -> list[dict[str, Any]]:
        status, answer = await send(client, node, "GET", f"/v1/audit?{query}")
        assert status == 200, answer
        return [each["record"] for each in answer["records"]]

    about = await listed(f"entry={entries[2]}")
    assert [each["action"] for each in about] == ["read_entry", "capture"]
    assert [each["action"] for each in await listed(f"item={pack(3)}")] == []
    assert len(await listed("action=capture")) == 5
    assert await listed("action=capture&outcome=refused") == []
    actor = about[0]["actor"]
    assert len(await listed(f"actor={actor}&action=read_entry")) == 1
    assert await listed("until=2020-01-01T00:00:00Z") == []
    assert len(await listed("from=2020-01-01T00:00:00Z&action=capture")) == 5
    url: str | None = "/v1/audit?perPage=2&action=capture"
    seen: list[int] = []
    while url is not None:
        async with client.get(node.url + url, headers=bearer()) as response:
            seen += [each["record"]["n"] for each in (await response.json())["records"]]
            url = (
                str(response.links["next"]["url"].relative()) if "next" in response.links else None
            )
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 5
    await node.trail.flush()
    readings = await listed("action=audit_read&perPage=1000")
    assert len(readings) >= 10
    assert any(entries[2] in each.get("subject", {}).get("entries", []) for each in readings)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("who=me", "query_parameter_unknown"),
        ("action=walk", "query_parameter_invalid"),
        ("outcome=well", "query_parameter_invalid"),
        ("actor=alice", "query_parameter_invalid"),
        ("actor=user:%00", "query_parameter_invalid"),
        ("action=query&action=capture", "query_parameter_repeated"),
        ("entry=0x12", "entry_id_malformed"),
        ("entry=%ff", "entry_id_malformed"),
        ("item=" + "1" * 2_001, "identifier_too_long"),
        ("item=x&entry=0x" + "00" * 32, "query_parameter_conflict"),
        ("from=yesterday", "time_invalid"),
        ("until=2026-03-01T00:00:00", "time_invalid"),
        ("perPage=-1", "query_parameter_invalid"),
        ("perPage=" + "9" * 30, "query_parameter_invalid"),
        ("nextPageToken=x", "query_parameter_invalid"),
    ],
)
async def test_a_question_that_is_not_understood_is_refused_and_recorded(
    node: CaptureNode, client: aiohttp.ClientSession, query: str, code: str
) -> None:
    status, problem = await send(client, node, "GET", f"/v1/audit?{query}")
    assert (status, problem["code"]) == (400, code)
    assert [(e.action, e.code) for e in await records(node)] == [("audit_read", code)]


async def test_an_export_can_be_verified_and_has_the_refused_input(
    tmp_path: Path, client: aiohttp.ClientSession
) -> None:
    async with capture_node(tmp_path / "node.db") as node:
        _, receipt = await send(client, node, "POST", "/events", bare(event(1)))
        await node.beat.digest()
        path = f"/v1/audit/export?entry={receipt['entry_id']}"
        async with client.get(node.url + path, headers=bearer()) as response:
            assert response.content_type == "application/jsonl"
            data = await response.read()
        report = verify_export(data, None)
        assert report.faults == ()
        assert report.in_digests == len(report.records) == 1
        assert [e.action for e in await records(node)] == ["capture", "audit_export"]
        status, problem = await send(client, node, "GET", "/v1/audit/export")
        assert (status, problem["code"]) == (400, "audit_subject_missing")


# -- when it can't be written ------------------------------------------------------------------------------


async def test_what_cannot_be_recorded_is_not_shown(
    node: CaptureNode, client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    await send(client, node, "POST", "/events", bare(event(1)))

    async def full(_: object) -> None:
        raise UnavailableError("audit_trail_full", "no room")

    monkeypatch.setattr(node.trail, "record", full)
    status, problem = await send(client, node, "GET", "/events")
    assert (status, problem["code"]) == (503, "audit_trail_full")
    assert "epcisBody" not in problem


async def test_a_refusal_that_cannot_be_recorded_is_told_as_not_available(
    node: CaptureNode, client: aiohttp.ClientSession
) -> None:
    await send(client, node, "GET", "/events")  # the caller has a pseudonym
    await node.trail.flush()
    await node.database.write(
        lambda c: (
            c.execute(
                "CREATE TEMP TRIGGER full BEFORE INSERT ON audit_record BEGIN SELECT RAISE(FAIL, 'full'); END"
            )
            and None
        )
    )
    status, _ = await send(client, node, "POST", "/capture", b"{")
    assert status == 500  # our own store refuses: told as such, and never as "recorded"
    status, _ = await send(client, node, "POST", "/events", bare(event(1)))
    assert status == 500
    assert node.log.size == 1  # no event without its record
    await node.database.write(lambda c: c.execute("DROP TRIGGER full") and None)
    status, _ = await send(client, node, "POST", "/events", bare(event(1)))
    assert status == 201


# -- kill -9 -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def process(path: Path) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    running = await asyncio.create_subprocess_exec(
        sys.executable, str(NODE), str(path), "0", stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    try:
        yield (await asyncio.wait_for(running.stdout.readline(), 60)).decode().strip(), running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


class Load:
    """Clients that capture, and send what is refused, until the node is gone; what was answered to them."""

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.refused = 0

    async def work(self, url: str, serial: int, enough: asyncio.Event) -> None:
        target = len(self.acknowledged) + 150
        async with aiohttp.ClientSession(headers={**bearer(), **RECEIPTS}) as session:
            try:
                while True:
                    serial += 1
                    async with session.post(url, data=bare(event(serial))) as response:
                        self.acknowledged.append((await response.json())["leaf_index"])
                    async with session.post(url, data=b"{") as response:
                        self.refused += response.status == 400
                    if len(self.acknowledged) >= target:
                        enough.set()
            except (aiohttp.ClientError, OSError):
                return


async def test_kill_9_under_load_leaves_every_acknowledged_capture_with_its_record(
    tmp_path: Path,
) -> None:
    load = Load()
    for round_ in range(2):
        async with process(tmp_path) as (url, running):
            enough = asyncio.Event()
            first = round_ * 10_000_000
            clients = [
                asyncio.create_task(load.work(url + "/events", first + n * 100_000, enough))
                for n in range(6)
            ]
            await asyncio.wait_for(enough.wait(), 120)
            os.kill(running.pid, signal.SIGKILL)
            await asyncio.gather(*clients)
    database = Database.open(tmp_path / "node.db")
    report = database.read_sync(lambda c: check_trail(c, DOMAIN))
    rows = database.read_sync(lambda c: audit.load_records(c, 0, before=2**62, limit=100_000))
    leaves = database.read_sync(lambda c: c.execute("SELECT count(*) FROM entry").fetchone()[0])
    database.close()
    assert report.fault is None
    found = [parse_record(each.body) for each in rows]
    recorded = [
        leaf
        for each in found
        for first, count in (each.subject.leaves if each.subject else ())
        for leaf in range(first, first + count)
    ]
    assert set(load.acknowledged) <= set(recorded)
    assert sorted(recorded) == list(
        range(1, leaves)
    )  # each event has its record, and no record is of none
    assert sum(each.code == "json_malformed" for each in found) >= load.refused
