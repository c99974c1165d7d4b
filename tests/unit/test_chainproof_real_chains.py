"""Two real chains from their genesis to their end: geth's Clique and GoQuorum's QBFT; and what forgers make of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from sealed_chains import KEYS, address_of, seal_clique, with_extra
from sealtrail.chainproof import trie
from sealtrail.chainproof.consensus import Form, Validators
from sealtrail.chainproof.headers import Header, encode_header, header_from_json, parse_header
from sealtrail.chainproof.qbft import parse_extra_data
from sealtrail.chainproof.receipts import (
    encode_receipt,
    parse_receipt,
    receipt_at,
    receipt_from_json,
)
from sealtrail.chainproof.state import account_at, storage_at
from sealtrail.chainproof.validator_json import validators_from_json, validators_to_json
from sealtrail.chainproof.validators import (
    Interval,
    ValidatorHistory,
    block_hash,
    follow,
    form_of_genesis,
    validators_at_genesis,
    verify_final,
)
from sealtrail.errors import SealtrailError


class Chain(NamedTuple):
    shown: dict[str, Any]
    headers: list[Header]
    form: Form
    states: list[Validators]  # after each block

    def history(self) -> ValidatorHistory:
        intervals: list[Interval] = []
        for state in self.states:
            if not intervals or intervals[-1].members != state.members:
                intervals.append(Interval(first_block=state.number + 1, members=state.members))
        return ValidatorHistory(form=self.form, intervals=tuple(intervals))


@pytest.fixture(scope="module", params=["clique", "qbft"])
def chain(request: pytest.FixtureRequest, shared: Path) -> Chain:
    shown = json.loads((shared / "vectors/chain" / f"{request.param}.json").read_text())
    headers = [header_from_json(h) for h in shown["headers"]]
    form = form_of_genesis(headers[0])
    states = [validators_at_genesis(headers[0], form)]
    for header in headers[1:]:
        states.append(follow(states[-1], header))
    return Chain(shown, headers, form, states)


@pytest.fixture
def clique(chain: Chain) -> Chain:
    if chain.form.name != "clique":
        pytest.skip("about Clique only")
    return chain


@pytest.fixture
def qbft(chain: Chain) -> Chain:
    if chain.form.name != "qbft":
        pytest.skip("about QBFT only")
    return chain


def octets(shown: str) -> bytes:
    return bytes.fromhex(shown[2:])


def refused(act: Callable[[], object]) -> str:
    with pytest.raises(SealtrailError) as caught:
        act()
    return caught.value.code


def changed(header: Header, **fields: Any) -> Header:
    return msgspec.structs.replace(header, **fields)


def test_every_header_has_its_hash_and_one_form(chain: Chain) -> None:
    for header, shown in zip(chain.headers, chain.shown["headers"], strict=True):
        assert block_hash(header, chain.form) == octets(shown["hash"])
        assert parse_header(encode_header(header)) == header


def test_the_validators_at_the_end_are_the_networks(chain: Chain) -> None:
    members = ["0x" + m.hex() for m in chain.states[-1].members]
    assert members == sorted(chain.shown["validators_at_end"])
    sizes = [len(i.members) for i in chain.history().intervals]
    assert sizes == [4, 5, 4]


def test_following_can_be_interrupted_anywhere(chain: Chain) -> None:
    for state, header, after in zip(
        chain.states, chain.headers[1:], chain.states[1:], strict=False
    ):
        assert follow(validators_from_json(validators_to_json(state)), header) == after


def test_every_block_with_enough_on_top_is_final(chain: Chain) -> None:
    on_top = 6 if chain.form.name == "clique" else 1
    for number in range(1, len(chain.headers) - on_top):
        run = chain.headers[number : number + on_top]
        final = verify_final(run, chain.states[number - 1])
        assert final.hash == block_hash(run[0], chain.form)
        assert len(final.sealers) >= final.needed
        assert verify_final(run, chain.history()) == final


def test_receipts_are_proven(chain: Chain) -> None:
    for number, shown in chain.shown["receipts"].items():
        header = chain.headers[int(number)]
        receipts = [receipt_from_json(r) for r in shown]
        encoded = [encode_receipt(r) for r in receipts]
        assert trie.ordered_trie_root(encoded) == header.receipts_root
        assert [parse_receipt(e) for e in encoded] == receipts
        for index, receipt in enumerate(receipts):
            proof = trie.ordered_trie_proof(encoded, index)
            proven = receipt_at(header, index, proof)
            assert proven == receipt
            assert proven.logs[0].topics[0] == octets(chain.shown["slot0_topic"])
            other = chain.headers[int(number) - 1]
            assert refused(lambda h=other, i=index, p=proof: receipt_at(h, i, p)) == (  # type: ignore[misc]
                "proof_node_wrong"
            )


def test_slots_are_proven_set_and_empty(chain: Chain) -> None:
    for entry in chain.shown["proofs"]:
        header, shown = chain.headers[entry["block"]], entry["proof"]
        path = [octets(n) for n in shown["accountProof"]]
        account = account_at(header, octets(shown["address"]), path)
        assert account is not None
        assert account.storage_root == octets(shown["storageHash"])
        assert account.code_hash == octets(shown["codeHash"])
        for slot in shown["storageProof"]:
            nodes = [octets(n) for n in slot["proof"]]
            value = storage_at(account, int(slot["key"], 16), nodes)
            assert value == int(slot["value"], 16)
        elsewhere = octets(shown["address"])[::-1]
        assert refused(lambda h=header, a=elsewhere, p=path: account_at(h, a, p)) in (  # type: ignore[misc]
            "proof_node_wrong",
            "proof_node_unused",
            "proof_incomplete",
        )


def test_a_header_left_out_or_out_of_order_is_refused(chain: Chain) -> None:
    state, headers = chain.states[4], chain.headers
    assert refused(lambda: follow(state, headers[6])) == "header_not_next"
    assert refused(lambda: follow(state, headers[4])) == "header_not_next"
    gap = [headers[5], *headers[7:12]]
    assert refused(lambda: verify_final(gap, state)) == "header_not_next"
    assert refused(lambda: verify_final(gap, chain.history())) == "header_not_next"


def test_a_header_of_the_other_chains_form_is_refused(chain: Chain, shared: Path) -> None:
    other = "qbft" if chain.form.name == "clique" else "clique"
    shown = json.loads((shared / "vectors/chain" / f"{other}.json").read_text())
    header = header_from_json(shown["headers"][1])
    foreign = changed(header, parent_hash=chain.states[0].hash, time=chain.states[0].time + 1)
    assert refused(lambda: follow(chain.states[0], foreign)) in (
        "header_form_wrong",
        "extra_data_malformed",
    )


def test_the_votes_of_another_set_are_not_counted(chain: Chain) -> None:
    """The state one vote short, or one member ahead, refuses the block where it shows."""
    change = next(
        n
        for n in range(1, len(chain.states))
        if chain.states[n].members != chain.states[n - 1].members
    )
    without = changed(chain.states[change - 1], votes=())  # type: ignore[arg-type]
    codes = set()
    state = without
    for header in chain.headers[change:]:
        try:
            state = follow(state, header)
        except SealtrailError as error:
            codes.add(error.code)
            break
    assert codes <= {"validators_not_voted", "sealer_unauthorized", "difficulty_wrong"}
    assert codes


def test_a_forged_clique_header_is_refused(clique: Chain) -> None:
    state, header = clique.states[4], clique.headers[5]

    def code(forged: Header) -> str:
        return refused(lambda: follow(state, forged))

    stranger = changed(header, extra_data=header.extra_data[:-65])
    assert code(seal_clique(stranger, KEYS[0])) == "sealer_unauthorized"
    assert code(changed(header, extra_data=header.extra_data[:32] + bytes(65))) == "seal_invalid"
    assert code(changed(header, state_root=bytes(32))) == "sealer_unauthorized"
    assert code(changed(header, difficulty=3 - header.difficulty)) == "sealer_unauthorized"
    assert code(changed(header, nonce=b"\1" * 8)) == "vote_malformed"
    assert code(changed(header, beneficiary=address_of(KEYS[0]))) == "sealer_unauthorized"
    assert code(changed(header, time=state.time - 1)) == "header_too_early"
    assert code(changed(header, base_fee=None)) == "sealer_unauthorized"
    twice = changed(state, recent=(*state.recent, _sealer(clique, 5)))  # type: ignore[arg-type]
    assert refused(lambda: follow(twice, header)) == "sealer_too_soon"


def _sealer(chain: Chain, number: int) -> bytes:
    return chain.states[number].recent[-1]


def test_clique_headers_too_few_on_top_are_refused(clique: Chain) -> None:
    for count in (1, 2, 3):
        run = clique.headers[5 : 5 + count]
        assert refused(lambda r=run: verify_final(r, clique.states[4])) == "seals_too_few"  # type: ignore[misc]
    assert verify_final(clique.headers[5:10], clique.states[4]).needed == 3


def test_a_forged_qbft_header_is_refused(qbft: Chain) -> None:
    state, header = qbft.states[4], qbft.headers[5]
    extra = parse_extra_data(header.extra_data, "qbft")

    def code(forged: Header) -> str:
        return refused(lambda: follow(state, forged))

    seals = extra.seals
    assert code(with_extra(header, "qbft", seals=seals[:2])) == "seals_too_few"
    assert code(with_extra(header, "qbft", seals=())) == "seals_too_few"
    assert code(with_extra(header, "qbft", seals=(seals[0], *seals[:2]))) == "seal_repeated"
    assert code(with_extra(header, "qbft", seals=(*seals, bytes(65)))) == "seal_invalid"
    old = parse_extra_data(qbft.headers[4].extra_data, "qbft").seals
    assert code(with_extra(header, "qbft", seals=(*seals[:2], old[0]))) == "sealer_unauthorized"
    assert code(with_extra(header, "qbft", round=extra.round + 1)) == "sealer_unauthorized"
    assert code(with_extra(header, "qbft", vote=(bytes(20), True))) == "sealer_unauthorized"
    assert code(with_extra(header, "qbft", validators=extra.validators[1:])) == (
        "validators_not_voted"
    )
    assert code(with_extra(header, "qbft", validators=())) == "validators_in_contract"
    assert code(changed(header, beneficiary=address_of(KEYS[0]))) == "proposer_unauthorized"
    assert code(changed(header, state_root=bytes(32))) == "sealer_unauthorized"
    assert code(changed(header, time=state.time - 1)) == "header_too_early"


def test_seals_of_the_old_validators_do_not_make_up_for_new_ones(qbft: Chain) -> None:
    number = next(n for n, state in enumerate(qbft.states) if len(state.members) == 5) + 1
    header, state = qbft.headers[number], qbft.states[number - 1]
    seals = parse_extra_data(header.extra_data, "qbft").seals
    assert len(seals) >= 4
    short = with_extra(header, "qbft", seals=seals[:3])  # enough of four, too few of five
    assert refused(lambda: follow(state, short)) == "seals_too_few"


def test_another_genesis_is_another_chain(chain: Chain) -> None:
    other = changed(chain.headers[0], state_root=bytes(32))
    state = validators_at_genesis(other, chain.form)
    assert refused(lambda: follow(state, chain.headers[1])) == "header_not_next"
