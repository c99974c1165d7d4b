"""One interface over all forms: telling them apart, finality of a run of headers, and validators as JSON."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sealed_chains import ADDRESSES, KEYS, BftChain, CliqueChain, plain_header, seal_clique
from sealtrail.chainproof import qbft
from sealtrail.chainproof.consensus import Form, Validators, Vote
from sealtrail.chainproof.headers import Header
from sealtrail.chainproof.limits import RUN_HEADERS_MAX
from sealtrail.chainproof.validator_json import (
    history_from_json,
    history_to_json,
    validators_from_json,
    validators_to_json,
)
from sealtrail.chainproof.validators import (
    Interval,
    ValidatorHistory,
    block_hash,
    follow,
    form_of_genesis,
    validators_at_genesis,
    verify_final,
)
from sealtrail.errors import InputError, SealtrailError, UnavailableError, VerificationError

CLIQUE, QBFT = Form(name="clique"), Form(name="qbft")


def before(headers: list[Header], number: int) -> Validators:
    """The state that the block ``number`` is judged by."""
    state = validators_at_genesis(headers[0], form_of_genesis(headers[0]))
    for header in headers[1:number]:
        state = follow(state, header)
    return state


def history(form: Form, *intervals: tuple[int, list[int]]) -> ValidatorHistory:
    return ValidatorHistory(
        form=form,
        intervals=tuple(
            Interval(first_block=first, members=tuple(ADDRESSES[m] for m in members))
            for first, members in intervals
        ),
    )


def refused(headers: list[Header], validators: Validators | ValidatorHistory) -> str:
    with pytest.raises(SealtrailError) as caught:
        verify_final(headers, validators)
    return caught.value.code


def clique_of(signers: int, by: list[int]) -> CliqueChain:
    chain = CliqueChain(range(signers))
    for signer in by:
        chain.seal(signer)
    return chain


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (CliqueChain([0]).headers[0], "clique"),
        (CliqueChain(range(5)).headers[0], "clique"),
        (BftChain([0, 1]).headers[0], "qbft"),
        (BftChain([0, 1], kind="ibft2").headers[0], "ibft2"),
        (plain_header(), "none"),
        (plain_header(extra_data=bytes(32)), "none"),
        (plain_header(extra_data=bytes(97)), "none"),
        (plain_header(extra_data=bytes(98)), "none"),
        (plain_header(extra_data=b"anvil"), "none"),
    ],
)
def test_a_genesis_tells_its_consensus(header: Header, name: str) -> None:
    assert form_of_genesis(header, epoch=7) == Form(name=name, epoch=7)  # type: ignore[arg-type]


def test_an_istanbul_chain_of_another_kind_is_refused_by_name() -> None:
    with pytest.raises(UnavailableError) as caught:
        form_of_genesis(plain_header(mix_hash=qbft.MIX_HASH, extra_data=bytes(32) + b"\xc0"))
    assert caught.value.code == "consensus_unsupported"


def test_only_block_0_is_believed() -> None:
    with pytest.raises(InputError) as caught:
        validators_at_genesis(clique_of(1, [0]).headers[1], CLIQUE)
    assert caught.value.code == "genesis_expected"
    with pytest.raises(VerificationError) as late:
        validators_at_genesis(CliqueChain([0], time=2**53).headers[0], CLIQUE)
    assert late.value.code == "header_too_late"


def test_nothing_is_proven_by_a_chain_without_seals() -> None:
    form = Form(name="none")
    with pytest.raises(UnavailableError) as caught:
        validators_at_genesis(plain_header(), form)
    assert caught.value.code == "chain_without_seals"
    assert refused([plain_header(number=1)], ValidatorHistory(form=form, intervals=())) == (
        "chain_without_seals"
    )


@pytest.mark.parametrize(
    ("signers", "by", "needed"),
    [(1, [0, 0], 1), (2, [1, 0, 1], 2), (3, [0, 1, 2], 2), (4, [0, 1, 2, 3], 3)],
)
def test_a_clique_block_is_final_by_the_seals_on_top_of_it(
    signers: int, by: list[int], needed: int
) -> None:
    chain = clique_of(signers, by)
    run = chain.headers[1:]
    for validators in (before(chain.headers, 1), history(CLIQUE, (0, list(range(signers))))):
        final = verify_final(run, validators)
        assert final.hash == block_hash(run[0], CLIQUE)
        assert (final.number, final.needed, final.of) == (1, needed, signers)
        assert len(final.sealers) == needed
        # the block's own seal does not count
        assert refused(run[:-1], validators) == "seals_too_few"


@pytest.mark.parametrize(("number", "time"), [(1, 2**53), (3, 2**53), (3, 2**64 - 1)])
def test_a_time_that_json_does_not_keep_proves_nothing_by_a_history(number: int, time: int) -> None:
    """In the first header neither, which no parent bounds."""
    chain = clique_of(1, [0, 0, 0])
    run = [
        msgspec.structs.replace(each, time=time) if each.number == number else each
        for each in chain.headers[1:]
    ]
    known = history(CLIQUE, (0, [0]))
    assert verify_final(chain.headers[1:], known).needed == 1
    assert refused(run, known) == "header_too_late"


def test_two_taking_turns_on_top_are_two_however_often_they_seal() -> None:
    chain = clique_of(4, [0])
    for by in (1, 2):
        chain.seal(by)
    # without the rule on recent sealers two could go on for ever: a history still counts them once
    chain.seal(1)
    chain.seal(2)
    assert refused(chain.headers[1:], history(CLIQUE, (0, [0, 1, 2, 3]))) == "sealer_too_soon"
    assert refused(chain.headers[1:4], history(CLIQUE, (0, [0, 1, 2, 3]))) == "seals_too_few"


def test_a_header_left_out_is_noticed() -> None:
    chain = clique_of(3, [0, 1, 2, 0])
    gap = [chain.headers[1], *chain.headers[3:]]
    assert refused(gap, before(chain.headers, 1)) == "header_not_next"
    assert refused(gap, history(CLIQUE, (0, [0, 1, 2]))) == "header_not_next"
    assert refused(chain.headers[2:], before(chain.headers, 1)) == "header_not_next"


def test_a_header_of_another_fork_is_noticed() -> None:
    chain = clique_of(3, [0, 1])
    fork = clique_of(3, [0])
    fork.seal(2, extra_data=b"\7" * 32)
    fork.seal(1)
    assert refused([*chain.headers[1:3], fork.headers[3]], history(CLIQUE, (0, [0, 1, 2]))) == (
        "header_not_next"
    )


def test_a_strangers_header_on_top_is_refused() -> None:
    chain = clique_of(2, [0])
    chain.headers.append(seal_clique(chain.next_header(5), KEYS[5]))
    assert refused(chain.headers[1:], before(chain.headers, 1)) == "sealer_unauthorized"
    assert refused(chain.headers[1:], history(CLIQUE, (0, [0, 1]))) == "sealer_unauthorized"


def test_signers_are_counted_as_they_stand_after_the_block() -> None:
    chain = CliqueChain([0])
    chain.seal(0, vote=1)  # from here on two may seal, and both must
    chain.signers.add(1)
    chain.seal(1)
    assert refused(chain.headers[1:], before(chain.headers, 1)) == "seals_too_few"
    chain.seal(0)
    for validators in (before(chain.headers, 1), history(CLIQUE, (0, [0]), (2, [0, 1]))):
        assert verify_final(chain.headers[1:], validators).of == 2


def test_by_a_history_a_change_is_where_it_says() -> None:
    chain = CliqueChain([0])
    chain.seal(0, vote=1)
    chain.signers.add(1)
    chain.seal(1)
    assert refused(chain.headers[1:], history(CLIQUE, (0, [0]))) == "sealer_unauthorized"
    assert refused(chain.headers[1:], history(CLIQUE, (5, [0]))) == "validators_unknown"


def test_a_qbft_block_is_final_by_its_own_seals() -> None:
    chain = BftChain(range(4))
    chain.seal([0, 1, 2])
    chain.seal([1, 2, 3])
    for validators in (before(chain.headers, 1), history(QBFT, (0, [0, 1, 2, 3]))):
        final = verify_final(chain.headers[1:2], validators)
        assert (final.sealers, final.needed, final.of) == (tuple(ADDRESSES[:3]), 3, 4)
        assert verify_final(chain.headers[1:], validators) == final
    assert refused(chain.headers[1:], history(QBFT, (0, [0, 1, 2]))) == "validators_not_voted"
    assert refused(chain.headers[1:], history(QBFT, (0, [0, 1, 2, 3]), (2, [0, 1]))) == (
        "validators_not_voted"
    )


def test_seals_on_top_do_not_make_up_for_a_qbft_blocks_own() -> None:
    chain = BftChain(range(4))
    chain.seal([0, 1])
    chain.seal([0, 1, 2, 3])
    assert refused(chain.headers[1:], history(QBFT, (0, [0, 1, 2, 3]))) == "seals_too_few"


def test_no_headers_and_too_many_are_refused() -> None:
    chain = clique_of(1, [0])
    assert refused([], history(CLIQUE, (0, [0]))) == "headers_missing"
    many = chain.headers[1:] * (RUN_HEADERS_MAX + 1)
    assert refused(many, history(CLIQUE, (0, [0]))) == "headers_too_many"


def test_a_header_of_another_form_is_refused() -> None:
    qbft_header = BftChain([0]).seal([0])
    clique_header = clique_of(1, [0]).headers[1]
    assert refused([qbft_header], history(CLIQUE, (0, [0]))) == "header_form_wrong"
    with pytest.raises(VerificationError):
        verify_final([clique_header], history(QBFT, (0, [0])))


STATE = Validators(
    form=CLIQUE,
    number=5,
    hash=b"\1" * 32,
    time=1_700_000_005,
    members=tuple(ADDRESSES[:2]),
    votes=(Vote(ADDRESSES[0], ADDRESSES[2], True), Vote(ADDRESSES[1], ADDRESSES[0], False, False)),
    recent=(ADDRESSES[0],),
)


def test_validators_come_back_from_json() -> None:
    assert validators_from_json(json.loads(json.dumps(validators_to_json(STATE)))) == STATE
    past = history(QBFT, (0, [0, 1]), (7, [0, 1, 2]))
    assert history_from_json(json.loads(json.dumps(history_to_json(past)))) == past


@pytest.mark.parametrize(
    "change",
    [
        {"number": -1},
        {"number": True},
        {"number": 1.0},
        {"number": 2**53},
        {"more": 1},
        {"hash": "0x" + "AB" * 32},
        {"hash": "0x"},
        {"form": {"name": "pow", "epoch": 1}},
        {"form": {"name": "clique", "epoch": 0}},
        {"form": {"name": ["clique"], "epoch": 1}},
        {"form": "clique"},
        {"members": ["0x" + a.hex() for a in ADDRESSES[1::-1]]},
        {"members": ["0x" + ADDRESSES[0].hex()] * 2},
        {"members": None},
        {"votes": [{}]},
        {
            "votes": [
                {"voter": "0x" + "00" * 20, "subject": "0x" + "00" * 20, "admit": 1, "sure": 1}
            ]
        },
        {"recent": ["0x00"]},
    ],
)
def test_validators_in_any_other_form_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        validators_from_json(validators_to_json(STATE) | change)
    assert caught.value.code == "validators_malformed"


@pytest.mark.parametrize("value", [None, [], "x", {}, {"form": None, "intervals": []}])
def test_what_is_no_history_is_refused(value: Any) -> None:
    with pytest.raises(InputError) as caught:
        history_from_json(value)
    assert caught.value.code == "validators_malformed"


def test_intervals_out_of_order_are_refused() -> None:
    for intervals in (((7, [0]), (0, [0])), ((0, [0]), (0, [1]))):
        with pytest.raises(InputError):
            history_from_json(history_to_json(history(QBFT, *intervals)))


def test_a_state_resumed_from_json_goes_on_the_same() -> None:
    chain = CliqueChain(range(3))
    chain.seal(0, vote=3)
    resumed = validators_from_json(validators_to_json(before(chain.headers, 2)))
    chain.seal(1, vote=3)
    after = follow(resumed, chain.headers[2])
    assert after == before(chain.headers, 3)
    assert len(after.members) == 4
    assert msgspec.structs.replace(after, votes=()) == after
