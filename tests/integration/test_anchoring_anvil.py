"""Anchoring while a chain reorganises for real: anvil, with finality three blocks deep."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from anchoring_member import AnchoringMember, until
from deployed_network import deploy
from sealtrail.errors import UnavailableError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.rpc import Rpc
from sealtrail.store.outbox import State, last_row
from sealtrail_localchain.accounts import development_accounts

pytestmark = pytest.mark.full


@pytest.fixture
def url(anvil: str) -> Iterator[str]:
    """A fresh chain with a block every second."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(
        # automine under load mines empty blocks, and without pruning it fills the disk
        [anvil, "--port", str(port), "--block-time", "1", "--prune-history", "64", "--silent"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # npm's anvil is a script that starts the program: both are to end
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _ready(url: str) -> Rpc:
    rpc = Rpc([url])
    async with asyncio.timeout(30):
        while True:
            with suppress(UnavailableError):
                await rpc.identity()
                return rpc
            await asyncio.sleep(0.1)


async def test_an_anchor_that_a_reorganisation_drops_is_sent_again(
    url: str, tmp_path: Path
) -> None:
    rpc = await _ready(url)
    assert await detect_fees(rpc) is FeeMode.EIP1559
    accounts = development_accounts()
    network = await deploy((url,), OperatorKey(accounts[0].private_key))
    operator = await network.admit(accounts[1].private_key, fund=False)
    async with AnchoringMember(tmp_path, network, operator, "depth 3") as member:
        await _blocks(rpc, 4)  # admission must not be what is reorganised
        member.size = 1
        await until(lambda: _state(member, State.INCLUDED))
        before = member.database.read_sync(last_row)
        await rpc.call("anvil_reorg", 2, [])
        await until(lambda: member.anchored(1))
        after = member.database.read_sync(last_row)
        head = await member.ledger.head()
        anchors, _ = await member.ledger.changes(0, head.number)
        await member.follower.check_now()
    await rpc.close()
    assert before is not None
    assert after is not None
    assert before.block_hash != after.block_hash
    assert [(a.sequence, a.block_hash) for a in anchors] == [(1, after.block_hash)]


async def _state(member: AnchoringMember, state: State) -> bool:
    row = member.database.read_sync(last_row)
    return row is not None and row.state is state


async def _blocks(rpc: Rpc, count: int) -> None:
    for _ in range(count):
        await rpc.call("evm_mine")
