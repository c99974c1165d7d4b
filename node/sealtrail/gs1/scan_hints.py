"""What may have gone wrong where a scan can't be read: hints for a person, never a correction."""

from __future__ import annotations

import re
from collections.abc import Callable

from sealtrail.errors import InputError

_DIGITS = str.maketrans({"O": "0", "o": "0", "I": "1", "l": "1", "i": "1"})
# what a US scanner's keystrokes become on a German keyboard, and a French one's digits without shift, and back
_GERMAN = str.maketrans(")=+üßzyZY", "()][-yzYZ")
_FRENCH = str.maketrans("à&é\"'(-è_ç", "0123456789")
_symbology = re.compile(r"[\]+][A-Za-z][0-9]").match
_HINTS = {
    "letter_for_digit": "There are letters where digits belong: O may be 0, and I or l may be 1.",
    "keyboard_layout": "It looks as if the scanner types for another keyboard layout than this computer has.",
    "letter_case": "It looks as if capitals and small letters were swapped: is caps lock on?",
}


def hints_for(text: str, reads: Callable[[str], bool]) -> list[str]:
    """Return what may be behind a text that can't be read: letter_for_digit, keyboard_layout, letter_case.

    Args:
        reads: tells whether a text can be read as a scan.
    """
    hints = [name for name, meant in _suspicions(text) if meant != text and reads(meant)]
    return list(dict.fromkeys(hints))


def with_hints(error: InputError, hints: list[str]) -> InputError:
    """Return the error with hints: sentences in its advice, codes as ``hints`` in its context."""
    advice = " ".join([_HINTS[hint] for hint in hints] + ([error.advice] if error.advice else []))
    return InputError(
        error.code,
        error.message,
        pointer=error.pointer,
        advice=advice,
        **{**error.context, "hints": hints},
    )


def _suspicions(text: str) -> list[tuple[str, str]]:
    found = []
    if text[:1].isdigit() or text[:1] in "Oo(]":
        found.append(("letter_for_digit", _digits_meant(text)))
    german = text.translate(_GERMAN)
    if _symbology(text) or text.startswith(")"):
        found.append(("keyboard_layout", german))
    if text[:1] in _FRENCH_DIGITS:
        found.append(("keyboard_layout", text.translate(_FRENCH)))
    if _symbology(text):
        found.append(("letter_case", text[0] + text[1:3].swapcase() + text[3:]))
    return found


_FRENCH_DIGITS = "à&é\"'è_ç"
_number = re.compile(
    r"(\((?:0[0-3]|4[01][0-9]|8003|8006|8017|8018)\)|\]..0[0-3]|^0[0-3]|^)([0-9OoIli]{8,18})"
)


def _digits_meant(text: str) -> str:
    return _number.sub(lambda match: match[1] + match[2].translate(_DIGITS), text, count=1)
