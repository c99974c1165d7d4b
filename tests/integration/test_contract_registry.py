"""What stewards decide about members: admission, amendment, suspension, recovery."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from eth_abi.abi import encode

from abi_hashes import topic
from integration.contract_chain import (
    GENESIS_HASH,
    LAST_BLOCK,
    RECOVERY_DELAY,
    Account,
    ContractChain,
    RevertedError,
)
from sealtrail.ledger import registry_calls as calls
from sealtrail.membership.encoding import record_digest
from sealtrail.membership.records import MemberRecord, NumberingRight, Purpose, Role, Status
from sealtrail.membership.requests import sign_consent

GLN = "4012345000009"
OTHER_GLN = "4012345000016"
MAKER = Account("maker")
PHARMACY = Account("pharmacy")
NEW_KEY = Account("the key after the fire")
THIEF = Account("thief")


@pytest.fixture
def chain() -> ContractChain:
    return ContractChain()


def _admission(
    chain: ContractChain, record: MemberRecord, consent: bytes, last_block: int = LAST_BLOCK
) -> RevertedError:
    with pytest.raises(RevertedError) as refusal:
        chain.send(chain.stewards[0], calls.admit(record, consent, last_block=last_block))
    return refusal.value


def _refused_request(chain: ContractChain, **fields: Any) -> RevertedError:
    return _admission(chain, *chain.request(MAKER, **fields))


def _amend(chain: ContractChain, current: MemberRecord, **changes: Any) -> None:
    fields: dict[str, Any] = {
        "name": current.name,
        "roles": current.roles,
        "glns": current.glns,
        "rights": current.rights,
    }
    data = calls.amend(current, **{**fields, **changes}, last_block=LAST_BLOCK + chain.next_block)
    chain.send(chain.stewards[0], data)


def _operator_of(chain: ContractChain, account: Account) -> tuple[bytes, int]:
    data = calls.operator_of(account.address)
    member, status = chain.ask(chain.registry, data, "address", "uint8")
    return member, status


def _member_of_gln(chain: ContractChain, gln: str) -> bytes:
    data = topic("memberOfGln(string)")[:4] + encode(["string"], [gln])
    found: bytes = chain.ask(chain.registry, data, "address")[0]
    return found


# Founding


def test_the_network_says_what_it_is(chain: ContractChain) -> None:
    founded = next(log for log in chain.logs if log.name == "NetworkFounded")
    assert founded.values["genesisHash"] == GENESIS_HASH
    assert founded.values["anchors"] == chain.anchors
    assert founded.values["recoveryDelay"] == RECOVERY_DELAY
    separator = chain.ask(chain.registry, calls.domain_separator(), "bytes32")[0]
    assert separator == chain.domain.separator


# Admission


def test_a_member_is_admitted_as_it_asked(chain: ContractChain) -> None:
    rights = (NumberingRight(digits="4012345", valid_from=5, valid_until=9),)
    keys = [(Purpose.EVENT, b"\x01" * 20), (Purpose.LOG, b"\x02" * 32)]
    block = chain.next_block
    record = chain.admit(
        MAKER, roles=Role.MANUFACTURER | Role.CARRIER, glns=[GLN], rights=rights, keys=keys
    )
    assert record.name == "Müller Arzneimittel"
    assert (record.version, record.status, record.block) == (1, Status.ACTIVE, block)
    assert (record.roles, record.glns, record.rights) == (
        Role.MANUFACTURER | Role.CARRIER,
        (GLN,),
        rights,
    )
    assert [k.purpose for k in record.keys] == [Purpose.OPERATOR, Purpose.EVENT, Purpose.LOG]
    assert {(k.valid_from, k.valid_until, k.recovered) for k in record.keys} == {(block, 0, False)}
    assert _operator_of(chain, MAKER) == (MAKER.address, Status.ACTIVE)
    assert _member_of_gln(chain, GLN) == MAKER.address
    digest = chain.ask(chain.registry, calls.record_digest_of(MAKER.address), "bytes32")[0]
    assert digest == record_digest(record)


def test_what_the_request_says_of_blocks_and_standing_is_ignored(chain: ContractChain) -> None:
    record, _ = chain.request(MAKER)
    bold = msgspec.structs.replace(
        record,
        version=41,
        status=Status.SUSPENDED,
        keys=(
            msgspec.structs.replace(
                record.keys[0], valid_from=1, valid_until=2, compromised_since=1, recovered=True
            ),
        ),
    )
    consent = sign_consent(bold, chain.domain, MAKER.signer)
    block = chain.next_block
    chain.send(chain.stewards[0], calls.admit(bold, consent, last_block=LAST_BLOCK))
    admitted = chain.current(MAKER.address)
    assert (admitted.version, admitted.status) == (1, Status.ACTIVE)
    key = admitted.keys[0]
    assert (key.valid_from, key.valid_until, key.compromised_since) == (block, 0, 0)
    assert not key.recovered


def test_nobody_has_an_unknown_gln(chain: ContractChain) -> None:
    assert _member_of_gln(chain, GLN) == bytes(20)


def test_already_a_member(chain: ContractChain) -> None:
    chain.admit(MAKER)
    record, consent = chain.request(MAKER)
    assert _admission(chain, record, consent, LAST_BLOCK + 1).name == "AlreadyAMember"


def test_wrong_consent_by_another_key(chain: ContractChain) -> None:
    record, _ = chain.request(MAKER)
    _, others = chain.request(PHARMACY)
    error = _admission(chain, record, others)
    assert error.name == "WrongConsent"
    assert error.values[1] == "0x" + MAKER.address.hex()


def test_wrong_consent_to_another_record(chain: ContractChain) -> None:
    _, consent = chain.request(MAKER)
    record, _ = chain.request(MAKER, roles=Role.REGULATOR)
    assert _admission(chain, record, consent).name == "WrongConsent"


def test_wrong_consent_from_another_network(chain: ContractChain) -> None:
    other = ContractChain(2)
    other.domain = type(other.domain)(
        chain_id=chain.domain.chain_id, registry=chain.registry, genesis_hash=bytes(32)
    )
    assert _admission(chain, *other.request(MAKER)).name == "WrongConsent"


def test_wrong_consent_that_no_key_can_have_made(chain: ContractChain) -> None:
    record, consent = chain.request(MAKER)
    error = _admission(chain, record, consent[:64] + b"\x00")
    assert error.name == "WrongConsent"
    assert error.values[0] == "0x" + "00" * 20


def test_wrong_consent_for_the_zero_address(chain: ContractChain) -> None:
    record, _ = chain.request(MAKER)
    nobody = msgspec.structs.replace(record, member=bytes(20))
    assert _admission(chain, nobody, bytes(65)).name == "WrongConsent"


def test_admission_by_one_who_is_no_steward(chain: ContractChain) -> None:
    record, consent = chain.request(MAKER)
    with pytest.raises(RevertedError, match="NotASteward"):
        chain.send(MAKER, calls.admit(record, consent, last_block=LAST_BLOCK))


@pytest.mark.parametrize("keys", [(), ("event",), ("another",)])
def test_first_key_not_the_members(chain: ContractChain, keys: tuple[str, ...]) -> None:
    record, _ = chain.request(MAKER)
    own = record.keys[0]
    wrong = {
        "event": msgspec.structs.replace(own, purpose=Purpose.EVENT),
        "another": msgspec.structs.replace(own, public=PHARMACY.address.rjust(32, b"\0")),
    }
    record = msgspec.structs.replace(record, keys=tuple(wrong[name] for name in keys))
    consent = sign_consent(record, chain.domain, MAKER.signer)
    assert _admission(chain, record, consent).name == "FirstKeyNotTheMembers"


# Form


@pytest.mark.parametrize("roles", [0, 64, 65535])
def test_unknown_roles(chain: ContractChain, roles: int) -> None:
    assert _refused_request(chain, roles=Role(roles)).name == "UnknownRoles"


def test_empty_name(chain: ContractChain) -> None:
    assert _refused_request(chain, name="").name == "EmptyName"


def test_too_long_a_name(chain: ContractChain) -> None:
    error = _refused_request(chain, name="x" * 201)
    assert (error.name, error.values) == ("TooLong", (201, 200))
    chain.admit(MAKER, name="x" * 200)


def test_too_long_a_url(chain: ContractChain) -> None:
    error = _refused_request(chain, node_url="x" * 301)
    assert (error.name, error.values) == ("TooLong", (301, 300))
    chain.admit(MAKER, node_url="x" * 300)


@pytest.mark.parametrize("character", [" ", "\x7f", "ü", "\n"])
def test_url_not_printable(chain: ContractChain, character: str) -> None:
    error = _refused_request(chain, node_url="https:" + character)
    assert (error.name, error.values) == ("UrlNotPrintable", (6,))


@pytest.mark.parametrize(
    "gln", ["", "401234500000", "40123450000090", "401234500000x", "40123450/0009", "40123450:0009"]
)
def test_a_gln_not_of_13_digits(chain: ContractChain, gln: str) -> None:
    error = _refused_request(chain, glns=[gln])
    assert (error.name, error.values) == ("NotDigits", (gln, 13, 13))


@pytest.mark.parametrize("digits", ["", "401", "401234500000900", "40 1"])
def test_a_right_not_of_4_to_14_digits(chain: ContractChain, digits: str) -> None:
    error = _refused_request(chain, rights=[NumberingRight(digits=digits)])
    assert (error.name, error.values) == ("NotDigits", (digits, 4, 14))


@pytest.mark.parametrize("until", [5, 4])
def test_empty_interval_of_a_right(chain: ContractChain, until: int) -> None:
    right = NumberingRight(digits="4012345", valid_from=5, valid_until=until)
    error = _refused_request(chain, rights=[right])
    assert (error.name, error.values) == ("EmptyInterval", (5, until))


def test_too_many_glns(chain: ContractChain) -> None:
    glns = [f"{number:013}" for number in range(257)]
    error = _refused_request(chain, glns=glns)
    assert (error.name, error.values) == ("TooMany", (257, 256))
    chain.admit(MAKER, glns=glns[:256])


def test_too_many_rights(chain: ContractChain) -> None:
    rights = [NumberingRight(digits=f"{number:07}") for number in range(257)]
    assert _refused_request(chain, rights=rights).name == "TooMany"
    chain.admit(MAKER, rights=rights[:256])


def test_too_many_keys(chain: ContractChain) -> None:
    keys = [(Purpose.LOG, (number + 1).to_bytes(32, "big")) for number in range(256)]
    assert _refused_request(chain, keys=keys).name == "TooMany"
    chain.admit(MAKER, keys=keys[:255])


def test_empty_key(chain: ContractChain) -> None:
    assert _refused_request(chain, keys=[(Purpose.PEER, bytes(32))]).name == "EmptyKey"


@pytest.mark.parametrize("purpose", [Purpose.EVENT, Purpose.OPERATOR])
def test_not_an_address(chain: ContractChain, purpose: Purpose) -> None:
    assert _refused_request(chain, keys=[(purpose, b"\x01" * 32)]).name == "NotAnAddress"


def test_key_repeated_in_a_request(chain: ContractChain) -> None:
    keys = [(Purpose.LOG, b"\x01" * 32)] * 2
    assert _refused_request(chain, keys=keys).name == "KeyRepeated"


def test_a_key_may_serve_two_purposes(chain: ContractChain) -> None:
    chain.admit(MAKER, keys=[(Purpose.EVENT, MAKER.address)])


def test_operator_taken(chain: ContractChain) -> None:
    chain.admit(MAKER, keys=[(Purpose.OPERATOR, PHARMACY.address)])
    error = _admission(chain, *chain.request(PHARMACY))
    assert error.name == "OperatorTaken"
    assert error.values == ("0x" + PHARMACY.address.hex(), "0x" + MAKER.address.hex())


def test_gln_taken(chain: ContractChain) -> None:
    chain.admit(PHARMACY, glns=[GLN])
    error = _refused_request(chain, glns=[GLN])
    assert (error.name, error.values) == ("GlnTaken", (GLN, "0x" + PHARMACY.address.hex()))


def test_the_same_gln_twice_in_one_record(chain: ContractChain) -> None:
    assert _refused_request(chain, glns=[GLN, GLN]).name == "GlnTaken"


# Amendment


def test_amending_replaces_what_stewards_vouch_for_and_nothing_else(chain: ContractChain) -> None:
    record = chain.admit(MAKER, glns=[GLN], node_url="https://maker.example")
    rights = (NumberingRight(digits="4012345"),)
    _amend(chain, record, name="Neu", roles=Role.CARRIER, glns=[OTHER_GLN], rights=rights)
    amended = chain.current(MAKER.address)
    assert (amended.name, amended.roles, amended.glns, amended.rights) == (
        "Neu",
        Role.CARRIER,
        (OTHER_GLN,),
        rights,
    )
    assert (amended.version, amended.status) == (2, Status.ACTIVE)
    assert (amended.keys, amended.node_url) == (record.keys, record.node_url)
    assert _member_of_gln(chain, GLN) == bytes(20)
    assert _member_of_gln(chain, OTHER_GLN) == MAKER.address


def test_a_gln_that_one_member_gave_up_may_be_anothers(chain: ContractChain) -> None:
    record = chain.admit(MAKER, glns=[GLN])
    pharmacy = chain.admit(PHARMACY)
    with pytest.raises(RevertedError, match="GlnTaken"):
        _amend(chain, pharmacy, glns=[GLN])
    _amend(chain, record, glns=[])
    _amend(chain, pharmacy, glns=[GLN])
    assert _member_of_gln(chain, GLN) == PHARMACY.address


def test_an_amendment_keeps_to_the_form_too(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    with pytest.raises(RevertedError, match="UnknownRoles"):
        _amend(chain, record, roles=Role(0))


def test_stale_record(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    chain.send(MAKER, calls.set_node_url(record, "https://maker.example"))
    with pytest.raises(RevertedError, match="StaleRecord"):
        _amend(chain, record, name="late")


def test_unknown_member(chain: ContractChain) -> None:
    record, _ = chain.request(MAKER)
    with pytest.raises(RevertedError, match="UnknownMember"):
        _amend(chain, record)


def test_an_amendment_waits_for_its_votes() -> None:
    chain = ContractChain(2)
    record = chain.admit(MAKER)
    _amend(chain, record, name="Neu")
    assert chain.current(MAKER.address).name == record.name


# Suspension


def test_a_suspended_member_is_marked_and_may_be_reinstated(chain: ContractChain) -> None:
    chain.admit(PHARMACY)
    record = chain.admit(MAKER, keys=[(Purpose.OPERATOR, NEW_KEY.address)])
    chain.vote(calls.suspend(record, last_block=LAST_BLOCK))
    suspended = chain.current(MAKER.address)
    assert suspended.status is Status.SUSPENDED
    assert _operator_of(chain, MAKER) == (MAKER.address, Status.SUSPENDED)
    assert _operator_of(chain, NEW_KEY) == (MAKER.address, Status.SUSPENDED)
    assert _operator_of(chain, PHARMACY) == (PHARMACY.address, Status.ACTIVE)
    chain.vote(calls.reinstate(suspended, last_block=LAST_BLOCK))
    assert chain.current(MAKER.address).status is Status.ACTIVE
    assert _operator_of(chain, NEW_KEY) == (MAKER.address, Status.ACTIVE)


def test_a_key_added_while_suspended_is_marked_too(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    chain.vote(calls.suspend(record, last_block=LAST_BLOCK))
    suspended = chain.current(MAKER.address)
    chain.send(MAKER, calls.add_key(suspended, Purpose.OPERATOR, NEW_KEY.address))
    assert _operator_of(chain, NEW_KEY) == (MAKER.address, Status.SUSPENDED)


def test_wrong_status_to_suspend(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    chain.vote(calls.suspend(record, last_block=LAST_BLOCK))
    again = calls.suspend(chain.current(MAKER.address), last_block=LAST_BLOCK + 1)
    with pytest.raises(RevertedError, match=r"WrongStatus\(2,\)"):
        chain.vote(again)


def test_wrong_status_to_reinstate(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    with pytest.raises(RevertedError, match=r"WrongStatus\(1,\)"):
        chain.vote(calls.reinstate(record, last_block=LAST_BLOCK))


def test_a_reinstatement_waits_for_its_votes() -> None:
    chain = ContractChain(2)
    record = chain.admit(MAKER)
    chain.vote(calls.suspend(record, last_block=LAST_BLOCK))
    suspended = chain.current(MAKER.address)
    chain.send(chain.stewards[0], calls.reinstate(suspended, last_block=LAST_BLOCK))
    assert chain.current(MAKER.address).status is Status.SUSPENDED


# Recovery


def _announce(chain: ContractChain, new: Account = NEW_KEY, last_block: int = LAST_BLOCK) -> int:
    done = chain.vote(calls.recover_key(MAKER.address, new.address, last_block=last_block))
    due: int = done.logs[-1].values["dueBlock"]
    return due


def _recovery_of(chain: ContractChain) -> tuple[bytes, int]:
    data = topic("recoveryOf(address)")[:4] + MAKER.address.rjust(32, b"\0")
    new, due = chain.ask(chain.registry, data, "address", "uint40")
    return new, due


def test_recovery_replaces_the_operator_keys_after_the_delay_and_is_marked(
    chain: ContractChain,
) -> None:
    keys = [(Purpose.OPERATOR, THIEF.address), (Purpose.EVENT, b"\x01" * 20)]
    record = chain.admit(MAKER, keys=keys)
    started = chain.next_block
    due = _announce(chain)
    assert due == started + RECOVERY_DELAY
    assert _recovery_of(chain) == (NEW_KEY.address, due)
    chain.mine(due - chain.next_block)
    block = chain.next_block
    done = chain.send(NEW_KEY, calls.complete_recovery(record))
    assert [log.name for log in done.logs] == ["RecoveryCompleted", "MemberRecorded"]
    recovered = chain.current(MAKER.address)
    assert [k.valid_until for k in recovered.keys] == [block, block, 0, 0]
    assert [k.recovered for k in recovered.keys] == [False, False, False, True]
    assert _operator_of(chain, NEW_KEY) == (MAKER.address, Status.ACTIVE)
    assert _operator_of(chain, MAKER) == (bytes(20), 0)
    assert _operator_of(chain, THIEF) == (bytes(20), 0)
    assert _recovery_of(chain) == (bytes(20), 0)


def test_recovery_leaves_ended_keys_and_cuts_those_about_to_end(chain: ContractChain) -> None:
    keys = [(Purpose.OPERATOR, THIEF.address), (Purpose.OPERATOR, PHARMACY.address)]
    chain.admit(MAKER, keys=keys)
    chain.send(MAKER, calls.end_key(chain.current(MAKER.address), 1))
    ended = chain.current(MAKER.address).keys[1].valid_until
    chain.send(MAKER, calls.end_key(chain.current(MAKER.address), 2, valid_until=10_000))
    chain.mine(_announce(chain) - chain.next_block)
    block = chain.next_block
    chain.send(NEW_KEY, calls.complete_recovery(chain.current(MAKER.address)))
    assert [k.valid_until for k in chain.current(MAKER.address).keys] == [block, ended, block, 0]


def test_recovery_not_due(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    due = _announce(chain)
    chain.mine(due - 1 - chain.next_block)
    with pytest.raises(RevertedError, match=rf"RecoveryNotDue\({due}, {due - 1}\)"):
        chain.send(NEW_KEY, calls.complete_recovery(record))


def test_not_the_new_operator(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    _announce(chain)
    with pytest.raises(RevertedError, match="NotTheNewOperator"):
        chain.send(THIEF, calls.complete_recovery(record))


def test_no_recovery_to_complete(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    with pytest.raises(RevertedError, match="NoRecovery"):
        chain.send(NEW_KEY, calls.complete_recovery(record))


def test_a_recovery_on_a_stale_record_is_refused(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    chain.mine(_announce(chain) - chain.next_block)
    chain.send(MAKER, calls.set_node_url(record, "https://maker.example"))
    with pytest.raises(RevertedError, match="StaleRecord"):
        chain.send(NEW_KEY, calls.complete_recovery(record))


def test_a_member_that_still_has_its_key_cancels_a_recovery(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    due = _announce(chain)
    done = chain.send(MAKER, calls.cancel_recovery())
    assert done.logs[0].name == "RecoveryCancelled"
    assert done.logs[0].values["newOperator"] == NEW_KEY.address
    chain.mine(due - chain.next_block)
    with pytest.raises(RevertedError, match="NoRecovery"):
        chain.send(NEW_KEY, calls.complete_recovery(record))


@pytest.mark.parametrize("by", [MAKER, THIEF])
def test_no_recovery_to_cancel(chain: ContractChain, by: Account) -> None:
    chain.admit(MAKER)
    with pytest.raises(RevertedError, match="NoRecovery"):
        chain.send(by, calls.cancel_recovery())


def test_another_member_cannot_cancel(chain: ContractChain) -> None:
    chain.admit(MAKER)
    chain.admit(PHARMACY)
    _announce(chain)
    with pytest.raises(RevertedError, match="NoRecovery"):
        chain.send(PHARMACY, calls.cancel_recovery())


def test_recovery_of_an_unknown_member(chain: ContractChain) -> None:
    with pytest.raises(RevertedError, match="UnknownMember"):
        _announce(chain)


def test_zero_operator(chain: ContractChain) -> None:
    chain.admit(MAKER)
    nobody = calls.recover_key(MAKER.address, bytes(20), last_block=LAST_BLOCK)
    with pytest.raises(RevertedError, match="ZeroOperator"):
        chain.vote(nobody)


def test_recovery_to_a_key_that_another_member_holds(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    chain.admit(PHARMACY)
    chain.mine(_announce(chain, PHARMACY) - chain.next_block)
    with pytest.raises(RevertedError, match="OperatorTaken"):
        chain.send(PHARMACY, calls.complete_recovery(record))


def test_a_second_announcement_starts_the_delay_again(chain: ContractChain) -> None:
    record = chain.admit(MAKER)
    chain.mine(_announce(chain) - chain.next_block)
    due = _announce(chain, THIEF, LAST_BLOCK + 1)
    assert _recovery_of(chain) == (THIEF.address, due)
    with pytest.raises(RevertedError, match="NotTheNewOperator"):
        chain.send(NEW_KEY, calls.complete_recovery(record))
    with pytest.raises(RevertedError, match="RecoveryNotDue"):
        chain.send(THIEF, calls.complete_recovery(record))


def test_a_recovery_waits_for_its_votes() -> None:
    chain = ContractChain(2)
    chain.admit(MAKER)
    data = calls.recover_key(MAKER.address, NEW_KEY.address, last_block=LAST_BLOCK)
    chain.send(chain.stewards[0], data)
    assert _recovery_of(chain) == (bytes(20), 0)


def test_a_thief_who_filled_the_list_of_keys_cannot_prevent_recovery(chain: ContractChain) -> None:
    keys = [(Purpose.LOG, (number + 1).to_bytes(32, "big")) for number in range(255)]
    record = chain.admit(MAKER, keys=keys)
    chain.mine(_announce(chain) - chain.next_block)
    chain.send(NEW_KEY, calls.complete_recovery(record))
    assert _operator_of(chain, NEW_KEY) == (MAKER.address, Status.ACTIVE)
