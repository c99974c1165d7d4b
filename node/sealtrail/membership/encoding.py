"""Records in the registry's byte form: the ABI encoding of its ``Member``, and the digest that it stores.

Source: docs/protocol.md section 11; the contract ABI specification of Solidity, "Formal Specification of the Encoding".
"""

from __future__ import annotations

from typing import Any

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError
from sha3 import keccak_256

from sealtrail.errors import InputError
from sealtrail.membership.records import Key, MemberRecord, NumberingRight, Purpose, Role, Status

RECORD_BYTES_MAX = 500_000

# `bytes` stands where the contract says `string`, with the same encoding: a name is steward-given text that
# nothing on chain checks to be UTF-8, and a record that doesn't decode would stop whoever follows the chain.
_KEY = "(uint8,bytes32,uint40,uint40,uint40,uint40,bool)"
_RIGHT = "(bytes,uint64,uint64)"
_RECORD = f"(address,uint64,uint8,uint16,bytes,bytes,bytes[],{_RIGHT}[],{_KEY}[])"


def encode_record(record: MemberRecord) -> bytes:
    """Return the record as the contract encodes it; ``record.block`` is no part of it.

    Raises:
        InputError: ``record_malformed``: a value that its ABI type can't hold.
    """
    try:
        return encode([_RECORD], [record_values(record)])
    except (EncodingError, UnicodeEncodeError) as error:
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
        (values,) = decode([_RECORD], data)
        again = encode([_RECORD], [values])
    except (DecodingError, EncodingError, OverflowError) as error:
        raise InputError("record_malformed", f"not an encoded record: {error}") from error
    if again != data:
        raise InputError("record_malformed", "not in the one byte form of a record")
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
        member=bytes.fromhex(member[2:]),
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
        recovered=recovered,
    )


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
