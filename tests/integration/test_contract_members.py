"""What a member changes itself: keys, reports of compromise, its node's URL."""

from __future__ import annotations

import msgspec
import pytest

from integration.contract_chain import LAST_BLOCK, Account, ContractChain, RevertedError
from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.encoding import record_digest
from sealtrail.membership.records import MemberRecord, Purpose, Status

MAKER = Account("maker")
SECOND = Account("maker's second key")
PHARMACY = Account("pharmacy")
EVENT_KEY = b"\x01" * 20


class Network:
    """A chain with one member, and that member's latest record."""

    def __init__(self) -> None:
        self.chain = ContractChain()
        self.chain.admit(MAKER, keys=[(Purpose.EVENT, EVENT_KEY)])

    @property
    def record(self) -> MemberRecord:
        return self.chain.current(MAKER.address)

    def send(self, data: bytes, by: Account = MAKER) -> MemberRecord:
        self.chain.send(by, data)
        return self.record

    def refused(self, data: bytes, by: Account = MAKER) -> RevertedError:
        with pytest.raises(RevertedError) as refusal:
            self.chain.send(by, data)
        return refusal.value

    def operator(self, account: Account) -> bytes:
        data = calls.operator_of(account.address)
        member: bytes = self.chain.ask(self.chain.registry, data, "address", "uint8")[0]
        return member


@pytest.fixture
def network() -> Network:
    return Network()


# Adding


@pytest.mark.parametrize("purpose", list(Purpose))
def test_a_member_adds_a_key_from_now_on(network: Network, purpose: Purpose) -> None:
    block = network.chain.next_block
    before = network.record
    after = network.send(calls.add_key(before, purpose, SECOND.address))
    assert after.version == before.version + 1
    assert after.keys[:-1] == before.keys
    key = after.keys[-1]
    assert (key.purpose, key.public) == (purpose, SECOND.address.rjust(32, b"\0"))
    assert (key.valid_from, key.valid_until, key.recovered) == (block, 0, False)
    assert (network.operator(SECOND) == MAKER.address) == (purpose is Purpose.OPERATOR)


def test_a_key_may_begin_later(network: Network) -> None:
    begin = network.chain.next_block + 4
    data = calls.add_key(network.record, Purpose.OPERATOR, SECOND.address, valid_from=begin)
    assert network.send(data).keys[-1].valid_from == begin
    network.chain.mine(begin - 1 - network.chain.next_block)
    assert network.operator(SECOND) == bytes(20)
    assert network.operator(SECOND) == MAKER.address


def test_a_key_cannot_have_begun_in_the_past(network: Network) -> None:
    network.chain.mine(3)
    block = network.chain.next_block
    data = calls.add_key(network.record, Purpose.LOG, b"\x07" * 32, valid_from=block - 2)
    assert network.send(data).keys[-1].valid_from == block


def test_no_purpose(network: Network) -> None:
    data = bytearray(calls.add_key(network.record, Purpose.EVENT, b"\x07" * 20))
    data[4 + 63] = 0
    assert network.refused(bytes(data)).name == "NoPurpose"


def test_a_purpose_that_does_not_exist_is_refused(network: Network) -> None:
    data = bytearray(calls.add_key(network.record, Purpose.EVENT, b"\x07" * 20))
    data[4 + 63] = 6
    network.refused(bytes(data))


def test_empty_key(network: Network) -> None:
    data = calls.add_key(network.record, Purpose.EVENT, bytes(20))
    assert network.refused(data).name == "EmptyKey"


def test_an_event_key_that_is_not_an_address(network: Network) -> None:
    data = calls.add_key(network.record, Purpose.EVENT, b"\x01" * 32)
    assert network.refused(data).name == "NotAnAddress"


def test_key_repeated(network: Network) -> None:
    data = calls.add_key(network.record, Purpose.EVENT, EVENT_KEY)
    assert network.refused(data).name == "KeyRepeated"


