"""A disk that is full: capture says so, loses nothing that it acknowledged, and goes on once there is room."""

from __future__ import annotations

import json
import resource
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from e2e.devnet_process import devnet, until
from e2e.hostile_load import document, pack_event


def send(node: dict[str, Any], path: str, body: Any = None) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {node['token']}", "Prefer": "return=representation"}
    headers["Content-Type"] = "application/json"
    payload = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(node["url"] + path, payload, headers)  # noqa: S310 - a loopback address
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - a loopback address
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def largest_file(folder: Path) -> int:
    return max(each.stat().st_size for each in folder.iterdir())


def test_a_full_disk_is_said_and_survived(tmp_path: Path) -> None:
    with devnet(tmp_path / "net", "--nodes", "1") as running:
        node = running.described["nodes"][0]
        room = largest_file(Path(node["data_dir"])) + 300_000
        resource.prlimit(node["pid"], resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        receipts: dict[str, Any] = {}
        refusals = 0
        for number in range(100):
            serials = [f"D{number}-{n}" for n in range(50)]
            status, answer = send(node, "/capture", document([pack_event(s) for s in serials]))
            if status == 202:
                receipts.update(zip(serials, answer["receipts"], strict=True))
                continue
            assert (status, answer["code"]) in {(503, "disk_error"), (503, "disk_full")}
            refusals += 1
            if refusals == 5:
                break
        assert refusals == 5
        assert send(node, "/health")[0] == 200
        assert send(node, "/events?perPage=1")[0] == 200

        unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(node["pid"], resource.RLIMIT_FSIZE, unlimited)
        assert send(node, "/capture", document([pack_event("after")]))[0] == 202

        def is_all_final() -> bool:
            now = send(node, "/v1/status")[1]
            return bool(now["anchoring"]["final_size"] == now["log"]["tree_size"])

        until(is_all_final, "the anchors")
        status = send(node, "/v1/status")[1]
        index_entries = status["anchoring"]["final_sequence"]  # each anchor ends with one
        assert status["log"]["tree_size"] == 2 + len(receipts) + index_entries
        for receipt in list(receipts.values())[::25]:
            status, entry = send(node, f"/v1/entries/{receipt['entry_id']}")
            assert (status, entry["leaf_index"]) == (200, receipt["leaf_index"])
