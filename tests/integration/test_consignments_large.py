"""What a package may cost its receiver: counted, verified bit by bit, written by parts that others get in between."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from peers_world import Peer, PeersWorld, peers_world, until
from provenance_world import CONTEXT, commissioning, event, shipping
from scenarios import MAKER, PHARMACY, WHOLESALER
from sealtrail.errors import IntegrityError, UnavailableError
from sealtrail.evidence import EntryRecord, PackageLimits
from sealtrail.services.exchange.intake import PART_ENTRIES_MAX

PACK = "urn:epc:id:sgtin:4012345.011122."


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PeersWorld]:
    async with peers_world(tmp_path) as made:
        yield made


def packs(*names: object) -> list[str]:
    return [f"{PACK}{name}" for name in names]


def commissioned(maker: Peer, count: int) -> list[EntryRecord]:
    """Entries of as many commissionings, of a pack each."""
    return [maker.entry(commissioning(MAKER, 10, *packs(f"S{n}"))) for n in range(count)]


def with_values(count: int, serial: int) -> dict[str, Any]:
    """A commissioning with so many numbers in an extension."""
    context = [*CONTEXT, {"x": "https://x.example/"}]
    made = commissioning(MAKER, 10, *packs(f"V{serial}"))
    return {"@context": context, **made, "x:numbers": [0] * count}


@pytest.mark.parametrize(
    ("limits", "pointer", "said"),
    [
        (PackageLimits(values_max=50), "/entries", "at most 50"),
        (PackageLimits(items_max=11), "/entries/1", "11"),
    ],
)
async def test_a_package_with_too_much_in_it_is_refused_with_the_limit(
    tmp_path: Path, limits: PackageLimits, pointer: str, said: str
) -> None:
    async with peers_world(tmp_path) as world:
        maker = await world.peer(MAKER)
        wholesaler = await world.peer(WHOLESALER, package_limits=limits)
        two = [
            maker.entry(event(MAKER, "storing", 20, *packs(*range(6)), eventID=f"urn:uuid:{n}"))
            for n in range(2)
        ]
        before = wholesaler.counts()
        body = maker.package_of(WHOLESALER, *two, *commissioned(maker, 4))
        status, problem, _ = await maker.post(wholesaler, body)
        assert (status, problem["code"], problem["pointer"]) == (413, "package_too_large", pointer)
        assert said in problem["detail"]
        assert wholesaler.counts() == before


async def test_a_shipment_with_a_long_history_goes_in_as_many_packages_as_receivers_want(
    tmp_path: Path,
) -> None:
    ten = packs(*range(10))
    histories = {
        "items": (
            PackageLimits(items_max=25),
            [event(MAKER, "storing", 11 + n, *ten) for n in range(6)],
        ),
        "values": (
            PackageLimits(values_max=2_500),
            [with_values(1_000 + n, n) | {"epcList": ten} for n in range(3)],
        ),
    }
    for name, (limits, history) in histories.items():
        (tmp_path / name).mkdir()
        async with peers_world(tmp_path / name) as world:
            maker = await world.peer(MAKER, package_limits=limits)
            wholesaler = await world.peer(WHOLESALER, package_limits=limits)
            sent = await maker.record(*history, shipping(MAKER, WHOLESALER, 30, *ten))
            await until(lambda: wholesaler.holds(sent), name)  # noqa: B023 called at once


async def test_40000_packs_with_their_history_arrive(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    many = packs(*range(40_000))
    sent = await maker.record(
        commissioning(MAKER, 10, *many),
        *(event(MAKER, "storing", 11 + n, *many) for n in range(3)),
        shipping(MAKER, WHOLESALER, 30, *many),
    )
    await until(lambda: wholesaler.holds(sent))


async def test_an_entry_that_names_more_than_its_keys_say_is_left_out_of_the_shipment(
    tmp_path: Path,
) -> None:
    async with peers_world(tmp_path) as world:
        maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
        pharmacy = await world.peer(PHARMACY)
        withheld = maker.entry(event(MAKER, "storing", 20, *packs(*range(30))))
        key = b"\x01" * 32
        kept = maker.entry(commissioning(MAKER, 10, *packs(1)))
        silent = maker.without_salt(withheld, [key])
        body = maker.package_of(WHOLESALER, silent, maker.without_salt(kept))
        assert (await maker.post(wholesaler, body))[0] == 200
        await wholesaler.stop_delivering()
        wholesaler.intake.limits = PackageLimits(items_max=20)
        await wholesaler.deliver()
        sent = await wholesaler.record(shipping(WHOLESALER, PHARMACY, 40, *packs(1)))
        await until(lambda: pharmacy.holds([*sent, maker.id_of(kept)]))
        assert not pharmacy.holds([maker.id_of(silent)])


async def test_captures_get_in_between_the_parts_of_a_package(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await wholesaler.stop_delivering()
    body = maker.package_of(WHOLESALER, *commissioned(maker, 4 * PART_ENTRIES_MAX))
    receiving = asyncio.create_task(wholesaler.intake.receive(body, MAKER.member))
    count = 0
    while not receiving.done():
        one = {"@context": CONTEXT, **event(WHOLESALER, "storing", 20, *packs(f"C{count}"))}
        await wholesaler.capture.capture_event(json.dumps(one).encode())
        count += 1
    assert (await receiving).accepted == 4 * PART_ENTRIES_MAX
    between = wholesaler.sql(
        "SELECT count(*) FROM event WHERE leaf_index IS NOT NULL AND event_row BETWEEN"
        " (SELECT min(event_row) FROM event WHERE leaf_index IS NULL) AND"
        " (SELECT max(event_row) FROM event WHERE leaf_index IS NULL)"
    )
    assert between[0][0] > 0


async def test_a_package_that_broke_off_between_two_parts_left_whole_entries_and_is_taken_again(
    world: PeersWorld,
) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await wholesaler.stop_delivering()
    count = PART_ENTRIES_MAX + 50
    made = commissioned(maker, count)
    body = maker.package_of(WHOLESALER, *made)
    last = "x'" + maker.id_of(made[-1]).hex() + "'"
    await wholesaler.database.write(
        lambda c: (
            c.execute(
                f"CREATE TRIGGER broken BEFORE INSERT ON foreign_entry WHEN NEW.entry_id = {last}"
                " BEGIN SELECT RAISE(ABORT, 'broken off'); END"
            ).rowcount
        )
    )
    with pytest.raises((UnavailableError, IntegrityError)):
        await wholesaler.intake.receive(body, MAKER.member)
    kept = {maker.id_of(each) for each in made[:PART_ENTRIES_MAX]}
    assert wholesaler.others() == kept
    assert {row[0] for row in wholesaler.sql("SELECT entry_id FROM foreign_entry")} == kept
    assert await grades(wholesaler, made[0]) == ["signature-proven"]

    await wholesaler.database.write(lambda c: c.execute("DROP TRIGGER broken").rowcount)
    again = await wholesaler.intake.receive(body, MAKER.member)
    assert (again.accepted, again.known) == (50, PART_ENTRIES_MAX)
    assert wholesaler.holds(maker.id_of(each) for each in made)


async def grades(peer: Peer, record: EntryRecord) -> list[str]:
    assert record.content is not None
    (epc,) = json.loads(record.content)["epcList"]
    return [step["entry_grade"] for step in (await peer.view(epc))["journey"]]


async def test_what_was_read_of_an_entry_is_let_go_before_the_next(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    made = [maker.entry(with_values(20_000, n)) for n in range(8)]
    one = await peak_bytes(wholesaler, maker.package_of(WHOLESALER, made[0]))
    eight = await peak_bytes(wholesaler, maker.package_of(WHOLESALER, *made))
    contents = sum(len(each.content or b"") for each in made)
    assert eight < one + 8 * contents  # bytes are kept, values are not


async def peak_bytes(peer: Peer, body: bytes) -> int:
    """Return the most memory that is in use at once while a package is taken in."""
    gc.collect()
    tracemalloc.start()
    try:
        await peer.intake.receive(body, MAKER.member)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_packages_take_turns(world: PeersWorld) -> None:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await wholesaler.stop_delivering()
    made = commissioned(maker, 4 * PART_ENTRIES_MAX + 1)
    large = maker.package_of(WHOLESALER, *made[1:])
    small = maker.package_of(WHOLESALER, made[0])
    ended: list[str] = []

    async def take(name: str, body: bytes) -> None:
        await wholesaler.intake.receive(body, MAKER.member)
        ended.append(name)

    await asyncio.gather(take("large", large), take("small", small))
    assert ended == ["small", "large"]
