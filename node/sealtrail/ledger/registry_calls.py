"""Call data of the Registry and Anchors contracts. Encodes only: sends nothing, needs no connection.

``last_block`` is the last block in which a motion may be voted on; the same motion voted again later needs another.
A steward's call is his vote; on a network of one steward it takes effect at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sealtrail.ledger.contracts import encode_call, encode_deployment
from sealtrail.membership.records import (
    Key,
    MemberRecord,
    NumberingRight,
    Purpose,
    Role,
    registered_form,
)


def deployment(
    stewards: Sequence[bytes], genesis_hash: bytes, *, recovery_delay_blocks: int
) -> bytes:
    """Return the init code that creates a Registry, which creates its Anchors contract."""
    return encode_deployment("Registry", list(stewards), genesis_hash, recovery_delay_blocks)


def admit(request: MemberRecord, consent: bytes, *, last_block: int) -> bytes:
    """Admit a member as requested; ``consent`` is its 65-byte signature (see ``membership.requests``)."""
    signature = (consent[:32], consent[32:64], consent[64])
    return encode_call("Registry", "admit", _record(request), *signature, last_block)


def amend(
    current: MemberRecord,
    *,
    name: str,
    roles: Role,
    glns: Sequence[str],
    rights: Sequence[NumberingRight],
    last_block: int,
) -> bytes:
    """Replace name, roles, GLNs and numbering rights of a member; all four, as they are to be."""
    profile = {
        "roles": int(roles),
        "name": name,
        "glns": list(glns),
        "rights": [_right(right) for right in rights],
    }
    return encode_call("Registry", "amend", _record(current), profile, last_block)


def suspend(current: MemberRecord, *, last_block: int) -> bytes:
    """Suspend an active member."""
    return encode_call("Registry", "suspend", _record(current), last_block)


def reinstate(current: MemberRecord, *, last_block: int) -> bytes:
    """Make a suspended member active again."""
    return encode_call("Registry", "reinstate", _record(current), last_block)


def recover_key(member: bytes, new_operator: bytes, *, last_block: int) -> bytes:
    """Announce a new operator key for a member that lost its own."""
    return encode_call("Registry", "recoverKey", member, new_operator, last_block)


def cancel_recovery() -> bytes:
    """Refuse the recovery announced for the sender's member; by one of its operator keys."""
    return encode_call("Registry", "cancelRecovery")


def complete_recovery(current: MemberRecord) -> bytes:
    """Take over as announced, once due; by the new operator key."""
    return encode_call("Registry", "completeRecovery", _record(current))


def add_steward(steward: bytes, *, last_block: int) -> bytes:
    """Vote for another steward."""
    return encode_call("Registry", "addSteward", steward, last_block)


def remove_steward(steward: bytes, *, last_block: int) -> bytes:
    """Vote for removing a steward."""
    return encode_call("Registry", "removeSteward", steward, last_block)


def add_key(
    current: MemberRecord, purpose: Purpose, public: bytes, *, valid_from: int = 0
) -> bytes:
    """Add a key (32 bytes, or an address of 20) to the sender's member, from a block on; 0 means now."""
    return encode_call(
        "Registry", "addKey", _record(current), int(purpose), registered_form(public), valid_from
    )


def end_key(current: MemberRecord, position: int, *, valid_until: int = 0) -> bytes:
    """End the key at ``position`` of ``current.keys``; 0 means now."""
    return encode_call("Registry", "endKey", _record(current), position, valid_until)


def report_compromised(current: MemberRecord, position: int, *, since: int) -> bytes:
    """Say that others may have had the key at ``position`` since block ``since``; doesn't end it."""
    return encode_call("Registry", "reportCompromised", _record(current), position, since)


def set_node_url(current: MemberRecord, node_url: str) -> bytes:
    """Set where the node of the sender's member is reached."""
    return encode_call("Registry", "setNodeUrl", _record(current), node_url)


def anchor(sequence: int, previous: bytes, checkpoint_hash: bytes) -> bytes:
    """Anchor the sender's member's next checkpoint (to the Anchors contract)."""
    return encode_call("Anchors", "anchor", sequence, previous, checkpoint_hash)


def latest(member: bytes) -> bytes:
    """Ask Anchors for a member's latest anchor: ``uint64 sequence, bytes32 checkpoint``."""
    return encode_call("Anchors", "latest", member)


def operator_of(operator: bytes) -> bytes:
    """Ask whose operator key this is now: ``address member, uint8 status``; zeros if nobody's."""
    return encode_call("Registry", "operatorOf", operator)


def record_digest_of(member: bytes) -> bytes:
    """Ask for the digest of a member's current record: ``bytes32``; zero if it was never admitted."""
    return encode_call("Registry", "recordDigest", member)


def anchors() -> bytes:
    """Ask the registry for its Anchors contract: ``address``."""
    return encode_call("Registry", "anchors")


def domain_separator() -> bytes:
    """Ask the registry for the network's EIP-712 domain separator: ``bytes32``."""
    return encode_call("Registry", "domainSeparator")


def stewards() -> bytes:
    """Ask the registry for the stewards of now: ``address[]``."""
    return encode_call("Registry", "stewards")


def _record(record: MemberRecord) -> Mapping[str, Any]:
    return {
        "member": record.member,
        "version": record.version,
        "status": int(record.status),
        "roles": int(record.roles),
        "name": record.name,
        "nodeUrl": record.node_url,
        "glns": list(record.glns),
        "rights": [_right(right) for right in record.rights],
        "keys": [_key(key) for key in record.keys],
    }


def _right(right: NumberingRight) -> Mapping[str, Any]:
    return {
        "digits": right.digits,
        "validFrom": right.valid_from,
        "validUntil": right.valid_until,
    }


def _key(key: Key) -> Mapping[str, Any]:
    return {
        "purpose": int(key.purpose),
        "publicKey": key.public,
        "validFrom": key.valid_from,
        "validUntil": key.valid_until,
        "compromisedSince": key.compromised_since,
        "compromiseReported": key.compromise_reported,
        "recovered": key.recovered,
    }
