"""The Ledger port's contract, on the chain in memory and on the embedded chain with the real contracts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deployed_network import deploy
from fakes.ledger import FakeChain, FakeLedger
from localchain_process import running_chain
from sealtrail.errors import VerificationError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.membership.encoding import parse_record
from sealtrail.ports import Ledger

STRANGER = bytes.fromhex("99" * 20)
FIRST, SECOND, THIRD = (sha256(n.encode()).digest() for n in ("first", "second", "third"))


@dataclass
class Subject:
    """A ledger whose operator is ``member``, and how to get a block made."""

    ledger: Ledger
    member: bytes
    wait_for: Callable[[bytes], Awaitable[None]]


@pytest.fixture(params=["fake", "embedded chain"])
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Subject]:
    if request.param == "fake":
        chain = FakeChain()
        chain.record(b"\x11" * 20, 1, b"record")
        yield Subject(FakeLedger(chain, b"\x11" * 20), b"\x11" * 20, _nothing)
        return
    with running_chain(tmp_path / "chain", "--period", "0") as process:
        steward = OperatorKey(bytes.fromhex(process.accounts[0].private_key[2:]))
        network = await deploy((process.rpc_url,), steward)
        operator = await network.admit(b"\x42" * 32)
        ledger = network.ledger(operator)
        yield Subject(ledger, operator.address, lambda h: _included(ledger, h))
        await ledger.close()


async def _nothing(_hash: bytes) -> None: ...


async def _included(ledger: Ledger, transaction_hash: bytes) -> None:
    async with asyncio.timeout(20):
        while True:
            if await ledger.inclusion(transaction_hash) is not None:
                return
            await asyncio.sleep(0.02)


async def _anchor(s: Subject, sequence: int, previous: bytes, checkpoint: bytes) -> Any:
    sent = await s.ledger.sign_anchor(sequence, previous, checkpoint)
    await s.ledger.send(sent.raw)
    await s.wait_for(sent.hash)
    return sent


async def test_it_keeps_its_contract(subject: Subject) -> None:
    """One test, because starting a chain takes longer than asking it everything."""
    await _a_member_without_anchors_has_sequence_0(subject)
    await _heads_are_blocks_of_the_chain(subject)
    await _a_block_above_the_head_is_none(subject)
    await _an_anchor_is_found_by_all_questions(subject)
    await _a_transaction_that_was_taken_may_be_sent_again(subject)
    await _a_gap_a_repeat_and_a_fork_are_refused_before_they_are_sent(subject)
    await _what_is_unknown_is_none(subject)
    await _records_come_with_the_changes(subject)


async def _a_member_without_anchors_has_sequence_0(s: Subject) -> None:
    assert await s.ledger.latest_anchor(s.member) == (0, bytes(32))
    assert await s.ledger.latest_anchor(STRANGER) == (0, bytes(32))


async def _heads_are_blocks_of_the_chain(s: Subject) -> None:
    head, final = await s.ledger.heads()
    assert final.number <= head.number
    assert await s.ledger.block(head.number) == head


async def _a_block_above_the_head_is_none(s: Subject) -> None:
    assert await s.ledger.block((await s.ledger.head()).number + 100) is None


async def _an_anchor_is_found_by_all_questions(s: Subject) -> None:
    first = await _anchor(s, 1, bytes(32), FIRST)
    second = await _anchor(s, 2, FIRST, SECOND)
    assert second.nonce == first.nonce + 1
    assert await s.ledger.latest_anchor(s.member) == (2, SECOND)
    inclusion = await s.ledger.inclusion(first.hash)
    assert inclusion is not None
    assert inclusion.succeeded
    found = await s.ledger.find_anchor(s.member, 1, 0)
    assert found is not None
    assert (found.checkpoint_hash, found.transaction_hash) == (FIRST, first.hash)
    assert (found.block_number, found.block_hash) == (
        inclusion.block_number,
        inclusion.block_hash,
    )
    block = await s.ledger.block(found.block_number)
    assert block is not None
    assert (block.hash, block.time) == (found.block_hash, found.block_time)
    head = await s.ledger.head()
    anchors, _ = await s.ledger.changes(0, head.number)
    assert [(a.member, a.sequence, a.checkpoint_hash) for a in anchors] == [
        (s.member, 1, FIRST),
        (s.member, 2, SECOND),
    ]
    assert anchors[0] == found
    later, _ = await s.ledger.changes(found.block_number + 1, head.number)
    assert [a.sequence for a in later] == [2]
    assert await s.ledger.find_anchor(s.member, 1, found.block_number + 1) is None


async def _a_transaction_that_was_taken_may_be_sent_again(s: Subject) -> None:
    sent = await _anchor(s, 3, SECOND, THIRD)
    with pytest.raises(VerificationError) as caught:
        await s.ledger.send(sent.raw)
    assert caught.value.code == "nonce_used"
    assert (await s.ledger.latest_anchor(s.member))[0] == 3


async def _a_gap_a_repeat_and_a_fork_are_refused_before_they_are_sent(s: Subject) -> None:
    for sequence, previous in ((5, THIRD), (3, SECOND), (4, FIRST)):
        with pytest.raises(VerificationError) as caught:
            await s.ledger.sign_anchor(sequence, previous, FIRST)
        assert caught.value.code == "anchor_refused"


async def _what_is_unknown_is_none(s: Subject) -> None:
    assert await s.ledger.inclusion(bytes(32)) is None
    assert await s.ledger.find_anchor(s.member, 77, 0) is None
    assert await s.ledger.find_anchor(STRANGER, 1, 0) is None


async def _records_come_with_the_changes(s: Subject) -> None:
    head = await s.ledger.head()
    _, records = await s.ledger.changes(0, head.number)
    assert [(r.member, r.version) for r in records] == [(s.member, 1)]
    if not isinstance(s.ledger, FakeLedger):
        record = parse_record(records[0].record, block=records[0].block_number)
        assert (record.member, record.name) == (s.member, "member")
