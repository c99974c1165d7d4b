"""Logs that contradict themselves, or leave out what they promised, are found in what comes here anyway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from peers_world import ANCHOR_DELAY_MS, Peer, PeersWorld, peers_world
from provenance_world import commissioning, derived, record_of, shipping
from scenarios import MAKER, WHOLESALER
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.log.contradiction import AnchoredNote, prove_fork, prove_rewind
from sealtrail.membership.records import Anchor, Key, Purpose
from sealtrail.services.witnesses.log_finding_view import log_finding_view
from sealtrail.services.witnesses.log_watch import LogWatch
from sealtrail.signing import Ed25519Signer, origin_of
from sealtrail.store.chain import save_changes
from sealtrail.store.foreign import ForeignCheckpoint, save_checkpoints
from sealtrail.store.log_findings import LogFinding

LOG_KEY = Ed25519Signer(derived(MAKER.name, "log"))
PACK = "urn:epc:id:sgtin:4012345.011122.X1"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path, (MAKER, WHOLESALER)) as made:
        yield made


@pytest.fixture
async def holder(world: PeersWorld) -> Peer:
    """The node that looks."""
    return await world.peer(WHOLESALER)


def origin(world: PeersWorld) -> str:
    return origin_of(world.domain, MAKER.member)


def signed(
    world: PeersWorld, size: int, root: int = 1, key: Ed25519Signer = LOG_KEY
) -> ForeignCheckpoint:
    """A checkpoint of the maker's log."""
    checkpoint = Checkpoint(origin(world), size, bytes([root]) * 32)
    return ForeignCheckpoint(
        checkpoint_hash=checkpoint.hash,
        member=MAKER.member,
        tree_size=size,
        root_hash=checkpoint.root_hash,
        note=sign_note(checkpoint, key),
    )


def bring(holder: Peer, *checkpoints: ForeignCheckpoint) -> None:
    """Have them arrive, as with packages."""
    holder.database.write_sync(lambda c: save_checkpoints(c, checkpoints, 0))


def anchor(holder: Peer, *hashes: bytes, first: int = 1) -> None:
    """Have the chain show these as the maker's anchors, in that order, in its newest final block."""
    cursor = holder.database.read_sync(holder.networks.view).cursor
    block = cursor.final_block + first
    anchors = [
        Anchor(
            member=MAKER.member,
            sequence=sequence,
            checkpoint_hash=each,
            suspended=False,
            block_number=block,
            block_hash=bytes(32),
            block_time=1_700_000_000,
            transaction_hash=bytes(32),
        )
        for sequence, each in enumerate(hashes, start=first)
    ]
    moved = msgspec.structs.replace(cursor, final_block=block)
    holder.database.write_sync(lambda c: save_changes(c, moved, anchors, []))


async def looked(watch: LogWatch) -> list[LogFinding]:
    """Look until all was seen; return what was found."""
    while not await watch.look():
        pass
    return [found for _, found in await watch.findings(count_max=100)]


async def test_two_checkpoints_of_one_size_are_a_fork(world: PeersWorld, holder: Peer) -> None:
    pair = signed(world, 7, 1), signed(world, 7, 2)
    bring(holder, pair[0])
    assert await looked(holder.watch) == []
    bring(holder, signed(world, 8, 3), pair[1])
    (found,) = await looked(holder.watch)
    assert (found.code, found.member) == ("log_forked", MAKER.member)
    proof = found.contradiction
    assert proof is not None
    assert {proof.first_note, proof.second_note} == {each.note for each in pair}
    # anybody who has the log's key can check it
    keys = [LOG_KEY.public_key]
    again = prove_fork(proof.first_note, proof.second_note, origin=origin(world), log_keys=keys)
    assert again == proof
    assert holder.watch.counts == {"log_forked": 1}
    view = log_finding_view(1, found)
    assert view["checkpoints"] == [{"note": proof.first_note}, {"note": proof.second_note}]
    assert len(await looked(holder.watch)) == 1


async def test_three_trees_of_one_size_are_three_proofs(world: PeersWorld, holder: Peer) -> None:
    bring(holder, *(signed(world, 7, root) for root in (1, 2, 3)))
    assert [f.code for f in await looked(holder.watch)] == ["log_forked"] * 3


