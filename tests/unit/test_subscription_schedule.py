"""When a schedule runs: EPCIS 2.0 section 8.2.5.3, over times that the test gives."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sealtrail.errors import InputError
from sealtrail.services.subscriptions.schedule import parse_schedule


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def runs(after: str, count: int = 1, **fields: str) -> list[str]:
    schedule, found, at = parse_schedule(fields, "/schedule"), [], ms(after)
    for _ in range(count):
        at = schedule.next_after(at)
        found.append(datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S"))
    return found


def test_the_openapis_example_runs_once_at_five_past_one() -> None:
    assert runs("2026-03-01T01:04:59.5", 2, hour="1", minute="5") == [
        "2026-03-01T01:05:00",
        "2026-03-02T01:05:00",
    ]


def test_a_run_is_after_the_time_that_is_given() -> None:
    assert runs("2026-03-01T01:05:00", hour="1", minute="5") == ["2026-03-02T01:05:00"]


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        ("0/30", ["00", "30"]),
        ("*/20", ["00", "20"]),
        ("*", ["00", "01"]),
        ("5,[10-12]", ["05", "10"]),
        ("10-12", ["10", "11"]),
        ("[50-59]/5", ["50", "55"]),
        (" 7 , 9 ", ["07", "09"]),
    ],
)
def test_the_second_in_every_spelling(second: str, expected: list[str]) -> None:
    found = runs("2026-03-01T11:59:59", 2, second=second)
    assert found == [f"2026-03-01T12:00:{each}" for each in expected]


def test_what_is_left_out_matches_always_but_the_second() -> None:
    assert runs("2026-03-01T01:59:30", 3, hour="2,4") == [
        "2026-03-01T02:00:00",
        "2026-03-01T02:01:00",
        "2026-03-01T02:02:00",
    ]


def test_monday_is_the_first_day_of_the_week() -> None:
    found = runs("2026-03-01T00:00:00", 2, dayOfWeek="1", hour="0", minute="0")
    assert found == ["2026-03-02T00:00:00", "2026-03-09T00:00:00"]
    assert datetime(2026, 3, 2, tzinfo=UTC).strftime("%A") == "Monday"


def test_day_of_month_and_day_of_week_hold_together() -> None:
    found = runs("2026-03-01T00:00:00", 2, dayOfMonth="13", dayOfWeek="5", hour="9", minute="0")
    assert found == ["2026-03-13T09:00:00", "2026-11-13T09:00:00"]


def test_a_leap_day_comes_again() -> None:
    found = runs("2026-03-01T00:00:00", 1, month="2", dayOfMonth="29", hour="0", minute="0")
    assert found == ["2028-02-29T00:00:00"]


def test_a_leap_day_on_one_weekday_comes_again_over_a_century_without_one() -> None:
    fields = {"month": "2", "dayOfMonth": "29", "dayOfWeek": "1", "hour": "0", "minute": "0"}
    assert runs("2072-03-01T00:00:00", 1, **fields) == ["2112-02-29T00:00:00"]


def test_the_31st_skips_short_months_and_the_year_turns() -> None:
    found = runs("2026-10-31T12:00:00", 2, dayOfMonth="31", hour="0", minute="0")
    assert found == ["2026-12-31T00:00:00", "2027-01-31T00:00:00"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/schedule"),
        ({"year": "2026"}, "/schedule"),
        ({"second": "60"}, "/schedule/second"),
        ({"hour": "24"}, "/schedule/hour"),
        ({"dayOfMonth": "0"}, "/schedule/dayOfMonth"),
        ({"month": "13"}, "/schedule/month"),
        ({"dayOfWeek": "8"}, "/schedule/dayOfWeek"),
        ({"minute": ""}, "/schedule/minute"),
        ({"minute": "a"}, "/schedule/minute"),
        ({"minute": "-1"}, "/schedule/minute"),
        ({"minute": "[5-1]"}, "/schedule/minute"),
        ({"minute": "[1-5"}, "/schedule/minute"),
        ({"minute": "0/0"}, "/schedule/minute"),
        ({"minute": "1,,2"}, "/schedule/minute"),
        ({"minute": "٣"}, "/schedule/minute"),
        ({"minute": "1," * 1000}, "/schedule/minute"),
    ],
)
def test_what_is_no_schedule_is_refused_with_its_place(
    fields: dict[str, str], pointer: str
) -> None:
    with pytest.raises(InputError) as refused:
        parse_schedule(fields, "/schedule")
    assert (refused.value.code, refused.value.pointer) == ("schedule_invalid", pointer)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        parse_schedule({"month": "2", "dayOfMonth": "30"}, "/schedule")
    assert refused.value.code == "schedule_never"
