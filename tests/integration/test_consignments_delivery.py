"""What is shipped reaches the one it is shipped to, with its history, whoever is down in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from peers_world import Peer, PeersWorld, peers_world, until
from provenance_world import at, commissioning, erase, event, packing, shipping
from scenarios import CLINIC, MAKER, OUTSIDER, PHARMACY, WHOLESALER
from sealtrail.services.exchange.handovers import Policy
from sealtrail.services.exchange.parcels import PART_BYTES_MAX

PACK = "urn:epc:id:sgtin:4012345.011122.P1"
OTHER_PACK = "urn:epc:id:sgtin:4012345.011122.P2"
CASE = "urn:epc:id:sscc:4012345.1234567890"
TOTE = "urn:epc:id:grai:4012345.12345.7"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path) as made:
        yield made


async def settled(peer: Peer) -> None:
    """Wait until the node has looked through everything and delivered what can be delivered."""

    def looked() -> bool:
        last = peer.sql("SELECT coalesce(max(event_row), 0) FROM event")[0][0]
        return peer.outgoing._looked is not None and peer.outgoing._looked[0] >= last

    await until(looked, "the look")
    await until(lambda: peer.undelivered("announced") == 0, "the deliveries")


def grades(view: dict[str, object]) -> set[str]:
    return {step["entry_grade"] for step in view["journey"]}  # type: ignore[index, attr-defined]


async def test_a_shipment_arrives_with_its_history_and_is_proven_by_signature_then_by_the_chain(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    sent = await maker.record(
        commissioning(MAKER, 10, PACK),
        packing(MAKER, 20, CASE, PACK),
        shipping(MAKER, WHOLESALER, 30, CASE),
    )
    await until(lambda: wholesaler.holds(sent))
    assert grades(await wholesaler.view(PACK)) == {"signature-proven"}

    await maker.anchor()
    await until(lambda: maker.undelivered() == 0)
    await wholesaler.follower.check_now()
    assert grades(await wholesaler.view(PACK)) == {"chain-proven"}


async def test_the_third_node_gets_the_first_ones_entries_from_the_second(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    pharmacy = await world.peer(PHARMACY)
    first = await maker.record(
        commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK)
    )
    await until(lambda: wholesaler.holds(first))
    await maker.anchor()
    await until(lambda: maker.undelivered() == 0)
    assert pharmacy.others() == set()

    second = await wholesaler.record(
        event(WHOLESALER, "receiving", 30, PACK), shipping(WHOLESALER, PHARMACY, 40, PACK)
    )
    await until(lambda: pharmacy.holds([*first, *second]))
    await wholesaler.anchor()
    await until(lambda: wholesaler.undelivered() == 0)
    await pharmacy.follower.check_now()
    assert pharmacy.others() == {*first, *second}
    assert grades(await pharmacy.view(PACK)) == {"chain-proven"}
    assert maker.others() == set()


async def passed_on(world: PeersWorld) -> tuple[list[bytes], list[bytes]]:
    """The maker's pack is at the pharmacy, whose wholesaler's entries are anchored, and the maker's are not."""
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    pharmacy = await world.peer(PHARMACY)
    first = await maker.record(
        commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK)
    )
    await until(lambda: wholesaler.holds(first))
    second = await wholesaler.record(
        event(WHOLESALER, "receiving", 30, PACK), shipping(WHOLESALER, PHARMACY, 40, PACK)
    )
    await until(lambda: pharmacy.holds([*first, *second]))
    await wholesaler.anchor()
    await until(lambda: wholesaler.undelivered("anchored") == 0)
    await pharmacy.follower.check_now()
    assert grades(await pharmacy.view(PACK)) == {"signature-proven", "chain-proven"}
    return first, second


