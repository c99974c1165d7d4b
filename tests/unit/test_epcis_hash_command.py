"""``sealtrail hash``: what it prints, what it refuses, and that it goes on."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from sealtrail.cli.hash import hash_command

VECTORS = Path(__file__).parent.parent / "vectors" / "event-hash" / "cbv20.jsonl"
CASES: list[dict[str, Any]] = [
    json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()[:5]
]


def run(*arguments: str | Path, given: bytes | None = None) -> Result:
    return CliRunner().invoke(hash_command, [str(a) for a in arguments], input=given)


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_a_document_gives_a_line_for_each_event(tmp_path: Path) -> None:
    file = tmp_path / "one.json"
    file.write_text(json.dumps(CASES[0]["document"], indent=2))
    result = run(file)
    assert result.exit_code == 0
    event_hash, content_hash, place = result.stdout.split()
    assert event_hash == CASES[0]["hash"]
    assert len(content_hash) == 64
    assert place == f"{file}:0#/epcisBody/eventList/0"


def test_lines_of_documents_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text("\n\n".join(json.dumps(case["document"]) for case in CASES))
    result = run("--json", "--pre-hash", file)
    assert result.exit_code == 0
    found = lines(result)
    assert [entry["event_hash"] for entry in found] == [case["hash"] for case in CASES]
    assert [entry["pre_hash"] for entry in found] == [case["prehash"] for case in CASES]
    assert [(entry["document"], entry["index"]) for entry in found] == [(n, 0) for n in range(5)]
    assert found[0].keys() == {
        "file", "document", "index", "event_hash", "content_hash", "hash_ambiguous", "pre_hash",
    }  # fmt: skip


def test_lines_are_recognised_on_standard_input() -> None:
    given = "\n".join(json.dumps(case["document"]) for case in CASES).encode()
    assert len(lines(run("--json", "-", given=given))) == 5


def test_lines_of_a_vector_file_are_unwrapped() -> None:
    assert len(lines(run("--json", VECTORS))) == 250


def test_unwrapping_mends_nothing(tmp_path: Path) -> None:
    event = json.dumps(CASES[0]["document"])
    twice = event.replace('"type": "EPCISDocument"', '"type": "x", "type": "EPCISDocument"')
    file = tmp_path / "twice.jsonl"
    file.write_text(
        f'{{"document": {twice}}}\n{{"document": 1, "document": {event}}}\n{{"document"\n'
    )
    result = run("--json", file)
    assert result.exit_code == 2
    assert result.stdout == ""
    errors = [json.loads(line)["error"] for line in result.stderr.splitlines()]
    assert [(error["code"], error.get("pointer")) for error in errors] == [
        ("json_key_repeated", "/type"),
        ("json_key_repeated", "/document"),
        ("json_malformed", None),
    ]


def test_the_rest_is_hashed_when_one_is_refused(tmp_path: Path) -> None:
    spoiled = json.loads(json.dumps(CASES[1]["document"]))
    spoiled["epcisBody"]["eventList"][0]["bizStep"] = "transforming"
    file = tmp_path / "some.jsonl"
    documents = [
        json.dumps(CASES[0]["document"]),
        json.dumps(spoiled),
        "{",
        json.dumps(CASES[2]["document"]),
    ]
    file.write_text("\n".join(documents))
    result = run("--json", file, tmp_path / "absent.json")
    assert result.exit_code == 2
    assert [entry["document"] for entry in lines(result)] == [0, 3]
    errors = [json.loads(line)["error"] for line in result.stderr.splitlines()]
    assert [error["code"] for error in errors] == ["word_unknown", "json_malformed", "file_missing"]
    assert errors[0]["pointer"] == "/epcisBody/eventList/0/bizStep"
    assert (errors[0]["file"], errors[0]["document"], errors[0]["index"]) == (str(file), 1, 0)


def test_an_error_names_file_document_and_place_for_people(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"type": "ObjectEvent"}')
    result = run(file)
    assert result.exit_code == 2
    assert f"{file}:0#/@context" in result.stderr
    assert "[field_missing]" in result.stderr


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys, sealtrail.cli.hash\n"
        "heavy = {'web3', 'aiohttp', 'eth_account', 'sqlite3', 'coincurve', 'asyncio'}\n"
        "sys.exit(', '.join(sorted(heavy & sys.modules.keys())) or 0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


def test_folders_and_archives_are_hashed_document_by_document(tmp_path: Path) -> None:
    documents = [json.dumps(case["document"]) for case in CASES]
    folder = tmp_path / "in"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.json").write_text(documents[0])
    (folder / "b.json.gz").write_bytes(gzip.compress(documents[1].encode()))
    (folder / "note.txt").write_text("no document")
    with zipfile.ZipFile(folder / "deeper" / "c.zip", "w") as archive:
        archive.writestr("two.jsonl", "\n".join(documents[2:4]))
        archive.writestr("three.json", documents[4])
    result = run("--json", folder)
    assert result.exit_code == 0, result.stderr
    found = lines(result)
    assert [each["event_hash"] for each in found] == [case["hash"] for case in CASES]
    archived = f"{folder}/deeper/c.zip:two.jsonl"
    assert [(e["file"], e["document"]) for e in found[2:4]] == [(archived, 0), (archived, 1)]


def test_a_broken_archive_is_told_and_the_rest_of_its_folder_hashed(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 no archive")
    (tmp_path / "b.json").write_text(json.dumps(CASES[0]["document"]))
    result = run("--json", tmp_path)
    assert result.exit_code == 2
    assert json.loads(result.stderr)["error"]["code"] == "archive_malformed"
    assert [each["event_hash"] for each in lines(result)] == [CASES[0]["hash"]]
