"""``sealtrail capture`` of folders, archives and what arrives in a folder, against real nodes."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from capture_events import CONTEXT, document, event, pack
from capture_node import TOKEN, capture_node
from sealtrail.cli import main
from sealtrail.cli.capture_files import FileCapture
from sealtrail.cli.capture_sender import Outcome, Sender
from sealtrail.cli.capture_watch import Watch
from sealtrail.cli.documents import open_regular
from sealtrail.cli.node_client import NodeClient
from sealtrail.epcis.views import write_capture_document
from sealtrail.errors import SealtrailError

NODE = Path(__file__).parents[1] / "capture_node.py"
BAD = {"eventTime": "soon"}


def until(condition: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} seconds for {what}")


def in_xml(*events: dict[str, Any]) -> bytes:
    views = [{"@context": CONTEXT, **each} for each in events]
    return write_capture_document(views, form="xml-1.2", created="2026-03-01T10:00:00Z")


async def run(*arguments: str) -> int:
    return await asyncio.to_thread(main, list(arguments))


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    """Return the outcome of each document by the name of its file."""
    found = json.loads(capsys.readouterr().out)["files"]
    return {Path(each["file"]).name: each for each in found}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a document, one a line below it, an archive, and what is none of these."""
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "a.json").write_bytes(document(event(1), event(2)))
    (folder / "deeper" / "b.jsonl").write_bytes(document(event(3)) + b"\n" + document(event(4)))
    (folder / "c.json.gz").write_bytes(gzip.compress(document(event(5))))
    with zipfile.ZipFile(folder / "d.zip", "w") as archive:
        archive.writestr("x/e.json", document(event(6)))
        archive.writestr("x/f.json", document(event(7), event(8, **BAD)))
        archive.writestr("x/h.xml", in_xml(event(10), event(11)))
        archive.writestr("read.me", "no document")
    for name in ("notes.txt", ".hidden/g.json", ".h.json", "i.json.part"):
        (folder / name).write_bytes(document(event(9)))
    return folder


async def test_a_folder_is_captured_with_its_archives(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with capture_node(tmp_path / "node.db") as node:
        where = ("--node", node.url, "--token", TOKEN, "--journal", str(tmp_path / "journal"))
        assert await run("capture", str(files), "--json", *where) == 2
        found = told(capsys)
        assert {name: each["captured"] for name, each in found.items()} == {
            "a.json": 2, "c.json.gz:c.json": 1, "e.json": 1, "f.json": 1, "h.xml": 2, "b.jsonl": 2,
        }  # fmt: skip
        (error,) = found["f.json"]["errors"]
        assert (error["code"], error["pointer"]) == (
            "time_malformed",
            "/epcisBody/eventList/1/eventTime",
        )
        # and again: what was taken is not sent twice
        assert await run("capture", str(files), "--json", *where) == 2
        assert {name: each["skipped"] for name, each in told(capsys).items()} == {
            "a.json": 2, "c.json.gz:c.json": 1, "e.json": 1, "f.json": 0, "h.xml": 2, "b.jsonl": 2,
        }  # fmt: skip


async def test_one_bad_file_does_not_keep_the_others_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.json").write_bytes(b"{")
    (folder / "b.zip").write_bytes(b"no archive")
    (folder / "c.json").write_bytes(document(event(1)))
    async with capture_node(tmp_path / "node.db") as node:
        where = ("--node", node.url, "--token", TOKEN, "--no-journal")
        assert await run("capture", str(folder), "--json", *where) == 2
    found = told(capsys)
    assert found["a.json"]["errors"][0]["code"] == "json_malformed"
    assert found["b.zip"]["errors"][0]["code"] == "archive_malformed"
    assert found["c.json"]["captured"] == 1


async def test_what_a_document_says_commands_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b]0;mine\x07\u202e\n"
    (tmp_path / "a.json").write_bytes(document(event(1, **{hostile: 1})))
    async with capture_node(tmp_path / "node.db") as node:
        where = ("--node", node.url, "--token", TOKEN, "--no-journal")
        assert await run("capture", str(tmp_path / "a.json"), *where) == 2
    told_of = capsys.readouterr()
    assert "mine" in told_of.err
    assert not any(c in told_of.out + told_of.err for c in "\x1b\x07\u202e")


async def test_pipes_and_names_that_are_no_text_stop_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    os.mkfifo(folder / "pipe.json")
    (folder / os.fsdecode(b"a\xff.json")).write_bytes(document(event(1)))
    async with capture_node(tmp_path / "node.db") as node:
        where = ("--node", node.url, "--token", TOKEN, "--no-journal")
        assert await run("capture", str(folder), "--json", *where) == 0
    assert {name: each["captured"] for name, each in told(capsys).items()} == {"a\\xff.json": 1}


async def test_what_is_not_the_files_fault_ends_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_bytes(document(event(1)))
    file = str(tmp_path / "a.json")
    async with capture_node(tmp_path / "node.db") as node:
        for token, code in (("query-only", "scope_missing"), ("wrong", "token_unknown")):
            where = ("--node", node.url, "--token", token, "--no-journal")
            assert await run("capture", file, "--json", *where) == 2
            assert json.loads(capsys.readouterr().err)["error"]["code"] == code
        where = ("--node", node.url, "--token", TOKEN, "--no-journal")
        assert await run("capture", file, str(tmp_path / "none.json"), *where) == 2
        assert "file_missing" in capsys.readouterr().err
    assert await run("capture", file, *where) == 3


async def test_a_folder_of_nothing_is_said_to_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    async with capture_node(tmp_path / "node.db") as node:
        where = ("--node", node.url, "--token", TOKEN, "--no-journal")
        assert await run("capture", str(tmp_path / "in"), *where) == 0
    assert "no documents" in capsys.readouterr().err


def test_files_and_a_watched_folder_exclude_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["a.json", "--watch", str(tmp_path)], ["a.json", "--once"]):
        assert main(["capture", *arguments]) == 2
        assert "[usage]" in capsys.readouterr().err


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def node_process(folder: Path, port: int) -> Iterator[None]:
    """Run a node in a process of its own, and kill it at the end."""
    folder.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, str(NODE), str(folder), str(port)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield
    finally:
        process.kill()
        process.communicate()


