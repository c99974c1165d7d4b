"""The capture command cut short (Ctrl-C, a node that dies): run again, it goes on, and nothing is there twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import SEALTRAIL, RunningDevnet, devnet, until
from e2e.hostile_load import document, pack_event, victims

EVENTS = 3000


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("cut") / "net", "--nodes", "1") as started:
        yield started


def recorded(node: dict[str, Any]) -> int:
    """Return how many events are recorded, 0 while the node does not answer; its log also has entries of its own."""
    request = urllib.request.Request(  # noqa: S310 - a loopback address
        node["url"] + "/v1/status", headers={"Authorization": f"Bearer {node['token']}"}
    )
    try:
        urllib.request.urlopen(request, timeout=20).close()  # noqa: S310 - a loopback address
    except OSError:
        return 0
    file = next(Path(node["data_dir"]).glob("*.db"))
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as store:
        count: int = store.execute("SELECT count(*) FROM event").fetchone()[0]
        return count


def begin(running: RunningDevnet, file: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *SEALTRAIL,
            "capture",
            str(file),
            "--batch-events",
            "10",
            "--devnet",
            str(running.directory),
            "--as",
            "manufacturer",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"XDG_STATE_HOME": str(running.directory / "state")},
        # a suite that runs in the background ignores Ctrl-C, and what it starts would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def written(folder: Path, prefix: str) -> Path:
    file = folder / f"{prefix}.json"
    file.write_text(json.dumps(document([pack_event(f"{prefix}{n}") for n in range(EVENTS)])))
    return file


def test_a_capture_that_was_interrupted_goes_on(running: RunningDevnet, tmp_path: Path) -> None:
    node, file = running.node("manufacturer"), written(tmp_path, "X")
    before = recorded(node)
    process = begin(running, file)
    until(lambda: recorded(node) > before + 20, "the first events")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert recorded(node) < before + EVENTS
    again = running.json("manufacturer", "capture", str(file))["files"][0]
    assert again["captured"] + again["skipped"] == EVENTS
    assert recorded(node) == before + EVENTS


def test_a_capture_whose_node_died_goes_on(running: RunningDevnet, tmp_path: Path) -> None:
    node, file = running.node("manufacturer"), written(tmp_path, "Y")
    before = recorded(node)
    with victims(node) as (victim,):
        process = begin(running, file)
        until(lambda: recorded(node) > before + 20, "the first events")
        victim.kill()
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 3
        assert "Traceback" not in errors
        victim.start()
        until(lambda: recorded(node) > before, "the node")
        again = running.json("manufacturer", "capture", str(file))["files"][0]
        assert again["captured"] + again["skipped"] == EVENTS
        assert recorded(node) == before + EVENTS
