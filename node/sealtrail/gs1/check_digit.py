"""The GS1 modulo-10 check digit.

Source: GS1 General Specifications, section 7.9.1.
"""

from __future__ import annotations

_ZERO = ord("0")


def check_digit(digits: str) -> str:
    """Return the digit that completes a key given without it.

    Args:
        digits: ASCII digits only, any length.
    """
    octets = digits.encode()
    weighted = 3 * sum(octets[::-2]) + sum(octets[-2::-2])
    # every octet is 48 above its digit: 3 for each odd place from the right, 1 for each even one
    surplus = _ZERO * (3 * ((len(octets) + 1) // 2) + len(octets) // 2)
    return "0123456789"[(surplus - weighted) % 10]


def has_check_digit(digits: str) -> bool:
    """Tell whether the last digit is the check digit of those before it."""
    return digits[-1] == check_digit(digits[:-1])
