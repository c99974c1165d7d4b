"""Leaf 0: the entry that ties a log to its chain, registry, member and item salt."""

from __future__ import annotations

import sqlite3
from hashlib import sha256

from sealtrail.errors import ConflictError
from sealtrail.services.integrity import committed_root
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
    genesis_document,
    items_root,
    references_root,
)
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, NewEntry, load_leaf


async def ensure_genesis(
    database: Database,
    log: LogStore,
    identity: Identity,
    *,
    signer: EventSigner,
    record_time_ms: int,
) -> None:
    """Append the genesis entry to an empty log; compare it with the identity in any other.

    Raises:
        ConflictError: leaf 0 is for another chain, registry, member or salt, or damaged (``genesis_mismatch``).
    """
    domain = identity.domain
    document = genesis_document(domain, identity.member, identity.item_salt)
    expected = disclosure_root(ZERO_SEED, sha256(document).digest(), NO_EVENT_HASH)

    def write(connection: sqlite3.Connection) -> None:
        first = load_leaf(connection, 0)
        if first is None:
            entry = _sign(domain, identity.member, expected, signer, record_time_ms)
            log.append(connection, [entry])
        elif committed_root(first) != expected:
            raise ConflictError(
                "genesis_mismatch",
                "the log's first entry is for another chain, registry, member or item salt",
                advice="use the data directory that belongs to this configuration",
            )

    await database.write(write)


def _sign(
    domain: Domain, member: bytes, root: bytes, signer: EventSigner, record_time_ms: int
) -> NewEntry:
    entry = Entry(
        kind=Kind.GENESIS,
        member=member,
        record_time_ms=record_time_ms,
        disclosure_root=root,
        items_root=items_root(()),
        references_root=references_root(()),
    )
    digest = entry_id(entry, domain)
    leaf = encode_leaf(SignedEntry(entry, signer.sign(digest)))
    return NewEntry(digest, leaf, ZERO_SEED, b"", b"")
