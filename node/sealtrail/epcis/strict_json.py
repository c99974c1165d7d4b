"""JSON read so that one text has one meaning: what the usual decoders let pass is refused here.

Refused: repeated keys, lone surrogates, numbers that a double does not hold, NaN and Infinity, bytes that are
not UTF-8, nesting beyond any use. The fast decoder keeps the last of repeated keys silently; a count of keys
before and after finds that, and only then is the slow decoder asked for the place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import orjson

from sealtrail.errors import InputError, TooLargeError

# Up to 15 significant digits and two of exponent every decimal survives a double (IEEE 754).
_LONG = rb"-?(?:[0-9][0-9.]{15}|[0-9.]+[eE][+-]?[0-9]{3})"
# one pattern for each thing a number can follow: a fixed beginning makes the search quick
_LONG_NUMBERS = tuple(re.compile(before + _LONG).search for before in (rb'":', rb"\[", rb","))
_escaped_ascii = re.compile(rb"\\u00[0-7]").search
INTEGER_MAX = 2**53 - 1
"""Up to here a double holds every whole number."""
_BLANKS = b" \t\r\n"


def parse_json(octets: bytes, *, octets_max: int) -> Any:
    """Decode one JSON text.

    Raises:
        TooLargeError: ``document_too_large``.
        InputError: ``json_malformed``, ``json_not_utf8``, ``json_too_deep``, ``json_key_repeated``,
            ``json_lone_surrogate``, ``json_number_inexact``.
    """
    if len(octets) > octets_max:
        raise TooLargeError(
            "document_too_large", f"The document has {len(octets)} bytes; {octets_max} are allowed."
        )
    try:
        tree = orjson.loads(octets)
    except orjson.JSONDecodeError as error:
        _explain(octets, error)
    if _is_exact(octets, tree):
        return tree
    return _parse_slowly(octets)


def _is_exact(octets: bytes, tree: Any) -> bool:
    """Tell whether the tree encoded again is the text, but for blanks: no key repeated, no number rounded.

    False means: look closer.
    """
    try:
        encoded = orjson.dumps(tree, option=orjson.OPT_STRICT_INTEGER)
    except orjson.JSONEncodeError:
        try:
            orjson.dumps(tree)
        except orjson.JSONEncodeError:  # over 254 levels
            raise InputError("json_too_deep", "The document is nested too deeply.") from None
        return False  # an integer that a double does not hold
    if octets == encoded:
        return True
    # both texts lose the blanks inside strings as well: what is equal then has the same members
    given, encoded = octets.translate(None, _BLANKS), encoded.replace(b" ", b"")
    return given == encoded or _certainly_exact(given, encoded)


def _certainly_exact(given: bytes, encoded: bytes) -> bool:
    """Tell, from a text and its tree encoded again, both without blanks, that they have the same members.

    False means: look closer.
    """
    # of escapes by number, only those that can stand for a quote or a colon could hide a key or feign one
    if _escaped_ascii(given):
        return False
    if b"\\u" in given and given.isascii():
        # within strings, where alone they can stand, these escapes are what is left to differ as a rule
        given = given.decode("raw_unicode_escape").encode("utf-8", "surrogatepass")
        if given == encoded:
            return True
    # Every key shows as '":' in both texts; strings that contain that sequence count the same on both sides.
    if any(search(given) for search in _LONG_NUMBERS):
        return False
    return encoded.count(b'":') == given.count(b'":')


class _Repeated(dict[str, Any]):
    """An object that had a key twice."""

    key = ""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    tree = dict(pairs)
    if len(tree) == len(pairs):
        return tree
    repeated = _Repeated(tree)
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            repeated.key = key
            break
        seen.add(key)
    return repeated


class _Inexact(float):
    """A number that a double does not hold, in the place where it stood."""

    literal = ""


def _inexact(literal: str) -> _Inexact:
    number = _Inexact(0)
    number.literal = literal
    return number


def read_double(literal: str) -> float | None:
    """Return the double that a numeral stands for; None if no double is exactly that."""
    try:
        number, exact = float(literal), Decimal(literal)
    except InvalidOperation:  # an exponent of so many digits that not even a decimal holds it
        return None
    # the first test keeps numbers of a million digits from being compared
    if abs(exact.adjusted()) > 400 or exact != Decimal(repr(number)):
        return None
    return number


def _float(literal: str) -> float:
    number = read_double(literal)
    return _inexact(literal) if number is None else number


def _int(literal: str) -> int | float:
    if len(literal) > 17 or abs(int(literal)) > INTEGER_MAX:
        return _inexact(literal)
    return int(literal)


def _constant(literal: str) -> NoReturn:
    raise InputError("json_malformed", f"{literal} is no JSON.")


def _parse_slowly(octets: bytes) -> Any:
    try:
        tree = json.loads(
            octets,
            object_pairs_hook=_pairs,
            parse_float=_float,
            parse_int=_int,
            parse_constant=_constant,
        )
    except RecursionError:
        raise InputError("json_too_deep", "The document is nested too deeply.") from None
    except UnicodeDecodeError:
        raise InputError("json_not_utf8", "The document is not UTF-8.") from None
    except ValueError as error:
        raise InputError("json_malformed", f"Not JSON: {error}.") from None
    _refuse_marked(tree)
    return tree


def _refuse_marked(tree: Any) -> None:
    """Refuse a repeated key or an inexact number, with its pointer."""
    for pointer, node in each_value(tree):
        if isinstance(node, _Inexact):
            raise InputError(
                "json_number_inexact",
                f"The number {node.literal[:60]} does not survive a double.",
                pointer=pointer,
                advice="Give it as a string, or with fewer digits.",
            )
        if isinstance(node, _Repeated):
            raise InputError(
                "json_key_repeated",
                f"The key {node.key[:100]!r} stands twice in one object.",
                pointer=f"{pointer}/{escape_token(node.key)}",
            )


def each_value(tree: Any) -> Iterator[tuple[str, Any]]:
    """Yield each value of a tree of JSON with its pointer, a container before what is in it."""
    stack: list[tuple[str, Any]] = [("", tree)]
    while stack:
        pointer, node = stack.pop()
        yield pointer, node
        if isinstance(node, dict):
            stack.extend((f"{pointer}/{escape_token(key)}", child) for key, child in node.items())
        elif isinstance(node, list):
            stack.extend((f"{pointer}/{index}", child) for index, child in enumerate(node))


def escape_token(token: str) -> str:
    """Return a key as it stands in a JSON pointer (RFC 6901 section 3)."""
    return token.replace("~", "~0").replace("/", "~1")


def _explain(octets: bytes, error: orjson.JSONDecodeError) -> NoReturn:
    """Say why the decoder refused the text."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as fault:
        raise InputError(
            "json_not_utf8", f"The document is not UTF-8 at byte {fault.start}."
        ) from None
    reason = str(error)
    if "depth" in reason or "ecursion" in reason:
        raise InputError("json_too_deep", "The document is nested too deeply.") from None
    if "infinity" in reason:
        raise InputError("json_number_inexact", f"A number is no double: {reason}.") from None
    if "surrogate" in reason:
        raise InputError(
            "json_lone_surrogate", f"A string holds half a surrogate pair: {reason}."
        ) from None
    if text.startswith("\ufeff"):
        raise InputError(
            "json_malformed", "The document begins with a byte order mark; JSON has none."
        ) from None
    raise InputError("json_malformed", f"Not JSON: {reason}.") from None
