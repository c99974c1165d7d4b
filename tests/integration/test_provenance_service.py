"""Provenance over real stores, logs and anchoring: what is answered, and what happens when bytes lie."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from sqlite3 import Connection

import pytest

from provenance_world import (
    MAKER,
    PHARMACY,
    WHOLESALER,
    Node,
    World,
    commissioning,
    erase,
    event,
    packing,
    record_of,
    shipping,
)
from scenarios import item
from sealtrail.custody import Parameters
from sealtrail.errors import UnavailableError
from sealtrail.evidence import verify_entry
from sealtrail.gs1 import parse_item
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import Key, Purpose
from sealtrail.services.answers.history import HistoryLimits
from sealtrail.services.answers.provenance import Answer
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.store_check import CheckState
from sealtrail.signing import Ed25519Signer, Kind

P1, P2, CASE, TOTE = item("P1"), item("P2"), item("C1"), item("T1")
LOT = f"https://id.gs1.org/01/{parse_item(P1).gtin}/10/L1"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


async def shipped(world: World) -> tuple[Node, Node]:
    """The maker's pack, in a case, is at the wholesaler, who had the maker's entries."""
    maker, wholesaler = await world.node(MAKER), await world.node(WHOLESALER)
    entries = await maker.record(
        commissioning(MAKER, 1, P1, P2),
        packing(MAKER, 2, CASE, P1, P2),
        shipping(MAKER, WHOLESALER, 3, CASE),
    )
    await maker.anchor()
    await maker.hand(wholesaler, entries)
    await wholesaler.record(
        event(WHOLESALER, "receiving", 10, CASE),
        packing(WHOLESALER, 11, CASE, action="DELETE", bizStep="unpacking"),
    )
    await wholesaler.anchor()
    return maker, wholesaler


async def test_a_pack_s_journey_is_proven_across_two_logs(world: World) -> None:
    _, wholesaler = await shipped(world)
    view = await wholesaler.view(P1)
    assert {n: v["verdict"] for n, v in view["verdicts"].items()} == {
        "identifier": "known_matching",
        "provenance": "complete",
        "fitness": "fit",
    }
    assert view["findings"] == []
    assert [s["effect"] for s in view["journey"]] == [
        "commissioned",
        "packed",
        "shipped",
        "received",
        "unpacked",
    ]
    assert {s["entry_grade"] for s in view["journey"]} == {"chain-proven"}
    assert [s["grade"] for s in view["journey"]] == [
        "chain-proven",
        "chain-proven",
        "inferred",
        "inferred",
        "inferred",
    ]
    assert view["state"]["custodian"]["name"] == "Wholesaler"
    assert view["chain"]["status"] == "live"
    assert view["coverage"]["completeness"] == "not claimed"
    assert [c["name"] for c in view["coverage"]["covered"]] == ["Wholesaler"]
    assert [c["name"] for c in view["coverage"]["not_covered"]] == ["Maker", "Pharmacy"]


async def test_an_event_of_somebodys_own_type_is_a_step_that_moves_nothing(world: World) -> None:
    _, wholesaler = await shipped(world)
    before = await wholesaler.view(P1)
    own = {"type": "https://acme.example/TamperCheck"}
    await wholesaler.record(
        event(WHOLESALER, "decommissioning", 20, P1, disposition="stolen") | own,
        packing(WHOLESALER, 21, TOTE, P1) | own,
    )
    await wholesaler.anchor()
    view = await wholesaler.view(P1)
    assert (view["verdicts"], view["state"]) == (before["verdicts"], before["state"])
    assert [f["code"] for f in view["findings"]] == ["event_not_judged"] * 2
    *others, one, other = view["journey"]
    assert [s["effect"] for s in others] == [s["effect"] for s in before["journey"]]
    assert one["kind"] == other["kind"] == "extension"
    assert one["event_type"] == "https://acme.example/TamperCheck"
    assert one["entry_grade"] == "chain-proven"


async def test_the_proof_of_each_step_is_there_to_be_checked_again(world: World) -> None:
    _, wholesaler = await shipped(world)
    answer = await wholesaler.ask(P1)
    for found in answer.found.values():
        assert found.record.proof is not None
        with_view = wholesaler.database.read_sync(
            lambda c, found=found: verify_entry(
                found.record, domain=world.domain, network=wholesaler.networks.view(c)
            )
        )
        assert with_view.grade == found.recorded.grade
    step = (await wholesaler.view(P1))["journey"][0]
    assert step["proof"]["anchor"]["sequence"] == 1
    assert step["proof"]["checkpoint"].startswith("sealtrail/0x")
    assert step["leaf_index"] == 1


async def test_before_the_anchor_a_step_is_signature_proven(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    view = await maker.view(P1)
    assert view["journey"][0]["grade"] == "signature-proven"
    assert view["journey"][0]["proof"]["anchor"] is None
    await maker.anchor()
    assert (await maker.view(P1))["journey"][0]["grade"] == "chain-proven"


async def test_an_anchor_is_overdue_once_the_chain_has_gone_on_without_it(world: World) -> None:
    maker = await world.node(MAKER, parameters=Parameters(anchor_delay_seconds_max=60))
    await maker.record(commissioning(MAKER, 1, P1))
    maker.now_ms += 3_600_000
    view = await maker.view(P1)  # the chain stands still
    assert view["findings"] == []
    assert view["verdicts"]["provenance"]["verdict"] == "complete"
    world.chain.mine(700)
    view = await maker.view(P1)
    assert [f["code"] for f in view["findings"]] == ["anchor_overdue"]
    assert view["verdicts"]["provenance"]["verdict"] == "gap"
    assert "anchoring" in view["verdicts"]["provenance"]["reasons"]
    await maker.anchor()
    assert "anchor_overdue" not in [f["code"] for f in (await maker.view(P1))["findings"]]


async def test_what_was_known_before_the_anchor_is_nothing(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    await maker.anchor()
    view = await maker.view(P1, known_at=1_600_000_000)
    assert view["verdicts"]["identifier"]["verdict"] == "unknown"


async def test_an_unknown_item_is_an_answer_with_what_it_may_be_meant_for(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, item("PO1")))
    view = await maker.view(item("P01"))
    assert view["verdicts"]["identifier"]["verdict"] == "unknown"
    assert [c.rpartition("/")[2] for c in view["candidates"]] == ["PO1"]


async def test_with_the_chain_away_the_answer_says_since_when(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    await maker.anchor()
    before = (await maker.view(P1))["chain"]
    maker.ledger.down = True
    maker.now_ms += 3_600_000
    view = await maker.view(P1)
    assert view["chain"]["status"] == "stale"
    assert view["chain"]["checked_at"] == before["checked_at"]
    assert view["chain"]["failure"]
    assert view["verdicts"]["identifier"]["verdict"] == "known_matching"
    assert view["journey"][0]["grade"] == "chain-proven"


@pytest.mark.parametrize("column", ["content", "leaf", "seed", "refs"])
async def test_a_flipped_byte_is_found_and_never_presented_as_fact(
    world: World, column: str
) -> None:
    _, wholesaler = await shipped(world)
    table = "event" if column == "content" else "foreign_entry"

    def flip(c):  # type: ignore[no-untyped-def]
        entry_id, old = c.execute(
            f"SELECT entry_id, {column} FROM {table} WHERE member = ? LIMIT 1", (MAKER.member,)
        ).fetchone()
        old = old or b"\x01" + bytes(32)  # no references: put one there
        at = 40 % len(old)
        new = old[:at] + bytes([old[at] ^ 4]) + old[at + 1 :]
        c.execute(f"UPDATE {table} SET {column} = ? WHERE entry_id = ?", (new, entry_id))

    wholesaler.database.write_sync(flip)
    view = await wholesaler.view(P1)
    assert "evidence_does_not_hold" in [f["code"] for f in view["findings"]]
    assert view["verdicts"]["provenance"]["verdict"] == "gap"
    assert "refused" in [s["kind"] for s in view["journey"]]


@pytest.mark.parametrize(
    ("table", "column", "where"),
    [
        ("event", "content", "biz_step = 'commissioning'"),
        ("entry", "leaf", "leaf_index = 1"),
        ("entry", "seed", "leaf_index = 1"),
        ("checkpoint", "note", "1"),
        ("chain_anchor", "checkpoint_hash", "1"),
    ],
)
async def test_a_flipped_byte_in_one_s_own_log_never_stays_proven(
    world: World, table: str, column: str, where: str
) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    await maker.anchor()

    def flip(c):  # type: ignore[no-untyped-def]
        (old,) = c.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        flipped = bytearray(old.encode() if isinstance(old, str) else old)
        flipped[-5] ^= 1
        new = flipped.decode() if isinstance(old, str) else bytes(flipped)
        c.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (new,))

    maker.database.write_sync(flip)
    view = await maker.view(P1)
    grades = [(s["kind"], s["grade"]) for s in view["journey"]]
    assert ("event", "chain-proven") not in grades
    if table in ("event", "entry"):
        assert "evidence_does_not_hold" in [f["code"] for f in view["findings"]]
        assert view["verdicts"]["identifier"]["verdict"] == "unknown"


@pytest.mark.parametrize("refs", [bytes(33), bytes(32), b"\x09" + bytes(32)])
@pytest.mark.parametrize("table", ["entry", "foreign_entry"])
async def test_an_entry_whose_stored_references_are_none_at_all_is_refused(
    world: World, table: str, refs: bytes
) -> None:
    maker, wholesaler = await shipped(world)
    asked = maker if table == "entry" else wholesaler
    asked.database.write_sync(lambda c: c.execute(f"UPDATE {table} SET refs = ?", (refs,)))
    view = await asked.view(P1)
    steps = [s for s in view["journey"] if s["recorded_by"]["name"] == "Maker"]
    assert {s["kind"] for s in steps} == {"refused"}
    checks = [(c["step"], c["code"]) for s in steps for c in s["checks"]]
    assert ("references_root", "references_unreadable") in checks


async def test_an_event_put_under_another_s_entry_is_refused(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1), commissioning(MAKER, 2, P2))

    def swap(c):  # type: ignore[no-untyped-def]
        rows = c.execute("SELECT content, content_hash FROM event ORDER BY event_row").fetchall()
        c.execute("UPDATE event SET content = ? WHERE event_row = 1", (rows[1][0],))

    maker.database.write_sync(swap)
    view = await maker.view(P1)
    assert [s["kind"] for s in view["journey"]] == ["refused"]


async def test_an_event_without_its_entry_is_refused_and_does_not_vanish(world: World) -> None:
    _, wholesaler = await shipped(world)
    wholesaler.database.write_sync(lambda c: c.execute("DELETE FROM foreign_entry"))
    view = await wholesaler.view(P1)
    assert [s["kind"] for s in view["journey"]].count("refused") == 2  # what names the pack itself
    assert "evidence_does_not_hold" in [f["code"] for f in view["findings"]]
    assert view["verdicts"]["identifier"]["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("limits", "steps"),
    [
        (HistoryLimits(events_max=5), 5),
        (HistoryLimits(contents_bytes_max=1_000_000), 0),
        (HistoryLimits(values_max=3_000), 4),
    ],
)
async def test_a_history_over_a_limit_says_that_it_is_cut_and_nothing_is_called_fit(
    world: World, limits: HistoryLimits, steps: int
) -> None:
    maker = await world.node(MAKER)
    # so long that few are read at a time
    long = {"https://a.example/values": [0] * 1_000, "https://a.example/text": "x" * 1_200_000}
    await maker.record(
        commissioning(MAKER, 1, P1), *[event(MAKER, "storing", n, P1) | long for n in range(2, 12)]
    )
    assert (await maker.view(P1))["verdicts"]["fitness"]["verdict"] == "fit"
    maker.provenance = maker.provenance_service(limits=limits)
    view = await maker.view(P1)
    assert view["coverage"]["cut"]
    assert "history_cut" in [f["code"] for f in view["findings"]]
    assert len(view["journey"]) + sum(len(s["repeats"]) for s in view["journey"]) == steps
    assert view["verdicts"]["provenance"]["verdict"] == "gap"
    assert "history_cut" in view["verdicts"]["fitness"]["reasons"]


async def test_events_on_a_lot_can_not_hide_its_recall(world: World) -> None:
    maker = await world.node(MAKER)
    lot = {"quantityList": [{"epcClass": LOT, "quantity": 1}]}
    await maker.record(
        commissioning(MAKER, 1, P1),
        *[event(MAKER, "inspecting", n) | lot for n in range(2, 8)],
        event(MAKER, "holding", 9, disposition="recalled") | lot,
    )
    assert "recalled" in (await maker.view(P1))["verdicts"]["fitness"]["reasons"]
    maker.provenance = maker.provenance_service(limits=HistoryLimits(class_events_max=4))
    view = await maker.view(P1)
    assert view["coverage"]["cut"]
    assert view["verdicts"]["fitness"]["verdict"] == "unknown"


async def test_long_answers_leave_readers_to_others_and_questions_wait_their_turn(
    world: World,
) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    provenance = maker.provenance_service(turn_seconds_max=0.1)
    working, end = threading.Semaphore(0), threading.Event()

    def slow(answer: Answer) -> str:
        working.release()
        assert end.wait(60)
        return answer.item.canonical

    asked = parse_item(P1)
    answers = [
        asyncio.create_task(provenance.answer(asked, slow))
        for _ in range(maker.database.readers // 2)
    ]
    for _ in answers:
        await asyncio.to_thread(working.acquire)
    with pytest.raises(UnavailableError) as caught:
        await provenance.answer(asked, slow)
    assert caught.value.code == "node_busy"
    others = [maker.database.read(lambda c: c.execute("SELECT 1").fetchone()) for _ in range(20)]
    assert await asyncio.gather(*others) == [(1,)] * 20
    end.set()
    assert await asyncio.gather(*answers) == [asked.canonical] * len(answers)
    assert await provenance.answer(asked, slow) == asked.canonical


async def test_an_answer_says_how_far_the_store_was_looked_through(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1), event(MAKER, "storing", 2, P1))
    before = await maker.view(P1)
    assert before["store"] == {
        "status": "checking",
        "checked_events": 0,
        "events": None,
        "damaged": 0,
    }
    await maker.store_check.run(asyncio.Event())
    after = await maker.view(P1)
    assert after["store"] == {"status": "checked", "checked_events": 2, "events": 2, "damaged": 0}
    for name, caveats in (("identifier", []), ("provenance", ["store_unchecked"])):
        assert before["verdicts"][name]["reasons"] == caveats
        assert after["verdicts"][name] == before["verdicts"][name] | {"reasons": []}
    assert before["verdicts"]["fitness"] == {"verdict": "fit", "reasons": ["store_unchecked"]}
    assert after["verdicts"]["fitness"] == {"verdict": "fit", "reasons": []}


async def test_a_check_that_ends_while_an_answer_is_gathered_has_not_checked_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    view = maker.networks.view

    def finishing(connection: Connection) -> FollowedNetwork:
        maker.store_check.state = CheckState(finished=True)
        return view(connection)

    monkeypatch.setattr(maker.networks, "view", finishing)
    assert (await maker.view(P1))["store"]["status"] == "checking"
    assert (await maker.view(P1))["store"]["status"] == "checked"


async def test_an_answer_says_that_the_store_is_damaged(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1), event(MAKER, "storing", 2, P2))
    await maker.database.write(
        lambda c: c.execute("UPDATE event SET content = x'00' WHERE event_row = 2") and None
    )
    await maker.store_check.run(asyncio.Event())
    view = await maker.view(P1)
    assert view["store"] == {"status": "checked", "checked_events": 2, "events": 2, "damaged": 1}
    assert view["verdicts"]["fitness"] == {"verdict": "fit", "reasons": ["store_damaged"]}
    assert "store_damaged" in view["verdicts"]["provenance"]["reasons"]


async def test_an_event_hidden_by_a_lost_row_is_cautioned_until_the_check_finds_it(
    world: World,
) -> None:
    maker = await world.node(MAKER)
    dispensed = event(MAKER, "dispensing", 2, P1) | {"disposition": "dispensed"}
    await maker.record(commissioning(MAKER, 1, P1), dispensed)
    await maker.database.write(
        lambda c: c.execute("DELETE FROM event_item WHERE event_row = 2") and None
    )
    hidden = await maker.view(P1)
    assert hidden["verdicts"]["fitness"] == {"verdict": "fit", "reasons": ["store_unchecked"]}
    await maker.store_check.run(asyncio.Event())
    found = await maker.view(P1)
    assert found["verdicts"]["fitness"] == {"verdict": "not_fit", "reasons": ["dispensed"]}


async def test_one_event_with_many_packs_is_answered(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, *[item(f"PN{n}") for n in range(5000)]))
    view = await maker.view(item("PN4999"))
    assert view["verdicts"]["identifier"]["verdict"] == "known_matching"


def erase_row(connection: Connection, row: int) -> None:
    found = connection.execute("SELECT entry_id FROM event WHERE event_row = ?", (row,)).fetchone()
    erase(connection, found[0])


@pytest.mark.parametrize("table", ["entry", "foreign_entry"])
async def test_erased_content_is_withheld_and_not_called_false(world: World, table: str) -> None:
    maker, wholesaler = await shipped(world)
    asked = maker if table == "entry" else wholesaler
    asked.database.write_sync(lambda c: erase_row(c, 1))
    await asked.store_check.run(asyncio.Event())
    view = await asked.view(P1)
    codes = [f["code"] for f in view["findings"]]
    assert "content_withheld" in codes
    assert "evidence_does_not_hold" not in codes
    (withheld,) = [s for s in view["journey"] if s["kind"] == "withheld"]
    assert withheld["entry_grade"] == "chain-proven"
    assert withheld["content_hash"] is None
    assert view["store"]["damaged"] == 0


@pytest.mark.parametrize("table", ["entry", "foreign_entry"])
@pytest.mark.parametrize(
    ("damage", "code"),
    [
        ("UPDATE event SET content = NULL", "content_lost"),
        ("UPDATE {} SET seed = NULL", "seed_lost"),
        ("UPDATE event SET media_type = 'application/lD+json'", "media_type_unknown"),
    ],
)
async def test_what_only_damage_takes_away_is_not_called_erased(
    world: World, table: str, damage: str, code: str
) -> None:
    maker, wholesaler = await shipped(world)
    asked = maker if table == "entry" else wholesaler
    first = " WHERE entry_id = (SELECT entry_id FROM event WHERE event_row = 1)"
    asked.database.write_sync(lambda c: c.execute(damage.format(table) + first))
    await asked.store_check.run(asyncio.Event())
    view = await asked.view(P1)
    (refused,) = [s for s in view["journey"] if s["kind"] == "refused"]
    assert ("store", "does not hold", code) in [
        (c["step"], c["outcome"], c["code"]) for c in refused["checks"]
    ]
    assert refused["grade"] is None
    assert refused["entry_grade"] is None
    assert "content_withheld" not in [f["code"] for f in view["findings"]]
    assert view["store"]["damaged"] == 1


@pytest.mark.parametrize("table", ["entry", "foreign_entry"])
async def test_content_and_seed_lost_together_without_a_tombstone_are_damage(
    world: World, table: str
) -> None:
    maker, wholesaler = await shipped(world)
    asked = maker if table == "entry" else wholesaler
    of_first = " WHERE entry_id = (SELECT entry_id FROM event WHERE event_row = 1)"
    for lost in ("UPDATE event SET content = NULL", f"UPDATE {table} SET seed = NULL"):
        asked.database.write_sync(lambda c, sql=lost: c.execute(sql + of_first))  # type: ignore[misc]
    await asked.store_check.run(asyncio.Event())
    view = await asked.view(P1)
    assert "refused" in [s["kind"] for s in view["journey"]]
    assert "content_withheld" not in [f["code"] for f in view["findings"]]
    assert view["store"]["damaged"] == 1


async def test_an_erased_event_whose_entry_is_damaged_counts_as_damage(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))

    def spoil(c: Connection) -> None:
        erase_row(c, 1)
        c.execute("UPDATE entry SET leaf = x'00' WHERE leaf_index = 1")

    maker.database.write_sync(spoil)
    await maker.store_check.run(asyncio.Event())
    assert len(maker.store_check.state.damaged) == 1
    assert [s["kind"] for s in (await maker.view(P1))["journey"]] == ["refused"]


async def test_a_step_that_does_not_hold_has_no_grade(world: World) -> None:
    _, wholesaler = await shipped(world)
    wholesaler.database.write_sync(
        lambda c: c.execute("UPDATE foreign_entry SET leaf = substr(leaf, 1, 100)")
    )
    view = await wholesaler.view(P1)
    refused = [s for s in view["journey"] if s["kind"] == "refused"]
    assert refused
    assert {(s["grade"], s["entry_grade"]) for s in refused} == {(None, None)}
    assert {c["reason"] is None for s in refused for c in s["checks"]} == {False}


async def test_a_dispensing_that_cannot_be_read_is_not_called_fit(world: World) -> None:
    maker = await world.node(MAKER)
    dispensed = event(MAKER, "dispensing", 2, P1) | {"disposition": "dispensed"}
    await maker.record(commissioning(MAKER, 1, P1), dispensed)
    await maker.database.write(lambda c: erase_row(c, 2))
    view = await maker.view(P1)
    assert view["verdicts"]["fitness"]["verdict"] == "unknown"
    assert "content_withheld" in view["verdicts"]["fitness"]["reasons"]


async def test_a_rotated_event_key_does_not_invalidate_the_past(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    await maker.anchor()
    at_block = world.chain.head.number + 1
    record = record_of(MAKER)
    ended = tuple(
        Key(purpose=k.purpose, public=k.public, valid_from=0, valid_until=at_block)
        if k.purpose == Purpose.EVENT
        else k
        for k in record.keys
    )
    world.chain.record(MAKER.member, 2, encode_record(record_of(MAKER, keys=ended, version=2)))
    await maker.record(event(MAKER, "storing", 5, P2))
    await maker.anchor()
    view = await maker.view(P1)
    assert view["findings"] == []
    assert view["journey"][0]["grade"] == "chain-proven"


async def test_a_log_key_of_nobody_leaves_the_entry_refused(world: World) -> None:
    maker, wholesaler = await shipped(world)
    note = Ed25519Signer(b"\x09" * 32)
    assert note.public_key != maker.peer_signer.public_key
    wholesaler.database.write_sync(
        lambda c: c.execute(
            "UPDATE checkpoint SET note = replace(note, '— ', '— x') WHERE member = ?",
            (MAKER.member,),
        )
    )
    view = await wholesaler.view(P1)
    assert "evidence_does_not_hold" in [f["code"] for f in view["findings"]]


async def test_a_tote_s_earlier_and_later_use_is_not_the_pack_s(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(
        packing(MAKER, 1, TOTE, P2),
        shipping(MAKER, PHARMACY, 2, TOTE),
        event(PHARMACY, "receiving", 3, TOTE),
        packing(MAKER, 4, TOTE, action="DELETE", bizStep="unpacking"),
        commissioning(MAKER, 5, P1),
        packing(MAKER, 6, TOTE, P1),
        shipping(MAKER, WHOLESALER, 7, TOTE),
        event(WHOLESALER, "receiving", 8, TOTE),
        packing(MAKER, 9, TOTE, action="DELETE", bizStep="unpacking"),
        shipping(MAKER, PHARMACY, 10, TOTE),
    )
    answer = await maker.ask(P1)
    assert [s.effect for s in answer.judgement.journey] == [
        "commissioned",
        "packed",
        "shipped",
        "received",
        "unpacked",
    ]
    assert len(answer.found) <= 6


async def test_a_case_that_stood_on_a_pallet_before_the_pack_went_in(world: World) -> None:
    maker = await world.node(MAKER)
    pallet = item("C9")
    await maker.record(
        packing(MAKER, 1, pallet, CASE),
        commissioning(MAKER, 2, P1),
        packing(MAKER, 3, CASE, P1),
        shipping(MAKER, WHOLESALER, 4, pallet),
    )
    view = await maker.view(P1)
    assert [s["effect"] for s in view["journey"]] == ["commissioned", "packed", "shipped"]
    assert view["journey"][-1]["via"].endswith("9") or "/00/" in view["journey"][-1]["via"]
    assert view["state"]["in_transit_to"]["name"] == "Wholesaler"


async def test_an_imported_balance_gives_ends_only(world: World) -> None:
    wholesaler = await world.node(WHOLESALER)
    await wholesaler.record(event(WHOLESALER, "stock_taking", 1, P1), kind=Kind.IMPORTED)
    view = await wholesaler.view(f"{P1}")
    assert view["verdicts"]["provenance"]["verdict"] == "ends_only"
    assert view["findings"] == []


async def test_a_recall_of_the_lot_reaches_its_packs(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(
        commissioning(MAKER, 1, P1),
        event(
            MAKER,
            "holding",
            5,
            disposition="recalled",
            epcList=None,
            quantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.012345.L1"}],
        ),
    )
    view = await maker.view(P1)
    assert view["verdicts"]["fitness"]["verdict"] == "not_fit"
    assert "recalled" in view["verdicts"]["fitness"]["reasons"]
    assert view["journey"][-1]["by_class"]


async def test_a_pack_sent_in_two_cases_to_two_parties_is_caught(world: World) -> None:
    maker = await world.node(MAKER)
    other = item("C2")
    await maker.record(
        commissioning(MAKER, 1, P1),
        packing(MAKER, 2, CASE, P1),
        packing(MAKER, 3, other, P1),
        shipping(MAKER, WHOLESALER, 4, other),
    )
    assert [f["code"] for f in (await maker.view(P1))["findings"]] == ["two_parents"]
    (shipment,) = await maker.record(shipping(MAKER, PHARMACY, 5, CASE))
    view = await maker.view(P1)
    assert [f["code"] for f in view["findings"]] == ["two_parents", "in_two_places"]
    assert "0x" + shipment.hex() in view["findings"][1]["entries"]
    assert view["verdicts"]["identifier"] == {"verdict": "conflict", "reasons": ["in_two_places"]}
    assert view["verdicts"]["fitness"]["verdict"] == "not_fit"


async def test_a_copied_serial_is_caught(world: World) -> None:
    maker, wholesaler = await shipped(world)
    (copied,) = await maker.record(event(MAKER, "dispensing", 30, P1, disposition="dispensed"))
    await maker.anchor()
    await maker.hand(wholesaler, [copied])
    view = await wholesaler.view(P1)
    assert view["verdicts"]["identifier"] == {"verdict": "conflict", "reasons": ["two_custodians"]}
    assert view["verdicts"]["fitness"]["verdict"] == "not_fit"


async def test_a_commissioning_of_two_expiries_and_two_lots_is_taken_at_its_worst(
    world: World,
) -> None:
    maker = await world.node(MAKER)
    both = {
        "cbvmda:lotNumber": ["L2", "L1"],
        "cbvmda:itemExpirationDate": ["2029-12-31", "2026-01-31"],
    }
    await maker.record(
        commissioning(MAKER, 1, P1) | {"ilmd": both},
        event(
            MAKER,
            "holding",
            5,
            disposition="recalled",
            epcList=None,
            quantityList=[{"epcClass": LOT}],
        ),
    )
    view = await maker.view(P1)
    assert [f["code"] for f in view["findings"]] == ["master_data_contradictory"] * 2
    assert "recalled" in view["verdicts"]["fitness"]["reasons"]
    assert (view["state"]["lot"], view["state"]["expiry"]) == (None, "2026-01-31")


async def test_a_scan_s_lot_and_expiry_are_compared(world: World) -> None:
    maker = await world.node(MAKER)
    await maker.record(commissioning(MAKER, 1, P1))
    digits = (await maker.ask(P1)).item.gtin
    right = await maker.view(f"(01){digits}(21)P1(17)271231(10)L1")
    wrong = await maker.view(f"(01){digits}(21)P1(17)280131(10)L2")
    assert right["verdicts"]["identifier"]["verdict"] == "known_matching"
    assert wrong["verdicts"]["identifier"] == {"verdict": "mismatch", "reasons": ["lot", "expiry"]}
