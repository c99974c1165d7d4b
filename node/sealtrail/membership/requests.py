"""Asking to be a member: the record as wished for, and the applicant's consent to exactly that record.

Source: docs/protocol.md section 11, "Consent".
"""

from __future__ import annotations

from collections.abc import Iterable

from sha3 import keccak_256

from sealtrail.errors import InputError, VerificationError
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import (
    Key,
    MemberRecord,
    NumberingRight,
    Purpose,
    Role,
    Status,
    registered_form,
)
from sealtrail.signing.entry import Domain
from sealtrail.signing.keys import EventSigner, recover

_CONSENT_TYPE = keccak_256(b"Consent(bytes32 recordDigest)").digest()


def request_record(
    member: bytes,
    *,
    name: str,
    roles: Role,
    node_url: str = "",
    glns: Iterable[str] = (),
    rights: Iterable[NumberingRight] = (),
    keys: Iterable[tuple[Purpose, bytes]] = (),
) -> MemberRecord:
    """Return the record that an applicant signs; status, version and blocks are the contract's to set.

    Args:
        member: address of the first operator key, which becomes the member's name for good.
        keys: purpose and public key (32 bytes, or an address of 20) of all but that first operator key.
    """
    first = (Purpose.OPERATOR, member)
    return MemberRecord(
        member=member,
        name=name,
        status=Status.ACTIVE,
        roles=roles,
        node_url=node_url,
        glns=tuple(glns),
        rights=tuple(rights),
        keys=tuple(
            Key(purpose=purpose, public=registered_form(public), valid_from=0)
            for purpose, public in (first, *keys)
        ),
        version=0,
        block=0,
    )


def consent_digest(record: MemberRecord, domain: Domain) -> bytes:
    """Return the EIP-712 digest that the member's first operator key signs.

    Raises:
        InputError: ``record_malformed``.
    """
    struct_hash = keccak_256(_CONSENT_TYPE + keccak_256(encode_record(record)).digest()).digest()
    digest: bytes = keccak_256(b"\x19\x01" + domain.separator + struct_hash).digest()
    return digest


def sign_consent(record: MemberRecord, domain: Domain, operator: EventSigner) -> bytes:
    """Return the applicant's signature, 65 bytes ``r || s || v``.

    Raises:
        InputError: ``consent_by_another``: the key isn't the one that the record names as the member.
    """
    if operator.address != record.member:
        raise InputError(
            "consent_by_another",
            f"the key 0x{operator.address.hex()} can't consent for member 0x{record.member.hex()}",
        )
    return operator.sign(consent_digest(record, domain))


def verify_consent(record: MemberRecord, domain: Domain, signature: bytes) -> None:
    """Refuse a request that its member didn't sign for this network.

    Raises:
        VerificationError: ``signature_form``, ``signature_wrong``, ``consent_by_another``.
    """
    signer = recover(consent_digest(record, domain), signature)
    if signer != record.member:
        raise VerificationError(
            "consent_by_another",
            f"signed by 0x{signer.hex()}, not by member 0x{record.member.hex()}; or for another network",
            advice="make the request again, against this network's chain and registry",
        )
