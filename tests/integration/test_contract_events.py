"""The events alone are enough to rebuild all that the contracts store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sha3 import keccak_256

from abi_hashes import topic
from integration.contract_chain import LAST_BLOCK, Account, ContractChain, Log
from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.encoding import parse_record
from sealtrail.membership.records import MemberRecord, Purpose
from sealtrail_contracts import artifact

MAKER, PHARMACY, CARRIER = Account("maker"), Account("pharmacy"), Account("carrier")
NEW_KEY, NEW_STEWARD = Account("a new key"), Account("a new steward")


@dataclass
class Rebuilt:
    """State as the events tell it."""

    stewards: set[bytes] = field(default_factory=set)
    votes: dict[bytes, set[bytes]] = field(default_factory=dict)
    carried: set[bytes] = field(default_factory=set)
    records: dict[bytes, bytes] = field(default_factory=dict)
    recoveries: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)
    anchors: dict[bytes, tuple[int, bytes]] = field(default_factory=dict)

    def take(self, log: Log) -> None:
        values = log.values
        match log.name:
            case "StewardAdded":
                self.stewards.add(values["steward"])
            case "StewardRemoved":
                self.stewards.remove(values["steward"])
            case "Voted":
                self.votes.setdefault(values["motion"], set()).add(values["steward"])
            case "Carried":
                self.carried.add(values["motion"])
            case "MemberRecorded":
                self.records[values["member"]] = values["record"]
            case "RecoveryAnnounced":
                self.recoveries[values["member"]] = (values["newOperator"], values["dueBlock"])
            case "RecoveryCancelled" | "RecoveryCompleted":
                del self.recoveries[values["member"]]
            case "Anchored":
                self.anchors[values["member"]] = (values["sequence"], values["checkpoint"])

    def record(self, member: bytes) -> MemberRecord:
        return parse_record(self.records[member], block=0)


def _busy_network() -> ContractChain:
    chain = ContractChain(2)
    for account, gln in ((MAKER, "4012345000009"), (PHARMACY, "4012345000016"), (CARRIER, None)):
        chain.admit(
            account,
            glns=[gln] if gln else [],
            keys=[(Purpose.LOG, account.address * 1 + b"\1" * 12)],
        )
    one, two = chain.stewards
    chain.vote(calls.add_steward(NEW_STEWARD.address, last_block=LAST_BLOCK))
    for voter in (one, two, NEW_STEWARD):
        chain.send(voter, calls.remove_steward(two.address, last_block=LAST_BLOCK))
    chain.stewards = [one, NEW_STEWARD]
    record = chain.current(MAKER.address)
    chain.vote(
        calls.amend(
            record,
            name="Neu",
            roles=record.roles,
            glns=["4012345000023"],
            rights=[],
            last_block=LAST_BLOCK,
        )
    )
    chain.send(MAKER, calls.anchor(1, bytes(32), b"\x11" * 32), to=chain.anchors)
    chain.send(
        MAKER, calls.add_key(chain.current(MAKER.address), Purpose.OPERATOR, NEW_KEY.address)
    )
    chain.send(NEW_KEY, calls.end_key(chain.current(MAKER.address), 0))
    chain.send(NEW_KEY, calls.anchor(2, b"\x11" * 32, b"\x22" * 32), to=chain.anchors)
    chain.vote(calls.suspend(chain.current(PHARMACY.address), last_block=LAST_BLOCK))
    chain.send(PHARMACY, calls.anchor(1, bytes(32), b"\x33" * 32), to=chain.anchors)
    for member in (PHARMACY, CARRIER):
        lost = calls.recover_key(member.address, member.address[::-1], last_block=LAST_BLOCK)
        chain.vote(lost)
    chain.send(PHARMACY, calls.cancel_recovery())
    chain.send(one, calls.add_steward(MAKER.address, last_block=LAST_BLOCK))
    return chain


def _ask(chain: ContractChain, signature: str, argument: bytes, *types: str) -> tuple[object, ...]:
    data = topic(signature)[:4] + argument.rjust(32, b"\0")
    return chain.ask(chain.registry, data, *types)


def _rebuild(logs: Sequence[Log]) -> Rebuilt:
    rebuilt = Rebuilt()
    for log in logs:
        rebuilt.take(log)
    return rebuilt


def test_stewards_and_motions_are_rebuilt() -> None:
    chain = _busy_network()
    rebuilt = _rebuild(chain.logs)
    (stewards,) = chain.ask(chain.registry, calls.stewards(), "address[]")
    assert rebuilt.stewards == {bytes.fromhex(address[2:]) for address in stewards}
    assert len(rebuilt.votes) == len(rebuilt.carried) + 1
    for motion, voters in rebuilt.votes.items():
        state = _ask(chain, "motionState(bytes32)", motion, "uint256", "bool")
        assert state == (len(voters & rebuilt.stewards), motion in rebuilt.carried)


def test_records_are_rebuilt_and_their_digests_are_what_is_stored() -> None:
    chain = _busy_network()
    rebuilt = _rebuild(chain.logs)
    assert set(rebuilt.records) == {MAKER.address, PHARMACY.address, CARRIER.address}
    slot = artifact("Registry").storage_slots["recordDigest"]
    for member, record in rebuilt.records.items():
        place = keccak_256(member.rjust(32, b"\0") + slot.to_bytes(32, "big")).digest()
        stored = chain.storage(chain.registry, int.from_bytes(place, "big"))
        assert stored == keccak_256(record).digest()
        assert _ask(chain, "recordDigest(address)", member, "bytes32") == (stored,)


def test_operators_and_their_standing_are_rebuilt() -> None:
    chain = _busy_network()
    rebuilt = _rebuild(chain.logs)
    for account in (MAKER, PHARMACY, CARRIER, NEW_KEY, NEW_STEWARD):
        block = chain.next_block
        expected: tuple[bytes, int] = (bytes(20), 0)
        for member in rebuilt.records:
            record = rebuilt.record(member)
            if account.address.rjust(32, b"\0") in [
                key.public for key in record.keys_for(Purpose.OPERATOR, block)
            ]:
                expected = (member, record.status)
        assert _ask(chain, "operatorOf(address)", account.address, "address", "uint8") == expected


def test_recoveries_and_anchors_are_rebuilt() -> None:
    chain = _busy_network()
    rebuilt = _rebuild(chain.logs)
    assert set(rebuilt.recoveries) == {CARRIER.address}
    for member in rebuilt.records:
        found = _ask(chain, "recoveryOf(address)", member, "address", "uint40")
        assert found == rebuilt.recoveries.get(member, (bytes(20), 0))
        latest = chain.ask(chain.anchors, calls.latest(member), "uint64", "bytes32")
        assert latest == rebuilt.anchors.get(member, (0, bytes(32)))


def test_versions_leave_no_gap() -> None:
    chain = _busy_network()
    for member in (MAKER, PHARMACY, CARRIER):
        versions = [
            log.values["version"]
            for log in chain.logs
            if log.name == "MemberRecorded" and log.values["member"] == member.address
        ]
        assert versions == list(range(1, len(versions) + 1))
