"""The devnet from start to stop: ready means ready, what dies comes back, nothing is left behind."""

from __future__ import annotations

import datetime
import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from e2e.devnet_process import RunningDevnet, alive, devnet, sealtrail, until
from sealtrail.cli.node_client import NodeClient
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.cosignature import Witness, find_cosignature

PACK = "https://id.gs1.org/01/09521001001014/21/"


def commissioning(*serials: str, gln: str = "9521001000017") -> dict[str, Any]:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    return {
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": now.isoformat(),
        "epcisBody": {
            "eventList": [
                {
                    "type": "ObjectEvent",
                    "eventTime": now.isoformat(),
                    "eventTimeZoneOffset": "+00:00",
                    "epcList": [PACK + serial],
                    "action": "ADD",
                    "bizStep": "commissioning",
                    "disposition": "active",
                    "readPoint": {"id": f"https://id.gs1.org/414/{gln}"},
                    "bizLocation": {"id": f"https://id.gs1.org/414/{gln}"},
                }
                for serial in serials
            ]
        },
    }


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("devnet") / "net") as started:
        yield started


def captured(running: RunningDevnet, folder: Path, *serials: str) -> Any:
    file = folder / "document.json"
    file.write_text(json.dumps(commissioning(*serials)))
    return running.json("manufacturer", "capture", str(file))["files"][0]


def traced(running: RunningDevnet, serial: str, name: str = "manufacturer") -> Any:
    return json.loads(running.run(name, "trace", PACK + serial, "--json", check=False).stdout)


def is_proven(running: RunningDevnet, serial: str) -> bool:
    journey = traced(running, serial)["journey"]
    return bool(journey) and all(step["grade"] == "chain-proven" for step in journey)


def test_devnet_json_says_where_everything_is(running: RunningDevnet) -> None:
    described = running.described
    assert set(described) == {"chain", "registry", "anchors", "nodes"}
    assert set(described["chain"]) == {"rpc_url", "chain_id", "pid", "argv"}
    assert [n["name"] for n in described["nodes"]] == ["manufacturer", "wholesaler", "pharmacy"]
    for node in described["nodes"]:
        assert set(node) == {
            "name", "member", "roles", "numbering_rights", "glns",
            "url", "token", "pid", "argv", "data_dir",
        }  # fmt: skip
        assert alive(node["pid"])
        assert Path(node["data_dir"]).is_dir()
    assert stat.S_IMODE((running.directory / "devnet.json").stat().st_mode) == 0o600


def test_a_captured_pack_is_proven_by_the_chain(running: RunningDevnet, tmp_path: Path) -> None:
    assert captured(running, tmp_path, "A1")["captured"] == 1
    until(lambda: is_proven(running, "A1"), "the anchor")
    answer = traced(running, "A1")
    assert answer["chain"]["status"] == "live"
    assert answer["journey"][0]["proof"]["anchor"]["block_number"] > 0


def test_partners_cosign_a_nodes_checkpoints_and_the_log_shows_it(
    running: RunningDevnet,
) -> None:
    def cosigned() -> bool:
        status = running.json("manufacturer", "status")
        sizes = [w["cosigned_size"] for w in status["witnesses"]]
        return len(sizes) == 2 and min(sizes) == status["log"]["tree_size"]

    until(cosigned, "the cosignatures")
    status = running.json("manufacturer", "status")
    assert status["log_findings"] == {}
    assert [w["failure"] for w in status["witnesses"]] == [None, None]
    seen = {each["member"] for each in running.json("pharmacy", "status")["witnessing"]["logs"]}
    assert running.node("manufacturer")["member"].lower() in seen

    node = running.node("manufacturer")
    client = NodeClient(node["url"], node["token"])
    metrics = client.get("/metrics").body.decode()
    assert "\nsealtrail_witnesses_failing 0\n" in metrics
    assert "\nsealtrail_log_findings 0\n" in metrics
    note = client.get("/log/checkpoint").body
    signed = parse_note(note.decode())
    names = [s.name.partition("/")[0] for s in signed.signatures]
    assert names == ["sealtrail", "sealtrail-witness", "sealtrail-witness"]
    for each in status["witnesses"]:
        witness = Witness(each["name"], bytes.fromhex(each["public_key"][2:]))
        find_cosignature(signed.checkpoint, signed.signatures, witness)


@pytest.mark.parametrize(
    "spelling", ["urn:epc:id:sgtin:9521001.000101.A1", "(01)09521001001014(21)A1", PACK + "A1"]
)
def test_a_pack_is_found_by_every_spelling(running: RunningDevnet, spelling: str) -> None:
    answer = json.loads(running.run("manufacturer", "trace", spelling, "--json").stdout)
    assert answer["question"]["item"] == PACK + "A1"
    assert len(answer["journey"]) == 1


def test_a_second_run_sends_only_what_is_missing(running: RunningDevnet, tmp_path: Path) -> None:
    assert captured(running, tmp_path, "B1", "B2")["captured"] == 2
    file = tmp_path / "document.json"
    again = running.json("manufacturer", "capture", str(file))["files"][0]
    assert (again["captured"], again["skipped"]) == (0, 2)


def test_a_refused_event_is_named_and_the_others_are_captured(
    running: RunningDevnet, tmp_path: Path
) -> None:
    document = commissioning("C1", "C2", "C3")
    del document["epcisBody"]["eventList"][1]["eventTime"]
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document))
    result = running.run(
        "manufacturer", "capture", str(file), "--batch-events", "1", "--json", check=False
    )
    assert result.returncode == 2
    outcome = json.loads(result.stdout)["files"][0]
    assert outcome["captured"] == 2
    assert outcome["errors"][0]["pointer"].startswith("/epcisBody/eventList/1")


