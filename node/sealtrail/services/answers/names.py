"""What the places, parties and products in an answer are called, by the master data that this node holds.

For display: a name decides nothing, and is the word of whoever gave it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import islice

from sealtrail.epcis.masterdata import CBV_MDA, attribute_text
from sealtrail.gs1 import described_by
from sealtrail.store import masterdata
from sealtrail.store.masterdata import Version

NAMES_MAX = 1_000  # in one answer
# What is told, and the attributes of CBV 2.0 that say it, the first that is there.
_TOLD = {
    "name": (
        "regulatedProductName",
        "functionalName",
        "tradeItemDescription",
        "descriptionShort",
        "labelDescription",
        "name",
    ),
    "strength": ("strengthDescription",),
    "form": ("dosageFormType",),
    "pack_size": ("netContentDescription",),
    "manufacturer": ("manufacturerOfTradeItemPartyName",),
    "national_number": ("additionalTradeItemIdentification",),
    "street": ("streetAddressOne",),
    "postal_code": ("postalCode",),
    "city": ("city",),
    "state": ("state",),
    "country": ("countryCode",),
}


def names_of(
    connection: sqlite3.Connection, identifiers: Iterable[str], at_ms: int
) -> dict[str, dict[str, str]]:
    """Return identifier → what is told of it at a time; those of which nothing is known are left out.

    Args:
        identifiers: as they stand in the answer: URIs in any spelling, or a GLN's 13 digits.
    """
    wanted = {text: described_by(text) for text in islice(dict.fromkeys(identifiers), NAMES_MAX)}
    every = dict.fromkeys(each for candidates in wanted.values() for each in candidates)
    known = masterdata.load_nearest(connection, list(every), at_ms)
    told = {text: _told(candidates, known) for text, candidates in wanted.items()}
    return {text: each for text, each in told.items() if each}


def _told(candidates: Iterable[str], known: dict[str, list[Version]]) -> dict[str, str]:
    """Return what the candidates say, in their order: what the first leaves open the next may tell."""
    told: dict[str, str] = {}
    for candidate in candidates:
        for version in known.get(candidate, ()):
            for name, text in _of(version).items():
                told.setdefault(name, text)
    return told


def _of(version: Version) -> dict[str, str]:
    said: dict[str, str] = {}
    for attribute in version.element.attributes:
        if not isinstance(attribute.value, dict):
            said.setdefault(attribute.name, attribute_text(attribute.value).strip())
    found = {}
    for name, attributes in _TOLD.items():
        text = next((said[CBV_MDA + a] for a in attributes if said.get(CBV_MDA + a)), None)
        if text is not None:
            found[name] = text
    return found