@pytest.mark.parametrize("keys", [{"compromised_since": 1, "compromise_reported": 1}, None])
async def test_what_a_key_signed_that_others_may_have_proves_nothing(
    world: PeersWorld, holder: Peer, keys: dict[str, int] | None
) -> None:
    kept = tuple(k for k in record_of(MAKER).keys if k.purpose is not Purpose.LOG)
    if keys is not None:
        own = Key(purpose=Purpose.LOG, public=LOG_KEY.public_key, valid_from=0, **keys)
        kept = (*kept, own)
    await world.announce(MAKER, keys=kept)
    bring(holder, signed(world, 7, 1), signed(world, 7, 2))
    assert await looked(holder.watch) == []


async def test_a_fork_is_found_with_a_key_that_was_ended_since(
    world: PeersWorld, holder: Peer
) -> None:
    kept = tuple(k for k in record_of(MAKER).keys if k.purpose is not Purpose.LOG)
    own = Key(purpose=Purpose.LOG, public=LOG_KEY.public_key, valid_from=0, valid_until=1)
    await world.announce(MAKER, keys=(*kept, own))
    bring(holder, signed(world, 7, 1), signed(world, 7, 2))
    assert [f.code for f in await looked(holder.watch)] == ["log_forked"]


@pytest.mark.parametrize("order", ["notes first", "anchors first", "between"])
async def test_a_smaller_tree_anchored_later_is_a_rewind(
    world: PeersWorld, holder: Peer, order: str
) -> None:
    larger, smaller, other = signed(world, 9), signed(world, 7), signed(world, 12)
    hashes = (b"\x01" * 32, larger.checkpoint_hash, smaller.checkpoint_hash, other.checkpoint_hash)
    if order == "notes first":
        bring(holder, smaller, other, larger)
        assert await looked(holder.watch) == []
        anchor(holder, *hashes)
    elif order == "anchors first":
        anchor(holder, *hashes)
        assert await looked(holder.watch) == []
        bring(holder, smaller, other, larger)
    else:
        bring(holder, smaller)
        anchor(holder, *hashes)
        assert await looked(holder.watch) == []
        bring(holder, other, larger)
    (found,) = await looked(holder.watch)
    proof = found.contradiction
    assert found.code == "log_rewound"
    assert proof is not None
    assert (proof.first_note, proof.second_note) == (larger.note, smaller.note)
    assert (proof.first_sequence, proof.second_sequence) == (2, 3)
    again = prove_rewind(
        AnchoredNote(sequence=2, note=proof.first_note),
        AnchoredNote(sequence=3, note=proof.second_note),
        origin=origin(world),
        log_keys=[LOG_KEY.public_key],
    )
    assert again == proof
    view = log_finding_view(1, found)
    assert [each["anchor"] for each in view["checkpoints"]] == [2, 3]
    assert len(await looked(holder.watch)) == 1


async def test_a_log_that_only_grows_is_no_finding(world: PeersWorld, holder: Peer) -> None:
    grown = [signed(world, size, size) for size in (3, 5, 9, 200)]
    bring(holder, *reversed(grown))
    anchor(holder, *(each.checkpoint_hash for each in grown))
    # and one that was signed, and never anchored
    bring(holder, signed(world, 4, 4))
    assert await looked(holder.watch) == []


async def test_a_rewind_is_seen_however_far_apart_the_notes_arrive(
    world: PeersWorld, holder: Peer
) -> None:
    first, second = signed(world, 900), signed(world, 2)
    bring(holder, first)
    anchor(holder, first.checkpoint_hash)
    assert await looked(holder.watch) == []
    hashes = [bytes([n]) * 32 for n in range(1, 200)]
    anchor(holder, *hashes, second.checkpoint_hash, first=2)
    assert await looked(holder.watch) == []
    bring(holder, second)
    assert [f.code for f in await looked(holder.watch)] == ["log_rewound"]


# -- what was promised an anchor -----------------------------------------------------------------


