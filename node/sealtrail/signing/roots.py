"""The three roots that an entry carries: over what it discloses, the items it names and the entries it refers to.

Source: docs/protocol.md sections 4 and 5; RFC 9162 section 2.1.1 for the trees.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from hashlib import shake_256
from struct import Struct

import msgspec

from sealtrail.epcis.records import ItemMention
from sealtrail.errors import InputError
from sealtrail.log.small_hash import sha256
from sealtrail.log.tree import EMPTY_ROOT, leaf_hash, node_hash, root_hash

SEED_BYTES = 32
SALT_BYTES = 32
ZERO_SEED = bytes(SEED_BYTES)  # of entries that have nothing to hide: genesis, index, padding
NO_EVENT_HASH = bytes(32)  # disclosure leaf 1 where the content is no event
REFERENCE_BYTES = 33
_PACKS = "#packs"  # no canonical identifier of a lot has a fragment


class Relation(IntEnum):
    """What a reference to another entry means."""

    CORRECTS = 1  # an error declaration, the entry of the event that it declares
    RECEIVES = 2  # a received entry, the sender's entry


class Reference(msgspec.Struct, frozen=True):
    """Another entry, of whichever log, that this one refers to."""

    relation: Relation
    entry_id: bytes


def disclosure_root(
    seed: bytes, content_hash: bytes, event_hash: bytes, part_hashes: Sequence[bytes] = ()
) -> bytes:
    """Return the root over two salted values: the hashes of the whole content, and those of an event's parts.

    Args:
        seed: the entry's 32 random bytes; without them nobody confirms a guess of a value.
        event_hash: :data:`NO_EVENT_HASH` where the content is no event; there are no parts then.
    """
    hashes_salt, parts_salt = make_salts(seed, 2)
    return node_hash(
        leaf_hash(hashes_salt + content_hash + event_hash),
        leaf_hash(parts_salt + b"".join(part_hashes)),
    )


_SALTS = Struct(f"{SALT_BYTES}s").iter_unpack


def make_salts(seed: bytes, count: int) -> list[bytes]:
    """Return the first salts that a seed gives; one that is shown tells neither the seed nor another.

    Source: FIPS 202 section 6.2, SHAKE256.
    """
    stream = shake_256(seed).digest(SALT_BYTES * count)
    return [salt for (salt,) in _SALTS(stream)]


def item_key(item_salt: bytes, canonical: str, *, packs: bool = False) -> bytes:
    """Return what the item index files an item under, from its canonical identifier.

    Args:
        packs: the item is a lot, and its packs are meant: where events name it beside each of them.
    """
    named = canonical + _PACKS if packs else canonical
    return sha256(item_salt + named.encode()).digest()


def item_keys(item_salt: bytes, mentions: Iterable[ItemMention]) -> list[bytes]:
    """Return the distinct keys of the items that an event names, ascending.

    A lot named beside its packs has another key than a lot named by itself: else the complete list of what concerns
    the lot as a whole would be as long as that of its packs.
    """
    names = {each.item + _PACKS if each.place == "lot" else each.item for each in mentions}
    return sorted([sha256(item_salt + name.encode()).digest() for name in names])


def items_root(item_keys: Iterable[bytes]) -> bytes:
    """Return the root over the distinct item keys, which need be neither sorted nor distinct here."""
    keys = sorted(set(item_keys))
    return root_hash(map(leaf_hash, keys)) if keys else EMPTY_ROOT


def references_root(references: Sequence[Reference]) -> bytes:
    """Return the root over the references, in their order."""
    if not references:
        return EMPTY_ROOT
    return root_hash(leaf_hash(encode_reference(each)) for each in references)


def encode_reference(reference: Reference) -> bytes:
    """Return a reference's 33 bytes: relation, entry id."""
    return bytes((reference.relation,)) + reference.entry_id


def encode_references(references: Iterable[Reference]) -> bytes:
    """Return references joined, 33 bytes each."""
    return b"".join(map(encode_reference, references))


def parse_references(data: bytes) -> tuple[Reference, ...]:
    """Read joined references.

    Raises:
        InputError: ``references_malformed``, ``relation_unknown``.
    """
    if len(data) % REFERENCE_BYTES:
        raise InputError("references_malformed", f"{len(data)} bytes are no multiple of 33")
    parts = (data[at : at + REFERENCE_BYTES] for at in range(0, len(data), REFERENCE_BYTES))
    return tuple(_parse_reference(part) for part in parts)


def _parse_reference(data: bytes) -> Reference:
    try:
        relation = Relation(data[0])
    except ValueError:
        raise InputError("relation_unknown", f"relation {data[0]}") from None
    return Reference(relation, data[1:])
