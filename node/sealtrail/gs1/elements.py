"""GS1 element strings: AIs and their values, with FNC1 or in brackets, and what may stand beside what.

An element string is read to a ``dict`` of AI and value in its order. An AI that is not known keeps its value as it is,
where its length can be told; twice the same is once.

Source: GS1 General Specifications, sections 3, 4.13, 4.14 and 7.8.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sealtrail.errors import InputError
from sealtrail.gs1.application_identifiers import (
    ai_at,
    any_application_identifier,
    application_identifier,
    check_value,
    predefined_length,
)

Elements = dict[str, str]

FNC1 = "\x1d"
"""As scanners transmit it within a message."""
CHARACTERS_MAX = 500
"""Of an element string; a symbol holds fewer."""

_ELEMENT = re.compile(r"\(([0-9]{2,4})\)((?:[^(\\]|\\\(?|\((?![0-9]{2,4}\)))*)")
_bracketed_ai = re.compile(r"\((?=[0-9]{2,4}\))")
_BLANK = re.compile(r"[ \t\r\n\u00a0]+")
# a digital signature must be about one thing, which these are only with their serial (section 3.8.21)
_SIGNED_SERIALISED = {"253": 13, "255": 13, "8003": 14}


def parse_bracketed(text: str) -> Elements:
    r"""Read ``(01)04012345678901(21)A1``; blanks are none of it, and ``\(`` is a bracket of the value.

    Raises:
        InputError: ``identifier_malformed``, ``identifier_ai_unknown`` (an AI of an impossible length),
            ``identifier_ai_repeated``; as :func:`check_value`.
    """
    text = _BLANK.sub("", _limited(text))
    elements: Elements = {}
    end = 0
    for match in _ELEMENT.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        _add(elements, match[1], match[2].replace("\\(", "("))
    if end != len(text) or not elements:
        raise InputError(
            "identifier_malformed",
            f"Expected elements as (AI)value, found {text[end : end + 20]!r} at character {end + 1}.",
        )
    return elements


def parse_element_string(text: str) -> Elements:
    """Read what a symbol holds behind its first FNC1; a further FNC1 is :data:`FNC1`, and one at the end is harmless.

    Raises:
        InputError: as :func:`parse_bracketed`.
    """
    _limited(text)
    elements: Elements = {}
    at = 0
    while at < len(text):
        entry = ai_at(text, at)
        if entry is None:
            raise InputError(
                "identifier_ai_unknown" if text[at : at + 2].isdigit() else "identifier_malformed",
                f"Expected an Application Identifier at character {at + 1}, found {text[at : at + 20]!r}.",
            )
        start = at + len(entry.ai)
        end = _value_end(text, start, entry.ai)
        _add(elements, entry.ai, text[start:end])
        at = end + 1 if text[end : end + 1] == FNC1 else end
    if not elements:
        raise InputError("identifier_malformed", "There is no element in this element string.")
    return elements


def _value_end(text: str, start: int, ai: str) -> int:
    length = predefined_length(ai)
    if length is not None:
        return min(start + length, len(text))
    end = text.find(FNC1, start)
    return end if end >= 0 else len(text)


def encode_element_string(elements: Mapping[str, str], fnc1: str = FNC1) -> str:
    """Return elements as a symbol holds them behind its first FNC1."""
    parts, last = [], len(elements) - 1
    for number, (ai, value) in enumerate(elements.items()):
        ends_itself = number == last or predefined_length(ai) is not None
        parts.append(ai + value + ("" if ends_itself else fnc1))
    return "".join(parts)


def encode_bracketed(elements: Mapping[str, str]) -> str:
    r"""Return elements as people read them (HRI); a bracket of a value that looks like an AI's is ``\(``."""
    return "".join(f"({ai})" + _bracketed_ai.sub(r"\\(", value) for ai, value in elements.items())


def check_associations(elements: Mapping[str, str]) -> None:
    """Check that elements may stand beside each other on one thing, and that none lacks what it says something of.

    Raises:
        InputError: ``elements_contradictory``, ``element_missing``, ``element_unserialised``.
    """
    for ai in elements:
        entry = application_identifier(ai)
        if entry is None:
            continue
        for pattern in entry.not_beside:
            if other := next((o for o in elements if o != ai and _fits(o, pattern)), None):
                raise InputError(
                    "elements_contradictory", f"({ai}) and ({other}) can't be on one thing."
                )
        for group in entry.needs:
            if not any(all(_has(elements, one) for one in joined) for joined in group):
                wanted = " or ".join("+".join(f"({one})" for one in joined) for joined in group)
                raise InputError("element_missing", f"({ai}) says something of {wanted}.")
    if "8030" in elements:
        _check_signed(elements)


def _check_signed(elements: Mapping[str, str]) -> None:
    for ai, size in _SIGNED_SERIALISED.items():
        if len(elements.get(ai, "")) == size:
            raise InputError("element_unserialised", f"(8030) signs ({ai}) only with its serial.")


def _has(elements: Mapping[str, str], pattern: str) -> bool:
    return pattern in elements or ("#" in pattern and any(_fits(ai, pattern) for ai in elements))


def _fits(ai: str, pattern: str) -> bool:
    return ai == pattern or (
        len(ai) == len(pattern) and ai.startswith(pattern.rstrip("#")) and "#" in pattern
    )


def _limited(text: str) -> str:
    if len(text) > CHARACTERS_MAX:
        raise InputError(
            "identifier_malformed", f"{len(text)} characters; {CHARACTERS_MAX} are allowed."
        )
    return text


def _add(elements: Elements, ai: str, value: str) -> None:
    entry = any_application_identifier(ai)
    if entry is None:
        raise InputError("identifier_ai_unknown", f"({ai}) is no Application Identifier.")
    check_value(entry, value)
    if elements.setdefault(ai, value) != value:
        raise InputError(
            "identifier_ai_repeated", f"({ai}) is there twice: {elements[ai]!r} and {value!r}."
        )
