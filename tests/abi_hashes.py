"""What Solidity makes of a signature, worked out apart from the ABI and from web3."""

from __future__ import annotations

from sha3 import keccak_256


def topic(signature: str) -> bytes:
    """Return the first topic of an event's logs; its first four bytes select a function or an error."""
    digest: bytes = keccak_256(signature.encode()).digest()
    return digest


ANCHORED_TOPIC = topic("Anchored(address,uint64,bytes32,bool)")
MEMBER_RECORDED_TOPIC = topic("MemberRecorded(address,uint64,bytes)")