async def test_history_that_is_anchored_after_it_was_passed_on_is_proven_in_the_end(
    world: PeersWorld,
) -> None:
    first, _ = await passed_on(world)
    maker, wholesaler, pharmacy = (world.peers[a.name] for a in (MAKER, WHOLESALER, PHARMACY))
    assert wholesaler.undelivered() == 1
    waiting = wholesaler.sql("SELECT entry_id FROM delivery_unproven")
    assert {row[0] for row in waiting} == set(first)
    await wholesaler.follower.check_now()  # the maker's anchor is seen before its proof is here
    await maker.anchor()
    await until(lambda: maker.undelivered() == 0)
    await wholesaler.follower.check_now()
    await until(lambda: wholesaler.undelivered() == 0)
    await pharmacy.follower.check_now()
    assert grades(await pharmacy.view(PACK)) == {"chain-proven"}
    assert wholesaler.sql("SELECT entry_id FROM delivery_unproven") == []


async def test_what_waits_for_the_proof_of_history_outlives_a_restart_and_a_receiver_that_is_down(
    world: PeersWorld,
) -> None:
    await passed_on(world)
    maker, wholesaler, pharmacy = (world.peers[a.name] for a in (MAKER, WHOLESALER, PHARMACY))
    await wholesaler.stop_delivering()
    await pharmacy.hang_up()
    await maker.anchor()
    await until(lambda: maker.undelivered() == 0)
    await wholesaler.follower.check_now()
    await wholesaler.deliver()
    await until(lambda: wholesaler.outgoing.counts.failed_attempts > 0)
    assert wholesaler.undelivered() == 1
    await pharmacy.listen()
    await until(lambda: wholesaler.undelivered() == 0)
    await pharmacy.follower.check_now()
    assert grades(await pharmacy.view(PACK)) == {"chain-proven"}


async def test_history_that_was_erased_meanwhile_keeps_nobody_waiting(world: PeersWorld) -> None:
    first, _ = await passed_on(world)
    maker, wholesaler = world.peers[MAKER.name], world.peers[WHOLESALER.name]
    erased = first[0]
    wholesaler.database.write_sync(lambda c: erase(c, erased))
    await maker.anchor()
    await until(lambda: maker.undelivered() == 0)
    await wholesaler.follower.check_now()
    await until(lambda: wholesaler.undelivered() == 0)


async def test_nothing_goes_to_members_not_concerned_nor_to_parties_outside(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    pharmacy = await world.peer(PHARMACY)
    await maker.record(
        commissioning(MAKER, 10, PACK, OTHER_PACK), shipping(MAKER, OUTSIDER, 20, OTHER_PACK)
    )
    sent = await maker.record(shipping(MAKER, WHOLESALER, 30, PACK))
    await until(lambda: wholesaler.holds(sent))
    await settled(maker)
    assert pharmacy.others() == set()
    assert maker.sql("SELECT count(*) FROM delivery WHERE stage = 'announced'") == [(1,)]


async def test_by_default_only_origin_containment_and_ones_own_handover_are_shown(
    world: PeersWorld,
) -> None:
    maker = await world.peer(MAKER)
    wholesaler = await world.peer(WHOLESALER, policy=Policy.DEFAULT)
    pharmacy = await world.peer(PHARMACY)
    commissioned, _ = await maker.record(
        commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK)
    )
    await settled(maker)
    received, packed, shipped = await wholesaler.record(
        event(WHOLESALER, "receiving", 30, PACK),
        packing(WHOLESALER, 40, TOTE, PACK),
        shipping(WHOLESALER, PHARMACY, 50, TOTE),
    )
    await until(lambda: pharmacy.holds([shipped]))
    assert pharmacy.others() == {commissioned, packed, shipped}
    assert received not in pharmacy.others()


async def test_an_event_of_somebodys_own_type_hands_nothing_over_and_is_no_origin(
    world: PeersWorld,
) -> None:
    maker = await world.peer(MAKER, policy=Policy.DEFAULT)
    wholesaler = await world.peer(WHOLESALER)
    own = {"type": "https://acme.example/Plan"}
    planned = await maker.record(
        commissioning(MAKER, 5, PACK) | own | {"action": "ADD"},
        shipping(MAKER, WHOLESALER, 6, PACK) | own,
    )
    await settled(maker)
    assert wholesaler.others() == set()
    sent = await maker.record(commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK))
    await until(lambda: wholesaler.holds(sent))
    assert wholesaler.others().isdisjoint(planned)


