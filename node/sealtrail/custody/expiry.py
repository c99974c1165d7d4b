"""Expiry dates: what was recorded or scanned, and whether it is past.

Through the last valid day, in the offset of whoever looks; day 00 is the month's last.
Source: GS1 General Specifications section 3.4.7 (AI 17) and 7.12 (century).
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from sealtrail.gs1.dates import date_of, last_day

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_expiry(text: str, today: date) -> date | None:
    """Return the last valid day of YYMMDD, YYYY-MM-DD or a date and time; None if it is none of these.

    Args:
        today: settles the century of a two-digit year, at most 50 years ahead and 49 back.
    """
    text = text.strip()
    if len(text) == 6:
        return date_of(text, today)
    try:
        if text[4:5] == "-" and text[7:8] == "-":
            return last_day(int(text[:4]), int(text[5:7]), int(text[8:10]))
    except ValueError:
        return None
    return None


def local_date(time_us: int, offset: str) -> date | None:
    """Return the day it is at ``time_us`` in a time zone offset such as ``+02:00``; None beyond the calendar."""
    try:
        moment = _EPOCH + timedelta(microseconds=time_us)
        return moment.astimezone(timezone(_offset(offset))).date()
    except (ValueError, OverflowError):
        return None


def _offset(offset: str) -> timedelta:
    if offset[:1] not in ("+", "-"):
        return timedelta(0)
    hours, _, minutes = offset[1:].partition(":")
    size = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return -size if offset[0] == "-" else size
