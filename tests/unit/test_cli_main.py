"""The outermost place: every error becomes an exit code and a message that says what to do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sealtrail.cli import main
from sealtrail.cli.main import COMMANDS


def test_help_names_every_command_without_importing_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in COMMANDS)


def test_help_and_hash_start_without_web3_aiohttp_or_the_database() -> None:
    code = (
        "import sys; from sealtrail.cli import main; main(['--help']); main(['hash', '--help']);"
        "sys.exit(bool({'web3', 'aiohttp', 'sqlite3', 'eth_account'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_an_unknown_command_is_the_users_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["captur"]) == 2
    error = capsys.readouterr().err
    assert "captur" in error
    assert "--help" in error


def test_an_unknown_command_is_json_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--jsn", "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "usage"


def test_a_coded_error_shows_code_and_advice(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["keys", "list", "--config", str(tmp_path / "none.toml")]) == 2
    error = capsys.readouterr().err
    assert "[config_missing]" in error
    assert "sealtrail init" in error


def test_a_coded_error_is_json_when_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.toml"
    path.write_text("[chain]\nrpc_url = 1")
    assert main(["doctor", "--json", "--config", str(path)]) == 1
    finding = json.loads(capsys.readouterr().out)["findings"][0]
    assert "config_unknown_setting" in finding["message"]
    assert main(["run", "--json", "--config", str(path)]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["code"], error["pointer"]) == ("config_unknown_setting", "chain.rpc_url")


def test_a_defect_asks_for_a_report_and_hides_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("sealtrail.cli.token.new_token", broken)
    assert main(["token", "new", "x"]) == 4
    error = capsys.readouterr().err
    assert "report" in error
    assert "Traceback" not in error
    assert main(["token", "new", "x", "--debug"]) == 4
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sealtrail.cli.token.new_token", interrupted)
    assert main(["token", "new", "x"]) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m sealtrail.cli --help | true"
    result = subprocess.run(["bash", "-c", command], capture_output=True)
    assert result.stderr == b""


def test_a_token_comes_with_the_lines_that_let_it_in(capsys: pytest.CaptureFixture[str]) -> None:
    from hashlib import sha256

    assert main(["token", "new", "ops", "--scope", "capture", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["entry"]["sha256"] == sha256(made["token"].encode()).hexdigest()
    assert made["entry"]["scopes"] == ["capture"]


def test_a_command_without_a_node_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEALTRAIL_NODE", raising=False)
    assert main(["status"]) == 2
    assert "--devnet" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["node.example", "http://h:99999", "http://[::1", "http://", ""])
def test_a_url_that_is_none_is_the_users_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["status", "--node", url]) == 2
    assert "defect" not in capsys.readouterr().err


def test_a_devnet_that_does_not_run_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", "--devnet", str(tmp_path)]) == 2
    assert "devnet_not_running" in capsys.readouterr().err
