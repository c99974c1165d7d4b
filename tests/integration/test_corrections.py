"""Corrections as a user sees them: the declaration, what holds instead, and the verdicts before and after."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from provenance_world import (
    MAKER,
    PHARMACY,
    WHOLESALER,
    Node,
    World,
    at,
    commissioning,
    document,
    event,
    shipping,
)
from scenarios import item
from sealtrail.errors import NotFoundError
from sealtrail.services.answers.corrections import CorrectionsService

P1, P2 = item("P1"), item("P2")
WRONG, RIGHT = (
    "urn:uuid:00000000-0000-4000-8000-00000000000a",
    "urn:uuid:00000000-0000-4000-8000-00000000000b",
)
DAYS_MS = 86_400_000


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def declared(
    wrong: dict[str, Any], *correctives: str, reason: str = "incorrect_data"
) -> dict[str, Any]:
    error: dict[str, Any] = {"declarationTime": at(100), "reason": reason}
    if correctives:
        error["correctiveEventIDs"] = list(correctives)
    return {**wrong, "errorDeclaration": error}


def destroying(seconds: int, *epcs: str, **more: Any) -> dict[str, Any]:
    return event(
        MAKER, "destroying", seconds, *epcs, action="DELETE", disposition="destroyed", **more
    )


async def corrections(node: Node, name: str) -> tuple[Any, list[bytes]]:
    """Ask for an event's corrections; return the answer, and which entries were told to be shown."""
    shown: list[bytes] = []
    service = CorrectionsService(node.database, node.provenance)
    answer = await service.corrections(name, lambda entries: shown.extend(entries))
    return msgspec.to_builtins(answer), shown


async def started(world: World) -> Node:
    """Start the maker's node, with its store looked through."""
    maker = await world.node(MAKER)
    await maker.store_check.run(asyncio.Event())
    return maker


async def destroyed_by_mistake(world: World) -> tuple[Node, bytes, bytes]:
    """P1 was said to be destroyed, and it was P2: return the node, the wrong event's entry, the declaration's."""
    maker = await started(world)
    wrong = destroying(3, P1, eventID=WRONG)
    await maker.record(commissioning(MAKER, 1, P1, P2))
    (entry,) = await maker.record(wrong)
    (declaration,) = await maker.record(declared(wrong, RIGHT))
    return maker, entry, declaration


async def test_verdicts_are_shown_before_and_after(world: World) -> None:
    maker, entry, declaration = await destroyed_by_mistake(world)
    (correction,) = (await maker.view(P1))["corrections"]
    assert correction["event_id"] == WRONG
    assert correction["declaration"] == "0x" + declaration.hex()
    assert correction["taken_out"] == ["0x" + entry.hex()]
    assert (correction["reason"], correction["declared_at"]) == ("incorrect_data", at(100))
    before, after = correction["verdicts_before"], correction["verdicts_after"]
    assert (before["fitness"]["verdict"], before["fitness"]["reasons"]) == (
        "not_fit",
        ["destroyed"],
    )
    assert after["fitness"]["verdict"] == "fit"


async def test_the_corrective_event_is_named_with_its_entries_though_it_is_of_another_item(
    world: World,
) -> None:
    maker, _, _ = await destroyed_by_mistake(world)
    (corrective,) = (await maker.view(P1))["corrections"][0]["corrective_events"]
    assert corrective == {"event_id": RIGHT, "entries": []}
    (entry,) = await maker.record(destroying(3, P2, eventID=RIGHT))
    (corrective,) = (await maker.view(P1))["corrections"][0]["corrective_events"]
    assert corrective == {"event_id": RIGHT, "entries": ["0x" + entry.hex()]}
    assert (await maker.view(P2))["verdicts"]["fitness"]["reasons"] == ["destroyed"]


