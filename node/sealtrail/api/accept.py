"""Which of several media types a client would rather have (RFC 9110 section 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_WEIGHT = re.compile(r"\s*q\s*=\s*(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)\s*", re.IGNORECASE).fullmatch
_EXACT, _SUBTYPES, _ANYTHING = 2, 1, 0


@lru_cache(maxsize=256)
def choose(header: str, offered: tuple[str, ...]) -> str | None:
    """Return the offered media type that an ``Accept`` header weighs most, the first of equals; None: none at all.

    No header takes anything. A range's parameters other than its weight are passed over, and so is a weight that
    is none.
    """
    ranges = [each for each in header.lower().split(",") if each.strip()]
    if not ranges:
        return offered[0]
    weights = [_parse(each) for each in ranges]
    best, best_weight = None, 0.0
    for media_type in offered:
        weight = _weight(media_type, weights)
        if weight > best_weight:
            best, best_weight = media_type, weight
    return best


def _parse(media_range: str) -> tuple[str, float]:
    name, *parameters = media_range.split(";")
    for parameter in parameters:
        match = _WEIGHT(parameter)
        if match:
            return name.strip(), float(match[1])
    return name.strip(), 1.0


def _weight(media_type: str, weights: Sequence[tuple[str, float]]) -> float:
    """Return what the most specific range that names a media type weighs it."""
    closest, found = -1, 0.0
    for name, weight in weights:
        specific = _specific(name, media_type)
        if specific > closest:
            closest, found = specific, weight
    return found


def _specific(name: str, media_type: str) -> int:
    if name == media_type:
        return _EXACT
    if name == media_type.partition("/")[0] + "/*":
        return _SUBTYPES
    return _ANYTHING if name == "*/*" else -1