def test_an_ended_key_is_never_used_again(network: Network) -> None:
    ended = network.send(calls.end_key(network.record, 1))
    data = calls.add_key(ended, Purpose.EVENT, EVENT_KEY)
    assert network.refused(data).name == "KeyRepeated"


def test_operator_taken(network: Network) -> None:
    network.chain.admit(PHARMACY)
    data = calls.add_key(network.record, Purpose.OPERATOR, PHARMACY.address)
    error = network.refused(data)
    assert error.name == "OperatorTaken"
    assert error.values[1] == "0x" + PHARMACY.address.hex()


def test_too_many_keys(network: Network) -> None:
    keys = [(Purpose.LOG, (number + 1).to_bytes(32, "big")) for number in range(254)]
    network.chain.admit(PHARMACY, keys=keys)
    full = network.chain.current(PHARMACY.address)
    network.chain.send(PHARMACY, calls.add_key(full, Purpose.PEER, b"\x01" * 32))
    full = network.chain.current(PHARMACY.address)
    error = network.refused(calls.add_key(full, Purpose.PEER, b"\x02" * 32), by=PHARMACY)
    assert (error.name, error.values) == ("TooMany", (257, 256))


# Ending


def test_a_member_ends_a_key_now(network: Network) -> None:
    block = network.chain.next_block
    before = network.record
    after = network.send(calls.end_key(before, 1))
    assert after.keys[1] == msgspec.structs.replace(before.keys[1], valid_until=block)
    assert after.keys[0] == before.keys[0]


def test_a_key_may_end_later_and_sooner_than_announced(network: Network) -> None:
    network.send(calls.add_key(network.record, Purpose.OPERATOR, SECOND.address))
    end = network.chain.next_block + 9
    assert (
        network.send(calls.end_key(network.record, 2, valid_until=end)).keys[2].valid_until == end
    )
    assert network.operator(SECOND) == MAKER.address
    sooner = network.chain.next_block + 3
    network.send(calls.end_key(network.record, 2, valid_until=sooner))
    assert network.operator(SECOND) == MAKER.address
    network.chain.mine(sooner - network.chain.next_block)
    assert network.operator(SECOND) == bytes(20)


def test_key_already_ended(network: Network) -> None:
    ended = network.send(calls.end_key(network.record, 1))
    error = network.refused(calls.end_key(ended, 1))
    assert (error.name, error.values) == ("KeyAlreadyEnded", (ended.keys[1].valid_until,))


def test_an_announced_end_is_not_put_off(network: Network) -> None:
    end = network.chain.next_block + 9
    ending = network.send(calls.end_key(network.record, 1, valid_until=end))
    assert network.refused(calls.end_key(ending, 1, valid_until=end)).name == "KeyAlreadyEnded"
    assert network.refused(calls.end_key(ending, 1, valid_until=end + 1)).name == "KeyAlreadyEnded"


def test_no_such_key(network: Network) -> None:
    error = network.refused(calls.end_key(network.record, 2))
    assert (error.name, error.values) == ("NoSuchKey", (2, 2))


def test_last_operator_key(network: Network) -> None:
    assert network.refused(calls.end_key(network.record, 0)).name == "LastOperatorKey"


def test_an_operator_replaces_its_own_key(network: Network) -> None:
    network.send(calls.add_key(network.record, Purpose.OPERATOR, SECOND.address))
    after = network.send(calls.end_key(network.record, 0))
    assert network.operator(MAKER) == bytes(20)
    data = calls.set_node_url(after, "https://maker.example")
    assert network.refused(data).name == "NotOperatorOf"
    assert network.send(data, by=SECOND).node_url == "https://maker.example"
    assert after.member == MAKER.address


# Compromise


def test_a_report_says_since_when_and_when_it_was_made(network: Network) -> None:
    network.chain.mine(3)
    block = network.chain.next_block
    key = network.send(calls.report_compromised(network.record, 1, since=block - 2)).keys[1]
    assert (key.compromised_since, key.compromise_reported) == (block - 2, block)
    assert key.valid_until == 0


