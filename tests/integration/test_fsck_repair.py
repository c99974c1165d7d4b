"""Mending: from what is verified here, and from the members that were shown it; never by a guess."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from fsck_world import KEY, read_transaction
from master_data import header, site
from peers_world import Peer, PeersWorld, peers_world, until
from provenance_world import commissioning, document, event, shipping
from scenarios import MAKER, PHARMACY, WHOLESALER
from sealtrail.errors import NotFoundError, VerificationError
from sealtrail.evidence import EntryRecord, parse_package
from sealtrail.peers.client import COPIES_PATH, PeerClient, PlainHttp
from sealtrail.services.fsck.fetching import fetch_copies
from sealtrail.services.fsck.repair import Mend, Plan, apply_plan, plan_repair
from sealtrail.services.fsck.run import LocalLooking, Report, check_store
from sealtrail.services.fsck.scope import Scope, Subject, open_snapshot

PACK = "https://id.gs1.org/01/09521001000012/21/"
MANY = 300


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    """A maker that shipped to a wholesaler; the pharmacy knows of nothing."""
    async with peers_world(tmp_path) as world:
        maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
        await world.peer(PHARMACY)
        await maker.record(commissioning(MAKER, 1, PACK + "A1"))
        await maker.record(shipping(MAKER, WHOLESALER, 3, PACK + "A1"))
        await maker.record(event(MAKER, "storing", 4, PACK + "Z9"))  # which nobody was shown
        await maker.anchor()
        for peer in world.peers.values():
            await peer.follower.check_now()
        await until(lambda: len(wholesaler.others()) >= 2, "the shipment")
        await until(lambda: not maker.undelivered(), "its acknowledgement")
        for peer in world.peers.values():
            await peer.stop_delivering()
        yield world


def subject(peer: Peer) -> Subject:
    return Subject(
        database=peer.database.path,
        network=peer.world.identity,
        member=peer.actor.member,
        read_transaction=read_transaction,
        counting_key=KEY,
    )


async def check(peer: Peer) -> Report:
    with closing(open_snapshot(peer.database.path)) as connection:
        scope = Scope(connection, subject(peer))
        return await check_store(scope, LocalLooking(scope), ledger=peer.ledger)


async def damage(peer: Peer, *statements: str) -> Report:
    def write(connection: Any) -> None:
        for statement in statements:
            connection.execute(statement)

    await peer.database.write(write)
    report = await check(peer)
    assert report.faults
    return report


def plan_of(peer: Peer, report: Report) -> Plan:
    with closing(open_snapshot(peer.database.path)) as connection:
        return plan_repair(Scope(connection, subject(peer)), report)


async def fetch(peer: Peer, plan: Plan) -> tuple[dict[bytes, EntryRecord], list[str]]:
    said: list[str] = []
    async with aiohttp.ClientSession() as session:
        with closing(open_snapshot(peer.database.path)) as connection:
            scope = Scope(connection, subject(peer))
            return await fetch_copies(scope, client(peer, session), plan, said.append), said


def client(peer: Peer, session: aiohttp.ClientSession) -> PeerClient:
    return PeerClient(
        session,
        key_id=peer.key_id,
        private_key=peer.peer_key,
        now_seconds=time.time,
        new_nonce=lambda: secrets.token_urlsafe(16),
        timeout_seconds=10.0,
        plain_http=PlainHttp.THIS_MACHINE,
    )


async def apply(
    peer: Peer, plan: Plan, copies: dict[bytes, EntryRecord] | None = None
) -> tuple[Mend, ...]:
    return await peer.database.write(
        lambda c: apply_plan(Scope(c, subject(peer)), plan, copies or {}, now_ms=peer.now_ms)
    )


# -- from what is here -------------------------------------------------------------------------------


async def test_what_follows_from_content_is_computed_anew(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    before = maker.sql("SELECT * FROM event"), maker.sql("SELECT * FROM event_item")
    report = await damage(
        maker,
        "UPDATE event SET biz_step = 'x', event_hash = zeroblob(32), content_hash = zeroblob(32)"
        " WHERE event_row = 1",
        "UPDATE event_item SET place = 'parent' WHERE event_row = 2 AND place = 'epc'",
        "DELETE FROM event_item WHERE event_row = 3",
    )
    done = await apply(maker, plan_of(maker, report))
    assert [m.done for m in done] == [True] * len(done)
    assert (await check(maker)).faults == ()
    assert (maker.sql("SELECT * FROM event"), maker.sql("SELECT * FROM event_item")) == before


MASTER_DATA = ("vocabulary_version", "version_child", "version_attribute")


def master_data(peer: Peer) -> list[Any]:
    return [peer.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in MASTER_DATA]


async def describe(peer: Peer) -> None:
    """Keep two versions of a site and what is in it."""
    for name in ("Old", "New"):
        told = json.loads(document()) | {"epcisHeader": header(site(name=name))}
        assert not (await peer.capture.capture(json.dumps(told).encode())).errors


async def test_what_follows_from_versions_of_master_data_is_computed_anew(
    world: PeersWorld,
) -> None:
    maker = world.peers[MAKER.name]
    await describe(maker)
    before = master_data(maker)
    report = await damage(
        maker,
        "UPDATE vocabulary_version SET valid_until_ms = NULL WHERE version = 1",
        "UPDATE version_child SET child = 'urn:x:other' WHERE version = 2",
        "UPDATE version_attribute SET value = 'x' WHERE version = 3",
    )
    assert {f.code for f in report.faults} == {"master_data_row_differs"}
    done = await apply(maker, plan_of(maker, report))
    assert [m.done for m in done] == [True] * len(done)
    assert (await check(maker)).faults == ()
    assert master_data(maker) == before


async def test_nothing_is_computed_from_a_version_that_is_damaged(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    await describe(maker)
    report = await damage(
        maker,
        "UPDATE vocabulary_version SET body = replace(body, 'Shelf', 'Cellar')",
        "DELETE FROM version_child WHERE version = 2",
    )
    codes = {f.code for f in report.faults}
    assert codes == {"master_data_damaged", "master_data_row_differs"}
    done = await apply(maker, plan_of(maker, report))
    assert not any(m.done for m in done)
    assert maker.sql("SELECT count(*) FROM version_child WHERE version = 2") == [(0,)]


async def test_tiles_are_computed_anew_from_leaves_that_the_signed_root_covers(
    world: PeersWorld,
) -> None:
    maker = world.peers[MAKER.name]
    await maker.record(*(event(MAKER, "storing", 5, f"{PACK}S{n}") for n in range(MANY)))
    await maker.anchor()
    before = maker.sql("SELECT * FROM tile")
    report = await damage(maker, "UPDATE tile SET inner = zeroblob(512)")
    assert [m.done for m in await apply(maker, plan_of(maker, report))] == [True]
    assert maker.sql("SELECT * FROM tile") == before


async def test_no_tile_is_made_of_damaged_leaves(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    await maker.record(*(event(MAKER, "storing", 5, f"{PACK}S{n}") for n in range(MANY)))
    await maker.anchor()
    report = await damage(
        maker, "DELETE FROM tile", "UPDATE entry SET leaf = zeroblob(191) WHERE leaf_index = 9"
    )
    done = await apply(maker, plan_of(maker, report))
    assert [m.done for m in done if m.source == "leaves"] == [False]
    assert maker.sql("SELECT * FROM tile") == []


async def test_nothing_is_computed_from_content_that_is_damaged(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    report = await damage(
        maker,
        "UPDATE event SET content = zeroblob(40) WHERE event_row = 1",
        "INSERT INTO event_item VALUES ('x', 99, 'epc')",
    )
    done = await apply(maker, plan_of(maker, report))
    assert not any(m.done for m in done)
    assert {f.code for f in (await check(maker)).faults} == {"content_differs", "item_unexpected"}


# -- from other members ------------------------------------------------------------------------------

OWN = [
    "UPDATE event SET content = zeroblob(40) WHERE event_row = 1",
    "UPDATE event SET content = NULL WHERE event_row = 1",
    "UPDATE entry SET seed = zeroblob(32) WHERE leaf_index = 1",
    "UPDATE entry SET leaf = zeroblob(191) WHERE leaf_index = 1",
    "UPDATE entry SET item_keys = zeroblob(32) WHERE leaf_index = 1",
    "UPDATE entry SET entry_id = zeroblob(32) WHERE leaf_index = 1",
    "DELETE FROM entry WHERE leaf_index = 1",
]


@pytest.mark.parametrize("statement", OWN)
async def test_an_own_entry_comes_back_from_a_member_that_was_shown_it(
    world: PeersWorld, statement: str
) -> None:
    maker = world.peers[MAKER.name]
    before = maker.sql("SELECT * FROM event"), maker.sql("SELECT * FROM entry")
    report = await damage(maker, statement)
    plan = plan_of(maker, report)
    copies, said = await fetch(maker, plan)
    assert said[0].endswith("gave 1 of 1 entries")
    await apply(maker, plan, copies)
    assert (await check(maker)).faults == ()
    assert (maker.sql("SELECT * FROM event"), maker.sql("SELECT * FROM entry")) == before


FIRST = "WHERE entry_id = (SELECT entry_id FROM event WHERE event_row = 1)"
FOREIGN = [
    "UPDATE event SET content = zeroblob(40) WHERE event_row = 1",
    f"UPDATE foreign_entry SET seed = zeroblob(32) {FIRST}",
    f"UPDATE foreign_entry SET leaf = zeroblob(191) {FIRST}",
]


@pytest.mark.parametrize("statement", FOREIGN)
async def test_another_s_entry_comes_back_from_its_member(
    world: PeersWorld, statement: str
) -> None:
    wholesaler = world.peers[WHOLESALER.name]
    before = wholesaler.sql("SELECT * FROM event")
    report = await damage(wholesaler, statement)
    plan = plan_of(wholesaler, report)
    copies, _ = await fetch(wholesaler, plan)
    assert all(mend.done for mend in await apply(wholesaler, plan, copies))
    assert (await check(wholesaler)).faults == ()
    assert wholesaler.sql("SELECT * FROM event") == before


async def test_what_nobody_was_shown_stays_as_it_is(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    report = await damage(maker, "UPDATE event SET content = zeroblob(40) WHERE event_row = 3")
    plan = plan_of(maker, report)
    copies, said = await fetch(maker, plan)
    assert copies == {}
    assert all("copies_unknown" in text for text in said)
    (mend,) = await apply(maker, plan, copies)
    assert not mend.done
    assert mend.reason == "none of them gave a copy"


async def test_a_copy_that_does_not_hold_is_not_written(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    report = await damage(maker, "UPDATE event SET content = zeroblob(40) WHERE event_row = 1")
    plan = plan_of(maker, report)
    copies, _ = await fetch(maker, plan)
    ((entry_id, record),) = copies.items()
    assert record.content is not None
    forged = msgspec.structs.replace(record, content=record.content.replace(b"active", b"stolen"))
    (mend,) = await apply(maker, plan, {entry_id: forged})
    assert not mend.done
    assert "does not hold" in mend.reason
    other = maker.entry(commissioning(MAKER, 1, PACK + "A1"))
    (mend,) = await apply(maker, plan, {entry_id: other})
    assert "copy_of_another" in mend.reason
    assert (await check(maker)).faults == report.faults


async def test_a_leaf_that_is_not_in_the_tree_is_not_written(world: PeersWorld) -> None:
    maker = world.peers[MAKER.name]
    await maker.record(*(event(MAKER, "storing", 5, f"{PACK}S{n}") for n in range(MANY)))
    await maker.anchor()
    report = await damage(maker, "UPDATE entry SET leaf = zeroblob(191) WHERE leaf_index = 1")
    plan = plan_of(maker, report)
    copies, _ = await fetch(maker, plan)
    await maker.database.write(
        lambda c: c.execute("UPDATE tile SET hashes = zeroblob(8192)").rowcount
    )
    mends = await apply(maker, plan, copies)
    assert any("leaf_not_in_tree" in mend.reason for mend in mends)
    assert maker.sql("SELECT leaf FROM entry WHERE leaf_index = 1") == [(bytes(191),)]


# -- who gets a copy ---------------------------------------------------------------------------------


async def ask(asking: Peer, asked: Peer, *entry_ids: bytes) -> tuple[int, dict[str, Any]]:
    body = msgspec.json.encode({"entry_ids": ["0x" + e.hex() for e in entry_ids]})
    return await post(asking, asked, body)


async def post(asking: Peer, asked: Peer, body: bytes) -> tuple[int, dict[str, Any]]:
    url = asked.url + COPIES_PATH
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=asking.signed(url, body)) as response,
    ):
        answer = await response.read()
        return response.status, msgspec.json.decode(answer)


async def test_a_member_gets_its_own_and_what_it_was_shown_and_nothing_else(
    world: PeersWorld,
) -> None:
    maker, wholesaler, pharmacy = [world.peers[a.name] for a in (MAKER, WHOLESALER, PHARMACY)]
    entries = [row[0] for row in maker.sql("SELECT entry_id FROM event ORDER BY event_row")]
    status, package = await ask(wholesaler, maker, *entries)
    assert (status, len(package["entries"])) == (200, 2)  # not what it was not shown
    status, package = await ask(maker, wholesaler, *entries)
    assert (status, len(package["entries"])) == (200, 2)
    for asked in (maker, wholesaler):
        status, problem = await ask(pharmacy, asked, *entries)
        assert (status, problem["code"]) == (404, "copies_unknown")


async def test_a_package_of_copies_is_no_delivery(world: PeersWorld) -> None:
    maker, wholesaler = world.peers[MAKER.name], world.peers[WHOLESALER.name]
    (entry,) = maker.sql("SELECT entry_id FROM event WHERE event_row = 1")[0]
    package = await wholesaler.copies.give(
        msgspec.json.encode({"entry_ids": ["0x" + entry.hex()]}), MAKER.member
    )
    assert parse_package(package).package.recipient == MAKER.member
    status, problem, _ = await wholesaler.post(maker, package)
    assert (status, problem["code"]) == (403, "package_purpose_unknown")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{}", 400, "copies_malformed"),
        (b'{"entry_ids": ["0x12"]}', 400, "copies_malformed"),
        (b'{"entry_ids": [], "more": 1}', 400, "copies_malformed"),
        (b"[" * 1000, 400, "copies_malformed"),
        (b'{"entry_ids": []}', 404, "copies_unknown"),
        (
            msgspec.json.encode({"entry_ids": [f"0x{n:064x}" for n in range(101)]}),
            413,
            "too_many_copies",
        ),
    ],
)
async def test_a_question_for_copies_that_is_none_is_refused(
    world: PeersWorld, body: bytes, status: int, code: str
) -> None:
    answered, problem = await post(world.peers[MAKER.name], world.peers[WHOLESALER.name], body)
    assert (answered, problem["code"]) == (status, code)


async def test_a_refusal_is_told_as_one(world: PeersWorld) -> None:
    pharmacy, maker = world.peers[PHARMACY.name], world.peers[MAKER.name]
    async with aiohttp.ClientSession() as session:
        with pytest.raises(NotFoundError) as error:
            await client(pharmacy, session).fetch_copies(maker.url, [bytes(32)], 1 << 20)
        assert error.value.code == "copies_unknown"
        with pytest.raises(VerificationError) as refused:
            await client(pharmacy, session).fetch_copies(maker.url, [bytes(32)] * 101, 1 << 20)
    assert refused.value.code == "peer_refused"
    assert "too_many_copies" in refused.value.message
