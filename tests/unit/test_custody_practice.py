"""Ordinary practice gives no finding: most alerts in the field are false, and each costs trust."""

from __future__ import annotations

import msgspec
import pytest

from scenarios import (
    CARRIER,
    CLINIC,
    MAKER,
    MEMBERS,
    OUTSIDER,
    PHARMACY,
    REGULATOR,
    WHOLESALER,
    Story,
    codes,
    values,
)
from sealtrail.custody import Judgement
from sealtrail.epcis.events import PersistentDisposition, SourceDest, TransactionEvent
from sealtrail.signing import Kind


def in_stock() -> Story:
    """P1 to P4 at the wholesaler."""
    story = Story()
    story.commission(MAKER, "P1", "P2", "P3", "P4")
    story.hand_over(MAKER, WHOLESALER, "P1", "P2", "P3", "P4")
    return story


def assert_clean(judged: Judgement, provenance: str = "complete", fitness: str = "fit") -> None:
    assert codes(judged) == []
    assert values(judged) == ("known_matching", provenance, fitness)


def test_partial_receipts_and_the_rest_later() -> None:
    story = Story()
    story.commission(MAKER, "P1", "P2")
    story.ship(MAKER, PHARMACY, "P1", "P2")
    story.receive(PHARMACY, "P1")
    story.receive(PHARMACY, "P2", at=100)
    assert_clean(story.judge("P1"))
    assert_clean(story.judge("P2"))


def test_a_refused_delivery_that_comes_back() -> None:
    story = in_stock()
    story.ship(WHOLESALER, PHARMACY, "P1")
    story.receive(WHOLESALER, "P1")
    assert_clean(story.judge("P1"))


def test_a_return_by_shipment() -> None:
    story = in_stock()
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    story.hand_over(PHARMACY, WHOLESALER, "P1")
    story.hand_over(WHOLESALER, CLINIC, "P1")
    assert_clean(story.judge("P1"))


def test_a_voided_shipment_closes() -> None:
    story = in_stock()
    story.ship(WHOLESALER, PHARMACY, "P1")
    story.observe(WHOLESALER, "P1", biz_step="void_shipping")
    story.hand_over(WHOLESALER, CLINIC, "P1")
    assert_clean(story.judge("P1", at=1000))


def test_a_shipment_declared_erroneous_closes() -> None:
    story = in_stock()
    wrong = story.ship(WHOLESALER, PHARMACY, "P1")
    story.declare_error(wrong)
    judged = story.judge("P1", at=1000)
    assert codes(judged) == ["event_corrected"]
    assert judged.verdicts.provenance.value == "complete"


def test_double_scans_and_retries_are_one_observation() -> None:
    story = in_stock()
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    story.dispense(PHARMACY, "P1", at=20)
    again = story.dispense(PHARMACY, "P1", at=20.05)
    judged = story.judge("P1")
    assert_clean(judged, fitness="not_fit")
    assert judged.journey[-1].repeats == (again.entry_id,)


def test_a_commissioning_sent_again_is_not_a_second_one() -> None:
    story = Story()
    story.commission(MAKER, "P1", at=1)
    story.commission(MAKER, "P1", at=1)
    assert_clean(story.judge("P1"))


def test_a_commissioning_and_its_xml_twin_are_one_event() -> None:
    story = Story()
    for content_hash in (b"JSON" * 8, b"XML_" * 8):  # contents of one value
        recorded = story.commission(MAKER, "P1", at=1)
        event = msgspec.structs.replace(recorded.event, event_id="urn:uuid:1")
        story.history[-1] = msgspec.structs.replace(
            recorded, event=event, content_hash=content_hash
        )
    assert story.history[0].entry_id != story.history[1].entry_id
    judged = story.judge("P1")
    assert_clean(judged)
    assert judged.journey[-1].repeats == (story.history[1].entry_id,)


def test_a_commissioning_that_says_something_else_is_a_second_one_however_soon() -> None:
    for other in ({"lot": "L2"}, {"expiry": "2026-01-01"}):
        story = Story()
        story.commission(MAKER, "P1", at=1)
        story.commission(MAKER, "P1", at=1.01, **other)
        judged = story.judge("P1")
        assert "commissioned_twice" in codes(judged)
        assert judged.verdicts.fitness.value == "not_fit"


