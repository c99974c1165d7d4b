"""Records in the registry's byte form: the ABI encoding of its ``Member``, and the digest that it stores.

Source: docs/protocol.md section 11; the contract ABI specification of Solidity, "Formal Specification of the Encoding".
"""

from __future__ import annotations

from typing import Any

from sha3 import keccak_256

from sealtrail.errors import InputError
from sealtrail.membership.abi import Array, Bytes, Bytes32, Tuple, Uint, decode_abi, encode_abi
from sealtrail.membership.records import Key, MemberRecord, NumberingRight, Purpose, Role, Status

RECORD_BYTES_MAX = 500_000

# `bytes` stands where the contract says `string`, with the same encoding: a name is steward-given text that
# nothing on chain checks to be UTF-8, and a record that doesn't decode would stop whoever follows the chain.
_BLOCK = Uint(40)
_KEY = Tuple((Uint(8), Bytes32(), _BLOCK, _BLOCK, _BLOCK, _BLOCK, Uint(1)))
_RIGHT = Tuple((Bytes(), Uint(64), Uint(64)))
_ADDRESS_BYTES = 20
_RECORD = Tuple(
    (
        Uint(8 * _ADDRESS_BYTES),
        Uint(64),
        Uint(8),
        Uint(16),
        Bytes(),
        Bytes(),
        Array(Bytes()),
        Array(_RIGHT),
        Array(_KEY),
    )
)
_ARGUMENTS = Tuple((_RECORD,))  # of the event, whose only one it is


def encode_record(record: MemberRecord) -> bytes:
    """Return the record as the contract encodes it; ``record.block`` is no part of it.

    Raises:
        InputError: ``record_malformed``: a value that its ABI type can't hold.
    """
    try:
        member, *others = record_values(record)
        if len(member) != _ADDRESS_BYTES:
            raise ValueError(f"an address of {len(member)} bytes")
        return encode_abi(_ARGUMENTS, ((int.from_bytes(member, "big"), *others),))
    except ValueError as error:
        raise InputError("record_malformed", f"the record can't be encoded: {error}") from error


def parse_record(data: bytes, *, block: int) -> MemberRecord:
    """Return the record that a ``MemberRecorded`` event of ``block`` carries.

    Takes everything that the contract can have emitted; text that isn't UTF-8 comes with replacement characters.

    Raises:
        InputError: ``record_malformed``: not the one encoding of a record.
    """
    if len(data) > RECORD_BYTES_MAX:
        raise InputError("record_malformed", f"{len(data)} bytes, over {RECORD_BYTES_MAX}")
    try:
        (values,) = decode_abi(_ARGUMENTS, data)
    except ValueError as error:
        raise InputError(
            "record_malformed", f"not in the one byte form of a record: {error}"
        ) from error
    try:
        return _record(values, block)
    except ValueError as error:
        raise InputError("record_malformed", f"not a record: {error}") from error


def record_digest(record: MemberRecord) -> bytes:
    """Return what the registry stores of this record: Keccak-256 of its encoding.

    Raises:
        InputError: ``record_malformed``.
    """
    digest: bytes = keccak_256(encode_record(record)).digest()
    return digest


def record_values(record: MemberRecord) -> tuple[Any, ...]:
    """Return the record as the nested tuple that ABI encoders take (``string`` as UTF-8 bytes)."""
    return (
        record.member,
        record.version,
        int(record.status),
        int(record.roles),
        record.name.encode(),
        record.node_url.encode(),
        tuple(gln.encode() for gln in record.glns),
        tuple((r.digits.encode(), r.valid_from, r.valid_until) for r in record.rights),
        tuple(_key_values(key) for key in record.keys),
    )


def _key_values(key: Key) -> tuple[Any, ...]:
    return (
        int(key.purpose),
        key.public,
        key.valid_from,
        key.valid_until,
        key.compromised_since,
        key.compromise_reported,
        key.recovered,
    )


def _record(values: Any, block: int) -> MemberRecord:
    member, version, status, roles, name, node_url, glns, rights, keys = values
    return MemberRecord(
        member=member.to_bytes(_ADDRESS_BYTES, "big"),
        version=version,
        status=Status(status),
        roles=Role(roles),
        name=_text(name),
        node_url=_text(node_url),
        glns=tuple(_text(gln) for gln in glns),
        rights=tuple(
            NumberingRight(digits=_text(digits), valid_from=first, valid_until=end)
            for digits, first, end in rights
        ),
        keys=tuple(_key(key) for key in keys),
        block=block,
    )


def _key(values: Any) -> Key:
    purpose, public, valid_from, valid_until, since, reported, recovered = values
    return Key(
        purpose=Purpose(purpose),
        public=public,
        valid_from=valid_from,
        valid_until=valid_until,
        compromised_since=since,
        compromise_reported=reported,
        recovered=bool(recovered),
    )


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
