"""Stewards' votes: who may vote, when a motion is carried, and that none is carried twice."""

from __future__ import annotations

import pytest
from eth_abi.abi import encode
from sha3 import keccak_256

from abi_hashes import topic
from integration.contract_chain import (
    GENESIS_HASH,
    LAST_BLOCK,
    Account,
    ContractChain,
    RevertedError,
)
from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.records import Status

NEW = Account("a new steward")


def _stewards(chain: ContractChain) -> set[bytes]:
    (found,) = chain.ask(chain.registry, calls.stewards(), "address[]")
    return {bytes.fromhex(address[2:]) for address in found}


def _motion_state(chain: ContractChain, motion: bytes) -> tuple[int, bool]:
    data = topic("motionState(bytes32)")[:4] + motion
    votes, carried = chain.ask(chain.registry, data, "uint256", "bool")
    return votes, carried


def _refused(chain: ContractChain, account: Account, data: bytes) -> RevertedError:
    with pytest.raises(RevertedError) as refusal:
        chain.send(account, data)
    return refusal.value


def test_one_steward_decides_alone() -> None:
    chain = ContractChain()
    done = chain.send(chain.stewards[0], calls.add_steward(NEW.address, last_block=LAST_BLOCK))
    assert [log.name for log in done.logs] == ["Voted", "Carried", "StewardAdded"]
    assert _stewards(chain) == {chain.stewards[0].address, NEW.address}


@pytest.mark.parametrize(
    ("stewards", "needed"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 5), (10, 8), (11, 9)]
)
def test_a_motion_needs_four_fifths_of_the_stewards(stewards: int, needed: int) -> None:
    chain = ContractChain(stewards)
    motion = calls.add_steward(NEW.address, last_block=LAST_BLOCK)
    for voter in chain.stewards[: needed - 1]:
        assert [log.name for log in chain.send(voter, motion).logs] == ["Voted"]
    assert NEW.address not in _stewards(chain)
    assert "Carried" in [log.name for log in chain.send(chain.stewards[needed - 1], motion).logs]
    assert NEW.address in _stewards(chain)


def test_the_vote_tells_what_is_voted_for() -> None:
    chain = ContractChain(5)
    done = chain.send(chain.stewards[2], calls.add_steward(NEW.address, last_block=77))
    values = done.logs[0].values
    arguments = encode(["address"], [NEW.address])
    selector = topic("addSteward(address,uint64)")[:4]
    assert values["steward"] == chain.stewards[2].address
    assert values["selector"] == selector
    assert (values["lastBlock"], values["arguments"]) == (77, arguments)
    expected = encode(["bytes4", "uint64", "bytes"], [selector, 77, arguments])
    assert values["motion"] == keccak_256(expected).digest()
    assert _motion_state(chain, values["motion"]) == (1, False)


def test_not_a_steward() -> None:
    chain = ContractChain()
    error = _refused(chain, NEW, calls.add_steward(NEW.address, last_block=LAST_BLOCK))
    assert (error.name, error.values) == ("NotASteward", ("0x" + NEW.address.hex(),))


def test_motion_lapsed() -> None:
    chain = ContractChain()
    chain.mine(3)
    block = chain.next_block
    late = calls.add_steward(NEW.address, last_block=block - 1)
    error = _refused(chain, chain.stewards[0], late)
    assert (error.name, error.values) == ("MotionLapsed", (block - 1, block))
    in_time = calls.add_steward(NEW.address, last_block=chain.next_block)
    chain.send(chain.stewards[0], in_time)


def test_already_voted() -> None:
    chain = ContractChain(2)
    motion = calls.add_steward(NEW.address, last_block=LAST_BLOCK)
    chain.send(chain.stewards[0], motion)
    assert _refused(chain, chain.stewards[0], motion).name == "AlreadyVoted"


