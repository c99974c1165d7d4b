"""Entries that the node makes by itself, about no event: genesis, and what its index says."""

from __future__ import annotations

from hashlib import sha256

from sealtrail.signing import (
    NO_EVENT_HASH,
    ZERO_SEED,
    Domain,
    Entry,
    EventSigner,
    Kind,
    SignedEntry,
    disclosure_root,
    encode_leaf,
    entry_id,
    items_root,
    references_root,
)
from sealtrail.store.log import NewEntry


def open_disclosure(content: bytes) -> bytes:
    """Return the disclosure root of content that has nothing to hide: under a seed that everybody knows."""
    return disclosure_root(ZERO_SEED, (sha256(content).digest(), NO_EVENT_HASH))


def sign_node_entry(
    kind: Kind,
    content: bytes,
    *,
    domain: Domain,
    member: bytes,
    signer: EventSigner,
    record_time_ms: int,
) -> NewEntry:
    """Return a signed entry with this content, no items and no references."""
    entry = Entry(
        kind=kind,
        member=member,
        record_time_ms=record_time_ms,
        disclosure_root=open_disclosure(content),
        items_root=items_root(()),
        references_root=references_root(()),
    )
    digest = entry_id(entry, domain)
    leaf = encode_leaf(SignedEntry(entry, signer.sign(digest)))
    return NewEntry(digest, leaf, ZERO_SEED, b"", b"")
