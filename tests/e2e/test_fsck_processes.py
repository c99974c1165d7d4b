"""fsck, repair and drill as an operator runs them: beside running nodes, and on a stopped one with chain and peer."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import RunningDevnet, alive, devnet, until
from e2e.test_hostile_flips import MADE, Stopped


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("fsck") / "net", "--nodes", "2") as found:
        yield found


def sealtrail(*arguments: str) -> tuple[int, Any, str]:
    result = subprocess.run(
        [sys.executable, "-m", "sealtrail.cli", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return result.returncode, json.loads(result.stdout or "null"), result.stderr


def test_a_store_is_checked_damaged_and_mended(running: RunningDevnet) -> None:
    asked = Stopped(running)
    maker, wholesaler = asked.maker, asked.node
    asked.post(maker, MADE)
    until(lambda: is_settled(Path(maker["data_dir"])), "the shipment and its anchor", 60)
    config = str(next(Path(maker["data_dir"]).parent.glob("*.toml")))

    # beside the running node
    code, report, errors = sealtrail("fsck", "--config", config)
    assert (code, report["faults"], report["unchecked"]) == (0, [], []), errors
    assert report["events"] == 3
    code, drilled, errors = sealtrail("drill", "--config", config, "--seed", "5", "--count", "9")
    assert [act for act in drilled["acts"] if not act["found"]] == [], errors
    assert code == 0
    assert drilled["found"] >= 3  # of a small store: no two at one event
    code, _, errors = sealtrail("fsck", "--config", config, "--processes", "2")
    assert code == 0, errors

    # a running node's store is not written
    path = Path(maker["data_dir"]) / "sealtrail.db"
    os.kill(maker["pid"], signal.SIGTERM)
    until(lambda: not alive(maker["pid"]), "the node's end")
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        store.execute("UPDATE event SET content = zeroblob(50) WHERE event_row = 1")
        store.execute("UPDATE event SET biz_step = 'picking' WHERE event_row = 2")
        before = store.execute("SELECT content FROM event").fetchall()
    code, report, _ = sealtrail("fsck", "--config", config, "--repair")
    assert code == 4
    assert {r["source"] for r in report["repairs"]} == {"content", "peers"}
    with closing(sqlite3.connect(path, isolation_level=None)) as store:
        assert store.execute("SELECT content FROM event").fetchall() == before  # only shown
    code, report, errors = sealtrail("fsck", "--config", config, "--repair", "--yes")
    assert (code, report["faults"]) == (0, []), (report["repairs"], errors)
    assert all(repair["done"] for repair in report["repairs"])
    assert wholesaler["name"] == "wholesaler"


def is_settled(data: Path) -> bool:
    """Tell whether all was delivered, and anchored for good."""
    uri = f"{(data / 'sealtrail.db').as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=10)) as store:
        waiting = store.execute("SELECT count(*) FROM delivery WHERE delivered_ms IS NULL")
        unfinal = store.execute("SELECT count(*) FROM anchor_outbox WHERE state <> 'final'")
        sent = store.execute("SELECT count(*) FROM delivery")
        return (waiting.fetchone(), unfinal.fetchone()) == ((0,), (0,)) and sent.fetchone() > (0,)


def test_a_running_node_s_store_is_not_mended(running: RunningDevnet) -> None:
    node = running.node("wholesaler")
    path = Path(node["data_dir"]) / "sealtrail.db"
    config = str(next(Path(node["data_dir"]).parent.glob("*.toml")))
    with closing(sqlite3.connect(path, isolation_level=None, timeout=10)) as store:
        changed = store.execute(
            "UPDATE event SET biz_step = 'picking' WHERE event_row = 1 AND biz_step <> 'picking'"
        ).rowcount
    assert changed == 1
    code, _, errors = sealtrail("fsck", "--config", config, "--repair", "--yes")
    assert code == 3
    assert "store_in_use" in errors