def test_already_carried() -> None:
    chain = ContractChain()
    motion = calls.add_steward(NEW.address, last_block=LAST_BLOCK)
    chain.send(chain.stewards[0], motion)
    removal = calls.remove_steward(NEW.address, last_block=LAST_BLOCK)
    chain.send(chain.stewards[0], removal)
    chain.send(NEW, removal)
    assert _refused(chain, chain.stewards[0], motion).name == "AlreadyCarried"
    another = calls.add_steward(NEW.address, last_block=LAST_BLOCK + 1)
    assert "StewardAdded" in [log.name for log in chain.send(chain.stewards[0], another).logs]


def test_already_a_steward() -> None:
    chain = ContractChain()
    motion = calls.add_steward(chain.stewards[0].address, last_block=LAST_BLOCK)
    assert _refused(chain, chain.stewards[0], motion).name == "AlreadyASteward"


def test_zero_steward() -> None:
    chain = ContractChain()
    motion = calls.add_steward(bytes(20), last_block=LAST_BLOCK)
    assert _refused(chain, chain.stewards[0], motion).name == "ZeroSteward"


def test_removing_one_who_is_no_steward() -> None:
    chain = ContractChain()
    motion = calls.remove_steward(NEW.address, last_block=LAST_BLOCK)
    assert _refused(chain, chain.stewards[0], motion).name == "NotASteward"


def test_last_steward() -> None:
    chain = ContractChain()
    motion = calls.remove_steward(chain.stewards[0].address, last_block=LAST_BLOCK)
    assert _refused(chain, chain.stewards[0], motion).name == "LastSteward"


def test_a_registry_needs_a_steward() -> None:
    chain = ContractChain()
    with pytest.raises(RevertedError, match="ZeroSteward"):
        chain.deploy(calls.deployment([], GENESIS_HASH, recovery_delay_blocks=1))


def test_a_registry_refuses_the_same_steward_twice() -> None:
    chain = ContractChain()
    with pytest.raises(RevertedError, match="AlreadyASteward"):
        chain.deploy(calls.deployment([NEW.address] * 2, GENESIS_HASH, recovery_delay_blocks=1))


def test_too_many_stewards() -> None:
    chain = ContractChain()
    many = [Account(f"one of many {number}").address for number in range(65)]
    chain.deploy(calls.deployment(many[:64], GENESIS_HASH, recovery_delay_blocks=1))
    with pytest.raises(RevertedError, match=r"TooManyStewards\(65, 64\)"):
        chain.deploy(calls.deployment(many, GENESIS_HASH, recovery_delay_blocks=1))


@pytest.mark.parametrize("position", [0, 2, 4])
def test_a_removed_steward_is_gone_and_his_vote_with_him(position: int) -> None:
    chain = ContractChain(5)
    removed = chain.stewards[position]
    others = [s for s in chain.stewards if s is not removed]
    motion = calls.add_steward(NEW.address, last_block=LAST_BLOCK)
    voted = chain.send(removed, motion).logs[0].values["motion"]
    for voter in others:
        chain.send(voter, calls.remove_steward(removed.address, last_block=LAST_BLOCK))
    assert _stewards(chain) == {s.address for s in others}
    assert _motion_state(chain, voted) == (0, False)
    assert _refused(chain, removed, motion).name == "NotASteward"
    for voter in others[:3]:
        chain.send(voter, motion)
    assert NEW.address not in _stewards(chain)  # three of four are 75 %
    chain.send(others[3], motion)
    assert NEW.address in _stewards(chain)
    assert _motion_state(chain, voted) == (4, True)


def test_a_member_that_changes_its_record_voids_no_votes() -> None:
    chain = ContractChain(2)
    member = Account("a member")
    record = chain.admit(member)
    chain.send(chain.stewards[0], calls.suspend(record, last_block=LAST_BLOCK))
    chain.send(member, calls.set_node_url(record, "https://elsewhere.example"))
    current = chain.current(member.address)
    chain.send(chain.stewards[1], calls.suspend(current, last_block=LAST_BLOCK))
    assert chain.current(member.address).status is Status.SUSPENDED
