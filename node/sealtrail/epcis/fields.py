"""The plain kinds of field: URIs, times, words, numbers, lists. Each reader takes JSON and refuses with a code.

A reader does not know where its value stands; whoever walks adds that with :func:`located`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeVar

from sealtrail.epcis.events import Timestamp
from sealtrail.epcis.limits import URI_CHARACTERS_MAX
from sealtrail.epcis.strict_json import escape_token
from sealtrail.epcis.vocabulary import Vocabulary
from sealtrail.errors import InputError, TooLargeError
from sealtrail.gs1.canonical import CHARACTERS_REMEMBERED_MAX as IDENTIFIER_MAX
from sealtrail.gs1.canonical import read_ordinary
from sealtrail.gs1.packs import PACKS_MIN, read_packs

T = TypeVar("T")

_C = r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~:/?@!$&'()*+,;=]*)*"
# RFC 3986; brackets only around an IP literal
_URI = rf"[A-Za-z][A-Za-z0-9+.\-]*:(?://(?:[^\s/@\[\]]*@)?\[[0-9A-Fa-f:.]+\])?{_C}(?:#{_C})?"
_is_uri = re.compile(_URI).fullmatch
_is_time = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,30})?(?:[Zz]|[+\-][0-9]{2}:[0-9]{2})"
).fullmatch
_is_offset = re.compile(r"[+\-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00)").fullmatch
# 19 of date and time, 31 of a fraction, 6 of an offset
_TIME_CHARACTERS_MAX = 56
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# GS1's schema keeps the old spellings of its own words out of the places for other people's
_OLD_CBV = re.compile(r"urn:epcglobal:cbv|https?://ns\.gs1\.org/cbv/").match
_OLD_VOC = re.compile(r"https?://(?:www\.)?gs1\.org/voc/").match


def located(error: InputError, token: str | int) -> InputError:
    """Add one step, from outside, to the pointer of an error under way."""
    step = str(token) if isinstance(token, int) else escape_token(token)
    error.pointer = f"/{step}{error.pointer or ''}"
    return error


def is_uri(text: str) -> bool:
    """Tell whether the text is an absolute URI (RFC 3986) that is not too long."""
    return len(text) <= URI_CHARACTERS_MAX and _is_uri(text) is not None


def refuse_type(expected: str, value: Any) -> InputError:
    """Return the error for a value of the wrong JSON type."""
    kinds = {
        dict: "an object",
        list: "a list",
        str: "a string",
        bool: "true or false",
        type(None): "null",
    }
    found = kinds.get(type(value), "a number")
    return InputError("type_mismatch", f"Expected {expected}, found {found}.")


def read_text(value: Any) -> str:
    """Read a string."""
    if not isinstance(value, str):
        raise refuse_type("a string", value)
    return value


def read_uri(value: Any) -> str:
    """Read an absolute URI."""
    if not isinstance(value, str):
        raise refuse_type("a URI", value)
    if len(value) > URI_CHARACTERS_MAX:
        raise TooLargeError(
            "uri_too_long",
            f"{value[:100]!r}… has {len(value)} characters; {URI_CHARACTERS_MAX} are allowed.",
        )
    if not _is_uri(value):
        raise InputError("uri_malformed", f"{value[:100]!r} is no absolute URI.")
    return value


def read_identifier(value: Any) -> str:
    """Read an absolute URI that names a thing, a place or a party: most often an identifier of GS1."""
    # an ordinary one is a well-formed URI, and who hashes the event asks for it next
    if isinstance(value, str) and len(value) <= IDENTIFIER_MAX and read_ordinary(value) is not None:
        return value
    return read_uri(value)


def read_uris(value: Any) -> tuple[str, ...]:
    """Read a list of URIs; repeats are the caller's matter."""
    if not isinstance(value, list):
        raise refuse_type("a list of URIs", value)
    if len(value) >= PACKS_MIN and all(isinstance(uri, str) for uri in value):
        # packs read in one go are well-formed URIs
        uris = tuple(value)
        if read_packs(uris) is not None:
            return uris
    return read_list(value, read_identifier)


def read_distinct_uris(value: Any) -> tuple[str, ...]:
    """Read a list of URIs without repeats."""
    return _distinct(read_uris(value))


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) == len(items):
        return items
    seen: set[str] = set()
    for index, item in enumerate(items):
        if item in seen:
            raise located(
                InputError("item_repeated", f"{item[:100]!r} stands in the list before."), index
            )
        seen.add(item)
    return items


def read_list(value: Any, read: Callable[[Any], T]) -> tuple[T, ...]:
    """Read a list with one reader for all its elements."""
    if not isinstance(value, list):
        raise refuse_type("a list", value)
    items: list[T] = []
    try:
        for element in value:
            items.append(read(element))
    except InputError as error:
        raise located(error, len(items)) from None
    return tuple(items)


def read_time(value: Any) -> Timestamp:
    """Read a point in time with its offset (RFC 3339)."""
    if not isinstance(value, str):
        raise refuse_type("a time", value)
    moment = moment_of(value) if len(value) <= _TIME_CHARACTERS_MAX else None
    if moment is None:
        raise InputError(
            "time_malformed",
            f"{value[:60]!r} is no time with date and offset, such as 2026-01-31T12:00:00.000+01:00.",
        )
    return moment


@lru_cache(maxsize=4_096)
def moment_of(text: str) -> Timestamp | None:
    """Return a point in time with its offset (RFC 3339); None if the text is none.

    Events of a document are often of one moment: it is remembered.
    """
    if not _is_time(text):
        return None
    try:
        return Timestamp(text, epoch_us(datetime.fromisoformat(text.upper())))
    except (ValueError, OverflowError):
        return None


def epoch_us(moment: datetime) -> int:
    """Return the microseconds since 1970-01-01T00:00Z of a time with its offset."""
    return (moment - _EPOCH) // _MICROSECOND


def read_offset(value: Any) -> str:
    """Read an offset from UTC such as ``+01:00``."""
    if not isinstance(value, str):
        raise refuse_type("an offset", value)
    if not _is_offset(value):
        raise InputError("offset_malformed", f"{value[:60]!r} is no offset such as +01:00.")
    return value


def read_number(value: Any) -> str:
    """Read a number as its decimal text."""
    # a truth value is none
    if type(value) is not int and type(value) is not float:
        raise refuse_type("a number", value)
    return repr(value)


def word_reader(vocabulary: Vocabulary) -> Callable[[Any], str]:
    """Return the reader for a word of a standard vocabulary, or someone's own URI in its place."""
    words, known = vocabulary.words, vocabulary.web_uris
    refused = _OLD_VOC if vocabulary.name in ("measurement type", "sensor alert") else _OLD_CBV

    def read(value: Any) -> str:
        if not isinstance(value, str):
            raise refuse_type(f"a {vocabulary.name}", value)
        if value in known:
            return value
        if is_uri(value) and not refused(value):
            return words.get(value, value)
        raise InputError(
            "word_unknown",
            f"{value[:100]!r} is neither a standard {vocabulary.name} nor a URI of one's own.",
        )

    return read
