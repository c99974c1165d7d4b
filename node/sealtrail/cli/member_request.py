"""The file by which an applicant asks the stewards for membership: readable, and signed for one network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from sealtrail.errors import InputError, NotFoundError
from sealtrail.membership.records import MemberRecord, NumberingRight, Purpose, Role
from sealtrail.membership.requests import request_record, sign_consent, verify_consent
from sealtrail.signing import Domain, EventSigner

FILE_BYTES_MAX = 1024 * 1024
RequestType = Literal["sealtrail/member-request/1"]


class RequestedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public key as hex: 32 bytes, or an address."""

    purpose: str
    public: str


class RequestedRight(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A numbering right; times in Unix seconds, 0: open."""

    digits: str
    valid_from: int = 0
    valid_until: int = 0


class MemberRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands in the file. ``consent`` is the operator key's signature over exactly this record."""

    type: RequestType = "sealtrail/member-request/1"
    chain_id: int
    genesis_hash: str
    registry: str
    member: str
    name: str
    roles: list[str]
    node_url: str
    glns: list[str]
    numbering_rights: list[RequestedRight]
    keys: list[RequestedKey]
    consent: str

    def domain(self) -> Domain:
        """Return the network that was asked."""
        return Domain(
            chain_id=self.chain_id,
            registry=_hex(self.registry, 20, "registry"),
            genesis_hash=_hex(self.genesis_hash, 32, "genesis_hash"),
        )

    def record(self) -> MemberRecord:
        """Return the record asked for, after checking that its member signed exactly this.

        Raises:
            InputError: ``request_malformed``. VerificationError: as :func:`verify_consent`.
        """
        record = request_record(
            _hex(self.member, 20, "member"),
            name=self.name,
            roles=parse_roles(self.roles),
            node_url=self.node_url,
            glns=self.glns,
            rights=[
                NumberingRight(digits=r.digits, valid_from=r.valid_from, valid_until=r.valid_until)
                for r in self.numbering_rights
            ],
            keys=[(_purpose(k.purpose), _hex(k.public, None, "keys")) for k in self.keys],
        )
        verify_consent(record, self.domain(), _hex(self.consent, 65, "consent"))
        return record


def make_request(
    domain: Domain,
    operator: EventSigner,
    *,
    name: str,
    roles: Role,
    node_url: str,
    glns: Iterable[str],
    rights: Iterable[NumberingRight],
    keys: dict[Purpose, bytes],
) -> MemberRequest:
    """Return a signed request; ``keys``: the public keys beside the operator's own."""
    listed = list(rights)
    record = request_record(
        operator.address,
        name=name,
        roles=roles,
        node_url=node_url,
        glns=tuple(glns),
        rights=listed,
        keys=keys.items(),
    )
    return MemberRequest(
        chain_id=domain.chain_id,
        genesis_hash="0x" + domain.genesis_hash.hex(),
        registry="0x" + domain.registry.hex(),
        member="0x" + operator.address.hex(),
        name=name,
        roles=role_names(roles),
        node_url=node_url,
        glns=list(record.glns),
        numbering_rights=[
            RequestedRight(digits=r.digits, valid_from=r.valid_from, valid_until=r.valid_until)
            for r in listed
        ],
        keys=[
            RequestedKey(purpose=p.name.lower(), public="0x" + public.hex())
            for p, public in keys.items()
        ],
        consent="0x" + sign_consent(record, domain, operator).hex(),
    )


def save_request(path: Path, request: MemberRequest) -> None:
    """Write the file for the stewards."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(request)) + b"\n")


def load_request(path: Path) -> MemberRequest:
    """Read such a file; what it says is not checked before :meth:`MemberRequest.record`.

    Raises:
        NotFoundError: ``request_missing``.
        InputError: ``request_malformed``.
    """
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as e:
        raise NotFoundError("request_missing", f"{path}: {e.strerror}", pointer=str(path)) from e
    if len(content) > FILE_BYTES_MAX:
        raise InputError("request_malformed", f"{path} has over {FILE_BYTES_MAX} bytes")
    try:
        return msgspec.json.decode(content, type=MemberRequest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError("request_malformed", f"{path}: {e}", pointer=str(path)) from e


def parse_roles(names: Iterable[str]) -> Role:
    """Return the roles of that name.

    Raises:
        InputError: ``role_unknown``, ``role_missing``.
    """
    roles = Role(0)
    for name in names:
        if name.upper() not in Role.__members__:
            raise InputError("role_unknown", f"no role {name!r}", advice=", ".join(ROLE_NAMES))
        roles |= Role[name.upper()]
    if not roles:
        raise InputError(
            "role_missing", "a member has at least one role", advice=", ".join(ROLE_NAMES)
        )
    return roles


def role_names(roles: Role) -> list[str]:
    """Return the names of the roles, in the contract's order."""
    return [r.name.lower() for r in Role if r in roles and r.name]


ROLE_NAMES = [r.name.lower() for r in Role if r.name]


def _purpose(name: str) -> Purpose:
    if name.upper() not in Purpose.__members__:
        raise InputError("request_malformed", f"no purpose {name!r}", pointer="/keys")
    return Purpose[name.upper()]


def _hex(text: str, length: int | None, what: str) -> bytes:
    try:
        value = bytes.fromhex(text.removeprefix("0x"))
    except ValueError as e:
        raise InputError("request_malformed", f"{what} is no hex", pointer=f"/{what}") from e
    if length is not None and len(value) != length:
        raise InputError(
            "request_malformed", f"{what} has {len(value)} bytes, not {length}", pointer=f"/{what}"
        )
    return value
