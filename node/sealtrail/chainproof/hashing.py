"""Keccak-256, and the two roots that stand for nothing."""

from __future__ import annotations

from sha3 import keccak_256


def keccak(octets: bytes) -> bytes:
    """Return the Keccak-256 digest (the one before NIST changed the padding)."""
    return bytes(keccak_256(octets).digest())


EMPTY_TRIE_ROOT = keccak(b"\x80")
"""Root of a trie without entries. Source: Yellow Paper, appendix D."""

NO_UNCLES_HASH = keccak(b"\xc0")
"""Keccak of the RLP of an empty list."""
