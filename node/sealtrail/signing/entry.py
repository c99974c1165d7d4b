"""Entries: what a member signs for one event, and the digest that is signed.

The EIP-712 encoding is written out for the one struct there is; the tests compare it with eth_account's.

Source: EIP-712; docs/protocol.md section 5.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cached_property

import msgspec
from sha3 import keccak_256

from sealtrail.errors import InputError

ENTRY_VERSION = 1
DIGEST_BYTES = 32
ADDRESS_BYTES = 20

_DOMAIN_TYPE = keccak_256(
    b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
).digest()
_ENTRY_TYPE = keccak_256(
    b"Entry(uint8 version,uint8 kind,address member,uint64 recordTime,"
    b"bytes32 disclosureRoot,bytes32 itemsRoot,bytes32 referencesRoot)"
).digest()
_NAME = keccak_256(b"Sealtrail").digest()
_VERSION = keccak_256(b"1").digest()
_ENTRY_PREFIX = _ENTRY_TYPE + ENTRY_VERSION.to_bytes(32, "big")


class Kind(IntEnum):
    """What an entry is about; the numbers are the leaf's second byte."""

    GENESIS = 1
    EVENT = 2
    RECEIVED = 3
    IMPORTED = 4
    RECEIPT = 5
    NOTICE = 6
    INDEX = 7
    AUDIT_DIGEST = 8
    PADDING = 9


EVENT_KINDS = frozenset(
    {Kind.EVENT, Kind.RECEIVED, Kind.IMPORTED}
)  # their content is an EPCIS event


class Domain(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The network that a signature is for: no other network takes it."""

    chain_id: int
    registry: bytes  # address of the member registry
    genesis_hash: bytes  # hash of the chain's block 0

    def __post_init__(self) -> None:
        if len(self.registry) != ADDRESS_BYTES or len(self.genesis_hash) != DIGEST_BYTES:
            raise InputError(
                "domain_malformed",
                f"registry of {len(self.registry)} bytes, genesis hash of {len(self.genesis_hash)}",
            )
        if not 0 < self.chain_id < 2**63:
            raise InputError("domain_malformed", f"chain id {self.chain_id}")

    @cached_property
    def separator(self) -> bytes:
        """The EIP-712 domain separator."""
        separator: bytes = keccak_256(
            _DOMAIN_TYPE
            + _NAME
            + _VERSION
            + self.chain_id.to_bytes(32, "big")
            + self.registry.rjust(32, b"\x00")
            + self.genesis_hash
        ).digest()
        return separator


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is signed. ``record_time_ms`` in milliseconds since 1970-01-01T00:00Z; roots of 32 bytes."""

    kind: Kind
    member: bytes
    record_time_ms: int
    disclosure_root: bytes
    items_root: bytes
    references_root: bytes


class SignedEntry(msgspec.Struct, frozen=True):
    """An entry and the signature over its id, 65 bytes ``r || s || v``; not checked by being here."""

    entry: Entry
    signature: bytes


def entry_id(entry: Entry, domain: Domain) -> bytes:
    """Return the entry's EIP-712 digest: its id, and what is signed."""
    struct_hash = keccak_256(
        _ENTRY_PREFIX
        + entry.kind.to_bytes(32, "big")
        + entry.member.rjust(32, b"\x00")
        + entry.record_time_ms.to_bytes(32, "big")
        + entry.disclosure_root
        + entry.items_root
        + entry.references_root
    ).digest()
    digest: bytes = keccak_256(b"\x19\x01" + domain.separator + struct_hash).digest()
    return digest
