"""Keccak-256 and the bloom filter of logs."""

from __future__ import annotations

from collections.abc import Iterable

import sha3

EMPTY_BLOOM = bytes(256)


def keccak(content: bytes) -> bytes:
    """Return the Keccak-256 digest (not NIST's SHA3-256, which pads differently)."""
    digest: bytes = sha3.keccak_256(content).digest()
    return digest


def bloom_of(values: Iterable[bytes]) -> bytes:
    """Return the 2048-bit bloom of addresses and topics.

    Source: yellow paper, section 4.3.1, equations 26 to 30.
    """
    bits = 0
    for value in values:
        digest = keccak(value)
        for start in (0, 2, 4):
            bits |= 1 << (int.from_bytes(digest[start : start + 2], "big") & 2047)
    return bits.to_bytes(256, "big")
