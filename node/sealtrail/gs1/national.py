"""National numbers of medicines: reimbursement numbers beside a GTIN, and product numbers that are none.

They are shown as they were scanned and looked up nowhere: whose they are and what they name, their agencies know.
A Pharmacy Product Number (PPN) of Germany holds a PZN, and so does the GTIN that IFA makes of the same PZN under its
own GS1 prefix (an NTIN): one product, one number, two spellings. Other agencies' PPNs have no GTIN.

Source: GS1 General Specifications, section 3.8.20 (AIs 710 to 717), and Healthcare GTIN Allocation Rules (NTIN); IFA
Coding System, PPN-Code Specification 2.01, section 4 and appendix B; ISO/IEC 15418 and 15434 (format 06).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sealtrail.errors import InputError
from sealtrail.gs1.application_identifiers import application_identifier, check_value
from sealtrail.gs1.check_digit import check_digit

NHRN_AIS = ("710", "711", "712", "713", "714", "715", "716", "717")
"""National Healthcare Reimbursement Numbers: Germany, France, Spain, Brazil, Portugal, USA, Italy, and one more."""

_PPN = re.compile(r"([0-9A-Z]{2})([0-9A-Z]{1,18})([0-9]{2})").fullmatch
_PZN_AGENCY = "11"
_IFA_PREFIX = "04150"
# GTIN-14s under prefixes that GS1 gave to agencies for their national numbers: name of the number, and its digits
_NTINS = (
    (re.compile(r"04150([0-9]{8})[0-9]").fullmatch, "PZN"),
    (re.compile(r"0(3400[0-9]{9})").fullmatch, "CIP"),
    (re.compile(r"0847000([0-9]{6})[0-9]").fullmatch, "CN"),
)
_identifier = re.compile(r"([0-9]{0,3}[A-Z])(.+)", re.DOTALL).fullmatch
# data identifiers that say what an Application Identifier does, and keep to its form; others are kept as they are
_AIS = {"8P": "01", "1T": "10", "S": "21", "D": "17"}


def parse_data_identifiers(fields: list[str]) -> dict[str, str]:
    """Read the fields of an ISO/IEC 15434 envelope of format 06 to data identifier and value.

    Raises:
        InputError: ``identifier_malformed``, ``identifier_value_malformed``, ``identifier_ai_repeated``,
            ``identifier_check_digit``.
    """
    found: dict[str, str] = {}
    for field in fields:
        match = _identifier(field)
        if match is None:
            raise InputError(
                "identifier_malformed", f"Expected a data identifier and its value: {field[:40]!r}."
            )
        name, value = match.groups()
        entry = application_identifier(_AIS.get(name, ""))
        if entry is not None:
            check_value(entry, value)
        if found.setdefault(name, value) != value:
            raise InputError(
                "identifier_ai_repeated",
                f"{name} is there twice: {found[name]!r} and {value!r}.",
            )
    if "9N" in found:
        check_ppn(found["9N"])
    return found


def check_ppn(ppn: str) -> None:
    """Check the two check digits of a Pharmacy Product Number.

    Raises:
        InputError: ``identifier_value_malformed``, ``identifier_check_digit``.
    """
    match = _PPN(ppn)
    if match is None:
        raise InputError("identifier_value_malformed", f"9N can not have the value {ppn[:100]!r}.")
    total = sum(ord(c) * weight for weight, c in enumerate(ppn[:-2], start=2))
    expected = f"{total % 97:02}"
    if expected != match[3]:
        raise InputError(
            "identifier_check_digit",
            f"9N{ppn}: the check digits are {match[3]}, {expected} was expected.",
            advice="Look for a mistyped or swapped digit.",
        )


def elements_of_data_identifiers(identifiers: Mapping[str, str]) -> dict[str, str]:
    """Return the GS1 elements that an envelope amounts to: a GTIN (its own, or its PZN's NTIN), lot, serial, expiry.

    Without a GTIN there is none of these: they would be of nothing.
    """
    elements = {_AIS[name]: value for name, value in identifiers.items() if name in _AIS}
    if "01" not in elements:
        ppn = _PPN(identifiers.get("9N", ""))
        if ppn is None or ppn[1] != _PZN_AGENCY or not _is_pzn(ppn[2]):
            return {}
        raw = _IFA_PREFIX + ppn[2]
        elements = {"01": raw + check_digit(raw), **elements}
    return elements


def national_number(gtin: str) -> tuple[str, str] | None:
    """Return name and digits of the national number that a GTIN-14 of an agency holds; None of other GTINs."""
    for fullmatch, name in _NTINS:
        if match := fullmatch(gtin):
            return name, match[1]
    return None


def _is_pzn(text: str) -> bool:
    return len(text) == 8 and text.isascii() and text.isdigit()
