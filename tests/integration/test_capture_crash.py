"""kill -9 under load: nothing that was acknowledged is lost, nothing half-written stays."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp

from capture_events import bare, document, event
from capture_node import DOMAIN, RECEIPTS, TOKEN
from sealtrail.log.tree import leaf_hash, root_hash
from sealtrail.signing import entry_id, parse_leaf
from sealtrail.store.contents import parse_content
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore

NODE = Path(__file__).parent.parent / "capture_node.py"
ROUNDS = 3


async def test_kill_9_under_load_loses_nothing_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[dict[str, Any]] = []
    for round_ in range(ROUNDS):
        before = len(acknowledged)
        await _load_until_killed(tmp_path, round_, acknowledged)
        assert len(acknowledged) >= before + 100
        _check(tmp_path / "node.db", acknowledged)


async def _load_until_killed(path: Path, round_: int, acknowledged: list[dict[str, Any]]) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(NODE), str(path), "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    target, enough = len(acknowledged) + 100, asyncio.Event()

    def note(receipts: list[dict[str, Any]]) -> None:
        acknowledged.extend(receipts)
        if len(acknowledged) >= target:
            enough.set()

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **RECEIPTS}
    async with aiohttp.ClientSession(url, headers=headers) as session:
        clients = [
            asyncio.create_task(_client(session, round_ * 10_000_000 + n * 100_000, note))
            for n in range(8)
        ]
        await asyncio.wait_for(enough.wait(), 60)
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.gather(*clients)
    await process.wait()


async def _client(
    session: aiohttp.ClientSession, serial: int, note: Callable[[list[dict[str, Any]]], None]
) -> None:
    """Post singles and documents in turn until the node is gone."""
    while True:
        try:
            async with session.post("/events", data=bare(event(serial))) as response:
                assert response.status == 201
                note([await response.json()])
            body = document(*(event(serial + n) for n in range(1, 21)))
            asked = {"Prefer": "return=representation"}
            async with session.post("/capture", data=body, headers=asked) as response:
                assert response.status == 202
                note((await response.json())["receipts"])
        except (aiohttp.ClientError, OSError):
            return
        serial += 21


def _check(path: Path, acknowledged: list[dict[str, Any]]) -> None:
    database = Database.open(path)
    log = LogStore.open(database)

    def rows(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
        return connection.execute(
            "SELECT entry.leaf_index, entry.entry_id, entry.leaf, event.content, event.content_hash,"
            " (SELECT count(*) FROM event_item WHERE event_item.event_row = event.event_row)"
            " FROM entry LEFT JOIN event ON event.leaf_index = entry.leaf_index"
            " ORDER BY entry.leaf_index"
        ).fetchall()

    stored = database.read_sync(rows)
    jobs = database.read_sync(lambda c: c.execute("SELECT count(*) FROM capture_job").fetchone()[0])
    assert database.read_sync(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0]) == "ok"
    assert [row[0] for row in stored] == list(range(log.size))
    assert log.head().root_hash == root_hash(leaf_hash(row[2]) for row in stored)
    for _, id_, leaf, content, content_hash, items in stored[1:]:
        assert entry_id(parse_leaf(leaf).entry, DOMAIN) == id_
        assert sha256(parse_content(content)).digest() == content_hash
        assert items > 0
    by_id = {"0x" + row[1].hex(): row for row in stored}
    for receipt in acknowledged:
        row = by_id[receipt["entry_id"]]
        assert row[0] == receipt["leaf_index"]
        assert "0x" + row[4].hex() == receipt["content_hash"]
    assert jobs * 20 <= len(stored)
    database.close()
