"""Clique as geth judges it: seals, turns, votes, epochs; and each way of breaking them by its name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sealed_chains import ADDRESSES, KEYS, CliqueChain, plain_header, seal_clique
from sealtrail.chainproof.clique import (
    block_hash,
    follow,
    listed_signers,
    sealer,
    signers_at_epoch,
    verify_sealed,
)
from sealtrail.chainproof.consensus import Form, Validators
from sealtrail.chainproof.headers import Header
from sealtrail.errors import VerificationError

# the order of the curve
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def followed(chain: CliqueChain, epoch: int = 30_000) -> Validators:
    state = signers_at_epoch(chain.headers[0], Form(name="clique", epoch=epoch))
    for header in chain.headers[1:]:
        state, _ = follow(state, header)
    return state


def refused(chain: CliqueChain, header: Header, epoch: int = 30_000) -> str:
    state = followed(chain, epoch)
    with pytest.raises(VerificationError) as caught:
        follow(state, header)
    return caught.value.code


def sealed(chain: CliqueChain, by: int, **fields: Any) -> Header:
    return seal_clique(chain.next_header(by, **fields), KEYS[by])


def play(signers: int, steps: str, epoch: int = 30_000) -> set[int]:
    """Seal a block a word, ``0+2`` by signer 0 with a vote to let 2 in; give who may seal in the end."""
    chain = CliqueChain(range(signers))
    for step in steps.split():
        voted = step[1:2] in ("+", "-")
        vote = int(step[2]) if voted else None
        fields: dict[str, Any] = {}
        if (len(chain.headers) % epoch) == 0:
            listed = b"".join(ADDRESSES[s] for s in sorted(chain.signers))
            fields["extra_data"] = bytes(32) + listed
        chain.seal(int(step[0]), vote=vote, admit=step[1:2] == "+", **fields)
        members = followed(chain, epoch).members
        chain.signers = {ADDRESSES.index(m) for m in members}
    return chain.signers


@pytest.mark.parametrize(
    ("signers", "steps", "left"),
    [
        (1, "0", {0}),
        (1, "0+1 1 0+2", {0, 1}),  # one vote suffices for the first, two are needed then
        (2, "0+2 1+2 0+3 1+3 2 0+4 1+4", {0, 1, 2, 3}),
        (1, "0-0", set()),
        (2, "0-1", {0, 1}),
        (2, "0-1 1-1", {0}),
        (3, "0-2 1-2", {0, 1}),
        (4, "0-2 1-2", {0, 1, 2, 3}),
        (4, "0-3 1-3 2-3", {0, 1, 2}),
        (2, "0+2 1 0+2 1 0+2", {0, 1}),  # the same vote again is one
        (2, "0+2 1 0+3 1 0 1+3 0 1+2", {0, 1, 2, 3}),  # several at a time
        (4, "0-2 1 2 0-3 1 2 0 1-3 2-3 0 1-2", {0, 1}),
        (3, "2-1 0-2 1-2 0-1", {0, 1}),  # votes of who has left are gone
        (3, "2+3 0-2 1-2 0+3", {0, 1}),
        # a smaller set makes two votes suffice: not at once, but when somebody touches the matter
        (4, "0-2 1 2 0-3 1-2 2 0 1-3 2-3", {0, 1, 2}),
        (4, "0-2 1 2 0-3 1-2 2 0 1-3 2-3 0 2+2", {0, 1}),
        (4, "0-2 1 2 0-3 1-2 2 0 1-3 2-3 0 1+2", {0, 1, 2}),  # unless that touch takes one back
        (2, "0+2 1-2 0", {0, 1}),  # a vote against a stranger changes nothing
        (2, "0+2 1+2 2 0-2 1+2 2-2 0 1-2", {0, 1}),
    ],
)
def test_votes_are_counted_as_geth_does(signers: int, steps: str, left: set[int]) -> None:
    assert play(signers, steps) == left


def test_votes_survive_no_epoch() -> None:
    assert play(2, "0+2 1 0 1+2", epoch=3) == {0, 1}
    assert play(2, "0+2 1 0 1+2", epoch=30) == {0, 1, 2}


def test_a_vote_on_the_zero_address_counts_like_any_other() -> None:
    chain = CliqueChain([0])
    chain.seal(0, nonce=b"\xff" * 8)
    assert followed(chain).members == (bytes(20), ADDRESSES[0])


def test_a_genesis_lists_signers_in_any_order() -> None:
    chain = CliqueChain([0, 1])
    extra = bytes(32) + ADDRESSES[1] + ADDRESSES[0] + ADDRESSES[1] + bytes(65)
    genesis = msgspec.structs.replace(chain.headers[0], extra_data=extra)
    assert listed_signers(genesis) == (ADDRESSES[1], ADDRESSES[0], ADDRESSES[1])
    assert signers_at_epoch(genesis, Form(name="clique")).members == tuple(ADDRESSES[:2])


@pytest.mark.parametrize("listed", [b"", bytes(19), bytes(21)])
def test_a_genesis_that_lists_no_signers_is_refused(listed: bytes) -> None:
    genesis = plain_header(extra_data=bytes(32) + listed + bytes(65))
    with pytest.raises(VerificationError) as caught:
        signers_at_epoch(genesis, Form(name="clique"))
    assert caught.value.code == "epoch_signers_missing"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"parent_hash": bytes(32)}, "header_not_next"),
        ({"number": 3}, "header_not_next"),
        ({"time": 1_700_000_000}, "header_too_early"),
        ({"time": 2**53}, "header_too_late"),
        ({"mix_hash": b"\1" * 32}, "header_form_wrong"),
        ({"uncles_hash": bytes(32)}, "header_form_wrong"),
        ({"gas_limit": 2**63}, "header_form_wrong"),
        ({"gas_used": 30_000_001}, "header_form_wrong"),
        ({"difficulty": 0}, "header_form_wrong"),
        ({"difficulty": 3}, "header_form_wrong"),
        ({"base_fee": 7, "withdrawals_root": bytes(32)}, "header_form_wrong"),
        ({"nonce": bytes(7) + b"\1"}, "vote_malformed"),
        ({"extra_data": bytes(31)}, "extra_data_malformed"),
        ({"extra_data": b""}, "extra_data_malformed"),
        ({"extra_data": bytes(33)}, "extra_data_malformed"),
        ({"extra_data": bytes(32) + ADDRESSES[0]}, "extra_data_malformed"),
        ({"difficulty": 1}, "difficulty_wrong"),
    ],
)
def test_a_header_that_breaks_a_rule_is_refused(fields: dict[str, Any], code: str) -> None:
    chain = CliqueChain([0, 1, 2])
    chain.seal(1)
    assert followed(chain).number == 1
    assert refused(chain, sealed(chain, 2, **fields)) == code
    follow(followed(chain), sealed(chain, 2))  # without that it is taken


def test_out_of_turn_with_the_difficulty_of_in_turn_is_refused() -> None:
    chain = CliqueChain([0, 1, 2])
    assert refused(chain, sealed(chain, 0, difficulty=2)) == "difficulty_wrong"


def test_a_strangers_seal_is_refused() -> None:
    chain = CliqueChain([0, 1])
    assert refused(chain, sealed(chain, 2)) == "sealer_unauthorized"


def test_after_the_last_signer_left_nobody_may_seal() -> None:
    chain = CliqueChain([0])
    chain.seal(0, vote=0, admit=False)
    assert refused(chain, sealed(chain, 0)) == "sealer_unauthorized"


@pytest.mark.parametrize(("signers", "apart"), [(1, 0), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3)])
def test_a_signer_waits_for_half_of_the_others(signers: int, apart: int) -> None:
    chain = CliqueChain(range(signers))
    for by in range(apart):
        chain.seal(by)
    for early in range(apart):
        assert refused(chain, sealed(chain, early)) == "sealer_too_soon"
    chain.seal(apart)
    follow(followed(chain), sealed(chain, 0))


def test_a_smaller_set_lets_a_signer_seal_sooner() -> None:
    chain = CliqueChain(range(4))
    for by in (0, 1, 2):
        chain.seal(by, vote=3, admit=False)
    chain.signers = {0, 1, 2}
    # of four signer 1 would have to wait, of three it need not
    assert followed(chain).recent == (ADDRESSES[1], ADDRESSES[2])
    follow(followed(chain), sealed(chain, 1))
    assert refused(chain, sealed(chain, 2)) == "sealer_too_soon"


def test_a_larger_set_makes_a_signer_wait_longer() -> None:
    chain = CliqueChain(range(3))
    for by in (0, 1):
        chain.seal(by, vote=3)
    chain.signers = {0, 1, 2, 3}
    assert refused(chain, sealed(chain, 0)) == "sealer_too_soon"
    follow(followed(chain), sealed(chain, 2))


def test_an_epoch_forgets_no_recent_sealers() -> None:
    chain = CliqueChain(range(3))
    for by in (0, 1):
        chain.seal(by)
    listed = b"".join(ADDRESSES[:3])
    chain.seal(0, extra_data=bytes(32) + listed)
    assert refused(chain, sealed(chain, 0), epoch=3) == "sealer_too_soon"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"extra_data": bytes(32)}, "epoch_signers_wrong"),
        ({"extra_data": bytes(32) + ADDRESSES[0]}, "epoch_signers_wrong"),
        ({"extra_data": bytes(32) + ADDRESSES[1] + ADDRESSES[0]}, "epoch_signers_wrong"),
        (
            {"extra_data": bytes(32) + ADDRESSES[0] + ADDRESSES[1], "beneficiary": ADDRESSES[2]},
            "epoch_vote",
        ),
        (
            {"extra_data": bytes(32) + ADDRESSES[0] + ADDRESSES[1], "nonce": b"\xff" * 8},
            "epoch_vote",
        ),
    ],
)
def test_a_block_at_an_epochs_end_lists_the_signers_and_votes_not(
    fields: dict[str, Any], code: str
) -> None:
    chain = CliqueChain([0, 1])
    chain.seal(0)
    assert refused(chain, sealed(chain, 1, **fields), epoch=2) == code
    chain.seal(1, extra_data=bytes(32) + ADDRESSES[0] + ADDRESSES[1])
    assert followed(chain, epoch=2).number == 2


def test_a_seal_with_a_high_s_is_taken_as_geth_takes_it() -> None:
    header = sealed(CliqueChain([0]), 0)
    seal = header.extra_data[-65:]
    s = N - int.from_bytes(seal[32:64], "big")
    twin = header.extra_data[:-65] + seal[:32] + s.to_bytes(32, "big") + bytes((1 - seal[64],))
    assert sealer(msgspec.structs.replace(header, extra_data=twin)) == ADDRESSES[0]


@pytest.mark.parametrize(
    "seal", [bytes(65), bytes(64) + b"\x04", b"\xff" * 65, b"\1" * 64 + b"\x1b"]
)
def test_a_seal_that_no_key_made_is_refused(seal: bytes) -> None:
    header = plain_header(extra_data=bytes(32) + seal, number=1)
    with pytest.raises(VerificationError) as caught:
        sealer(header)
    assert caught.value.code == "seal_invalid"


def test_block_0_is_sealed_by_nobody() -> None:
    chain = CliqueChain([0])
    with pytest.raises(VerificationError) as caught:
        verify_sealed(chain.headers[0], (ADDRESSES[0],), (), epoch=30_000)
    assert caught.value.code == "header_form_wrong"


def test_blocks_of_one_second_follow_each_other() -> None:
    """As a chain with a period of 0 makes them."""
    chain = CliqueChain([0])
    for _ in range(3):
        chain.seal(0, time=1_700_000_000)
    assert followed(chain).number == 3


def test_a_london_chain_is_followed() -> None:
    chain = CliqueChain([0, 1], base_fee=10**9)
    for by in (0, 1, 0):
        chain.seal(by)
    assert followed(chain).hash == block_hash(chain.headers[-1])
