"""Timed signatures: what others than the log say of a checkpoint below its note, each with the time it was said.

What is signed is a title, the time and the checkpoint's text, so that a statement of one kind is none of another.
Each kind has a signature type (or identifier) of its own, which its key ids carry.

Source: C2SP tlog-cosignature, Ed25519 signed message; docs/protocol.md sections 15 and 16.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

import msgspec

from sealtrail.errors import VerificationError
from sealtrail.log.checkpoint import Checkpoint, NoteSignature, key_id
from sealtrail.log.ed25519 import SIGNATURE_BYTES, Ed25519Signer, verify_ed25519

TIMED_SIGNATURE_BYTES = 8 + SIGNATURE_BYTES  # u64 time || signature
TIME_MAX = 2**63 - 1


class TimedSigner(msgspec.Struct, frozen=True, order=True):
    """Who says something of one kind, which a subclass is: a name, and the Ed25519 key that it stands for."""

    algorithm: ClassVar[bytes]  # C2SP signed-note, signature types
    title: ClassVar[str]  # the first line of what is signed

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that tell its key under a note."""
        return key_id(self.name, self.public_key, self.algorithm)

    def is_named_in(self, line: NoteSignature) -> bool:
        """Tell whether a signature line claims to be by this name and key."""
        return (line.name, line.key_id) == (self.name, self.key_id)

    def line(self, signature: bytes) -> NoteSignature:
        """Return a signature as it stands under a note."""
        return NoteSignature(self.name, self.key_id, signature)

    def message(self, checkpoint: Checkpoint, unix_seconds: int) -> bytes:
        """Return what is signed."""
        return f"{self.title}\ntime {unix_seconds}\n{checkpoint.text}".encode()


Signer = TypeVar("Signer", bound=TimedSigner)


def distinct_signers(signers: Iterable[Signer]) -> list[Signer]:
    """Return as many of them as there can be of which no two have a name or a key in common, in ascending order.

    A signature does not say under which name it was made: whoever has another's key registered as his own can show
    its signatures once more. And who has several keys is still one.
    """
    ways: dict[str, dict[bytes, Signer]] = {}
    for each in sorted(signers):
        ways.setdefault(each.name, {})[each.public_key] = each
    taken: dict[bytes, str] = {}

    def place(name: str, tried: set[bytes]) -> bool:
        """Give the name a key, and whoever has that another one (Kuhn's algorithm; a note has few lines)."""
        for key in ways[name]:
            if key in tried:
                continue
            tried.add(key)
            if key not in taken or place(taken[key], tried):
                taken[key] = name
                return True
        return False

    for name in ways:
        place(name, set())
    return sorted(ways[name][key] for key, name in taken.items())


def sign_timed(
    checkpoint: Checkpoint, signer: TimedSigner, key: Ed25519Signer, unix_seconds: int
) -> bytes:
    """Return the signer's signature, by its private key: 72 bytes."""
    return unix_seconds.to_bytes(8, "big") + key.sign(signer.message(checkpoint, unix_seconds))


def verify_timed(checkpoint: Checkpoint, signer: TimedSigner, signature: bytes) -> None:
    """Check that a signature is that signer's of the checkpoint; its time is its own claim.

    Raises:
        VerificationError: ``signature_wrong``, ``public_key_malformed``.
    """
    if len(signature) != TIMED_SIGNATURE_BYTES:
        raise VerificationError(
            "signature_wrong", f"{len(signature)} bytes, not {TIMED_SIGNATURE_BYTES}"
        )
    seconds = signing_time(signature)
    if seconds > TIME_MAX:
        raise VerificationError("signature_wrong", f"its time is {seconds} s")
    verify_ed25519(signer.public_key, signer.message(checkpoint, seconds), signature[8:])


def signing_time(signature: bytes) -> int:
    """Return when a signature was made, by its signer's clock (Unix seconds)."""
    return int.from_bytes(signature[:8], "big")
