"""Element strings that came without any FNC1: what they can mean.

Keyboard-wedge scanners often swallow the control character that ends a value of variable length; what follows then
looks like more of that value. So a text without FNC1 is read in every way in which what packs bear could have been
joined, and one way only is believed.

A serial may well hold the digits of an AI by chance. Therefore another reading counts only if it says what the plain
one leaves out and a medicine's pack has: a date, or, where a date is told already, both lot and serial. The latter is
likely enough by chance that a scanner which announces its symbology is trusted to have sent what it read.
"""

from __future__ import annotations

from collections.abc import Iterator

from sealtrail.errors import InputError
from sealtrail.gs1.application_identifiers import (
    ApplicationIdentifier,
    ai_at,
    check_value,
    predefined_length,
)
from sealtrail.gs1.elements import Elements, encode_bracketed, parse_element_string

_DATES = frozenset({"11", "13", "15", "16", "17"})
_AFTER_A_CUT = frozenset({"10", "21", "710", "711", "712", "713", "714", "715", "716"}) | _DATES
_CANDIDATES_MAX = 8
_STEPS_MAX = 3_000
"""Values tried; more are needed by what nobody prints."""


def read_without_fnc1(text: str, *, from_scanner: bool) -> tuple[Elements, bool]:
    """Return the elements of a text without FNC1, and whether one had to be supposed.

    Args:
        from_scanner: it came with a symbology identifier.

    Raises:
        InputError: ``scan_ambiguous``; as :func:`parse_element_string`, if it can't be read at all.
    """
    try:
        plain = parse_element_string(text)
    except InputError as error:
        possible, cut_short = _readings(text)
        if not possible:
            raise
        readings = [r for r in possible if _tells_more(r, {}, from_scanner)] or possible
        if len(readings) > 1 or cut_short:
            raise _ambiguous(readings) from error
        return readings[0], True
    readings, cut_short = _readings(text)
    others = [r for r in readings if r != plain and _tells_more(r, plain, from_scanner)]
    if others or cut_short:
        raise _ambiguous([plain, *others])
    return plain, False


def _tells_more(reading: Elements, plain: Elements, from_scanner: bool) -> bool:
    if (reading.keys() - plain.keys()) & _DATES:
        return True
    return not from_scanner and bool(reading.keys() & _DATES) and {"10", "21"} <= reading.keys()


def _ambiguous(readings: list[Elements]) -> InputError:
    candidates = [encode_bracketed(r) for r in readings[:_CANDIDATES_MAX]]
    more = " and more" if len(readings) > _CANDIDATES_MAX else ""
    return InputError(
        "scan_ambiguous",
        f"No FNC1 divides this scan, and it can be read as {' or as '.join(candidates)}{more}.",
        advice="Set the scanner to transmit FNC1 (GS, ASCII 29), or type the elements with their brackets.",
        candidates=candidates,
    )


def _readings(text: str) -> tuple[list[Elements], bool]:
    """Every way to read the text that was found; and whether there may be others that were not tried."""
    steps = iter(range(_STEPS_MAX))
    found = list(_read_on(text, 0, {}, steps))
    return found, next(steps, None) is None


def _read_on(text: str, at: int, before: Elements, steps: Iterator[int]) -> Iterator[Elements]:
    if at == len(text):
        if before:
            yield before
        return
    entry = ai_at(text, at)
    if entry is None or entry.ai in before:
        return
    for end in _ends(text, at + len(entry.ai), entry):
        if next(steps, None) is None:
            return
        value = text[at + len(entry.ai) : end]
        if _holds(entry, value):
            yield from _read_on(text, end, {**before, entry.ai: value}, steps)


def _ends(text: str, start: int, entry: ApplicationIdentifier) -> Iterator[int]:
    """Where a value may end: where its length says, at the text's end, or before what else a pack bears."""
    length = predefined_length(entry.ai)
    if length is not None:
        if start + length <= len(text):
            yield start + length
        return
    if len(text) - start <= entry.characters_max:
        yield len(text)
    for end in range(start + 1, min(start + entry.characters_max, len(text) - 3) + 1):
        following = ai_at(text, end)
        if following is not None and following.ai in _AFTER_A_CUT:
            yield end


def _holds(entry: ApplicationIdentifier, value: str) -> bool:
    try:
        check_value(entry, value)
    except InputError:
        return False
    return True
