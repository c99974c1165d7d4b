"""What a database belongs to: one member's log on one chain. Written once, compared at every start."""

from __future__ import annotations

import sqlite3

import msgspec

from sealtrail.errors import ConflictError, NotFoundError
from sealtrail.signing import Domain


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Chain, registry and member that this log is for; ``item_salt`` is 32 secret random bytes."""

    chain_id: int
    genesis_hash: bytes
    registry: bytes
    member: bytes
    item_salt: bytes

    @property
    def domain(self) -> Domain:
        """What this member's signatures hold for."""
        return Domain(
            chain_id=self.chain_id, registry=self.registry, genesis_hash=self.genesis_hash
        )


def load_identity(connection: sqlite3.Connection) -> Identity | None:
    """Return the identity, or None in a database that was not initialised."""
    row = connection.execute(
        "SELECT chain_id, genesis_hash, registry, member, item_salt FROM identity"
    ).fetchone()
    if row is None:
        return None
    return Identity(
        chain_id=row[0], genesis_hash=row[1], registry=row[2], member=row[3], item_salt=row[4]
    )


def require_identity(connection: sqlite3.Connection) -> Identity:
    """Return the identity.

    Raises:
        NotFoundError: the database was not initialised (``identity_missing``).
    """
    stored = load_identity(connection)
    if stored is None:
        raise NotFoundError("identity_missing", "this database was not initialised")
    return stored


def save_identity(connection: sqlite3.Connection, identity: Identity) -> None:
    """Write the identity, once.

    Raises:
        ConflictError: there is one already (``identity_exists``).
    """
    if load_identity(connection) is not None:
        raise ConflictError("identity_exists", "this database belongs to a member already")
    connection.execute(
        "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?)",
        (
            identity.chain_id,
            identity.genesis_hash,
            identity.registry,
            identity.member,
            identity.item_salt,
        ),
    )


def check_identity(
    connection: sqlite3.Connection,
    *,
    chain_id: int,
    genesis_hash: bytes,
    registry: bytes,
    member: bytes,
) -> Identity:
    """Return the stored identity after comparing it with the configuration's and the chain's.

    Raises:
        NotFoundError: not initialised (``identity_missing``).
        ConflictError: another chain, registry or member (``identity_mismatch``).
    """
    stored = require_identity(connection)
    expected = {
        "chain_id": (stored.chain_id, chain_id),
        "genesis_hash": (stored.genesis_hash.hex(), genesis_hash.hex()),
        "registry": (stored.registry.hex(), registry.hex()),
        "member": (stored.member.hex(), member.hex()),
    }
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise ConflictError(
                "identity_mismatch",
                f"this database is for {name} {found}, the configuration or chain says {wanted}",
                pointer=name,
                advice="use the data directory that belongs to this chain and member",
            )
    return stored
