"""The devnet on chains that are not its own, and on anvil."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import devnet, sealtrail, until
from fakes.quorum import quorum_over

# the second of the published development accounts
DEPLOYER = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"


@pytest.fixture
def rpc_url(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "sealtrail_localchain", "--dir", str(tmp_path / "chain"),
         "--port", str(port)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until(answers, "the chain")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def is_anchored(config: Path, directory: Path, name: str) -> bool:
    status = sealtrail("status", "--json", "--devnet", str(directory), "--as", name).stdout
    return '"final_sequence": 0' not in status and config.exists()


def validators(directory: Path, name: str) -> Any:
    status = sealtrail("status", "--json", "--devnet", str(directory), "--as", name).stdout
    return json.loads(status)["chain"]["validators"]


def test_a_chain_that_runs_already_serves_with_free_transactions(
    tmp_path: Path, rpc_url: str
) -> None:
    key = tmp_path / "deployer"
    key.write_text("0x" + DEPLOYER + "\n")
    key.chmod(0o600)
    directory = tmp_path / "net"
    with devnet(
        directory, "--nodes", "2", "--chain", "rpc", "--rpc-url", rpc_url,
        "--deployer-key", str(key), "--fees", "free",
    ) as running:  # fmt: skip
        chain = running.described["chain"]
        assert (chain["rpc_url"], chain["pid"], chain["argv"]) == (rpc_url, None, None)
        config = directory / "nodes" / "wholesaler" / "sealtrail.toml"
        assert 'fees = "free"' in config.read_text()
        assert 'finality = "signers"' in config.read_text()
        until(lambda: is_anchored(config, directory, "wholesaler"), "an anchor")
        until(lambda: validators(directory, "wholesaler")["state"] == "following", "the validators")
        followed = validators(directory, "wholesaler")
        assert (followed["form"], len(followed["members"])) == ("clique", 1)
        assert followed["block"] > 0
        assert DEPLOYER not in "".join(
            p.read_text(errors="replace") for p in directory.rglob("*.json")
        )


def test_a_quorum_network_of_gas_price_0_is_found_out_and_serves_an_empty_account(
    tmp_path: Path, rpc_url: str
) -> None:
    key = tmp_path / "deployer"
    key.write_text("0x" + "77" * 32 + "\n")  # owns nothing
    key.chmod(0o600)
    directory = tmp_path / "net"
    config = directory / "nodes" / "manufacturer" / "sealtrail.toml"
    with quorum_over(rpc_url) as url:
        options = ("--chain", "rpc", "--rpc-url", url, "--deployer-key", str(key))
        with devnet(directory, "--nodes", "2", *options):
            assert 'fees = "free"' in config.read_text()
            assert 'finality = "instant"' in config.read_text()
            until(lambda: is_anchored(config, directory, "manufacturer"), "an anchor")
            doctor = sealtrail("doctor", "--json", "--config", str(config), check=False).stdout
        with devnet(directory):
            assert is_anchored(config, directory, "wholesaler")
    assert '"problem"' not in doctor


@pytest.mark.full
def test_anvil_serves(tmp_path: Path, anvil: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALTRAIL_ANVIL", anvil)
    directory = tmp_path / "net"
    with devnet(directory, "--nodes", "1", "--chain", "anvil"):
        config = directory / "nodes" / "manufacturer" / "sealtrail.toml"
        until(lambda: is_anchored(config, directory, "manufacturer"), "an anchor")
        until(lambda: validators(directory, "manufacturer")["state"] == "no_seals", "the answer")
