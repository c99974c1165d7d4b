"""Each finding fires on what it is for."""

from __future__ import annotations

import pytest

from scenarios import (
    CLINIC,
    MAKER,
    OUTSIDER,
    PHARMACY,
    REGULATOR,
    START_US,
    WHOLESALER,
    Story,
    codes,
    values,
)
from sealtrail.config import AnchoringSettings
from sealtrail.custody import FindingClass, Grade, Judgement, Parameters
from sealtrail.epcis.events import PersistentDisposition
from sealtrail.signing import Kind


def entries(judged: Judgement, code: str) -> tuple[bytes, ...]:
    return next(f.entries for f in judged.findings if f.code == code)


def delivered() -> Story:
    """P1 and P2, from the maker by way of the wholesaler to the pharmacy."""
    story = Story()
    story.commission(MAKER, "P1", "P2")
    story.hand_over(MAKER, WHOLESALER, "P1", "P2")
    story.hand_over(WHOLESALER, PHARMACY, "P1", "P2")
    return story


def test_an_item_that_no_event_names_is_unknown() -> None:
    judged = delivered().judge("P404")
    assert values(judged) == ("unknown", "gap", "unknown")
    assert codes(judged) == ["unknown_item"]


def test_a_serial_commissioned_twice_is_a_conflict() -> None:
    story = delivered()
    second = story.commission(MAKER, "P1")
    judged = story.judge("P1")
    assert values(judged) == ("conflict", "conflict", "not_fit")
    assert "commissioned_twice" in codes(judged)
    assert entries(judged, "commissioned_twice") == (story.history[0].entry_id, second.entry_id)


def test_commissioning_a_number_of_another_is_found() -> None:
    story = Story()
    story.commission(WHOLESALER, "P1")
    judged = story.judge("P1")
    assert codes(judged) == ["commissioned_without_right"]
    assert values(judged) == ("known_matching", "gap", "not_fit")


def test_nothing_is_called_complete_or_fit_where_events_were_left_out() -> None:
    story = delivered()
    assert values(story.judge("P1")) == ("known_matching", "complete", "fit")
    judged = story.judge("P1", cut=True)
    assert codes(judged) == ["history_cut"]
    assert values(judged) == ("known_matching", "gap", "unknown")
    assert judged.verdicts.fitness.reasons == ("history_cut",)


def test_use_before_commissioning_is_found() -> None:
    story = Story()
    story.receive(WHOLESALER, "P1", at=0)
    story.commission(MAKER, "P1", at=48)
    assert "used_before_commissioned" in codes(story.judge("P1"))


def test_use_without_any_commissioning_leaves_a_missing_step() -> None:
    story = Story()
    story.receive(PHARMACY, "P1", source=WHOLESALER)
    judged = story.judge("P1")
    assert codes(judged) == ["used_before_commissioned"]
    assert values(judged) == ("known_matching", "gap", "not_fit")
    assert judged.journey[0].kind == "missing"
    assert judged.journey[0].effect == "commissioning"


def test_a_shipment_not_received_in_time_is_found() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    shipped = story.ship(MAKER, WHOLESALER, "P1")
    assert codes(story.judge("P1", at=9 * 24)) == []
    judged = story.judge("P1", at=11 * 24)
    assert codes(judged) == ["shipped_not_received"]
    assert entries(judged, "shipped_not_received") == (shipped.entry_id,)
    assert values(judged)[1] == "gap"
    assert judged.journey[-1].kind == "missing"


def test_a_receipt_without_a_shipment_is_found() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.receive(WHOLESALER, "P1")
    judged = story.judge("P1")
    assert codes(judged) == ["received_not_shipped"]
    assert [s.kind for s in judged.journey] == ["event", "missing", "event"]
    assert values(judged) == ("known_matching", "gap", "fit")


def test_a_receipt_by_another_than_it_was_shipped_to_is_found() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.ship(MAKER, WHOLESALER, "P1")
    story.receive(CLINIC, "P1")
    assert codes(story.judge("P1")) == ["received_by_other"]


def test_use_of_a_shipment_without_a_receipt_is_found() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.ship(MAKER, PHARMACY, "P1")
    story.dispense(PHARMACY, "P1")
    judged = story.judge("P1")
    assert codes(judged) == ["receipt_missing"]
    assert [s.kind for s in judged.journey] == ["event", "event", "missing", "event"]


