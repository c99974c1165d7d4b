"""``sealtrail export --master-data``: what the node knows of what the events name goes with them, in every form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from lxml import etree

import master_data
from capture_events import document, event
from capture_node import TOKEN, CaptureNode, capture_node
from sealtrail.cli import main
from sealtrail.cli.node_client import NodeClient, follow_pages
from sealtrail.errors import UnavailableError

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
PARTIES = ("--sender", master_data.SITE, "--receiver", "urn:epc:id:pgln:4012345.00000")
FORMS = ["json", "xml", "xml-1.2"]
OTHER = "urn:epc:idpat:sgtin:4012345.099999.*"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as running:
        await running.capture.capture(document(event(1), event(2)))
        yield running


async def put(node: CaptureNode, *vocabularies: dict[str, Any], **more: Any) -> None:
    body = json.dumps({"vocabularyList": list(vocabularies), **more})
    async with (
        aiohttp.ClientSession(node.url, headers=HEADERS) as client,
        client.put("/v1/masterdata", data=body) as response,
    ):
        assert response.status == 200, await response.text()


async def held(node: CaptureNode) -> dict[tuple[str, str], Any]:
    """Return what a node holds by type and identifier, without where it came from."""
    async with (
        aiohttp.ClientSession(node.url, headers=HEADERS) as client,
        client.get("/v1/masterdata?perPage=1000") as response,
    ):
        found = (await response.json())["elements"]
    return {
        (each["type"], each["canonical"]): (each["attributes"], each["children"]) for each in found
    }


async def export(url: str, output: Path, *options: str) -> int:
    where = ("--node", url, "--token", TOKEN, "--master-data")
    return await asyncio.to_thread(main, ["export", "-o", str(output), *where, *options])


@pytest.mark.parametrize("form", FORMS)
async def test_what_events_name_is_described_and_comes_back_the_same(
    node: CaptureNode, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await put(node, master_data.product(), master_data.site())
    known = await held(node)
    await put(node, master_data.vocabulary(master_data.EPC_CLASS, master_data.element(OTHER)))
    output = tmp_path / "out"
    assert await export(node.url, output, "--form", form, "--json", *PARTIES) == 0
    told = json.loads(capsys.readouterr().out)
    async with capture_node(tmp_path / "other.db") as other:
        media_type = "application/json" if form == "json" else "application/xml"
        async with (
            aiohttp.ClientSession(other.url, headers=HEADERS) as client,
            client.post(
                "/capture", data=output.read_bytes(), headers={"Content-Type": media_type}
            ) as response,
        ):
            assert response.status == 202, await response.text()
        again = await held(other)
    rooms = {(master_data.LOCATION, f"{master_data.SITE_LINK}/254/{n}") for n in ("room", "shelf")}
    assert rooms < set(known)  # no event names these
    assert again == {name: each for name, each in known.items() if name not in rooms}
    assert told["elements"] == len(again) == 2


@pytest.mark.parametrize("form", ["xml", "xml-1.2"])
async def test_the_header_is_as_the_schema_has_it(
    node: CaptureNode, tmp_path: Path, shared: Path, form: str
) -> None:
    await put(node, master_data.product(), master_data.site())
    output = tmp_path / "out.xml"
    assert await export(node.url, output, "--form", form, *PARTIES) == 0
    version = "2.0" if form == "xml" else "1.2"
    name = f"standards/xsd-{version}/EPCglobal-epcis-{version.replace('.', '_')}.xsd"
    etree.XMLSchema(file=shared / name).assertValid(etree.parse(str(output)))


async def test_each_file_of_a_folder_has_the_header(node: CaptureNode, tmp_path: Path) -> None:
    await put(node, master_data.product())
    folder = tmp_path / "out"
    assert await export(node.url, folder, "--events-per-file", "1") == 0
    files = [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]
    assert len(files) == 2
    for each in files:
        (listed,) = each["epcisHeader"]["epcisMasterData"]["vocabularyList"]
        assert [one["id"] for one in listed["vocabularyElementList"]] == [master_data.PRODUCT]


@pytest.mark.parametrize("form", FORMS)
async def test_where_nothing_is_known_there_is_no_header(
    node: CaptureNode, tmp_path: Path, form: str
) -> None:
    parties = PARTIES if form == "xml-1.2" else ()
    output = tmp_path / "out"
    assert await export(node.url, output, "--form", form, *parties) == 0
    assert b"asterData" not in output.read_bytes()


async def test_texts_that_look_like_markup_or_like_a_place_for_events_stay_texts(
    node: CaptureNode, tmp_path: Path
) -> None:
    odd = '</VocabularyList>&"<'
    await put(node, master_data.site(name=odd, city="\x00"))
    output = tmp_path / "out"
    assert await export(node.url, output) == 0
    (listed,) = json.loads(output.read_bytes())["epcisHeader"]["epcisMasterData"]["vocabularyList"]
    texts = [each["attribute"] for each in listed["vocabularyElementList"][0]["attributes"]]
    assert texts == [odd, "\x00", "DE"]
    assert await export(node.url, output, "--form", "xml") == 2  # no XML holds U+0000
    await put(node, master_data.site(name=odd))
    assert await export(node.url, output, "--form", "xml") == 0
    assert odd in [each.text for each in etree.parse(str(output)).iterfind(".//attribute")]


async def test_an_object_goes_into_xml_where_its_names_have_no_prefix(
    node: CaptureNode, tmp_path: Path
) -> None:
    attribute = {"id": "https://ns.example/address", "attribute": {"street": "Way 1"}}
    site = {"id": master_data.SITE, "attributes": [attribute]}
    await put(node, master_data.vocabulary(master_data.LOCATION, site))
    output = tmp_path / "out"
    assert await export(node.url, output, "--form", "xml") == 0
    assert etree.parse(str(output)).findtext(".//attribute/street") == "Way 1"


async def test_an_object_of_names_with_prefixes_is_said_in_json_only(
    node: CaptureNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    attribute = {"id": "https://ns.example/address", "attribute": {"x:street": "Way 1"}}
    site = {"id": master_data.SITE, "attributes": [attribute], "https://ns.example/own": "kept"}
    await put(node, master_data.vocabulary(master_data.LOCATION, site))
    output = tmp_path / "out"
    assert await export(node.url, output) == 0
    (listed,) = json.loads(output.read_bytes())["epcisHeader"]["epcisMasterData"]["vocabularyList"]
    assert listed["vocabularyElementList"] == [site]
    output.unlink()
    code = await export(node.url, output, "--form", "xml", "--json")
    error = json.loads(capsys.readouterr().err.splitlines()[-1])["error"]
    assert (code, error["code"]) == (2, "not_in_xml")
    assert error["pointer"].startswith("/epcisHeader/epcisMasterData/vocabularyList/0/")
    assert not output.exists()


async def test_a_header_of_epcis_1_2_names_both_parties(
    node: CaptureNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await export(node.url, tmp_path / "out", "--form", "xml-1.2") == 2
    assert "[usage]" in capsys.readouterr().err


# -- nodes that lead in circles ----------------------------------------------------------------------------


class Circling:
    """A node whose pages lead from one to the other without an end."""

    def __init__(self, tokens: list[str], answer: Any) -> None:
        self._tokens = tokens
        self._answer = answer
        self.asked = 0

    async def answer(self, request: web.Request) -> web.Response:
        following = self._tokens[self.asked % len(self._tokens)]
        self.asked += 1
        link = f'<http://x/{request.path}?nextPageToken={following}>; rel="next"'
        return web.json_response(self._answer, headers={"Link": link})


EVENTS = {
    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
    "type": "EPCISQueryDocument",
    "epcisBody": {"queryResults": {"queryName": "x", "resultsBody": {"eventList": [event(1)]}}},
}


@pytest.mark.parametrize("tokens", [["a"], ["a", "b"], ["a", "b", "c", "b"]])
async def test_pages_that_lead_in_a_circle_end_an_export(
    tmp_path: Path, tokens: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    circling = Circling(tokens, EVENTS)
    async with served(circling.answer) as url:
        assert await export(url, tmp_path / "out", "--json") == 3
        error = json.loads(capsys.readouterr().err)["error"]
        assert error["code"] == "node_garbage"
        assert "leads back" in error["message"]
        first = circling.asked
        assert first <= len(tokens) + 1
        assert await export(url, tmp_path / "out") == 3  # a second run remembers which pages came


@pytest.mark.parametrize("tokens", [["a"], ["a", "b"], ["a", "b", "c", "b"]])
async def test_a_listing_that_leads_in_a_circle_is_refused(tokens: list[str]) -> None:
    async with served(Circling(tokens, {"elements": []}).answer) as url:

        def read() -> int:
            client = NodeClient(url, None)
            try:
                return len(list(follow_pages(client, "/v1/masterdata", {})))
            finally:
                client.close()

        with pytest.raises(UnavailableError) as caught:
            await asyncio.to_thread(read)
        assert caught.value.code == "node_garbage"


@pytest.mark.parametrize("answer", [[], {}, {"elements": [{}]}, {"elements": 1}])
async def test_what_is_no_list_of_master_data_is_refused(tmp_path: Path, answer: Any) -> None:
    async def events(_: web.Request) -> web.Response:
        return web.json_response(EVENTS)

    async def listed(_: web.Request) -> web.Response:
        return web.json_response(answer)

    async with served(events, ("/v1/masterdata", listed)) as url:
        assert await export(url, tmp_path / "out") == 3
        assert not (tmp_path / "out").exists()


@asynccontextmanager
async def served(handler: Any, *others: tuple[str, Any]) -> AsyncIterator[str]:
    """Serve handlers: the first for every other address."""
    application = web.Application()
    for path, other in others:
        application.router.add_get(path, other)
    application.router.add_get("/{path:.*}", handler)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