def later(holder: Peer, seconds: int) -> LogWatch:
    """A watch by whose chain so many seconds have passed since the world's events were recorded."""
    return LogWatch(
        holder.database,
        holder.networks,
        domain=holder.world.domain,
        member=holder.actor.member,
        clock=lambda: 5,
        chain_seconds=lambda: holder.now_ms // 1000 + seconds,
        anchor_delay_ms=ANCHOR_DELAY_MS,
    )


async def test_an_entry_that_was_shown_and_is_in_no_anchored_checkpoint_in_time_is_omitted(
    world: PeersWorld, holder: Peer
) -> None:
    maker = await world.peer(MAKER)
    (entry,) = await maker.record(commissioning(MAKER, 10, PACK))
    recorded_ms = maker.now_ms
    await maker.hand(holder, [entry])
    assert await looked(later(holder, 59)) == []
    watch = later(holder, 61)
    (found,) = await looked(watch)
    assert (found.code, found.member, found.entry_id) == ("omitted", MAKER.member, entry)
    assert found.promised_ms == recorded_ms + ANCHOR_DELAY_MS
    assert watch.counts == {"omitted": 1}
    assert log_finding_view(3, found)["entry_id"] == "0x" + entry.hex()
    assert len(await looked(watch)) == 1

    # it is anchored after all: settled, and kept as what it was
    await maker.anchor()
    await holder.follower.check_now()
    await maker.hand(holder, [entry])
    (settled,) = await looked(watch)
    assert settled.settled_ms == 5
    assert watch.counts == {}
    assert "settled" in log_finding_view(3, settled)


async def test_an_entry_that_was_proven_in_time_is_no_finding(
    world: PeersWorld, holder: Peer
) -> None:
    maker = await world.peer(MAKER)
    first = await maker.record(commissioning(MAKER, 10, PACK))
    await maker.hand(holder, first)
    assert await looked(later(holder, 1)) == []
    await maker.anchor()
    await maker.hand(holder, first)
    second = await maker.record(shipping(MAKER, WHOLESALER, 20, PACK))
    await maker.anchor()
    await maker.hand(holder, second)  # proven at once
    assert await looked(later(holder, 10_000)) == []


async def test_a_proof_to_a_checkpoint_that_nobody_anchored_keeps_no_promise(
    world: PeersWorld, holder: Peer
) -> None:
    maker = await world.peer(MAKER)
    (entry,) = await maker.record(commissioning(MAKER, 10, PACK))
    await maker.anchor()
    await maker.hand(holder, [entry])
    holder.database.write_sync(
        lambda c: c.execute("DELETE FROM chain_anchor WHERE member = ?", (MAKER.member,))
    )
    assert [f.code for f in await looked(later(holder, 61))] == ["omitted"]


async def test_a_chain_that_stands_still_makes_nothing_omitted(
    world: PeersWorld, holder: Peer
) -> None:
    maker = await world.peer(MAKER)
    await maker.hand(holder, await maker.record(commissioning(MAKER, 10, PACK)))
    watch = later(holder, 0)
    watch._chain_seconds = lambda: None
    assert await looked(watch) == []


async def test_ones_own_receipts_are_watched_too(world: PeersWorld) -> None:
    maker = await world.peer(MAKER)
    (entry,) = await maker.record(commissioning(MAKER, 10, PACK))
    watch = later(maker, 61)
    (found,) = await looked(watch)
    assert (found.code, found.member, found.entry_id) == ("omitted", MAKER.member, entry)
    await maker.anchor()
    assert all(f.settled_ms == 5 for f in await looked(watch))
    assert watch.counts == {}


async def test_looking_goes_on_where_it_was_after_a_restart(
    world: PeersWorld, holder: Peer
) -> None:
    maker = await world.peer(MAKER)
    serials = (f"urn:epc:id:sgtin:4012345.011122.Y{n}" for n in range(1_100))
    entries = await maker.record(*(commissioning(MAKER, 10, each) for each in serials))
    for at in range(0, len(entries), 500):
        await maker.hand(holder, entries[at : at + 500])
    assert await later(holder, 61).look() is False  # a portion at a time
    found = await looked(later(holder, 61))
    watch = later(holder, 61)
    while len(found) < 100:
        found = await looked(watch)
    for _ in range(3):
        await watch.look()
    assert watch.counts == {"omitted": 1_100}
