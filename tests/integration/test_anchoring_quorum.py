"""QBFT networks: what GoQuorum really showed is read, and anchors go to a chain that behaves as it does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchoring_member import AnchoringMember, until
from deployed_network import DeployedNetwork, deploy
from fakes.endpoint import FakeEndpoint
from fakes.quorum import MIX_HASH, quorum_over
from localchain_process import LocalChainProcess, local_chain
from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.ledger.chain import ChainLedger, Contracts
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode, detect_fees
from sealtrail.ledger.finality import parse_finality
from sealtrail.ledger.rpc import Rpc
from sealtrail.ledger.transactions import send_and_wait

__all__ = ["local_chain"]


@pytest.fixture
def real(shared: Path) -> dict[str, Any]:
    """A whole chain of four validators, as GoQuorum 24.4.1 showed it."""
    loaded: dict[str, Any] = json.loads((shared / "vectors/chain/qbft.json").read_text())
    return loaded


def _ledger(real: dict[str, Any], finality: str) -> ChainLedger:
    headers = real["headers"]
    receipts = {r["transactionHash"]: r for block in real["receipts"].values() for r in block}
    endpoint = FakeEndpoint(
        eth_getBlockByNumber=lambda n, _full: headers[-1 if n == "latest" else int(n, 16)],
        eth_getTransactionReceipt=receipts.get,
    )
    return ChainLedger(
        endpoint,  # type: ignore[arg-type]
        contracts=Contracts(registry=b"\x01" * 20, anchors=b"\x02" * 20),
        finality=parse_finality(finality),
        fees=FeeMode.FREE,
        chain_id=real["chainId"],
    )


@pytest.mark.parametrize(("finality", "behind"), [("instant", 0), ("depth 6", 6)])
async def test_the_headers_of_a_real_network_are_read(
    real: dict[str, Any], finality: str, behind: int
) -> None:
    head, final = await _ledger(real, finality).heads()
    last = real["headers"][-1]
    assert head.hash.hex() == last["hash"][2:]
    assert final.number == int(last["number"], 16) - behind
    assert final.hash.hex() == real["headers"][final.number]["hash"][2:]


async def test_the_receipts_of_a_real_network_are_read(real: dict[str, Any]) -> None:
    ledger = _ledger(real, "instant")
    for number, block in real["receipts"].items():
        for receipt in block:
            found = await ledger.inclusion(bytes.fromhex(receipt["transactionHash"][2:]))
            assert found is not None
            assert (found.block_number, found.succeeded) == (int(number), True)


async def test_clique_finality_on_a_real_qbft_network_is_refused_and_says_so(
    real: dict[str, Any],
) -> None:
    with pytest.raises(UnavailableError) as caught:
        await _ledger(real, "signers").heads()
    assert caught.value.code == "rpc_headers_invalid"
    assert "chain.finality" in (caught.value.advice or "")


@pytest.fixture(scope="module")
def quorum(local_chain: LocalChainProcess) -> Iterator[str]:
    """A chain that behaves as one."""
    with quorum_over(local_chain.rpc_url) as url:
        yield url


@pytest.fixture(scope="module")
def network(quorum: str) -> DeployedNetwork:
    """A network on it, deployed by an account that owns nothing."""
    return asyncio.run(deploy((quorum,), OperatorKey(b"\x61" * 32), FeeMode.FREE))


async def test_the_stand_in_shows_the_fields_that_the_real_one_does(
    quorum: str, real: dict[str, Any]
) -> None:
    rpc = Rpc([quorum])
    shown = await rpc.call("eth_getBlockByNumber", "0x0", False)
    await rpc.close()
    assert set(real["headers"][1]) <= set(shown)
    assert shown["mixHash"] == real["headers"][1]["mixHash"] == MIX_HASH
    assert "baseFeePerGas" not in shown


@pytest.mark.parametrize("payer", [None, b"\x61" * 20])
async def test_a_network_of_gas_price_0_is_told_by_its_price(
    quorum: str, payer: bytes | None
) -> None:
    rpc = Rpc([quorum])
    assert await detect_fees(rpc, payer) is FeeMode.FREE
    await rpc.close()


async def test_anchors_go_to_it_once_and_in_order(network: DeployedNetwork, tmp_path: Path) -> None:
    operator = await network.admit(b"\x62" * 32)
    async with AnchoringMember(tmp_path, network, operator, "instant") as member:
        for size in (1, 2, 3):
            member.size = size
            await until(lambda s=size: member.anchored(s))  # type: ignore[misc]
        await member.follower.check_now()
        head = await member.ledger.head()
        anchors, _ = await member.ledger.changes(0, head.number)
    assert [a.sequence for a in anchors] == [1, 2, 3]


@pytest.mark.parametrize("fees", [FeeMode.LEGACY, FeeMode.EIP1559])
async def test_paying_where_nothing_may_be_paid_names_the_setting(
    quorum: str, network: DeployedNetwork, fees: FeeMode
) -> None:
    # One that was told its price in another way than by the chain itself.
    rpc = _Priced([quorum])
    try:
        with pytest.raises(VerificationError) as caught:
            await send_and_wait(rpc, key=network.steward, to=b"\x01" * 20, payload=b"", fees=fees)
    finally:
        await rpc.close()
    assert caught.value.code == "fee_mode_wrong"
    assert caught.value.pointer == "chain.fees"


class _Priced(Rpc):
    async def call(self, method: str, *params: Any) -> Any:
        return "0x7" if method == "eth_gasPrice" else await super().call(method, *params)
