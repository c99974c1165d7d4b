"""Master data and corrections as a user meets them: a devnet's node and the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import RunningDevnet, devnet, until
from e2e.hostile_load import document, pack_event
from master_data import EPC_CLASS, LOCATION, element, header, vocabulary

GTIN = "https://id.gs1.org/01/09521001001014"
PACK = f"{GTIN}/21/MD1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("devnet") / "net", "--nodes", "2") as started:
        yield started


def run(running: RunningDevnet, *arguments: str, check: bool = True) -> Any:
    return running.run("manufacturer", *arguments, check=check)


def written(path: Path, value: Any) -> str:
    path.write_text(json.dumps(value))
    return str(path)


def test_what_is_put_is_listed_shown_and_names_a_traced_pack(
    running: RunningDevnet, tmp_path: Path
) -> None:
    event = pack_event("MD1")
    place = event["readPoint"]["id"]
    put = written(
        tmp_path / "master.json",
        [
            vocabulary(EPC_CLASS, element(GTIN, regulatedProductName="Epcistra")),
            vocabulary(LOCATION, element(place, name="Plant 1", city="Bonn")),
        ],
    )
    assert "2 new, 0 known before" in run(running, "masterdata", "put", put).stdout
    assert "0 new, 2 known before" in run(running, "masterdata", "put", put).stdout
    listed = run(running, "masterdata", "list").stdout
    assert "Epcistra" in listed
    assert "Plant 1" in listed
    shown = run(running, "masterdata", "show", GTIN).stdout
    assert "by manufacturer, who numbers it" in shown.lower()
    run(running, "capture", written(tmp_path / "e.json", document([event])), "--no-journal")
    traced = run(running, "trace", PACK, check=False).stdout
    assert "Epcistra" in traced
    assert "Plant 1, Bonn" in traced


def test_faulty_master_data_is_refused_with_its_place(
    running: RunningDevnet, tmp_path: Path
) -> None:
    file = written(tmp_path / "bad.json", [vocabulary(LOCATION, {"id": "no uri"})])
    refused = run(running, "masterdata", "put", file, "--json", check=False)
    assert refused.returncode == 2
    assert json.loads(refused.stderr)["error"]["pointer"] == "/0/vocabularyElementList/0/id"
    missing = run(running, "masterdata", "show", "urn:x:nothing", check=False)
    assert missing.returncode == 2
    assert "master_data_unknown" in missing.stderr


def test_a_header_is_shown_with_its_capture_job(running: RunningDevnet, tmp_path: Path) -> None:
    told = document([pack_event("MD2")])
    told["epcisHeader"] = header(vocabulary("urn:x:Shelf", element("urn:x:shelf:1", name="Shelf")))
    run(running, "capture", written(tmp_path / "h.json", told), "--no-journal")
    answer = json.loads(run(running, "masterdata", "show", "urn:x:shelf:1", "--json").stdout)
    (shelf,) = answer["elements"]
    assert (shelf["source"], len(shelf["capture_job"])) == ("header", 32)


def test_a_faulty_header_keeps_no_event_back(running: RunningDevnet, tmp_path: Path) -> None:
    told = document([pack_event("MD4"), pack_event("MD5")])
    told["epcisHeader"] = header(vocabulary(LOCATION, {"id": 7}))
    file = written(tmp_path / "f.json", told)
    sent = run(running, "capture", file, "--no-journal", "--json", check=False)
    (outcome,) = json.loads(sent.stdout)["files"]
    assert (outcome["captured"], len(outcome["errors"]), sent.returncode) == (2, 1, 2)


def test_a_correction_is_told_by_trace(running: RunningDevnet, tmp_path: Path) -> None:
    made = pack_event("MD3")
    gone = made | {
        "action": "DELETE",
        "bizStep": "destroying",
        "disposition": "destroyed",
        "eventTime": datetime.now(UTC).isoformat(timespec="seconds"),  # an old end is not undone
        "eventID": "urn:uuid:00000000-0000-4000-8000-00000000000c",
    }
    gone.pop("ilmd", None)
    error = {"declarationTime": gone["eventTime"], "reason": "did_not_occur"}
    events = [made, gone, gone | {"errorDeclaration": error}]
    run(running, "capture", written(tmp_path / "c.json", document(events)), "--no-journal")
    pack = f"{GTIN}/21/MD3"
    traced = run(running, "trace", pack, check=False).stdout
    assert f"{gone['eventID']}: did_not_occur" in traced
    assert "fitness: not fit (destroyed" in traced

    def found() -> Any:
        listed = json.loads(run(running, "audit", "list", "--json").stdout)
        return [r for r in listed if r["record"].get("route") == "PUT /v1/masterdata"]

    assert until(found, "the records of what was put")
