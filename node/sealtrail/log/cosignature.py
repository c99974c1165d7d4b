"""Cosignatures: a witness's timestamped statement that a checkpoint extends all that it saw of its log before.

Source: C2SP tlog-cosignature (Ed25519, ``cosignature/v1``), C2SP signed-note; docs/protocol.md section 15.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import ClassVar

import msgspec

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.checkpoint import (
    Checkpoint,
    NoteSignature,
    is_key_name,
    parse_origin,
    verifier_key,
    with_signatures,
)
from sealtrail.log.ed25519 import PUBLIC_KEY_BYTES, Ed25519Signer
from sealtrail.log.timed_signature import TimedSigner, sign_timed, signing_time, verify_timed

NAME_CHARACTERS_MAX = 200
# Witnesses of one log. So many cosignatures, by names of that length, leave a note within its limit.
WITNESSES_MAX = 24


class Witness(TimedSigner, frozen=True, order=True):
    """Who cosigns: a name, and the Ed25519 key that it stands for."""

    algorithm: ClassVar[bytes] = b"\x04"
    title: ClassVar[str] = "cosignature/v1"

    @property
    def verifier_key(self) -> str:
        """Both as other programs are given them."""
        return verifier_key(self.name, self.public_key, self.algorithm)


class Cosignature(msgspec.Struct, frozen=True):
    """One that was verified: by whom, and its 72 bytes."""

    witness: Witness
    signature: bytes

    @property
    def signed_at(self) -> int:
        """When, by the witness's clock (Unix seconds)."""
        return signing_time(self.signature)

    @property
    def note_signature(self) -> NoteSignature:
        """It as it stands under a note."""
        return self.witness.line(self.signature)


def witness_name(origin: str) -> str:
    """Return the name under which a member cosigns, from its own log's origin.

    Raises:
        InputError: ``origin_malformed``.
    """
    parse_origin(origin)
    return origin.replace("sealtrail/", "sealtrail-witness/", 1)


def cosign(checkpoint: Checkpoint, name: str, key: Ed25519Signer, unix_seconds: int) -> Cosignature:
    """Return a cosignature. That the checkpoint extends what was cosigned before is the caller's to know."""
    witness = Witness(name, key.public_key)
    return Cosignature(witness, sign_timed(checkpoint, witness, key, unix_seconds))


def verify_cosignature(
    checkpoint: Checkpoint, signature: NoteSignature, witness: Witness
) -> Cosignature:
    """Check that a signature line is that witness's cosignature of the checkpoint; its time is its own claim.

    Raises:
        VerificationError: ``cosignature_of_another`` (name or key), ``signature_wrong``, ``public_key_malformed``.
    """
    if not witness.is_named_in(signature):
        raise VerificationError(
            "cosignature_of_another", f"by {signature.name[:NAME_CHARACTERS_MAX]!r}"
        )
    verify_timed(checkpoint, witness, signature.signature)
    return Cosignature(witness, signature.signature)


def find_cosignature(
    checkpoint: Checkpoint, signatures: Iterable[NoteSignature], witness: Witness
) -> Cosignature:
    """Return the witness's cosignature among signature lines; lines of others are ignored, as the standard has it.

    Raises:
        VerificationError: there is none (``cosignature_missing``), or one of its does not hold (``signature_wrong``).
    """
    own = [s for s in signatures if witness.is_named_in(s)]
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
