"""A member's record as the registry has it, and the questions one may ask of it at a block or a time."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from functools import lru_cache

import msgspec


class Role(IntFlag):
    """What a member may do; a member may have several (bit positions are the contract's)."""

    MANUFACTURER = 1
    DISTRIBUTOR = 2
    CARRIER = 4
    DISPENSER = 8
    REGULATOR = 16
    AUDITOR = 32


@lru_cache(maxsize=64)  # there are no more combinations
def role_names(roles: Role) -> tuple[str, ...]:
    """Return the roles' names in lower case, in the contract's order."""
    return tuple(role.name.lower() for role in Role if role in roles and role.name)


class Status(IntEnum):
    """Where a member stands; a suspended one may still anchor, and what it anchors is marked."""

    ACTIVE = 1
    SUSPENDED = 2


class Purpose(IntEnum):
    """What a key is for. Event and operator keys are secp256k1 addresses, the others Ed25519 public keys."""

    EVENT = 1
    OPERATOR = 2
    LOG = 3
    PEER = 4
    WITNESS = 5


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A member's key.

    Blocks are block numbers; 0 in ``valid_until`` means "open", 0 in ``compromised_since`` "never reported".
    ``public`` has 32 bytes: an Ed25519 public key, or a 20-byte address padded with zeros on the left.
    ``recovered`` marks an operator key that the stewards gave the member: less than the member's own word.
    """

    purpose: Purpose
    public: bytes
    valid_from: int
    valid_until: int = 0
    compromised_since: int = 0
    compromise_reported: int = 0
    recovered: bool = False

    def valid_at(self, block: int) -> bool:
        """Tell whether the key was its owner's to use at ``block`` (compromise is judged apart)."""
        return self.valid_from <= block and (self.valid_until == 0 or block < self.valid_until)


def registered_form(public: bytes) -> bytes:
    """Return a public key, or the address of one, as records have it: 32 bytes."""
    return public.rjust(32, b"\0")


class NumberingRight(msgspec.Struct, frozen=True, kw_only=True):
    """The right to number: digits from a company prefix to one GTIN, from and until Unix seconds (0: open).

    Matched on the digits of GTIN-14 (without its indicator digit for prefixes), SSCC and GLN,
    never on the place where a URN splits them.
    """

    digits: str
    valid_from: int = 0
    valid_until: int = 0

    def valid_at(self, unix_seconds: int) -> bool:
        """Tell whether the right was held at that time."""
        return self.valid_from <= unix_seconds and (
            self.valid_until == 0 or unix_seconds < self.valid_until
        )


class MemberRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a member's record, and the block that made it so.

    ``member`` is the 20-byte address that names the member for good (its first operator key's).
    """

    member: bytes
    name: str
    status: Status
    roles: Role
    node_url: str
    glns: tuple[str, ...]
    rights: tuple[NumberingRight, ...]
    keys: tuple[Key, ...]
    version: int
    block: int

    def key(self, purpose: Purpose, public: bytes) -> Key | None:
        """Return the key of that purpose with that public half (or address), valid or not."""
        wanted = registered_form(public)
        return next((k for k in self.keys if k.purpose is purpose and k.public == wanted), None)

    def keys_for(self, purpose: Purpose, block: int) -> tuple[Key, ...]:
        """Return the keys of that purpose which are valid at ``block``."""
        return tuple(k for k in self.keys if k.purpose == purpose and k.valid_at(block))

    def may_number(self, digits: str, unix_seconds: int) -> bool:
        """Tell whether a right that begins ``digits`` was held at that time."""
        return any(r.valid_at(unix_seconds) and digits.startswith(r.digits) for r in self.rights)


class Anchor(msgspec.Struct, frozen=True, kw_only=True):
    """One ``Anchored`` event of the Anchors contract; ``block_time`` in Unix seconds."""

    member: bytes
    sequence: int
    checkpoint_hash: bytes
    suspended: bool
    block_number: int
    block_hash: bytes
    block_time: int
    transaction_hash: bytes


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """The latest record of every member, as of one block: what the rules and the verifier ask."""

    chain_id: int
    genesis_hash: bytes
    registry: bytes
    anchors: bytes
    block: int
    members: tuple[MemberRecord, ...]

    def member(self, member: bytes) -> MemberRecord | None:
        """Return the record of ``member``, or None if it was never admitted."""
        return next((m for m in self.members if m.member == member), None)