async def test_without_a_correction_its_corrective_event_does_not_count_either(
    world: World,
) -> None:
    maker, _, _ = await destroyed_by_mistake(world)
    right = event(MAKER, "inspecting", 3, P1, eventID=RIGHT, disposition="recalled")
    await maker.record(right)
    (correction,) = (await maker.view(P1))["corrections"]
    assert correction["verdicts_before"]["fitness"]["reasons"] == ["destroyed"]
    assert "recalled" in correction["verdicts_after"]["fitness"]["reasons"]


async def test_a_corrective_event_that_never_comes_is_a_finding_when_it_is_overdue(
    world: World,
) -> None:
    maker, _, declaration = await destroyed_by_mistake(world)
    assert "corrective_event_missing" not in await codes(maker, P1)
    maker.now_ms += 3 * DAYS_MS
    answer = await maker.view(P1)
    (missing,) = (f for f in answer["findings"] if f["code"] == "corrective_event_missing")
    assert (missing["class"], missing["entries"]) == ("procedural", ["0x" + declaration.hex()])
    assert RIGHT in missing["message"]
    await maker.record(destroying(3, P2, eventID=RIGHT))
    assert "corrective_event_missing" not in await codes(maker, P1)


async def codes(node: Node, name: str) -> list[str]:
    return [f["code"] for f in (await node.view(name))["findings"]]


async def test_what_another_declares_takes_nothing_out_and_is_shown(world: World) -> None:
    maker, wholesaler = await world.node(MAKER), await world.node(WHOLESALER)
    wrong = shipping(MAKER, WHOLESALER, 3, P1) | {"eventID": WRONG}
    entries = await maker.record(commissioning(MAKER, 1, P1), wrong)
    await maker.anchor()
    await maker.hand(wholesaler, entries)
    await wholesaler.record(declared(wrong, reason="did_not_occur"))
    (correction,) = (await wholesaler.view(P1))["corrections"]
    assert (correction["taken_out"], correction["findings"]) == ([], ["correction_by_other"])
    assert correction["verdicts_before"] is not None
    answer, _ = await corrections(wholesaler, WRONG)
    assert (answer["corrected"], len(answer["declarations"])) == (False, 1)


async def test_a_correction_reaches_who_had_relied_on_the_event(world: World) -> None:
    maker, wholesaler = await world.node(MAKER), await world.node(WHOLESALER)
    wrong = shipping(MAKER, WHOLESALER, 3, P1) | {"eventID": WRONG}
    entries = await maker.record(commissioning(MAKER, 1, P1), wrong)
    await maker.hand(wholesaler, entries)
    assert (await wholesaler.view(P1))["corrections"] == []
    await maker.hand(wholesaler, await maker.record(declared(wrong, reason="did_not_occur")))
    answer, _ = await corrections(wholesaler, WRONG)
    assert answer["corrected"] is True
    assert answer["declarations"][0]["recorded_by"] == "0x" + MAKER.member.hex()


async def test_as_of_a_time_what_was_known_then_is_shown(world: World) -> None:
    maker, _, _ = await destroyed_by_mistake(world)
    await maker.anchor()
    answer = await maker.view(P1, known_at=maker.world.chain.blocks[0].head.time)
    assert answer["corrections"] == []


async def test_an_event_s_corrections_are_asked_for_by_any_of_its_names(world: World) -> None:
    maker, entry, declaration = await destroyed_by_mistake(world)
    for name in (WRONG, "0x" + entry.hex(), "0x" + declaration.hex()):
        answer, shown = await corrections(maker, name)
        assert (answer["event_id"], answer["corrected"]) == (WRONG, True)
        assert [e["entry_id"] for e in answer["events"]] == ["0x" + entry.hex()]
        (told,) = answer["declarations"]
        assert told["entry_id"] == "0x" + declaration.hex()
        assert told["corrective_events"] == [{"event_id": RIGHT, "entries": []}]
        (judged,) = answer["items"]
        assert judged["corrections"][0]["verdicts_before"]["fitness"]["verdict"] == "not_fit"
        assert judged["verdicts"]["fitness"]["verdict"] == "fit"
        assert {entry, declaration} <= set(shown)


