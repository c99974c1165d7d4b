"""Anchoring over a real database and a chain in memory that fails in every way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.anchoring import BEAT_SECONDS, MEMBER, ORIGIN, World
from fakes.ledger import Fault
from sealtrail.log.checkpoint import verify_note
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.store.outbox import State


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.stop()


async def test_what_is_durable_at_a_beat_is_anchored_and_final(world: World) -> None:
    world.size = 3
    await world.seconds(2 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()
    status = await world.service.status()
    assert (status.state, status.final_sequence, status.final_size) == ("current", 1, 3)


async def test_the_stored_note_is_the_log_keys(world: World) -> None:
    world.size = 3
    await world.seconds(2 * BEAT_SECONDS)
    assert world.database is not None
    (note,) = world.database.read_sync(
        lambda c: c.execute("SELECT note FROM checkpoint").fetchone()
    )
    checkpoint = verify_note(note, ORIGIN, Ed25519Signer(b"\x01" * 32).public_key)
    assert checkpoint.head == world.head(3)
    assert checkpoint.hash == world.chain.anchors(MEMBER)[0].checkpoint_hash


async def test_anchors_follow_the_beat_and_not_the_volume(world: World) -> None:
    for _ in range(40):
        world.size += 1000
        await world.seconds(1)
    assert len(world.chain.anchors(MEMBER)) == 4


async def test_an_idle_log_is_not_anchored_again(world: World) -> None:
    world.size = 3
    await world.seconds(10 * BEAT_SECONDS)
    assert len(world.chain.anchors(MEMBER)) == 1


async def test_an_empty_log_is_not_anchored(world: World) -> None:
    await world.seconds(3 * BEAT_SECONDS)
    assert world.chain.anchors(MEMBER) == []


async def test_an_idle_node_asks_once_a_beat_whether_its_anchor_stands(world: World) -> None:
    world.size = 3
    await world.seconds(2 * BEAT_SECONDS)
    world.ledger.calls.clear()
    await world.seconds(3 * BEAT_SECONDS)
    assert world.ledger.calls == ["block"] * 3


async def test_while_the_chain_is_away_no_anchors_pile_up_and_they_follow_in_order(
    world: World,
) -> None:
    world.ledger.down = True
    for _ in range(10):
        world.size += 1
        await world.seconds(BEAT_SECONDS)
    status = await world.service.status()
    assert status.state == "failing"
    assert status.failure is not None
    assert status.failure.code == "chain_unreachable"
    assert world.states() == [State.PENDING]
    world.ledger.down = False
    await world.seconds(6 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()
    assert [row.tree_size for row in world.rows()] == [1, 10]
    assert (await world.service.status()).state == "current"


async def test_pauses_grow_while_the_chain_is_away(world: World) -> None:
    world.ledger.down = True
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.ledger.calls.clear()
    await world.seconds(600)
    assert 115 <= len(world.ledger.calls) <= 260  # every 2.5 to 5 seconds, after the first few


@pytest.mark.parametrize(
    ("method", "fault"),
    [
        ("send", "failed"),
        ("send", "failed but persisted"),
        ("sign_anchor", "failed"),
        ("inclusion", "failed"),
        ("latest_anchor", "failed"),
        ("heads", "failed"),
    ],
)
async def test_a_call_that_fails_is_made_up_for(world: World, method: str, fault: Fault) -> None:
    failures = [fault, fault]
    world.ledger.fault = lambda called: failures.pop() if called == method and failures else None
    for size in (1, 2):
        world.size = size
        await world.seconds(3 * BEAT_SECONDS)
    assert not failures
    world.assert_each_checkpoint_once_in_order()


async def test_an_anchor_is_included_first_and_final_later(tmp_path: Path) -> None:
    world = World(tmp_path, depth=2)
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    assert world.states() == [State.INCLUDED]
    assert (await world.service.status()).state == "under_way"
    world.chain.mine(2)
    await world.seconds(2)
    world.assert_each_checkpoint_once_in_order()
    world.stop()


async def test_the_next_anchor_does_not_wait_for_finality(tmp_path: Path) -> None:
    world = World(tmp_path, depth=20)
    for size in (1, 2, 3):
        world.size = size
        await world.seconds(BEAT_SECONDS)
    assert world.states() == [State.INCLUDED] * 3
    world.chain.mine(20)
    await world.seconds(2)
    world.assert_each_checkpoint_once_in_order()
    world.stop()


@pytest.mark.parametrize("keep", [True, False], ids=["pool keeps them", "pool loses them"])
@pytest.mark.parametrize("depth", [1, 2, 3])
async def test_a_reorganisation_takes_anchors_back_and_sends_them_again(
    tmp_path: Path, keep: bool, depth: int
) -> None:
    world = World(tmp_path, depth=5)
    for size in (1, 2, 3):
        world.size = size
        await world.seconds(BEAT_SECONDS)
    world.chain.mines_itself = False
    world.chain.reorganise(depth, keep_transactions=keep)
    await world.seconds(1)
    world.chain.mines_itself = True
    await world.seconds(BEAT_SECONDS)
    world.chain.mine(6)
    await world.seconds(BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()
    world.stop()


async def test_a_reorganisation_that_is_not_mined_yet_shows_as_submitted(tmp_path: Path) -> None:
    world = World(tmp_path, depth=5)
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.chain.mines_itself = False
    world.chain.reorganise(1, keep_transactions=False)
    await world.seconds(1)
    assert world.states() == [State.SUBMITTED]
    assert len(world.chain.pool) == 1
    world.stop()


async def test_a_transaction_lost_from_the_pool_is_sent_again(world: World) -> None:
    world.chain.mines_itself = False
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.chain.lose_pool()
    await world.seconds(6)
    world.chain.mine()
    await world.seconds(2)
    world.assert_each_checkpoint_once_in_order()


async def test_a_stuck_transaction_is_replaced_with_a_higher_fee_and_the_same_nonce(
    world: World,
) -> None:
    world.chain.mines_itself = False
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    first = world.rows()[0].sent
    await world.seconds(30)
    second = world.rows()[0].sent
    assert first is not None
    assert second is not None
    assert second.hash != first.hash
    assert second.nonce == first.nonce
    assert [t.hash for t in world.chain.pool.values()] == [second.hash]
    world.chain.mine()
    await world.seconds(2)
    world.assert_each_checkpoint_once_in_order()


async def test_an_anchor_by_the_transaction_that_was_replaced_counts(world: World) -> None:
    world.chain.mines_itself = False
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    replaced = dict(world.chain.pool)
    await world.seconds(30)
    world.chain.pool = replaced
    world.chain.mine()
    await world.seconds(2)
    world.assert_each_checkpoint_once_in_order()


async def test_a_nonce_used_elsewhere_gets_the_anchor_a_new_one(world: World) -> None:
    world.chain.mines_itself = False
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.chain.lose_pool()
    world.chain.refused_members.add(MEMBER)  # a transaction of the same key that anchors nothing
    await world.ledger.send(world.ledger_transaction(sequence=99))
    world.chain.mine()
    world.chain.refused_members.clear()
    world.chain.mines_itself = True
    await world.seconds(3 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()


async def test_a_refused_operator_key_waits_until_the_registry_has_it(world: World) -> None:
    world.chain.refused_members.add(MEMBER)
    world.size = 1
    await world.seconds(3 * BEAT_SECONDS)
    status = await world.service.status()
    assert status.failure is not None
    assert (status.state, status.failure.code) == ("failing", "anchor_refused")
    world.chain.refused_members.clear()
    await world.seconds(6 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()


async def test_a_transaction_that_reverts_is_signed_anew(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.chain.mines_itself = False
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.chain.refused_members.add(MEMBER)
    world.chain.mine()
    world.chain.refused_members.clear()
    await world.seconds(1)
    assert "anchor_reverted" in caplog.text
    world.chain.mines_itself = True
    await world.seconds(2 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()


async def test_a_foreign_checkpoint_in_our_place_stops_anchoring(world: World) -> None:
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    await world.ledger.send(world.ledger_transaction(sequence=2))
    world.size = 2
    await world.seconds(2 * BEAT_SECONDS)
    status = await world.service.status()
    assert status.failure is not None
    assert (status.state, status.failure.code) == ("stopped", "log_forked")
    assert len(world.chain.anchors(MEMBER)) == 2
    world.start()
    await world.seconds(2 * BEAT_SECONDS)
    assert (await world.service.status()).state == "stopped"


async def test_an_old_copy_of_the_database_stops_anchoring(tmp_path: Path) -> None:
    world = World(tmp_path)
    for size in (1, 2):
        world.size = size
        await world.seconds(BEAT_SECONDS)
    world.stop()
    (tmp_path / "copy").mkdir()
    old = World(tmp_path / "copy", chain=world.chain)
    old.size = 7
    await old.seconds(2 * BEAT_SECONDS)
    status = await old.service.status()
    assert status.failure is not None
    assert (status.state, status.failure.code) == ("stopped", "log_forked")
    old.stop()


async def test_a_log_that_lost_entries_stops_anchoring(world: World) -> None:
    world.size = 5
    await world.seconds(BEAT_SECONDS)
    world.size = 4
    await world.seconds(BEAT_SECONDS)
    status = await world.service.status()
    assert status.failure is not None
    assert (status.state, status.failure.code) == ("stopped", "log_shrunk")


async def test_a_chain_set_back_behind_finality_gets_its_anchors_again(world: World) -> None:
    for size in (1, 2, 3):
        world.size = size
        await world.seconds(BEAT_SECONDS)
    await world.seconds(2)
    world.assert_each_checkpoint_once_in_order()
    del world.chain.blocks[2:]
    world.chain.salt += 1
    world.size = 4
    await world.seconds(3 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()
    assert len(world.rows()) == 4
    assert (await world.service.status()).finality_violations == 2


async def test_an_idle_node_brings_anchors_that_a_set_back_chain_lost(world: World) -> None:
    for size in (1, 2, 3):
        world.size = size
        await world.seconds(BEAT_SECONDS)
    await world.seconds(2)
    del world.chain.blocks[2:]
    world.chain.salt += 1
    world.chain.mine(5)
    await world.seconds(4 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()
    assert len(world.rows()) == 3
    status = await world.service.status()
    assert (status.state, status.final_sequence) == ("current", 3)
    assert status.finality_violations > 0


async def test_a_clock_set_back_does_not_delay_the_beat_by_more_than_one(world: World) -> None:
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.now_ms -= 3_600_000
    world.size = 2
    await world.seconds(2 * BEAT_SECONDS)
    assert len(world.chain.anchors(MEMBER)) == 2


async def test_a_clock_set_back_while_the_chain_is_away_does_not_hold_up_the_next_try(
    world: World,
) -> None:
    world.ledger.down = True
    world.size = 1
    await world.seconds(20 * BEAT_SECONDS)
    world.now_ms -= 3_600_000
    world.ledger.down = False
    await world.seconds(6 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()


async def test_a_clock_set_back_does_not_hold_up_sending_again(world: World) -> None:
    world.chain.mines_itself = False
    world.size = 1
    await world.seconds(BEAT_SECONDS)
    world.chain.lose_pool()
    world.now_ms -= 3_600_000
    world.chain.mines_itself = True
    await world.seconds(4 * BEAT_SECONDS)
    world.assert_each_checkpoint_once_in_order()