def test_what_a_partner_keeps_of_an_event_is_not_a_second_event() -> None:
    story = in_stock()
    commissioned = story.history[0]
    copy = story.commission(MAKER, "P1", "P2", "P3", "P4", at=1, kind=Kind.RECEIVED)
    assert copy.content_hash == commissioned.content_hash
    assert_clean(story.judge("P1"))


def test_repackaging_ends_old_serials_and_begins_new_ones() -> None:
    story = Story()
    story.commission(MAKER, "P1", "P2")
    story.transform(MAKER, ["P1", "P2"], ["P7"], biz_step="repackaging")
    new, old = story.judge("P7"), story.judge("P1")
    assert codes(new) == codes(old) == []
    assert values(new) == ("known_matching", "complete", "unknown")
    assert old.verdicts.fitness.reasons == ("consumed",)


def test_sampling_ends_nothing() -> None:
    story = in_stock()
    story.observe(WHOLESALER, "P1", biz_step="sampling")
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    assert_clean(story.judge("P1"))


def test_a_regulator_who_looks_takes_no_custody() -> None:
    story = in_stock()
    story.observe(REGULATOR, "P1", biz_step="inspecting")
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    assert_clean(story.judge("P1"))


def test_a_carrier_on_the_way_takes_no_custody_unless_named() -> None:
    story = in_stock()
    story.ship(WHOLESALER, PHARMACY, "P1")
    story.observe(CARRIER, "P1", biz_step="loading")
    story.observe(CARRIER, "P1", biz_step="transporting")
    story.observe(PHARMACY, "P1", biz_step="arriving")
    story.receive(PHARMACY, "P1")
    assert_clean(story.judge("P1"))


def test_shipping_named_for_the_case_and_for_the_packs() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.put(MAKER, "C1", "P1")
    story.ship(MAKER, WHOLESALER, "C1")
    story.ship(MAKER, WHOLESALER, "P1")
    story.receive(WHOLESALER, "P1")
    story.receive(WHOLESALER, "C1")
    assert_clean(story.judge("P1"))


def test_accepting_after_receiving_and_storing() -> None:
    story = in_stock()
    story.receive(WHOLESALER, "P1", biz_step="accepting")
    story.observe(WHOLESALER, "P1", biz_step="storing", disposition="sellable_not_accessible")
    assert_clean(story.judge("P1"))


def test_partly_dispensed_is_not_the_end() -> None:
    story = in_stock()
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    story.dispense(PHARMACY, "P1", disposition="partially_dispensed")
    story.dispense(PHARMACY, "P1")
    assert_clean(story.judge("P1"), fitness="not_fit")


def test_what_was_decommissioned_is_then_dispensed_or_destroyed() -> None:
    story = in_stock()
    story.decommission(WHOLESALER, "P1")
    story.observe(WHOLESALER, "P1", biz_step="destroying", disposition="destroyed")
    judged = story.judge("P1")
    assert_clean(judged, fitness="not_fit")
    assert judged.state.end_of_life == "destroyed"


def test_an_undo_in_time_at_the_same_place() -> None:
    story = in_stock()
    story.decommission(WHOLESALER, "P1")
    story.observe(WHOLESALER, "P1", disposition="sellable_accessible")
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    assert_clean(story.judge("P1"))


def test_an_opening_balance_begins_at_the_edge() -> None:
    story = Story()
    story.observe(WHOLESALER, "P1", kind=Kind.IMPORTED, biz_step="stock_taking")
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    judged = story.judge("P1", stated_expiry="271231")
    assert_clean(judged, provenance="ends_only")


def test_a_receipt_from_an_outsider_begins_at_the_edge() -> None:
    story = Story()
    story.receive(WHOLESALER, "P1", source=OUTSIDER)
    judged = story.judge("P1", stated_expiry="271231")
    assert_clean(judged, provenance="ends_only")


def test_a_product_that_no_member_numbers_begins_at_the_edge() -> None:
    story = Story([m for m in MEMBERS if m is not MAKER])
    story.receive(WHOLESALER, "P1")
    assert_clean(story.judge("P1", stated_expiry="271231"), provenance="ends_only")


def test_a_shipment_to_an_outsider_is_never_overdue() -> None:
    story = in_stock()
    story.ship(WHOLESALER, OUTSIDER, "P1")
    assert_clean(story.judge("P1", at=10_000), fitness="fit")


