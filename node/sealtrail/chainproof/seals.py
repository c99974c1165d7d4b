"""Whose key made a seal."""

from __future__ import annotations

from coincurve import PublicKey

from sealtrail.chainproof.hashing import keccak
from sealtrail.errors import VerificationError

SEAL_BYTES = 65
_RECOVERY_IDS = 4


def recover(seal: bytes, digest: bytes, block: int) -> bytes:
    """Return the address whose key signed ``digest``.

    As in geth (and GoQuorum, which has this from there), s may lie in either half, and the recovery id is one of
    four: a chain's history is what its nodes took. Whoever counts seals counts addresses, never seals.

    Args:
        seal: 65 bytes: r, s, recovery id.
        digest: 32 bytes.
        block: the height, for the message.

    Raises:
        VerificationError: no key made it (``seal_invalid``).

    Source: go-ethereum 1.13.15, crypto/secp256k1 ``RecoverPubkey``.
    """
    if len(seal) != SEAL_BYTES or seal[-1] >= _RECOVERY_IDS:
        raise VerificationError("seal_invalid", f"block {block} has a seal that is no signature")
    try:
        key = PublicKey.from_signature_and_message(seal, digest, hasher=None)
    except Exception as error:  # coincurve raises a bare Exception for some
        raise VerificationError(
            "seal_invalid", f"block {block} has a seal that no key made"
        ) from error
    return keccak(key.format(compressed=False)[1:])[-20:]
