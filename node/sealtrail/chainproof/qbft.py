"""QBFT and IBFT 2.0: who committed a block, by the seals that it carries itself.

A header's extra data is the RLP of ``[vanity, validators, vote, round, seals]``. The block's hash is taken with
round and seals emptied (a round or a seal more makes no other block), each seal signs it with only the seals
emptied. IBFT 2.0 differs in bytes alone: an absent vote is an empty string and not an empty list, the round has
four bytes, and what is left out when hashing is left out and not emptied.

Votes stand in the header, and the list of validators follows from them in the next block. Implementations agree
on that except at an epoch's end: GoQuorum counts a vote in that very block and Besu does not, and Besu before
2026 kept the votes to remove somebody. Such votes count as *possible*: where they would suffice together with the
sure ones, both the changed and the unchanged list are taken. Either needs the votes of more than half.

Networks that keep their validators in a contract list none in the header; these are refused by name.
Source: the QBFT specification (Enterprise Ethereum Alliance); GoQuorum 24.4.1 consensus/istanbul/qbft; Besu
QbftExtraDataCodec, IbftExtraDataCodec, VoteTally, BftValidatorsValidationRule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from sealtrail.chainproof import strict_rlp
from sealtrail.chainproof.consensus import (
    Form,
    Validators,
    Vote,
    change_member,
    check_next,
    count_vote,
)
from sealtrail.chainproof.hashing import NO_UNCLES_HASH, keccak
from sealtrail.chainproof.headers import Header, header_items
from sealtrail.chainproof.limits import VALIDATORS_MAX
from sealtrail.chainproof.seals import recover
from sealtrail.errors import InputError, UnavailableError, VerificationError

Kind = Literal["qbft", "ibft2"]

MIX_HASH = bytes.fromhex("63746963616c2062797a616e74696e65206661756c7420746f6c6572616e6365")
"""What marks such headers: the last 32 bytes of "Istanbul practical byzantine fault tolerance" in ASCII."""

_ADDRESS_BYTES = 20
_EXTRA_DATA = 12  # the item's place
_ROUND_BYTES = 4
_DIFFICULTY = 1
_ADD, _DROP = b"\xff", {"qbft": b"", "ibft2": b"\0"}
_NO_VOTE: dict[str, strict_rlp.Item] = {"qbft": [], "ibft2": b""}


class ExtraData(msgspec.Struct, frozen=True, kw_only=True):
    """What such a header carries; ``vote`` is a subject and whether to let it in."""

    kind: Kind
    vanity: bytes
    validators: tuple[bytes, ...]
    vote: tuple[bytes, bool] | None
    round: int
    seals: tuple[bytes, ...]


def quorum_of(count: int) -> int:
    """Return how many seals of ``count`` validators a block needs: two thirds, rounded up."""
    return -(-2 * count // 3)


def parse_extra_data(encoded: bytes, kind: Kind) -> ExtraData:
    """Return what a header carries.

    Raises:
        VerificationError: it is not of this form (``extra_data_malformed``).
    """
    try:
        items = strict_rlp.decode(encoded, depth_max=2)
        if not isinstance(items, list) or len(items) != 5:
            raise _malformed("it is no list of five items")
        vanity, validators, vote, number, seals = items
        extra = ExtraData(
            kind=kind,
            vanity=_octets(vanity, "vanity"),
            validators=tuple(_address(v) for v in _listed(validators, "validators")),
            vote=None if vote == _NO_VOTE[kind] else _parse_vote(vote, kind),
            round=_parse_round(number, kind),
            seals=tuple(_octets(s, "a seal") for s in _listed(seals, "seals")),
        )
    except InputError as error:
        raise VerificationError("extra_data_malformed", error.message) from error
    if encode_extra_data(extra) != encoded:
        raise VerificationError(
            "extra_data_malformed", "extra data does not encode to the same bytes again"
        )
    return extra


def encode_extra_data(extra: ExtraData) -> bytes:
    """Return the bytes that a header carries."""
    return strict_rlp.encode([*_head(extra), _round(extra), list(extra.seals)])


def block_hash(header: Header, kind: Kind) -> bytes:
    """Return the block's hash: of the header without round and seals.

    Raises:
        VerificationError: the extra data is not of this form (``extra_data_malformed``).
    """
    return _hash_without(header, parse_extra_data(header.extra_data, kind), with_round=False)


def validators_at_genesis(header: Header, form: Form, kind: Kind) -> Validators:
    """Return the validators that block 0 lists, believing it.

    Raises:
        VerificationError: the extra data is not of this form (``extra_data_malformed``), or lists one twice or
            too many (``validators_malformed``).
        UnavailableError: it lists none (``validators_in_contract``).
    """
    listed = parse_extra_data(header.extra_data, kind).validators
    if not listed:
        raise _in_contract(header.number)
    if len(set(listed)) != len(listed) or len(listed) > VALIDATORS_MAX:
        raise VerificationError(
            "validators_malformed", "block 0 lists a validator twice, or too many"
        )
    return Validators(
        form=form,
        number=header.number,
        hash=block_hash(header, kind),
        time=header.time,
        members=tuple(sorted(listed)),
    )


def follow(state: Validators, header: Header, kind: Kind) -> tuple[Validators, tuple[bytes, ...]]:
    """Return the validators after the next block, and who committed it.

    Raises:
        VerificationError: it is not the next block (``header_not_next``, ``header_too_early``), lists other
            validators than follow from the votes (``validators_not_voted``), or see :func:`verify_committed`.
        UnavailableError: it lists none (``validators_in_contract``).
    """
    check_next(state, header)
    extra = parse_extra_data(header.extra_data, kind)
    settled = _settle(state, header.number, extra.validators)
    by = _verify_committed(header, extra, settled.members)
    at_epoch = header.number % state.form.epoch == 0
    after = msgspec.structs.replace(
        settled,
        number=header.number,
        hash=_hash_without(header, extra, with_round=False),
        time=header.time,
        votes=_after_epoch(settled.votes) if at_epoch else settled.votes,
    )
    if extra.vote is not None:
        after = count_vote(after, Vote(header.beneficiary, *extra.vote, sure=not at_epoch))
    return after, by


def verify_committed(header: Header, members: tuple[bytes, ...], kind: Kind) -> tuple[bytes, ...]:
    """Return who committed the block, if it lists ``members`` (ascending) and enough of them did.

    Raises:
        VerificationError: the header has no such form (``header_form_wrong``, ``extra_data_malformed``), lists
            other validators (``validators_not_voted``), its proposer is none (``proposer_unauthorized``), a seal
            is a stranger's (``sealer_unauthorized``), nobody's (``seal_invalid``) or a second one
            (``seal_repeated``), or there are too few (``seals_too_few``).
        UnavailableError: it lists none (``validators_in_contract``).
    """
    return _verify_committed(header, parse_extra_data(header.extra_data, kind), members)


def _verify_committed(
    header: Header, extra: ExtraData, members: tuple[bytes, ...]
) -> tuple[bytes, ...]:
    _check_form(header, extra.kind)
    if not extra.validators:
        raise _in_contract(header.number)
    if extra.validators != members:
        raise _not_voted(header.number, extra.validators, members)
    if header.beneficiary not in members:
        raise VerificationError(
            "proposer_unauthorized",
            f"0x{header.beneficiary.hex()} proposed block {header.number} and is none of its validators",
        )
    return _verify_seals(header, extra, members)


def _committers(header: Header, extra: ExtraData) -> Iterator[bytes]:
    digest = _hash_without(header, extra, with_round=True)
    for seal in extra.seals:
        yield recover(seal, digest, header.number)


def _verify_seals(
    header: Header, extra: ExtraData, members: tuple[bytes, ...]
) -> tuple[bytes, ...]:
    by: list[bytes] = []
    # one after the other: no more seals are recovered than there are validators, and one
    for address in _committers(header, extra):
        if address not in members:
            raise VerificationError(
                "sealer_unauthorized",
                f"0x{address.hex()} sealed block {header.number} and is none of its {len(members)} validators",
            )
        if address in by:
            raise VerificationError(
                "seal_repeated", f"0x{address.hex()} sealed block {header.number} twice"
            )
        by.append(address)
    if len(by) < quorum_of(len(members)):
        raise VerificationError(
            "seals_too_few",
            f"block {header.number} has seals of {len(by)} validators; {quorum_of(len(members))} of"
            f" {len(members)} are needed",
        )
    return tuple(by)


def _check_form(header: Header, kind: Kind) -> None:
    fault = None
    if header.number == 0:
        fault = "it is block 0, which nobody seals"
    elif header.mix_hash != MIX_HASH:
        fault = "its mix hash is not that of QBFT and IBFT"
    elif header.uncles_hash != NO_UNCLES_HASH:
        fault = "it has uncles"
    elif header.difficulty != _DIFFICULTY:
        fault = f"its difficulty is {header.difficulty} and not 1"
    elif header.gas_used > header.gas_limit:
        fault = f"{header.gas_used} gas used with a limit of {header.gas_limit}"
    elif kind == "ibft2" and header.nonce != bytes(8):
        fault = "its nonce is not zero"
    if fault:
        raise VerificationError("header_form_wrong", f"block {header.number}: {fault}")


def _settle(state: Validators, number: int, listed: tuple[bytes, ...]) -> Validators:
    """Return ``state`` with the members that block ``number`` lists, if the votes allow these."""
    if listed != state.members:
        for subject in _possible_changes(state):
            changed = change_member(state, subject)
            if changed.members == listed:
                return changed
        if not listed:
            raise _in_contract(number)
        raise _not_voted(number, listed, state.members)
    # what was possible and did not happen is not counted by this network
    undone = _possible_changes(state)
    return msgspec.structs.replace(
        state, votes=tuple(v for v in state.votes if v.sure or v.subject not in undone)
    )


def _possible_changes(state: Validators) -> list[bytes]:
    unsure = {v.subject for v in state.votes if not v.sure}
    return [
        subject
        for subject in sorted(unsure)
        if sum(v.subject == subject for v in state.votes) >= state.majority
    ]


def _after_epoch(votes: tuple[Vote, ...]) -> tuple[Vote, ...]:
    return tuple(msgspec.structs.replace(v, sure=False) for v in votes if not v.admit)


def _hash_without(header: Header, extra: ExtraData, *, with_round: bool) -> bytes:
    kept: list[strict_rlp.Encodable] = [*_head(extra)]
    if extra.kind == "qbft":
        kept += [_round(extra) if with_round else b"", []]
    elif with_round:
        kept += [_round(extra)]
    items = header_items(header)
    items[_EXTRA_DATA] = strict_rlp.encode(kept)
    return keccak(strict_rlp.encode(items))


def _head(extra: ExtraData) -> list[strict_rlp.Encodable]:
    vote: strict_rlp.Encodable = _NO_VOTE[extra.kind]
    if extra.vote is not None:
        subject, admit = extra.vote
        vote = [subject, _ADD if admit else _DROP[extra.kind]]
    return [extra.vanity, list(extra.validators), vote]


def _round(extra: ExtraData) -> bytes:
    if extra.kind == "qbft":
        return strict_rlp.encode_number(extra.round)
    return extra.round.to_bytes(_ROUND_BYTES, "big")


def _parse_vote(item: strict_rlp.Item, kind: Kind) -> tuple[bytes, bool]:
    vote = _listed(item, "the vote")
    if len(vote) != 2 or vote[1] not in (_ADD, _DROP[kind]):
        raise _malformed("the vote is no address with 0xff to add or nothing to remove it")
    return _address(vote[0]), vote[1] == _ADD


def _parse_round(item: strict_rlp.Item, kind: Kind) -> int:
    if kind == "qbft":
        return strict_rlp.decode_number(item, _ROUND_BYTES, "the round")
    octets = _octets(item, "the round")
    if len(octets) != _ROUND_BYTES:
        raise _malformed("the round has not four bytes")
    return int.from_bytes(octets, "big")


def _listed(item: strict_rlp.Item, what: str) -> list[strict_rlp.Item]:
    if not isinstance(item, list):
        raise _malformed(f"{what} is no list")
    return item


def _octets(item: strict_rlp.Item, what: str) -> bytes:
    if not isinstance(item, bytes):
        raise _malformed(f"{what} is a list")
    return item


def _address(item: strict_rlp.Item) -> bytes:
    address = _octets(item, "an address")
    if len(address) != _ADDRESS_BYTES:
        raise _malformed(f"an address has {len(address)} bytes")
    return address


def _not_voted(
    number: int, listed: tuple[bytes, ...], expected: tuple[bytes, ...]
) -> VerificationError:
    added, gone = sorted(set(listed) - set(expected)), sorted(set(expected) - set(listed))
    difference = ", ".join(
        [f"0x{a.hex()} more" for a in added[:5]] + [f"0x{a.hex()} missing" for a in gone[:5]]
    )
    return VerificationError(
        "validators_not_voted",
        f"block {number} lists {len(listed)} validators and not the {len(expected)} that follow from the votes:"
        f" {difference or 'one twice, or another order'}",
    )


def _in_contract(number: int) -> UnavailableError:
    return UnavailableError(
        "validators_in_contract",
        f"block {number} lists no validators: this network keeps them in a contract, which headers don't prove",
        advice="nothing on this chain can be proven by its seals; pin block hashes instead",
    )


def _malformed(what: str) -> InputError:
    return InputError("extra_data_malformed", f"extra data: {what}")
