"""The GS1 modulo-10 check digit.

Source: GS1 General Specifications, section 7.9.1.
"""

from __future__ import annotations

# the lower half of an ASCII digit's octet is the digit
_DIGITS = int.from_bytes(b"\x0f" * 56, "big")
_number = int.from_bytes


def check_digit(digits: str) -> str:
    """Return the digit that completes a key given without it.

    Args:
        digits: ASCII digits only, at most 56.
    """
    # The octets as one number, modulo 256 * 256 - 1: the sum of every second digit in its lower octet, that of the
    # others in its upper one; neither exceeds 28 * 9.
    sums = (_number(digits.encode(), "big") & _DIGITS) % 0xFFFF
    return "0123456789"[-(3 * (sums & 0xFF) + (sums >> 8)) % 10]


def has_check_digit(digits: str) -> bool:
    """Tell whether the last digit is the check digit of those before it."""
    return digits[-1] == check_digit(digits[:-1])
