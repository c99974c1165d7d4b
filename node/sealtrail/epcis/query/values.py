"""Texts as numbers and times, where they are compared as such.

A lot number ``007`` is no number: what is one is written as JSON writes it. A date alone is the midnight in UTC at
which it begins, so that expiry dates can be compared with each other and with times.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime

from sealtrail.epcis.fields import epoch_us, moment_of

# As Python's repr and JSON's writers have it; exponents as long as a double needs.
_is_number = re.compile(
    r"-?(?:0|[1-9][0-9]{0,39})(?:\.[0-9]{1,60})?(?:[eE][+-][0-9]{1,3})?"
).fullmatch
_is_date = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}").fullmatch
_CHARACTERS_MAX = 108
_WHOLE_MAX = 2.0**53
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_US = 86_400_000_000


def number_text(text: str) -> str | None:
    """Return the text if it is a number, so that exact arithmetic may read it; else None."""
    return text if len(text) <= _CHARACTERS_MAX and _is_number(text) else None


def number_of(text: str) -> int | float | None:
    """Return the number that a text is; None if it is none, or beyond a double."""
    if number_text(text) is None:
        return None
    if text.lstrip("-").isdigit() and -(2**63) <= (whole := int(text)) < 2**63:
        return whole
    value = float(text)
    if math.isinf(value):
        return None
    return int(value) if value.is_integer() and abs(value) < _WHOLE_MAX else value


def time_of(text: str) -> int | None:
    """Return the microseconds since 1970 of a time with its offset, or of a date; None if it is neither."""
    if _is_date(text):
        try:
            return (date.fromisoformat(text).toordinal() - _EPOCH_DAY) * _DAY_US
        except ValueError:
            return None
    if not 20 <= len(text) <= 56 or text[10] not in "Tt":
        return None
    moment = moment_of(text)
    return None if moment is None else moment.epoch_us


def moment_us(text: str) -> int | None:
    """Return the same of a time as queries write it, which may leave out seconds or minutes."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else epoch_us(moment)