def test_a_copied_serial_dispensed_elsewhere_is_two_custodians() -> None:
    story = delivered()
    story.dispense(CLINIC, "P1")
    judged = story.judge("P1")
    assert "two_custodians" in codes(judged)
    assert values(judged) == ("conflict", "conflict", "not_fit")
    assert "suspect" in judged.verdicts.fitness.reasons


def test_a_copied_serial_seen_on_while_the_first_is_in_transit_is_two_custodians() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.ship(MAKER, WHOLESALER, "P1")
    story.observe(CLINIC, "P1")
    assert "two_custodians" in codes(story.judge("P1"))


def test_a_copy_of_what_the_maker_s_whole_log_shows_in_its_stock_is_two_custodians() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.dispense(CLINIC, "P1")
    assert codes(story.judge("P1", covered=frozenset({MAKER.member}))) == ["two_custodians"]
    assert codes(story.judge("P1")) == ["handover_not_held"]
    story.observe(MAKER, "P1")
    assert "two_custodians" in codes(story.judge("P1"))


def test_a_pack_dispensed_twice_is_after_its_end_of_life() -> None:
    story = delivered()
    first = story.dispense(PHARMACY, "P1")
    second = story.dispense(PHARMACY, "P1")
    judged = story.judge("P1")
    assert codes(judged) == ["after_end_of_life"]
    assert entries(judged, "after_end_of_life") == (first.entry_id, second.entry_id)


def test_a_copied_serial_received_after_the_pack_was_dispensed_is_found() -> None:
    story = delivered()
    story.dispense(PHARMACY, "P1")
    story.receive(CLINIC, "P1", source=OUTSIDER)
    assert "after_end_of_life" in codes(story.judge("P1"))


@pytest.mark.parametrize(
    "late",
    ["11 days", "other place", "other member", "recalled", "persistently stolen", "dispensed"],
)
def test_an_undo_that_the_law_forbids_leaves_the_end_standing(late: str) -> None:
    story = delivered()
    if late == "recalled":
        story.observe(PHARMACY, "P1", disposition="recalled")
    if late == "persistently stolen":
        marked = PersistentDisposition(set=("stolen",))
        story.observe(PHARMACY, "P1", persistent_disposition=marked)
    if late == "dispensed":
        story.dispense(PHARMACY, "P1")
    else:
        story.decommission(PHARMACY, "P1")
    by = CLINIC if late == "other member" else PHARMACY
    place = {"biz_location": CLINIC.sgln} if late == "other place" else {}
    at = story.hour + (11 * 24 if late == "11 days" else 1)
    story.observe(by, "P1", at=at, disposition="sellable_accessible", **place)
    judged = story.judge("P1")
    expected = "after_end_of_life" if late == "other member" else "undo_not_allowed"
    assert expected in codes(judged)
    assert judged.verdicts.fitness.value == "not_fit"
    assert judged.state.end_of_life is not None


def test_declaring_a_decommission_erroneous_after_the_time_to_undo_it_leaves_it_standing() -> None:
    story = delivered()
    ended = story.decommission(PHARMACY, "P1")
    story.declare_error(ended, at=story.hour + 11 * 24)
    judged = story.judge("P1")
    assert codes(judged) == ["undo_not_allowed"]
    assert judged.state.end_of_life == "decommissioned"


def test_a_recalled_lot_makes_its_packs_unfit() -> None:
    story = delivered()
    story.recall_lot(MAKER, "L1")
    judged = story.judge("P1")
    assert values(judged) == ("known_matching", "complete", "not_fit")
    assert judged.verdicts.fitness.reasons == ("recalled",)
    assert judged.journey[-1].by_class


def test_a_lot_recalled_by_one_who_may_not_recalls_nothing() -> None:
    story = delivered()
    story.recall_lot(CLINIC, "L1")
    judged = story.judge("P1")
    assert values(judged) == ("known_matching", "complete", "fit")
    assert codes(judged) == ["recall_without_right"]


def test_another_lot_s_recall_is_none_of_the_pack_s() -> None:
    story = delivered()
    story.recall_lot(REGULATOR, "L2")
    judged = story.judge("P1")
    assert values(judged)[2] == "fit"
    assert len(judged.journey) == 5


def test_stolen_stays_stolen_wherever_it_turns_up() -> None:
    story = delivered()
    story.observe(PHARMACY, "P1", disposition="stolen")
    story.observe(PHARMACY, "P1", disposition="in_progress")
    assert story.judge("P1").verdicts.fitness.reasons == ("stolen",)


