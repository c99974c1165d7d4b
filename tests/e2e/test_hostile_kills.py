"""kill -9 of node and chain at random under load: what was acknowledged is there, once, and anchored once."""

from __future__ import annotations

import asyncio
import json
import random
import sqlite3
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from sha3 import keccak_256

from e2e.devnet_process import RunningDevnet, devnet, until
from e2e.hostile_load import PACK, Clients, kill_at_random, victims
from sealtrail.log.tree import leaf_hash, root_hash
from sealtrail.signing import EVENT_KINDS, Kind


def ask(node: dict[str, Any], path: str) -> Any:
    request = urllib.request.Request(  # noqa: S310 - a loopback address
        urljoin(node["url"], path), headers={"Authorization": f"Bearer {node['token']}"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - a loopback address
        return json.loads(answer.read()), answer.headers


def status(node: dict[str, Any]) -> Any:
    try:
        return ask(node, "/v1/status")[0]
    except OSError:
        return None


def all_events(node: dict[str, Any]) -> list[dict[str, Any]]:
    path: str | None = "/events?perPage=100"
    found = []
    while path:
        body, headers = ask(node, path)
        found += body["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        link = headers.get("Link", "")
        path = link[link.index("<") + 1 : link.index(">")] if 'rel="next"' in link else None
    return found


def anchors_on_chain(described: dict[str, Any], member: str) -> list[tuple[int, str]]:
    """Return (sequence, checkpoint) of the member's anchors, asked of the chain itself."""
    signature = keccak_256(b"Anchored(address,uint64,bytes32,bool)").hexdigest()
    question = {
        "address": described["anchors"],
        "fromBlock": "0x0",
        "topics": ["0x" + signature, "0x" + member[2:].rjust(64, "0")],
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [question]}
    request = urllib.request.Request(  # noqa: S310 - a loopback address
        described["chain"]["rpc_url"],
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - a loopback address
        logs = json.loads(answer.read())["result"]
    return [(int(each["topics"][2], 16), each["data"][:66]) for each in logs]


def is_all_final(node: dict[str, Any]) -> bool:
    now = status(node)
    return bool(
        now
        and now["anchoring"]["final_size"] == now["log"]["tree_size"]
        and now["anchoring"]["state"] == "current"
    )


def check_counts(running: RunningDevnet, clients: Clients) -> None:
    node = running.described["nodes"][0]
    events = all_events(node)
    times_seen = Counter(event["epcList"][0].removeprefix(PACK) for event in events)
    assert set(clients.receipts) <= set(times_seen), "an acknowledged event is missing"
    assert set(times_seen.values()) == {1}, "an event is there twice"
    own = own_entries(Path(node["data_dir"]))
    assert status(node)["log"]["tree_size"] == len(own) + len(events)
    assert own[0] == Kind.GENESIS
    assert set(own[1:]) == {Kind.INDEX}
    check_store(Path(node["data_dir"]), clients)
    check_anchors(running, node)


def own_entries(data_dir: Path) -> list[Kind]:
    """Return the kinds of the entries that are about no event, in order."""
    with sqlite3.connect(f"file:{next(data_dir.glob('*.db'))}?mode=ro", uri=True) as store:
        kinds = [
            Kind(row[0][1]) for row in store.execute("SELECT leaf FROM entry ORDER BY leaf_index")
        ]
    return [kind for kind in kinds if kind not in EVENT_KINDS]


def check_store(data_dir: Path, clients: Clients) -> None:
    with sqlite3.connect(f"file:{next(data_dir.glob('*.db'))}?mode=ro", uri=True) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        leaves = [row[0] for row in store.execute("SELECT leaf FROM entry ORDER BY leaf_index")]
        stored = dict(store.execute("SELECT '0x' || lower(hex(entry_id)), leaf_index FROM entry"))
        for size, root in store.execute("SELECT tree_size, root_hash FROM checkpoint"):
            assert root_hash([leaf_hash(leaf) for leaf in leaves[:size]]) == root
    assert {
        r["entry_id"]: r["leaf_index"] for r in clients.receipts.values()
    }.items() <= stored.items()


def check_anchors(running: RunningDevnet, node: dict[str, Any]) -> None:
    anchors = anchors_on_chain(running.described, node["member"])
    assert [sequence for sequence, _ in anchors] == list(range(1, len(anchors) + 1))
    assert len({checkpoint for _, checkpoint in anchors}) == len(anchors)
    with sqlite3.connect(
        f"file:{next(Path(node['data_dir']).glob('*.db'))}?mode=ro", uri=True
    ) as store:
        outbox = store.execute(
            "SELECT anchor_outbox.sequence, '0x' || lower(hex(checkpoint_hash)), tree_size FROM anchor_outbox"
            " JOIN checkpoint USING (checkpoint_hash) ORDER BY anchor_outbox.sequence"
        ).fetchall()
    assert [row[:2] for row in outbox] == anchors
    sizes = [row[2] for row in outbox]
    assert sizes == sorted(set(sizes)), "two anchors for the same entries"


def storm(directory: Path, *, rounds: int, seed: int) -> None:
    with devnet(directory, "--nodes", "1") as running:
        node = running.described["nodes"][0]
        clients = Clients(node, prefix=f"K{seed}-")
        with victims(node, running.described["chain"]) as found:
            kills = kill_at_random(found, rounds=rounds, random_=random.Random(seed))
            asyncio.run(clients.run(documents=2, singles=8, kills=kills))
            assert [v.ended() for v in found] == [None, None]
            assert clients.unexpected == []
            assert len(clients.receipts) > 100
            until(lambda: is_all_final(node), "the last anchor", 60)
            check_counts(running, clients)
            again = asyncio.run(clients.again())
            assert again == [clients.receipts[serial] for serial in sorted(clients.receipts)]
            last = max(clients.receipts.values(), key=lambda r: int(r["leaf_index"]))
            proof = ask(node, f"/v1/entries/{last['entry_id']}")[0]["proof"]
            assert proof["anchor"]["state"] == "final"


def test_what_was_acknowledged_survives_kills_of_node_and_chain(tmp_path: Path) -> None:
    storm(tmp_path / "net", rounds=4, seed=1)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
def test_what_was_acknowledged_survives_many_kills(tmp_path: Path, seed: int) -> None:
    storm(tmp_path / "net", rounds=15, seed=seed)
