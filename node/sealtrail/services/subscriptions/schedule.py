"""When a scheduled subscription runs: patterns over the fields of a time in UTC. Pure: the time is an argument.

Source: EPCIS 2.0 section 8.2.5.3 (QuerySchedule); the OpenAPI of its REST binding for the fields' ranges, and its
examples for steps (``0/30``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from sealtrail.errors import InputError

PATTERN_CHARACTERS_MAX = 500
# Every combination of day and weekday comes again within 28 years, over a century's end within 40.
_YEARS_MAX = 40

_NUMBER = "([0-9]{1,2})"
_ELEMENT = re.compile(rf"(?:(\*)|\[?{_NUMBER}(?:-{_NUMBER})?\]?)(?:/{_NUMBER})?")
# By the standard's name: lowest and highest value; from the coarsest to the finest.
_RANGES: Mapping[str, tuple[int, int]] = {
    "month": (1, 12),
    "dayOfMonth": (1, 31),
    "dayOfWeek": (1, 7),  # 1 is Monday
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}
FIELDS = frozenset(_RANGES)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The values of each field at which it runs, ascending."""

    month: tuple[int, ...]
    day_of_month: tuple[int, ...]
    day_of_week: tuple[int, ...]
    hour: tuple[int, ...]
    minute: tuple[int, ...]
    second: tuple[int, ...]

    def next_after(self, unix_ms: int) -> int:
        """Return the first time after ``unix_ms`` at which it runs, in milliseconds.

        Raises:
            InputError: ``schedule_never`` (30 February).
        """
        moment = datetime.fromtimestamp(unix_ms // 1000, UTC) + timedelta(seconds=1)
        last_year = moment.year + _YEARS_MAX
        while moment.year <= last_year:
            if not self._has_day(moment):
                moment = _midnight(moment) + timedelta(days=1)
                continue
            found = self._within_day(moment)
            if found is not None:
                return int(found.timestamp()) * 1000
            moment = _midnight(moment) + timedelta(days=1)
        raise _refusal("schedule_never", "no day has that month, day of month and day of week")

    def _has_day(self, moment: datetime) -> bool:
        return (
            moment.month in self.month
            and moment.day in self.day_of_month
            and moment.isoweekday() in self.day_of_week
        )

    def _within_day(self, moment: datetime) -> datetime | None:
        """Return the first time from ``moment`` to the end of its day, if there is one."""
        at = (moment.hour, moment.minute, moment.second)
        for hour in self.hour:
            for minute in self.minute:
                if (hour, minute, 59) < at:
                    continue
                for second in self.second:
                    if (hour, minute, second) >= at:
                        return moment.replace(hour=hour, minute=minute, second=second)
        return None


def parse_schedule(given: Mapping[str, str], place: str) -> Schedule:
    """Read a schedule.

    A field is a list of numbers and of ranges (``[1-5]``, the brackets may be left out), each with a step if one
    follows (``0/30``, ``*/5``); ``*`` is every value. A field that is left out matches every value, but the second:
    a schedule of hour and minute runs once then, as the standard's example of 1.05 in the morning does.

    Args:
        place: what names the schedule in errors.

    Raises:
        InputError: ``schedule_invalid``, ``schedule_never``.
    """
    for name in given:
        if name not in FIELDS:
            known = ", ".join(_RANGES)
            raise _refusal("schedule_invalid", f"no field {name[:40]!r}; known: {known}", place)
    if not given:
        raise _refusal("schedule_invalid", "a schedule needs a field at least", place)
    whole = {"second": "0"} | dict(given)
    values = {name: _values(name, whole.get(name, "*"), place) for name in _RANGES}
    schedule = Schedule(
        month=values["month"],
        day_of_month=values["dayOfMonth"],
        day_of_week=values["dayOfWeek"],
        hour=values["hour"],
        minute=values["minute"],
        second=values["second"],
    )
    schedule.next_after(0)
    return schedule


def _values(name: str, text: str, place: str) -> tuple[int, ...]:
    lowest, highest = _RANGES[name]
    pointer = f"{place}/{name}"
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise _refusal("schedule_invalid", f"over {PATTERN_CHARACTERS_MAX} characters", pointer)
    found: set[int] = set()
    for element in text.split(","):
        match = _ELEMENT.fullmatch(element.strip())
        if match is None or element.count("[") != element.count("]"):
            raise _refusal(
                "schedule_invalid", f"{element[:40]!r} is no number, [n-m] or *", pointer
            )
        first, last, step = _bounds(match, lowest, highest)
        if not lowest <= first <= last <= highest or step < 1:
            raise _refusal(
                "schedule_invalid", f"{element[:40]!r} is not within {lowest} to {highest}", pointer
            )
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))


def _bounds(match: re.Match[str], lowest: int, highest: int) -> tuple[int, int, int]:
    every, first, last, step = match.groups()
    if every:
        return lowest, highest, int(step or 1)
    if last:
        return int(first), int(last), int(step or 1)
    return int(first), highest if step else int(first), int(step or 1)


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0)


def _refusal(code: str, message: str, pointer: str | None = None) -> InputError:
    return InputError(code, f"the schedule is refused: {message}", pointer=pointer)
