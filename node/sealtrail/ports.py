"""What the services ask of the outside, where there is more than one implementation.

Each docstring is the port's contract; the contract tests run on every implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealtrail.chainproof.consensus import Form
from sealtrail.chainproof.headers import Header
from sealtrail.chainproof.state import Account
from sealtrail.membership.records import Anchor


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """A block, as the chain had it when asked."""

    number: int
    hash: bytes
    parent_hash: bytes
    time: int  # Unix seconds


class ChainRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One ``MemberRecorded`` event; ``record`` as the contract encodes it."""

    member: bytes
    version: int
    record: bytes
    block_number: int
    block_hash: bytes


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A signed transaction, as it was (or is to be) sent."""

    hash: bytes
    raw: bytes
    nonce: int


class Inclusion(msgspec.Struct, frozen=True, kw_only=True):
    """The block that holds a transaction, and whether it did what it was sent for (did not revert)."""

    block_number: int
    block_hash: bytes
    succeeded: bool


class Ledger(Protocol):
    """The chain that the members share, through one or more RPC endpoints.

    Every method may raise ``UnavailableError`` (nothing was learnt; a send may still have gone through)
    and retries nothing itself. Two calls in a row may be answered from two different heads.
    """

    async def head(self) -> Head:
        """Return the newest block."""
        ...

    async def heads(self) -> tuple[Head, Head]:
        """Return the newest block, and the newest that is final under the configured rule."""
        ...

    async def block(self, number: int) -> Head | None:
        """Return the block at that height, or None above the head."""
        ...

    async def latest_anchor(self, member: bytes) -> tuple[int, bytes]:
        """Return sequence and checkpoint hash of the member's latest anchor at the head; (0, zeros) if none."""
        ...

    async def find_anchor(self, member: bytes, sequence: int, first_block: int) -> Anchor | None:
        """Return the member's anchor of that number, if it is in ``first_block`` or later."""
        ...

    async def changes(
        self, first_block: int, last_block: int
    ) -> tuple[Sequence[Anchor], Sequence[ChainRecord]]:
        """Return what the contracts emitted in those blocks (inclusive), in chain order."""
        ...

    async def sign_anchor(
        self,
        sequence: int,
        previous: bytes,
        checkpoint_hash: bytes,
        *,
        replacing: Sent | None = None,
    ) -> Sent:
        """Sign the transaction that anchors a checkpoint; sends nothing.

        With a fresh nonce and today's fees; or with the nonce of ``replacing`` and fees so much higher than its own
        that a transaction pool takes the new one instead (where transactions are free: ``replacing`` itself).

        Raises:
            VerificationError: the contract would refuse it at the head (``anchor_refused``), or the fee is over the
                configured limit (``fee_over_limit``).
        """
        ...

    async def send(self, raw: bytes) -> None:
        """Send a signed transaction; one that waits in the pool already is no error.

        Raises:
            VerificationError: the chain refuses it for good: another one used its nonce (``nonce_used``; perhaps
                itself), its fee is too low (``fee_too_low``), the account can't pay (``balance_too_low``), or
                something else (``transaction_refused``).
        """
        ...

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        """Return where the transaction is; None if it is in no block."""
        ...


class SlotProof(msgspec.Struct, frozen=True, kw_only=True):
    """A storage slot, what is in it, and the trie's nodes that show it."""

    slot: int
    value: int
    nodes: tuple[bytes, ...]


class StateProof(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it was after a block, some of its slots, and the tries' nodes that show it."""

    address: bytes
    account: Account | None
    nodes: tuple[bytes, ...]
    slots: tuple[SlotProof, ...]


class ChainProofs(Protocol):
    """What proofs about the chain are made of. Everything returned was checked against a header.

    Whether a header is one of the chain's is what following the validators tells, not this.
    Every method may raise ``UnavailableError``: nothing was learnt, or what the endpoint showed does not hold
    (``rpc_garbage``, ``rpc_proof_invalid``), or the chain moved meanwhile (``chain_moved``). Nothing is retried.
    """

    async def form(self) -> Form:
        """Return the chain's consensus, as block 0 shows it; ``consensus_unsupported`` if it is none that is known."""
        ...

    async def headers(self, first: int, last: int) -> Sequence[Header]:
        """Return the headers from ``first`` to ``last``; each has the hash it was shown with, and follows the other."""
        ...

    async def receipts(self, header: Header) -> Sequence[bytes]:
        """Return the block's receipts as its trie has them, all of them and in order."""
        ...

    async def state(self, header: Header, address: bytes, slots: Sequence[int]) -> StateProof:
        """Return the account and those of its storage slots as they were after the block."""
        ...
