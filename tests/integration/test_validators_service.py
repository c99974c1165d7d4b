"""Following validators on a real database: resumed anywhere, changes kept; reorganised, lied to, damaged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from anchoring_member import until
from fakes.chain_proofs import FakeChainProofs
from sealed_chains import ADDRESSES, KEYS, BftChain, CliqueChain, plain_header, seal_clique
from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.validators import Interval, verify_final
from sealtrail.errors import IntegrityError, UnavailableError, VerificationError
from sealtrail.ports import Head
from sealtrail.services.chain.validators import Progress, ValidatorFollower, load_pinned
from sealtrail.store import validators as store
from sealtrail.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "node.db")
    yield opened
    opened.close()


class World:
    """A chain, and the service that follows it with what it says is final."""

    def __init__(self, database: Database, chain: CliqueChain | BftChain, **options: Any) -> None:
        self.database = database
        self.proofs = FakeChainProofs(chain, **options)
        self.final: Head | None = None
        self.follower = self.restarted()

    def restarted(self) -> ValidatorFollower:
        return ValidatorFollower(
            self.database,
            self.proofs,
            final=lambda: self.final,
            genesis_hash=self.proofs.at(0).hash,
            random=lambda: 1.0,
            poll_seconds=0.01,
        )

    async def follow(self) -> None:
        await self.follower.follow_to(self.proofs.head())

    def pinned(self) -> Any:
        return self.database.read_sync(load_pinned)


def clique_with_changes() -> CliqueChain:
    """Three signers; a fourth comes in at block 2 and goes at block 6."""
    chain = CliqueChain(range(3))
    chain.seal(0, vote=3)
    chain.seal(1, vote=3)
    chain.signers.add(3)
    chain.seal(2)
    for by in (3, 0, 1):
        chain.seal(by, vote=3, admit=False)
    return chain


async def test_changes_are_kept_with_the_block_that_made_them(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    chain.seal(2, vote=3, admit=False)
    chain.signers.remove(3)
    chain.seal(0)
    await world.follow()
    three, four = tuple(ADDRESSES[:3]), tuple(ADDRESSES[:4])
    changes = database.read_sync(store.load_changes)
    assert [(c.first_block, c.number, c.members) for c in changes] == [
        (1, 0, three),
        (3, 2, four),
        (7, 6, three),
    ]
    assert [c.hash for c in changes] == [world.proofs.at(n).hash for n in (0, 2, 6)]


async def test_what_is_pinned_is_one_snapshot_that_judges_the_chain(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    await world.follow()
    pinned = world.pinned()
    head = world.proofs.head()
    assert (pinned.number, pinned.hash, pinned.time) == (head.number, head.hash, head.time)
    assert pinned.validators.number == head.number
    assert pinned.history.intervals[0] == Interval(first_block=1, members=tuple(ADDRESSES[:3]))
    assert verify_final(chain.headers[1:5], pinned.history).of == 3
    assert verify_final(chain.headers[2:7], pinned.history).of == 4


async def test_it_goes_on_where_it_was_after_a_restart(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    await world.follower.follow_to(world.proofs.at(1))
    world.follower = world.restarted()
    world.proofs.asked.clear()
    await world.follow()
    assert world.proofs.asked[0] == (2, 6)
    assert world.pinned().number == 6
    assert len(database.read_sync(store.load_changes)) == 3


async def test_a_long_chain_is_followed_in_portions(database: Database) -> None:
    chain = CliqueChain([0])
    for _ in range(150):
        chain.seal(0)
    world = World(database, chain)
    await world.follow()
    assert world.proofs.asked == [(0, 0), (1, 64), (65, 128), (129, 150)]
    assert world.pinned().number == 150


async def test_only_what_is_final_is_followed(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    await world.follower.follow_to(world.proofs.at(3))
    assert world.pinned().number == 3
    await world.follower.follow_to(world.proofs.at(2))  # an endpoint that shows less for a while
    assert world.pinned().number == 3


@pytest.mark.parametrize("kind", ["qbft", "ibft2"])
async def test_a_bft_chain_is_followed(database: Database, kind: Any) -> None:
    chain = BftChain(range(3), kind=kind)
    for proposer in (0, 1):
        chain.seal([0, 1, 2], proposer=proposer, vote=(3, True))
    chain.validators.add(3)
    chain.seal([0, 1, 3], proposer=3)
    world = World(database, chain)
    await world.follow()
    pinned = world.pinned()
    assert [(i.first_block, len(i.members)) for i in pinned.history.intervals] == [(1, 3), (3, 4)]
    for number in (1, 2, 3):
        assert verify_final(chain.headers[number : number + 1], pinned.history).number == number


async def test_a_change_that_the_next_list_decides_counts_from_that_block(
    database: Database,
) -> None:
    """A vote in an epoch's last block: GoQuorum counts it, and the next header shows that it did."""
    chain = BftChain(range(3))
    chain.seal([0, 1, 2])
    chain.seal([0, 1, 2], proposer=0, vote=(3, True))
    chain.seal([0, 1, 2], proposer=1, vote=(3, True))
    chain.validators.add(3)
    chain.seal([0, 1, 3])
    world = World(database, chain, form=Form(name="qbft", epoch=2))
    await world.follow()
    history = world.pinned().history
    assert [(i.first_block, len(i.members)) for i in history.intervals] == [(1, 3), (4, 4)]
    assert verify_final(chain.headers[4:], history).of == 4


