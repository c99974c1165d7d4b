"""One way to ask of any chain: who may seal, who may from the next block on, and is this block final.

A chain's validators are followed from block 0 through every header (:func:`validators_at_genesis`,
:func:`follow`). Who has not done so himself is given the list of intervals that came out
(:class:`ValidatorHistory`), and :func:`verify_final` judges a run of headers by either.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import msgspec

from sealtrail.chainproof import clique, qbft
from sealtrail.chainproof.clique import VANITY_BYTES
from sealtrail.chainproof.consensus import (
    EPOCH_BLOCKS,
    Form,
    Validators,
    check_time,
    majority_of,
)
from sealtrail.chainproof.hashing import keccak
from sealtrail.chainproof.headers import Header, encode_header
from sealtrail.chainproof.limits import RUN_HEADERS_MAX
from sealtrail.chainproof.seals import SEAL_BYTES
from sealtrail.errors import InputError, UnavailableError, VerificationError

_ADDRESS_BYTES = 20


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """Who may seal the blocks from ``first_block`` on, up to the next interval's (ascending)."""

    first_block: int
    members: tuple[bytes, ...]


class ValidatorHistory(msgspec.Struct, frozen=True, kw_only=True):
    """A chain's validators as somebody who followed them found them; the last interval has no known end."""

    form: Form
    intervals: tuple[Interval, ...]

    def members_for(self, number: int) -> tuple[bytes, ...]:
        """Return who may seal block ``number``.

        Raises:
            UnavailableError: the history begins later (``validators_unknown``).
        """
        for interval in reversed(self.intervals):
            if interval.first_block <= number:
                return interval.members
        raise UnavailableError(
            "validators_unknown", f"who could seal block {number} is not known here"
        )


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Other validators from ``first_block`` on, as the block ``number`` showed."""

    first_block: int
    members: tuple[bytes, ...]
    number: int
    hash: bytes


class Finality(msgspec.Struct, frozen=True, kw_only=True):
    """Why a block is final: who sealed it (QBFT) or on top of it (Clique), how many were needed, and of how many."""

    form: Form
    number: int
    hash: bytes
    sealers: tuple[bytes, ...]
    needed: int
    of: int


def form_of_genesis(header: Header, *, epoch: int = EPOCH_BLOCKS) -> Form:
    """Return the consensus of the chain with that block 0, as its extra data shows it.

    Args:
        header: block 0.
        epoch: blocks in an epoch; it stands in the genesis document and in no header.

    Raises:
        UnavailableError: it is a kind of Istanbul consensus that is not read here (``consensus_unsupported``).
    """
    kinds: tuple[qbft.Kind, ...] = ("qbft", "ibft2")
    for kind in kinds:
        if _is_extra_data(header.extra_data, kind):
            return Form(name=kind, epoch=epoch)
    if header.mix_hash == qbft.MIX_HASH:
        raise UnavailableError(
            "consensus_unsupported",
            "block 0 is marked as Istanbul and its extra data is neither QBFT's nor IBFT 2.0's",
            advice="nothing on this chain can be proven by its seals; pin block hashes instead",
        )
    listed = len(header.extra_data) - VANITY_BYTES - SEAL_BYTES
    if listed > 0 and listed % _ADDRESS_BYTES == 0:
        return Form(name="clique", epoch=epoch)
    return Form(name="none", epoch=epoch)


def block_hash(header: Header, form: Form) -> bytes:
    """Return the block's hash.

    Raises:
        VerificationError: the extra data is not of the chain's form (``extra_data_malformed``).
    """
    if form.name in ("clique", "none"):
        return keccak(encode_header(header))
    return qbft.block_hash(header, _kind(form))


def validators_at_genesis(header: Header, form: Form) -> Validators:
    """Return the validators that block 0 lists: the one that is believed, because its hash names the chain.

    Raises:
        InputError: it is another block (``genesis_expected``).
        VerificationError: it does not list them as the form demands (``epoch_signers_missing``,
            ``extra_data_malformed``, ``validators_malformed``), or its time is none (``header_too_late``).
        UnavailableError: the chain has no seals (``chain_without_seals``), or keeps its validators elsewhere
            (``validators_in_contract``).
    """
    if header.number != 0:
        raise InputError("genesis_expected", f"block {header.number} is not block 0")
    check_time(header)
    if form.name == "clique":
        return clique.signers_at_epoch(header, form)
    return qbft.validators_at_genesis(header, form, _kind(form))


def follow(state: Validators, header: Header) -> Validators:
    """Return the validators after the next block.

    Raises:
        VerificationError: the header does not follow; the codes are those of
            :func:`sealtrail.chainproof.clique.follow` and :func:`sealtrail.chainproof.qbft.follow`.
        UnavailableError: its validators are kept elsewhere (``validators_in_contract``).
    """
    return _follow(state, header)[0]


def follow_run(
    state: Validators, headers: Sequence[Header]
) -> tuple[Validators, tuple[Change, ...]]:
    """Return the validators after the next blocks, and each change on the way.

    Raises:
        VerificationError: a header does not follow: see :func:`follow`.
        UnavailableError: its validators are kept elsewhere (``validators_in_contract``).
    """
    changes: list[Change] = []
    for header in headers:
        before, state = state.members, follow(state, header)
        # a QBFT block's own list decides where the votes leave two possible
        sealing = before if state.form.name == "clique" else _listed(header, state.form)
        for first, old, new in (
            (state.number, before, sealing),
            (state.number + 1, sealing, state.members),
        ):
            if new != old:
                changes.append(
                    Change(first_block=first, members=new, number=state.number, hash=state.hash)
                )
    return state, tuple(changes)


def verify_final(headers: Sequence[Header], validators: Validators | ValidatorHistory) -> Finality:
    """Check that the first of ``headers`` is final, and say by whose seals.

    Clique: more than half of the signers that may seal the block after it sealed on top of it; its own seal does
    not count. QBFT, IBFT 2.0: two thirds of its validators, rounded up, committed it. All headers given are
    checked, whether needed or not.

    Args:
        headers: one after the other without a gap, from anywhere.
        validators: as they were after the block before the first header, votes included; or a history, by which
            sealers are judged without the votes (changes are where it says, and nowhere else).

    Raises:
        InputError: no headers, or too many (``headers_missing``, ``headers_too_many``).
        VerificationError: too few sealed (``seals_too_few``), or a header is none of this chain: see
            :func:`follow`.
        UnavailableError: the chain has no seals (``chain_without_seals``), or the history does not reach back so
            far (``validators_unknown``).
    """
    if not 0 < len(headers) <= RUN_HEADERS_MAX:
        code = "headers_too_many" if headers else "headers_missing"
        raise InputError(code, f"{len(headers)} headers; 1 to {RUN_HEADERS_MAX} are read")
    form = validators.form
    if form.name == "none":
        raise _without_seals()
    if isinstance(validators, Validators):
        sealers, members = _sealers_by_votes(headers, validators)
    else:
        sealers, members = _sealers_by_history(headers, validators)
    if form.name == "clique":
        needed = majority_of(len(members))
        counted = tuple(sorted({by for run in sealers[1:] for by in run} & set(members)))
    else:
        needed = qbft.quorum_of(len(members))
        counted = tuple(sorted(set(sealers[0])))
    first = headers[0]
    if len(counted) < needed:
        raise VerificationError(
            "seals_too_few",
            f"{len(counted)} signers sealed on top of block {first.number}; {needed} of {len(members)} are needed",
        )
    return Finality(
        form=form,
        number=first.number,
        hash=block_hash(first, form),
        sealers=counted,
        needed=needed,
        of=len(members),
    )


_Sealers = list[tuple[bytes, ...]]


def _sealers_by_votes(
    headers: Sequence[Header], state: Validators
) -> tuple[_Sealers, tuple[bytes, ...]]:
    """Return each header's sealers, and the members that count for the first."""
    sealers: _Sealers = []
    counting: tuple[bytes, ...] = ()
    for header in headers:
        state, by = _follow(state, header)
        sealers.append(by)
        if len(sealers) == 1:
            # Clique: who may seal on top; QBFT: a vote in the header changes the next one's list only
            counting = state.members if state.form.name == "clique" else _listed(header, state.form)
    return sealers, counting


