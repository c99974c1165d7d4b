"""The tables behind the rules: ends of life, births, expiry dates, look-alikes, derived custodians."""

from __future__ import annotations

from datetime import date

import pytest

from scenarios import (
    MAKER,
    OUTSIDER,
    PHARMACY,
    REGULATOR,
    WHOLESALER,
    Actor,
    Story,
    network,
    timestamp,
)
from sealtrail.custody import similar_items
from sealtrail.custody.custodian import Parties, custodian_at, destination_of
from sealtrail.custody.expiry import local_date, parse_expiry
from sealtrail.custody.lifecycle import commissions, end_of_life
from sealtrail.epcis.events import (
    AggregationEvent,
    AnyEvent,
    AssociationEvent,
    ObjectEvent,
    SourceDest,
    TransactionEvent,
    TransformationEvent,
)

TODAY = date(2026, 3, 1)
PACK = "https://id.gs1.org/01/04012345123456/21/"


def make(
    type_: type[AnyEvent], action: str | None, step: str | None, disposition: str | None
) -> AnyEvent:
    acts = {} if action is None else {"action": action}
    return type_(
        event_time=timestamp(0),
        event_time_zone_offset="+00:00",
        biz_step=step,
        disposition=disposition,
        **acts,
    )


@pytest.mark.parametrize(
    ("type_", "action", "step", "disposition", "place", "expected"),
    [
        (ObjectEvent, "DELETE", "decommissioning", "inactive", "epc", "decommissioned"),
        (ObjectEvent, "DELETE", None, None, "epc", "decommissioned"),
        (ObjectEvent, "OBSERVE", "decommissioning", "inactive", "epc", "decommissioned"),
        (ObjectEvent, "OBSERVE", "storing", "inactive", "epc", "decommissioned"),
        (ObjectEvent, "DELETE", "destroying", "destroyed", "epc", "destroyed"),
        (ObjectEvent, "OBSERVE", "destroying", None, "epc", "destroyed"),
        (ObjectEvent, "OBSERVE", "storing", "disposed", "epc", "destroyed"),
        (ObjectEvent, "OBSERVE", "dispensing", "dispensed", "epc", "dispensed"),
        (ObjectEvent, "DELETE", "dispensing", None, "epc", "dispensed"),
        (ObjectEvent, "OBSERVE", "retail_selling", "retail_sold", "epc", "sold"),
        (TransactionEvent, "ADD", "retail_selling", None, "epc", None),
        (TransactionEvent, "OBSERVE", "retail_selling", None, "epc", "sold"),
        (TransformationEvent, None, None, None, "input", "consumed"),
        # none of these ends anything
        (TransformationEvent, None, None, None, "output", None),
        (TransactionEvent, "DELETE", None, None, "epc", None),
        (ObjectEvent, "OBSERVE", "dispensing", "partially_dispensed", "epc", None),
        (ObjectEvent, "DELETE", "killing", None, "epc", None),
        (ObjectEvent, "ADD", "commissioning", "active", "epc", None),
        (ObjectEvent, "OBSERVE", "sampling", None, "epc", None),
        (ObjectEvent, "DELETE", "decommissioning", "inactive", "class", None),
        (ObjectEvent, "DELETE", "decommissioning", "inactive", "lot", None),
        (AggregationEvent, "DELETE", "unpacking", None, "epc", None),
        (AggregationEvent, "DELETE", "dispensing", "dispensed", "epc", None),
        (AssociationEvent, "DELETE", None, "inactive", "epc", None),
    ],
)
def test_the_table_of_ends_of_life(
    type_: type[AnyEvent],
    action: str | None,
    step: str | None,
    disposition: str | None,
    place: str,
    expected: str | None,
) -> None:
    assert end_of_life(make(type_, action, step, disposition), place) == expected


