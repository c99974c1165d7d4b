"""Events of one member that move another's custody: which are found, and which are ordinary."""

from __future__ import annotations

from scenarios import (
    CARRIER,
    CLINIC,
    MAKER,
    OUTSIDER,
    PHARMACY,
    WHOLESALER,
    Actor,
    Story,
    codes,
    values,
)
from sealtrail.config import CustodySettings
from sealtrail.custody import Parameters
from sealtrail.epcis.events import SourceDest
from sealtrail.signing import Kind


def at(actor: Actor) -> dict[str, str]:
    place = actor.sgln
    return {"biz_location": place, "read_point": place}


def in_stock() -> Story:
    """P1, from the maker to the wholesaler, who has put it away."""
    story = Story()
    story.commission(MAKER, "P1")
    story.hand_over(MAKER, WHOLESALER, "P1")
    story.observe(WHOLESALER, "P1")
    return story


def test_a_receipt_recorded_at_another_member_s_place_is_found() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.ship(MAKER, PHARMACY, "P1")
    receipt = story.receive(MAKER, "P1", **at(PHARMACY))
    judged = story.judge("P1")
    assert codes(judged) == ["recorded_for_another"]
    assert judged.findings[0].entries == (receipt.entry_id,)
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Pharmacy"


def test_a_shipment_in_another_member_s_name_is_found() -> None:
    story = in_stock()
    source = (SourceDest(type="possessing_party", id=WHOLESALER.pgln),)
    story.ship(CLINIC, CLINIC, "P1", source_list=source, **at(WHOLESALER))
    assert codes(story.judge("P1")) == ["recorded_for_another"]


def test_a_shipment_in_the_name_of_one_who_still_has_the_item_is_suspect() -> None:
    story = in_stock()
    source = (SourceDest(type="possessing_party", id=WHOLESALER.pgln),)
    story.ship(CLINIC, CLINIC, "P1", source_list=source, **at(WHOLESALER))
    story.observe(WHOLESALER, "P1")
    judged = story.judge("P1")
    assert codes(judged) == ["recorded_against_another"]
    assert values(judged)[2] != "fit"


def test_custody_given_back_to_one_who_has_shipped_is_suspect() -> None:
    story = in_stock()
    story.ship(WHOLESALER, PHARMACY, "P1")
    story.observe(CLINIC, "P1", **at(WHOLESALER))
    assert "recorded_against_another" in codes(story.judge("P1"))


def test_a_shipment_that_its_sender_recorded_too_is_ordinary() -> None:
    story = in_stock()
    source = (SourceDest(type="possessing_party", id=WHOLESALER.pgln),)
    story.ship(CLINIC, PHARMACY, "P1", source_list=source, **at(WHOLESALER))
    story.ship(WHOLESALER, PHARMACY, "P1")
    story.receive(PHARMACY, "P1")
    assert codes(story.judge("P1")) == []


def test_a_logistics_provider_at_its_own_site_for_its_customer_is_ordinary() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.ship(MAKER, WHOLESALER, "P1")
    customer = (SourceDest(type="possessing_party", id=PHARMACY.pgln),)
    story.receive(WHOLESALER, "P1", destination_list=customer)
    assert "recorded_for_another" not in codes(story.judge("P1"))


def test_a_look_at_another_member_s_place_that_moves_nothing_is_ordinary() -> None:
    story = in_stock()
    story.observe(CARRIER, "P1", **at(WHOLESALER))
    assert codes(story.judge("P1")) == []


def test_what_is_loaded_at_another_member_s_place_is_ordinary() -> None:
    story = in_stock()
    story.ship(WHOLESALER, PHARMACY, "P1")
    story.object(CARRIER, "P1", biz_step="loading", **at(WHOLESALER))
    story.receive(PHARMACY, "P1")
    assert codes(story.judge("P1")) == []


def test_what_a_member_keeps_of_an_outsider_or_imports_is_ordinary() -> None:
    for kind in (Kind.RECEIVED, Kind.IMPORTED):
        story = in_stock()
        story.observe(CLINIC, "P1", kind=kind, **at(PHARMACY))
        assert "recorded_for_another" not in codes(story.judge("P1"))


def test_an_event_at_an_outsider_s_place_is_no_other_member_s() -> None:
    story = in_stock()
    story.observe(WHOLESALER, "P1", **at(OUTSIDER))
    assert codes(story.judge("P1")) == []


def test_the_transit_limit_is_one_number() -> None:
    assert CustodySettings().transit_limit_hours * 3600 == Parameters().transit_seconds_max
