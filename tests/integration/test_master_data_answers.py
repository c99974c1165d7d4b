"""Master data in answers about items: what places, parties and products are called, and where events differ from it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from master_data import EPC_CLASS, LOCATION, PARTY, element, header, vocabulary
from provenance_world import (
    MAKER,
    NOW_MS,
    WHOLESALER,
    Node,
    World,
    commissioning,
    document,
    event,
    packing,
    shipping,
)
from scenarios import OUTSIDER, item
from sealtrail.epcis import Limits
from sealtrail.gs1 import parse_item
from sealtrail.services.answers.master_data import MasterDataAnswers
from sealtrail.services.recording.drafts import Body
from sealtrail.services.recording.master_data import MasterDataService

P1, CASE = item("P1"), item("C1")
GTIN = f"https://id.gs1.org/01/{parse_item(P1).gtin}"
OTHER_GTIN = "urn:epc:idpat:sgtin:4012345.099999.*"
LONG_AGO_MS = NOW_MS - 10_000_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


async def put(node: Node, *vocabularies: dict[str, Any], since_ms: int = LONG_AGO_MS) -> None:
    service = MasterDataService(
        node.database, member=node.actor.member, clock=lambda: node.now_ms, limits=Limits()
    )
    await service.put(Body(json.dumps(list(vocabularies)).encode()), valid_from_ms=since_ms)


def product(identifier: str = GTIN, **attributes: Any) -> dict[str, Any]:
    return vocabulary(EPC_CLASS, element(identifier, **attributes))


async def test_products_places_and_parties_come_with_their_names(world: World) -> None:
    maker = await world.node(MAKER)
    await put(
        maker,
        product(regulatedProductName="Epcistra", strengthDescription="100 mg"),
        vocabulary(LOCATION, element(MAKER.sgln, name="Plant 1", city="Bonn", countryCode="DE")),
        vocabulary(PARTY, element(OUTSIDER.pgln, name="Apotheke am Markt", city="Köln")),
    )
    await maker.record(commissioning(MAKER, 1, P1), shipping(MAKER, OUTSIDER, 2, P1))
    answer = await maker.view(P1)
    names = answer["names"]
    assert names[answer["question"]["item"]] == {"name": "Epcistra", "strength": "100 mg"}
    place = answer["journey"][0]["read_point"]
    assert names[place] == {"name": "Plant 1", "city": "Bonn", "country": "DE"}
    receiver = answer["state"]["in_transit_to"]
    assert receiver["name"] is None
    assert names[receiver["gln"]] == {"name": "Apotheke am Markt", "city": "Köln"}


async def test_a_room_without_a_city_is_in_its_site_s(world: World) -> None:
    maker = await world.node(MAKER)
    room = MAKER.sgln.removesuffix("0") + "room"
    await put(
        maker,
        vocabulary(
            LOCATION,
            element(MAKER.sgln, name="Plant 1", city="Bonn"),
            element(room, name="Cold room"),
        ),
    )
    await maker.record(commissioning(MAKER, 1, P1, readPoint={"id": room}))
    names = (await maker.view(P1))["names"]
    assert names[room] == {"name": "Cold room", "city": "Bonn"}


async def test_names_are_those_of_the_time_asked_about(world: World) -> None:
    maker = await world.node(MAKER)
    await put(maker, vocabulary(LOCATION, element(MAKER.sgln, name="Old")), since_ms=NOW_MS - 5_000)
    await put(maker, vocabulary(LOCATION, element(MAKER.sgln, name="New")), since_ms=NOW_MS)
    await maker.record(commissioning(MAKER, 1, P1))
    for at_ms, name in ((NOW_MS, "New"), (NOW_MS - 1, "Old"), (NOW_MS - 60_000, "Old")):
        answer = await maker.view(P1, as_of_us=at_ms * 1000)
        for step in answer["journey"]:
            # what is known from later only is better than nothing
            assert answer["names"][step["read_point"]]["name"] == name
    assert (await maker.view(P1))["names"][MAKER.sgln] == {"name": "New"}


async def test_containers_and_what_has_no_master_data_are_left_out(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1), packing(MAKER, 2, CASE, P1))
    assert (await maker.view(P1))["names"] == {}


async def test_a_commissioning_that_differs_from_master_data_is_a_finding(world: World) -> None:
    maker = await world.node(MAKER)
    lot = f"{GTIN}/10/L1"
    await put(maker, product(countryOfOrigin="DE"), product(lot, itemExpirationDate="2028-12-31"))
    made = commissioning(MAKER, 1, P1)
    made["ilmd"]["cbvmda:countryOfOrigin"] = "fr"
    (entry,) = await maker.record(made)
    answer = await maker.view(P1)
    differing = [f for f in answer["findings"] if f["code"] == "master_data_differs"]
    assert [f["class"] for f in differing] == ["procedural"] * 2
    assert [f["entries"] for f in differing] == [["0x" + entry.hex()]] * 2
    assert "countryOfOrigin is 'fr'" in differing[0]["message"]
    assert "'2028-12-31'" in differing[1]["message"]
    # master data is a word, and evidence is not judged by it
    assert answer["verdicts"]["identifier"]["verdict"] == "known_matching"


async def test_the_same_in_another_spelling_is_no_difference(world: World) -> None:
    maker = await world.node(MAKER)
    await put(
        maker, product(countryOfOrigin=" de", itemExpirationDate="271231", netWeight={"v": 1})
    )
    made = commissioning(MAKER, 1, P1)
    made["ilmd"] |= {"cbvmda:countryOfOrigin": "DE", "cbvmda:netWeight": "2"}
    await maker.record(made)
    assert await codes(maker) == []


async def test_master_data_from_after_the_commissioning_is_not_held_against_it(
    world: World,
) -> None:
    maker = await world.node(MAKER)
    await put(maker, product(itemExpirationDate="2028-12-31"), since_ms=NOW_MS)
    await maker.record(commissioning(MAKER, 1, P1))
    assert await codes(maker) == []


async def codes(node: Node) -> list[str]:
    return [f["code"] for f in (await node.view(P1))["findings"]]


async def test_a_product_that_its_maker_does_not_list_is_a_finding_at_his_node(
    world: World,
) -> None:
    maker, wholesaler = await world.node(MAKER), await world.node(WHOLESALER)
    entries = await maker.record(commissioning(MAKER, 1, P1))
    await maker.hand(wholesaler, entries)
    for node in (maker, wholesaler):
        await put(node, product(OTHER_GTIN, regulatedProductName="Other"))
    assert await codes(maker) == ["product_unlisted"]
    assert await codes(wholesaler) == []
    await put(maker, product(regulatedProductName="Epcistra"))
    assert await codes(maker) == []


async def test_headers_are_no_list_of_all_products(world: World) -> None:
    maker = await world.node(MAKER)
    other = header(product(OTHER_GTIN, regulatedProductName="Other"))
    body = json.loads(document(commissioning(MAKER, 1, P1))) | {"epcisHeader": other}
    captured = await maker.capture.capture(json.dumps(body).encode())
    assert not captured.errors
    assert await codes(maker) == []


async def test_who_numbers_an_identifier_is_shown_beside_who_speaks_of_it(world: World) -> None:
    wholesaler = await world.node(WHOLESALER)
    own, outside = WHOLESALER.sgln, "urn:epc:id:sgln:0614141.00001.0"
    await put(
        wholesaler,
        product(regulatedProductName="Epcistra"),
        vocabulary(LOCATION, element(own, name="Depot"), element(outside), element("urn:x:room")),
    )
    answers = MasterDataAnswers(
        wholesaler.database, clock=lambda: wholesaler.now_ms, networks=wholesaler.networks
    )
    rights = {}
    for identifier in (GTIN, own, outside, "urn:x:room"):
        (shown,) = (await answers.show(identifier))["elements"]
        assert shown["stated_by"] == {
            "member": "0x" + WHOLESALER.member.hex(),
            "name": "Wholesaler",
        }
        rights[identifier] = (shown["numbered_by"], shown["by_right"])
    assert rights == {
        GTIN: (["Maker"], False),
        own: (["Wholesaler"], True),
        outside: ([], None),
        "urn:x:room": ([], None),
    }


async def test_an_event_by_itself_has_no_commissioning_to_compare(world: World) -> None:
    maker = await world.node(MAKER)
    await put(maker, product(itemExpirationDate="2028-12-31"))
    await maker.record(event(MAKER, "inspecting", 1, P1))
    assert "master_data_differs" not in await codes(maker)
