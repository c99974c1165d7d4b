"""Call data: each function of the contracts that a node calls, as eth_abi encodes it from the contract's own ABI."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from eth_abi.abi import decode
from sha3 import keccak_256

from abi_hashes import ANCHORED_TOPIC, MEMBER_RECORDED_TOPIC
from sealtrail.errors import InputError, VerificationError
from sealtrail.ledger import registry_calls as calls
from sealtrail.ledger.contracts import event_topic
from sealtrail.membership.encoding import encode_record, parse_record, record_digest
from sealtrail.membership.records import (
    Key,
    MemberRecord,
    NumberingRight,
    Purpose,
    Role,
    Status,
)
from sealtrail.membership.requests import (
    consent_digest,
    request_record,
    sign_consent,
    verify_consent,
)
from sealtrail.signing import Domain, EventSigner
from sealtrail_contracts import artifact

DOMAIN = Domain(chain_id=1337, registry=b"\x05" * 20, genesis_hash=b"\x06" * 32)
OPERATOR = EventSigner(b"\x01" * 32)
RECORD = MemberRecord(
    member=OPERATOR.address,
    name="Müller Arzneimittel GmbH & Co. KG",
    status=Status.SUSPENDED,
    roles=Role.MANUFACTURER | Role.AUDITOR,
    node_url="https://node.example:8443",
    glns=("4012345000009", "4012345000016"),
    rights=(NumberingRight(digits="4012345", valid_from=7, valid_until=9),),
    keys=(
        Key(purpose=Purpose.OPERATOR, public=OPERATOR.address.rjust(32, b"\0"), valid_from=3),
        Key(
            purpose=Purpose.LOG,
            public=b"\x09" * 32,
            valid_from=3,
            valid_until=2**40 - 1,
            compromised_since=5,
            compromise_reported=8,
            recovered=True,
        ),
    ),
    version=12,
    block=99,
)
A, B = b"\x0a" * 20, b"\x0b" * 20
WORD = b"\x0c" * 32
CALLS = {
    "admit": calls.admit(RECORD, OPERATOR.sign(WORD), last_block=9),
    "amend": calls.amend(
        RECORD,
        name="ß",
        roles=Role.CARRIER,
        glns=RECORD.glns,
        rights=RECORD.rights,
        last_block=9,
    ),
    "suspend": calls.suspend(RECORD, last_block=9),
    "reinstate": calls.reinstate(RECORD, last_block=9),
    "recoverKey": calls.recover_key(A, B, last_block=9),
    "cancelRecovery": calls.cancel_recovery(),
    "completeRecovery": calls.complete_recovery(RECORD),
    "addSteward": calls.add_steward(A, last_block=9),
    "removeSteward": calls.remove_steward(A, last_block=9),
    "addKey": calls.add_key(RECORD, Purpose.PEER, WORD),
    "endKey": calls.end_key(RECORD, 1),
    "reportCompromised": calls.report_compromised(RECORD, 1, since=4),
    "setNodeUrl": calls.set_node_url(RECORD, "https://elsewhere.example"),
    "anchor": calls.anchor(1, bytes(32), WORD),
    "latest": calls.latest(A),
    "operatorOf": calls.operator_of(A),
    "recordDigest": calls.record_digest_of(A),
    "anchors": calls.anchors(),
    "domainSeparator": calls.domain_separator(),
    "stewards": calls.stewards(),
}


def _type(parameter: dict[str, Any]) -> str:
    if not parameter["type"].startswith("tuple"):
        return str(parameter["type"])
    inner = ",".join(_type(part) for part in parameter["components"])
    return f"({inner}){parameter['type'][5:]}"


def _inputs(name: str) -> list[str]:
    for contract in ("Registry", "Anchors"):
        for entry in artifact(contract).abi:
            if entry["type"] == "function" and entry["name"] == name:
                return [_type(part) for part in entry["inputs"]]
    raise AssertionError(f"no contract has {name}")


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_what_the_contract_decodes(name: str) -> None:
    types = _inputs(name)
    signature = f"{name}({','.join(types)})".encode()
    assert CALLS[name][:4] == keccak_256(signature).digest()[:4]
    decode(types, CALLS[name][4:])


def test_every_call_of_a_member_or_steward_can_be_made() -> None:
    changing = {
        entry["name"]
        for contract in ("Registry", "Anchors")
        for entry in artifact(contract).abi
        if entry["type"] == "function" and entry["stateMutability"] == "nonpayable"
    }
    assert changing - set(CALLS) == {"open"}  # the registry's own


def test_text_is_called_with_as_utf8() -> None:
    (_, profile, _) = decode(_inputs("amend"), CALLS["amend"][4:])
    assert profile[1] == "ß"


def test_a_value_that_the_contract_cannot_take_is_refused() -> None:
    with pytest.raises(InputError, match="call_malformed"):
        calls.anchor(2**64, bytes(32), WORD)
    with pytest.raises(InputError, match="call_malformed"):
        calls.add_key(RECORD, Purpose.PEER, bytes(33))


def test_a_refused_value_is_said_in_few_words() -> None:
    long = msgspec.structs.replace(RECORD, name="x" * 10_000, version=2**64)
    with pytest.raises(InputError, match="call_malformed") as caught:
        calls.suspend(long, last_block=9)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("address", [b"", b"\x0a" * 19, b"\x0a" * 21])
def test_bytes_that_are_no_address_are_refused(address: bytes) -> None:
    with pytest.raises(InputError, match="call_malformed"):
        calls.latest(address)
    with pytest.raises(InputError, match="call_malformed"):
        calls.deployment([A, address], WORD, recovery_delay_blocks=77)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "\ud800"},
        {"glns": ("\ud800",)},
        {"roles": 2**16},
        {"member": b""},
        {"rights": (NumberingRight(digits="4", valid_from=-1, valid_until=0),)},
    ],
)
def test_a_record_that_the_contract_cannot_hold_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="call_malformed"):
        calls.complete_recovery(msgspec.structs.replace(RECORD, **change))


@pytest.mark.parametrize(
    "name", ["", "0x", "0x" + "0a" * 20, "vitalik.eth", "a\0b", "\ufffd", "\U0001f48a" * 40]
)
def test_text_is_never_taken_for_anything_else(name: str) -> None:
    record = msgspec.structs.replace(RECORD, name=name, node_url=name, glns=(name, name))
    # the record is the only argument: behind the selector stands what the registry hashes
    assert calls.complete_recovery(record)[4:] == encode_record(record)


def test_the_topics_are_those_that_the_contracts_emit() -> None:
    assert event_topic("Anchors", "Anchored") == ANCHORED_TOPIC
    assert event_topic("Registry", "MemberRecorded") == MEMBER_RECORDED_TOPIC


def test_the_deployment_is_the_artifact_and_its_arguments() -> None:
    code = calls.deployment([A, B], WORD, recovery_delay_blocks=77)
    shipped = artifact("Registry").bytecode
    assert code.startswith(shipped)
    stewards, genesis_hash, delay = decode(["address[]", "bytes32", "uint40"], code[len(shipped) :])
    assert [bytes.fromhex(s[2:]) for s in stewards] == [A, B]
    assert (genesis_hash, delay) == (WORD, 77)


# Records


def test_a_record_comes_back_as_it_was() -> None:
    assert parse_record(encode_record(RECORD), block=RECORD.block) == RECORD


def test_the_digest_is_of_the_encoding_without_the_block() -> None:
    assert record_digest(RECORD) == keccak_256(encode_record(RECORD)).digest()
    assert record_digest(RECORD) == record_digest(msgspec.structs.replace(RECORD, block=1))


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 64, 500])
def test_a_record_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(InputError, match="record_malformed"):
        parse_record(encode_record(RECORD)[:cut], block=1)


def test_a_record_with_bytes_behind_it_is_refused() -> None:
    with pytest.raises(InputError, match="one byte form"):
        parse_record(encode_record(RECORD) + bytes(32), block=1)


def test_a_huge_record_is_refused() -> None:
    with pytest.raises(InputError, match="over 500000"):
        parse_record(bytes(500_001), block=1)


def test_a_length_that_is_a_lie_is_refused() -> None:
    data = bytearray(encode_record(RECORD))
    data[32 * 5 : 32 * 6] = b"\xff" * 32
    with pytest.raises(InputError, match="record_malformed"):
        parse_record(bytes(data), block=1)


def test_a_status_that_does_not_exist_is_refused() -> None:
    data = bytearray(encode_record(RECORD))
    data[32 * 4 - 1] = 9
    with pytest.raises(InputError, match="record_malformed"):
        parse_record(bytes(data), block=1)


def test_a_name_that_is_not_utf8_stops_nobody() -> None:
    data = encode_record(RECORD).replace("Müller".encode(), b"M\xff\xfeller")
    assert parse_record(data, block=1).name.startswith("M\ufffd\ufffdller")


def test_a_value_too_large_for_its_field_is_not_encoded() -> None:
    late = msgspec.structs.replace(RECORD.keys[0], valid_from=2**40)
    with pytest.raises(InputError, match="record_malformed"):
        encode_record(msgspec.structs.replace(RECORD, keys=(late,)))
    with pytest.raises(InputError, match="record_malformed"):
        encode_record(msgspec.structs.replace(RECORD, name="\ud800"))


# Requests


def test_a_request_is_signed_by_its_own_first_key() -> None:
    request = request_record(OPERATOR.address, name="Maker", roles=Role.MANUFACTURER)
    assert request.keys[0].public == OPERATOR.address.rjust(32, b"\0")
    verify_consent(request, DOMAIN, sign_consent(request, DOMAIN, OPERATOR))


def test_a_consent_is_for_one_record_on_one_network() -> None:
    request = request_record(OPERATOR.address, name="Maker", roles=Role.MANUFACTURER)
    consent = sign_consent(request, DOMAIN, OPERATOR)
    other = msgspec.structs.replace(request, roles=Role.REGULATOR)
    with pytest.raises(VerificationError, match="consent_by_another"):
        verify_consent(other, DOMAIN, consent)
    elsewhere = Domain(chain_id=1, registry=DOMAIN.registry, genesis_hash=DOMAIN.genesis_hash)
    with pytest.raises(VerificationError, match="consent_by_another"):
        verify_consent(request, elsewhere, consent)


def test_a_key_consents_for_no_other_member() -> None:
    request = request_record(A, name="Maker", roles=Role.MANUFACTURER)
    with pytest.raises(InputError, match="consent_by_another"):
        sign_consent(request, DOMAIN, OPERATOR)


def test_the_consent_digest_is_eip_712() -> None:
    from eth_account.messages import _hash_eip191_message, encode_typed_data

    message = encode_typed_data(
        {
            "name": "Sealtrail",
            "version": "1",
            "chainId": DOMAIN.chain_id,
            "verifyingContract": "0x" + DOMAIN.registry.hex(),
            "salt": DOMAIN.genesis_hash,
        },
        {"Consent": [{"name": "recordDigest", "type": "bytes32"}]},
        {"recordDigest": record_digest(RECORD)},
    )
    assert consent_digest(RECORD, DOMAIN) == bytes(_hash_eip191_message(message))
