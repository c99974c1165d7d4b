"""Ed25519 keys: log keys here, peer keys one layer up. Keys and signatures are raw bytes (RFC 8032)."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from sealtrail.errors import InputError, VerificationError

PUBLIC_KEY_BYTES = 32
PRIVATE_KEY_BYTES = 32
SIGNATURE_BYTES = 64


class Ed25519Signer:
    """Signs with one private key, which it never shows."""

    __slots__ = ("_key", "public_key")

    def __init__(self, private_key: bytes) -> None:
        """Take the 32-byte private key (RFC 8032's seed).

        Raises:
            InputError: ``private_key_length``.
        """
        if len(private_key) != PRIVATE_KEY_BYTES:
            raise InputError("private_key_length", f"{len(private_key)} bytes, not 32")
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature over ``message``."""
        return self._key.sign(message)


def verify_ed25519(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Check a signature.

    Raises:
        VerificationError: ``public_key_malformed``, ``signature_wrong``.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as e:
        raise VerificationError(
            "public_key_malformed", f"no Ed25519 key: {public_key.hex()}"
        ) from e
    try:
        key.verify(signature, message)
    except InvalidSignature as e:
        raise VerificationError(
            "signature_wrong", f"not a signature by the Ed25519 key {public_key.hex()}"
        ) from e
