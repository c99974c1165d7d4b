"""Digital Link URIs read and written strictly: every element that one states, in path and query.

:mod:`sealtrail.gs1.digital_link` asks what a link *identifies* and is lenient, since what was recorded names what it
names. Here a link is held to the standard: order of qualifiers, values, attributes that have no place in a query.
Compressed links are not read.

Source: GS1 Digital Link Standard: URI Syntax, release 1.4, sections 4 and 5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, unquote_to_bytes

from sealtrail.errors import InputError
from sealtrail.gs1.application_identifiers import (
    application_identifier,
    check_value,
    predefined_length,
)
from sealtrail.gs1.digital_link import DIGITAL_LINK, SHORT_NAMES
from sealtrail.gs1.elements import Elements

# Primary keys, and the sequences of qualifiers that each may have
_QUALIFIERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "00": (),
    "01": (("22", "10", "21"), ("235",)),
    "253": (),
    "255": (),
    "401": (),
    "402": (),
    "414": (("254",), ("7040",)),
    "415": (("8020",),),
    "417": (("7040",),),
    "8003": (),
    "8004": (("7040",),),
    "8006": (("22", "10", "21"),),
    "8010": (("8011",),),
    "8013": (),
    "8017": (("8019",),),
    "8018": (("8019",),),
}
PRIMARY_KEYS = tuple(_QUALIFIERS)
"""Application Identifiers that a Digital Link may begin with."""

# They qualify or carry addresses, and say nothing in a query.
_NO_ATTRIBUTES = frozenset(
    {"03", "21", "22", "235", "254", "7040", "7041", "8011", "8014", "8019", "8020", "8200"}
)
_GTIN_SIZES = (8, 12, 13)
_uri = re.compile(
    r"(?i:https?)://([A-Za-z0-9\-.:\[\]]+)(/[^?#]*)(?:\?([^#]*))?(?:#.*)?", re.ASCII
).fullmatch
_URI_CHARACTERS = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*").fullmatch
_looks_like_ai = re.compile(r"[0-9]{2,4}").fullmatch


def parse_link(uri: str) -> Elements:
    """Return all elements of a Digital Link: key, qualifiers, then the attributes of its query.

    Raises:
        InputError: ``link_malformed`` (no Digital Link), ``link_qualifiers_disordered``, ``link_attribute_misplaced``,
            ``identifier_ai_unknown``, ``identifier_ai_repeated``; as :func:`check_value`.
    """
    match = _uri(uri) if _URI_CHARACTERS(uri) else None
    if match is None:
        raise InputError("link_malformed", f"{uri[:100]!r} is no http or https URI.")
    elements = _path_elements(match[2])
    path = tuple(elements)
    for ai, value in _attributes(match[3] or ""):
        if ai in elements:
            raise InputError("identifier_ai_repeated", f"({ai}) is there twice.")
        _check_attribute(ai, path)
        _add(elements, ai, value)
    return elements


def encode_link(elements: Mapping[str, str], stem: str = DIGITAL_LINK) -> str:
    """Return the Digital Link of elements: the first key and its qualifiers as path, all others as query.

    Args:
        stem: what stands before the key; a slash at its end is optional.

    Raises:
        InputError: ``link_without_key``, ``link_attribute_misplaced``, ``identifier_ai_unknown``.
    """
    key = next((ai for ai in elements if ai in _QUALIFIERS), None)
    if key is None:
        raise InputError("link_without_key", "No element is a key that a Digital Link begins with.")
    path = tuple(path_of({key: elements[key], **elements}))
    attributes = [ai for ai in elements if ai not in path]
    for ai in attributes:
        _check_attribute(ai, (key,) if any(ai in s for s in _QUALIFIERS[key]) else path)
    attributes.sort(key=lambda ai: predefined_length(ai) is None)
    query = "&".join(f"{ai}={_escape(elements[ai])}" for ai in attributes)
    link = stem.rstrip("/") + encode_path({ai: elements[ai] for ai in path})
    return f"{link}?{query}" if query else link


def encode_path(path: Mapping[str, str]) -> str:
    """Return a key and its qualifiers, in their order, as the path of a Digital Link."""
    return "".join(f"/{ai}/{_escape(value)}" for ai, value in path.items())


def path_of(elements: Mapping[str, str]) -> Elements:
    """Return the key and the qualifiers that the elements of a link have in its path."""
    key = next(iter(elements))
    sequence = next((s for s in _QUALIFIERS[key] if any(ai in elements for ai in s)), ())
    return {key: elements[key]} | {ai: elements[ai] for ai in sequence if ai in elements}


def _path_elements(path: str) -> Elements:
    segments = path.split("/")[1:]
    pairs: list[tuple[str, str]] = []
    # from the right, as long as pairs are an AI and a value; the key stands as far right as it can
    while len(segments) >= 2:
        *segments, name, value = segments
        ai = SHORT_NAMES.get(name, name)
        if application_identifier(ai) is None:
            break
        pairs.insert(0, (ai, value))
        if ai in _QUALIFIERS:
            return _in_order(pairs)
    raise InputError("link_malformed", f"No GS1 key and its value end the path {path[:100]!r}.")


def _in_order(pairs: list[tuple[str, str]]) -> Elements:
    key, names = pairs[0][0], [ai for ai, _ in pairs[1:]]
    ordered = any(names == [ai for ai in s if ai in names] for s in ((), *_QUALIFIERS[key]))
    if not ordered:
        raise InputError(
            "link_qualifiers_disordered",
            f"({key}) can't have the qualifiers {', '.join(f'({ai})' for ai in names)} in this order.",
        )
    elements: Elements = {}
    for ai, value in pairs:
        _add(elements, ai, _unescape(value))
    return elements


def _attributes(query: str) -> Iterator[tuple[str, str]]:
    for part in query.split("&"):
        name, equals, value = part.partition("=")
        if equals and _looks_like_ai(name):
            if application_identifier(name) is None:
                raise InputError(
                    "identifier_ai_unknown", f"{name} is no Application Identifier that is known."
                )
            yield name, _unescape(value.replace("+", " "))


def _check_attribute(ai: str, path: tuple[str, ...]) -> None:
    """Check that an element may stand in the query: no attribute of it, and no place for it in the path."""
    if application_identifier(ai) is None:
        raise InputError("identifier_ai_unknown", f"({ai}) is no attribute that is known.")
    fits_path = any(
        set(path[1:]) <= set(sequence) and ai in sequence for sequence in _QUALIFIERS[path[0]]
    )
    if ai in _NO_ATTRIBUTES or fits_path:
        raise InputError(
            "link_attribute_misplaced", f"({ai}) can't stand in the query of this Digital Link."
        )


def _add(elements: Elements, ai: str, value: str) -> None:
    entry = application_identifier(ai)
    if ai == "01" and len(value) in _GTIN_SIZES:
        value = value.zfill(14)
    if entry is not None:
        check_value(entry, value)
    elements[ai] = value


def _unescape(text: str) -> str:
    # Latin-1 keeps each octet a character: what no GS1 character set has is then refused with its value
    return unquote_to_bytes(text).decode("latin-1")


def _escape(value: str) -> str:
    return quote(value, safe="-._~")
