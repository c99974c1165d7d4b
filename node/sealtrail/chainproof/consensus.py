"""Which consensus a chain has, who may seal its next block, and the votes that change that.

Values, and the two rules that Clique, QBFT and IBFT 2.0 share: what the next header is, and how votes are counted.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from sealtrail.chainproof.headers import Header
from sealtrail.errors import VerificationError

FormName = Literal["clique", "qbft", "ibft2", "none"]
NUMBER_MAX = 2**53 - 1
EPOCH_BLOCKS = 30_000
"""Blocks after which votes are forgotten, where the genesis document says nothing else."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A chain's consensus; ``none`` is a chain without seals, of which nothing can be proven by them."""

    name: FormName
    epoch: int = EPOCH_BLOCKS


class Vote(msgspec.Struct, frozen=True):
    """One validator's standing vote on an address: let it in, or out.

    ``sure`` is False where implementations differ on whether it still counts: see :mod:`sealtrail.chainproof.qbft`.
    """

    voter: bytes
    subject: bytes
    admit: bool
    sure: bool = True


class Validators(msgspec.Struct, frozen=True, kw_only=True):
    """Who may seal the block after ``number``, and what it takes to judge that block.

    ``members`` are in ascending order; ``recent`` are Clique's last sealers, oldest first, as many as matter.
    """

    form: Form
    number: int
    hash: bytes
    time: int
    members: tuple[bytes, ...]
    votes: tuple[Vote, ...] = ()
    recent: tuple[bytes, ...] = ()

    @property
    def majority(self) -> int:
        """How many members are more than half of them."""
        return majority_of(len(self.members))


def majority_of(count: int) -> int:
    """Return how many are more than half of ``count``."""
    return count // 2 + 1


def check_next(state: Validators, header: Header) -> None:
    """Check that the header is the next one: by parent, height and time.

    Raises:
        VerificationError: it is not (``header_not_next``), is before its parent in time (``header_too_early``), or
            beyond every calendar (``header_too_late``).
    """
    if header.parent_hash != state.hash or header.number != state.number + 1:
        raise VerificationError(
            "header_not_next",
            f"block {header.number} with parent 0x{header.parent_hash.hex()} does not follow block {state.number}"
            f" 0x{state.hash.hex()}",
        )
    # A chain's own period is in no header, and it may be 0: then several blocks have one time.
    if header.time < state.time:
        raise VerificationError(
            "header_too_early",
            f"block {header.number} is of {header.time}, its parent of {state.time}",
        )
    check_time(header)


def check_time(header: Header) -> None:
    """Check that height and time are numbers that JSON keeps.

    Raises:
        VerificationError: one is too large (``header_too_late``).
    """
    if max(header.time, header.number) > NUMBER_MAX:
        raise VerificationError(
            "header_too_late", f"block {header.number} is of {header.time}; 2^53 - 1 is the end"
        )


def count_vote(state: Validators, vote: Vote) -> Validators:
    """Return the state after one more vote: of the same voter on the same address only the last one stands.

    A vote that would change nothing only takes back the voter's earlier one. Votes that suffice are carried out
    when their subject is voted on, not when a smaller set of members makes them suffice; all votes on it are
    then done with, and those of a member that leaves too.

    Source: go-ethereum 1.13.15, consensus/clique/snapshot.go ``apply``; GoQuorum has the same in
    consensus/istanbul/backend/engine.go ``snapApplyHeader``.
    """
    votes = tuple(v for v in state.votes if (v.voter, v.subject) != (vote.voter, vote.subject))
    if vote.admit != (vote.subject in state.members):
        votes = (*votes, vote)
    # all votes on an address have one direction: they are dropped when it comes in or goes
    if sum(v.sure for v in votes if v.subject == vote.subject) < state.majority:
        return msgspec.structs.replace(state, votes=votes)
    return change_member(msgspec.structs.replace(state, votes=votes), vote.subject)


def change_member(state: Validators, subject: bytes) -> Validators:
    """Return the state with ``subject`` let in, or out if it is a member; its votes and those on it are gone."""
    inside = subject in state.members
    members = set(state.members) ^ {subject}
    return msgspec.structs.replace(
        state,
        members=tuple(sorted(members)),
        votes=tuple(
            v for v in state.votes if v.subject != subject and not (inside and v.voter == subject)
        ),
    )
