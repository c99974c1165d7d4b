"""Bytes flipped in a stopped node's database: the same answer, or one that says what is wrong; nothing else."""

from __future__ import annotations

import copy
import json
import os
import random
import signal
import sqlite3
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import RunningDevnet, alive, devnet, until
from e2e.hostile_load import PACK, document

LINK = "https://id.gs1.org/414/"
CASE = "https://id.gs1.org/00/395210010000000017"
PACKS = [PACK + serial for serial in ("F1", "F2")]
PARTIES = {
    "sourceList": [{"type": "possessing_party", "source": "https://id.gs1.org/417/9521001000017"}],
    "destinationList": [
        {"type": "possessing_party", "destination": "https://id.gs1.org/417/9521002000016"}
    ],
}


def event(kind: str, hour: int, gln: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "eventTime": f"2026-03-01T{hour:02}:00:00Z",
        "eventTimeZoneOffset": "+00:00",
        "readPoint": {"id": LINK + gln},
        **fields,
    }


MAKER, SELLER = "9521001000017", "9521002000016"
MADE = [
    event("ObjectEvent", 1, MAKER, epcList=PACKS, action="ADD", bizStep="commissioning",
          disposition="active", bizLocation={"id": LINK + MAKER},
          ilmd={"cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2031-01-01"}),
    event("AggregationEvent", 2, MAKER, parentID=CASE, childEPCs=PACKS, action="ADD",
          bizStep="packing", disposition="in_progress", bizLocation={"id": LINK + MAKER}),
    event("ObjectEvent", 3, MAKER, epcList=[CASE], action="OBSERVE", bizStep="shipping",
          disposition="in_transit", **PARTIES),
]  # fmt: skip
SOLD = [
    event("ObjectEvent", 4, SELLER, epcList=[CASE], action="OBSERVE", bizStep="receiving",
          disposition="in_progress", bizLocation={"id": LINK + SELLER}, **PARTIES),
    event("AggregationEvent", 5, SELLER, parentID=CASE, childEPCs=PACKS, action="DELETE",
          bizStep="unpacking", disposition="in_progress", bizLocation={"id": LINK + SELLER}),
    event("ObjectEvent", 6, SELLER, epcList=[PACKS[1]], action="OBSERVE", bizStep="decommissioning",
          disposition="inactive", bizLocation={"id": LINK + SELLER}),
]  # fmt: skip