def test_a_report_may_be_made_worse(network: Network) -> None:
    network.chain.mine(5)
    network.send(calls.report_compromised(network.record, 1, since=network.chain.next_block))
    since = network.record.keys[1].compromised_since
    block = network.chain.next_block
    key = network.send(calls.report_compromised(network.record, 1, since=since - 1)).keys[1]
    assert (key.compromised_since, key.compromise_reported) == (since - 1, block)


def test_a_report_is_never_taken_back(network: Network) -> None:
    reported = network.send(calls.report_compromised(network.record, 1, since=2))
    for since in (0, 2, 3):
        error = network.refused(calls.report_compromised(reported, 1, since=since))
        assert (error.name, error.values) == ("WrongCompromiseBlock", (since, 1))


@pytest.mark.parametrize("ahead", [1, 100])
def test_wrong_compromise_block_in_the_future(network: Network, ahead: int) -> None:
    block = network.chain.next_block
    error = network.refused(calls.report_compromised(network.record, 1, since=block + ahead))
    assert (error.name, error.values) == ("WrongCompromiseBlock", (block + ahead, block))


def test_wrong_compromise_block_zero(network: Network) -> None:
    error = network.refused(calls.report_compromised(network.record, 1, since=0))
    assert error.name == "WrongCompromiseBlock"


def test_a_report_on_no_such_key(network: Network) -> None:
    error = network.refused(calls.report_compromised(network.record, 7, since=1))
    assert error.name == "NoSuchKey"


# URL, and who may


def test_a_member_sets_its_node_url(network: Network) -> None:
    before = network.record
    after = network.send(calls.set_node_url(before, "https://maker.example:8443/x"))
    assert after == msgspec.structs.replace(
        before, node_url="https://maker.example:8443/x", version=2, block=after.block
    )


def test_url_too_long_or_not_printable(network: Network) -> None:
    assert network.refused(calls.set_node_url(network.record, "x" * 301)).name == "TooLong"
    assert network.refused(calls.set_node_url(network.record, "a b")).name == "UrlNotPrintable"


def test_not_operator_of(network: Network) -> None:
    pharmacy = network.chain.admit(PHARMACY)
    for data in (
        calls.set_node_url(pharmacy, "https://maker.example"),
        calls.add_key(pharmacy, Purpose.EVENT, b"\x09" * 20),
        calls.end_key(pharmacy, 0),
        calls.report_compromised(pharmacy, 0, since=1),
    ):
        assert network.refused(data).name == "NotOperatorOf"
    data = calls.set_node_url(network.record, "https://maker.example")
    assert network.refused(data, by=SECOND).name == "NotOperatorOf"


def test_stewards_cannot_change_a_members_keys(network: Network) -> None:
    data = calls.add_key(network.record, Purpose.EVENT, b"\x09" * 20)
    assert network.refused(data, by=network.chain.stewards[0]).name == "NotOperatorOf"


def test_stale_record(network: Network) -> None:
    old = network.record
    network.send(calls.set_node_url(old, "https://maker.example"))
    for data in (
        calls.set_node_url(old, "https://late.example"),
        calls.add_key(old, Purpose.EVENT, b"\x09" * 20),
        calls.end_key(old, 1),
        calls.report_compromised(old, 1, since=1),
    ):
        error = network.refused(data)
        assert error.name == "StaleRecord"
        assert error.values == (record_digest(old), record_digest(network.record))


def test_unknown_member(network: Network) -> None:
    stranger, _ = network.chain.request(PHARMACY)
    data = calls.set_node_url(stranger, "https://pharmacy.example")
    assert network.refused(data, by=PHARMACY).name == "UnknownMember"


def test_a_suspended_member_still_looks_after_its_keys(network: Network) -> None:
    network.chain.vote(calls.suspend(network.record, last_block=LAST_BLOCK))
    after = network.send(calls.report_compromised(network.record, 1, since=1))
    assert after.status is Status.SUSPENDED
    assert network.send(calls.end_key(after, 1)).keys[1].valid_until > 0
