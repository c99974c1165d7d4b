"""The ChainProofs port's contract: in memory, on the embedded chain, and where they are at hand on anvil and geth."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from anchoring_member import until
from clique_network import clique_network
from conftest import find_tool
from deployed_network import deploy
from fakes.chain_proofs import CONTRACT, SLOT, VALUE, with_a_contract
from localchain_process import running_chain
from sealtrail.chainproof import trie
from sealtrail.chainproof.receipts import parse_receipt, receipt_at
from sealtrail.chainproof.validators import (
    block_hash,
    follow,
    validators_at_genesis,
    verify_final,
)
from sealtrail.errors import UnavailableError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.proofs import RpcChainProofs
from sealtrail.ledger.rpc import Rpc
from sealtrail.ports import ChainProofs
from sealtrail_localchain.accounts import development_accounts

STRANGER = b"\x99" * 20


@dataclass
class Subject:
    """A chain, a block of it with receipts, and a contract in whose slot something is after that block."""

    proofs: ChainProofs
    form: str
    block: int
    contract: bytes
    slot: int
    value: int | None  # None: any but 0


@asynccontextmanager
async def deployed(url: str, form: str, steward: OperatorKey) -> AsyncIterator[Subject]:
    """A chain with our contracts; their deployment is the block with receipts."""
    network = await deploy((url,), steward)
    await network.admit(b"\x43" * 32)
    rpc = Rpc([url])
    try:
        head = int(await rpc.call("eth_blockNumber"), 16)
        block = await _block_with_receipts(rpc, head)
        # any slot of the registry that something is in
        slot = await _set_slot(rpc, network.contracts.registry, head)
        await until(lambda: _has_block(rpc, head + 1))
        yield Subject(RpcChainProofs(rpc), form, block, network.contracts.registry, slot, None)
    finally:
        await rpc.close()


async def _block_with_receipts(rpc: Rpc, head: int) -> int:
    for number in range(head, 0, -1):
        block = await rpc.call("eth_getBlockByNumber", hex(number), False)
        if block["transactions"]:
            return number
    raise AssertionError("no block has a transaction")


async def _set_slot(rpc: Rpc, contract: bytes, head: int) -> int:
    for slot in range(64):
        value = await rpc.call("eth_getStorageAt", "0x" + contract.hex(), hex(slot), hex(head))
        if int(value, 16):
            return slot
    raise AssertionError("no slot is set")


async def _has_block(rpc: Rpc, number: int) -> bool:
    return int(await rpc.call("eth_blockNumber"), 16) >= number


@contextmanager
def running_anvil(path: str) -> Iterator[str]:
    """A fresh chain without seals, with a block every second; gives its URL."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(
        [path, "--port", str(port), "--block-time", "1", "--prune-history", "64", "--silent"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # npm's anvil is a script that starts the program: both are to end
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


async def _answers(url: str) -> None:
    rpc = Rpc([url])
    async with asyncio.timeout(30):
        while True:
            with suppress(UnavailableError):
                await rpc.identity()
                break
            await asyncio.sleep(0.1)
    await rpc.close()


@pytest.fixture(
    params=[
        "fake",
        "embedded",
        pytest.param("anvil", marks=pytest.mark.full),
        pytest.param("geth", marks=pytest.mark.full),
    ]
)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    async with AsyncExitStack() as stack:
        steward = OperatorKey(development_accounts()[0].private_key)
        if request.param == "fake":
            yield Subject(with_a_contract(), "clique", 1, CONTRACT, SLOT, VALUE)
            return
        if request.param == "embedded":
            process = stack.enter_context(running_chain(tmp_path / "chain", "--period", "1"))
            url, form = process.rpc_url, "clique"
        elif request.param == "anvil":
            path = find_tool("anvil")
            if path is None:
                pytest.skip("anvil is not at hand: scripts/tools fetches it by npm")
            url, form = stack.enter_context(running_anvil(path)), "none"
            await _answers(url)
        else:
            path = find_tool("geth")
            if path is None:
                pytest.skip("geth is not at hand: scripts/tools --geth builds it")
            funded = "0x" + steward.address.hex()
            clique = stack.enter_context(
                clique_network(path, tmp_path, 1, london=True, funded=funded)
            )
            await clique.connect()
            url, form = clique.urls[0], "clique"
        yield await stack.enter_async_context(deployed(url, form, steward))


async def test_it_keeps_its_contract(subject: Subject) -> None:
    """One test, because starting a chain takes longer than asking it everything."""
    await _the_consensus_is_told(subject)
    await _headers_follow_each_other(subject)
    await _a_block_above_the_head_is_none(subject)
    await _receipts_are_the_blocks(subject)
    await _a_slot_is_proven_and_an_empty_one_and_a_stranger(subject)


async def _the_consensus_is_told(s: Subject) -> None:
    assert (await s.proofs.form()).name == s.form


async def _headers_follow_each_other(s: Subject) -> None:
    form = await s.proofs.form()
    headers = await s.proofs.headers(0, s.block + 1)
    assert [h.number for h in headers] == list(range(s.block + 2))
    for parent, child in pairwise(headers):
        assert child.parent_hash == block_hash(parent, form)
    if form.name == "clique":
        state = validators_at_genesis(headers[0], form)
        for header in headers[1 : s.block]:
            state = follow(state, header)
        assert verify_final(headers[s.block :], state).number == s.block


async def _a_block_above_the_head_is_none(s: Subject) -> None:
    with pytest.raises(UnavailableError) as caught:
        await s.proofs.headers(1_000_000, 1_000_000)
    assert caught.value.code == "chain_behind"


async def _receipts_are_the_blocks(s: Subject) -> None:
    header = (await s.proofs.headers(s.block, s.block))[0]
    encoded: Any = await s.proofs.receipts(header)
    assert encoded
    for index, receipt in enumerate(encoded):
        proof = trie.ordered_trie_proof(encoded, index)
        assert receipt_at(header, index, proof) == parse_receipt(receipt)


async def _a_slot_is_proven_and_an_empty_one_and_a_stranger(s: Subject) -> None:
    header = (await s.proofs.headers(s.block, s.block))[0]
    proof = await s.proofs.state(header, s.contract, [s.slot, 2**200])
    assert proof.account is not None
    assert [slot.slot for slot in proof.slots] == [s.slot, 2**200]
    assert proof.slots[0].value == (s.value or proof.slots[0].value) != 0
    assert proof.slots[1].value == 0
    stranger = await s.proofs.state(header, STRANGER, [])
    assert stranger.account is None