def _sealers_by_history(
    headers: Sequence[Header], history: ValidatorHistory
) -> tuple[_Sealers, tuple[bytes, ...]]:
    form = history.form
    for header in headers:
        check_time(header)
    for earlier, later in pairwise(headers):
        if later.number != earlier.number + 1 or later.parent_hash != block_hash(earlier, form):
            raise VerificationError(
                "header_not_next", f"block {later.number} does not follow block {earlier.number}"
            )
        if later.time < earlier.time:
            raise VerificationError(
                "header_too_early",
                f"block {later.number} is of {later.time}, its parent of {earlier.time}",
            )
    sealers: _Sealers = []
    for header in headers:
        members = history.members_for(header.number)
        if form.name == "clique":
            recent = [run[0] for run in sealers]
            sealers.append((clique.verify_sealed(header, members, recent, epoch=form.epoch),))
        else:
            sealers.append(qbft.verify_committed(header, members, _kind(form)))
    first = headers[0]
    return sealers, history.members_for(first.number + (form.name == "clique"))


def _listed(header: Header, form: Form) -> tuple[bytes, ...]:
    return qbft.parse_extra_data(header.extra_data, _kind(form)).validators


def _follow(state: Validators, header: Header) -> tuple[Validators, tuple[bytes, ...]]:
    if state.form.name == "clique":
        after, by = clique.follow(state, header)
        return after, (by,)
    return qbft.follow(state, header, _kind(state.form))


def _kind(form: Form) -> qbft.Kind:
    if form.name == "qbft" or form.name == "ibft2":
        return form.name
    raise _without_seals()


def _is_extra_data(encoded: bytes, kind: qbft.Kind) -> bool:
    try:
        qbft.parse_extra_data(encoded, kind)
    except VerificationError:
        return False
    return True


def _without_seals() -> UnavailableError:
    return UnavailableError(
        "chain_without_seals",
        "this chain's blocks carry no seals: nothing in them says who made them",
        advice="pin block hashes instead",
    )
