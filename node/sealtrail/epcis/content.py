"""Content: the bytes of one event that are sealed and kept.

RFC 8785 (JCS) of the event with its effective ``@context`` and without ``recordTime``. Nothing is folded:
two events that differ at all have different content.
"""

from __future__ import annotations

import re
from typing import Any

import orjson
import rfc8785

from sealtrail.epcis.strict_json import INTEGER_MAX, each_value
from sealtrail.errors import InputError

MEDIA_TYPE = "application/ld+json"
"""Media type of content that came in the JSON binding."""

# Where the fast encoder may differ from JCS: numbers with a fraction of zero or an exponent, and keys outside the
# basic plane (sorted by code point there, by UTF-16 here).
_ODD = rb"-?[0-9]+(?:\.0[,}\]]|(?:\.[0-9]+)?[eE])"
_odd_member, _odd_first, _odd_next = (
    re.compile(before + _ODD).search for before in (rb'":', rb"\[", rb",")
)
# the same wherever it stands, in text too: quick to look for, and rarely found
_whole_fraction = re.compile(rb"\.0[,}\]]").search
_exponent = re.compile(rb"e[+\-]?[0-9]+[,}\]]").search
# an exponent stands between digits and signs, all of them zeros here
_EXPONENT_FROM = 1e21  # ECMAScript writes an exponent from here on
_ZEROS = bytes.maketrans(b"123456789+-", b"00000000000")
_BEYOND_BASIC_PLANE = (b"\xf0", b"\xf1", b"\xf2", b"\xf3", b"\xf4")


def effective_context(document: Any, event: Any) -> Any:
    """Return the ``@context`` in force for an event: the document's, then the event's own."""
    if event is None:
        return document
    if document is None:
        return event
    outer = document if isinstance(document, list) else [document]
    inner = event if isinstance(event, list) else [event]
    return [*outer, *inner]


def encode_content(event: dict[str, Any], context: Any, *, plain: bool = False) -> bytes:
    """Return the content of an accepted event.

    Args:
        event: the event as JSON.
        context: its effective ``@context``; None if there is none.
        plain: :func:`is_plain` was true of the context and of all in the event but texts under standard names.
    """
    kept = event.copy()
    kept.pop("recordTime", None)
    if context is not None:
        kept["@context"] = context
    return orjson.dumps(kept, option=orjson.OPT_SORT_KEYS) if plain else encode_jcs(kept)


def is_plain(value: Any) -> bool:
    """Tell, of a value read strictly, that the fast encoder writes it as RFC 8785 does; False says nothing."""
    return not _may_differ(orjson.dumps(value))


def encode_jcs(value: Any) -> bytes:
    """Encode a JSON value by RFC 8785.

    Raises:
        InputError: ``json_number_inexact``, ``json_malformed`` for what JSON can't hold.
    """
    try:
        octets = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if not _may_differ(octets):
            return octets
        _refuse_wide(value)
        return rfc8785.dumps(value)
    except (rfc8785.IntegerDomainError, rfc8785.FloatDomainError) as error:
        raise InputError(
            "json_number_inexact", f"A number does not survive a double: {error}."
        ) from None
    except (rfc8785.CanonicalizationError, TypeError, ValueError) as error:
        raise InputError("json_malformed", f"Not canonical JSON: {error}.") from None


def _refuse_wide(value: Any) -> None:
    """Refuse a double that RFC 8785 writes as a whole number which no reader takes: it could not be read back."""
    for pointer, node in each_value(value):
        if isinstance(node, float) and is_wide(node):
            raise InputError(
                "json_number_inexact",
                f"The number {node!r} is whole and beyond what a double holds exactly.",
                pointer=pointer,
                advice="Give it as a string, or in a larger unit.",
            )


def is_wide(number: float) -> bool:
    """Tell whether RFC 8785 writes a double as a whole number beyond ±(2^53 - 1), without an exponent."""
    return INTEGER_MAX < abs(number) < _EXPONENT_FROM and number.is_integer()


def _may_differ(octets: bytes) -> bool:
    perhaps = _whole_fraction(octets) or (b"0e0" in octets.translate(_ZEROS) and _exponent(octets))
    if perhaps and (_odd_member(octets) or _odd_first(octets) or _odd_next(octets)):
        return True
    return not octets.isascii() and any(lead in octets for lead in _BEYOND_BASIC_PLANE)
