"""Index audits: an auditor's timestamped statement that a checkpoint's item index is what the log's entries give.

It says: the last leaf of this checkpoint is an index entry, and its root is the one that whoever has all entries and
their item keys comes to. Of other checkpoints, of what the entries say and of who signed them it says nothing.
It stands under a note as a signature line of its own kind, which other programs pass over.

Source: C2SP signed-note (signature type 0xff); docs/protocol.md section 16.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.checkpoint import (
    Checkpoint,
    NoteSignature,
    Origin,
    key_id,
    parse_origin,
    with_signatures,
)
from sealtrail.log.ed25519 import SIGNATURE_BYTES, Ed25519Signer, verify_ed25519

IDENTIFIER = "sealtrail/index-audit/1"
# C2SP signed-note: behind type 0xff stands the identifier of the kind of signature
INDEX_AUDIT_ALGORITHM = b"\xff" + IDENTIFIER.encode()
INDEX_AUDIT_BYTES = 8 + SIGNATURE_BYTES  # u64 time || signature
TIME_MAX = 2**63 - 1
_LOG, _AUDITOR = "sealtrail/", "sealtrail-index-audit/"
_SHOWN_MAX = 200


class IndexAuditor(msgspec.Struct, frozen=True, order=True):
    """Who audits: a name that follows from the member's, and one of its witness keys."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that tell its key under a note."""
        return key_id(self.name, self.public_key, INDEX_AUDIT_ALGORITHM)


class IndexAudit(msgspec.Struct, frozen=True):
    """One that was made here or verified: by whom, and its 72 bytes."""

    auditor: IndexAuditor
    signature: bytes

    @property
    def signed_at(self) -> int:
        """When, by the auditor's clock (Unix seconds)."""
        return int.from_bytes(self.signature[:8], "big")

    @property
    def note_signature(self) -> NoteSignature:
        """It as it stands under a note."""
        return NoteSignature(self.auditor.name, self.auditor.key_id, self.signature)


def index_audit_name(origin: str) -> str:
    """Return the name under which a member audits indexes, from its own log's origin.

    Raises:
        InputError: ``origin_malformed``.
    """
    parse_origin(origin)
    return origin.replace(_LOG, _AUDITOR, 1)


def parse_index_audit_name(name: str) -> Origin | None:
    """Return the origin of the log of the member that audits under that name; None if nobody can."""
    if not name.startswith(_AUDITOR):
        return None
    try:
        return parse_origin(name.replace(_AUDITOR, _LOG, 1))
    except InputError:
        return None


def sign_index_audit(
    checkpoint: Checkpoint, name: str, key: Ed25519Signer, unix_seconds: int
) -> IndexAudit:
    """Return the statement. That it is true is the caller's to have recomputed."""
    signed = key.sign(_message(checkpoint, unix_seconds))
    auditor = IndexAuditor(name, key.public_key)
    return IndexAudit(auditor, unix_seconds.to_bytes(8, "big") + signed)


def verify_index_audit(
    checkpoint: Checkpoint, signature: NoteSignature, auditor: IndexAuditor
) -> IndexAudit:
    """Check that a signature line is that auditor's statement on the checkpoint; its time is its own claim.

    Raises:
        VerificationError: ``index_audit_of_another`` (name or key), ``signature_wrong``, ``public_key_malformed``.
    """
    if (signature.name, signature.key_id) != (auditor.name, auditor.key_id):
        raise VerificationError("index_audit_of_another", f"by {signature.name[:_SHOWN_MAX]!r}")
    if len(signature.signature) != INDEX_AUDIT_BYTES:
        raise VerificationError(
            "signature_wrong", f"{len(signature.signature)} bytes, not {INDEX_AUDIT_BYTES}"
        )
    seconds = int.from_bytes(signature.signature[:8], "big")
    if seconds > TIME_MAX:
        raise VerificationError("signature_wrong", f"its time is {seconds} s")
    verify_ed25519(auditor.public_key, _message(checkpoint, seconds), signature.signature[8:])
    return IndexAudit(auditor, signature.signature)


def with_index_audits(note: str, audits: Iterable[IndexAudit]) -> str:
    """Return a signed note with index audits below its cosignatures, by name and key: one form for one set of them.

    What would make it no note any more is left out, from the end.
    """
    listed = sorted(audits, key=lambda each: each.auditor)
    return with_signatures(note, [each.note_signature for each in listed])


def _message(checkpoint: Checkpoint, unix_seconds: int) -> bytes:
    return f"{IDENTIFIER}\ntime {unix_seconds}\n{checkpoint.text}".encode()
