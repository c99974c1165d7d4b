"""Anchoring and following with the real contracts on the embedded chain, which is killed and started again."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from anchoring_member import AnchoringMember, until
from deployed_network import DeployedNetwork, deploy
from localchain_process import LocalChainProcess, local_chain, running_chain, start_chain
from sealtrail.errors import VerificationError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.registry_calls import anchor
from sealtrail.ledger.reverts import errors_by_selector
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.transactions import send_and_wait
from sealtrail_contracts import artifact

__all__ = ["local_chain"]


def _steward(process: LocalChainProcess) -> OperatorKey:
    return OperatorKey(bytes.fromhex(process.accounts[0].private_key[2:]))


@pytest.fixture(scope="module")
def network(local_chain: LocalChainProcess) -> DeployedNetwork:
    """A network on that chain, without members yet."""
    return asyncio.run(deploy((local_chain.rpc_url,), _steward(local_chain)))


def _funded(process: LocalChainProcess, number: int) -> bytes:
    return bytes.fromhex(process.accounts[number].private_key[2:])


async def test_three_members_anchor_and_see_each_other(
    local_chain: LocalChainProcess, network: DeployedNetwork, tmp_path: Path
) -> None:
    keys = [
        await network.admit(_funded(local_chain, n), f"member {n}", fund=False) for n in (1, 2, 3)
    ]
    async with AsyncExitStack() as stack:
        members = [
            await stack.enter_async_context(AnchoringMember(tmp_path, network, k)) for k in keys
        ]
        for size in (1, 2):
            for member in members:
                member.size = size
            for member in members:
                await until(lambda m=member, s=size: m.anchored(s))  # type: ignore[misc]
        for member in members:
            await member.follower.check_now()
            seen = member.database.read_sync(lambda c, m=member: m.seen(c, keys))  # type: ignore[misc]
            assert seen == (["member 1", "member 2", "member 3"], [2, 2, 2])


async def test_a_chain_killed_and_started_again_gets_every_checkpoint_once(tmp_path: Path) -> None:
    chain_folder = tmp_path / "chain"
    with running_chain(chain_folder, "--period", "0") as first:
        port = first.port
        network = await deploy((first.rpc_url,), _steward(first))
        operator = await network.admit(_funded(first, 1), fund=False)
        async with AnchoringMember(tmp_path, network, operator) as member:
            process = first
            for _ in range(3):
                # Only ever longer: a log that shrinks stops anchoring for good.
                member.size += 1
                await until(lambda: member.anchored(member.size))
                process.kill()
                member.size += 100
                await until(lambda: _failing(member))
                process = start_chain(chain_folder, port=port)
            try:
                await until(lambda: member.anchored(member.size))
                head = await member.ledger.head()
                anchors, _ = await member.ledger.changes(0, head.number)
            finally:
                process.kill()
                process.process.communicate()
    rows = [a.sequence for a in anchors]
    assert rows == list(range(1, len(rows) + 1))


async def _failing(member: AnchoringMember) -> bool:
    return (await member.anchoring.status()).state == "failing"


async def test_the_fees_of_a_chain_are_found_out(local_chain: LocalChainProcess) -> None:
    rpc = Rpc([local_chain.rpc_url])
    assert await detect_fees(rpc) is FeeMode.EIP1559
    await rpc.close()


@pytest.mark.parametrize("fees", list(FeeMode))
async def test_anchors_go_out_in_every_form_of_payment(
    local_chain: LocalChainProcess, network: DeployedNetwork, tmp_path: Path, fees: FeeMode
) -> None:
    keys = {
        FeeMode.LEGACY: _funded(local_chain, 4),
        FeeMode.EIP1559: _funded(local_chain, 5),
        FeeMode.FREE: b"\x47" * 32,  # owns nothing
    }
    paying = replace(network, fees=fees)
    operator = await paying.admit(keys[fees], fund=False)
    async with AnchoringMember(tmp_path, paying, operator) as member:
        member.size = 1
        await until(lambda: member.anchored(1))


async def test_an_anchor_costs_less_than_60000_gas(
    local_chain: LocalChainProcess, network: DeployedNetwork
) -> None:
    operator = await network.admit(_funded(local_chain, 6), fund=False)
    rpc = network.rpc()
    used = []
    for n in (1, 2, 3):
        receipt = await send_and_wait(
            rpc,
            key=operator,
            to=network.founded.anchors,
            payload=anchor(n, bytes([n - 1]) * 32, bytes([n]) * 32),
            fees=network.fees,
        )
        used.append(receipt.gas_used)
    await rpc.close()
    assert max(used[1:]) < 60_000
    assert used[0] < 100_000


async def test_a_refused_transaction_is_not_sent_and_named(network: DeployedNetwork) -> None:
    rpc = network.rpc()
    with pytest.raises(VerificationError) as caught:
        await send_and_wait(
            rpc,
            key=network.steward,
            to=network.founded.anchors,
            payload=anchor(1, bytes(32), b"\x01" * 32),
            fees=network.fees,
            errors=errors_by_selector(artifact("Anchors").abi),
        )
    await rpc.close()
    assert caught.value.code == "transaction_reverted"
    assert f"NotAnOperator(0x{network.steward.address.hex()})" in caught.value.message