@pytest.mark.parametrize(
    ("type_", "action", "step", "place", "expected"),
    [
        (ObjectEvent, "ADD", "commissioning", "epc", True),
        (ObjectEvent, "ADD", None, "epc", True),
        (ObjectEvent, "OBSERVE", "commissioning", "epc", True),
        (TransformationEvent, None, "repackaging", "output", True),
        (TransformationEvent, None, "repackaging", "input", False),
        (ObjectEvent, "ADD", "receiving", "epc", False),
        (ObjectEvent, "OBSERVE", None, "epc", False),
        (AggregationEvent, "ADD", "commissioning", "epc", False),
    ],
)
def test_the_table_of_births(
    type_: type[AnyEvent], action: str | None, step: str | None, place: str, expected: bool
) -> None:
    assert commissions(make(type_, action, step, None), place) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("271231", date(2027, 12, 31)),
        ("280200", date(2028, 2, 29)),
        ("270200", date(2027, 2, 28)),
        ("2027-12-31", date(2027, 12, 31)),
        ("2027-12-31T00:00:00Z", date(2027, 12, 31)),
        ("2027-11-00", date(2027, 11, 30)),
        ("750101", date(2075, 1, 1)),
        ("760101", date(2076, 1, 1)),
        ("770101", date(1977, 1, 1)),
        ("271332", None),
        ("270231", None),
        ("", None),
        ("abcdef", None),
        ("٢٧١٢٣١", None),
        ("2027", None),
        ("0000-01-01", None),
    ],
)
def test_expiry_dates(text: str, expected: date | None) -> None:
    assert parse_expiry(text, TODAY) == expected


@pytest.mark.parametrize(
    ("time_us", "offset", "expected"),
    [
        (0, "+00:00", date(1970, 1, 1)),
        (0, "-01:00", date(1969, 12, 31)),
        (82_800_000_000, "+01:00", date(1970, 1, 2)),
        (1 << 62, "+00:00", None),
        (0, "nonsense", date(1970, 1, 1)),
        (0, "+99:99", None),
    ],
)
def test_the_day_it_is_somewhere(time_us: int, offset: str, expected: date | None) -> None:
    assert local_date(time_us, offset) == expected


@pytest.mark.parametrize(
    ("scanned", "meant"),
    [
        ("AO1", "A01"),
        ("a01b", "A01B"),
        ("XZ9", "XY9"),
        ("Il0", "110"),
        ("A1B0", "AIB0"),
        ("O0O", "000"),
    ],
)
def test_look_alikes_are_found(scanned: str, meant: str) -> None:
    assert PACK + meant in similar_items(PACK + scanned)


@pytest.mark.parametrize("serial", ["O0I1l" * 4, "0" * 20, "%2F" * 6, "A"])
def test_look_alikes_are_few_and_never_the_thing_itself(serial: str) -> None:
    found = similar_items(PACK + serial)
    assert len(found) <= 64
    assert PACK + serial not in found


def test_only_packs_have_look_alikes() -> None:
    assert similar_items("https://id.gs1.org/00/340123450000000015") == ()


def stated(type_: str, actor: Actor, *, place: bool = False) -> SourceDest:
    return SourceDest(type=type_, id=actor.sgln if place else actor.pgln)


@pytest.mark.parametrize(
    ("destinations", "expected", "derived"),
    [
        ((stated("owning_party", MAKER), stated("possessing_party", PHARMACY)), PHARMACY, "possessing_party"),
        ((stated("owning_party", MAKER), stated("location", PHARMACY, place=True)), PHARMACY, "location"),
        ((stated("owning_party", MAKER), stated("location", OUTSIDER, place=True)), MAKER, "owning_party"),
        ((stated("location", OUTSIDER, place=True),), OUTSIDER, "location"),
        ((stated("possessing_party", OUTSIDER),), OUTSIDER, "possessing_party"),
    ],
)  # fmt: skip
def test_to_whom_a_shipment_goes(
    destinations: tuple[SourceDest, ...], expected: Actor, derived: str
) -> None:
    story = Story()
    shipment = story.ship(WHOLESALER, None, "P1", destination_list=destinations)
    found = destination_of(shipment, Parties(network()))
    assert found is not None
    assert (found.party.gln, found.derived) == (expected.gln, derived)


@pytest.mark.parametrize(
    ("location", "expected", "derived"),
    [(PHARMACY.sgln, PHARMACY, "biz_location"), (OUTSIDER.sgln, WHOLESALER, "recorded_by")],
)
def test_who_holds_a_thing_is_whose_place_it_is_else_who_recorded_it(
    location: str, expected: Actor, derived: str
) -> None:
    story = Story()
    seen = story.observe(WHOLESALER, "P1", biz_location=location, read_point=None)
    found = custodian_at(seen, Parties(network()))
    assert found is not None
    assert (found.party.gln, found.derived) == (expected.gln, derived)


def test_who_only_looks_is_a_bystander() -> None:
    parties = Parties(network())
    assert parties.identified(REGULATOR.pgln).bystander
    assert not parties.identified(PHARMACY.pgln).bystander
    assert not parties.identified(OUTSIDER.pgln).bystander
