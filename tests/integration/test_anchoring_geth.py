"""Anchoring on a real Clique network of permissioned form: Berlin, no base fee, legacy transactions at price 0."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from eth_account import Account

from anchoring_member import AnchoringMember, until
from deployed_network import deploy
from sealtrail.errors import UnavailableError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.rpc import Rpc

pytestmark = pytest.mark.full

SIGNER = b"\x51" * 32
FORKS = (
    "homestead",
    "eip150",
    "eip155",
    "eip158",
    "byzantium",
    "constantinople",
    "petersburg",
    "istanbul",
    "berlin",
)


def _genesis(signer: str) -> dict[str, object]:
    config: dict[str, object] = {f"{fork}Block": 0 for fork in FORKS}
    config |= {"chainId": 1742, "clique": {"period": 1, "epoch": 30000}}
    return {
        "config": config,
        "difficulty": "1",
        "gasLimit": "30000000",
        "extradata": "0x" + "00" * 32 + signer[2:] + "00" * 65,
        "alloc": {},
    }


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.fixture
def url(geth: str, tmp_path: Path) -> Iterator[str]:
    """One signer; answers at the URL."""
    account = Account.from_key(SIGNER)
    data = tmp_path / "geth"
    (data / "keystore").mkdir(parents=True)
    (data / "keystore" / "signer").write_text(
        json.dumps(Account.encrypt(SIGNER, "x", iterations=2, kdf="scrypt"))
    )
    (tmp_path / "password").write_text("x")
    (tmp_path / "genesis.json").write_text(json.dumps(_genesis(account.address)))
    common = [geth, "--datadir", str(data), "--verbosity", "1"]
    subprocess.run(
        [*common, "init", str(tmp_path / "genesis.json")], check=True, capture_output=True
    )
    port = _free_port()
    process = subprocess.Popen(
        [
            *common,
            *("--http", "--http.port", str(port), "--authrpc.port", str(_free_port())),
            *("--port", str(_free_port()), "--nodiscover", "--nat", "none", "--ipcdisable"),
            *("--syncmode", "full", "--networkid", "1742", "--mine", "--miner.gasprice", "0"),
            *("--miner.etherbase", account.address, "--unlock", account.address),
            *("--password", str(tmp_path / "password"), "--allow-insecure-unlock"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


async def _ready(url: str) -> Rpc:
    rpc = Rpc([url])
    async with asyncio.timeout(60):
        while True:
            with suppress(UnavailableError):
                await rpc.identity()
                return rpc
            await asyncio.sleep(0.2)


async def test_anchors_go_to_a_free_berlin_clique_network(url: str, tmp_path: Path) -> None:
    rpc = await _ready(url)
    steward = OperatorKey(b"\x52" * 32)
    assert await detect_fees(rpc, steward.address) is FeeMode.FREE
    await rpc.close()
    network = await deploy((url,), steward, FeeMode.FREE)
    operator = await network.admit(b"\x53" * 32)
    async with AnchoringMember(tmp_path, network, operator) as member:
        for size in (1, 2, 3):
            member.size = size
            await until(lambda s=size: member.anchored(s))  # type: ignore[misc]
        head = await member.ledger.head()
        anchors, records = await member.ledger.changes(0, head.number)
        await member.follower.check_now()
    assert [a.sequence for a in anchors] == [1, 2, 3]
    assert len(records) == 1
