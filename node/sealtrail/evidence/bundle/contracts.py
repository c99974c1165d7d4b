"""What the contracts emit and store, as a bundle needs it: taken apart without any endpoint or ABI file.

Source: docs/protocol.md sections 11 and 12; Solidity, "Contract ABI Specification" and "Layout of State Variables".
"""

from __future__ import annotations

import msgspec
from sha3 import keccak_256

from sealtrail.chainproof.receipts import Log
from sealtrail.errors import VerificationError

_ANCHORED = keccak_256(b"Anchored(address,uint64,bytes32,bool)").digest()
_RECORDED = keccak_256(b"MemberRecorded(address,uint64,bytes)").digest()
_WORD = 32


class Anchored(msgspec.Struct, frozen=True):
    """One ``Anchored`` event."""

    member: bytes
    sequence: int
    checkpoint_hash: bytes
    suspended: bool


class MemberRecorded(msgspec.Struct, frozen=True):
    """One ``MemberRecorded`` event."""

    member: bytes
    version: int
    record: bytes


def parse_anchored(log: Log, anchors: bytes) -> Anchored:
    """Read an ``Anchored`` event of the contract at ``anchors``.

    Raises:
        VerificationError: ``log_of_another_contract``, ``log_differs``.
    """
    member, sequence = _indexed(log, anchors, _ANCHORED, "Anchored")
    if len(log.payload) != 2 * _WORD or any(log.payload[_WORD:-1]) or log.payload[-1] > 1:
        raise _differs("Anchored", "its data are not a hash and a flag")
    return Anchored(member, sequence, log.payload[:_WORD], bool(log.payload[-1]))


def parse_member_recorded(log: Log, registry: bytes) -> MemberRecorded:
    """Read a ``MemberRecorded`` event of the contract at ``registry``.

    Raises:
        VerificationError: ``log_of_another_contract``, ``log_differs``.
    """
    member, version = _indexed(log, registry, _RECORDED, "MemberRecorded")
    data = log.payload
    length = int.from_bytes(data[_WORD : 2 * _WORD], "big")
    padded = 2 * _WORD + (length + _WORD - 1) // _WORD * _WORD
    if int.from_bytes(data[:_WORD], "big") != _WORD or len(data) != padded:
        raise _differs("MemberRecorded", "its data are not the encoding of one byte string")
    record = data[2 * _WORD : 2 * _WORD + length]
    if any(data[2 * _WORD + length :]):
        raise _differs("MemberRecorded", "its padding is not zero")
    return MemberRecorded(member, version, record)


def record_digest_slot(member: bytes) -> bytes:
    """Return the registry's storage slot of a member's record digest."""
    return _mapping_slot(member, 4)


def anchor_slots(member: bytes) -> tuple[bytes, bytes]:
    """Return the Anchors contract's slots of a member: of its next sequence, and of its latest checkpoint hash."""
    first = _mapping_slot(member, 0)
    return first, (int.from_bytes(first, "big") + 1).to_bytes(_WORD, "big")


def _mapping_slot(member: bytes, slot: int) -> bytes:
    return bytes(keccak_256(member.rjust(_WORD, b"\0") + slot.to_bytes(_WORD, "big")).digest())


def _indexed(log: Log, contract: bytes, topic: bytes, event: str) -> tuple[bytes, int]:
    if log.address != contract:
        raise VerificationError(
            "log_of_another_contract",
            f"an event of 0x{log.address.hex()}, not of 0x{contract.hex()}",
        )
    if len(log.topics) != 3 or log.topics[0] != topic:
        raise _differs(event, "its topics are another event's")
    member, number = log.topics[1:]
    if any(member[:12]) or any(number[:24]):
        raise _differs(event, "its topics are no address and number")
    return member[12:], int.from_bytes(number, "big")


def _differs(event: str, what: str) -> VerificationError:
    return VerificationError("log_differs", f"not the event {event} that was announced: {what}")