class Stopped:
    """A wholesaler's node with own and others' events, all proven; stopped, to be damaged and asked."""

    def __init__(self, running: RunningDevnet) -> None:
        self.node = running.node("wholesaler")
        self.maker = running.node("manufacturer")
        self.database = Path(self.node["data_dir"]) / "sealtrail.db"
        self.errors = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._log = running.directory / "flipped.log"

    def prepare(self) -> None:
        self.post(self.maker, MADE)
        until(lambda: len(self.ask("/v1/provenance/" + quoted(PACKS[0]))[1]["journey"]) >= 2, "it")
        self.post(self.node, SOLD)
        until(self._is_proven, "the anchors", 60)
        self.answers = self.ask_all()
        assert self.answers["pack"]["verdicts"]["provenance"]["verdict"] == "complete"
        os.kill(self.node["pid"], signal.SIGTERM)
        until(lambda: not alive(self.node["pid"]), "the node's end")
        with sqlite3.connect(self.database) as store:
            store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.close()
        self.pristine = self.database.read_bytes()

    def post(self, node: dict[str, Any], events: list[dict[str, Any]]) -> None:
        body = json.dumps(document(events)).encode()
        headers = {"Authorization": f"Bearer {node['token']}", "Content-Type": "application/json"}
        request = urllib.request.Request(node["url"] + "/capture", body, headers)  # noqa: S310 - a loopback address
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - a loopback address
            assert answer.status == 202

    def ask(self, path: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.node['token']}"}
        request = urllib.request.Request(self.node["url"] + path, headers=headers)  # noqa: S310 - a loopback address
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - a loopback address
                body = answer.read()
                return answer.status, body if path.endswith("/content") else json.loads(body)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def ask_all(self) -> dict[str, Any]:
        found = {
            "pack": self.ask("/v1/provenance/" + quoted(PACKS[0]))[1],
            "inactive": self.ask("/v1/provenance/" + quoted(PACKS[1]))[1],
            "case": self.ask("/v1/provenance/" + quoted(CASE))[1],
            "events": self.ask("/events?perPage=100")[1],
            "by_item": self.ask("/events?MATCH_anyEPC=" + quoted(PACKS[1]))[1],
        }
        for step in (
            self.answers["pack"]["journey"]
            if hasattr(self, "answers")
            else found["pack"]["journey"]
        ):
            found[step["entry_id"]] = self.ask(f"/v1/events/{step['entry_id']}/content")[1]
        return {name: settled(answer) for name, answer in found.items()}

    def _is_proven(self) -> bool:
        steps = [s for n in PACKS for s in self.ask("/v1/provenance/" + quoted(n))[1]["journey"]]
        return len(steps) == 11 and all(step["entry_grade"] == "chain-proven" for step in steps)

    def start(self) -> bool:
        """Start the node; False if it refused, with what it said in ``errors``."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self.node["argv"], cwd="/", stdout=log, stderr=log)
        process = self._process

        def is_up() -> bool:
            try:
                return process.poll() is not None or self.ask("/health")[0] == 200
            except OSError:
                return False

        until(is_up, "the damaged node", 30)
        return process.poll() is None

    def stop(self) -> int:
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(30)
        self.errors = self._log.read_text()
        return code

    def restore(self) -> None:
        for name in ("sealtrail.db-wal", "sealtrail.db-shm"):
            self.database.with_name(name).unlink(missing_ok=True)
        self.database.write_bytes(self.pristine)


def quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def settled(answer: Any) -> Any:
    """Return the answer without what differs from one moment to the next."""
    answer = copy.deepcopy(answer)
    if isinstance(answer, dict):
        answer.pop("creationDate", None)
        answer.pop("chain", None)
        answer.pop("coverage", None)
        answer.pop("store", None)  # counts what was there at this start
        for verdict in answer.get("verdicts", {}).values():  # and what follows from that alone
            verdict["reasons"] = [r for r in verdict["reasons"] if not r.startswith("store_")]
        for step in answer.get("journey", []):
            (step.get("proof") or {}).pop("checked_at", None)
    return answer


def is_flagged(answer: Any) -> bool:
    """Tell whether an answer that differs says what is wrong."""
    if answer.get("code"):
        return True
    codes = {finding["code"] for finding in answer.get("findings", [])} - {"recorded_late"}
    doubtful = [s for s in answer.get("journey", []) if s["entry_grade"] != "chain-proven"]
    verdicts = answer.get("verdicts", {})
    trusting = (
        verdicts.get("fitness", {}).get("verdict") == "fit"
        and verdicts.get("provenance", {}).get("verdict") == "complete"
        and not doubtful
    )
    return bool(codes or doubtful) and not trusting


def check(stopped: Stopped) -> None:
    """Start the damaged node, ask everything, and judge the answers."""
    up = stopped.start()
    answers = stopped.ask_all() if up else {}
    code = stopped.stop()
    assert "Traceback" not in stopped.errors, stopped.errors[-3000:]
    if not up:
        assert code in (2, 3, 4), stopped.errors[-1000:]
        return
    for name, answer in answers.items():
        before = stopped.answers[name]
        assert answer == before or is_flagged(answer), (name, answer, before)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stopped]:
    with devnet(tmp_path_factory.mktemp("flips") / "net", "--nodes", "2") as running:
        found = Stopped(running)
        found.prepare()
        yield found


COLUMNS = [
    "event.content", "event.content_hash", "event.event_time_us", "event.record_time_ms", "entry.leaf",
    "entry.seed", "checkpoint.note", "chain_anchor.block_time", "chain_member.record",
    "foreign_entry.inclusion_proof", "event_item.item", "event_item.event_row",
]  # fmt: skip
MORE_COLUMNS = [
    "event.event_hash", "event.biz_step", "event.event_type", "event.leaf_index", "event.entry_id",
    "event.media_type", "event.event_id", "event.member", "entry.entry_id", "entry.refs", "entry.item_keys",
    "checkpoint.root_hash", "checkpoint.tree_size", "checkpoint.checkpoint_hash",
    "chain_anchor.checkpoint_hash", "chain_anchor.block_number", "chain_cursor.final_block",
    "chain_cursor.final_hash", "foreign_entry.leaf", "foreign_entry.seed", "foreign_entry.leaf_index",
    "foreign_entry.item_salt", "event_item.place", "identity.item_salt", "identity.member",
    "anchor_outbox.checkpoint_hash", "anchor_outbox.state",
]  # fmt: skip


def flip_column(database: Path, column: str, random_: random.Random) -> None:
    """Change one bit of one value in every row, or a number by one."""
    table, name = column.split(".")
    store = sqlite3.connect(database, isolation_level=None)
    try:
        keys = [r[1] for r in store.execute(f"PRAGMA table_info({table})") if r[5]]
        where = " AND ".join(f"{key} IS ?" for key in keys)
        store.execute("PRAGMA ignore_check_constraints = ON")
        for key, value in [
            (row[:-1], row[-1])
            for row in store.execute(f"SELECT {', '.join(keys)}, {name} FROM {table}").fetchall()
        ]:
            if value is not None:
                store.execute(
                    f"UPDATE OR IGNORE {table} SET {name} = ? WHERE {where}",
                    (flipped(value, random_), *key),
                )
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        store.close()


def flipped(value: bytes | str | int, random_: random.Random) -> bytes | str | int:
    if isinstance(value, int):
        return value + 1
    changed = bytearray(value.encode() if isinstance(value, str) else value)
    if not changed:
        return value
    changed[random_.randrange(len(changed))] ^= 1
    return bytes(changed) if isinstance(value, bytes) else changed.decode()


@pytest.mark.parametrize(
    "column", [*COLUMNS, *(pytest.param(c, marks=pytest.mark.soak) for c in MORE_COLUMNS)]
)
def test_a_changed_column_changes_no_answer_silently(stopped: Stopped, column: str) -> None:
    stopped.restore()
    flip_column(stopped.database, column, random.Random(column))
    check(stopped)


@pytest.mark.parametrize("table", ["event_item", "event", "entry", "chain_anchor", "chain_member"])
def test_rows_that_are_gone_change_no_answer_silently(stopped: Stopped, table: str) -> None:
    stopped.restore()
    store = sqlite3.connect(stopped.database, isolation_level=None)
    key = (
        "event_row"
        if table.startswith("event")
        else "leaf_index"
        if table == "entry"
        else "block_number"
    )
    store.execute(f"DELETE FROM {table} WHERE {key} = (SELECT max({key}) FROM {table})")
    store.close()
    check(stopped)


def flip_pages(stopped: Stopped, seed: int) -> None:
    random_ = random.Random(seed)
    image = bytearray(stopped.pristine)
    for _ in range(random_.choice([1, 1, 3, 10])):
        image[random_.randrange(len(image))] ^= 1 << random_.randrange(8)
    if seed % 4 == 0:  # a page's header
        page = 4096 * random_.randrange(len(image) // 4096)
        image[page + random_.randrange(100 if page == 0 else 12)] ^= 1 << random_.randrange(8)
    stopped.restore()
    stopped.database.write_bytes(bytes(image))
    check(stopped)


@pytest.mark.parametrize("seed", range(4))
def test_bytes_flipped_anywhere_change_no_answer_silently(stopped: Stopped, seed: int) -> None:
    flip_pages(stopped, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4, 200))
def test_many_bytes_flipped_anywhere(stopped: Stopped, seed: int) -> None:
    flip_pages(stopped, seed)
