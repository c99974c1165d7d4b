"""Call data of the Registry and Anchors contracts. Encodes only: sends nothing, needs no connection.

``last_block`` is the last block in which a motion may be voted on; the same motion voted again later needs another.
A steward's call is his vote; on a network of one steward it takes effect at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode
from eth_abi.exceptions import EncodingError
from sha3 import keccak_256

from sealtrail.errors import InputError
from sealtrail.membership.encoding import record_values
from sealtrail.membership.records import MemberRecord, NumberingRight, Purpose, Role
from sealtrail_contracts import artifact

_RIGHT = "(string,uint64,uint64)"
_KEY = "(uint8,bytes32,uint40,uint40,uint40,uint40,bool)"
_RECORD = f"(address,uint64,uint8,uint16,string,string,string[],{_RIGHT}[],{_KEY}[])"
_PROFILE = f"(uint16,string,string[],{_RIGHT}[])"


def topic(signature: str) -> bytes:
    """Return the first topic of an event's logs."""
    digest: bytes = keccak_256(signature.encode()).digest()
    return digest


MEMBER_RECORDED_TOPIC = topic("MemberRecorded(address,uint64,bytes)")
ANCHORED_TOPIC = topic("Anchored(address,uint64,bytes32,bool)")


def deployment(
    stewards: Sequence[bytes], genesis_hash: bytes, *, recovery_delay_blocks: int
) -> bytes:
    """Return the init code that creates a Registry, which creates its Anchors contract."""
    arguments = _encode(
        ["address[]", "bytes32", "uint40"], [list(stewards), genesis_hash, recovery_delay_blocks]
    )
    return artifact("Registry").bytecode + arguments


def admit(request: MemberRecord, consent: bytes, *, last_block: int) -> bytes:
    """Admit a member as requested; ``consent`` is its 65-byte signature (see ``membership.requests``)."""
    types = [_RECORD, "bytes32", "bytes32", "uint8", "uint64"]
    signature = (consent[:32], consent[32:64], consent[64])
    return _call("admit", types, [record_values(request), *signature, last_block])


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
    profile = (
        int(roles),
        name.encode(),
        tuple(gln.encode() for gln in glns),
        tuple((r.digits.encode(), r.valid_from, r.valid_until) for r in rights),
    )
    return _call(
        "amend", [_RECORD, _PROFILE, "uint64"], [record_values(current), profile, last_block]
    )


def suspend(current: MemberRecord, *, last_block: int) -> bytes:
    """Suspend an active member."""
    return _call("suspend", [_RECORD, "uint64"], [record_values(current), last_block])


def reinstate(current: MemberRecord, *, last_block: int) -> bytes:
    """Make a suspended member active again."""
    return _call("reinstate", [_RECORD, "uint64"], [record_values(current), last_block])


def recover_key(member: bytes, new_operator: bytes, *, last_block: int) -> bytes:
    """Announce a new operator key for a member that lost its own."""
    return _call("recoverKey", ["address", "address", "uint64"], [member, new_operator, last_block])


def cancel_recovery() -> bytes:
    """Refuse the recovery announced for the sender's member; by one of its operator keys."""
    return _call("cancelRecovery", [], [])


def complete_recovery(current: MemberRecord) -> bytes:
    """Take over as announced, once due; by the new operator key."""
    return _call("completeRecovery", [_RECORD], [record_values(current)])


def add_steward(steward: bytes, *, last_block: int) -> bytes:
    """Vote for another steward."""
    return _call("addSteward", ["address", "uint64"], [steward, last_block])


def remove_steward(steward: bytes, *, last_block: int) -> bytes:
    """Vote for removing a steward."""
    return _call("removeSteward", ["address", "uint64"], [steward, last_block])


def add_key(
    current: MemberRecord, purpose: Purpose, public: bytes, *, valid_from: int = 0
) -> bytes:
    """Add a key (32 bytes, or an address of 20) to the sender's member, from a block on; 0 means now."""
    return _call(
        "addKey",
        [_RECORD, "uint8", "bytes32", "uint40"],
        [record_values(current), int(purpose), public.rjust(32, b"\x00"), valid_from],
    )


def end_key(current: MemberRecord, position: int, *, valid_until: int = 0) -> bytes:
    """End the key at ``position`` of ``current.keys``; 0 means now."""
    return _call(
        "endKey", [_RECORD, "uint256", "uint40"], [record_values(current), position, valid_until]
    )


def report_compromised(current: MemberRecord, position: int, *, since: int) -> bytes:
    """Say that others may have had the key at ``position`` since block ``since``; doesn't end it."""
    return _call(
        "reportCompromised",
        [_RECORD, "uint256", "uint40"],
        [record_values(current), position, since],
    )


def set_node_url(current: MemberRecord, node_url: str) -> bytes:
    """Set where the node of the sender's member is reached."""
    return _call("setNodeUrl", [_RECORD, "string"], [record_values(current), node_url.encode()])


def anchor(sequence: int, previous: bytes, checkpoint_hash: bytes) -> bytes:
    """Anchor the sender's member's next checkpoint (to the Anchors contract)."""
    return _call("anchor", ["uint64", "bytes32", "bytes32"], [sequence, previous, checkpoint_hash])


def latest(member: bytes) -> bytes:
    """Ask Anchors for a member's latest anchor: ``uint64 sequence, bytes32 checkpoint``."""
    return _call("latest", ["address"], [member])


def operator_of(operator: bytes) -> bytes:
    """Ask whose operator key this is now: ``address member, uint8 status``; zeros if nobody's."""
    return _call("operatorOf", ["address"], [operator])


def record_digest_of(member: bytes) -> bytes:
    """Ask for the digest of a member's current record: ``bytes32``; zero if it was never admitted."""
    return _call("recordDigest", ["address"], [member])


def anchors() -> bytes:
    """Ask the registry for its Anchors contract: ``address``."""
    return _call("anchors", [], [])


def domain_separator() -> bytes:
    """Ask the registry for the network's EIP-712 domain separator: ``bytes32``."""
    return _call("domainSeparator", [], [])


def stewards() -> bytes:
    """Ask the registry for the stewards of now: ``address[]``."""
    return _call("stewards", [], [])


def _call(name: str, types: Sequence[str], values: Sequence[Any]) -> bytes:
    selector = topic(f"{name}({','.join(types)})")[:4]
    # an encoder of `string` would want text; records carry UTF-8 bytes, and the encoding is the same
    return selector + _encode([t.replace("string", "bytes") for t in types], values)


def _encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    try:
        return encode(types, values)
    except EncodingError as error:
        raise InputError(
            "call_malformed", f"a value that the contract can't take: {error}"
        ) from error
