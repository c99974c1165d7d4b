"""Recalls and thefts: who may declare them, who lifts them, and that a recall claims no custody."""

from __future__ import annotations

import pytest

from scenarios import (
    CLINIC,
    MAKER,
    MEMBERS,
    OUTSIDER,
    PHARMACY,
    REGULATOR,
    WHOLESALER,
    Actor,
    Story,
    codes,
    values,
)
from sealtrail.custody import Judgement
from sealtrail.epcis.events import PersistentDisposition
from sealtrail.signing import Kind

NOWHERE = {"biz_location": None, "read_point": None}


def delivered() -> Story:
    """P1 and P2, from the maker to the wholesaler."""
    story = Story()
    story.commission(MAKER, "P1", "P2")
    story.hand_over(MAKER, WHOLESALER, "P1", "P2")
    return story


def marked(mark: str, *, persistent: bool) -> Story:
    """P1, marked by its maker before it was shipped, and received by the wholesaler."""
    story = Story()
    story.commission(MAKER, "P1")
    how = {"persistent_disposition": PersistentDisposition(set=(mark,))} if persistent else {}
    story.observe(MAKER, "P1", **(how or {"disposition": mark}))
    story.hand_over(MAKER, WHOLESALER, "P1")
    return story


def unset(story: Story, by: Actor, mark: str, step: str | None = "storing") -> None:
    lifted = PersistentDisposition(unset=(mark,))
    story.observe(by, "P1", biz_step=step, persistent_disposition=lifted)


def reasons(judged: Judgement) -> tuple[str, ...]:
    return judged.verdicts.fitness.reasons


@pytest.mark.parametrize("mark", ["recalled", "stolen"])
@pytest.mark.parametrize("persistent", [False, True])
def test_another_than_who_declared_a_mark_lifts_nothing_and_is_found(
    mark: str, persistent: bool
) -> None:
    story = marked(mark, persistent=persistent)
    unset(story, WHOLESALER, mark)
    judged = story.judge("P1")
    assert reasons(judged) == (mark,)
    assert codes(judged) == ["mark_lifted_by_other"]
    shown = judged.findings[0].entries
    assert shown == (story.history[1].entry_id, story.history[-1].entry_id)


@pytest.mark.parametrize(
    ("by", "mark", "lifts"),
    [
        (MAKER, "recalled", True),
        (REGULATOR, "recalled", True),
        (CLINIC, "recalled", False),
        (PHARMACY, "stolen", True),
        (MAKER, "stolen", False),
    ],
)
def test_who_lifts_what_a_pharmacy_declared(by: Actor, mark: str, lifts: bool) -> None:
    story = delivered()
    story.hand_over(WHOLESALER, PHARMACY, "P1")
    story.observe(PHARMACY, "P1", disposition=mark)
    unset(story, by, mark, step="inspecting")
    judged = story.judge("P1")
    assert (mark not in reasons(judged)) is lifts
    assert ("mark_lifted_by_other" in codes(judged)) is not lifts


def test_who_declared_a_mark_too_lifts_only_its_own() -> None:
    story = delivered()
    story.observe(WHOLESALER, "P1", disposition="recalled")
    story.observe(MAKER, "P1", disposition="recalled", biz_step=None)
    unset(story, WHOLESALER, "recalled")
    judged = story.judge("P1")
    assert reasons(judged) == ("recalled",)
    assert codes(judged) == []


def test_unsetting_what_was_never_set_is_nothing() -> None:
    story = delivered()
    unset(story, WHOLESALER, "recalled")
    assert codes(story.judge("P1")) == []


def test_a_lot_s_recall_is_not_lifted_by_a_holder_of_a_pack() -> None:
    story = delivered()
    story.recall_lot(MAKER, "L1")
    unset(story, WHOLESALER, "recalled")
    judged = story.judge("P1")
    assert reasons(judged) == ("recalled",)
    assert codes(judged) == ["mark_lifted_by_other"]


def test_what_is_in_use_again_by_word_on_its_lot_keeps_its_own_mark() -> None:
    story = delivered()
    story.observe(WHOLESALER, "P1", disposition="stolen")
    story.recall_lot(WHOLESALER, "L1", disposition="sellable_accessible")
    judged = story.judge("P1")
    assert reasons(judged) == ("stolen",)
    assert codes(judged) == []


