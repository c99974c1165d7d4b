"""Cosignatures: a witness's timestamped statement that a checkpoint extends all that it saw of its log before.

Source: C2SP tlog-cosignature (Ed25519, ``cosignature/v1``), C2SP signed-note; docs/protocol.md section 15.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.checkpoint import (
    Checkpoint,
    NoteSignature,
    is_key_name,
    key_id,
    parse_origin,
    verifier_key,
    with_signatures,
)
from sealtrail.log.ed25519 import (
    PUBLIC_KEY_BYTES,
    SIGNATURE_BYTES,
    Ed25519Signer,
    verify_ed25519,
)

COSIGNATURE_ALGORITHM = b"\x04"  # C2SP signed-note, signature types
COSIGNATURE_BYTES = 8 + SIGNATURE_BYTES  # u64 time || signature
NAME_CHARACTERS_MAX = 200
# Witnesses of one log. So many cosignatures, by names of that length, leave a note within its limit.
WITNESSES_MAX = 24
TIME_MAX = 2**63 - 1


class Witness(msgspec.Struct, frozen=True, order=True):
    """Who cosigns: a name, and the Ed25519 key that it stands for."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that tell its key under a note."""
        return key_id(self.name, self.public_key, COSIGNATURE_ALGORITHM)

    @property
    def verifier_key(self) -> str:
        """Both as other programs are given them."""
        return verifier_key(self.name, self.public_key, COSIGNATURE_ALGORITHM)


class Cosignature(msgspec.Struct, frozen=True):
    """One that was verified: by whom, and its 72 bytes."""

    witness: Witness
    signature: bytes

    @property
    def signed_at(self) -> int:
        """When, by the witness's clock (Unix seconds)."""
        return int.from_bytes(self.signature[:8], "big")

    @property
    def note_signature(self) -> NoteSignature:
        """It as it stands under a note."""
        return NoteSignature(self.witness.name, self.witness.key_id, self.signature)


def witness_name(origin: str) -> str:
    """Return the name under which a member cosigns, from its own log's origin.

    Raises:
        InputError: ``origin_malformed``.
    """
    parse_origin(origin)
    return origin.replace("sealtrail/", "sealtrail-witness/", 1)


def cosign(checkpoint: Checkpoint, name: str, key: Ed25519Signer, unix_seconds: int) -> Cosignature:
    """Return a cosignature. That the checkpoint extends what was cosigned before is the caller's to know."""
    signed = key.sign(_message(checkpoint, unix_seconds))
    return Cosignature(Witness(name, key.public_key), unix_seconds.to_bytes(8, "big") + signed)


def verify_cosignature(
    checkpoint: Checkpoint, signature: NoteSignature, witness: Witness
) -> Cosignature:
    """Check that a signature line is that witness's cosignature of the checkpoint; its time is its own claim.

    Raises:
        VerificationError: ``cosignature_of_another`` (name or key), ``signature_wrong``, ``public_key_malformed``.
    """
    if (signature.name, signature.key_id) != (witness.name, witness.key_id):
        raise VerificationError(
            "cosignature_of_another", f"by {signature.name[:NAME_CHARACTERS_MAX]!r}"
        )
    if len(signature.signature) != COSIGNATURE_BYTES:
        raise VerificationError(
            "signature_wrong", f"{len(signature.signature)} bytes, not {COSIGNATURE_BYTES}"
        )
    seconds = int.from_bytes(signature.signature[:8], "big")
    if seconds > TIME_MAX:
        raise VerificationError("signature_wrong", f"its time is {seconds} s")
    verify_ed25519(witness.public_key, _message(checkpoint, seconds), signature.signature[8:])
    return Cosignature(witness, signature.signature)


def find_cosignature(
    checkpoint: Checkpoint, signatures: Iterable[NoteSignature], witness: Witness
) -> Cosignature:
    """Return the witness's cosignature among signature lines; lines of others are ignored, as the standard has it.

    Raises:
        VerificationError: there is none (``cosignature_missing``), or one of its does not hold (``signature_wrong``).
    """
    own = [s for s in signatures if (s.name, s.key_id) == (witness.name, witness.key_id)]
    if not own:
        raise VerificationError(
            "cosignature_missing",
            f"no line by {witness.name} with the key {witness.public_key.hex()}",
        )
    return max(
        (verify_cosignature(checkpoint, each, witness) for each in own),
        key=lambda found: found.signed_at,
    )


def with_cosignatures(note: str, cosignatures: Iterable[Cosignature]) -> str:
    """Return a signed note with cosignatures below its own lines, by name and key: one form for one set of them.

    What would make it no note any more (too many, too long) is left out, from the end.
    """
    listed = sorted(cosignatures, key=lambda each: each.witness)
    return with_signatures(note, [each.note_signature for each in listed])


def parse_witness(text: str) -> Witness:
    """Read a witness's name and key from their verifier key; its one form only.

    Raises:
        InputError: ``verifier_key_malformed``.
    """
    name, _, rest = text.partition("+")
    try:
        decoded = base64.b64decode(rest.partition("+")[2], validate=True)
    except ValueError:
        decoded = b""
    public_key = decoded[1:]
    witness = Witness(name, public_key)
    is_name = len(name) <= NAME_CHARACTERS_MAX and is_key_name(name)
    if not is_name or len(public_key) != PUBLIC_KEY_BYTES or witness.verifier_key != text:
        raise InputError(
            "verifier_key_malformed",
            f"no witness's key: {text[: 2 * NAME_CHARACTERS_MAX]!r}",
            advice="NAME+HASH+BASE64 of a key for cosignature/v1 (type 4), as the witness publishes it",
        )
    return witness


def _message(checkpoint: Checkpoint, unix_seconds: int) -> bytes:
    # C2SP tlog-cosignature, Ed25519 signed message
    return f"cosignature/v1\ntime {unix_seconds}\n{checkpoint.text}".encode()