async def test_a_chain_without_seals_pins_nothing_and_says_so(database: Database) -> None:
    chain = CliqueChain([0])
    chain.headers = [plain_header(), plain_header(number=1)]
    world = World(database, chain)
    await once(world)
    assert world.follower.progress.state == "no_seals"
    assert world.follower.progress.form == Form(name="none")
    assert world.pinned() is None
    assert database.read_sync(store.load_changes) == []


async def once(world: World) -> None:
    """Run the service until it has said something of itself."""
    stop = asyncio.Event()
    world.final = world.proofs.head()
    task = asyncio.create_task(world.follower.run(stop))
    before = world.follower.progress

    async def said() -> bool:
        return world.follower.progress is not before

    await until(said)
    stop.set()
    await task


async def test_a_header_that_does_not_follow_is_said_loudly_and_harms_nothing(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    chain = CliqueChain([0, 1])
    chain.seal(0)
    world = World(database, chain)
    await once(world)
    assert world.follower.progress.state == "following"
    honest = list(chain.headers)
    chain.headers.append(seal_clique(chain.next_header(5), KEYS[5]))
    with caplog.at_level(logging.CRITICAL):
        await once(world)
    progress = world.follower.progress
    assert progress.state == "validators_contradicted"
    assert progress.failure is not None
    assert progress.failure.code == "sealer_unauthorized"
    assert (progress.block, progress.members) == (1, tuple(ADDRESSES[:2]))
    assert "validators_contradicted" in caplog.text
    assert world.pinned().number == 1
    # another endpoint shows what is true: all is well again
    chain.headers = honest
    chain.seal(1)
    await once(world)
    assert world.follower.progress.state == "following"
    assert world.pinned().number == 2


async def test_a_chain_that_is_away_is_waited_out(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    world.proofs.fault = lambda: UnavailableError("chain_unreachable", "away")
    await once(world)
    assert world.follower.progress.state == "unavailable"
    world.proofs.fault = lambda: None
    await once(world)
    assert world.follower.progress == Progress(
        state="following",
        form=Form(name="clique"),
        block=6,
        members=tuple(ADDRESSES[:3]),
    )


@pytest.mark.parametrize("code", ["consensus_unsupported", "validators_in_contract"])
async def test_a_consensus_that_headers_do_not_show_is_named(database: Database, code: str) -> None:
    world = World(database, clique_with_changes())
    world.proofs.fault = lambda: UnavailableError(code, "not by headers")
    await once(world)
    assert world.follower.progress.state == "unsupported"


async def test_a_network_that_moves_its_validators_to_a_contract_is_named(
    database: Database,
) -> None:
    chain = BftChain(range(3))
    chain.seal([0, 1, 2])
    chain.validators = set()
    chain.seal([0, 1, 2], proposer=0)
    world = World(database, chain)
    await once(world)
    assert world.follower.progress.state == "unsupported"
    assert world.pinned().number == 0


async def test_a_block_that_was_final_and_is_no_more_is_noticed(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    await world.follow()
    chain.headers = chain.headers[:4]
    chain.signers = {0, 1, 2, 3}
    for by in (3, 0, 1, 2):
        chain.seal(by)
    with caplog.at_level(logging.CRITICAL), pytest.raises(UnavailableError) as caught:
        await world.follow()
    assert caught.value.code == "chain_moved"
    assert "no longer the one that was final" in caplog.text
    assert database.read_sync(store.load_followed) is None
    await world.follow()
    assert [c.first_block for c in database.read_sync(store.load_changes)] == [1, 3]


async def test_the_same_height_with_another_hash_is_noticed(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    await world.follow()
    chain.headers = chain.headers[:6]
    chain.seal(1, extra_data=b"\7" * 32)
    with pytest.raises(UnavailableError):
        await world.follow()
    await world.follow()
    assert world.pinned().hash == world.proofs.head().hash


async def test_a_chain_that_moves_while_it_is_read_is_read_again(database: Database) -> None:
    chain = clique_with_changes()
    world = World(database, chain)
    final = world.proofs.head()
    other = Head(number=final.number, hash=b"\1" * 32, parent_hash=b"", time=final.time)
    with pytest.raises(UnavailableError) as caught:
        await world.follower.follow_to(other)
    assert caught.value.code == "chain_moved"
    assert world.pinned().number == 0


async def test_another_genesis_is_another_chain(database: Database) -> None:
    world = World(database, clique_with_changes())
    other = CliqueChain([1])
    world.proofs.chain = other
    with pytest.raises(UnavailableError) as caught:
        await world.follower.follow_to(world.proofs.at(0))
    assert caught.value.code == "wrong_chain"


async def test_another_epoch_in_the_configuration_means_following_anew(
    database: Database,
) -> None:
    chain = CliqueChain(range(3))
    chain.seal(0, vote=3)
    world = World(database, chain)
    await world.follow()
    again = World(database, chain, form=Form(name="clique", epoch=100))
    await again.follow()
    assert again.proofs.asked[0] == (0, 0)
    assert again.pinned().form.epoch == 100


async def test_stopping_in_the_middle_keeps_what_was_done(database: Database) -> None:
    chain = CliqueChain([0])
    for _ in range(200):
        chain.seal(0)
    world = World(database, chain)
    stop = asyncio.Event()
    stop.set()
    await world.follower.follow_to(world.proofs.head(), stop)
    assert world.pinned().number == 64


async def test_a_forged_genesis_list_does_not_become_validators(database: Database) -> None:
    chain = CliqueChain([0])
    chain.headers[0] = plain_header(extra_data=bytes(32 + 19 + 65))
    world = World(database, chain, form=Form(name="clique"))
    with pytest.raises(VerificationError) as caught:
        await world.follow()
    assert caught.value.code == "epoch_signers_missing"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE validator_state SET state = CAST('{' AS BLOB)",
        "UPDATE validator_state SET form = 'qbft'",
        "UPDATE validator_state SET epoch_blocks = 7",
        "UPDATE validator_state SET check_hash = zeroblob(32)",
        "UPDATE validator_change SET members = zeroblob(60) WHERE first_block = 1",
        "UPDATE validator_change SET block_number = 1 WHERE first_block = 3",
        "UPDATE validator_change SET first_block = 4 WHERE first_block = 3",
        "DELETE FROM validator_change WHERE first_block = 3",
    ],
)
async def test_a_damaged_store_pins_nothing_and_is_followed_anew(
    database: Database, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(database, clique_with_changes())
    await world.follow()
    before = world.pinned()
    await database.write(lambda c: c.execute(damage) and None)
    with pytest.raises(IntegrityError) as caught:
        world.pinned()
    assert caught.value.code == "store_corrupt"
    world.follower = world.restarted()
    with caplog.at_level(logging.CRITICAL):
        await world.follow()
    assert "store_corrupt" in caplog.text
    assert world.pinned() == before
