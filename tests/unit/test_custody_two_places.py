"""Packed again without an unpacking: ordinary, until both containers go on to different parties."""

from __future__ import annotations

import pytest

from scenarios import CLINIC, MAKER, PHARMACY, WHOLESALER, Story, codes, values


def packed_twice(by: str = "C2") -> Story:
    """P1, packed by its maker into C1, and into another without an unpacking."""
    story = Story()
    story.commission(MAKER, "P1", "P2")
    story.put(MAKER, "C1", "P1", "P2")
    story.put(MAKER, by, "P1")
    return story


@pytest.mark.parametrize("received", [True, False])
@pytest.mark.parametrize("first", ["C1", "C2"])
def test_both_containers_sent_to_different_parties_are_a_conflict(
    received: bool, first: str
) -> None:
    story = packed_twice()
    packed = story.history[-1]
    for container, to in ((first, WHOLESALER), ("C2" if first == "C1" else "C1", PHARMACY)):
        last = story.ship(MAKER, to, container)
        if received:
            last = story.receive(to, container)
    judged = story.judge("P1")
    assert codes(judged) == ["in_two_places", "two_parents"]
    assert values(judged) == ("conflict", "conflict", "not_fit")
    shown = next(f.entries for f in judged.findings if f.code == "in_two_places")
    assert shown[0] == packed.entry_id
    assert last.entry_id in shown
    assert codes(story.judge("P2")) == []


def test_it_is_found_through_what_the_containers_stand_in() -> None:
    story = packed_twice()
    story.put(MAKER, "C8", "C1")
    story.hand_over(MAKER, WHOLESALER, "C8")
    story.hand_over(MAKER, PHARMACY, "C2")
    assert "in_two_places" in codes(story.judge("P1"))


def test_a_case_on_two_pallets_is_found_of_the_packs_in_it() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.put(MAKER, "C1", "P1")
    story.put(MAKER, "C8", "C1")
    story.put(MAKER, "C9", "C1")
    story.hand_over(MAKER, WHOLESALER, "C8")
    story.hand_over(MAKER, PHARMACY, "C9")
    assert codes(story.judge("P1")) == ["in_two_places", "two_parents"]


def test_parting_after_a_way_together_is_found() -> None:
    story = packed_twice()
    story.hand_over(MAKER, WHOLESALER, "C1")
    story.hand_over(MAKER, WHOLESALER, "C2")
    assert codes(story.judge("P1")) == ["two_parents"]
    story.hand_over(WHOLESALER, PHARMACY, "C2")
    assert codes(story.judge("P1")) == ["two_parents"]  # unpacked there, it may be
    story.hand_over(WHOLESALER, CLINIC, "C1")
    assert "in_two_places" in codes(story.judge("P1"))


@pytest.mark.parametrize("how", ["stays", "same party", "voided", "back", "one pallet"])
def test_where_only_one_container_parts_from_the_packer_it_is_ordinary(how: str) -> None:
    story = packed_twice()
    if how == "one pallet":
        story.put(MAKER, "C8", "C1", "C2")
        story.hand_over(MAKER, WHOLESALER, "C8")
    elif how == "same party":
        story.hand_over(MAKER, PHARMACY, "C1")
    elif how != "stays":
        story.ship(MAKER, WHOLESALER, "C1")
        if how == "back":
            story.receive(MAKER, "C1")
        else:
            story.ship(MAKER, WHOLESALER, "C1", biz_step="void_shipping")
    if how != "one pallet":
        story.hand_over(MAKER, PHARMACY, "C2")
    judged = story.judge("P1")
    assert codes(judged) == ["two_parents"]
    assert values(judged) == ("known_matching", "complete", "fit")


@pytest.mark.parametrize("how", ["named", "emptied", "used again", "put back", "ended", "later"])
def test_what_was_taken_out_before_its_case_went_on_is_ordinary(how: str) -> None:
    story = packed_twice()
    if how == "named":
        story.take(MAKER, "C1", "P1")
    elif how == "emptied":
        story.take(MAKER, "C1")
    elif how == "used again":
        story.commission(MAKER, "C1", lot=None, expiry=None)
    elif how == "put back":
        story.put(MAKER, "C1", "P1")
        story.take(MAKER, "C1", "P1")
    elif how == "ended":
        story.decommission(MAKER, "P1")
    later = story.hour + (31 * 24 if how == "later" else 1)
    story.ship(MAKER, WHOLESALER, "C1", at=later)
    story.receive(WHOLESALER, "C1")
    story.hand_over(MAKER, PHARMACY, "C2")
    assert "in_two_places" not in codes(story.judge("P1"))


def test_a_pack_in_more_containers_than_are_followed_is_answered() -> None:
    story = packed_twice()
    for number in range(10, 40):
        story.put(MAKER, f"C{number}", "P1")
    story.hand_over(MAKER, WHOLESALER, "C38")
    story.hand_over(MAKER, PHARMACY, "C39")
    assert "in_two_places" in codes(story.judge("P1"))
