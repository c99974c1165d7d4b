"""A second organisation joins by the command line alone: keys of its own, request, admission, node."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from e2e.devnet_process import SEALTRAIL, sealtrail, until

STEWARD = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # published
PASSPHRASE = {"SEALTRAIL_PASSPHRASE": "correct horse battery staple"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Network:
    """A chain with the contracts on it, and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.rpc_url = f"http://127.0.0.1:{self.port}"
        self.steward_key = folder / "steward.hex"
        self.steward_key.write_text(STEWARD)
        self.steward_key.chmod(0o600)
        self.founded: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def start_chain(self) -> None:
        command = [
            sys.executable,
            "-m",
            "sealtrail_localchain",
            "--dir",
            str(self.folder / "chain"),
        ]
        self._process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(self._answers, "the chain")

    def stop_chain(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    def found(self) -> None:
        result = sealtrail(
            "network", "deploy", "--rpc-url", self.rpc_url, "--deployer-key",
            str(self.steward_key), "--json",
        )  # fmt: skip
        self.founded = json.loads(result.stdout)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("network"))
    made.start_chain()
    made.found()
    yield made
    made.stop_chain()


class Member:
    """An organisation's folder."""

    def __init__(self, network: Network, folder: Path, name: str) -> None:
        self.network, self.folder, self.name = network, folder, name
        self.config = folder / "sealtrail.toml"
        made = sealtrail(
            "init", str(folder), "--name", name, "--rpc-url", network.rpc_url,
            "--registry", network.founded["registry"], "--port", str(free_port()),
            "--beat-seconds", "0.5", "--json", **PASSPHRASE,
        )  # fmt: skip
        self.token: str = json.loads(made.stdout)["token"]
        self.url = re.findall(r"^port = (\d+)$", self.config.read_text(), re.M)[0]

    def ask_and_be_admitted(self) -> None:
        request = self.folder / "request.json"
        sealtrail(
            "member", "request", "--role", "dispenser", "--gln", "9521009000019",
            "--out", str(request), "--config", str(self.config), **PASSPHRASE,
        )  # fmt: skip
        result = sealtrail(
            "member", "admit", str(request), "--rpc-url", self.network.rpc_url,
            "--steward-key", str(self.network.steward_key), "--yes", "--json",
        )  # fmt: skip
        assert json.loads(result.stdout)["admitted"] is True

    def status(self, check: bool = True) -> subprocess.CompletedProcess[str]:
        return sealtrail(
            "status", "--json", "--config", str(self.config), "--token", self.token, check=check
        )

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            [*SEALTRAIL, "run", "--config", str(self.config)],
            env=os.environ | PASSPHRASE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            until(
                lambda: process.poll() is not None or not self.status(check=False).returncode, "it"
            )
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            if process.stderr:
                process.stderr.close()


