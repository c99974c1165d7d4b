"""What HTTP clients that nobody here wrote expect beside the standard: slashes, discovery, pages of other origins."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from lxml import etree

from capture_events import document, event
from capture_node import TOKEN, CaptureNode, capture_node
from sealtrail.api.cors import EXPOSED
from sealtrail.config import HttpSettings, parse_config
from sealtrail.errors import InputError

PAGE = "https://app.example.com"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}
JSON = {"Content-Type": "application/json"}
# What scripts may read of any answer (Fetch standard, CORS-safelisted response-header names), what browsers keep to
# themselves or understand by themselves, and what this machinery itself says
SAFELISTED = {
    *("Cache-Control", "Content-Language", "Content-Length", "Content-Type", "Last-Modified"),
    *("Date", "Server", "Vary", "Connection", "X-Content-Type-Options", "Content-Encoding"),
    *("Access-Control-Allow-Origin", "Access-Control-Expose-Headers"),
}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    settings = HttpSettings(cors_origins=[PAGE, "http://localhost:3000"])
    async with capture_node(tmp_path / "node.db", settings=settings) as node:
        await node.capture.capture(document(event(1), event(2)))
        yield node


@pytest.fixture
async def client(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(node.url, headers=AUTHORIZATION) as session:
        yield session


@pytest.fixture
async def stranger(node: CaptureNode) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(node.url) as session:
        yield session


async def named(client: aiohttp.ClientSession, name: str) -> None:
    made = {"name": name, "query": {"eventType": ["ObjectEvent"]}}
    async with client.post("/queries/", json=made) as response:
        assert response.status == 201, await response.text()


# -- a slash at the end ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/events", "/events?perPage=1", "/events/urn:uuid:any", "/capture", "/queries", "/epcs",
        "/bizSteps/shipping", "/eventTypes/ObjectEvent/events", "/v1/status", "/health", "/nothing",
        "/readPoints/https://id.gs1.org/414/4012345000016/events",
    ],
)  # fmt: skip
async def test_a_slash_at_the_end_of_an_address_changes_nothing(
    client: aiohttp.ClientSession, path: str
) -> None:
    address, question, query = path.partition("?")
    answers = []
    for asked in (path, f"{address}/{question}{query}"):
        async with client.get(asked, allow_redirects=False) as response:
            content = json.loads(await response.read())
            if "creationDate" in content:
                del content["creationDate"]
            headers = {name: response.headers.get(name) for name in ("Content-Type", "Allow")}
            answers.append((response.status, content, headers))
    assert answers[0] == answers[1]


async def test_a_body_behind_a_slash_arrives(client: aiohttp.ClientSession) -> None:
    sent = document(event(3))
    async with client.post("/capture/", data=sent, headers=JSON) as response:
        assert response.status == 202
        assert not response.headers["Location"].endswith("/")
    async with client.post("/events/", data=json.dumps(event(4) | CONTEXT), headers=JSON) as other:
        assert other.status == 201
    await named(client, "all")
    async with client.get("/queries/all/events/") as response:
        found = await response.json()
    assert len(found["epcisBody"]["queryResults"]["resultsBody"]["eventList"]) == 4


CONTEXT = {"@context": json.loads(document(event(1)))["@context"]}


async def test_the_pages_of_an_address_with_a_slash_go_on(client: aiohttp.ClientSession) -> None:
    async with client.get("/events/?perPage=1") as response:
        following = str(response.links["next"]["url"])
    async with client.get(following) as response:
        assert response.status == 200


@pytest.mark.parametrize(("tail", "status"), [("/", 404), ("%2F", 404), ("", 200)])
async def test_the_slash_of_an_identifier_is_its_own(
    client: aiohttp.ClientSession, tail: str, status: int
) -> None:
    place = "https://places.example/dock"
    sent = event(5, readPoint={"id": place})
    async with client.post("/events", data=json.dumps(sent | CONTEXT), headers=JSON) as response:
        assert response.status == 201
    async with client.get(f"/readPoints/{place}{tail}") as response:
        assert response.status == status


async def test_only_one_slash_is_passed_over(client: aiohttp.ClientSession) -> None:
    async with client.get("/events//") as response:
        assert response.status == 404


# -- discovery ---------------------------------------------------------------------------------------------

DISCOVERABLE = [
    "/", "/capture", "/capture/any", "/events", "/events/any", "/epcs", "/epcs/any", "/queries",
    "/bizSteps/shipping/events", "/queries/any", "/queries/any/events", "/queries/any/subscriptions",
    "/queries/any/subscriptions/any", "/events/",
]  # fmt: skip


@pytest.mark.parametrize("path", DISCOVERABLE)
async def test_versions_are_told_to_whoever_has_no_token(
    stranger: aiohttp.ClientSession, client: aiohttp.ClientSession, path: str
) -> None:
    async with stranger.options(path) as response, client.options(path) as with_token:
        assert response.status == with_token.status == 204
        assert response.headers["GS1-EPCIS-Version"].startswith("2.0")
        told = [{n: v for n, v in r.headers.items() if n != "Date"} for r in (response, with_token)]
    assert told[0] == told[1]


async def test_a_token_that_is_shown_for_discovery_must_be_known(
    stranger: aiohttp.ClientSession,
) -> None:
    for given in ("Bearer wrong", "Basic YTpi", ""):
        async with stranger.options("/events", headers={"Authorization": given}) as response:
            assert response.status == 401


async def test_discovery_tells_nothing_of_what_is_recorded(
    stranger: aiohttp.ClientSession, client: aiohttp.ClientSession
) -> None:
    await named(client, "mine")
    for there, elsewhere in (
        ("/queries/mine", "/queries/none"),
        ("/queries/mine/events", "/queries/none/events"),
        ("/bizSteps/commissioning", "/bizSteps/none"),
    ):
        told = []
        for path in (there, elsewhere):
            async with stranger.options(path) as response:
                told.append((response.status, {**response.headers, "Date": ""}))
        assert told[0] == told[1]


@pytest.mark.parametrize("path", ["/v1/status", "/nothing", "/v1/provenance/x", "/metrics"])
async def test_what_has_no_discovery_is_closed_to_strangers(
    stranger: aiohttp.ClientSession, path: str
) -> None:
    async with stranger.options(path) as response:
        assert response.status == 401


@pytest.mark.parametrize("media_type", ["application/xml", "text/xml"])
async def test_the_top_level_resources_come_as_xml(
    client: aiohttp.ClientSession, media_type: str
) -> None:
    async with client.get("/", headers={"Accept": f"{media_type}, */*;q=0.1"}) as response:
        assert (response.status, response.content_type) == (200, media_type)
        root = etree.fromstring(await response.read())
    async with client.get("/") as response:
        listed = await response.json()
    assert [each.text for each in root.iterfind("member")] == listed["member"]
    assert (root.tag, root.findtext("type")) == ("TopLevelResourceCollection", listed["type"])


# -- browsers ----------------------------------------------------------------------------------------------


def asked_by(origin: str, method: str = "POST", **more: str) -> dict[str, str]:
    return {"Origin": origin, "Access-Control-Request-Method": method, **more}


@pytest.mark.parametrize("path", ["/capture", "/events/x", "/v1/masterdata", "/nothing", "/"])
async def test_a_page_of_an_origin_that_is_named_may_send_requests(
    stranger: aiohttp.ClientSession, path: str
) -> None:
    wanted = {"Access-Control-Request-Headers": "authorization,content-type, gs1-epc-format"}
    async with stranger.options(path, headers=asked_by(PAGE, "PUT", **wanted)) as response:
        assert response.status == 204
        headers = response.headers
    assert headers["Access-Control-Allow-Origin"] == PAGE
    assert headers["Access-Control-Allow-Headers"] == "authorization, content-type, gs1-epc-format"
    assert {"GET", "POST", "PUT", "DELETE"} <= set(
        headers["Access-Control-Allow-Methods"].split(", ")
    )
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert "Origin" in headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in headers


OTHERS = [
    "https://evil.example", "null", "*", "https://app.example.com.evil.example", "", "\xff",
    "https://app.example.com:444", "http://app.example.com", "https://APP.example.com", f"{PAGE}/",
]  # fmt: skip


@pytest.mark.parametrize("origin", OTHERS)
async def test_a_page_of_another_origin_may_not(
    stranger: aiohttp.ClientSession, client: aiohttp.ClientSession, origin: str
) -> None:
    async with stranger.options("/v1/masterdata", headers=asked_by(origin)) as response:
        assert response.status == 401
        assert not [name for name in response.headers if name.startswith("Access-Control")]
    async with client.get("/events", headers={"Origin": origin}) as response:
        assert response.status == 200  # it is the browser that keeps it from the page
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        assert "Origin" in response.headers["Vary"]


@pytest.mark.parametrize("names", ["x\xff", "a b", "(x)", ",,", "x\t"])
async def test_names_of_headers_that_are_none_are_not_repeated(
    stranger: aiohttp.ClientSession, names: str
) -> None:
    wanted = asked_by(PAGE, **{"Access-Control-Request-Headers": f"{names},accept"})
    async with stranger.options("/events", headers=wanted) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Headers"] in ("accept", "x, accept")


async def test_without_configuration_no_page_of_another_origin_may(tmp_path: Path) -> None:
    async with (
        capture_node(tmp_path / "own.db") as node,
        aiohttp.ClientSession(node.url, headers=AUTHORIZATION) as client,
    ):
        for method, headers in (("OPTIONS", asked_by(PAGE)), ("GET", {"Origin": PAGE})):
            async with client.request(method, "/events", headers=headers) as response:
                told = [n for n in response.headers if n.startswith("Access-Control")]
                assert (told, response.headers.get("Vary")) == ([], None)


async def test_a_page_may_read_every_header_that_means_something(
    client: aiohttp.ClientSession, stranger: aiohttp.ClientSession
) -> None:
    await named(client, "all")
    by_page = {"Origin": PAGE}
    sent = document(event(9))
    asked: list[tuple[aiohttp.ClientSession, str, str, dict[str, Any]]] = [
        (client, "GET", "/events?perPage=1", {}),
        (client, "GET", "/queries?perPage=1", {}),
        (client, "GET", "/v1/limits", {}),
        (client, "OPTIONS", "/capture", {}),
        (client, "POST", "/capture", {"data": sent, "headers": JSON}),
        (client, "POST", "/capture", {"data": b"{", "headers": {**JSON, "Content-Encoding": "x"}}),
        (client, "DELETE", "/capture", {}),
        (stranger, "GET", "/events", {}),
        (client, "GET", "/events", {"headers": {"Accept": "text/html"}}),
    ]
    for who, method, path, more in asked:
        headers = {**by_page, **more.pop("headers", {})}
        async with who.request(method, path, headers=headers, **more) as response:
            assert response.headers["Access-Control-Allow-Origin"] == PAGE, path
            assert response.headers["Access-Control-Expose-Headers"] == ", ".join(EXPOSED)
            assert set(response.headers) - SAFELISTED <= set(EXPOSED), path


@pytest.mark.parametrize(
    "origin",
    [
        "*", "null", "app.example.com", "https://app.example.com/", "https://app.example.com/x", "",
        "https://App.example.com", "https://app.example.com:443", "http://a:80", "ftp://a", "https://",
        "https://a b", "https://user@a", "https://a:", "https://a:0", "https://a:123456", "https://*.a",
        "https://a?b", "https://a#b", "https://[::1", "https://-a",
    ],
)  # fmt: skip
def test_what_no_browser_calls_an_origin_is_refused_at_start(origin: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_config(f'[http]\ncors_origins = ["{origin}"]'.encode(), Path("sealtrail.toml"))
    assert caught.value.code == "config_out_of_range"
    assert caught.value.pointer == "http.cors_origins"


@pytest.mark.parametrize(
    "origin",
    ["https://app.example.com", "http://localhost:3000", "http://[::1]:8080", "https://a:80"],
)
def test_origins_as_browsers_write_them_are_taken(origin: str) -> None:
    config = parse_config(f'[http]\ncors_origins = ["{origin}"]'.encode(), Path("sealtrail.toml"))
    assert config.http.cors_origins == [origin]


@pytest.mark.parametrize("origin", [None, PAGE, "http://localhost:3000", "of the node itself"])
async def test_a_websocket_is_opened_for_pages_that_may_and_for_what_is_no_page(
    node: CaptureNode, client: aiohttp.ClientSession, origin: str | None
) -> None:
    await named(client, "all")
    given = node.url if origin == "of the node itself" else origin
    async with client.ws_connect("/queries/all/events?stream=true", origin=given) as socket:
        assert not socket.closed


@pytest.mark.parametrize("origin", [each for each in OTHERS if each])
async def test_a_websocket_is_not_opened_for_pages_of_another_origin(
    client: aiohttp.ClientSession, origin: str
) -> None:
    await named(client, "all")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await client.ws_connect("/queries/all/events?stream=true", origin=origin)
    assert refused.value.status == 403
