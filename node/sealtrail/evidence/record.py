"""What the verifier is given: one entry with all that was disclosed about it, and a view of the chain."""

from __future__ import annotations

from typing import Protocol

import msgspec

from sealtrail.membership.records import Anchor, MemberRecord
from sealtrail.signing import PartialContent


class AnchorReference(msgspec.Struct, frozen=True, kw_only=True):
    """Where someone says that a checkpoint was anchored: a hint for looking it up, never believed."""

    sequence: int
    block_number: int
    transaction_hash: bytes


class LogProof(msgspec.Struct, frozen=True, kw_only=True):
    """The way from a leaf to a signed checkpoint of its member's log."""

    leaf_index: int
    note: str  # the signed checkpoint
    hashes: tuple[bytes, ...]  # RFC 9162 inclusion proof, from the leaf up
    anchor: AnchorReference | None = None


class EntryRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of any member's log. Only ``leaf`` is always there; nothing of it is trusted.

    ``content`` and ``seed`` are None where they were withheld or erased, ``item_salt`` where the log's was not
    disclosed, ``proof`` while no checkpoint covers the entry. ``references`` are joined, 33 bytes each.
    ``item_keys`` are ascending; empty if not given. ``partial`` shows some of an event's content in place of
    ``content`` and ``seed``; where those are given it says nothing.
    """

    leaf: bytes
    content: bytes | None
    media_type: str
    seed: bytes | None
    references: bytes = b""
    item_keys: tuple[bytes, ...] = ()
    item_salt: bytes | None = None
    proof: LogProof | None = None
    partial: PartialContent | None = None


class NetworkView(Protocol):
    """What a node (or a trust file) knows of the chain, up to and including ``block``.

    Answers come from what was followed and found final; nothing is fetched while a verifier asks.
    Each may raise ``UnavailableError`` where the view cannot tell; None means "not so, as of ``block``".
    """

    @property
    def block(self) -> int:
        """The latest block that the view covers."""
        ...

    def anchor(self, member: bytes, checkpoint_hash: bytes) -> Anchor | None:
        """Return the member's anchor of that checkpoint."""
        ...

    def record(self, member: bytes, block: int | None) -> MemberRecord | None:
        """Return the member's record as it stood at ``block``; the latest one if that is None."""
        ...
