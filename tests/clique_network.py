"""A Clique network of several geth signers on this machine, for tests with a geth binary."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from eth_account import Account

from sealtrail.errors import UnavailableError
from sealtrail.ledger.rpc import Rpc

CHAIN_ID = 1742
_FORKS = (
    *("homestead", "eip150", "eip155", "eip158", "byzantium", "constantinople", "petersburg"),
    *("istanbul", "berlin"),
)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Signer:
    """One geth that seals; can be killed and started again."""

    def __init__(self, geth: str, folder: Path, number: int) -> None:
        self.private_key = bytes([0x51 + number]) * 32
        self.address: str = Account.from_key(self.private_key).address
        self.data = folder / f"signer-{number}"
        self._geth = geth
        self._folder = folder
        self._port, self._http_port, self._auth_port = (_free_port() for _ in range(3))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http_port}"

    def make(self) -> None:
        (self.data / "keystore").mkdir(parents=True)
        key = Account.encrypt(self.private_key, "x", iterations=2, kdf="scrypt")
        (self.data / "keystore" / "signer").write_text(json.dumps(key))
        genesis = str(self._folder / "genesis.json")
        subprocess.run(
            [self._geth, "--datadir", str(self.data), "--verbosity", "1", "init", genesis],
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(self._geth, "--datadir", str(self.data), "--verbosity", "1", "--cache", "64"),
                *("--http", "--http.port", str(self._http_port), "--http.api", "eth,net,admin"),
                *("--authrpc.port", str(self._auth_port), "--port", str(self._port)),
                *("--nodiscover", "--netrestrict", "127.0.0.0/8", "--nat", "none", "--ipcdisable"),
                *("--syncmode", "full", "--networkid", str(CHAIN_ID), "--mine"),
                *("--miner.etherbase", self.address, "--unlock", self.address),
                *("--password", str(self._folder / "password"), "--allow-insecure-unlock"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


class CliqueNetwork:
    """Signers that know each other."""

    def __init__(self, signers: list[Signer]) -> None:
        self.signers = signers

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(s.url for s in self.signers)

    async def connect(self) -> None:
        """Wait until all answer, make them peers, and wait until they are on one chain.

        A signer that was away takes part only when it has what the others sealed; until then the network is one
        signer short, and stands still if another dies.
        """
        enodes = [await _ask(url, "admin_nodeInfo") for url in self.urls]
        for url in self.urls:
            for enode in enodes:
                await _ask(url, "admin_addPeer", enode["enode"])
        async with asyncio.timeout(120):
            while True:
                if await self._on_one_chain():
                    return
                await asyncio.sleep(0.1)

    async def _on_one_chain(self) -> bool:
        """Tell whether all know each other and none is more than a block behind, or on a branch of its own."""
        peers = [int(await _ask(url, "net_peerCount"), 16) for url in self.urls]
        heads = [int(await _ask(url, "eth_blockNumber"), 16) for url in self.urls]
        blocks = [
            await _ask(url, "eth_getBlockByNumber", hex(min(heads)), False) for url in self.urls
        ]
        return (
            min(peers) == len(self.signers) - 1
            and max(heads) - min(heads) <= 1
            and len({block and block["hash"] for block in blocks}) == 1
        )


async def _ask(url: str, method: str, *params: Any) -> Any:
    rpc = Rpc([url])
    try:
        async with asyncio.timeout(60):
            while True:
                with suppress(UnavailableError):
                    return await rpc.call(method, *params)
                await asyncio.sleep(0.1)
    finally:
        await rpc.close()


@contextmanager
def clique_network(
    geth: str, folder: Path, signers: int, *, london: bool = False, funded: str | None = None
) -> Iterator[CliqueNetwork]:
    """Start signers with a block a second between them; without London nobody pays or owns anything."""
    made = [Signer(geth, folder, n) for n in range(signers)]
    config: dict[str, Any] = {f"{fork}Block": 0 for fork in _FORKS}
    config |= {"chainId": CHAIN_ID, "clique": {"period": 1, "epoch": 30_000}}
    if london:
        config["londonBlock"] = 0
    listed = "".join(sorted(s.address[2:].lower() for s in made))
    genesis = {
        "config": config,
        "difficulty": "1",
        "gasLimit": "30000000",
        "extradata": "0x" + "00" * 32 + listed + "00" * 65,
        "alloc": {funded: {"balance": hex(10**24)}} if funded else {},
    }
    (folder / "genesis.json").write_text(json.dumps(genesis))
    (folder / "password").write_text("x")
    try:
        for signer in made:
            signer.make()
            signer.start()
        yield CliqueNetwork(made)
    finally:
        for signer in made:
            signer.kill()
