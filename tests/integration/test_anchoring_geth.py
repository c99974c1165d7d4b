"""Anchoring on real Clique networks: Berlin at gas price 0, London with a base fee; one signer and several."""

from __future__ import annotations

from pathlib import Path

import pytest

from anchoring_member import AnchoringMember, until
from clique_network import CliqueNetwork, clique_network
from deployed_network import deploy
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.rpc import Rpc

pytestmark = pytest.mark.full

STEWARD = OperatorKey(b"\x42" * 32)


async def _fees(network: CliqueNetwork) -> FeeMode:
    await network.connect()
    rpc = Rpc(network.urls)
    try:
        return await detect_fees(rpc, STEWARD.address)
    finally:
        await rpc.close()


async def test_anchors_go_to_a_free_berlin_network(geth: str, tmp_path: Path) -> None:
    with clique_network(geth, tmp_path, 1) as clique:
        assert await _fees(clique) is FeeMode.FREE
        network = await deploy(clique.urls, STEWARD, FeeMode.FREE)
        operator = await network.admit(b"\x43" * 32)
        async with AnchoringMember(tmp_path, network, operator) as member:
            for size in (1, 2, 3):
                member.size = size
                await until(lambda s=size: member.anchored(s))  # type: ignore[misc]
            head = await member.ledger.head()
            anchors, records = await member.ledger.changes(0, head.number)
            await member.follower.check_now()
    assert [a.sequence for a in anchors] == [1, 2, 3]
    assert len(records) == 1


@pytest.mark.parametrize("finality", ["signers", "depth 3"])
async def test_a_network_of_five_loses_and_doubles_nothing_while_signers_die(
    geth: str, tmp_path: Path, finality: str
) -> None:
    funded = "0x" + STEWARD.address.hex()
    with clique_network(geth, tmp_path, 5, london=True, funded=funded) as clique:
        assert await _fees(clique) is FeeMode.EIP1559
        network = await deploy(clique.urls, STEWARD, FeeMode.EIP1559)
        operator = await network.admit(b"\x43" * 32)
        async with AnchoringMember(tmp_path, network, operator, finality) as member:
            # The last is asked by nobody; the first is whom this node asks: it goes on with the next. Of five
            # signers three seal in turn, so that with one away two branches of the same weight don't halt Clique.
            for dying in (clique.signers[-1], clique.signers[0]):
                member.size += 1
                await until(lambda: member.anchored(member.size))
                dying.kill()
                member.size += 1
                await until(lambda: member.anchored(member.size), 60)
                dying.start()
                await clique.connect()
            member.size += 1
            await until(lambda: member.anchored(member.size))
            status = await member.anchoring.status()
            head = await member.ledger.head()
            anchors, _ = await member.ledger.changes(0, head.number)
            await member.follower.check_now()
    assert status.finality_violations == 0
    assert [a.sequence for a in anchors] == list(range(1, status.final_sequence + 1))
