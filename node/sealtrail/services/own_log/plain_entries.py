"""Entries of the own log that are about no event: they name no items and refer to nothing."""

from __future__ import annotations

from hashlib import sha256

from sealtrail.signing import (
    NO_EVENT_HASH,
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


def plain_root(content: bytes, seed: bytes) -> bytes:
    """Return the disclosure root of content that is no event."""
    return disclosure_root(seed, sha256(content).digest(), NO_EVENT_HASH)


def sign_plain_entry(
    kind: Kind,
    content: bytes,
    *,
    seed: bytes,
    domain: Domain,
    member: bytes,
    signer: EventSigner,
    record_time_ms: int,
) -> NewEntry:
    """Return a signed entry of that kind over content that is no event."""
    entry = Entry(
        kind=kind,
        member=member,
        record_time_ms=record_time_ms,
        disclosure_root=plain_root(content, seed),
        items_root=items_root(()),
        references_root=references_root(()),
    )
    digest = entry_id(entry, domain)
    return NewEntry(digest, encode_leaf(SignedEntry(entry, signer.sign(digest))), seed, b"", b"")
