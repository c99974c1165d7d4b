"""``sealtrail verify``: its exit codes, its three forms of one report, and every kind of file that is none."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle_story import Story
from bundle_world import PACK, bundle
from sealtrail.cli import main
from sealtrail.cli.verify_alone import main as main_alone
from sealtrail.evidence.bundle.trust import encode_trust

Run = Callable[..., int]


@pytest.fixture(scope="module")
def story() -> Story:
    return Story("cli")


@pytest.fixture(scope="module")
def true_bundle(story: Story) -> bytes:
    return bundle(story.world, story.recipe())


@pytest.fixture
def files(tmp_path: Path, story: Story, true_bundle: bytes) -> Path:
    """A folder with a true bundle, one that was cut of an event, one with an entry withheld, and a trust file."""
    (tmp_path / "trust.json").write_bytes(encode_trust(story.world.trust(pinned=5)))
    (tmp_path / "true").write_bytes(true_bundle)
    recipe = story.recipe()
    recipe.shown = {story.maker.member: [1, 4]}
    (tmp_path / "dropped").write_bytes(bundle(story.world, recipe))
    recipe = story.recipe()
    recipe.withheld = {story.maker.member: {5}}
    (tmp_path / "withheld").write_bytes(bundle(story.world, recipe))
    return tmp_path


def verify(folder: Path, name: str, *arguments: str) -> int:
    return main(["verify", str(folder / name), "--trust", str(folder / "trust.json"), *arguments])


def error_of(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(capsys.readouterr().err)["error"]
    return error


# -- the report --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "code"), [("true", 0), ("dropped", 1), ("withheld", 3)])
def test_the_exit_code_is_what_the_steps_come_to(files: Path, name: str, code: int) -> None:
    assert verify(files, name) == code
    assert verify(files, name, "--json") == code


def test_the_first_line_is_the_verdict_and_all_steps_follow(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify(files, "dropped")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "✗ The bundle does not hold: step 12 item_index."
    numbers = [line.split()[0] for line in lines if re.match(r" *\d+ [✓✗?] ", line)]
    assert numbers == [str(n) for n in range(1, 15)]
    text = "\n".join(lines)
    assert "entry_left_out" in text
    assert "→ an event was dropped: ask the member for it" in text
    assert "Claimed (index-asserted), and it does not hold" in text


def test_a_true_bundle_says_on_what_it_rests(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify(files, "true")
    text = capsys.readouterr().out
    for told in (
        "The bundle holds.",
        "2 of 3 validators: Operator",
        "issued by  Maker of cli, with sealtrail 0.1.0",
        "index-asserted",
        "up to anchor 2 of 2026-03-01T08:01:30Z",
        "provenance  complete",
    ):
        assert told in text


def test_a_single_operator_is_named_as_such(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = json.loads((files / "trust.json").read_bytes())
    trust["operators"] = dict.fromkeys(trust["operators"], "Acme")
    (files / "trust.json").write_text(json.dumps(trust))
    assert verify(files, "true") == 0
    assert "single operator: Acme" in capsys.readouterr().out


def test_another_item_than_was_asked_for_does_not_hold(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(files, "true", "--item", "(01)09521234543213(21)8") == 1
    assert "another_item" in capsys.readouterr().out


@pytest.mark.parametrize(
    "item", [PACK, "urn:epc:id:sgtin:9521234.054321.7", "(01)09521234543213(21)7"]
)
def test_an_item_is_taken_in_every_form(files: Path, item: str) -> None:
    assert verify(files, "true", "--item", item) == 0


def test_a_lot_beside_the_item_is_said_not_to_be_compared(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(files, "true", "--item", "(01)09521234543213(21)7(10)OTHER") == 0
    assert "not compared" in capsys.readouterr().err


def test_an_older_block_than_was_asked_for_does_not_hold(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify(files, "true", "--min-block", "11") == 1
    assert "chain_truncated" in capsys.readouterr().out


def test_json_on_the_screen_and_in_the_file_are_the_same_and_the_html_has_its_digest(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, html = files / "report.json", files / "report.html"
    assert verify(files, "true", "--json", "--report", str(report), "--html", str(html)) == 0
    printed = capsys.readouterr().out.encode()
    assert report.read_bytes() == printed
    page = html.read_text()
    for digest in (report, files / "true", files / "trust.json"):
        assert hashlib.sha256(digest.read_bytes()).hexdigest() in page
    told = json.loads(printed)
    assert told["format"] == "sealtrail/report/1"
    assert (told["outcome"], told["exit_code"]) == ("holds", 0)
    assert [s["number"] for s in told["steps"]] == list(range(1, 15))
    assert told["verdicts"]["provenance"] == {"verdict": "complete", "reasons": []}
    assert told["bundle"]["sha256"] == hashlib.sha256((files / "true").read_bytes()).hexdigest()
    assert told["chain"]["trusts"].startswith("2 of 3 validators")


def test_the_verifier_alone_is_the_same_program(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(files / "dropped"), "--trust", str(files / "trust.json"), "--json"]
    assert main_alone(arguments) == 1
    alone = json.loads(capsys.readouterr().out)
    assert main(["verify", *arguments]) == 1
    assert json.loads(capsys.readouterr().out) | {"verified_at": ""} == alone | {"verified_at": ""}
    assert main_alone(["--version"]) == 0
    assert main_alone(["--nonsense"]) == 2
    assert "sealtrail-verify --help" in capsys.readouterr().err


def test_verifying_imports_neither_web3_nor_aiohttp_nor_an_abi_library(files: Path) -> None:
    code = (
        "import sys; from sealtrail.cli.verify_alone import main; main(sys.argv[1:]);"
        "sys.exit(bool({'web3', 'aiohttp', 'sqlite3', 'eth_abi', 'rlp'} & set(sys.modules)))"
    )
    arguments = [str(files / "true"), "--trust", str(files / "trust.json")]
    assert subprocess.run([sys.executable, "-c", code, *arguments]).returncode == 0


def test_a_reader_that_went_away_is_no_verdict(files: Path) -> None:
    command = [sys.executable, "-m", "sealtrail.cli", "verify", files / "true"]
    process = subprocess.Popen(
        [*command, "--trust", files / "trust.json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 141


# -- where a bundle comes from -------------------------------------------------------------------------


def piped(files: Path, data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "sealtrail.cli",
            "verify",
            "-",
            "--json",
            "--trust",
            files / "trust.json",
        ],
        input=data,
        capture_output=True,
        check=False,
    )


def test_standard_input_is_read_as_a_file_is(files: Path, true_bundle: bytes) -> None:
    done = piped(files, true_bundle)
    assert done.returncode == 0
    assert json.loads(done.stdout)["outcome"] == "holds"


def test_what_comes_behind_the_end_is_refused(files: Path, true_bundle: bytes) -> None:
    done = piped(files, true_bundle + b"{}\n")
    assert done.returncode == 2
    assert json.loads(done.stderr)["error"]["code"] == "bundle_malformed"


def test_a_named_pipe_is_read_to_its_end(files: Path, true_bundle: bytes) -> None:
    pipe = files / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(true_bundle,))
    writer.start()
    assert verify(files, "pipe") == 0
    writer.join()


def test_a_file_that_grows_while_it_is_read_is_judged_by_what_was_read(
    files: Path, true_bundle: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    half = len(true_bundle) // 2
    pipe = files / "growing"
    os.mkfifo(pipe)

    def grow() -> None:
        with pipe.open("wb", buffering=0) as file:
            for part in (true_bundle[:half], true_bundle[half:], true_bundle):
                file.write(part)

    writer = threading.Thread(target=grow)
    writer.start()
    assert verify(files, "growing", "--json") == 2
    assert error_of(capsys)["code"] == "bundle_malformed"
    writer.join()


def test_a_read_that_fails_is_the_files_fault(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trust = str(files / "trust.json")
    assert main(["verify", "/proc/self/mem", "--trust", trust, "--json"]) == 2
    assert error_of(capsys)["code"] == "file_unreadable"
    assert main(["verify", str(files / "true"), "--trust", "/proc/self/mem", "--json"]) == 2
    assert error_of(capsys)["code"] == "file_unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_unreadable(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "true").chmod(0)
    assert verify(files, "true", "--json") == 2
    assert error_of(capsys)["code"] == "file_unreadable"


# -- what is no bundle --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "advice"),
    [
        (b"", "empty"),
        (b"\x1f\x8b\x08\0" + bytes(50), "gunzip"),
        (b"PK\x03\x04" + bytes(50), "ZIP"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html>\n<html>", "web page"),
        (b"\xef\xbb\xbf{}\n", "byte order mark"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b"\0\xff\x80garbage\n\n\n", "sealtrail evidence"),
        (b"[" * 100_000 + b"\n", "sealtrail evidence"),
        (b'{"type":"header"', "no end"),
    ],
)
def test_a_file_that_is_no_bundle_is_refused_with_what_it_may_be(
    files: Path, data: bytes, advice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "other").write_bytes(data)
    assert verify(files, "other", "--json") == 2
    error = error_of(capsys)
    assert error["code"] == "bundle_malformed"
    assert advice in error["advice"]


def test_a_download_that_was_cut_is_told_as_such(
    files: Path, true_bundle: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "cut").write_bytes(true_bundle[: len(true_bundle) * 2 // 3])
    assert verify(files, "cut", "--json") == 2
    error = error_of(capsys)
    assert error["code"] == "bundle_malformed"
    assert "cut on the way" in error["advice"]


def test_a_bundle_that_ends_after_a_line_is_not_whole(
    files: Path, true_bundle: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = true_bundle.splitlines(keepends=True)
    (files / "cut").write_bytes(b"".join(lines[:-1]))
    assert verify(files, "cut", "--json") == 2
    assert "not whole" in error_of(capsys)["message"]


def test_a_line_over_the_limit_is_refused_before_it_is_read_whole(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (files / "long").open("wb") as file:
        file.truncate(33 << 20)
    assert verify(files, "long", "--json") == 2
    assert error_of(capsys)["code"] == "bundle_line_too_long"


def test_an_endless_line_is_refused(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trust = str(files / "trust.json")
    assert main(["verify", "/dev/zero", "--trust", trust, "--json"]) == 2
    assert error_of(capsys)["code"] == "bundle_line_too_long"


@pytest.mark.parametrize("name", ["none", "folder"])
def test_no_file_and_a_folder_are_refused(
    files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "folder").mkdir()
    assert verify(files, name, "--json") == 2
    assert error_of(capsys)["code"] == {"none": "file_missing", "folder": "file_unreadable"}[name]


# -- trust files --------------------------------------------------------------------------------------


def test_without_a_trust_file_it_says_how_to_get_one(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(files / "true"), "--json"]) == 2
    error = error_of(capsys)
    assert error["code"] == "trust_missing"
    assert "sealtrail trust export" in error["advice"]
    assert main(["verify", str(files / "true"), "--trust", str(files / "no"), "--json"]) == 2
    error = error_of(capsys)
    assert error["code"] == "file_missing"
    assert "sealtrail trust export" in error["advice"]


def test_the_two_files_in_the_wrong_order_are_told_apart(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    swapped = ["verify", str(files / "trust.json"), "--trust", str(files / "true"), "--json"]
    assert main(swapped) == 2
    assert "this is a bundle" in error_of(capsys)["advice"]
    assert verify(files, "trust.json", "--json") == 2
    assert "looks like a trust file" in error_of(capsys)["advice"]


GARBAGE = {
    "empty": b"",
    "binary": b"\0\xff\xfe",
    "cut": b'{"type": "sealtrail/trust/1", "network"',
    "deep": b"[" * 200_000,
    "array": b"[]",
    "other type": b'{"type": "sealtrail/trust/2"}',
}


@pytest.mark.parametrize("name", GARBAGE)
def test_a_trust_file_that_is_none_is_refused(
    files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "trust.json").write_bytes(GARBAGE[name])
    assert verify(files, "true", "--json") == 2
    error = error_of(capsys)
    assert error["code"] == "trust_malformed"
    assert error["advice"]


def test_a_trust_file_without_end_is_refused(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(files / "true"), "--trust", "/dev/zero", "--json"]) == 2
    assert error_of(capsys)["code"] == "trust_too_large"


def doubled(trust: dict[str, Any]) -> str:
    return json.dumps(trust).replace('"pinned":', '"pinned": {}, "pinned":')


def changed(**members: Any) -> Callable[[dict[str, Any]], str]:
    return lambda trust: json.dumps({**trust, **members})


HOSTILE: dict[str, Callable[[dict[str, Any]], str]] = {
    "a key twice": doubled,
    "an unknown member": changed(scripts=[]),
    "no validators": changed(validators=[]),
    "validators twice": changed(validators=[{"from": 0, "validators": ["0x" + "00" * 20] * 2}]),
    "validators from later": changed(validators=[{"from": 2, "validators": ["0x" + "00" * 20]}]),
    "a number beyond": changed(pinned={"block": 2**70, "hash": "0x" + "00" * 32, "time": 0}),
    "a fraction": changed(pinned={"block": 1.5, "hash": "0x" + "00" * 32, "time": 0}),
    "another form": changed(consensus={"form": "proof of work"}),
    "a hash in capitals": changed(pinned={"block": 1, "hash": "0x" + "AA" * 32, "time": 0}),
    "more cosignatures than witnesses": changed(
        cosignatures={"needed": 2, "witnesses": [{"name": "w", "public_key": "0x" + "00" * 32}]}
    ),
    "a lone surrogate": changed(operators={"0x" + "00" * 20: "\ud800"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_trust_file_is_refused_at_its_place(
    files: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files / "trust.json"
    path.write_text(HOSTILE[name](json.loads(path.read_bytes())))
    assert verify(files, "true", "--json") == 2
    error = error_of(capsys)
    assert error["code"] == "trust_malformed"
    assert error["pointer"].startswith("/")


def test_a_trust_file_for_another_network_does_not_hold(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files / "trust.json"
    trust = json.loads(path.read_bytes())
    trust["network"]["chain_id"] += 1
    path.write_text(json.dumps(trust))
    assert verify(files, "true") == 1
    assert "another_network" in capsys.readouterr().out


def test_what_others_wrote_cannot_command_the_terminal(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files / "trust.json"
    trust = json.loads(path.read_bytes())
    trust["operators"] = dict.fromkeys(trust["operators"], "Acme\x1b[2J\x1b[1;32m✓\u202e\r\n")
    path.write_text(json.dumps(trust))
    assert verify(files, "true") == 0
    text = capsys.readouterr().out
    assert "\x1b[2J" not in text
    assert "Acme\\x1b[2J\\x1b[1;32m✓\\u202e\\r\\n" in text
    trust["\x1b[2J"] = 1
    path.write_text(json.dumps(trust))
    assert verify(files, "true") == 2
    assert "\x1b" not in capsys.readouterr().err


# -- where reports go -----------------------------------------------------------------------------------


def test_a_report_never_overwrites_what_it_is_about(
    files: Path, true_bundle: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (files / "link").symlink_to(files / "true")
    for name in ("true", "trust.json", "link"):
        assert verify(files, "true", "--html", str(files / name), "--json") == 2
        assert error_of(capsys)["code"] == "output_is_input"
    assert (files / "true").read_bytes() == true_bundle


def test_reports_that_cannot_be_written_are_refused_before_the_work(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere, out = str(files / "none" / "r.html"), str(files / "out")
    for arguments, code in (
        (("--html", nowhere), "output_unwritable"),
        (("--report", str(files)), "output_unwritable"),
        (("--html", out, "--report", out), "output_twice"),
    ):
        assert verify(files, "true", "--json", *arguments) == 2
        captured = capsys.readouterr()
        assert json.loads(captured.err)["error"]["code"] == code
        assert captured.out == ""


def test_a_malformed_bundle_leaves_no_report_behind(files: Path) -> None:
    (files / "bad").write_bytes(b"{}\n")
    assert verify(files, "bad", "--html", str(files / "h"), "--report", str(files / "r")) == 2
    assert not (files / "h").exists()
    assert not (files / "r").exists()


def test_a_report_has_the_rights_of_an_ordinary_file(files: Path) -> None:
    verify(files, "true", "--html", str(files / "h"))
    (files / "ordinary").touch()
    assert (files / "h").stat().st_mode == (files / "ordinary").stat().st_mode
    assert not [name for name in os.listdir(files) if name.startswith(".verify-")]
