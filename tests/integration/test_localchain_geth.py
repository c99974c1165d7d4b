"""An exported chain is a valid Clique network for geth itself.

Needs a geth with Clique (1.13.15 is the last): on PATH, or named by SEALTRAIL_GETH.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localchain_client import BURNER, RECORDER, RECURSOR, REVERTER, TELLER, Client, word
from localchain_process import LocalChainProcess, running_chain

GETH = os.environ.get("SEALTRAIL_GETH") or shutil.which("geth")

pytestmark = [
    pytest.mark.full,
    pytest.mark.skipif(
        GETH is None, reason="no geth: put geth 1.13.15 on PATH or name it by SEALTRAIL_GETH"
    ),
]


def _geth(folder: Path, *arguments: str) -> str:
    assert GETH is not None
    result = subprocess.run(
        [GETH, "--datadir", str(folder / "geth"), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-2_000:]
    return result.stdout + result.stderr


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


def _imported_head(folder: Path) -> str:
    _geth(folder, "init", str(folder / "genesis.json"))
    _geth(folder, "import", "--syncmode", "full", str(folder / "blocks.rlp"))
    script = 'var b = eth.getBlock("latest"); b.number + " " + b.hash'
    quiet = ("--verbosity", "0", "--nodiscover", "--maxpeers", "0", "--ipcdisable")
    ports = ("--port", "0", "--authrpc.port", "0")
    return _geth(folder, *quiet, *ports, "--exec", script, "console").strip().strip('"')


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


def test_geth_imports_every_block_to_the_same_head(tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--period", "0", "--idle-period", "0") as chain:
        client = Client(chain)
        _play(client)
        _export(chain, tmp_path)
        head = client.w3.eth.get_block("latest")
        assert _imported_head(tmp_path) == f"{head['number']} {head['hash'].to_0x_hex()}"


def test_geth_imports_a_chain_with_a_period(tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--idle-period", "1") as chain:
        client = Client(chain)
        recorder = client.deploy(RECORDER)
        for value in range(4):
            client.run(to=recorder, data=word(value))
        chain.stop()
        _export(chain, tmp_path)
    with running_chain(tmp_path / "chain", "--idle-period", "0") as chain:
        head = Client(chain).w3.eth.get_block("latest")
    assert _imported_head(tmp_path) == f"{head['number']} {head['hash'].to_0x_hex()}"


def test_geth_refuses_a_block_with_a_flipped_seal_byte(tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--period", "0", "--idle-period", "0") as chain:
        client = Client(chain)
        receipt = client.run(to=client.address)
        _export(chain, tmp_path)
        seal = bytes(client.w3.eth.get_block(receipt["blockNumber"])["proofOfAuthorityData"])[-65:]
    blocks = bytearray((tmp_path / "blocks.rlp").read_bytes())
    blocks[blocks.index(seal) + 40] ^= 1
    (tmp_path / "blocks.rlp").write_bytes(blocks)
    _geth(tmp_path, "init", str(tmp_path / "genesis.json"))
    with pytest.raises(
        AssertionError, match=r"unauthorized signer|recovery failed|invalid signature"
    ):
        _geth(tmp_path, "import", "--syncmode", "full", str(tmp_path / "blocks.rlp"))
