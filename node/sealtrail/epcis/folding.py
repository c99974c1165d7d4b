"""How the event hash writes one value: trimmed, numbers without padding, identifiers and words as web URIs.

Folding is what makes the hash no seal: ``007`` and ``7`` come out equal. :mod:`sealtrail.epcis.content` does not fold.

Source: CBV 2.0 section 8.9.3, rules 9 to 19, and the reference implementation as of July 2026.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache

from sealtrail.gs1.canonical import CHARACTERS_REMEMBERED_MAX as IDENTIFIER_CHARACTERS_MAX
from sealtrail.gs1.canonical import read_ordinary
from sealtrail.gs1.hash_form import hash_form

_IDENTIFIERS = ("urn:epc:", "http")
_URN_WORDS = (
    ("urn:epcglobal:cbv:bizstep:", "https://ref.gs1.org/cbv/BizStep-"),
    ("urn:epcglobal:cbv:disp:", "https://ref.gs1.org/cbv/Disp-"),
    ("urn:epcglobal:cbv:btt:", "https://ref.gs1.org/cbv/BTT-"),
    ("urn:epcglobal:cbv:sdt:", "https://ref.gs1.org/cbv/SDT-"),
    ("urn:epcglobal:cbv:er:", "https://ref.gs1.org/cbv/ER-"),
)
# 16,384 values of at most 1,024 characters: some 10 MB as events are, 40 MB at the worst
_REMEMBERED = 16_384
CHARACTERS_REMEMBERED_MAX = 1_024
"""Of a value that :func:`fold_remembered` may be asked for."""
_PRECISION = Context(prec=28)
# Written out in full, 1E-999999999 would take all memory there is; nobody measures beyond this.
_EXPONENT_MAX = 1_000


def fold(text: str) -> str:
    """Return a trimmed value as the event hash writes it."""
    if "urn:epcglobal:cbv:" in text:
        for urn, web in _URN_WORDS:
            text = text.replace(urn, web)
    if text.startswith(_IDENTIFIERS):
        return hash_form(text)
    head = text[:1]
    # Decimal reads digits of every script, signs, points and underscores
    if head in "+-._" or head.isdecimal():
        return fold_number(text)
    return text


fold_remembered = lru_cache(maxsize=_REMEMBERED)(fold)
"""Folds short values: places, parties and words come again from event to event."""


def fold_identifier(text: str) -> str:
    """Return what :func:`fold` does, sooner for an identifier in an ordinary spelling."""
    if len(text) <= IDENTIFIER_CHARACTERS_MAX and (ordinary := read_ordinary(text)):
        return ordinary
    return fold_remembered(text) if len(text) <= CHARACTERS_REMEMBERED_MAX else fold(text)


def fold_number(text: str) -> str:
    """Return a number without padding; any other text as it is."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > _EXPONENT_MAX:
        return text
    whole = number.to_integral_value()
    if number == whole:
        return str(whole)
    return format(number.normalize(_PRECISION), "f")


@lru_cache(maxsize=4_096)
def fold_time(text: str) -> str:
    """Return a valid time in UTC with three digits of fraction, halves rounded up."""
    if len(text) == 24 and text[23] == "Z" and text[10] == "T":
        return text
    moment = datetime.fromisoformat(text.upper())
    try:
        if moment.microsecond % 1000 == 0:
            return moment.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        whole = moment.replace(microsecond=0)
        rounded = whole.astimezone(UTC) + timedelta(milliseconds=(moment.microsecond + 500) // 1000)
    except OverflowError:
        return text
    return rounded.isoformat(timespec="milliseconds")[:-6] + "Z"


def has_long_fraction(text: str) -> bool:
    """Tell whether a valid time has more than three digits of fraction."""
    if len(text) <= 24:
        return False
    return text[19] == "." and text[20:24].isdigit()