async def test_a_packing_that_was_declared_erroneous_brings_nothing_along(
    world: PeersWorld,
) -> None:
    maker = await world.peer(MAKER, policy=Policy.DEFAULT)
    wholesaler = await world.peer(WHOLESALER)
    wrong = packing(MAKER, 20, CASE, OTHER_PACK, eventID="urn:uuid:1")
    await maker.record(commissioning(MAKER, 5, OTHER_PACK))
    await maker.record(wrong)
    await maker.record(declared(wrong))
    sent = await maker.record(
        commissioning(MAKER, 10, PACK),
        packing(MAKER, 25, CASE, PACK),
        shipping(MAKER, WHOLESALER, 30, CASE),
    )
    await until(lambda: wholesaler.holds(sent))
    assert wholesaler.others() == set(sent)


def declared(erroneous: dict[str, object]) -> dict[str, object]:
    declaration = {"declarationTime": at(100), "reason": "did_not_occur"}
    return {**erroneous, "errorDeclaration": declaration}


async def test_a_declaration_reaches_all_who_relied_on_the_event_wherever_it_came_from(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    pharmacy = await world.peer(PHARMACY)
    made = commissioning(MAKER, 10, PACK, eventID="urn:uuid:1")
    await maker.record(made, shipping(MAKER, WHOLESALER, 20, PACK))
    await settled(maker)
    await wholesaler.record(shipping(WHOLESALER, PHARMACY, 40, PACK))
    await settled(wholesaler)

    wrong = await maker.record(declared(made))
    await until(lambda: wholesaler.holds(wrong))
    await until(lambda: pharmacy.holds(wrong))
    assert maker.others() == set()


async def test_a_declared_shipment_is_told_to_its_receiver_and_to_nobody_else(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    pharmacy = await world.peer(PHARMACY)
    unsent = shipping(MAKER, OUTSIDER, 15, OTHER_PACK) | {"eventID": "urn:uuid:1"}
    sent = shipping(MAKER, WHOLESALER, 20, PACK) | {"eventID": "urn:uuid:2"}
    await maker.record(unsent, sent)
    await settled(maker)
    of_unsent = await maker.record(declared(unsent))
    of_sent = await maker.record(declared(sent))
    await until(lambda: wholesaler.holds(of_sent))
    await settled(maker)
    assert not wholesaler.holds(of_unsent)
    assert pharmacy.others() == set()


async def test_a_receiver_that_was_down_gets_everything_when_it_is_back(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await wholesaler.hang_up()
    sent = await maker.record(
        commissioning(MAKER, 10, PACK, OTHER_PACK),
        shipping(MAKER, WHOLESALER, 20, PACK),
        shipping(MAKER, WHOLESALER, 30, OTHER_PACK),
    )
    await until(lambda: maker.outgoing.counts.failed_attempts > 1, "two attempts")
    (waiting,) = await maker.outgoing.backlog()
    assert (waiting.recipient, waiting.waiting) == (WHOLESALER.member, 4)
    assert waiting.last_error is not None
    assert waiting.last_error.startswith("peer_unreachable")

    await wholesaler.listen()
    await until(lambda: wholesaler.holds(sent))


async def test_what_waited_is_delivered_after_the_sender_started_again(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.stop_delivering()
    await wholesaler.hang_up()
    before = await maker.record(
        commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK)
    )
    await maker.deliver()
    await until(lambda: maker.outgoing.counts.failed_attempts > 0, "an attempt")
    await maker.stop_delivering()
    meanwhile = await maker.record(shipping(MAKER, WHOLESALER, 30, OTHER_PACK))
    await wholesaler.listen()
    await maker.deliver()
    await until(lambda: wholesaler.holds([*before, *meanwhile]))


async def test_a_chain_that_is_down_delays_the_proof_and_not_the_shipment(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    world.chain.mines_itself = False
    sent = await maker.record(commissioning(MAKER, 10, PACK), shipping(MAKER, WHOLESALER, 20, PACK))
    await until(lambda: wholesaler.holds(sent))
    await settled(maker)
    assert maker.undelivered("anchored") == 1
    (waiting,) = await maker.outgoing.backlog()
    assert (waiting.waiting, waiting.unanchored, waiting.attempts) == (1, 1, 0)

    world.chain.mines_itself = True
    await maker.anchor()
    await until(lambda: maker.undelivered() == 0)


async def test_what_is_proven_already_is_sent_once(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.stop_delivering()
    sent = await maker.record(shipping(MAKER, WHOLESALER, 20, PACK))
    await maker.anchor()
    await maker.deliver()
    await until(lambda: wholesaler.holds(sent))
    # the count follows the row, a moment later
    await until(lambda: maker.undelivered() == 0 and maker.outgoing.counts.delivered)
    assert maker.outgoing.counts.delivered == 1


async def test_a_peer_that_never_answers_delays_nobody_else(tmp_path: Path) -> None:
    async with peers_world(tmp_path) as world:
        maker, wholesaler = (
            await world.peer(MAKER, timeout_seconds=300.0),
            await world.peer(WHOLESALER),
        )

        async def say_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        silent = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        await world.announce(PHARMACY, node_url=f"http://127.0.0.1:{port}")
        stuck = await maker.record(shipping(MAKER, PHARMACY, 20, PACK))
        await until(
            lambda: maker.sql("SELECT 1 FROM disclosed WHERE recipient = ?", PHARMACY.member)
        )
        sent = await maker.record(shipping(MAKER, WHOLESALER, 30, OTHER_PACK))
        await until(lambda: wholesaler.holds(sent))
        assert maker.sql(
            "SELECT count(*) FROM delivery WHERE entry_id = ? AND delivered_ms IS NULL", stuck[0]
        ) == [(2,)]
        await maker.stop_delivering()
        silent.close()


async def test_a_delivery_that_cannot_be_made_holds_up_none_behind_it(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.stop_delivering()
    bad, good = await maker.record(
        shipping(MAKER, WHOLESALER, 20, PACK), shipping(MAKER, WHOLESALER, 30, OTHER_PACK)
    )
    await maker.database.write(
        lambda c: (
            c.execute("UPDATE entry SET seed = zeroblob(32) WHERE entry_id = ?", (bad,)).rowcount
        )
    )
    await maker.deliver()
    await until(lambda: wholesaler.holds([good]))
    await until(lambda: maker.outgoing.counts.failed_attempts > 1, "two attempts")
    (waiting,) = await maker.outgoing.backlog()
    assert waiting.last_error is not None
    assert waiting.last_error.startswith("entry_damaged")
    assert not wholesaler.holds([bad])


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE event SET content = NULL WHERE entry_id = ?",
        "UPDATE event SET content = x'7b' WHERE entry_id = ?",
        "UPDATE entry SET seed = NULL WHERE entry_id = ?",
        "UPDATE entry SET leaf = x'00' WHERE entry_id = ?",
        f"UPDATE entry SET refs = x'{'01' * 33}' WHERE entry_id = ?",
        "DELETE FROM entry WHERE entry_id = ?",
    ],
)
async def test_damaged_or_erased_history_is_left_out_and_the_shipment_goes(
    world: PeersWorld, damage: str
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.stop_delivering()
    commissioned, packed, shipped = await maker.record(
        commissioning(MAKER, 10, PACK),
        packing(MAKER, 20, CASE, PACK),
        shipping(MAKER, WHOLESALER, 30, CASE),
    )
    await maker.database.write(lambda c: c.execute(damage, (commissioned,)).rowcount)
    await maker.deliver()
    await until(lambda: wholesaler.holds([shipped]))
    assert wholesaler.others() == {packed, shipped}


async def test_a_damaged_packing_is_left_out_with_what_only_it_shows(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.stop_delivering()
    _, packed, shipped = await maker.record(
        commissioning(MAKER, 10, PACK),
        packing(MAKER, 20, CASE, PACK),
        shipping(MAKER, WHOLESALER, 30, CASE),
    )
    await maker.database.write(
        lambda c: (
            c.execute("UPDATE event SET content = x'7b00' WHERE entry_id = ?", (packed,)).rowcount
        )
    )
    await maker.deliver()
    await until(lambda: wholesaler.holds([shipped]))
    assert wholesaler.others() == {shipped}


async def test_an_unreadable_shipment_is_passed_over(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.stop_delivering()
    bad, good = await maker.record(
        shipping(MAKER, WHOLESALER, 20, PACK), shipping(MAKER, WHOLESALER, 30, OTHER_PACK)
    )
    await maker.database.write(
        lambda c: (
            c.execute("UPDATE event SET content = x'7b00' WHERE entry_id = ?", (bad,)).rowcount
        )
    )
    await maker.deliver()
    await until(lambda: wholesaler.holds([good]))


async def test_a_store_that_fails_for_a_while_is_waited_out(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.database.write(lambda c: c.execute("ALTER TABLE delivery RENAME TO away").rowcount)
    sent = await maker.record(shipping(MAKER, WHOLESALER, 20, PACK))
    await until(lambda: maker.outgoing._failure, "the fault")
    await maker.database.write(lambda c: c.execute("ALTER TABLE away RENAME TO delivery").rowcount)
    await until(lambda: wholesaler.holds(sent))


async def test_a_history_larger_than_one_package_arrives_in_several(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    packs = [f"urn:epc:id:sgtin:4012345.011122.L{n}" for n in range(3)]
    padding = "x" * (PART_BYTES_MAX // 2)
    sent = await maker.record(
        *(commissioning(MAKER, 10, p, **{"cbvmda:note": padding}) for p in packs),
        packing(MAKER, 20, CASE, *packs),
        shipping(MAKER, WHOLESALER, 30, CASE),
    )
    await until(lambda: wholesaler.holds(sent))


async def test_one_event_of_40000_packs_is_delivered(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    packs = [f"urn:epc:id:sgtin:4012345.011122.{n}" for n in range(40_000)]
    sent = await maker.record(
        commissioning(MAKER, 10, *packs), shipping(MAKER, WHOLESALER, 30, *packs)
    )
    await until(lambda: wholesaler.holds(sent))


async def test_item_keys_are_kept_though_packages_leave_them_out(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    (sent,) = await maker.record(shipping(MAKER, WHOLESALER, 20, PACK, OTHER_PACK))
    await until(lambda: wholesaler.holds([sent]))
    ours = maker.sql("SELECT item_keys FROM entry WHERE entry_id = ?", sent)
    kept = wholesaler.sql("SELECT item_keys FROM foreign_entry WHERE entry_id = ?", sent)
    assert kept == ours
    assert len(kept[0][0]) == 64


async def test_a_destination_without_an_active_record_is_waited_for(tmp_path: Path) -> None:
    async with peers_world(tmp_path, (MAKER, WHOLESALER, CLINIC)) as world:
        maker, clinic = await world.peer(MAKER), await world.peer(CLINIC)
        await world.announce(CLINIC, node_url="")
        sent = await maker.record(shipping(MAKER, CLINIC, 20, PACK))
        await until(lambda: maker.outgoing.counts.failed_attempts > 0, "an attempt")
        (waiting,) = await maker.outgoing.backlog()
        assert msgspec.structs.asdict(waiting)["last_error"].startswith("peer_unknown")
        await world.announce(CLINIC, node_url=clinic.url)
        await until(lambda: clinic.holds(sent))
