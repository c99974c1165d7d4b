"""A commissioning that states two lots or two expiries is taken at its worst, and never called fit."""

from __future__ import annotations

import pytest

from scenarios import CBV_MDA, MAKER, PHARMACY, Story, codes, values
from sealtrail.epcis.events import Extension


def commissioned(lots: tuple[str, ...], expiries: tuple[str, ...]) -> Story:
    story = Story()
    ilmd = (
        *(Extension(namespace=CBV_MDA, local="lotNumber", text=lot) for lot in lots),
        *(Extension(namespace=CBV_MDA, local="itemExpirationDate", text=e) for e in expiries),
    )
    story.commission(MAKER, "P1", ilmd=ilmd)
    story.hand_over(MAKER, PHARMACY, "P1")
    return story


def test_of_two_expiries_the_earliest_counts() -> None:
    for dates in (("2029-12-31", "2020-01-01"), ("2020-01-01", "2029-12-31")):
        judged = commissioned(("L1",), dates).judge("P1")
        assert codes(judged) == ["expired", "master_data_contradictory"]
        assert "expired" in judged.verdicts.fitness.reasons
        assert judged.state.expiry == "2020-01-01"


def test_of_two_expiries_yet_to_come_none_is_called_fit() -> None:
    story = commissioned(("L1",), ("2029-12-31", "2028-12-31"))
    judged = story.judge("P1")
    assert values(judged) == ("known_matching", "complete", "unknown")
    assert judged.verdicts.fitness.reasons == ("master_data_contradictory",)
    assert judged.findings[0].entries == (story.history[0].entry_id,)


@pytest.mark.parametrize("scanned", ["L1", "L2"])
def test_no_scanned_lot_agrees_with_two(scanned: str) -> None:
    judged = commissioned(("L1", "L2"), ("2029-12-31",)).judge("P1", stated_lot=scanned)
    assert values(judged) == ("mismatch", "complete", "not_fit")
    assert judged.verdicts.identifier.reasons == ("lot",)
    assert codes(judged) == ["identifier_mismatch", "master_data_contradictory"]
    assert judged.state.lot is None


def test_no_scanned_expiry_agrees_with_two() -> None:
    story = commissioned(("L1",), ("2029-12-31", "2028-12-31"))
    judged = story.judge("P1", stated_expiry="281231")
    assert judged.verdicts.identifier.reasons == ("expiry",)


@pytest.mark.parametrize("lot", ["L1", "L2"])
def test_the_recall_of_either_lot_reaches_the_pack(lot: str) -> None:
    story = commissioned(("L1", "L2"), ("2029-12-31",))
    story.recall_lot(MAKER, lot)
    assert story.judge("P1").verdicts.fitness.reasons == ("recalled",)


def test_the_same_said_twice_is_no_contradiction() -> None:
    story = commissioned(("L1", " L1 "), ("2029-12-31", "291231", "2029-12-00"))
    judged = story.judge("P1", stated_lot="L1", stated_expiry="291231")
    assert codes(judged) == []
    assert values(judged) == ("known_matching", "complete", "fit")


def test_an_expiry_beside_one_that_can_not_be_read_is_a_contradiction() -> None:
    judged = commissioned(("L1",), ("soon", "2029-12-31")).judge("P1")
    assert codes(judged) == ["master_data_contradictory"]
    assert judged.state.expiry == "2029-12-31"
