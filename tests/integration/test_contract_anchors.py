"""Anchors: each checkpoint once and in order, by an operator, under 60,000 gas."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sha3 import keccak_256

from abi_hashes import topic
from integration.contract_chain import LAST_BLOCK, Account, ContractChain, Done, RevertedError
from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.records import Purpose
from sealtrail_contracts import artifact

MAKER = Account("maker")
PHARMACY = Account("pharmacy")
STRANGER = Account("stranger")
ZERO = bytes(32)
GAS_MAX = 60_000


def _checkpoint(number: int) -> bytes:
    digest: bytes = keccak_256(number.to_bytes(8, "big")).digest()
    return digest


ONE, TWO, THREE = (_checkpoint(number) for number in (1, 2, 3))


def _anchor(
    chain: ContractChain, sequence: int, previous: bytes, checkpoint: bytes, by: Account = MAKER
) -> Done:
    return chain.send(by, calls.anchor(sequence, previous, checkpoint), to=chain.anchors)


def _latest(chain: ContractChain, member: Account) -> tuple[int, bytes]:
    data = calls.latest(member.address)
    sequence, checkpoint = chain.ask(chain.anchors, data, "uint64", "bytes32")
    return sequence, checkpoint


@pytest.fixture
def chain() -> ContractChain:
    chain = ContractChain()
    chain.admit(MAKER)
    return chain


def test_the_anchors_contract_is_the_registrys(chain: ContractChain) -> None:
    data = topic("registry()")[:4]
    assert chain.ask(chain.anchors, data, "address") == (chain.registry,)


def test_checkpoints_are_anchored_in_order(chain: ContractChain) -> None:
    assert _latest(chain, MAKER) == (0, ZERO)
    first = _anchor(chain, 1, ZERO, ONE)
    assert first.logs[0].address == chain.anchors
    assert first.logs[0].values == {
        "member": MAKER.address,
        "sequence": 1,
        "checkpoint": ONE,
        "suspended": False,
    }
    _anchor(chain, 2, ONE, TWO)
    assert _latest(chain, MAKER) == (2, TWO)


def test_an_anchor_costs_less_than_60000_gas_the_first_one_too(chain: ContractChain) -> None:
    first = _anchor(chain, 1, ZERO, b"\xff" * 32).gas_used
    second = _anchor(chain, 2, b"\xff" * 32, b"\xfe" * 32).gas_used
    third = _anchor(chain, 3, b"\xfe" * 32, b"\xfd" * 32).gas_used
    assert second == third < first < GAS_MAX


def test_members_do_not_share_a_sequence(chain: ContractChain) -> None:
    chain.admit(PHARMACY)
    _anchor(chain, 1, ZERO, ONE)
    _anchor(chain, 1, ZERO, ONE, by=PHARMACY)
    _anchor(chain, 2, ONE, TWO)
    assert (_latest(chain, MAKER), _latest(chain, PHARMACY)) == ((2, TWO), (1, ONE))


def test_a_member_that_is_not_known_has_no_anchor(chain: ContractChain) -> None:
    assert _latest(chain, STRANGER) == (0, ZERO)


def test_not_an_operator(chain: ContractChain) -> None:
    for account in (STRANGER, chain.stewards[0]):
        with pytest.raises(RevertedError, match="NotAnOperator"):
            _anchor(chain, 1, ZERO, ONE, by=account)


def test_an_event_key_cannot_anchor(chain: ContractChain) -> None:
    record = chain.current(MAKER.address)
    chain.send(MAKER, calls.add_key(record, Purpose.EVENT, STRANGER.address))
    with pytest.raises(RevertedError, match="NotAnOperator"):
        _anchor(chain, 1, ZERO, ONE, by=STRANGER)


def test_an_ended_operator_key_cannot_anchor_and_the_new_one_goes_on(chain: ContractChain) -> None:
    _anchor(chain, 1, ZERO, ONE)
    record = chain.current(MAKER.address)
    chain.send(MAKER, calls.add_key(record, Purpose.OPERATOR, STRANGER.address))
    chain.send(MAKER, calls.end_key(chain.current(MAKER.address), 0))
    with pytest.raises(RevertedError, match="NotAnOperator"):
        _anchor(chain, 2, ONE, TWO)
    done = _anchor(chain, 2, ONE, TWO, by=STRANGER)
    assert done.logs[0].values["member"] == MAKER.address


@pytest.mark.parametrize("sequence", [0, 2, 2**64 - 1])
def test_wrong_sequence(chain: ContractChain, sequence: int) -> None:
    with pytest.raises(RevertedError) as refusal:
        _anchor(chain, sequence, ZERO, ONE)
    assert (refusal.value.name, refusal.value.values) == ("WrongSequence", (sequence, 1))


def test_a_second_checkpoint_at_a_sequence_is_refused(chain: ContractChain) -> None:
    _anchor(chain, 1, ZERO, ONE)
    for checkpoint in (ONE, TWO):
        with pytest.raises(RevertedError, match=r"WrongSequence\(1, 2\)"):
            _anchor(chain, 1, ZERO, checkpoint)


def test_wrong_previous(chain: ContractChain) -> None:
    with pytest.raises(RevertedError, match="WrongPrevious"):
        _anchor(chain, 1, ONE, TWO)
    _anchor(chain, 1, ZERO, ONE)
    with pytest.raises(RevertedError) as refusal:
        _anchor(chain, 2, THREE, TWO)
    assert (refusal.value.name, refusal.value.values) == ("WrongPrevious", (THREE, ONE))


def test_empty_checkpoint(chain: ContractChain) -> None:
    with pytest.raises(RevertedError, match="EmptyCheckpoint"):
        _anchor(chain, 1, ZERO, ZERO)


def test_not_the_registry(chain: ContractChain) -> None:
    data = topic("open(address)")[:4] + encode(["address"], [MAKER.address])
    for account in (MAKER, chain.stewards[0]):
        with pytest.raises(RevertedError, match="NotTheRegistry"):
            chain.send(account, data, to=chain.anchors)


def test_a_suspended_member_still_anchors_marked(chain: ContractChain) -> None:
    _anchor(chain, 1, ZERO, ONE)
    chain.vote(calls.suspend(chain.current(MAKER.address), last_block=LAST_BLOCK))
    assert _anchor(chain, 2, ONE, TWO).logs[0].values["suspended"] is True
    chain.vote(calls.reinstate(chain.current(MAKER.address), last_block=LAST_BLOCK))
    assert _anchor(chain, 3, TWO, THREE).logs[0].values["suspended"] is False


def test_the_latest_anchor_stands_where_a_storage_proof_looks(chain: ContractChain) -> None:
    _anchor(chain, 1, ZERO, ONE)
    slot = artifact("Anchors").storage_slots["_heads"]
    place = keccak_256(encode(["address", "uint256"], [MAKER.address, slot])).digest()
    head = int.from_bytes(place, "big")
    assert int.from_bytes(chain.storage(chain.anchors, head), "big") == 2
    assert chain.storage(chain.anchors, head + 1) == ONE


class AnchorsInOrder(RuleBasedStateMachine):
    """Whatever is tried, each member's anchors are a gapless chain, and nothing else gets in."""

    accounts = (MAKER, PHARMACY)

    @initialize()
    def found(self) -> None:
        self.chain = ContractChain()
        self.anchored: dict[bytes, list[bytes]] = {}
        for account in self.accounts:
            self.chain.admit(account)
            self.anchored[account.address] = [ZERO]

    @rule(
        who=st.integers(0, 1),
        skip=st.sampled_from([0, 0, 0, -1, 1]),
        back=st.sampled_from([1, 1, 1, 2]),
        checkpoint=st.integers(0, 5).map(lambda n: _checkpoint(n) if n else ZERO),
    )
    def anchor(self, who: int, skip: int, back: int, checkpoint: bytes) -> None:
        account = self.accounts[who]
        chain_so_far = self.anchored[account.address]
        sequence = max(len(chain_so_far) + skip, 0)
        previous = chain_so_far[-min(back, len(chain_so_far))]
        right = (
            sequence == len(chain_so_far) and previous == chain_so_far[-1] and checkpoint != ZERO
        )
        try:
            _anchor(self.chain, sequence, previous, checkpoint, by=account)
        except RevertedError:
            assert not right
        else:
            assert right
            chain_so_far.append(checkpoint)

    @invariant()
    def latest_is_the_last_accepted(self) -> None:
        for account in self.accounts:
            accepted = self.anchored[account.address]
            assert _latest(self.chain, account) == (len(accepted) - 1, accepted[-1])

    @invariant()
    def events_tell_the_same(self) -> None:
        for member, accepted in self.anchored.items():
            told = [
                (log.values["sequence"], log.values["checkpoint"])
                for log in self.chain.logs
                if log.name == "Anchored" and log.values["member"] == member
            ]
            assert told == list(enumerate(accepted))[1:]


TestAnchorsInOrder = AnchorsInOrder.TestCase
TestAnchorsInOrder.settings = settings(
    max_examples=15,
    stateful_step_count=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
