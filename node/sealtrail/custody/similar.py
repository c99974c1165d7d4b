"""Identifiers that look or type like another: for a hint, never for a silent correction.

What scanners and keyboards confuse: letter case (caps lock, a scanner set to capitals), O and 0, I, l and 1,
and Y and Z (a scanner that types for another keyboard layout).
"""

from __future__ import annotations

from sealtrail.gs1 import item_of

_ALIKE = {"O": "0", "o": "0", "0": "O", "I": "1", "l": "1", "1": "I", "i": "1"}
_LAYOUT = str.maketrans("YZyz", "ZYzy")
_VARIANTS_MAX = 64


def similar_items(identifier: str) -> tuple[str, ...]:
    """Return canonical identifiers of packs whose serial could be meant by this one's; nothing else is varied."""
    item = item_of(identifier)
    if item.scheme != "sgtin" or not item.serial:
        return ()
    head, _, written = item.canonical.rpartition("/21/")
    variants = dict.fromkeys(_variants(written))
    variants.pop(written, None)
    return tuple(f"{head}/21/{serial}" for serial in list(variants)[:_VARIANTS_MAX])


def _variants(serial: str) -> list[str]:
    whole = [serial.upper(), serial.lower(), serial.swapcase(), serial.translate(_LAYOUT)]
    zeros = [serial.replace("O", "0").replace("o", "0"), serial.replace("0", "O")]
    ones = [
        serial.replace("I", "1").replace("l", "1"),
        serial.replace("1", "I"),
        serial.replace("1", "l"),
    ]
    single = [
        serial[:at] + _ALIKE[letter] + serial[at + 1 :]
        for at, letter in enumerate(serial)
        if letter in _ALIKE
    ]
    upper = [each.upper() for each in (*zeros, *ones, *single)]
    return [*whole, *zeros, *ones, *single, *upper]
