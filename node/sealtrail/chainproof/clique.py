"""Clique: who sealed a block, and who was allowed to. Bytes in, answers out.

Source: EIP-225. A header is given as its RLP items in order (15, or 16 from London on, as bytes each).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import rlp
from coincurve import PublicKey
from sha3 import keccak_256

from sealtrail.errors import VerificationError

VANITY_BYTES = 32
SEAL_BYTES = 65
EPOCH_BLOCKS = 30_000

_PARENT, _BENEFICIARY, _NUMBER, _EXTRA_DATA, _NONCE = 0, 2, 8, 12, 14
_VOTES_IN = b"\xff" * 8

HeaderItems = Sequence[bytes]


def header_hash(items: HeaderItems) -> bytes:
    """Return the block's hash."""
    return bytes(keccak_256(rlp.encode(list(items))).digest())


def header_number(items: HeaderItems) -> int:
    """Return the block's height."""
    return int.from_bytes(items[_NUMBER], "big")


def sealer(items: HeaderItems) -> bytes:
    """Return the address whose key sealed the block.

    Raises:
        VerificationError: there is no seal, or none that a key could have made (``seal_invalid``).
    """
    extra = items[_EXTRA_DATA]
    if len(extra) < VANITY_BYTES + SEAL_BYTES or extra[-1] > 1:
        raise VerificationError(
            "seal_invalid", f"block {header_number(items)} has no seal in its extra data"
        )
    unsealed = list(items)
    unsealed[_EXTRA_DATA] = extra[:-SEAL_BYTES]
    digest = keccak_256(rlp.encode(unsealed)).digest()
    try:
        key = PublicKey.from_signature_and_message(extra[-SEAL_BYTES:], digest, hasher=None)
    except Exception as error:  # coincurve raises a bare Exception for some
        raise VerificationError(
            "seal_invalid", f"block {header_number(items)} has a seal that no key made"
        ) from error
    return bytes(keccak_256(key.format(compressed=False)[1:]).digest()[-20:])


class Vote(msgspec.Struct, frozen=True):
    """One signer's standing vote on an address: let it in, or out."""

    voter: bytes
    subject: bytes
    admit: bool


class Signers(msgspec.Struct, frozen=True, kw_only=True):
    """Who may seal the block after ``number``; ``recent`` are the last sealers, oldest first."""

    number: int
    hash: bytes
    signers: frozenset[bytes]
    recent: tuple[bytes, ...] = ()
    votes: tuple[Vote, ...] = ()

    @property
    def majority(self) -> int:
        """How many signers are more than half of them."""
        return len(self.signers) // 2 + 1


def signers_at_epoch(items: HeaderItems) -> Signers:
    """Return the signers that block 0 or a block at the end of an epoch lists.

    Raises:
        VerificationError: it lists none (``epoch_signers_missing``).
    """
    listed = items[_EXTRA_DATA][VANITY_BYTES:-SEAL_BYTES]
    if not listed or len(listed) % 20:
        raise VerificationError(
            "epoch_signers_missing", f"block {header_number(items)} lists no signers"
        )
    signers = frozenset(listed[i : i + 20] for i in range(0, len(listed), 20))
    return Signers(number=header_number(items), hash=header_hash(items), signers=signers)


def follow(
    state: Signers, items: HeaderItems, *, epoch: int = EPOCH_BLOCKS
) -> tuple[Signers, bytes]:
    """Return the signers after the next block, and who sealed it.

    Raises:
        VerificationError: it is not the next block (``header_not_next``), its sealer is no signer
            (``sealer_unauthorized``) or sealed too recently (``sealer_too_soon``), or ``seal_invalid``.
    """
    number = header_number(items)
    if items[_PARENT] != state.hash or number != state.number + 1:
        raise VerificationError(
            "header_not_next", f"block {number} does not follow block {state.number}"
        )
    by = sealer(items)
    if by not in state.signers:
        raise VerificationError("sealer_unauthorized", f"0x{by.hex()} may not seal block {number}")
    # EIP-225: one block out of every floor(N/2) + 1 a signer
    if by in state.recent[-(state.majority - 1) :] and state.majority > 1:
        raise VerificationError(
            "sealer_too_soon", f"0x{by.hex()} sealed one of the blocks just before {number}"
        )
    recent = (*state.recent, by)[-state.majority :]
    after = Signers(
        number=number,
        hash=header_hash(items),
        signers=state.signers,
        recent=recent,
        votes=() if number % epoch == 0 else state.votes,
    )
    if number % epoch:
        after = _count(after, by, items)
    return after, by


def _count(state: Signers, voter: bytes, items: HeaderItems) -> Signers:
    subject, admit = items[_BENEFICIARY], items[_NONCE] == _VOTES_IN
    if subject == bytes(20):
        return state
    # a new vote takes the place of the same voter's earlier one on the same address
    votes = tuple(v for v in state.votes if (v.voter, v.subject) != (voter, subject))
    if admit != (subject in state.signers):
        votes = (*votes, Vote(voter, subject, admit))
    signers = state.signers
    if sum(v.subject == subject and v.admit == admit for v in votes) >= state.majority:
        signers = signers | {subject} if admit else signers - {subject}
        votes = tuple(v for v in votes if subject not in (v.subject, v.voter))
    return msgspec.structs.replace(state, signers=signers, votes=votes)
