"""Clique: who sealed a block, and who was allowed to.

A header's extra data is 32 bytes of anything, at the end of an epoch the list of signers, and the sealer's
signature over the header without it. A vote stands in beneficiary and nonce.
What a validator could only know by executing blocks (base fee, gas limit's drift) is not judged here.
Source: EIP-225; go-ethereum 1.13.15, consensus/clique: where the two differ, what geth does.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealtrail.chainproof import strict_rlp
from sealtrail.chainproof.consensus import (
    Form,
    Validators,
    Vote,
    check_next,
    count_vote,
    majority_of,
)
from sealtrail.chainproof.hashing import NO_UNCLES_HASH, keccak
from sealtrail.chainproof.headers import Header, encode_header, form_of, header_items
from sealtrail.chainproof.limits import VALIDATORS_MAX
from sealtrail.chainproof.seals import SEAL_BYTES, recover
from sealtrail.errors import VerificationError

VANITY_BYTES = 32
_ADDRESS_BYTES = 20
_EXTRA_DATA = 12  # the item's place
_LONDON = 16  # items; geth's Clique knows no later fork
_GAS_LIMIT_MAX = 2**63 - 1
_VOTES_IN, _VOTES_OUT = b"\xff" * 8, bytes(8)
_IN_TURN, _OUT_OF_TURN = 2, 1


def block_hash(header: Header) -> bytes:
    """Return the block's hash."""
    return keccak(encode_header(header))


def sealer(header: Header) -> bytes:
    """Return the address whose key sealed the block.

    Raises:
        VerificationError: the extra data is too short for a seal (``extra_data_malformed``), or no key made it
            (``seal_invalid``).
    """
    extra = header.extra_data
    if len(extra) < VANITY_BYTES + SEAL_BYTES:
        raise VerificationError(
            "extra_data_malformed",
            f"block {header.number} has {len(extra)} bytes of extra data, too few for a seal",
        )
    items = header_items(header)
    items[_EXTRA_DATA] = extra[:-SEAL_BYTES]
    return recover(extra[-SEAL_BYTES:], keccak(strict_rlp.encode(items)), header.number)


def listed_signers(header: Header) -> tuple[bytes, ...]:
    """Return the signers that block 0, or a block at the end of an epoch, lists; in the order in which it does.

    Raises:
        VerificationError: it lists none, or more than are read (``epoch_signers_missing``).
    """
    listed = header.extra_data[VANITY_BYTES:-SEAL_BYTES]
    if not listed or len(listed) % _ADDRESS_BYTES or len(listed) > VALIDATORS_MAX * _ADDRESS_BYTES:
        raise VerificationError(
            "epoch_signers_missing", f"block {header.number} lists no signers in its extra data"
        )
    return tuple(listed[i : i + _ADDRESS_BYTES] for i in range(0, len(listed), _ADDRESS_BYTES))


def signers_at_epoch(header: Header, form: Form) -> Validators:
    """Return the signers that block 0 or a block at the end of an epoch lists, believing the block.

    Who sealed just before is not known then: for block 0 there is nobody.

    Raises:
        VerificationError: it lists none (``epoch_signers_missing``).
    """
    return Validators(
        form=form,
        number=header.number,
        hash=block_hash(header),
        time=header.time,
        # as in geth, a genesis block need not list them in order, nor once
        members=tuple(sorted(set(listed_signers(header)))),
    )


def follow(state: Validators, header: Header) -> tuple[Validators, bytes]:
    """Return the signers after the next block, and who sealed it.

    Raises:
        VerificationError: it is not the next block (``header_not_next``, ``header_too_early``), or see
            :func:`verify_sealed`.
    """
    check_next(state, header)
    by = verify_sealed(header, state.members, state.recent, epoch=state.form.epoch)
    at_epoch = header.number % state.form.epoch == 0
    after = msgspec.structs.replace(
        state,
        number=header.number,
        hash=block_hash(header),
        time=header.time,
        recent=(*state.recent, by),
        votes=() if at_epoch else state.votes,
    )
    after = count_vote(after, Vote(by, header.beneficiary, header.nonce == _VOTES_IN))
    return msgspec.structs.replace(after, recent=after.recent[-after.majority :]), by