def test_a_pack_is_valid_through_its_last_day_and_expired_after() -> None:
    story = Story()  # begins 2025-06-15T15:06Z
    story.commission(MAKER, "P1", expiry="2025-06-16")
    assert values(story.judge("P1", at=24))[2] == "fit"
    judged = story.judge("P1", at=34)
    assert codes(judged) == ["expired"]
    assert judged.verdicts.fitness.reasons == ("expired",)


def test_the_last_valid_day_is_that_of_the_event_s_own_offset() -> None:
    story = Story()
    story.commission(MAKER, "P1", expiry="2025-06-16", offset="-10:00")
    assert values(story.judge("P1", at=34))[2] == "fit"


def test_day_00_is_the_month_s_last() -> None:
    story = Story()
    story.commission(MAKER, "P1", expiry=None)
    assert values(story.judge("P1", stated_expiry="250600"))[2] == "fit"
    assert codes(story.judge("P1", at=16 * 24, stated_expiry="250600")) == ["expired"]


def test_dispensing_what_is_expired_is_found() -> None:
    story = Story()
    story.commission(MAKER, "P1", expiry="2025-06-16")
    story.hand_over(MAKER, PHARMACY, "P1")
    story.dispense(PHARMACY, "P1", at=50)
    assert "supplied_after_expiry" in codes(story.judge("P1"))


def test_a_scan_that_differs_in_lot_or_expiry_is_a_mismatch() -> None:
    judged = delivered().judge("P1", stated_lot="L7", stated_expiry="280101")
    assert judged.verdicts.identifier.value == "mismatch"
    assert judged.verdicts.identifier.reasons == ("lot", "expiry")
    assert codes(judged) == ["identifier_mismatch"]


def test_a_thing_put_into_two_containers_has_two_parents() -> None:
    story = delivered()
    story.put(PHARMACY, "T1", "P1")
    story.put(PHARMACY, "T2", "P1")
    judged = story.judge("P1")
    assert codes(judged) == ["two_parents"]
    assert len(judged.state.containers) == 1


def test_containers_inside_each_other_are_found_and_end() -> None:
    story = delivered()
    story.put(PHARMACY, "T1", "P1")
    story.put(PHARMACY, "T2", "T1")
    story.put(PHARMACY, "T1", "T2")
    judged = story.judge("P1")
    assert codes(judged) == ["containment_cycle"]
    assert len(judged.state.containers) == 2


def test_an_event_from_the_future_and_a_late_record_are_technical() -> None:
    story = Story()
    story.commission(MAKER, "P1", recorded_after=-5)
    story.observe(MAKER, "P1", recorded_after=72)
    story.observe(MAKER, "P1", anchored_after=5)
    judged = story.judge("P1")
    assert codes(judged) == ["anchored_late", "event_time_in_future", "recorded_late"]
    assert {f.finding_class for f in judged.findings} == {FindingClass.TECHNICAL}
    assert values(judged)[2] == "fit"


def unanchored(grade: Grade) -> Story:
    story = delivered()
    story.observe(PHARMACY, "P1", anchored_after=None, grade=grade, at=10)
    return story


