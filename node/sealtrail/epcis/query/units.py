"""Units of measure, and the one that each is compared in.

A query for ``GE_value_CEL`` finds what was measured in Fahrenheit: both are compared in kelvin, exactly. A code that
is not listed is compared with itself only.

Source: UN/CEFACT Recommendation 20 (codes and factors); EPCIS 2.0 section 8.2.7.1 (``GE_value_uom`` and its like).
"""

from __future__ import annotations

from fractions import Fraction

_POUND = Fraction("0.45359237")
_INCH = Fraction("0.0254")

# base unit → code → factor
_FACTORS: dict[str, dict[str, str | Fraction]] = {
    "kg": {
        "KGM": "1", "GRM": "1/1000", "MGM": "1/1000000", "MC": "1/1000000000", "HGM": "1/10", "CGM": "1/100000",
        "DG": "1/10000", "DJ": "1/100", "DTN": "100", "TNE": "1000", "LBR": _POUND, "ONZ": _POUND / 16,
        "STI": _POUND * 14, "STN": _POUND * 2000, "LTN": _POUND * 2240, "GRN": _POUND / 7000,
    },
    "m": {
        "MTR": "1", "DMT": "1/10", "CMT": "1/100", "MMT": "1/1000", "4H": "1/1000000", "C45": "1/1000000000",
        "A45": "10", "HMT": "100", "KMT": "1000", "INH": _INCH, "FOT": _INCH * 12, "YRD": _INCH * 36,
        "SMI": "1609.344", "NMI": "1852",
    },
    "m2": {
        "MTK": "1", "DMK": "1/100", "CMK": "1/10000", "MMK": "1/1000000", "KMK": "1000000", "ARE": "100",
        "HAR": "10000", "INK": _INCH**2, "FTK": (_INCH * 12) ** 2, "YDK": (_INCH * 36) ** 2,
    },
    "m3": {
        "MTQ": "1", "DMQ": "1/1000", "CMQ": "1/1000000", "MMQ": "1/1000000000", "LTR": "1/1000", "DLT": "1/10000",
        "CLT": "1/100000", "MLT": "1/1000000", "4G": "1/1000000000", "HLT": "1/10", "INQ": _INCH**3,
        "FTQ": (_INCH * 12) ** 3, "GLL": _INCH**3 * 231, "GLI": "0.00454609", "OZA": _INCH**3 * 231 / 128,
        "OZI": "0.0000284130625",
    },
    "s": {
        "SEC": "1", "C26": "1/1000", "B98": "1/1000000", "C47": "1/1000000000", "MIN": "60", "HUR": "3600",
        "DAY": "86400", "WEE": "604800",
    },
    "Pa": {
        "PAL": "1", "A97": "100", "KPA": "1000", "MPA": "1000000", "MBR": "100", "BAR": "100000", "ATM": "101325",
        "UA": Fraction(101325, 760), "HN": "133.322387415", "PS": _POUND * Fraction("9.80665") / _INCH**2,
    },
    "m/s": {
        "MTS": "1", "2M": "1/100", "C16": "1/1000", "KMH": "10/36", "HM": "0.44704", "KNT": "1852/3600",
        "FS": "0.3048",
    },
    "m/s2": {"MSK": "1", "K40": "9.80665"},
    "J": {"JOU": "1", "KJO": "1000", "3B": "1000000", "WHR": "3600", "KWH": "3600000"},
    "W": {"WTT": "1", "C31": "1/1000", "KWT": "1000", "MAW": "1000000"},
    "V": {"VLT": "1", "2Z": "1/1000", "KVT": "1000"},
    "A": {"AMP": "1", "4K": "1/1000", "B22": "1000"},
    "Ohm": {"OHM": "1", "B49": "1000", "B75": "1000000"},
    "Hz": {"HTZ": "1", "KHZ": "1000", "MHZ": "1000000", "A86": "1000000000"},
    "N": {"NEW": "1", "B47": "1000"},
    "lx": {"LUX": "1", "KLX": "1000"},
    "Bq": {"BQL": "1", "2Q": "1000", "GBQ": "1000000000", "CUR": "37000000000"},
    "Sv": {"D13": "1", "C28": "1/1000"},
    "kg/m3": {"KMQ": "1", "GL": "1", "23": "1000", "A93": "1/1000", "M1": "1/1000", "GP": "1/1000000"},
    "1": {"C62": "1", "P1": "1/100", "NX": "1/1000", "59": "1/1000000", "61": "1/1000000000"},
}  # fmt: skip
_ZERO = Fraction("459.67") * 5 / 9
_BASES: dict[str, tuple[str, Fraction, Fraction]] = {
    "KEL": ("K", Fraction(1), Fraction(0)),
    "CEL": ("K", Fraction(1), Fraction("273.15")),
    "FAH": ("K", Fraction(5, 9), _ZERO),
    "A48": ("K", Fraction(5, 9), Fraction(0)),  # degree Rankine
    **{
        code: (base, Fraction(factor), Fraction(0))
        for base, codes in _FACTORS.items()
        for code, factor in codes.items()
    },
}


def base_unit(code: str) -> str:
    """Return the unit that values of this one are compared in: itself, if it is not known here."""
    known = _BASES.get(code)
    return code if known is None else known[0]


def in_base_unit(number: str, code: str) -> int | float | None:
    """Return a decimal number, converted exactly and rounded once; None if it is beyond a double."""
    _, factor, offset = _BASES.get(code, (code, Fraction(1), Fraction(0)))
    exact = Fraction(number) * factor + offset
    try:
        return exact.numerator if _is_small(exact) else float(exact)
    except OverflowError:
        return None


def _is_small(exact: Fraction) -> bool:
    return exact.denominator == 1 and -(2**63) <= exact.numerator < 2**63
