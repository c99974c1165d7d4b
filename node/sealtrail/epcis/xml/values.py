"""Values of the standard's elements and attributes in XML, as the JSON binding writes them.

Source: EPCIS 2.0 section 9 (types), CBV 2.0 section 7 (the spellings of a standard word).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from sealtrail.epcis import vocabulary
from sealtrail.epcis.content import is_wide
from sealtrail.epcis.strict_json import INTEGER_MAX, read_double
from sealtrail.epcis.vocabulary import Vocabulary
from sealtrail.epcis.xml.places import BLANKS
from sealtrail.errors import InputError

_NUMBER_CHARACTERS_MAX = 400
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch
_is_number = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?").fullmatch
_old_cbv = re.compile(r"https?://ns\.gs1\.org/cbv/").match
_old_voc = re.compile(r"https?://(?:www\.)?gs1\.org/voc/").match


def word_of(words: Vocabulary, urn: str = "") -> Callable[[str], str]:
    """Return what gives a word as JSON has it: bare if it is a standard one, else as a URI.

    Args:
        urn: what the vocabulary's URNs begin with. Those that CBV 2.0 no longer knows become its web URIs, as they do
            in the event hash.
    """
    known = words.words
    web = next(iter(words.web_uris.values())).rpartition("-")[0] + "-" if urn else ""

    def read(text: str) -> str:
        word = known.get(text)
        if word is not None:
            return word
        if urn and text.startswith(urn):
            return web + text[len(urn) :]
        if text.startswith("http"):
            for old, now in ((_old_cbv, vocabulary.CBV), (_old_voc, vocabulary.VOC)):
                if (found := old(text)) is not None:
                    text = now + text[found.end() :]
            return known.get(text, text)
        return text

    return read


BIZ_STEP = word_of(vocabulary.BIZ_STEP, "urn:epcglobal:cbv:bizstep:")
DISPOSITION = word_of(vocabulary.DISPOSITION, "urn:epcglobal:cbv:disp:")
TRANSACTION = word_of(vocabulary.BIZ_TRANSACTION_TYPE, "urn:epcglobal:cbv:btt:")
PARTY = word_of(vocabulary.SOURCE_DEST_TYPE, "urn:epcglobal:cbv:sdt:")
REASON = word_of(vocabulary.ERROR_REASON, "urn:epcglobal:cbv:er:")


def event_id(text: str) -> str:
    """Return an event's id as the URI that it has to be: a bare UUID, which the schemas let pass, is its URN's.

    Source: RFC 9562 section 4.
    """
    return f"urn:uuid:{text}" if _is_uuid(text) else text


def read_number(text: str) -> float:
    """Read an ``xsd:decimal`` or ``xsd:double``: a whole number if it is one.

    Raises:
        InputError: ``type_mismatch``, ``json_number_inexact``: a double does not hold it.
    """
    if len(text) > _NUMBER_CHARACTERS_MAX or not _is_number(text):
        raise InputError("type_mismatch", f"Expected a number, found {text[:60]!r}.")
    number = read_double(text)
    if number is None or is_wide(number):
        raise InputError(
            "json_number_inexact",
            f"The number {text[:60]} does not survive a double.",
            advice="Give it with fewer digits.",
        )
    return int(number) if number.is_integer() and abs(number) <= INTEGER_MAX else number


def read_boolean(text: str) -> bool:
    """Read an ``xsd:boolean``.

    Raises:
        InputError: ``type_mismatch``.
    """
    found = {"true": True, "1": True, "false": False, "0": False}.get(text)
    if found is None:
        raise InputError("type_mismatch", f"Expected true or false, found {text[:60]!r}.")
    return found


_REPORT: dict[str, Callable[[str], str | float | bool]] = {
    "type": word_of(vocabulary.MEASUREMENT),
    "exception": word_of(vocabulary.SENSOR_ALERT),
    "component": word_of(vocabulary.COMPONENT),
    "booleanValue": read_boolean,
    **dict.fromkeys(
        ("value", "minValue", "maxValue", "meanValue", "sDev", "percRank", "percValue"), read_number
    ),
}


def report_value(name: str, text: str) -> str | float | bool:
    """Return the value of an attribute of a sensor report or of sensor metadata."""
    read = _REPORT.get(name)
    return text if read is None else read(text.strip(BLANKS))