async def test_an_event_that_was_not_corrected_is_an_answer(world: World) -> None:
    maker = await world.node(MAKER)
    (entry,) = await maker.record(commissioning(MAKER, 1, P1))
    answer, _ = await corrections(maker, "0x" + entry.hex())
    assert (answer["corrected"], answer["declarations"], answer["items"]) == (False, [], [])
    with pytest.raises(NotFoundError) as caught:
        await corrections(maker, WRONG)
    assert caught.value.code == "event_unknown"


async def test_a_declaration_of_an_event_that_is_not_held_is_shown_by_itself(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    await maker.record(declared(destroying(3, P1, eventID=WRONG)))
    answer, _ = await corrections(maker, WRONG)
    assert (answer["corrected"], answer["events"], len(answer["declarations"])) == (False, [], 1)
    assert answer["items"][0]["corrections"][0]["findings"] == ["correction_without_event"]


async def test_an_event_without_items_is_corrected_by_who_recorded_it(world: World) -> None:
    maker = await world.node(MAKER)
    empty = event(MAKER, "inspecting", 3, eventID=WRONG)
    await maker.record(empty)
    await maker.record(declared(empty))
    answer, _ = await corrections(maker, WRONG)
    assert (answer["corrected"], answer["items"], answer["items_count"]) == (True, [], 0)


async def test_an_event_of_many_items_is_judged_for_some_and_counts_all(world: World) -> None:
    maker = await world.node(MAKER)
    packs = [item(f"P{n}") for n in range(25)]
    wrong = destroying(3, *packs, eventID=WRONG)
    await maker.record(commissioning(MAKER, 1, *packs), wrong)
    await maker.record(declared(wrong))
    answer, _ = await corrections(maker, WRONG)
    assert (len(answer["items"]), answer["items_count"]) == (10, 25)


async def test_a_declaration_is_not_declared_erroneous_but_its_event_recorded_again(
    world: World,
) -> None:
    maker, _, _ = await destroyed_by_mistake(world)
    again = declared(destroying(3, P1, eventID=WRONG), reason="did_not_occur")
    refused = await maker.capture.capture(document(again))
    assert [e.code for e in refused.errors] == ["event_id_conflict"]
    # the declaration was the mistake: what it took out is recorded again, under an id of its own
    await maker.record(destroying(3, P1, eventID=RIGHT))
    answer = await maker.view(P1)
    assert answer["verdicts"]["fitness"]["reasons"] == ["destroyed"]
    assert answer["corrections"][0]["corrective_events"][0]["entries"]


async def test_many_corrections_are_all_shown_and_the_newest_judged(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    for n in range(10):
        wrong = event(MAKER, "inspecting", 2 + n, P1, eventID=f"urn:uuid:{n:032x}")
        await maker.record(wrong)
        await maker.record(declared(wrong))
    found = (await maker.view(P1))["corrections"]
    assert len(found) == 10
    assert [c["verdicts_before"] is None for c in found] == [True] * 2 + [False] * 8


async def test_who_holds_a_pack_follows_from_the_corrected_shipment(world: World) -> None:
    maker = await world.node(MAKER)
    wrong = shipping(MAKER, WHOLESALER, 3, P1) | {"eventID": WRONG}
    await maker.record(commissioning(MAKER, 1, P1), wrong)
    await maker.record(declared(wrong, RIGHT))
    await maker.record(shipping(MAKER, PHARMACY, 4, P1) | {"eventID": RIGHT})
    answer = await maker.view(P1)
    assert answer["state"]["in_transit_to"]["name"] == "Pharmacy"
    assert [s["kind"] for s in answer["journey"] if s["event_id"] == WRONG] == ["corrected"] * 2
