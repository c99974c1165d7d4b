"""An exported chain is a valid Clique network for geth itself.

Needs a geth with Clique (1.13.15 is the last): see the fixture.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from localchain_client import BURNER, RECORDER, RECURSOR, REVERTER, TELLER, Client, word
from localchain_process import LocalChainProcess, running_chain

pytestmark = pytest.mark.full

Geth = Callable[..., str]


@pytest.fixture
def run_geth(geth: str, tmp_path: Path) -> Geth:
    """Runs geth over the test's folder to its end, and gives what it said."""

    def run(*arguments: str) -> str:
        result = subprocess.run(
            [geth, "--datadir", str(tmp_path / "geth"), *arguments],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert result.returncode == 0, result.stderr[-2_000:]
        return result.stdout + result.stderr

    return run


def _export(chain: LocalChainProcess, folder: Path) -> None:
    for command, name in (("genesis", "genesis.json"), ("export", "blocks.rlp")):
        subprocess.run(
            [
                *(sys.executable, "-m", "sealtrail_localchain", command),
                *("--dir", str(chain.directory), str(folder / name)),
            ],
            check=True,
            timeout=60,
            capture_output=True,
        )


def _imported_head(run_geth: Geth, folder: Path) -> str:
    run_geth("init", str(folder / "genesis.json"))
    run_geth("import", "--syncmode", "full", str(folder / "blocks.rlp"))
    script = 'var b = eth.getBlock("latest"); b.number + " " + b.hash'
    quiet = ("--verbosity", "0", "--nodiscover", "--maxpeers", "0", "--ipcdisable")
    ports = ("--port", "0", "--authrpc.port", "0")
    return run_geth(*quiet, *ports, "--exec", script, "console").strip().strip('"')


def _play(client: Client) -> None:
    """Everything a chain can hold: each type, creation, logs, refunds, failures, empty accounts."""
    recorder, reverter, burner, recursor, teller = (
        client.deploy(code) for code in (RECORDER, REVERTER, BURNER, RECURSOR, TELLER)
    )
    keys = [{"address": recorder, "storageKeys": ["0x" + word(0).hex()]}]
    waiting = [
        client.send(**fields)
        for value in range(12)
        for fields in (
            {"to": recorder, "data": word(value % 2)},
            {"to": recorder, "data": word(value % 3), "gasPrice": value},
            {"to": recorder, "data": word(0), "gasPrice": 2, "type": 1, "accessList": keys},
            {"to": recorder, "data": word(9), "maxFeePerGas": 9, "maxPriorityFeePerGas": value % 9},
            {"to": (value + 4096).to_bytes(20, "big"), "value": value % 2, "gasPrice": value % 2},
            {"to": value.to_bytes(20, "big"), "value": 0, "data": word(value)},
            {"to": reverter, "data": word(value)},
            {"to": burner, "gas": 60_000},
            {"to": teller},
            {"data": bytes.fromhex("60006000fd"), "gas": 100_000},
            {"data": bytes.fromhex("ef"), "gas": 100_000},
        )
    ]
    waiting.append(client.send(to=recursor, gas=14_000_000))
    for tx_hash in waiting:
        client.receipt(tx_hash)


def test_geth_imports_every_block_to_the_same_head(run_geth: Geth, tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--period", "0", "--idle-period", "0") as chain:
        client = Client(chain)
        _play(client)
        _export(chain, tmp_path)
        head = client.w3.eth.get_block("latest")
        assert _imported_head(run_geth, tmp_path) == f"{head['number']} {head['hash'].to_0x_hex()}"


def test_geth_imports_a_chain_with_a_period(run_geth: Geth, tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--idle-period", "1") as chain:
        client = Client(chain)
        recorder = client.deploy(RECORDER)
        for value in range(4):
            client.run(to=recorder, data=word(value))
        chain.stop()
        _export(chain, tmp_path)
    with running_chain(tmp_path / "chain", "--idle-period", "0") as chain:
        head = Client(chain).w3.eth.get_block("latest")
    assert _imported_head(run_geth, tmp_path) == f"{head['number']} {head['hash'].to_0x_hex()}"


def test_geth_refuses_a_block_with_a_flipped_seal_byte(run_geth: Geth, tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--period", "0", "--idle-period", "0") as chain:
        client = Client(chain)
        receipt = client.run(to=client.address)
        _export(chain, tmp_path)
        seal = bytes(client.w3.eth.get_block(receipt["blockNumber"])["proofOfAuthorityData"])[-65:]
    blocks = bytearray((tmp_path / "blocks.rlp").read_bytes())
    blocks[blocks.index(seal) + 40] ^= 1
    (tmp_path / "blocks.rlp").write_bytes(blocks)
    run_geth("init", str(tmp_path / "genesis.json"))
    with pytest.raises(
        AssertionError, match=r"unauthorized signer|recovery failed|invalid signature"
    ):
        run_geth("import", "--syncmode", "full", str(tmp_path / "blocks.rlp"))