def test_an_anchor_that_is_overdue_by_the_last_block_read_is_found() -> None:
    story = unanchored(Grade.SIGNATURE_PROVEN)
    judged = story.judge("P1", at=40, anchors_until=35)
    assert codes(judged) == ["anchor_overdue"]
    assert entries(judged, "anchor_overdue") == (story.history[-1].entry_id,)
    assert judged.findings[0].finding_class is FindingClass.TECHNICAL
    assert values(judged) == ("known_matching", "gap", "fit")
    assert judged.verdicts.provenance.reasons == ("anchoring",)
    assert codes(story.judge("P1", anchors_until=35, known_at=START_US // 1_000_000 + 86_400)) == []


def test_an_anchor_not_yet_due_or_that_no_block_read_could_show_is_not_overdue() -> None:
    story = unanchored(Grade.SIGNATURE_PROVEN)
    for until in (None, 11, 34):
        judged = story.judge("P1", at=1000, anchors_until=until)
        assert codes(judged) == []
        assert judged.verdicts.provenance.value == "complete"
    assert codes(unanchored(Grade.PEER_ASSERTED).judge("P1", at=1000, anchors_until=900)) == []


def test_the_delay_that_a_receipt_promises_is_one_number() -> None:
    assert AnchoringSettings().delay_seconds_max == Parameters().anchor_delay_seconds_max


def test_a_receipt_a_little_before_its_shipment_is_a_matter_of_clocks() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.receive(WHOLESALER, "P1", at=10)
    story.ship(MAKER, WHOLESALER, "P1", at=10.2)
    judged = story.judge("P1")
    assert codes(judged) == ["times_out_of_order"]
    assert values(judged) == ("known_matching", "complete", "fit")


def test_a_corrected_event_moves_nothing_and_is_shown() -> None:
    story = delivered()
    wrong = story.dispense(PHARMACY, "P1")
    story.declare_error(wrong)
    judged = story.judge("P1")
    assert codes(judged) == ["event_corrected"]
    assert values(judged) == ("known_matching", "complete", "fit")
    assert [s.kind for s in judged.journey][-2:] == ["corrected", "corrected"]


def test_nobody_corrects_another_s_event() -> None:
    story = delivered()
    dispensed = story.dispense(PHARMACY, "P1")
    story.declare_error(dispensed, by=CLINIC)
    judged = story.judge("P1")
    assert codes(judged) == ["correction_by_other"]
    assert judged.state.end_of_life == "dispensed"


def test_a_correction_of_an_event_not_held_is_shown() -> None:
    story = delivered()
    dispensed = story.dispense(PHARMACY, "P1")
    story.declare_error(dispensed)
    story.history.remove(dispensed)
    assert codes(story.judge("P1")) == ["correction_without_event"]


def test_an_entry_that_does_not_hold_is_never_presented_as_fact() -> None:
    story = delivered()
    story.dispense(PHARMACY, "P1", holds=False)
    judged = story.judge("P1")
    assert codes(judged) == ["evidence_does_not_hold"]
    assert judged.state.end_of_life is None
    assert values(judged) == ("known_matching", "gap", "unknown")
    assert judged.journey[-1].kind == "refused"


def test_a_broken_commissioning_is_no_commissioning() -> None:
    story = Story()
    story.commission(MAKER, "P1", holds=False)
    judged = story.judge("P1")
    assert codes(judged) == ["evidence_does_not_hold", "unknown_item"]
    assert values(judged)[0] == "unknown"


def test_imported_history_is_not_late() -> None:
    story = Story()
    story.observe(WHOLESALER, "P1", kind=Kind.IMPORTED, recorded_after=24 * 30)
    assert codes(story.judge("P1")) == []


def test_a_thing_shipped_to_two_destinations_is_suspect() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    first = story.ship(MAKER, WHOLESALER, "P1")
    second = story.ship(MAKER, OUTSIDER, "P1")
    judged = story.judge("P1")
    assert "shipped_twice" in codes(judged)
    assert entries(judged, "shipped_twice") == (first.entry_id, second.entry_id)
    assert judged.verdicts.fitness.value == "not_fit"


def test_a_shipment_to_the_same_destination_again_or_after_a_void_is_not() -> None:
    again = Story()
    again.commission(MAKER, "P1")
    again.ship(MAKER, WHOLESALER, "P1")
    again.ship(MAKER, WHOLESALER, "P1", biz_step="departing")
    assert "shipped_twice" not in codes(again.judge("P1"))
    voided = Story()
    voided.commission(MAKER, "P1")
    voided.ship(MAKER, WHOLESALER, "P1")
    voided.ship(MAKER, WHOLESALER, "P1", biz_step="void_shipping")
    voided.ship(MAKER, PHARMACY, "P1")
    assert "shipped_twice" not in codes(voided.judge("P1"))


def test_one_id_for_two_events_of_a_member_is_named_with_both() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    one = story.observe(MAKER, "P1", event_id="urn:uuid:same")
    other = story.observe(MAKER, "P1", event_id="urn:uuid:same")
    story.observe(WHOLESALER, "P1", event_id="urn:uuid:same", kind=Kind.RECEIVED)
    story.observe(MAKER, "P1", event_id="urn:uuid:another")
    story.declare_error(story.observe(PHARMACY, "P1", event_id="urn:uuid:mended"))
    story.observe(PHARMACY, "P1", event_id="urn:uuid:mended")
    (found,) = [f for f in story.judge("P1").findings if f.code == "event_id_reused"]
    assert found.finding_class is FindingClass.PROCEDURAL
    assert set(found.entries) == {one.entry_id, other.entry_id}


def test_one_id_of_two_members_is_no_finding() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.observe(MAKER, "P1", event_id="urn:uuid:same")
    story.observe(WHOLESALER, "P1", event_id="urn:uuid:same")
    assert "event_id_reused" not in codes(story.judge("P1"))
