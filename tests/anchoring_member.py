"""One member's anchoring and following over a real database and a real chain, in real time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path
from sqlite3 import Connection

from deployed_network import DeployedNetwork
from sealtrail.ledger.chain import ChainLedger
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.finality import parse_finality
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.tree import TreeHead
from sealtrail.services.chain.follower import Follower
from sealtrail.services.chain.network import FollowedNetworks, NetworkIdentity
from sealtrail.services.own_log.anchor_sender import SenderTiming
from sealtrail.services.own_log.anchoring import Anchoring, AnchoringSetup
from sealtrail.store.database import Database


def _clock() -> int:
    return time.time_ns() // 1_000_000


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until ``condition`` holds."""
    async with asyncio.timeout(seconds):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.05)


class AnchoringMember:
    """Services of one member over a database of its own; ``size`` is how long its log is."""

    def __init__(
        self,
        folder: Path,
        network: DeployedNetwork,
        operator: OperatorKey,
        finality: str = "signers",
    ) -> None:
        self.size = 0
        self.operator = operator
        self.database = Database.open(folder / f"{operator.address.hex()}.db", readers=2)
        self.ledger: ChainLedger = network.ledger(operator, parse_finality(finality))
        self.anchoring = Anchoring(
            self.database,
            self.ledger,
            AnchoringSetup(
                member=operator.address,
                origin=f"sealtrail/0x{network.identity.genesis_hash.hex()}"
                f"/0x{network.founded.registry.hex()}/0x{operator.address.hex()}",
                beat_seconds=0.3,
                poll_seconds=0.05,
                timing=SenderTiming(resend_seconds=1.0, replace_seconds=20.0),
            ),
            head=self.head,
            end_log=self.end_log,
            log_key=Ed25519Signer(b"\x01" * 32),
            clock=_clock,
            random=random.random,
        )
        self.follower = Follower(
            self.database, self.ledger, clock=_clock, random=random.random, poll_seconds=0.05
        )
        self.networks = FollowedNetworks(
            NetworkIdentity(
                chain_id=network.identity.chain_id,
                genesis_hash=network.identity.genesis_hash,
                registry=network.founded.registry,
                anchors=network.founded.anchors,
            )
        )
        self.stop = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> AnchoringMember:
        self.task = asyncio.create_task(self.anchoring.run(self.stop))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop.set()
        if self.task is not None:
            await self.task
        await self.ledger.close()
        self.database.close()

    def head(self) -> TreeHead:
        return TreeHead(self.size, sha256(b"%d" % self.size).digest())

    async def end_log(self) -> TreeHead:
        """There is no log here, and so no index: what it ends with is what it is."""
        return self.head()

    def seen(self, connection: Connection, keys: list[OperatorKey]) -> tuple[list[str], list[int]]:
        view = self.networks.view(connection)
        latest = [view.last_anchor(key.address) for key in keys]
        names = sorted(record.name for record in view.network().members)
        return names, [anchor.sequence for anchor in latest if anchor is not None]

    async def anchored(self, size: int) -> bool:
        return (await self.anchoring.status()).final_size >= size
