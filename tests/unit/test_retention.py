"""What stands against erasing: times of the law, and legal holds."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from sealtrail.config import LegalHoldSettings, RetentionPeriodSettings, RetentionSettings
from sealtrail.errors import ForbiddenError, InputError
from sealtrail.services.retention import Candidate, Order, RetentionRules

ENTRY = b"\x11" * 32
PACK = "https://id.gs1.org/01/09521234543213/21/1001"
ORDER = Order(authority="a court", reference="1 O 23/26", day=date(2026, 3, 1))
TODAY = date(2026, 6, 1)


def period(years: int, jurisdiction: str = "EU") -> RetentionPeriodSettings:
    return RetentionPeriodSettings(
        jurisdiction=jurisdiction, years=years, basis=f"{years}-year law"
    )


def rules(
    *periods: RetentionPeriodSettings, holds: list[LegalHoldSettings] | None = None
) -> RetentionRules:
    return RetentionRules(RetentionSettings(periods=list(periods), holds=holds or []))


def candidate(recorded: str = "2024-02-29") -> Candidate:
    moment = datetime.fromisoformat(recorded).replace(tzinfo=UTC)
    return Candidate(entry_id=ENTRY, record_time_ms=int(moment.timestamp() * 1000), items=[PACK])


def test_without_rules_anything_may_be_erased() -> None:
    rules().require_erasable(candidate(), None, today=TODAY)


def test_within_the_longest_time_it_is_refused_until_when() -> None:
    with pytest.raises(ForbiddenError) as e:
        rules(period(1, "US"), period(5)).require_erasable(candidate(), None, today=TODAY)
    assert e.value.code == "retention_time_runs"
    assert e.value.context["keep_until"] == "2029-03-01"
    assert "EU: 5-year law" in e.value.message


@pytest.mark.parametrize(("today", "refused"), [("2025-12-31", True), ("2026-01-01", False)])
def test_the_time_ends_on_its_day(today: str, refused: bool) -> None:
    one = candidate("2021-01-01")
    if refused:
        with pytest.raises(ForbiddenError, match="retention_time_runs"):
            rules(period(5)).require_erasable(one, None, today=date.fromisoformat(today))
    else:
        rules(period(5)).require_erasable(one, None, today=date.fromisoformat(today))


def test_an_order_erases_within_the_time() -> None:
    rules(period(5)).require_erasable(candidate(), ORDER, today=TODAY)


def test_an_order_of_tomorrow_is_none() -> None:
    with pytest.raises(InputError, match="order_in_the_future"):
        rules(period(5)).require_erasable(candidate(), ORDER, today=date(2026, 2, 28))


@pytest.mark.parametrize(
    "hold",
    [
        {},
        {"entries": ["0x" + "11" * 32]},
        {"items": ["(01)09521234543213(21)1001"]},
        {"items": ["urn:epc:id:sgtin:9521234.054321.1001"]},
        {"since": "2024-02-29", "until": "2024-02-29"},
        {"since": "2024-01-01"},
        {"until": "2024-03-01", "items": [PACK]},
    ],
)
def test_a_hold_blocks_whatever_the_order(hold: dict[str, object]) -> None:
    held = rules(holds=[LegalHoldSettings(reason="a trial", **hold)])  # type: ignore[arg-type]
    for order in (None, ORDER):
        with pytest.raises(ForbiddenError, match=r"legal_hold.*a trial"):
            held.require_erasable(candidate(), order, today=TODAY)


@pytest.mark.parametrize(
    "hold",
    [
        {"entries": ["0x" + "12" * 32]},
        {"items": ["(01)09521234543213(21)1002"]},
        {"since": "2024-03-01"},
        {"until": "2024-02-28"},
        {"until": "2024-02-28", "items": [PACK]},
    ],
)
def test_a_hold_on_others_blocks_nothing(hold: dict[str, object]) -> None:
    held = rules(holds=[LegalHoldSettings(reason="a trial", **hold)])  # type: ignore[arg-type]
    held.require_erasable(candidate(), None, today=TODAY)


@pytest.mark.parametrize(
    ("hold", "code", "place"),
    [
        ({"items": ["no item"]}, "retention_item_unreadable", "retention.holds[0].items"),
        ({"since": "2024-02-30"}, "retention_date_wrong", "retention.holds[0].since"),
        ({"until": "2024-13-01"}, "retention_date_wrong", "retention.holds[0].until"),
    ],
)
def test_a_hold_that_cannot_be_read_is_refused(
    hold: dict[str, object], code: str, place: str
) -> None:
    with pytest.raises(InputError) as e:
        rules(holds=[LegalHoldSettings(reason="a trial", **hold)])  # type: ignore[arg-type]
    assert (e.value.code, e.value.pointer) == (code, place)


def test_a_record_time_beyond_any_calendar_is_kept() -> None:
    far = Candidate(entry_id=ENTRY, record_time_ms=2**63 - 1, items=[])
    with pytest.raises(ForbiddenError, match="retention_time_runs"):
        rules(period(5)).require_erasable(far, None, today=TODAY)
