"""What rows of master data are made of: an element as it is kept, what it is looked up by, what holds until when.

Functions of their arguments alone: who writes rows and who checks them use the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
import orjson

from sealtrail.epcis.masterdata import Attribute, VocabularyElement, attribute_text

Source: TypeAlias = Literal["put", "header"]


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Where master data comes from, and since when it holds; ``job_id`` is the capture job of a header."""

    source: Source
    member: bytes
    valid_from_ms: int
    recorded_ms: int
    job_id: str | None = None


class Begun(NamedTuple):
    """A version of an element, as far as it says which of them holds."""

    version: int
    valid_from_ms: int
    source: Source


def encode_element(element: VocabularyElement) -> str:
    """Return an element as it is kept: JSON in one form, so that equal texts say the same."""
    body: dict[str, Any] = {
        **element.more,
        "id": element.id,
        "attributes": [{"id": a.name, "attribute": a.value} for a in element.attributes],
        "children": list(element.children),
    }
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()


def decode_element(vocabulary: str, identifier: str, body: str) -> VocabularyElement:
    """Return an element that :func:`encode_element` has written."""
    members = orjson.loads(body)
    return VocabularyElement(
        vocabulary=vocabulary,
        id=members.pop("id"),
        canonical=identifier,
        attributes=tuple(
            Attribute(each["id"], each["attribute"]) for each in members.pop("attributes")
        ),
        children=tuple(members.pop("children")),
        more=members,
    )


def version_digest(vocabulary: str, identifier: str, body: str, statement: Statement) -> bytes:
    """Return the SHA-256 over all of a version but its number and until when it holds, so that damage is seen."""
    packed = msgspec.json.encode((vocabulary, identifier, body, statement))
    return sha256(packed).digest()


def child_rows(version: int, element: VocabularyElement) -> list[tuple[int, str]]:
    """Return a version's rows of ``version_child``."""
    return [(version, child) for child in element.children]


def attribute_rows(version: int, element: VocabularyElement) -> list[tuple[int, str, str]]:
    """Return a version's rows of ``version_attribute``; what is said twice alike is one row."""
    named = dict.fromkeys((a.name, attribute_text(a.value)) for a in element.attributes)
    return [(version, *each) for each in named]


def ends_of(versions: Iterable[Begun]) -> dict[int, int | None]:
    """Return until when each version of one element holds: its own beginning if it never does, None if for ever.

    What was put holds over what headers say. Of either, from any time on, the one that begins latest does, and of
    these the one that was recorded last.
    """
    ends: dict[int, int | None] = {}
    standing: Begun | None = None
    for each in sorted(versions, key=lambda v: (v.valid_from_ms, v.version)):
        if standing is not None and (standing.source, each.source) == ("put", "header"):
            ends[each.version] = each.valid_from_ms
            continue
        if standing is not None:
            ends[standing.version] = each.valid_from_ms
        ends[each.version] = None
        standing = each
    return ends