@contextmanager
def watching(folder: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the command on a folder, and kill it at the end if it has not ended."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "sealtrail.cli", "capture", "--watch", str(folder)),
            *("--node", f"http://127.0.0.1:{port}", "--token", TOKEN, "--interval", "0.1"),
            *("--no-journal", *options),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "arriving"
    found.mkdir()
    return found


def put(folder: Path, name: str, content: bytes) -> Path:
    """Put a whole file into a folder, as one should: written under another name, then renamed."""
    beside = folder / f".{name}"
    beside.write_bytes(content)
    return beside.rename(folder / name)


def events_of(port: int) -> list[dict[str, Any]]:
    client = NodeClient(f"http://127.0.0.1:{port}", TOKEN)
    try:
        answer = client.get("/events?perPage=1000").json()
    except SealtrailError:
        return []
    finally:
        client.close()
    found: list[dict[str, Any]] = answer["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    return found


def test_what_arrives_is_captured_and_moved(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    put(folder, "first.json", document(event(1)))
    with node_process(tmp_path / "node", port), watching(folder, port, "--json") as process:
        until(lambda: (folder / "done" / "first.json").exists(), "the first file")
        put(folder, "bad.json", document(event(2), event(3, **BAD)))
        put(folder, "worse", b"{")
        put(folder, "fine.xml", in_xml(event(5)))
        reasons = [folder / "refused" / f"{n}.reason.json" for n in ("bad.json", "worse")]
        until(lambda: not [p for p in folder.iterdir() if p.is_file()], "the others")
        bad, worse = (json.loads(reason.read_bytes()) for reason in reasons)
        assert bad["documents"][0]["captured"] == 1
        assert bad["documents"][0]["errors"][0]["code"] == "time_malformed"
        assert worse["documents"][0]["errors"][0]["code"] == "json_malformed"
        assert (folder / "refused" / "bad.json").read_bytes() == document(event(2), event(3, **BAD))
        # a name that was there before takes nothing away
        put(folder, "first.json", document(event(4)))
        until(lambda: (folder / "done" / "first-2.json").exists(), "the second of that name")
        assert sorted(e["epcList"][0] for e in events_of(port)) == [pack(n) for n in (1, 2, 4, 5)]
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
    lines = [json.loads(line) for line in output.splitlines()]
    assert sorted(Path(each["moved_to"]).name for each in lines) == [
        "bad.json", "fine.xml", "first-2.json", "first.json", "worse",
    ]  # fmt: skip


def test_files_wait_while_the_node_is_away(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    put(folder, "a.json", document(event(1)))
    with watching(folder, port) as process:
        assert process.stderr is not None
        assert "waiting for the node" in process.stderr.readline()
        assert (folder / "a.json").exists()
        with node_process(tmp_path / "node", port):
            until(lambda: (folder / "done" / "a.json").exists(), "the file")
        put(folder, "b.json", document(event(2)))
        assert "waiting for the node" in process.stderr.readline()
        assert (folder / "b.json").exists()
        with node_process(tmp_path / "node", port):
            until(lambda: (folder / "done" / "b.json").exists(), "the second file")
            assert len(events_of(port)) == 2


def test_a_stop_while_the_node_is_away_leaves_the_file(folder: Path) -> None:
    put(folder, "a.json", document(event(1)))
    with watching(folder, free_port()) as process:
        assert process.stderr is not None
        assert "waiting for the node" in process.stderr.readline()
        process.terminate()
        assert process.wait(60) == 0
    assert (folder / "a.json").exists()


def test_a_crash_before_the_move_does_no_harm(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    with node_process(tmp_path / "node", port):
        client = NodeClient(f"http://127.0.0.1:{port}", TOKEN)
        client.post("/capture", document(event(1)), Content_Type="application/json")
        client.close()
        # captured, the reason of an earlier run beside nothing, and not moved
        put(folder, "a.json", document(event(1), event(2, **BAD)))
        (folder / "refused").mkdir()
        (folder / "refused" / "a.json.reason.json").write_bytes(b"{}")
        with watching(folder, port, "--once") as process:
            process.communicate(timeout=60)
            assert process.returncode == 2
        assert len(events_of(port)) == 1
    assert [p.name for p in sorted((folder / "refused").iterdir())] == [
        "a.json", "a.json.reason.json",
    ]  # fmt: skip
    assert b"time_malformed" in (folder / "refused" / "a.json.reason.json").read_bytes()


def test_once_takes_what_is_there_and_ends(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    for n in range(3):
        put(folder, f"{n}.json", document(event(n)))
    with node_process(tmp_path / "node", port), watching(folder, port, "--once") as process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert output.count("1 captured") == 3
    with watching(folder, port, "--once") as process:
        process.communicate(timeout=60)
        assert process.returncode == 0
    put(folder, "3.json", document(event(3)))
    with watching(folder, port, "--once") as process:
        _, told = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "node_unreachable" in told


def test_a_token_that_is_refused_moves_nothing(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    put(folder, "a.json", document(event(1)))
    options = ("--token", "query-only")
    with node_process(tmp_path / "node", port), watching(folder, port, *options) as process:
        process.communicate(timeout=60)
        assert process.returncode == 2
    assert (folder / "a.json").exists()


def as_link(path: Path, secret: Path) -> None:
    path.symlink_to(secret)


def as_pipe(path: Path, _: Path) -> None:
    os.mkfifo(path)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
@pytest.mark.parametrize("swap", [as_link, as_pipe])
async def test_what_is_swapped_between_look_and_opening_is_not_read(
    folder: Path, tmp_path: Path, name: str, swap: Callable[[Path, Path], None]
) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(
        gzip.compress(document(event(9))) if name.endswith("gz") else document(event(9))
    )
    put(folder, name, secret.read_bytes())
    outcomes: list[Outcome] = []

    def watch(url: str) -> None:
        client = NodeClient(url, TOKEN)
        sender = Sender(client, None, all_or_nothing=False, imported=False)
        capture = FileCapture(sender, 100, lambda _: None, open_regular)

        def swapped(path: Path) -> list[Outcome]:
            path.unlink()
            swap(path, secret)
            outcomes.extend(capture.capture(path))
            return outcomes

        Watch(
            folder,
            swapped,
            tell=lambda _: None,
            tell_waiting=lambda _: None,
            interval_seconds=0.05,
            stop=threading.Event(),
        ).run(once=True)
        client.close()

    async with capture_node(tmp_path / "node.db") as node:
        await asyncio.to_thread(watch, node.url)
        assert node.capture.statistics.events == 0
    assert [each["code"] for outcome in outcomes for each in outcome.errors] == ["file_unreadable"]
    assert sorted(os.listdir(folder)) == [name, "done", "refused"]
    assert os.listdir(folder / "refused") == []