def test_by_way_of_an_outsider_the_ends_are_known() -> None:
    story = in_stock()
    story.ship(WHOLESALER, OUTSIDER, "P1")
    story.receive(PHARMACY, "P1", source=OUTSIDER)
    story.dispense(PHARMACY, "P1")
    assert_clean(story.judge("P1"), provenance="ends_only", fitness="not_fit")


def test_a_line_that_stamps_its_whole_batch_with_one_time() -> None:
    story = Story()
    story.ship(MAKER, WHOLESALER, "C1", at=5)
    story.put(MAKER, "C1", "P1", at=5)
    story.commission(MAKER, "P1", at=5)
    story.receive(WHOLESALER, "C1", at=5)
    story.take(WHOLESALER, "C1", at=5)
    story.dispense(WHOLESALER, "P1", at=5)
    judged = story.judge("P1")
    assert_clean(judged, fitness="not_fit")
    assert judged.journey[0].effect == "commissioned"


def test_packs_dispensed_out_of_a_case_that_nobody_unpacked() -> None:
    story = Story()
    story.commission(MAKER, "P1", "P2")
    story.put(MAKER, "C1", "P1", "P2")
    story.hand_over(MAKER, PHARMACY, "C1")
    story.dispense(PHARMACY, "P1")
    story.ship(PHARMACY, WHOLESALER, "C1")
    story.receive(WHOLESALER, "C1")
    assert_clean(story.judge("P1"), fitness="not_fit")
    assert_clean(story.judge("P2"))


def test_a_logistics_provider_that_receives_for_its_customer() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    to = (
        SourceDest(type="owning_party", id=PHARMACY.pgln),
        SourceDest(type="location", id=WHOLESALER.sgln),
    )
    story.ship(MAKER, None, "P1", destination_list=to)
    story.receive(WHOLESALER, "P1")
    judged = story.judge("P1")
    assert_clean(judged)
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Wholesaler"


def test_custody_and_ownership_are_two_lines() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    owner = (SourceDest(type="owning_party", id=PHARMACY.pgln),)
    story.add(MAKER, TransactionEvent, action="ADD", epc_list=_epcs(story), destination_list=owner)
    judged = story.judge("P1")
    assert_clean(judged)
    assert judged.state.owner is not None
    assert judged.state.owner.name == "Pharmacy"
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Maker"


def _epcs(story: Story) -> tuple[str, ...]:
    return tuple(story.history[0].event.epc_list)  # type: ignore[union-attr]


def test_a_recall_that_its_maker_lifts() -> None:
    story = in_stock()
    story.recall_lot(MAKER, "L1")
    lifted = PersistentDisposition(unset=("recalled",))
    story.recall_lot(MAKER, "L1", disposition=None, persistent_disposition=lifted)
    assert_clean(story.judge("P1"))


def test_an_outsider_is_not_shown_as_a_member() -> None:
    story = Story()
    story.receive(WHOLESALER, "P1", source=OUTSIDER)
    story.ship(WHOLESALER, OUTSIDER, "P1")
    state = story.judge("P1").state
    assert state.in_transit_to is not None
    assert state.in_transit_to.member is None
    assert state.in_transit_to.gln == OUTSIDER.gln


@pytest.mark.parametrize("container", ["C5", "T5", "https://example.com/bin/5"])
def test_a_container_of_any_kind_of_identifier(container: str) -> None:
    story = in_stock()
    story.put(WHOLESALER, container, "P1")
    story.hand_over(WHOLESALER, PHARMACY, container)
    story.take(PHARMACY, container)
    judged = story.judge("P1")
    assert_clean(judged)
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Pharmacy"


def test_handovers_between_others_that_a_partner_is_not_told_of_give_ends_only() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.put(WHOLESALER, "T1", "P1")
    story.ship(WHOLESALER, PHARMACY, "T1")
    story.receive(PHARMACY, "T1")
    judged = story.judge("P1", covered=frozenset({PHARMACY.member}))
    assert codes(judged) == ["handover_not_held"]
    assert values(judged) == ("known_matching", "ends_only", "fit")
    assert [s.kind for s in judged.journey] == ["event", "missing", "event", "event", "event"]