def test_an_unknown_pack_is_no_good_answer(running: RunningDevnet) -> None:
    result = running.run("pharmacy", "trace", PACK + "NEVER", check=False)
    assert result.returncode == 1
    assert "unknown_item" in result.stdout


def test_the_doctor_finds_nothing_wrong(running: RunningDevnet) -> None:
    config = running.directory / "nodes" / "wholesaler" / "sealtrail.toml"
    result = sealtrail("doctor", "--config", str(config), "--json", check=False)
    assert result.returncode == 0, result.stdout
    assert json.loads(result.stdout)["ok"] is True


def test_a_wrong_token_is_refused_with_advice(running: RunningDevnet) -> None:
    result = sealtrail(
        "status", "--node", running.node("pharmacy")["url"], "--token", "st_x", check=False
    )
    assert result.returncode == 2
    assert "token_unknown" in result.stderr


def test_the_members_are_listed_from_the_chain(running: RunningDevnet) -> None:
    config = running.directory / "nodes" / "pharmacy" / "sealtrail.toml"
    members = json.loads(sealtrail("member", "list", "--json", "--config", str(config)).stdout)
    assert [m["name"] for m in members] == ["manufacturer", "pharmacy", "wholesaler"]
    assert {len(m["keys"]) for m in members} == {5}


def test_a_pack_s_link_leads_to_what_is_known_and_its_label_to_the_pack(
    running: RunningDevnet, tmp_path: Path
) -> None:
    captured(running, tmp_path, "LINK1")
    node = running.described["nodes"][0]
    headers = {"Authorization": f"Bearer {node['token']}"}
    link = node["url"] + "/01/09521001001014/21/LINK1"
    answer = requests.get(link, headers=headers, timeout=30)
    assert [r.status_code for r in answer.history] == [307]
    assert answer.json()["question"]["item"] == PACK + "LINK1"

    label = requests.get(
        f"{node['url']}/v1/label/01/09521001001014/21/LINK1?format=svg", headers=headers, timeout=30
    )
    assert "<title>(01)09521001001014(21)LINK1</title>" in label.text

    scan = "]d2010952100100101421LINK1"
    seen = running.run("manufacturer", "trace", scan, "--json", check=False)
    assert json.loads(seen.stdout)["question"]["item"] == PACK + "LINK1"
    told = sealtrail("scan", scan, "--json")
    assert json.loads(told.stdout)["item"]["canonical"] == PACK + "LINK1"
    refused = sealtrail("scan", "010952100100101421A1727123110L7", "--json", check=False)
    assert refused.returncode == 2
    assert json.loads(refused.stderr)["error"]["code"] == "scan_ambiguous"


def test_a_killed_node_starts_again_by_its_argv(running: RunningDevnet, tmp_path: Path) -> None:
    captured(running, tmp_path, "D1")
    node = running.node("manufacturer")
    os.kill(node["pid"], signal.SIGKILL)
    until(lambda: not alive(node["pid"]), "the node's end")
    again = subprocess.Popen(
        node["argv"], cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until(
            lambda: running.run("manufacturer", "status", check=False).returncode == 0, "the node"
        )
        file = str(tmp_path / "document.json")
        again_sent = running.json("manufacturer", "capture", file, "--no-journal")["files"][0]
        assert again_sent["captured"] == 1  # a duplicate: it gets the first receipt again
        until(lambda: is_proven(running, "D1"), "the anchor")
        assert len(traced(running, "D1")["journey"]) == 1
    finally:
        again.terminate()
        assert again.wait(30) == 0


def test_a_devnet_goes_on_with_the_same_keys_ports_and_data(tmp_path: Path) -> None:
    directory = tmp_path / "net"
    with devnet(directory, "--nodes", "1") as first:
        captured(first, tmp_path, "E1")
        until(lambda: is_proven(first, "E1"), "the anchor")
        pids = [first.described["chain"]["pid"], first.described["nodes"][0]["pid"]]
        assert first.stop(signal.SIGINT) == 0
        assert not any(alive(p) for p in pids)
        assert not (directory / "devnet.json").exists()
    with devnet(directory) as second:
        assert _lasting(second.described) == _lasting(first.described)
        assert len(traced(second, "E1")["journey"]) == 1
        assert captured(second, tmp_path, "E2")["captured"] == 1
        os.kill(second.process.pid, signal.SIGKILL)
        pids = [second.described["chain"]["pid"], second.described["nodes"][0]["pid"]]
        until(lambda: not any(alive(p) for p in pids), "the children's end")
    (directory / "devnet.json").unlink()  # nobody was left to take it away
    with devnet(directory) as third:
        until(lambda: is_proven(third, "E2"), "the anchor")


def _lasting(described: dict[str, Any]) -> Any:
    nodes = [{k: v for k, v in n.items() if k != "pid"} for n in described["nodes"]]
    chain = {k: v for k, v in described["chain"].items() if k != "pid"}
    return {**described, "nodes": nodes, "chain": chain}


def test_a_second_devnet_in_the_same_folder_is_refused(running: RunningDevnet) -> None:
    result = sealtrail("devnet", "--dir", str(running.directory), check=False)
    assert result.returncode == 3
    assert "devnet_running" in result.stderr


def test_a_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("x")
    result = sealtrail("devnet", "--dir", str(tmp_path), check=False)
    assert result.returncode == 2
    assert "devnet_not_ours" in result.stderr


def test_a_chain_of_others_needs_url_and_key(tmp_path: Path) -> None:
    result = sealtrail("devnet", "--dir", str(tmp_path / "a"), "--chain", "rpc", check=False)
    assert (result.returncode, "devnet_rpc_url_missing" in result.stderr) == (2, True)
