"""``python -m sealtrail_localchain`` as a person or a starter uses it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from localchain_client import RECORDER, Client, word
from localchain_process import running_chain, start_chain

COMMAND = (sys.executable, "-m", "sealtrail_localchain")


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=60)


def _error_code(result: subprocess.CompletedProcess[str]) -> str:
    return str(json.loads(result.stderr)["error"]["code"])


def test_a_directory_in_use_is_refused_by_a_second_process(tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        result = _run("--json", "--dir", str(tmp_path), "--port", "0")
        assert (result.returncode, _error_code(result)) == (2, "directory_in_use")
        assert str(chain.process.pid) in result.stderr
        assert (tmp_path / "chain.json").exists()


def test_a_taken_port_is_named_with_what_to_do(tmp_path: Path) -> None:
    with running_chain(tmp_path / "a") as chain:
        result = _run("--dir", str(tmp_path / "b"), "--port", str(chain.port))
        assert result.returncode == 3
        assert f"port {chain.port}" in result.stderr
        assert "--port" in result.stderr
        assert not (tmp_path / "b" / "chain.json").exists()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])  # noqa: S104
def test_an_address_others_can_reach_needs_a_word(tmp_path: Path, host: str) -> None:
    result = _run("--json", "--dir", str(tmp_path), "--port", "0", "--host", host)
    assert (result.returncode, _error_code(result)) == (2, "remote_not_allowed")
    assert "--allow-remote" in result.stderr


def test_with_the_word_it_listens_there(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--host", "0.0.0.0", "--allow-remote") as chain:  # noqa: S104
        assert chain.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with running_chain(tmp_path) as chain:
        chain.process.send_signal(number)
        assert chain.process.wait(30) == 0
        assert chain.process.communicate()[1] == ""


@pytest.mark.parametrize(
    ("option", "value"), [("--chain-id", "5"), ("--period", "2")], ids=["chain id", "period"]
)
def test_an_existing_chain_keeps_what_genesis_fixed(
    tmp_path: Path, option: str, value: str
) -> None:
    with running_chain(tmp_path) as chain:
        chain.stop()
    result = _run("--json", "--dir", str(tmp_path), "--port", "0", option, value)
    assert (result.returncode, _error_code(result)) == (2, "chain_differs")


def test_a_chain_id_of_ones_own_is_kept(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--chain-id", "4711") as chain:
        assert chain.chain_id == 4711
        chain.stop()
    with running_chain(tmp_path) as chain:
        assert chain.chain_id == 4711


def test_a_ready_file_left_by_a_kill_goes_before_the_next_start(tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        chain.kill()
        assert (tmp_path / "chain.json").exists()
        result = _run("--dir", str(tmp_path), "--port", "0", "--chain-id", "5")
        assert result.returncode == 2
        assert not (tmp_path / "chain.json").exists()


def test_a_database_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chain.db").write_bytes(b"no database" * 1_000)
    result = _run("--json", "--dir", str(tmp_path), "--port", "0")
    assert (result.returncode, _error_code(result)) == (4, "database_unreadable")


def test_a_lost_signer_key_is_told_from_a_new_chain(tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        chain.stop()
    (tmp_path / "signer.key").unlink()
    result = _run("--json", "--dir", str(tmp_path), "--port", "0")
    assert (result.returncode, _error_code(result)) == (2, "chain_differs")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = _run("--json", "--dir", str(tmp_path / "file"), "--port", "0")
    assert (result.returncode, _error_code(result)) == (2, "directory_unusable")


def test_the_banner_marks_the_accounts_as_public(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "--dir", str(tmp_path), "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.terminate()
    process.communicate(timeout=30)
    assert "NEVER USE THEM FOR ANYTHING OF VALUE" in lines[2]


def test_help_names_every_option() -> None:
    shown = _run("--help").stdout
    for option in ("--dir", "--port", "--host", "--allow-remote", "--chain-id", "--period"):
        assert option in shown


def test_an_export_of_no_chain_is_refused(tmp_path: Path) -> None:
    result = _run("export", "--json", "--dir", str(tmp_path), str(tmp_path / "blocks.rlp"))
    assert (result.returncode, _error_code(result)) == (2, "no_chain_here")
    assert not (tmp_path / "blocks.rlp").exists()


def test_export_works_beside_the_running_chain(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--period", "0", "--idle-period", "0") as chain:
        client = Client(chain)
        client.run(to=client.deploy(RECORDER), data=word(1))
        result = _run("export", "--json", "--dir", str(tmp_path), str(tmp_path / "blocks.rlp"))
        assert result.returncode == 0
        assert json.loads(result.stdout)["blocks"] == client.w3.eth.block_number


def test_a_missing_anvil_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALTRAIL_ANVIL", str(tmp_path / "anvil"))
    result = _run("--json", "--dir", str(tmp_path), "--port", "0", "--backend", "anvil")
    assert (result.returncode, _error_code(result)) == (3, "anvil_missing")
    assert "npm install" in result.stderr


def test_a_start_that_fails_tells_the_starter_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RuntimeError, match="directory_unusable"):
        start_chain(tmp_path / "file")
