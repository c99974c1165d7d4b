"""Following a chain in memory into a real database: final blocks once, the rest anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from fakes.anchoring import MEMBER, OTHER
from fakes.ledger import FakeChain, FakeLedger, encode_transaction
from sealtrail.errors import IntegrityError, UnavailableError
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import Anchor, MemberRecord, Network, Role, Status
from sealtrail.ports import ChainRecord
from sealtrail.services.chain.follower import Follower
from sealtrail.services.chain.network import FollowedNetworks, NetworkIdentity
from sealtrail.store import chain as tables
from sealtrail.store import outbox
from sealtrail.store.database import Database

NETWORKS = FollowedNetworks(
    NetworkIdentity(
        chain_id=1337, genesis_hash=b"\x01" * 32, registry=b"\x02" * 20, anchors=b"\x03" * 20
    )
)


class Followed:
    """A follower over a database and a chain, with what tests ask of the store."""

    def __init__(self, folder: Path, depth: int = 0) -> None:
        self.chain = FakeChain()
        self.ledger = FakeLedger(self.chain, MEMBER, depth=depth)
        self.database = Database.open(folder / "sealtrail.db", readers=2)
        self.now_ms = 1_000
        self.follower = self.start()

    def start(self) -> Follower:
        self.follower = Follower(
            self.database, self.ledger, clock=lambda: self.now_ms, random=lambda: 0.5
        )
        return self.follower

    async def anchor(self, member: bytes, name: str) -> bytes:
        theirs = self.chain.anchors(member)
        checkpoint = sha256(name.encode()).digest()
        await self.ledger.send(
            encode_transaction(
                member,
                self.chain.nonce(member),
                len(theirs) + 1,
                theirs[-1].checkpoint_hash if theirs else bytes(32),
                checkpoint,
            )
        )
        return checkpoint

    def ask(self, question: str, *arguments: object) -> object:
        return self.database.read_sync(lambda c: getattr(NETWORKS.view(c), question)(*arguments))

    def stored(self) -> list[tuple[bytes, int, bytes]]:
        return self.database.read_sync(
            lambda c: c.execute(
                "SELECT member, sequence, block_hash FROM chain_anchor ORDER BY block_number"
            ).fetchall()
        )


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    made = Followed(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Followed]:
    """On a chain whose blocks are final two blocks later."""
    made = Followed(tmp_path, depth=2)
    yield made
    made.database.close()


def member_record(version: int, name: str = "ACME") -> bytes:
    return encode_record(
        MemberRecord(
            member=OTHER,
            name=name,
            status=Status.ACTIVE,
            roles=Role.CARRIER,
            node_url="",
            glns=("4000001000005",),
            rights=(),
            keys=(),
            version=version,
            block=0,
        )
    )


async def test_every_members_anchors_are_found_by_checkpoint(followed: Followed) -> None:
    ours = await followed.anchor(MEMBER, "ours")
    theirs = await followed.anchor(OTHER, "theirs")
    followed.chain.record(MEMBER, 1, member_record(1))
    await followed.follower.check_now()
    found = followed.ask("anchor", OTHER, theirs)
    assert isinstance(found, Anchor)
    assert (found.sequence, found.block_number) == (1, 2)
    assert followed.ask("anchor", MEMBER, theirs) is None
    assert followed.ask("last_anchor", MEMBER) == followed.ask("anchor", MEMBER, ours)


async def test_before_the_first_pass_nothing_can_be_said(followed: Followed) -> None:
    with pytest.raises(UnavailableError) as caught:
        followed.ask("network")
    assert caught.value.code == "chain_not_followed"


async def test_a_record_that_was_put_right_is_read_again(followed: Followed) -> None:
    followed.chain.record(OTHER, 1, member_record(1, "what the chain says"))
    await followed.follower.check_now()

    def name_with(record: bytes) -> str:
        followed.database.write_sync(
            lambda c: c.execute("UPDATE chain_member SET record = ?", (record,)) and None
        )
        network = followed.ask("network")
        assert isinstance(network, Network)
        return network.members[0].name

    assert name_with(member_record(1, "damaged")) == "damaged"
    assert name_with(member_record(1, "what the chain says")) == "what the chain says"


async def test_records_are_shown_as_of_a_block(followed: Followed) -> None:
    followed.chain.record(OTHER, 1, member_record(1, "before"))
    followed.chain.mine(3)
    followed.chain.record(OTHER, 2, member_record(2, "after"))
    await followed.follower.check_now()
    names = [followed.ask("record", OTHER, block) for block in (0, 1, 4, 5, None)]
    assert [n and n.name for n in names] == [None, "before", "before", "after", "after"]  # type: ignore[attr-defined]
    network = followed.ask("network")
    assert [m.name for m in network.members] == ["after"]  # type: ignore[attr-defined]
    assert network.block == 5  # type: ignore[attr-defined]


async def test_a_block_that_is_not_followed_yet_cannot_be_told(followed: Followed) -> None:
    await followed.follower.check_now()
    with pytest.raises(UnavailableError) as caught:
        followed.ask("record", OTHER, 99)
    assert caught.value.code == "block_not_followed"


async def test_an_anchor_proves_nothing_before_its_block_is_final(slow: Followed) -> None:
    checkpoint = await slow.anchor(OTHER, "theirs")
    await slow.follower.check_now()
    assert len(slow.stored()) == 1
    assert slow.ask("anchor", OTHER, checkpoint) is None
    slow.chain.mine(2)
    await slow.follower.check_now()
    assert slow.ask("anchor", OTHER, checkpoint) is not None


@pytest.mark.parametrize("keep", [True, False], ids=["mined again", "lost"])
async def test_a_reorganisation_replaces_what_was_not_final(slow: Followed, keep: bool) -> None:
    for n in range(4):
        await slow.anchor(OTHER, str(n))
        await slow.follower.check_now()
    slow.chain.reorganise(2, keep_transactions=keep)
    await slow.follower.check_now()
    expected = [(a.member, a.sequence, a.block_hash) for a in slow.chain.anchors()]
    assert slow.stored() == expected
    assert len(expected) == (4 if keep else 2)


async def test_following_in_steps_and_at_once_give_the_same_store(
    slow: Followed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(30):
        await slow.anchor(OTHER if n % 3 else MEMBER, str(n))
        if n % 7 == 0:
            await slow.follower.check_now()
    await slow.follower.check_now()
    (tmp_path / "other").mkdir()
    monkeypatch.setattr("sealtrail.services.chain.follower._BLOCKS_A_WRITE", 4)
    late = Followed(tmp_path / "other", depth=2)
    late.chain = late.ledger.chain = slow.chain
    await late.follower.check_now()
    assert late.stored() == slow.stored()
    late.database.close()


async def test_an_unchanged_head_costs_no_logs_and_is_checked_now(followed: Followed) -> None:
    await followed.anchor(MEMBER, "x")
    await followed.follower.check_now()
    followed.ledger.calls.clear()
    followed.now_ms = 5_000
    checked = await followed.follower.check_now()
    assert checked.checked_ms == 5_000
    assert followed.ledger.calls == ["heads"]


async def test_callers_at_the_same_time_share_a_pass(followed: Followed) -> None:
    await asyncio.gather(*(followed.follower.check_now() for _ in range(20)))
    assert followed.ledger.calls.count("heads") <= 2


async def test_waiting_callers_share_a_failure_too(followed: Followed) -> None:
    followed.ledger.down = True
    outcomes = await asyncio.gather(
        *(followed.follower.check_now() for _ in range(20)), return_exceptions=True
    )
    assert {getattr(o, "code", None) for o in outcomes} == {"chain_unreachable"}
    assert followed.ledger.calls.count("heads") <= 2


async def test_a_chain_that_is_away_leaves_what_is_known(followed: Followed) -> None:
    checkpoint = await followed.anchor(OTHER, "x")
    await followed.follower.check_now()
    followed.ledger.down = True
    with pytest.raises(UnavailableError):
        await followed.follower.check_now()
    assert followed.ask("anchor", OTHER, checkpoint) is not None
    assert followed.follower.checked is not None
    assert followed.follower.failure is not None
    followed.ledger.down = False
    await followed.follower.check_now()
    assert followed.follower.failure is None


async def test_an_endpoint_that_lags_is_not_believed(followed: Followed) -> None:
    for n in range(3):
        await followed.anchor(OTHER, str(n))
    await followed.follower.check_now()
    followed.ledger.chain = FakeChain(blocks=followed.chain.blocks[:2])
    with pytest.raises(UnavailableError) as caught:
        await followed.follower.check_now()
    assert caught.value.code == "chain_behind"
    assert len(followed.stored()) == 3


async def test_logs_from_an_endpoint_that_lost_the_head_meanwhile_are_not_taken(
    followed: Followed,
) -> None:
    await followed.anchor(OTHER, "x")
    behind = FakeChain(blocks=followed.chain.blocks[:1])

    def fail_over(method: str) -> None:
        if method == "changes":
            followed.ledger.chain = behind

    followed.ledger.before = fail_over
    with pytest.raises(UnavailableError) as caught:
        await followed.follower.check_now()
    assert caught.value.code == "chain_moved"
    followed.ledger.before = lambda _: None
    followed.ledger.chain = followed.chain
    await followed.follower.check_now()
    assert len(followed.stored()) == 1


async def test_an_anchor_held_back_by_the_endpoint_is_noticed(followed: Followed) -> None:
    for n in range(3):
        await followed.anchor(OTHER, str(n))
    original = followed.ledger.changes

    async def without_the_second(
        first: int, last: int
    ) -> tuple[Sequence[Anchor], Sequence[ChainRecord]]:
        anchors, records = await original(first, last)
        return [a for a in anchors if a.sequence != 2], records

    followed.ledger.changes = without_the_second  # type: ignore[method-assign]
    with pytest.raises(UnavailableError) as caught:
        await followed.follower.check_now()
    assert caught.value.code == "chain_gap"
    assert followed.stored() == []


async def test_a_second_anchor_in_a_final_place_is_a_contradiction(followed: Followed) -> None:
    await followed.anchor(OTHER, "x")
    await followed.follower.check_now()
    followed.chain.mine()
    original = followed.ledger.changes

    async def again(first: int, last: int) -> tuple[Sequence[Anchor], Sequence[ChainRecord]]:
        anchors, records = await original(0, last)
        return anchors, records

    followed.ledger.changes = again  # type: ignore[method-assign]
    with pytest.raises(IntegrityError) as caught:
        await followed.follower.check_now()
    assert caught.value.code == "chain_contradiction"


async def test_a_rewritten_final_block_is_noted_and_everything_read_again(
    followed: Followed,
) -> None:
    for n in range(3):
        await followed.anchor(OTHER, str(n))
    await followed.follower.check_now()
    followed.chain.reorganise(2, keep_transactions=False)
    await followed.follower.check_now()
    assert followed.follower.finality_violations == 1
    assert followed.stored() == [
        (a.member, a.sequence, a.block_hash) for a in followed.chain.anchors()
    ]


async def test_a_restart_goes_on_where_it_was(followed: Followed) -> None:
    await followed.anchor(OTHER, "x")
    await followed.follower.check_now()
    followed.start()
    await followed.anchor(OTHER, "y")
    await followed.follower.check_now()
    cursor = followed.database.read_sync(tables.load_cursor)
    assert cursor is not None
    assert cursor.final_block == 2
    assert len(followed.stored()) == 2


async def test_it_runs_until_told_to_stop(followed: Followed) -> None:
    stop, seen = asyncio.Event(), asyncio.Event()
    followed.ledger.before = lambda _method: seen.set()
    task = asyncio.create_task(followed.follower.run(stop))
    await seen.wait()
    stop.set()
    await asyncio.wait_for(task, 5)
    assert followed.follower.checked is not None


async def test_an_unreadable_record_is_our_fault_to_look_at(followed: Followed) -> None:
    followed.chain.record(OTHER, 1, b"\xff" * 40)
    await followed.follower.check_now()
    with pytest.raises(IntegrityError) as caught:
        followed.ask("record", OTHER, None)
    assert caught.value.code == "record_unreadable"


async def test_an_anchor_in_our_name_that_is_not_ours_is_seen_by_following_alone(
    followed: Followed,
) -> None:
    await followed.anchor(MEMBER, "not ours")
    await followed.follower.check_now()
    found = followed.database.read_sync(lambda c: outbox.foreign_anchor(c, MEMBER))
    assert found == (1, sha256(b"not ours").digest())
    assert followed.database.read_sync(lambda c: outbox.foreign_anchor(c, OTHER)) is None


def test_the_outbox_is_read_by_index_however_long_it_is(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "sealtrail.db", readers=1)
    steps = database.read_sync(
        lambda c: c.execute(
            "EXPLAIN QUERY PLAN SELECT o.sequence FROM anchor_outbox AS o"
            " JOIN checkpoint AS c USING (checkpoint_hash)"
            " WHERE o.state <> 'final' ORDER BY o.sequence"
        ).fetchall()
    )
    assert any("anchor_outbox_unfinal" in step[3] for step in steps)
    database.close()
