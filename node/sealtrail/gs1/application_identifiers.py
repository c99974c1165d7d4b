"""Application Identifiers: looked up, and values checked against them.

The table is compiled from :mod:`sealtrail.gs1.ai_rows` on first use.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache

import msgspec

from sealtrail.errors import InputError
from sealtrail.gs1.ai_rows import (
    LOGISTIC_MEASURES,
    PREDEFINED_LENGTHS,
    ROWS,
    SURFACE_WEIGHT,
    TRADE_MEASURES,
)
from sealtrail.gs1.ai_rules import RULES
from sealtrail.gs1.check_digit import check_digit

VALUE_CHARACTERS_MAX = 90
"""Of the value of any Application Identifier."""

Rule = tuple[int, str, Callable[[str], bool]]
"""Which component, by what name, and what must hold of it."""

_CHARACTERS = {
    "n": "[0-9]",
    "x": r"[!\"%&'()*+,\-./0-9:;<=>?A-Z_a-z]",
    "y": r"[#\-/0-9A-Z]",
    "z": r"[\-0-9=A-Z_a-z]",
}
_is_unknown_value = re.compile(rf"{_CHARACTERS['x']}{{1,{VALUE_CHARACTERS_MAX}}}").fullmatch


class ApplicationIdentifier(msgspec.Struct, frozen=True, kw_only=True):
    """One Application Identifier.

    ``needs``: groups of alternatives, each a tuple of AIs that count together; of each group one must be there.
    ``not_beside``: AIs, ``#`` for any digit. ``title``: the data title printed beside its value.
    """

    ai: str
    title: str
    form: Callable[[str], re.Match[str] | None]
    characters_max: int = VALUE_CHARACTERS_MAX
    rules: tuple[Rule, ...] = ()
    needs: tuple[tuple[tuple[str, ...], ...], ...] = ()
    not_beside: tuple[str, ...] = ()


def application_identifier(ai: str) -> ApplicationIdentifier | None:
    """Return a known Application Identifier, or None."""
    return _table().get(ai)


def any_application_identifier(ai: str) -> ApplicationIdentifier | None:
    """Return an Application Identifier, known or opaque; None if digits so begun can be none of that length."""
    if (known := _table().get(ai)) is not None:
        return known
    expected = _ai_lengths().get(ai[:2])
    if expected is not None and expected != len(ai):
        return None
    return ApplicationIdentifier(ai=ai, title="", form=_is_unknown_value)


def ai_at(text: str, at: int) -> ApplicationIdentifier | None:
    """Return the Application Identifier that an unbracketed text has at ``at``; None if there is none.

    One that is not known is returned if its length is: those that begin with the same two digits are equally long.
    """
    size = _ai_lengths().get(text[at : at + 2])
    ai = text[at : at + size] if size is not None else ""
    if not ai or len(ai) != size or not (ai.isascii() and ai.isdigit()):
        return None
    return any_application_identifier(ai)


def predefined_length(ai: str) -> int | None:
    """Return how many characters the value of an AI has that needs no FNC1 behind it; None of any other AI."""
    whole = PREDEFINED_LENGTHS.get(ai[:2])
    return None if whole is None else whole - len(ai)


def check_value(entry: ApplicationIdentifier, value: str) -> None:
    """Check a value against its Application Identifier.

    Raises:
        InputError: ``identifier_check_digit``, ``identifier_value_malformed`` (characters, length, or a rule such as
            that a month is none of 13; then its name is ``rule`` in the context).
    """
    match = entry.form(value)
    if match is None:
        raise InputError(
            "identifier_value_malformed", f"({entry.ai}) can not have the value {value[:100]!r}."
        )
    for component, name, holds in entry.rules:
        text = match[component]
        if text is not None and not holds(text):
            raise _broken(entry, value, text, name)


def check_check_digit(ai: str, value: str) -> None:
    """Check nothing but the check digit of a key, if it has one.

    Raises:
        InputError: ``identifier_check_digit``.
    """
    entry = _table().get(ai)
    match = entry and entry.form(value)
    if entry is None or not match:
        return
    for component, name, holds in entry.rules:
        if name == "check" and not holds(match[component]):
            raise _broken(entry, value, match[component], name)


def _broken(entry: ApplicationIdentifier, value: str, text: str, rule: str) -> InputError:
    if rule == "check":
        return InputError(
            "identifier_check_digit",
            f"({entry.ai}){value}: the check digit is {text[-1]}, {check_digit(text[:-1])} was expected.",
            advice="Look for a mistyped or swapped digit.",
        )
    return InputError(
        "identifier_value_malformed",
        f"({entry.ai}){value}: {text!r} breaks the rule {rule!r}.",
        rule=rule,
    )


@cache
def _table() -> dict[str, ApplicationIdentifier]:
    return {entry.ai: entry for entry in _entries()}


@cache
def _ai_lengths() -> dict[str, int]:
    """Length of an AI by its first two digits: no two that share these differ (section 3.2)."""
    return {ai[:2]: len(ai) for ai in _table()} | {"04": 2, "14": 2, "18": 2, "19": 2}


def _entries() -> Iterator[ApplicationIdentifier]:
    for row in ROWS.strip().splitlines():
        ais, form, title, *more = (cell.strip() for cell in row.split("|"))
        needs, not_beside = [*more, "", ""][:2]
        for ai in _range(ais):
            yield _entry(ai, form, title, needs, not_beside)
    for measures, needs in (
        (TRADE_MEASURES, "01,02"),
        (LOGISTIC_MEASURES, "00,01"),
        (SURFACE_WEIGHT, "01"),
    ):
        for kind, title in measures.items():
            for decimals in "012345":
                yield _entry(kind + decimals, "n6", title, needs, f"{kind}#")


def _range(ais: str) -> Iterator[str]:
    first, _, last = ais.partition("-")
    for number in range(int(first), int(last or first) + 1):
        yield f"{number:0{len(first)}}"


def _entry(ai: str, form: str, title: str, needs: str, not_beside: str) -> ApplicationIdentifier:
    fullmatch, characters_max, rules = _compile(form)
    return ApplicationIdentifier(
        ai=ai,
        title=title,
        form=fullmatch,
        characters_max=characters_max,
        rules=rules,
        needs=tuple(
            tuple(tuple(one.split("+")) for one in group.split(",")) for group in needs.split()
        ),
        not_beside=tuple(not_beside.split(",")) if not_beside else (),
    )


@cache
def _compile(form: str) -> tuple[Callable[[str], re.Match[str] | None], int, tuple[Rule, ...]]:
    pattern, characters_max, open_groups = "", 0, 0
    rules: list[Rule] = []
    for number, component in enumerate(form.split(), start=1):
        kind, *names = component.split(":")
        if kind.startswith("[") or open_groups:
            kind = kind.removeprefix("[")
            pattern, open_groups = pattern + "(?:", open_groups + 1
        size = kind[1:].removeprefix("..")
        count = size if kind[1:] == size else f"1,{size}"
        pattern += f"({_CHARACTERS[kind[0]]}{{{count}}})"
        characters_max += int(size)
        rules += [(number, name, RULES[name]) for name in names]
    return re.compile(pattern + ")?" * open_groups).fullmatch, characters_max, tuple(rules)
