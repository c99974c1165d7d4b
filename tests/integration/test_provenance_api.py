"""``GET /v1/provenance``: items in every form, times, errors, scopes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession, web

from capture_node import TOKEN, TOKENS
from provenance_world import MAKER, World, commissioning
from scenarios import item
from sealtrail.api.application import make_application
from sealtrail.api.limits import make_runner
from sealtrail.api.provenance import routes
from sealtrail.config import HttpSettings
from sealtrail.services.answers.corrections import CorrectionsService
from sealtrail.services.answers.queries import QueryService

P1, P2 = item("P1"), item("P2")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[tuple[ClientSession, str]]:
    """A node with one commissioned pack, over HTTP."""
    world = World(tmp_path)
    node = await world.node(MAKER)
    await node.record(commissioning(MAKER, 1, P1, item("PA%2FB")))
    await node.record(commissioning(MAKER, 2, P2.replace("urn:epc:id:sgtin", "URN:EPC:ID:SGTIN")))
    await node.anchor()

    async def nothing() -> list[str]:
        return []

    async def status() -> dict[str, Any]:
        return {}

    queries = QueryService(
        node.database, node.log, clock=lambda: node.now_ms, anchor_delay_ms=60_000
    )
    application = make_application(
        capture=node.capture,
        queries=queries,
        settings=HttpSettings(),
        tokens=TOKENS,
        status=status,
        readiness=nothing,
        metrics=dict,
        more_routes=routes(node.provenance, CorrectionsService(node.database, node.provenance)),
    )
    runner = make_runner(application, HttpSettings())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with ClientSession(headers=headers) as session:
        yield session, f"http://127.0.0.1:{runner.addresses[0][1]}/v1/provenance"
    await runner.cleanup()
    world.close()


async def get(
    client: tuple[ClientSession, str], path: str, **options: Any
) -> tuple[int, dict[str, Any]]:
    session, base = client
    async with session.get(base + path, **options) as response:
        return response.status, await response.json()


LINK = "https://id.gs1.org/01/04012345123456/21/P1"


@pytest.mark.parametrize(
    "text",
    [
        P1,
        P1.replace("urn:epc:id:sgtin", "URN:EPC:ID:SGTIN"),
        LINK,
        LINK.replace("https://id.gs1.org", "HTTPS://ID.GS1.ORG"),
        "https://example.com/some/path/01/04012345123456/10/L1/21/P1?17=271231",
        "(01)04012345123456(21)P1",
        "(01)04012345123456(17)271231(10)L1(21)P1",
        "]d201040123451234561727123110L1\x1d21P1",
        "0104012345123456\x1d21P1",
        "]Q1https://example.com/01/04012345123456/21/P1",
    ],
)
async def test_an_item_in_every_form_is_the_same_item(
    client: tuple[ClientSession, str], text: str
) -> None:
    by_path = await get(client, "/" + quote(text, safe=""))
    by_query = await get(client, "", params={"item": text})
    for status, answer in (by_path, by_query):
        assert status == 200, answer
        assert (
            answer["question"]["item"]
            == (await get(client, "/" + quote(P1)))[1]["question"]["item"]
        )
        assert answer["verdicts"]["identifier"]["verdict"] == "known_matching"


async def test_an_item_recorded_under_a_urn_in_capitals_is_found_by_any(
    client: tuple[ClientSession, str],
) -> None:
    status, answer = await get(client, "/" + quote(P2))
    assert status == 200
    assert answer["verdicts"]["identifier"]["verdict"] == "known_matching"


async def test_a_serial_with_a_slash_is_found(client: tuple[ClientSession, str]) -> None:
    status, answer = await get(client, "/" + quote(item("PA%2FB"), safe=""))
    assert status == 200, answer


async def test_an_item_that_nothing_is_known_of_is_an_answer(
    client: tuple[ClientSession, str],
) -> None:
    status, answer = await get(client, "/" + quote(item("P404"), safe=""))
    assert status == 200
    assert answer["verdicts"]["identifier"]["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("nonsense", "identifier_unrecognised"),
        ("", "identifier_empty"),
        ("(01)04012345123457(21)P1", "identifier_check_digit"),
        ("urn:epc:id:sgtin:4012345.0123456.P1", "identifier_malformed"),
        ("URN:EPC:ID:SGTIN:4012345.0123456.P1", "identifier_malformed"),
        ("https://id.gs1.org/414/4012345000016", "identifier_of_no_item"),
        ("urn:epc:id:sgln:4012345.00001.0", "identifier_of_no_item"),
        ("(417)4012345000016", "identifier_of_no_item"),
        ("x" * 2001, "identifier_too_long"),
    ],
)
async def test_an_item_that_cannot_be_read_is_an_error(
    client: tuple[ClientSession, str], text: str, code: str
) -> None:
    status, problem = await get(client, "", params={"item": text})
    assert (status, problem["code"]) == (400, code)


async def test_times_are_asked_in_rfc_3339(client: tuple[ClientSession, str]) -> None:
    status, answer = await get(
        client, "/" + quote(P1, safe=""), params={"as_of": "2020-01-01T00:00:00Z"}
    )
    assert status == 200
    assert answer["question"]["as_of"] == "2020-01-01T00:00:00.000Z"
    assert answer["journey"] == []
    status, answer = await get(
        client, "/" + quote(P1, safe=""), params={"known_at": "2030-01-01T01:00:00+01:00"}
    )
    assert answer["question"]["known_at"] == "2030-01-01T00:00:00.000Z"
    assert len(answer["journey"]) == 1


@pytest.mark.parametrize("name", ["as_of", "known_at"])
@pytest.mark.parametrize(
    "time",
    [
        *("yesterday", "2020-01-01", "2020-01-01T00:00:00", "", "9" * 60),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),  # outside the calendar in UTC
    ],
)
async def test_a_time_that_is_none_is_refused(
    client: tuple[ClientSession, str], time: str, name: str
) -> None:
    status, problem = await get(client, "/" + quote(P1, safe=""), params={name: time})
    assert (status, problem["code"]) == (400, "time_invalid")


async def test_an_unknown_parameter_is_refused(client: tuple[ClientSession, str]) -> None:
    status, problem = await get(client, "/" + quote(P1, safe=""), params={"asof": "x"})
    assert (status, problem["code"]) == (400, "query_parameter_unknown")


async def test_another_scope_is_not_enough(client: tuple[ClientSession, str]) -> None:
    headers = {"Authorization": "Bearer query-only"}
    status, problem = await get(client, "/" + quote(P1, safe=""), headers=headers)
    assert (status, problem["code"]) == (403, "scope_missing")
