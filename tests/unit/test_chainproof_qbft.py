"""QBFT and IBFT 2.0: commit seals, the list of validators and its votes; each refusal by its name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sealed_chains import ADDRESSES, NOBODY, BftChain, plain_header, with_extra
from sealtrail.chainproof import qbft, strict_rlp
from sealtrail.chainproof.consensus import Form, Validators
from sealtrail.chainproof.headers import Header
from sealtrail.chainproof.qbft import Kind, parse_extra_data, quorum_of
from sealtrail.errors import UnavailableError, VerificationError

KINDS: list[Kind] = ["qbft", "ibft2"]
# The example in Besu's own test of its codec: a vote to add, round 0xfedcba, two seals
BESU_EXAMPLE = (
    "f8f0a00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20ea940000000000000000000000000000000000"
    "000001940000000000000000000000000000000000000002d794000000000000000000000000000000000000000181ff83fedcbaf886"
    "b84100000000000000000000000000000000000000000000000000000000000000010000000000000000000000000000000000000000"
    "00000000000000000000000a00b841000000000000000000000000000000000000000000000000000000000000000a00000000000000"
    "0000000000000000000000000000000000000000000000000100"
)


def followed(chain: BftChain, epoch: int = 30_000) -> Validators:
    form = Form(name=chain.kind, epoch=epoch)
    state = qbft.validators_at_genesis(chain.headers[0], form, chain.kind)
    for header in chain.headers[1:]:
        state, _ = qbft.follow(state, header, chain.kind)
    return state


def refused(chain: BftChain, header: Header, epoch: int = 30_000) -> str:
    state = followed(chain, epoch)
    with pytest.raises((VerificationError, UnavailableError)) as caught:
        qbft.follow(state, header, chain.kind)
    return caught.value.code


def members(state: Validators) -> set[int]:
    return {ADDRESSES.index(m) for m in state.members}


@pytest.mark.parametrize(
    ("count", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5), (100, 67)]
)
def test_two_thirds_are_needed(count: int, needed: int) -> None:
    assert quorum_of(count) == needed


def test_extra_data_of_another_implementations_test_is_read() -> None:
    extra = parse_extra_data(bytes.fromhex(BESU_EXAMPLE), "qbft")
    assert extra.vanity == bytes(range(1, 33))
    assert [v[-1] for v in extra.validators] == [1, 2]
    assert extra.vote == (bytes(19) + b"\1", True)
    assert (extra.round, len(extra.seals)) == (0xFEDCBA, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chain_is_followed(kind: Kind) -> None:
    chain = BftChain(range(4), kind=kind)
    chain.seal([0, 1, 2])
    chain.seal([3, 1, 0, 2], proposer=3, turn=2)
    state = followed(chain)
    assert (state.number, members(state)) == (2, {0, 1, 2, 3})


@pytest.mark.parametrize("kind", KINDS)
def test_round_and_seals_are_not_under_the_hash(kind: Kind) -> None:
    chain = BftChain(range(4), kind=kind)
    header = chain.seal([0, 1, 2])
    other = chain.commit(
        with_extra(header, kind, round=5, seals=()),
        [1, 2, 3],
    )
    assert qbft.block_hash(header, kind) == qbft.block_hash(other, kind)
    assert header.extra_data != other.extra_data


@pytest.mark.parametrize("kind", KINDS)
def test_a_vote_takes_effect_in_the_block_after_the_majoritys(kind: Kind) -> None:
    chain = BftChain(range(3), kind=kind)
    chain.seal([0, 1, 2], proposer=0, vote=(3, True))
    assert members(followed(chain)) == {0, 1, 2}
    chain.seal([0, 1, 2], proposer=1, vote=(3, True))
    assert members(followed(chain)) == {0, 1, 2, 3}
    chain.validators.add(3)
    chain.seal([0, 1, 3], proposer=3)
    for proposer in (0, 1, 3):
        chain.seal([0, 1, 3], proposer=proposer, vote=(2, False))
    chain.validators.remove(2)
    chain.seal([0, 1], proposer=1)
    assert members(followed(chain)) == {0, 1, 3}


def test_a_list_that_follows_from_no_votes_is_refused() -> None:
    chain = BftChain(range(3))
    chain.seal([0, 1, 2], proposer=0, vote=(3, True))
    for listed in ({0, 1, 2, 3}, {0, 1}, {0, 1, 3}):
        chain.validators = listed
        assert refused(chain, chain.commit(chain.next_header(), sorted(listed))) == (
            "validators_not_voted"
        )


def test_a_list_that_ignores_the_votes_is_refused() -> None:
    chain = BftChain([0])
    chain.seal([0], vote=(1, True))
    assert refused(chain, chain.commit(chain.next_header(), [0])) == "validators_not_voted"


def test_a_list_in_another_order_or_with_one_twice_is_refused() -> None:
    chain = BftChain([0, 1, 2])
    for listed in ((1, 0, 2), (0, 1, 1, 2)):
        header = with_extra(
            chain.next_header(), "qbft", validators=tuple(ADDRESSES[v] for v in listed)
        )
        assert refused(chain, chain.commit(header, [0, 1, 2])) == "validators_not_voted"


def test_who_proposes_votes_and_nobody_twice() -> None:
    chain = BftChain(range(3))
    for _ in range(3):
        chain.seal([0, 1, 2], proposer=0, vote=(3, True))
    assert members(followed(chain)) == {0, 1, 2}
    chain.seal([0, 1, 2], proposer=1, vote=(3, False))  # against a stranger: nothing
    assert members(followed(chain)) == {0, 1, 2}


def test_an_epoch_forgets_the_votes() -> None:
    chain = BftChain(range(3))
    chain.seal([0, 1, 2], proposer=0, vote=(3, True))
    chain.seal([0, 1, 2], proposer=0)
    chain.seal([0, 1, 2], proposer=1, vote=(3, True))
    assert members(followed(chain, epoch=2)) == {0, 1, 2}
    assert refused_as_changed(chain, epoch=2)


def refused_as_changed(chain: BftChain, epoch: int) -> bool:
    chain.validators.add(3)
    return refused(chain, chain.commit(chain.next_header(), [0, 1, 2]), epoch) == (
        "validators_not_voted"
    )


@pytest.mark.parametrize("counted", [True, False])
def test_a_vote_in_a_block_at_an_epochs_end_counts_or_not(counted: bool) -> None:
    """GoQuorum counts it, Besu does not."""
    chain = BftChain(range(3))
    chain.seal([0, 1, 2])
    chain.seal([0, 1, 2], proposer=0, vote=(3, True))  # block 2 of an epoch of 2
    chain.seal([0, 1, 2], proposer=1, vote=(3, True))
    if counted:
        chain.validators.add(3)
    chain.seal([0, 1, 2], proposer=0)
    assert members(followed(chain, epoch=2)) == chain.validators
    chain.seal([0, 1, 2], proposer=1)  # and stays so
    assert members(followed(chain, epoch=2)) == chain.validators
    assert followed(chain, epoch=2).votes == ()


@pytest.mark.parametrize("counted", [True, False])
def test_a_vote_to_remove_survives_an_epoch_or_not(counted: bool) -> None:
    """It did in Besu before 2026."""
    chain = BftChain(range(3))
    chain.seal([0, 1, 2], proposer=0, vote=(2, False))
    chain.seal([0, 1, 2], proposer=0)
    chain.seal([0, 1, 2], proposer=1, vote=(2, False))
    if counted:
        chain.validators.remove(2)
    chain.seal([0, 1], proposer=0)
    assert members(followed(chain, epoch=2)) == chain.validators


@pytest.mark.parametrize(
    ("by", "code"),
    [
        ([0, 1], "seals_too_few"),
        ([], "seals_too_few"),
        ([0, 1, 1], "seal_repeated"),
        ([0, 1, 2, 2], "seal_repeated"),
        ([0, 1, 5], "sealer_unauthorized"),
        ([0, 1, 2, 5], "sealer_unauthorized"),
    ],
)
def test_seals_that_do_not_suffice_are_refused(by: list[int], code: str) -> None:
    chain = BftChain(range(4))
    assert refused(chain, chain.commit(chain.next_header(), by)) == code


def test_a_seal_in_its_other_form_is_a_second_one_all_the_same() -> None:
    chain = BftChain(range(4))
    header = chain.commit(chain.next_header(), [0, 1])
    seals = parse_extra_data(header.extra_data, "qbft").seals
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    s = order - int.from_bytes(seals[1][32:64], "big")
    twin = seals[1][:32] + s.to_bytes(32, "big") + bytes((1 - seals[1][64],))
    assert refused(chain, with_extra(header, "qbft", seals=(*seals, twin))) == "seal_repeated"


def test_a_seal_for_another_round_is_a_strangers() -> None:
    chain = BftChain(range(4))
    header = chain.commit(chain.next_header(), [0, 1, 2])
    assert refused(chain, with_extra(header, "qbft", round=1)) == "sealer_unauthorized"


def test_seals_of_ibft2_hold_for_no_qbft_header() -> None:
    other = BftChain(range(4), kind="ibft2")
    header = other.commit(other.next_header(), [0, 1, 2])
    with pytest.raises(VerificationError) as caught:
        parse_extra_data(header.extra_data, "qbft")
    assert caught.value.code == "extra_data_malformed"


@pytest.mark.parametrize("seal", [b"", bytes(64), bytes(65), bytes(66), b"\xff" * 65])
def test_what_is_no_seal_is_refused(seal: bytes) -> None:
    chain = BftChain(range(4))
    header = chain.commit(chain.next_header(), [0, 1, 2])
    seals = (*parse_extra_data(header.extra_data, "qbft").seals, seal)
    assert refused(chain, with_extra(header, "qbft", seals=seals)) == "seal_invalid"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"parent_hash": bytes(32)}, "header_not_next"),
        ({"number": 2}, "header_not_next"),
        ({"time": 1_699_999_999}, "header_too_early"),
        ({"time": 2**53}, "header_too_late"),
        ({"mix_hash": bytes(32)}, "header_form_wrong"),
        ({"uncles_hash": bytes(32)}, "header_form_wrong"),
        ({"difficulty": 2}, "header_form_wrong"),
        ({"gas_used": 30_000_001}, "header_form_wrong"),
        ({"beneficiary": NOBODY}, "proposer_unauthorized"),
        ({"beneficiary": ADDRESSES[7]}, "proposer_unauthorized"),
    ],
)
def test_a_header_that_breaks_a_rule_is_refused(fields: dict[str, Any], code: str) -> None:
    chain = BftChain(range(4))
    assert refused(chain, chain.commit(chain.next_header(**fields), [0, 1, 2])) == code
    qbft.follow(followed(chain), chain.commit(chain.next_header(), [0, 1, 2]), "qbft")


def test_a_nonce_is_for_ibft2_to_refuse() -> None:
    for kind, code in (("qbft", None), ("ibft2", "header_form_wrong")):
        chain = BftChain(range(4), kind=kind)  # type: ignore[arg-type]
        header = chain.commit(chain.next_header(nonce=b"\1" * 8), [0, 1, 2])
        if code is None:
            qbft.follow(followed(chain), header, "qbft")
        else:
            assert refused(chain, header) == code


@pytest.mark.parametrize(
    ("place", "item"),
    [
        (0, []),
        (1, b""),
        (1, [bytes(19)]),
        (1, [[]]),
        (2, b""),
        (2, [bytes(20)]),
        (2, [bytes(20), b"\1"]),
        (2, [bytes(20), b"\0"]),
        (2, [bytes(20), b"\xff\xff"]),
        (2, [bytes(19), b"\xff"]),
        (3, []),
        (3, b"\0"),
        (3, b"\1" * 5),
        (4, b""),
        (4, [[b"x"]]),
    ],
)
def test_extra_data_of_another_form_is_refused(place: int, item: Any) -> None:
    items: list[Any] = [bytes(32), [ADDRESSES[0]], [], b"", []]
    parse_extra_data(strict_rlp.encode(items), "qbft")
    items[place] = item
    with pytest.raises(VerificationError) as caught:
        parse_extra_data(strict_rlp.encode(items), "qbft")
    assert caught.value.code == "extra_data_malformed"


@pytest.mark.parametrize("items", [[], [b""] * 4, [bytes(32), [], [], b"", [], b"cms"]])
def test_another_number_of_items_is_refused(items: Any) -> None:
    for encoded in (strict_rlp.encode(items), b"", b"\0", strict_rlp.encode(items) + b"\0"):
        with pytest.raises(VerificationError):
            parse_extra_data(encoded, "qbft")


@pytest.mark.parametrize("kind", KINDS)
def test_a_network_with_its_validators_in_a_contract_is_refused_by_name(kind: Kind) -> None:
    with pytest.raises(UnavailableError) as caught:
        followed(BftChain([], kind=kind))
    assert caught.value.code == "validators_in_contract"
    chain = BftChain(range(4), kind=kind)
    header = with_extra(chain.next_header(), kind, validators=())
    assert refused(chain, chain.commit(header, [0, 1, 2])) == "validators_in_contract"


def test_a_genesis_that_lists_one_twice_is_refused() -> None:
    chain = BftChain(range(2))
    header = with_extra(chain.headers[0], "qbft", validators=(ADDRESSES[0], ADDRESSES[0]))
    with pytest.raises(VerificationError) as caught:
        qbft.validators_at_genesis(header, Form(name="qbft"), "qbft")
    assert caught.value.code == "validators_malformed"


def test_a_genesis_lists_in_any_order() -> None:
    chain = BftChain(range(2))
    header = with_extra(chain.headers[0], "qbft", validators=(ADDRESSES[1], ADDRESSES[0]))
    state = qbft.validators_at_genesis(header, Form(name="qbft"), "qbft")
    assert state.members == (ADDRESSES[0], ADDRESSES[1])


def test_block_0_is_committed_by_nobody() -> None:
    header = msgspec.structs.replace(BftChain([0]).headers[0])
    with pytest.raises(VerificationError) as caught:
        qbft.verify_committed(header, (ADDRESSES[0],), "qbft")
    assert caught.value.code == "header_form_wrong"


def test_a_header_of_a_later_fork_is_followed() -> None:
    chain = BftChain(range(4))
    fields: dict[str, Any] = {"base_fee": 0, "withdrawals_root": plain_header().state_root}
    chain.seal([0, 1, 2], **fields)
    assert followed(chain).number == 1
