"""What a sender does with what it has shipped: what is found, and what is ordinary."""

from __future__ import annotations

import pytest

from scenarios import MAKER, OUTSIDER, PHARMACY, WHOLESALER, Story, codes, values
from sealtrail.signing import Kind


def shipped() -> Story:
    """P1, on its way from the wholesaler to the pharmacy."""
    story = Story()
    story.commission(MAKER, "P1")
    story.hand_over(MAKER, WHOLESALER, "P1")
    story.ship(WHOLESALER, PHARMACY, "P1", at=10)
    return story


@pytest.mark.parametrize("step", ["storing", "packing", "stocking", "holding"])
def test_a_sender_that_acts_on_what_it_shipped_is_found(step: str) -> None:
    story = shipped()
    first = story.observe(WHOLESALER, "P1", biz_step=step, at=30)
    second = story.observe(WHOLESALER, "P1", biz_step="picking", at=31)
    judged = story.judge("P1")
    assert codes(judged) == ["used_after_shipping"]
    assert judged.findings[0].entries == (
        story.history[3].entry_id,
        first.entry_id,
        second.entry_id,
    )
    assert values(judged) == ("known_matching", "gap", "fit")
    assert judged.verdicts.provenance.reasons == ("void_shipping by Wholesaler",)
    assert [s.kind for s in judged.journey][-3:] == ["missing", "event", "event"]


def test_what_its_sender_acted_on_is_still_received_and_never_shipped_elsewhere_unnoticed() -> None:
    story = shipped()
    story.observe(WHOLESALER, "P1", at=30)
    story.receive(PHARMACY, "P1", at=40)
    judged = story.judge("P1")
    assert codes(judged) == ["used_after_shipping"]
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Pharmacy"
    story = shipped()
    story.observe(WHOLESALER, "P1", at=30)
    story.ship(WHOLESALER, MAKER, "P1", at=40)
    assert codes(story.judge("P1")) == ["shipped_twice", "used_after_shipping"]


def test_a_sender_that_dispenses_what_it_shipped_is_found_however_soon() -> None:
    story = shipped()
    story.dispense(WHOLESALER, "P1", at=10.2)
    judged = story.judge("P1", at=1000)
    assert codes(judged) == ["used_after_shipping"]
    assert values(judged) == ("known_matching", "gap", "not_fit")
    story.receive(PHARMACY, "P1", at=20)
    assert codes(story.judge("P1")) == ["after_end_of_life", "used_after_shipping"]


def test_a_void_closes_it_before_and_after() -> None:
    before = shipped()
    before.observe(WHOLESALER, "P1", biz_step="void_shipping", at=20)
    before.observe(WHOLESALER, "P1", at=30)
    after = shipped()
    after.observe(WHOLESALER, "P1", at=30)
    after.observe(WHOLESALER, "P1", biz_step="void_shipping", at=200)
    ended = shipped()
    ended.dispense(WHOLESALER, "P1", at=30)
    ended.observe(WHOLESALER, "P1", biz_step="void_shipping", at=200)
    for story in (before, after, ended):
        judged = story.judge("P1")
        assert codes(judged) == []
        assert judged.verdicts.provenance.value == "complete"


@pytest.mark.parametrize(
    ("step", "hour"),
    [("packing", 10), ("storing", 10.9), ("loading", 30), ("inspecting", 30), (None, 30)],
)
def test_last_handling_papers_and_looks_are_ordinary(step: str | None, hour: float) -> None:
    story = shipped()
    story.observe(WHOLESALER, "P1", biz_step=step, at=hour)
    story.receive(PHARMACY, "P1", at=50)
    judged = story.judge("P1")
    assert codes(judged) == []
    assert values(judged) == ("known_matching", "complete", "fit")


def test_a_return_scanned_a_little_after_its_use_is_ordinary() -> None:
    story = shipped()
    story.observe(WHOLESALER, "P1", at=30)
    story.receive(WHOLESALER, "P1", at=30.5)
    assert codes(story.judge("P1")) == []
    late = shipped()
    late.observe(WHOLESALER, "P1", at=30)
    late.receive(WHOLESALER, "P1", at=40)
    assert codes(late.judge("P1")) == ["used_after_shipping"]


def test_between_a_member_s_own_places_and_to_nobody_in_particular_it_is_ordinary() -> None:
    for to in (WHOLESALER, None):
        story = Story()
        story.commission(MAKER, "P1")
        story.hand_over(MAKER, WHOLESALER, "P1")
        story.ship(WHOLESALER, to, "P1")
        story.observe(WHOLESALER, "P1", at=60)
        assert codes(story.judge("P1")) == []


def test_a_return_from_an_outsider_that_was_not_received_is_found_and_ships_again() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.hand_over(MAKER, WHOLESALER, "P1")
    story.ship(WHOLESALER, OUTSIDER, "P1")
    story.observe(WHOLESALER, "P1", at=60)
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    assert codes(story.judge("P1")) == ["used_after_shipping"]


def test_an_imported_shipment_may_have_come_back_before_joining() -> None:
    story = Story()
    story.commission(MAKER, "P1", kind=Kind.IMPORTED)
    story.ship(MAKER, WHOLESALER, "P1", kind=Kind.IMPORTED)
    story.observe(MAKER, "P1", at=60)
    assert codes(story.judge("P1")) == []


def test_a_sender_that_acts_on_what_was_received_is_a_second_custodian() -> None:
    story = shipped()
    story.receive(PHARMACY, "P1", at=20)
    story.dispense(WHOLESALER, "P1", at=30)
    judged = story.judge("P1")
    assert codes(judged) == ["two_custodians"]
    assert values(judged) == ("conflict", "conflict", "not_fit")


def test_ending_at_another_s_place_what_that_member_has_is_found() -> None:
    story = shipped()
    story.receive(PHARMACY, "P1", at=20)
    place = {"biz_location": PHARMACY.sgln, "read_point": PHARMACY.sgln}
    story.dispense(WHOLESALER, "P1", at=30, **place)
    judged = story.judge("P1")
    assert codes(judged) == ["recorded_for_another"]
    assert judged.verdicts.fitness.reasons == ("dispensed",)
