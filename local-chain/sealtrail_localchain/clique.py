"""Seals of a Clique network of one signer: what a header's extra data holds, and signing it.

Source: EIP-225.
"""

from __future__ import annotations

from dataclasses import replace

import coincurve

from sealtrail_localchain.values import Header

EPOCH_BLOCKS = 30_000
VANITY_BYTES = 32
SEAL_BYTES = 65
DIFFICULTY_IN_TURN = 2
VANITY = b"sealtrail-localchain".ljust(VANITY_BYTES, b"\x00")


def unsealed_extra_data(number: int, signer: bytes) -> bytes:
    """Return extra data with an empty seal; an epoch's first block lists the signers."""
    signers = signer if number % EPOCH_BLOCKS == 0 else b""
    return VANITY + signers + bytes(SEAL_BYTES)


def seal(header: Header, private_key: coincurve.PrivateKey) -> Header:
    """Return the header signed by its signer (recoverable, the recovery id 0 or 1 last)."""
    unsealed = header.extra_data[:-SEAL_BYTES]
    digest = replace(header, extra_data=unsealed).hash
    signature = private_key.sign_recoverable(digest, hasher=None)
    return replace(header, extra_data=unsealed + signature)
