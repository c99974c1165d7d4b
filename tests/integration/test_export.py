"""``sealtrail export`` against a real node: what was captured comes out, whole, in every form, and goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from capture_events import CONTEXT, document, event, pack
from capture_node import TOKEN, CaptureNode, capture_node
from sealtrail.cli import export_spool, main
from sealtrail.cli.node_client import NodeClient
from sealtrail.epcis import detect_media_type, parse_document
from sealtrail.epcis.views import write_capture_document
from sealtrail.errors import UnavailableError

OWN = [*CONTEXT, {"ext": "https://ext.example.org/"}]


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[CaptureNode]:
    async with capture_node(tmp_path / "node.db") as running:
        yield running


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, list(arguments))


async def export(node: CaptureNode, output: Path, *options: str) -> int:
    where = ("--node", node.url, "--token", TOKEN)
    return await run("export", "-o", str(output), *where, *options)


async def capture(node: CaptureNode, content: bytes) -> None:
    client = NodeClient(node.url, TOKEN)
    await asyncio.to_thread(client.post, "/capture", content, Content_Type="application/json")
    client.close()


def events_in(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_bytes())["epcisBody"]["eventList"]
    return found


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def packs(path: Path) -> list[str]:
    return [epc for each in events_in(path) for epc in each["epcList"]]


def hashes(content: bytes) -> set[bytes]:
    read = parse_document(content, media_type=detect_media_type(content)).events
    return {each.event_hash for each in read if not isinstance(each, Exception)}


async def test_everything_comes_out_over_many_pages(
    node: CaptureNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_spool, "PER_PAGE", 7)
    captured = document(*(event(n) for n in range(30)))
    await capture(node, captured)
    output = tmp_path / "out.json"
    assert await export(node, output) == 0
    assert hashes(output.read_bytes()) == hashes(captured)
    assert json.loads(output.read_bytes())["@context"] == CONTEXT
    assert [name for name in names(tmp_path) if name.startswith("out")] == ["out.json"]


async def test_only_what_matches_comes_out(node: CaptureNode, tmp_path: Path) -> None:
    await capture(
        node,
        document(
            event(1),
            event(2, bizStep="shipping", action="OBSERVE"),
            event(3, eventTime="2026-03-05T10:00:00Z"),
        ),
    )
    output = tmp_path / "out.json"
    for options, serials in (
        (("--query", "EQ_bizStep=shipping&EQ_action=OBSERVE"), [2]),
        (("--param", f"MATCH_epc={pack(1)}"), [1]),
        (("--item", "(01)04012345111118(21)3"), [3]),
        (("--from", "2026-03-02T00:00:00Z"), [3]),
        (("--until", "2026-03-02T00:00:00Z"), [1, 2]),
        (("--item", "(01)04012345111118(10)A"), []),
    ):
        assert await export(node, output, *options) == 0
        assert packs(output) == [pack(n) for n in serials]


async def test_events_of_several_contexts_keep_theirs(node: CaptureNode, tmp_path: Path) -> None:
    await capture(node, document(event(1)))
    await capture(node, document(event(2, **{"ext:note": "x"}), **{"@context": OWN}))
    output = tmp_path / "out.json"
    assert await export(node, output) == 0
    assert [each["@context"] for each in events_in(output)] == [CONTEXT, OWN]
    assert len(hashes(output.read_bytes())) == 2


async def test_a_folder_has_files_of_so_many(
    node: CaptureNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await capture(node, document(*(event(n) for n in range(5))))
    folder = tmp_path / "a" / "out"
    assert await export(node, folder, "--events-per-file", "2", "--json") == 0
    files = ["events-000001.json", "events-000002.json", "events-000003.json"]
    assert names(folder) == files
    assert [len(events_in(folder / name)) for name in files] == [2, 2, 1]
    told = json.loads(capsys.readouterr().out)
    assert told["events"] == 5
    first = told["files"][0]
    content = (folder / files[0]).read_bytes()
    assert first["file"] == str(folder / files[0])
    assert (first["bytes"], first["events"]) == (len(content), 2)
    assert first["sha256"] == hashlib.sha256(content).hexdigest()
    assert await export(node, folder, "--events-per-file", "2") == 2
    assert "export_exists" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["xml", "xml-1.2"])
async def test_xml_comes_out_in_both_versions(node: CaptureNode, tmp_path: Path, form: str) -> None:
    await capture(node, document(event(1), event(2)))
    output = tmp_path / "out.xml"
    parties = ("--sender", "urn:epc:id:sgln:4012345.00001.0", "--receiver", "urn:x:y")
    options = ("--form", form, *parties)
    assert await export(node, output, *options) == 0
    root = etree.parse(str(output)).getroot()
    assert root.get("schemaVersion") == ("2.0" if form == "xml" else "1.2")
    assert [e.text for e in root.iterfind(".//epc")] == [pack(1), pack(2)]
    assert [e.text for e in root.iterfind(".//{*}Identifier")] == [parties[1], parties[3]]


@pytest.mark.parametrize("form", ["json", "xml"])
async def test_what_came_as_xml_goes_out_in_either_binding(
    node: CaptureNode, tmp_path: Path, form: str
) -> None:
    views = [{"@context": OWN, **event(n, **{"ext:note": f"<{n}>"})} for n in range(3)]
    document = write_capture_document(views, form="xml-2.0", created="2026-03-01T10:00:00Z")
    (tmp_path / "in.xml").write_bytes(document)
    where = ("--node", node.url, "--token", TOKEN, "--no-journal")
    assert await run("capture", str(tmp_path / "in.xml"), "--batch-events", "2", *where) == 0
    output = tmp_path / f"out.{form}"
    assert await export(node, output, "--form", form) == 0
    exported = output.read_bytes()
    assert hashes(exported) == hashes(document)
    assert len(hashes(exported)) == 3


async def test_what_1_2_has_no_words_for_is_refused_or_left_out(
    node: CaptureNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lasting = {"set": ["completeness_verified"]}
    await capture(node, document(event(1), event(2, persistentDisposition=lasting)))
    output = tmp_path / "out.xml"
    options = ("--form", "xml-1.2", "--json")
    assert await export(node, output, *options) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["pointer"]) == ("not_in_epcis_1_2", "/persistentDisposition")
    assert error["event_id"].startswith("ni:///")
    assert not output.exists()
    assert await export(node, output, *options, "--skip") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["events"], told["left_out"]) == (1, 1)
    assert told["left_out_events"] == [
        {"event_id": error["event_id"], "code": error["code"], "pointer": error["pointer"]}
    ]


class Interrupted(export_spool.NodeClient):
    """A connection that breaks after some answers."""

    def __init__(self, url: str, answers: int) -> None:
        super().__init__(url, TOKEN)
        self.left = answers
        self.asked: list[str] = []

    def get(self, path: str, **headers: str) -> Any:
        if self.left == 0:
            raise UnavailableError("node_unreachable", "gone")
        self.left -= 1
        self.asked.append(path)
        return super().get(path, **headers)


async def interrupted(
    node: CaptureNode, path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], export_spool.Spool]:
    """Leave a spool of 30 events of which two pages of seven have come."""
    monkeypatch.setattr(export_spool, "PER_PAGE", 7)
    await capture(node, document(*(event(n) for n in range(30))))
    asked = export_spool.Asked(node=node.url, query="", epc_format="Never_Translates")
    spool = export_spool.Spool(path, asked)
    with pytest.raises(UnavailableError):
        await asyncio.to_thread(spool.fetch, Interrupted(node.url, 2), lambda _: None)
    return lambda: export_spool.Spool(path, asked)


def serials(spool: export_spool.Spool) -> list[str]:
    return [each["epcList"][0] for each in spool.events()]


async def test_an_interrupted_export_goes_on(
    node: CaptureNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spool"
    again = await interrupted(node, path, monkeypatch)
    with path.open("ab") as file:
        file.write(b'{"half": "a pa')
    client = Interrupted(node.url, 100)
    spool = again()
    assert await asyncio.to_thread(spool.fetch, client, lambda _: None) == 30
    assert len(client.asked) == 3
    assert serials(spool) == [pack(n) for n in range(30)]


async def test_an_export_of_something_else_begins_anew(
    node: CaptureNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spool"
    await interrupted(node, path, monkeypatch)
    asked = export_spool.Asked(
        node=node.url, query="EQ_action=DELETE", epc_format="Never_Translates"
    )
    spool = export_spool.Spool(path, asked)
    assert await asyncio.to_thread(spool.fetch, Interrupted(node.url, 9), lambda _: None) == 0
    assert serials(spool) == []


async def test_a_page_that_the_node_no_longer_knows_begins_anew(
    node: CaptureNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spool"
    again = await interrupted(node, path, monkeypatch)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:-1], b'[14,"bm8gdG9rZW4"]']) + b"\n")
    spool = again()
    assert await asyncio.to_thread(spool.fetch, Interrupted(node.url, 9), lambda _: None) == 30
    assert serials(spool) == [pack(n) for n in range(30)]


async def test_a_file_that_can_not_be_written_is_named(
    node: CaptureNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await capture(node, document(event(1)))
    for output in (tmp_path / "none" / "out.json", tmp_path):
        assert await export(node, output) == 2
        assert "file_unwritable" in capsys.readouterr().err


async def test_options_that_say_nothing_are_usage(
    node: CaptureNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.json"
    for options in (("--param", "EQ_action"), ("--sender", "urn:x:y")):
        assert await export(node, output, *options) == 2
        assert "[usage]" in capsys.readouterr().err
    assert await export(node, output, "--query", "EQ_colour=red") == 2
    assert "EQ_colour" in capsys.readouterr().err
    assert not output.exists()
