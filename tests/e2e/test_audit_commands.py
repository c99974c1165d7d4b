"""The audit trail as an operator uses it: a devnet's node, the command line, files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import RunningDevnet, devnet, sealtrail, until
from e2e.hostile_load import document, pack_event


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDevnet]:
    with devnet(tmp_path_factory.mktemp("devnet") / "net", "--nodes", "1") as started:
        yield started


def config_of(running: RunningDevnet) -> str:
    return str(Path(running.described["nodes"][0]["data_dir"]).parent / "sealtrail.toml")


def own(running: RunningDevnet, *arguments: str, check: bool = True) -> Any:
    return sealtrail(*arguments, "--config", config_of(running), "--json", check=check)


def listed(running: RunningDevnet, *arguments: str) -> list[dict[str, Any]]:
    found = running.run("manufacturer", "audit", "list", "--json", *arguments)
    return [each["record"] for each in json.loads(found.stdout)]


@pytest.fixture(scope="module")
def entry(running: RunningDevnet) -> str:
    file = running.directory / "document.json"
    file.write_text(json.dumps(document([pack_event("AUDIT1")])))
    running.run("manufacturer", "capture", str(file), "--no-journal", "--reason", "Wareneingang 7")
    found = until(lambda: listed(running, "--action", "capture"), "the capture's record")
    assert found[0]["reason"] == "Wareneingang 7"
    trail = running.run(
        "manufacturer",
        "trace",
        "https://id.gs1.org/01/09521001001014/21/AUDIT1",
        "--json",
        check=False,
    )
    return str(json.loads(trail.stdout)["journey"][0]["entry_id"])


def test_an_export_is_written_once_and_verified(
    running: RunningDevnet, entry: str, tmp_path: Path
) -> None:
    file = tmp_path / "trail.jsonl"
    running.run("manufacturer", "audit", "export", "--entry", entry, "-o", str(file))
    again = running.run(
        "manufacturer", "audit", "export", "--entry", entry, "-o", str(file), check=False
    )
    assert again.returncode == 2
    result = own(running, "audit", "verify", str(file), check=False)
    report = json.loads(result.stdout)
    assert report["faults"] == []
    assert report["records"] >= 1
    assert result.returncode == 3  # no digest covers the records yet
    file.write_bytes(file.read_bytes().replace(b"Wareneingang 7", b"Wareneingang 8"))
    file.write_bytes(file.read_bytes().replace(b'"records":', b'"records":1'))
    assert own(running, "audit", "verify", str(file), check=False).returncode == 1


def test_a_file_that_is_no_export_is_refused(running: RunningDevnet, tmp_path: Path) -> None:
    file = tmp_path / "trail.jsonl"
    file.write_text("no\n")
    result = own(running, "audit", "verify", str(file), check=False)
    assert result.returncode == 2
    assert json.loads(result.stderr)["error"]["code"] == "audit_export_malformed"
    missing = own(running, "audit", "verify", str(tmp_path / "none"), check=False)
    assert json.loads(missing.stderr)["error"]["code"] == "file_unreadable"


def test_the_whole_trail_is_verified_beside_the_running_node(
    running: RunningDevnet, entry: str
) -> None:
    report = json.loads(own(running, "audit", "verify").stdout)
    assert report["fault"] is None
    assert report["records"] >= 3
    until(lambda: listed(running, "--action", "audit_verify"), "the record of it")


def test_who_is_behind_a_pseudonym_can_be_asked_and_erased(
    running: RunningDevnet, entry: str
) -> None:
    actor = listed(running, "--action", "capture")[0]["actor"]
    assert json.loads(own(running, "audit", "who", actor).stdout)["name"] == "devnet"
    asked = until(lambda: listed(running, "--action", "audit_who"), "the record of it")
    assert asked[0]["subject"]["what"] == actor
    refused = own(running, "audit", "forget", "devnet", check=False)
    assert json.loads(refused.stderr)["error"]["code"] == "reason_required"
    unknown = own(running, "audit", "forget", "nobody else", "--reason", "x", check=False)
    assert json.loads(unknown.stderr)["error"]["code"] == "audit_name_unknown"
    own(running, "audit", "forget", "devnet", "--reason", "left the company")
    gone = own(running, "audit", "who", actor, check=False)
    assert json.loads(gone.stderr)["error"]["code"] == "pseudonym_unknown"
    (erased,) = listed(running, "--action", "forget")
    assert (erased["reason"], erased["subject"]["what"]) == ("left the company", actor)
    assert erased["actor"].startswith("operator:")
    # the same token again is somebody else
    assert listed(running)[0]["actor"] != actor


def test_a_command_that_changes_a_key_is_recorded(running: RunningDevnet, tmp_path: Path) -> None:
    own(running, "keys", "new", "event", str(tmp_path / "k.json"), "--reason", "rotation 2026")
    (found,) = until(lambda: listed(running, "--action", "key_change"), "the record")
    assert (found["outcome"], found["reason"]) == ("done", "rotation 2026")
    refused = own(running, "keys", "new", "event", str(tmp_path / "k.json"), check=False)
    assert refused.returncode == 2
    both = until(
        lambda: (lambda f: f if len(f) == 2 else None)(listed(running, "--action", "key_change")),
        "the refusal's record",
    )
    assert both[0]["outcome"] == "refused"
    hostile = own(
        running, "keys", "new", "event", str(tmp_path / "l.json"), "--reason", "a\nb", check=False
    )
    assert json.loads(hostile.stderr)["error"]["code"] == "reason_malformed"
    assert not (tmp_path / "l.json").exists()
