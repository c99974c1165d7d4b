"""secp256k1 event keys: signing an entry's digest, and recovering the signer's address.

One signature form: ``r || s || v``, 65 bytes, low s (EIP-2), v 27 or 28. Anything else is refused, because a second
valid form of a signature would be a second leaf for the same entry.
"""

from __future__ import annotations

from coincurve import PrivateKey, PublicKey
from sha3 import keccak_256

from sealtrail.errors import InputError, VerificationError

SIGNATURE_BYTES = 65
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_ORDER_BYTES = _ORDER.to_bytes(32, "big")
_HALF_ORDER_BYTES = (_ORDER // 2).to_bytes(32, "big")
_ZERO = bytes(32)


class EventSigner:
    """Signs digests with one secp256k1 private key, which it never shows."""

    __slots__ = ("_key", "address")

    def __init__(self, private_key: bytes) -> None:
        """Take the 32-byte private key.

        Raises:
            InputError: ``private_key_length``, ``private_key_out_of_range``.
        """
        if len(private_key) != 32:
            raise InputError("private_key_length", f"{len(private_key)} bytes, not 32")
        if not _ZERO < private_key < _ORDER_BYTES:
            raise InputError("private_key_out_of_range", "not between 1 and the curve's order")
        self._key = PrivateKey(private_key)
        self.address: bytes = _address(self._key.public_key)

    def sign(self, digest: bytes) -> bytes:
        """Return the signature over a 32-byte digest; libsecp256k1 gives low s, and RFC 6979 the nonce."""
        signature: bytes = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes((signature[64] + 27,))


def recover(digest: bytes, signature: bytes) -> bytes:
    """Return the address whose key made the signature.

    Raises:
        VerificationError: ``signature_form`` (length, high s, v, range), ``signature_wrong`` (no key made it).
    """
    check_signature_form(signature)
    try:
        key = PublicKey.from_signature_and_message(
            signature[:64] + bytes((signature[64] - 27,)), digest, hasher=None
        )
    except ValueError as e:
        raise VerificationError("signature_wrong", "no key can have made this signature") from e
    return _address(key)


def check_signature_form(signature: bytes) -> None:
    """Refuse a signature that is not in its one byte form.

    Raises:
        VerificationError: ``signature_form``.
    """
    if len(signature) != SIGNATURE_BYTES:
        raise VerificationError("signature_form", f"{len(signature)} bytes, not 65")
    if signature[64] not in (27, 28):
        raise VerificationError("signature_form", f"v is {signature[64]}, not 27 or 28")
    if not _ZERO < signature[:32] < _ORDER_BYTES:
        raise VerificationError("signature_form", "r is not between 1 and the curve's order")
    if not _ZERO < signature[32:64] <= _HALF_ORDER_BYTES:
        raise VerificationError("signature_form", "s is 0 or in the upper half of the order")


def _address(key: PublicKey) -> bytes:
    digest: bytes = keccak_256(key.format(compressed=False)[1:]).digest()
    return digest[-20:]