def verify_sealed(
    header: Header, members: Sequence[bytes], recent: Sequence[bytes], *, epoch: int
) -> bytes:
    """Return who sealed the block, if ``members`` (ascending) may seal it and ``recent`` sealed those before.

    Raises:
        VerificationError: the header has no Clique form (``header_form_wrong``, ``extra_data_malformed``,
            ``vote_malformed``, ``epoch_vote``, ``epoch_signers_wrong``, ``difficulty_wrong``), or its sealer is
            no member (``sealer_unauthorized``), sealed too recently (``sealer_too_soon``), or is nobody
            (``seal_invalid``).
    """
    _check_form(header)
    _check_vote(header, at_epoch=header.number % epoch == 0)
    _check_listed(header, members, at_epoch=header.number % epoch == 0)
    by = sealer(header)
    if by not in members:
        raise VerificationError(
            "sealer_unauthorized",
            f"0x{by.hex()} sealed block {header.number} and is none of the {len(members)} signers",
        )
    # one block out of every floor(N/2) + 1 a signer
    window = majority_of(len(members)) - 1
    if window and by in recent[-window:]:
        raise VerificationError(
            "sealer_too_soon",
            f"0x{by.hex()} sealed block {header.number} and one of the {window} before it",
        )
    _check_difficulty(header, members, by)
    return by


def _check_form(header: Header) -> None:
    fault = None
    if header.number == 0:
        fault = "it is block 0, which nobody seals"
    elif form_of(header) > _LONDON:
        fault = "it has items of a fork after London, which Clique does not have"
    elif header.mix_hash != bytes(32):
        fault = "its mix hash is not zero"
    elif header.uncles_hash != NO_UNCLES_HASH:
        fault = "it has uncles"
    elif header.gas_limit > _GAS_LIMIT_MAX or header.gas_used > header.gas_limit:
        fault = f"{header.gas_used} gas used with a limit of {header.gas_limit}"
    elif header.difficulty not in (_IN_TURN, _OUT_OF_TURN):
        fault = f"its difficulty is {header.difficulty}, neither 1 nor 2"
    if fault:
        raise VerificationError("header_form_wrong", f"block {header.number}: {fault}")


def _check_vote(header: Header, *, at_epoch: bool) -> None:
    if header.nonce not in (_VOTES_IN, _VOTES_OUT):
        raise VerificationError(
            "vote_malformed",
            f"block {header.number} votes 0x{header.nonce.hex()}: neither zeros nor ones",
        )
    if at_epoch and (header.beneficiary != bytes(_ADDRESS_BYTES) or header.nonce != _VOTES_OUT):
        raise VerificationError(
            "epoch_vote", f"block {header.number} ends an epoch and votes all the same"
        )


def _check_listed(header: Header, members: Sequence[bytes], *, at_epoch: bool) -> None:
    listed = header.extra_data[VANITY_BYTES:-SEAL_BYTES]
    if not at_epoch and len(header.extra_data) > VANITY_BYTES + SEAL_BYTES:
        raise VerificationError(
            "extra_data_malformed", f"block {header.number} ends no epoch and has more than a seal"
        )
    if at_epoch and listed != b"".join(members):
        raise VerificationError(
            "epoch_signers_wrong",
            f"block {header.number} does not list the {len(members)} signers, in order",
        )


def _check_difficulty(header: Header, members: Sequence[bytes], by: bytes) -> None:
    in_turn = members[header.number % len(members)] == by
    if header.difficulty != (_IN_TURN if in_turn else _OUT_OF_TURN):
        raise VerificationError(
            "difficulty_wrong",
            f"block {header.number} has difficulty {header.difficulty} and was sealed"
            f" {'in' if in_turn else 'out of'} turn",
        )
