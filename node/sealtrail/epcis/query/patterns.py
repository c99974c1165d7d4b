"""What ``MATCH_`` parameters take: identifiers in any spelling, and patterns of them.

A pattern becomes beginnings of canonical identifiers. A Digital Link does not tell where a company prefix ends, so
a pattern of a whole company (``urn:epc:idpat:sgtin:0614141.*.*``) means the digits, however an event splits them.

Source: EPCIS 2.0 section 8.2.7.1.1; Tag Data Standard 2.0 section 8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from sealtrail.epcis.query.conditions import ItemMatch, Pattern
from sealtrail.gs1 import canonical
from sealtrail.gs1.digital_link import DIGITAL_LINK

_PATTERN = "urn:epc:idpat:"
_HEAD = len(DIGITAL_LINK)
_LOTS = ("urn:epc:class:lgtin:", "urn:epc:classpat:lgtin:")
_ANY = "%2A"  # "*" in a canonical identifier
_digits = re.compile(r"[0-9]+").fullmatch
_LEADS = "0123456789"
# scheme → the AI of its key, what stands between the AI and the company prefix, and the key's size and what follows it
_WHOLE_COMPANY: dict[str, tuple[str, Iterable[str], int | None, str]] = {
    "sgtin": ("01/", _LEADS, 14, "/21/"),
    "upui": ("01/", _LEADS, 14, "/235/"),
    "itip": ("8006/", _LEADS, 18, "/21/"),
    "sscc": ("00/", _LEADS, None, ""),
    "sgln": ("414/", ("",), None, ""),
    "pgln": ("417/", ("",), None, ""),
    "grai": ("8003/", ("0",), None, ""),
    "giai": ("8004/", ("",), None, ""),
    "gsrn": ("8018/", ("",), None, ""),
    "gsrnp": ("8017/", ("",), None, ""),
    "gdti": ("253/", ("",), None, ""),
    "sgcn": ("255/", ("",), None, ""),
    "ginc": ("401/", ("",), None, ""),
    "gsin": ("402/", ("",), None, ""),
    "cpi": ("8010/", ("",), None, ""),
}  # fmt: skip
# what goes behind a class to make one thing of it
_SERIALS = {"upui": "/235/", "itip": "/21/", "cpi": "/8011/", "grai": "", "gdti": "", "sgcn": ""}


class _Wanted:
    def __init__(self) -> None:
        self.items: dict[str, None] = {}
        self.gtins: dict[str, None] = {}
        self.patterns: dict[Pattern, None] = {}


def read_match(values: Iterable[str], places: tuple[str, ...]) -> ItemMatch | None:
    """Return the condition that the event names one of these in one of the places.

    Args:
        values: identifiers, or patterns with ``*`` for each of their last components.

    Returns:
        None if a pattern has a ``*`` before a component.
    """
    of_classes = all("class" in place for place in places)
    wanted = _Wanted()
    for value in values:
        scheme, _, body = value[len(_PATTERN) :].partition(":")
        if value[: len(_PATTERN)].lower() == _PATTERN and body:
            parts = body.split(".")
            stars = len(parts) - len([part for part in parts if part != "*"])
            if "*" in parts[: len(parts) - stars]:
                return None
            _add_pattern(
                wanted, value, scheme.lower(), parts[: len(parts) - stars], stars, of_classes
            )
        else:
            _add_identifier(wanted, value)
    return ItemMatch(
        places=places,
        items=tuple(wanted.items),
        gtins=tuple(wanted.gtins),
        patterns=tuple(wanted.patterns),
    )


def _add_identifier(wanted: _Wanted, value: str) -> None:
    wanted.items[canonical(value)] = None
    # Of classes with a lot, and of links, the standard has no patterns: a last "*" is taken for one, and for itself.
    if value.startswith(_LOTS) and value.endswith(".*"):
        value = _LOTS[0] + value.rpartition("lgtin:")[2]
    elif not (value.endswith("/*") and value[:4].lower() == "http"):
        return
    item = canonical(value)
    if item.endswith(_ANY):
        wanted.patterns[Pattern(item.removesuffix(_ANY))] = None


def _add_pattern(
    wanted: _Wanted, value: str, scheme: str, parts: list[str], stars: int, of_classes: bool
) -> None:
    """Take in a pattern: its components before the stars, and how many stars there are."""
    whole = _WHOLE_COMPANY.get(scheme)
    if stars == 0:
        wanted.items[canonical(f"urn:epc:id:{scheme}:" + ".".join(parts))] = None
    elif whole is None:
        given = "".join(f"{part}." for part in parts)
        wanted.patterns[Pattern(f"urn:epc:id:{scheme}:{given}")] = None
    elif len(parts) <= 1:
        _add_company(wanted, scheme, parts[0] if parts else "", of_classes)
    elif of_classes:
        # in an event a class is written as a pattern itself, and only its own "*" matches that
        wanted.items[canonical(value)] = None
    else:
        _add_class(wanted, value, scheme, parts)


def _add_company(wanted: _Wanted, scheme: str, prefix: str, of_classes: bool) -> None:
    ai, leads, size, then = _WHOLE_COMPANY[scheme]
    if prefix and not _digits(prefix):
        return
    at = None if size is None else _HEAD + len(ai) + size
    ending = "" if of_classes else then
    for lead in leads if prefix else ("",):
        wanted.patterns[Pattern(DIGITAL_LINK + ai + lead + prefix, at, ending)] = None


def _add_class(wanted: _Wanted, value: str, scheme: str, parts: list[str]) -> None:
    if scheme == "sgln":
        place = canonical("urn:epc:id:sgln:" + ".".join([*parts, "0"]))
        wanted.items[place] = None
        wanted.patterns[Pattern(f"{place}/254/")] = None
        return
    if scheme == "itip" and len(parts) == 2:  # any piece of any number of pieces
        gtin = canonical(f"{_PATTERN}sgtin:{'.'.join(parts)}.*")[_HEAD + 3 :]
        wanted.patterns[Pattern(f"{DIGITAL_LINK}8006/{gtin}")] = None
        return
    stem = canonical(_PATTERN + value[len(_PATTERN) :])
    if stem == value:
        return  # malformed, or with more than one "*": no thing has such a name
    if scheme == "sgtin":
        wanted.gtins[stem[_HEAD + 3 :]] = None
    elif scheme in _SERIALS:
        wanted.patterns[Pattern(stem + _SERIALS[scheme])] = None