@pytest.fixture(scope="module")
def member(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Member:
    return Member(network, tmp_path_factory.mktemp("org") / "node", "Apotheke am Markt")


def refused(config: Path, code: str, exit_code: int, **environment: str) -> None:
    result = sealtrail("run", "--config", str(config), check=False, **(PASSPHRASE | environment))
    assert (code in result.stderr, result.returncode) == (True, exit_code), result.stderr


def altered(member: Member, found: str, replaced: str) -> Path:
    text = member.config.read_text()
    changed = re.sub(found, replaced, text, count=1, flags=re.M)
    assert changed != text
    path = member.folder / "altered.toml"
    path.write_text(changed)
    return path


def test_init_pins_the_chain_and_leaves_no_secret_behind(member: Member, network: Network) -> None:
    text = member.config.read_text()
    assert f"chain_id = {network.founded['chain_id']}" in text
    assert network.founded["genesis_hash"] in text
    assert member.token not in text
    assert PASSPHRASE["SEALTRAIL_PASSPHRASE"] not in text
    for key in (member.folder / "keys").iterdir():
        assert "private_key" not in key.read_text()


def test_init_never_overwrites(member: Member) -> None:
    result = sealtrail("init", str(member.folder), check=False, **PASSPHRASE)
    assert (result.returncode, "config_exists" in result.stderr) == (2, True)


def test_init_without_a_passphrase_is_refused(tmp_path: Path) -> None:
    result = sealtrail("init", str(tmp_path / "n"), check=False, SEALTRAIL_PASSPHRASE="")
    assert (result.returncode, "passphrase_empty" in result.stderr) == (2, True)
    assert not (tmp_path / "n").exists()


def test_a_node_of_nobody_does_not_run(network: Network, tmp_path: Path) -> None:
    stranger = Member(network, tmp_path / "node", "Stranger")
    refused(stranger.config, "member_not_admitted", 2)


def test_a_changed_request_is_not_admitted(network: Network, tmp_path: Path) -> None:
    stranger = Member(network, tmp_path / "node", "Stranger")
    request = tmp_path / "request.json"
    sealtrail(
        "member", "request", "--role", "dispenser", "--out", str(request),
        "--config", str(stranger.config), **PASSPHRASE,
    )  # fmt: skip
    request.write_text(request.read_text().replace("dispenser", "regulator"))
    result = sealtrail(
        "member", "admit", str(request), "--rpc-url", network.rpc_url,
        "--steward-key", str(network.steward_key), "--yes", check=False,
    )  # fmt: skip
    assert (result.returncode, "consent_by_another" in result.stderr) == (1, True)


def test_nobody_but_a_steward_admits(network: Network, tmp_path: Path) -> None:
    stranger = Member(network, tmp_path / "node", "Stranger")
    request = tmp_path / "request.json"
    sealtrail(
        "member", "request", "--role", "dispenser", "--out", str(request),
        "--config", str(stranger.config), **PASSPHRASE,
    )  # fmt: skip
    key = tmp_path / "key"
    key.write_text("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
    key.chmod(0o600)
    result = sealtrail(
        "member", "admit", str(request), "--rpc-url", network.rpc_url,
        "--steward-key", str(key), "--yes", check=False,
    )  # fmt: skip
    assert (result.returncode, "NotASteward" in result.stderr) == (1, True)


def test_two_stewards_admit_together(network: Network, tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.write_text("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
    second.chmod(0o600)
    founded = json.loads(
        sealtrail(
            "network", "deploy", "--rpc-url", network.rpc_url, "--deployer-key",
            str(network.steward_key), "--json",
            "--steward", "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
            "--steward", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        ).stdout
    )  # fmt: skip
    sealtrail(
        "init", str(tmp_path / "n"), "--name", "N", "--rpc-url", network.rpc_url,
        "--registry", founded["registry"], **PASSPHRASE,
    )  # fmt: skip
    request = tmp_path / "r.json"
    sealtrail(
        "member", "request", "--role", "carrier", "--out", str(request),
        "--config", str(tmp_path / "n" / "sealtrail.toml"), **PASSPHRASE,
    )  # fmt: skip
    vote = ["member", "admit", str(request), "--rpc-url", network.rpc_url, "--yes", "--json"]
    first = json.loads(sealtrail(*vote, "--steward-key", str(network.steward_key)).stdout)
    assert first["admitted"] is False
    last = ["--last-block", str(first["last_block"])]
    repeated = sealtrail(*vote, *last, "--steward-key", str(network.steward_key), check=False)
    assert (repeated.returncode, "AlreadyVoted" in repeated.stderr) == (1, True)
    assert json.loads(sealtrail(*vote, *last, "--steward-key", str(second)).stdout)["admitted"]


def test_an_admitted_member_runs_and_refuses_what_is_not_its_own(
    member: Member, network: Network, tmp_path: Path
) -> None:
    member.ask_and_be_admitted()
    with member.running() as process:
        status = json.loads(member.status().stdout)
        assert status["name"] == "Apotheke am Markt"
        until(
            lambda: json.loads(member.status().stdout)["anchoring"]["final_sequence"] == 1,
            "the genesis entry's anchor",
        )
        status = json.loads(member.status().stdout)
        assert status["log"]["tree_size"] == 2  # the genesis entry, and the anchor's index entry
        refused(member.config, "store_in_use", 3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    refused(member.config, "passphrase_wrong", 2, SEALTRAIL_PASSPHRASE="wrong")
    refused(
        altered(member, r'^genesis_hash = ".*"', f'genesis_hash = "0x{"11" * 32}"'),
        "wrong_chain",
        2,
    )
    refused(
        altered(member, r'^registry = ".*"', f'registry = "0x{"22" * 20}"'), "registry_missing", 2
    )
    refused(altered(member, r"^chain_id = .*", "chain_id = 1"), "wrong_chain", 2)
    other = Member(network, tmp_path / "other", "Other")
    event_key = other.folder / "keys" / "event.json"
    refused(altered(member, r"^#event = .*", f'event = "{event_key}"'), "key_not_registered", 2)


def test_a_node_that_knows_the_chain_starts_without_it(member: Member, network: Network) -> None:
    network.stop_chain()
    try:
        with member.running():
            status = json.loads(member.status().stdout)
            assert status["chain"]["failure"]["code"] == "chain_unreachable"
        stranger = altered(member, r'^#data_dir = ".*"', 'data_dir = "elsewhere"')
        refused(stranger, "chain_unreachable", 3)
        result = sealtrail(
            "doctor", "--config", str(member.config), "--json", check=False, **PASSPHRASE
        )
        states = {f["check"]: f["state"] for f in json.loads(result.stdout)["findings"]}
        assert (result.returncode, states["chain"], states["member"]) == (3, "unknown", "unknown")
    finally:
        network.start_chain()
