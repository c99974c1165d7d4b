"""The registry's records, their digests, and an applicant's consent; docs/protocol.md section 11."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from sha3 import keccak_256

from sealtrail.errors import InputError
from sealtrail.membership.encoding import encode_record, parse_record, record_digest
from sealtrail.membership.records import (
    Key,
    MemberRecord,
    NumberingRight,
    Purpose,
    Role,
    Status,
)
from sealtrail.membership.requests import consent_digest, sign_consent, verify_consent
from sealtrail.signing import Domain, EventSigner

CASES = json.loads((Path(__file__).parent / "records.json").read_text(encoding="utf-8"))["cases"]
GOOD = [pytest.param(case, id=case["name"]) for case in CASES if "record" in case]
BAD = [pytest.param(case, id=case["name"]) for case in CASES if "malformed" in case]
# docs/protocol.md section 11, to the letter
RECORD_TYPE = (
    "(address,uint64,uint8,uint16,string,string,string[],(string,uint64,uint64)[],"
    "(uint8,bytes32,uint40,uint40,uint40,uint40,bool)[])"
)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _record(fields: dict[str, Any]) -> MemberRecord:
    return MemberRecord(
        member=_bytes(fields["member"]),
        name=fields["name"],
        status=Status(fields["status"]),
        roles=Role(fields["roles"]),
        node_url=fields["node_url"],
        glns=tuple(fields["glns"]),
        rights=tuple(NumberingRight(**right) for right in fields["rights"]),
        keys=tuple(
            Key(**{**key, "purpose": Purpose(key["purpose"]), "public": _bytes(key["public"])})
            for key in fields["keys"]
        ),
        version=fields["version"],
        block=3,
    )


@pytest.mark.parametrize("case", GOOD)
def test_record_and_digest(case: dict[str, Any]) -> None:
    record = _record(case["record"])
    assert encode_record(record) == _bytes(case["encoded"])
    assert parse_record(_bytes(case["encoded"]), block=3) == record
    assert record_digest(record) == keccak_256(_bytes(case["encoded"])).digest()
    assert record_digest(record) == _bytes(case["digest"])


@pytest.mark.parametrize("case", GOOD)
def test_the_encoding_is_that_of_the_written_type(case: dict[str, Any]) -> None:
    fields = case["record"]
    values = (
        fields["member"],
        fields["version"],
        fields["status"],
        fields["roles"],
        fields["name"],
        fields["node_url"],
        fields["glns"],
        [tuple(right.values()) for right in fields["rights"]],
        [
            (key["purpose"], _bytes(key["public"]), *list(key.values())[2:])
            for key in fields["keys"]
        ],
    )
    assert encode([RECORD_TYPE], [values]) == _bytes(case["encoded"])


@pytest.mark.parametrize("case", [case for case in GOOD if "consent" in case.values[0]])
def test_consent(case: dict[str, Any]) -> None:
    record, consent = _record(case["record"]), case["consent"]
    domain = Domain(
        chain_id=consent["chain_id"],
        registry=_bytes(consent["registry"]),
        genesis_hash=_bytes(consent["genesis_hash"]),
    )
    assert consent_digest(record, domain) == _bytes(consent["digest"])
    signer = EventSigner(_bytes(consent["private_key"]))
    assert sign_consent(record, domain, signer) == _bytes(consent["signature"])
    verify_consent(record, domain, _bytes(consent["signature"]))


@pytest.mark.parametrize("case", BAD)
def test_a_malformed_record_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="record_malformed"):
        parse_record(_bytes(case["malformed"]), block=3)
