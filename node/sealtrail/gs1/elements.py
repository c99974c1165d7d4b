"""Bracketed GS1 element strings: ``(01)04012345678901(21)A1(17)271231(10)L7``.

The AIs that identify items, and those that travel with them on a pack; a further one is refused by name.

Source: GS1 General Specifications, section 3.
"""

from __future__ import annotations

import re

from sealtrail.errors import InputError
from sealtrail.gs1.digital_link import KEY_FORMS, QUALIFIER_FORMS

_DATE = re.compile(r"[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])").fullmatch
_X90 = re.compile(r"[\x21-\x7e]{1,90}").fullmatch
_FORMS = {
    **KEY_FORMS,
    **QUALIFIER_FORMS,
    "01": re.compile(r"[0-9]{14}").fullmatch,
    "11": _DATE,
    "13": _DATE,
    "15": _DATE,
    "16": _DATE,
    "17": _DATE,
    "240": re.compile(r"[\x21-\x7e]{1,30}").fullmatch,
    **{f"71{n}": re.compile(r"[\x21-\x7e]{1,20}").fullmatch for n in range(6)},
    **{f"9{n}": _X90 for n in range(1, 10)},
}
_ELEMENT = re.compile(r"\(([0-9]{2,4})\)((?:[^(]|\((?![0-9]{2,4}\)))*)")
_LENGTH_MAX = 500


def parse_elements(text: str) -> dict[str, str]:
    """Split a bracketed element string into AI and value.

    Raises:
        InputError: ``identifier_malformed``, ``identifier_ai_unknown``, ``identifier_ai_repeated``,
            ``identifier_value_malformed``.
    """
    if len(text) > _LENGTH_MAX:
        raise InputError(
            "identifier_malformed", f"{len(text)} characters; {_LENGTH_MAX} are allowed."
        )
    elements: dict[str, str] = {}
    end = 0
    for match in _ELEMENT.finditer(text):
        if match.start() != end:
            break
        end = match.end()
        _add(elements, match[1], match[2])
    if end != len(text):
        raise InputError(
            "identifier_malformed",
            f"Expected elements as (AI)value, found {text[end : end + 20]!r} at character {end + 1}.",
        )
    return elements


def _add(elements: dict[str, str], ai: str, value: str) -> None:
    form = _FORMS.get(ai)
    if form is None:
        raise InputError("identifier_ai_unknown", f"({ai}) is not an element that names an item.")
    if not form(value):
        raise InputError(
            "identifier_value_malformed", f"({ai}) can not have the value {value[:100]!r}."
        )
    if elements.setdefault(ai, value) != value:
        raise InputError(
            "identifier_ai_repeated", f"({ai}) is there twice: {elements[ai]!r} and {value!r}."
        )
