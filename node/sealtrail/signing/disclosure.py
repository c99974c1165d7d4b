"""What the disclosure root of an event's entry is over, and how some of it is shown without the rest.

Two salted values: content hash and event hash; and the parts that :mod:`sealtrail.epcis.division` makes, each as a
salted hash of its own. The part of the items stands for the number and the root of a tree of its elements, salted too.
Who is shown a part is shown its salt, never the seed: what is withheld stays beyond guessing.

Source: docs/protocol.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from sealtrail.epcis import Division, Part, divide
from sealtrail.errors import VerificationError
from sealtrail.log.small_hash import sha256
from sealtrail.log.subset import covered_root
from sealtrail.log.tree import HASH_BYTES, leaf_hash, node_hash, root_hash
from sealtrail.signing.roots import SALT_BYTES, make_salts

PARTS_COUNT = len(Part)
# Numbers of the salts: of the two values, of the parts in their order, of the elements.
HASHES_SALT, PARTS_SALT, FIRST_PART_SALT = 0, 1, 2
FIRST_ELEMENT_SALT = FIRST_PART_SALT + PARTS_COUNT


class Shown(msgspec.Struct, frozen=True):
    """A part or an element with its number and its salt."""

    number: int
    salt: bytes
    value: bytes


class ShownItems(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the elements that name items, numbered from 0 of ``count``; ``salt`` is that of the part.

    ``hashes`` cover the elements that are not shown (:mod:`sealtrail.log.subset`).
    """

    salt: bytes
    count: int
    elements: tuple[Shown, ...] = ()
    hashes: tuple[bytes, ...] = ()


class ShownKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Where the keys of the shown items stand among the entry's ``count`` item keys, and what covers the others."""

    count: int
    indices: tuple[int, ...]
    hashes: tuple[bytes, ...]


class PartialContent(msgspec.Struct, frozen=True, kw_only=True):
    """What is shown of an event's content, under the entry's disclosure root; nothing of it is trusted.

    ``parts`` ascend by number and are those that are shown, the items excepted; ``withheld`` are the hashes of the
    others, in their order. ``salt`` is that of the value which these hashes make. ``hashes_leaf`` is the leaf hash of
    the other value: content hash and event hash are never shown, because with them a guess of what is withheld could
    be confirmed.
    ``keys`` is given where the log's item salt may be used to check what the entry is filed under.
    """

    hashes_leaf: bytes
    salt: bytes
    parts: tuple[Shown, ...]
    withheld: tuple[bytes, ...]
    items: ShownItems | None = None
    keys: ShownKeys | None = None


class Salted(msgspec.Struct, frozen=True):
    """All that an event's disclosure root is made from: salts, the parts with the items' last, and their hashes."""

    salts: Sequence[bytes]
    parts: tuple[bytes, ...]
    elements: tuple[bytes, ...]
    element_hashes: list[bytes]
    hashes: list[bytes]


def event_disclosure_root(
    seed: bytes,
    content: bytes,
    *,
    content_hash: bytes,
    event_hash: bytes,
    form: dict[str, Any] | None = None,
) -> bytes:
    """Return the disclosure root of an event's entry, from the content of an accepted event and its hashes.

    Args:
        form: the JSON form of a content in XML, if it is known.
    """
    salted = salt_parts(seed, divide(content, form))
    return node_hash(
        hashes_leaf(salted.salts, content_hash, event_hash),
        leaf_hash(salted.salts[PARTS_SALT] + b"".join(salted.hashes)),
    )


def hashes_leaf(salts: Sequence[bytes], content_hash: bytes, event_hash: bytes) -> bytes:
    """Return the leaf hash of the first value."""
    return leaf_hash(salts[HASHES_SALT] + content_hash + event_hash)


def salt_parts(seed: bytes, division: Division) -> Salted:
    """Return the parts of an event with their salts and hashes."""
    elements = division.elements
    salts = make_salts(seed, FIRST_ELEMENT_SALT + len(elements))
    element_hashes = _hash_each(salts[FIRST_ELEMENT_SALT:], elements)
    parts = (*division.parts, items_part(len(elements), root_hash(element_hashes)))
    hashes = _hash_each(salts[FIRST_PART_SALT:FIRST_ELEMENT_SALT], parts)
    return Salted(salts, parts, elements, element_hashes, hashes)


def items_part(count: int, root: bytes) -> bytes:
    """Return the part of the items: their number, which no proof binds, and their root."""
    return count.to_bytes(4, "big") + root


def _hash_each(salts: Iterable[bytes], values: Iterable[bytes]) -> list[bytes]:
    # RFC 9162's leaf hash, written out: there are many
    return [
        sha256(b"\x00" + salt + value).digest() for salt, value in zip(salts, values, strict=True)
    ]


def partial_root(partial: PartialContent) -> bytes:
    """Return the disclosure root that what is shown leads to.

    Raises:
        VerificationError: ``parts_malformed``, or a code of :func:`sealtrail.log.subset.covered_root`.
    """
    _require_form(partial)
    shown = {each.number: leaf_hash(each.salt + each.value) for each in partial.parts}
    items = partial.items
    if items is not None:
        leaves = {each.number: leaf_hash(each.salt + each.value) for each in items.elements}
        root = covered_root(items.count, leaves, items.hashes)
        shown[Part.ITEMS] = leaf_hash(items.salt + items_part(items.count, root))
    withheld = iter(partial.withheld)
    hashes = [shown[n] if n in shown else next(withheld) for n in range(PARTS_COUNT)]
    return node_hash(partial.hashes_leaf, leaf_hash(partial.salt + b"".join(hashes)))


def _require_form(partial: PartialContent) -> None:
    _require_ascending(partial.parts, Part.ITEMS)
    items = partial.items
    salts = [partial.salt, *(each.salt for each in partial.parts)]
    if items is not None:
        if not 0 <= items.count < 2**32:
            raise VerificationError("parts_malformed", f"{items.count} elements")
        _require_ascending(items.elements, items.count)
        salts += [items.salt, *(each.salt for each in items.elements)]
    if any(len(each) != SALT_BYTES for each in salts):
        raise VerificationError("parts_malformed", "a salt that is not of 32 bytes")
    if any(len(each) != HASH_BYTES for each in (partial.hashes_leaf, *partial.withheld)):
        raise VerificationError("parts_malformed", "a hash that is not of 32 bytes")
    given = len(partial.parts) + (items is not None) + len(partial.withheld)
    if given != PARTS_COUNT:
        raise VerificationError(
            "parts_malformed", f"{given} parts shown or withheld, of {PARTS_COUNT}"
        )


def _require_ascending(shown: tuple[Shown, ...], end: int) -> None:
    numbers = [-1, *(each.number for each in shown), end]
    if any(a >= b for a, b in pairwise(numbers)):
        raise VerificationError(
            "parts_malformed", f"numbers that do not ascend from 0 to {end - 1}"
        )
