"""Leaf 0: the entry that ties a log to its chain, registry, member and item salt."""

from __future__ import annotations

import sqlite3

from sealtrail.errors import ConflictError
from sealtrail.services.integrity import committed_root
from sealtrail.services.own_log.plain_entries import plain_root, sign_plain_entry
from sealtrail.signing import ZERO_SEED, EventSigner, Kind, genesis_document
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, load_leaf


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
    expected = plain_root(document, ZERO_SEED)

    def write(connection: sqlite3.Connection) -> None:
        first = load_leaf(connection, 0)
        if first is None:
            entry = sign_plain_entry(
                Kind.GENESIS,
                document,
                seed=ZERO_SEED,
                domain=domain,
                member=identity.member,
                signer=signer,
                record_time_ms=record_time_ms,
            )
            log.append(connection, [entry])
        elif committed_root(first) != expected:
            raise ConflictError(
                "genesis_mismatch",
                "the log's first entry is for another chain, registry, member or item salt",
                advice="use the data directory that belongs to this configuration",
            )

    await database.write(write)
