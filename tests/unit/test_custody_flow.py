"""The ordinary course of a pack, and what the journey says of it."""

from __future__ import annotations

from scenarios import (
    HOUR_US,
    MAKER,
    PHARMACY,
    START_US,
    WHOLESALER,
    Story,
    codes,
    item,
    values,
)
from sealtrail.custody import Grade
from sealtrail.gs1 import canonical


def full_flow() -> Story:
    """Commission, pack, ship in case and pallet, break the case, repack in a tote, ship, unpack, dispense."""
    story = Story()
    story.commission(MAKER, "P1", "P2", "P3")
    story.commission(MAKER, "C1", "C2", lot=None, expiry=None)
    story.put(MAKER, "C1", "P1", "P2", "P3")
    story.put(MAKER, "C2", "C1")
    story.ship(MAKER, WHOLESALER, "C2")
    story.receive(WHOLESALER, "C2")
    story.take(WHOLESALER, "C2")
    story.take(WHOLESALER, "C1", "P1")
    story.put(WHOLESALER, "T1", "P1")
    story.ship(WHOLESALER, PHARMACY, "T1")
    story.receive(PHARMACY, "T1")
    story.take(PHARMACY, "T1", "P1")
    return story


def test_a_full_flow_is_known_complete_and_fit() -> None:
    judged = full_flow().judge("P1")
    assert values(judged) == ("known_matching", "complete", "fit")
    assert codes(judged) == []


def test_the_journey_names_each_step_its_custodian_and_its_containers() -> None:
    judged = full_flow().judge("P1")
    assert [s.effect for s in judged.journey] == [
        "commissioned",
        "packed",
        "packed",
        "shipped",
        "received",
        "unpacked",
        "unpacked",
        "packed",
        "shipped",
        "received",
        "unpacked",
    ]
    shipped = judged.journey[3]
    assert shipped.grade is Grade.INFERRED
    assert shipped.entry_grade is Grade.CHAIN_PROVEN
    assert shipped.via == canonical(item("C2"))
    assert shipped.containers == (canonical(item("C1")), canonical(item("C2")))
    assert shipped.custodian_before is not None
    assert shipped.custodian_before.party.name == "Maker"
    assert shipped.custodian_after is None
    assert shipped.in_transit_to is not None
    assert shipped.in_transit_to.name == "Wholesaler"
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Pharmacy"
    assert judged.state.custodian.derived == "biz_location"
    assert judged.state.containers == ()


def test_a_dispensed_pack_is_not_fit_and_still_complete() -> None:
    story = full_flow()
    story.dispense(PHARMACY, "P1")
    judged = story.judge("P1")
    assert values(judged) == ("known_matching", "complete", "not_fit")
    assert judged.verdicts.fitness.reasons == ("dispensed",)
    assert judged.state.end_of_life == "dispensed"
    assert codes(judged) == []


def test_a_pack_left_in_the_case_does_not_travel_with_the_tote() -> None:
    judged = full_flow().judge("P2")
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Wholesaler"
    assert judged.state.containers == (canonical(item("C1")),)


def test_a_tote_used_before_brings_none_of_its_history() -> None:
    story = Story()
    story.put(WHOLESALER, "T1", "P9")
    story.ship(WHOLESALER, PHARMACY, "T1")
    story.receive(PHARMACY, "T1")
    story.take(PHARMACY, "T1")
    story.ship(PHARMACY, WHOLESALER, "T1")
    story.receive(WHOLESALER, "T1")
    story.commission(MAKER, "P1")
    story.hand_over(MAKER, WHOLESALER, "P1")
    story.put(WHOLESALER, "T1", "P1")
    story.ship(WHOLESALER, PHARMACY, "T1")
    story.receive(PHARMACY, "T1")
    judged = story.judge("P1")
    assert values(judged) == ("known_matching", "complete", "fit")
    assert len(judged.journey) == 6


def test_what_was_true_at_a_time_leaves_later_events_out() -> None:
    story = full_flow()
    judged = story.judge("P1", as_of_us=START_US + int(5.5 * HOUR_US))
    assert judged.state.custodian is None
    assert judged.state.in_transit_to is not None
    assert judged.state.in_transit_to.name == "Wholesaler"


def test_what_was_known_at_a_time_leaves_out_what_was_not_anchored_by_then() -> None:
    story = full_flow()
    story.dispense(PHARMACY, "P1", anchored_after=None)
    later = START_US // 1_000_000 + 1_000_000
    assert story.judge("P1").state.end_of_life == "dispensed"
    assert story.judge("P1", known_at=later).state.end_of_life is None


def test_a_case_is_judged_as_an_item_of_its_own() -> None:
    judged = full_flow().judge("C1")
    assert values(judged) == ("known_matching", "complete", "fit")


def test_a_lot_is_judged_without_custody() -> None:
    story = full_flow()
    judged = story.judge(f"{canonical(item('P1')).split('/21/')[0]}/10/L1")
    assert judged.verdicts.identifier.value == "known_matching"
    assert codes(judged) == []
