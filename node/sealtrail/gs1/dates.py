"""Dates of two-digit years, as Application Identifiers have them.

Source: GS1 General Specifications, sections 3.4 (day 00) and 7.12 (century).
"""

from __future__ import annotations

import calendar
from datetime import date


def full_year(two_digits: int, year: int) -> int:
    """Return the year that two digits mean in ``year``: at most 50 years ahead and 49 back."""
    full = year - year % 100 + two_digits
    if full - year > 50:
        return full - 100
    return full + 100 if full - year < -49 else full


def last_day(year: int, month: int, day: int) -> date:
    """Return a date; day 0 is the month's last.

    Raises:
        ValueError: there is no such day.
    """
    return date(year, month, day or calendar.monthrange(year, month)[1])


def date_of(digits: str, today: date) -> date | None:
    """Return the day that YYMMDD means; None if it is none.

    Args:
        today: settles the century.
    """
    if len(digits) != 6 or not (digits.isascii() and digits.isdigit()):
        return None
    try:
        return last_day(full_year(int(digits[:2]), today.year), int(digits[2:4]), int(digits[4:]))
    except ValueError:
        return None
