"""Whatever members and stewards do, what the registry answers is what the records say."""

from __future__ import annotations

from collections.abc import Callable

from eth_abi.abi import encode
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from abi_hashes import topic
from integration.contract_chain import LAST_BLOCK, Account, ContractChain, RevertedError
from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.encoding import record_digest
from sealtrail.membership.records import MemberRecord, Purpose, Status

MEMBERS = [Account("maker"), Account("pharmacy")]
ACCOUNTS = [*MEMBERS, *(Account(f"operator {number}") for number in range(3))]
GLNS = ["4012345000009", "4012345000016", "4012345000023"]

member = st.integers(0, len(MEMBERS) - 1)
account = st.integers(0, len(ACCOUNTS) - 1)
ahead = st.integers(-2, 4)


class RegistryByItsRecords(RuleBasedStateMachine):
    """Tries what it likes, whether or not the contract lets it."""

    @initialize()
    def found(self) -> None:
        self.chain = ContractChain()
        self.motions = 0
        self.history: dict[bytes, MemberRecord] = {}
        for applicant in MEMBERS:
            self.chain.admit(applicant, keys=[(Purpose.LOG, applicant.address.rjust(32, b"\1"))])

    @rule(who=member, new=account, by=account, begin=ahead)
    def add_operator(self, who: int, new: int, by: int, begin: int) -> None:
        begin_block = max(self.chain.next_block + begin, 0)
        self._try(
            by,
            lambda: calls.add_key(
                self._record(who), Purpose.OPERATOR, ACCOUNTS[new].address, valid_from=begin_block
            ),
        )

    @rule(who=member, position=st.integers(0, 4), by=account, end=ahead)
    def end_key(self, who: int, position: int, by: int, end: int) -> None:
        end_block = max(self.chain.next_block + end, 0)
        self._try(by, lambda: calls.end_key(self._record(who), position, valid_until=end_block))

    @rule(who=member, position=st.integers(0, 4), by=account, since=ahead)
    def report(self, who: int, position: int, by: int, since: int) -> None:
        block = max(self.chain.next_block + since, 0)
        self._try(by, lambda: calls.report_compromised(self._record(who), position, since=block))

    @rule(who=member, suspend=st.booleans())
    def judge(self, who: int, suspend: bool) -> None:
        vote = calls.suspend if suspend else calls.reinstate
        self._vote(lambda last: vote(self._record(who), last_block=last))

    @rule(who=member, glns=st.lists(st.sampled_from(GLNS), max_size=3))
    def amend(self, who: int, glns: list[str]) -> None:
        record = self._record(who)
        self._vote(
            lambda last: calls.amend(
                record, name="N", roles=record.roles, glns=glns, rights=[], last_block=last
            )
        )

    @rule(who=member, new=account)
    def announce_recovery(self, who: int, new: int) -> None:
        ids = MEMBERS[who].address, ACCOUNTS[new].address
        self._vote(lambda last: calls.recover_key(*ids, last_block=last))

    @rule(by=account)
    def cancel_recovery(self, by: int) -> None:
        self._try(by, calls.cancel_recovery)

    @rule(who=member, by=account)
    def complete_recovery(self, who: int, by: int) -> None:
        self._try(by, lambda: calls.complete_recovery(self._record(who)))

    @rule(blocks=st.integers(1, 4))
    def wait(self, blocks: int) -> None:
        self.chain.mine(blocks)

    @invariant()
    def operators_are_those_of_the_records(self) -> None:
        for asked in ACCOUNTS:
            block = self.chain.next_block
            holders = [
                (m.address, self._record(number).status)
                for number, m in enumerate(MEMBERS)
                for key in self._record(number).keys_for(Purpose.OPERATOR, block)
                if key.public[12:] == asked.address
            ]
            assert len(holders) <= 1
            found = self._ask("operatorOf(address)", asked.address, "address", "uint8")
            assert found == (holders[0] if holders else (bytes(20), 0))

    @invariant()
    def a_gln_has_the_member_whose_record_has_it(self) -> None:
        for gln in GLNS:
            holders = [
                m.address for number, m in enumerate(MEMBERS) if gln in self._record(number).glns
            ]
            assert len(holders) <= 1
            data = topic("memberOfGln(string)")[:4] + encode(["string"], [gln])
            (found,) = self.chain.ask(self.chain.registry, data, "address")
            assert found == (holders[0] if holders else bytes(20))

    @invariant()
    def stored_digests_are_of_the_latest_records(self) -> None:
        for number, m in enumerate(MEMBERS):
            found = self._ask("recordDigest(address)", m.address, "bytes32")
            assert found == (record_digest(self._record(number)),)

    @invariant()
    def the_past_of_a_key_does_not_change(self) -> None:
        for number, m in enumerate(MEMBERS):
            now, before = self._record(number), self.history.get(m.address)
            self.history[m.address] = now
            if before is None or now.version == before.version:
                continue
            assert now.version > before.version
            for old, new in zip(before.keys, now.keys, strict=False):
                assert (old.purpose, old.public, old.valid_from, old.recovered) == (
                    new.purpose,
                    new.public,
                    new.valid_from,
                    new.recovered,
                )
                if new.valid_until != old.valid_until:
                    # never before the block in which it was decided
                    assert new.valid_until >= now.block
                    assert old.valid_until == 0 or new.valid_until < old.valid_until
                assert (
                    not old.compromised_since or 0 < new.compromised_since <= old.compromised_since
                )
            assert now.status in (Status.ACTIVE, Status.SUSPENDED)

    def _record(self, who: int) -> MemberRecord:
        return self.chain.current(MEMBERS[who].address)

    def _ask(self, signature: str, argument: bytes, *types: str) -> tuple[object, ...]:
        data = topic(signature)[:4] + argument.rjust(32, b"\0")
        return tuple(self.chain.ask(self.chain.registry, data, *types))

    def _try(self, by: int, call: Callable[[], bytes]) -> None:
        try:
            self.chain.send(ACCOUNTS[by], call())
        except RevertedError as refusal:
            if refusal.name.startswith("0x"):  # without a reason of the contract's own
                raise

    def _vote(self, call: Callable[[int], bytes]) -> None:
        self.motions += 1
        try:
            self.chain.vote(call(LAST_BLOCK + self.motions))
        except RevertedError as refusal:
            if refusal.name.startswith("0x"):
                raise


TestRegistryByItsRecords = RegistryByItsRecords.TestCase
TestRegistryByItsRecords.settings = settings(
    max_examples=12,
    stateful_step_count=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
