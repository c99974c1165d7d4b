"""An event's content in parts, so that some can be shown without the others, and back.

Each part is the RFC 8785 form of an object with those members of the content that belong to it, as they are there;
a part without members is no bytes. What names items is divided further: each element of a list is a piece of its own.

Source: docs/protocol.md section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

import msgspec
import orjson

from sealtrail.epcis.content import encode_jcs
from sealtrail.epcis.limits import DEFAULT
from sealtrail.epcis.strict_json import parse_json
from sealtrail.epcis.xml import read_event_content
from sealtrail.errors import InputError


class Part(IntEnum):
    """What is shown or withheld as a whole; the numbers are their places in what is signed."""

    CORE = 0
    PARTIES = 1
    DOCUMENTS = 2
    MASTER_DATA = 3
    REST = 4
    ITEMS = 5


# In the order in which their elements stand.
ITEM_LISTS = (
    "epcList", "childEPCs", "quantityList", "childQuantityList", "inputEPCList", "inputQuantityList",
    "outputEPCList", "outputQuantityList",
)  # fmt: skip
_CORE = (
    "@context", "type", "eventTime", "eventTimeZoneOffset", "eventID", "action", "bizStep", "disposition",
    "persistentDisposition", "readPoint", "bizLocation", "parentID", "transformationID", "certificationInfo",
    "errorDeclaration",
)  # fmt: skip
_PARTIES = ("sourceList", "destinationList")
_LIST_NUMBERS = {name: number for number, name in enumerate(ITEM_LISTS)}
# An extension is part of the rest; a list of items stays in the core where it has no elements.
_PART_OF: dict[str, Part | None] = {
    **dict.fromkeys((*_CORE, *ITEM_LISTS), Part.CORE),
    **dict.fromkeys(_PARTIES, Part.PARTIES),
    "bizTransactionList": Part.DOCUMENTS,
    "ilmd": Part.MASTER_DATA,
    "recordTime": None,  # no content has it
}
# The same for the hot path, which an enumeration's members would slow down.
_IN_CORE = frozenset(_CORE)
_PLACES = {name: int(part) for name, part in _PART_OF.items() if part}
_REST = int(Part.REST)


class Division(msgspec.Struct, frozen=True):
    """A content divided: the bytes of each part before the items, and those of each element that names one."""

    parts: tuple[bytes, ...]
    elements: tuple[bytes, ...]


def divide(content: bytes, form: dict[str, Any] | None = None) -> Division:
    """Divide the content of an accepted event; what came in XML (it begins with ``<``) in its JSON form.

    Args:
        form: the JSON form of a content in XML, if it is known.

    Raises:
        InputError: ``json_malformed``, it is none at all; one that was accepted is always divided.
    """
    if content.startswith(b"<"):
        return _divided((form or read_event_content(content).form).copy(), encode_jcs)
    try:
        core: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError("json_malformed", f"Not JSON: {error}.") from None
    if not isinstance(core, dict):
        raise InputError("json_malformed", "Content is an object.")
    # What is written back unchanged is so in each of its parts.
    return _divided(core, orjson.dumps if orjson.dumps(core) == content else encode_jcs)


def _divided(core: dict[str, Any], encode: Callable[[Any], bytes]) -> Division:
    """Divide an event, which is taken apart."""
    apart = [
        name for name in core if name not in _IN_CORE and (core[name] or name not in _LIST_NUMBERS)
    ]
    members: list[dict[str, Any]] = [core, {}, {}, {}, {}]
    lists: dict[str, list[Any]] = {}
    for name in apart:
        value = core.pop(name)
        if name in _LIST_NUMBERS:
            lists[name] = value
        else:
            members[_PLACES.get(name, _REST)][name] = value
    return Division(
        tuple([encode(each) if each else b"" for each in members]),
        tuple(_elements(lists, encode)),
    )


def _elements(lists: dict[str, list[Any]], encode: Callable[[Any], bytes]) -> list[bytes]:
    found: list[bytes] = []
    names = sorted(lists, key=_LIST_NUMBERS.__getitem__) if len(lists) > 1 else lists
    for name in names:
        head = b'{"' + name.encode() + b'":'
        found += [head + encode(element) + b"}" for element in lists[name]]
    return found


def join(parts: Mapping[Part, bytes], elements: Sequence[bytes]) -> dict[str, Any]:
    """Return what these parts and elements say of an event, as JSON: all of its content if they are all of it.

    Args:
        parts: those before the items. What is not shown is left out; a part without members is no bytes.
        elements: those that are shown, in their order.

    Raises:
        InputError: ``part_malformed``: not as :func:`divide` makes them; or as for any JSON.
    """
    event: dict[str, Any] = {}
    for part, octets in parts.items():
        if octets:
            event.update(_members(part, octets))
    lists = _lists(elements)
    if not event.keys().isdisjoint(lists):
        raise InputError("part_malformed", "A list has elements, and is said to have none.")
    return event | lists


def _lists(elements: Iterable[bytes]) -> dict[str, list[Any]]:
    lists: dict[str, list[Any]] = {}
    last = 0
    for octets in elements:
        name, element = _element(octets)
        if _LIST_NUMBERS[name] < last:
            raise InputError("part_malformed", f"{name} stands behind a list that follows it.")
        last = _LIST_NUMBERS[name]
        lists.setdefault(name, []).append(element)
    return lists


def _members(part: Part, octets: bytes) -> dict[str, Any]:
    tree = _parse(octets)
    for name, value in tree.items():
        if _PART_OF.get(name, Part.REST) is not part:
            raise InputError("part_malformed", f"{name[:100]!r} is none of {part.name.lower()}.")
        if name in _LIST_NUMBERS and value != []:
            raise InputError("part_malformed", f"{name} has elements, which stand by themselves.")
    return tree


def _element(octets: bytes) -> tuple[str, Any]:
    tree = _parse(octets)
    name = next(iter(tree))
    if len(tree) != 1 or name not in _LIST_NUMBERS:
        raise InputError("part_malformed", f"{name[:100]!r} is no list of items.")
    return name, tree[name]


def _parse(octets: bytes) -> dict[str, Any]:
    tree = parse_json(octets, octets_max=DEFAULT.content_bytes_max)
    if not isinstance(tree, dict) or not tree or encode_jcs(tree) != octets:
        raise InputError("part_malformed", "No object with members in canonical form (RFC 8785).")
    return tree
