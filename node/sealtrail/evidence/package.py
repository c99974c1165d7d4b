"""The package: what one node sends another, as values. Its bytes are :mod:`sealtrail.evidence.container`'s."""

from __future__ import annotations

import msgspec

from sealtrail.evidence.record import EntryRecord
from sealtrail.signing import Domain


class PackageNetwork(msgspec.Struct, frozen=True, kw_only=True):
    """Which chain and contracts a package is about."""

    chain_id: int
    genesis_hash: bytes
    registry: bytes
    anchors: bytes

    @property
    def domain(self) -> Domain:
        """The domain that its entries are signed in."""
        return Domain(
            chain_id=self.chain_id, registry=self.registry, genesis_hash=self.genesis_hash
        )


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """Entries with their proofs, from one member to another.

    ``subjects`` are the ids of the entries that the package is about (a consignment's shipping events); the rest
    is their history. Items' salts stand with the records: one a member, the same in all of that member's.
    """

    network: PackageNetwork
    issuer: bytes
    recipient: bytes
    purpose: str  # such as "consignment"
    created_ms: int  # by the issuer's clock
    subjects: tuple[bytes, ...]
    entries: tuple[EntryRecord, ...]

    def records(self) -> tuple[EntryRecord, ...]:
        """Return what the verifier takes, one for each entry."""
        return self.entries


class ReceivedPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package and the key that signed it; whether the key is the issuer's is asked of the chain."""

    package: Package
    public_key: bytes