def test_a_recalled_lot_s_pack_that_its_maker_moves_on_is_still_recalled() -> None:
    story = Story()
    story.recall_lot(MAKER, "L1", at=1)
    story.commission(MAKER, "P1", at=2)
    story.observe(MAKER, "P1", disposition="sellable_accessible")
    judged = story.judge("P1")
    assert reasons(judged) == ("recalled",)
    assert codes(judged) == []


def test_a_recall_after_an_end_of_life_forbids_undoing_it() -> None:
    story = delivered()
    story.decommission(WHOLESALER, "P1")
    story.observe(MAKER, "P1", disposition="recalled", biz_step=None)
    story.observe(WHOLESALER, "P1", disposition="sellable_accessible")
    judged = story.judge("P1")
    assert codes(judged) == ["undo_not_allowed"]
    assert reasons(judged) == ("decommissioned", "recalled")


@pytest.mark.parametrize("by", [MAKER, REGULATOR])
@pytest.mark.parametrize(
    "how",
    [
        {"biz_step": None},
        {"biz_step": None, **NOWHERE},
        {"biz_step": "holding"},
        {"biz_step": "https://example.com/recalling", **NOWHERE},
    ],
)
def test_a_recall_of_what_another_holds_is_no_claim_to_it(by: Actor, how: dict[str, str]) -> None:
    story = delivered()
    story.observe(by, "P1", disposition="recalled", **how)
    judged = story.judge("P1")
    assert values(judged) == ("known_matching", "complete", "not_fit")
    assert reasons(judged) == ("recalled",)
    assert codes(judged) == []
    assert judged.state.custodian is not None
    assert judged.state.custodian.party.name == "Wholesaler"


def test_lifting_a_recall_of_what_another_holds_is_no_claim_to_it() -> None:
    story = delivered()
    story.observe(MAKER, "P1", disposition="recalled", biz_step=None)
    unset(story, MAKER, "recalled", step=None)
    judged = story.judge("P1")
    assert codes(judged) == []
    assert values(judged) == ("known_matching", "complete", "fit")


def test_a_recall_of_what_is_under_way_leaves_it_under_way() -> None:
    story = Story()
    story.commission(MAKER, "P1")
    story.ship(MAKER, WHOLESALER, "P1")
    story.observe(MAKER, "P1", disposition="recalled", biz_step="holding", at=30)
    story.receive(WHOLESALER, "P1")
    judged = story.judge("P1")
    assert codes(judged) == []
    assert reasons(judged) == ("recalled",)


@pytest.mark.parametrize("step", ["storing", "dispensing", "packing"])
def test_a_recall_that_handles_what_another_holds_claims_it(step: str) -> None:
    story = delivered()
    story.observe(MAKER, "P1", disposition="recalled", biz_step=step)
    assert "two_custodians" in codes(story.judge("P1"))


def test_a_recall_by_one_who_may_not_of_what_another_holds_claims_it() -> None:
    story = delivered()
    story.observe(CLINIC, "P1", disposition="recalled", biz_step="holding")
    assert codes(story.judge("P1")) == ["recall_without_right", "two_custodians"]


def test_a_pack_recalled_by_its_holder_is_not_fit_and_found() -> None:
    story = delivered()
    held = story.observe(WHOLESALER, "P1", disposition="recalled", biz_step="holding")
    judged = story.judge("P1")
    assert codes(judged) == ["recall_without_right"]
    assert judged.findings[0].entries == (held.entry_id,)
    assert values(judged) == ("known_matching", "complete", "not_fit")


@pytest.mark.parametrize("hour", [4, 50])
def test_a_holder_that_marks_what_its_maker_recalls_is_ordinary(hour: int) -> None:
    story = delivered()
    story.observe(WHOLESALER, "P1", disposition="recalled", biz_step="holding", at=20)
    story.recall_lot(MAKER, "L1", at=hour)
    judged = story.judge("P1")
    assert codes(judged) == []
    assert reasons(judged) == ("recalled",)


def test_a_holder_s_theft_quarantine_or_recall_of_an_outsider_s_product_is_ordinary() -> None:
    for disposition in ("stolen", "non_sellable_other"):
        story = delivered()
        story.observe(WHOLESALER, "P1", disposition=disposition)
        assert codes(story.judge("P1")) == []
    story = Story([m for m in MEMBERS if m is not MAKER])
    story.receive(WHOLESALER, "P1", source=OUTSIDER)
    story.observe(WHOLESALER, "P1", disposition="recalled")
    assert codes(story.judge("P1")) == []
    story = delivered()
    story.observe(WHOLESALER, "P1", disposition="recalled", kind=Kind.IMPORTED)
    assert codes(story.judge("P1")) == []
