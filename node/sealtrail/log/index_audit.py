"""Index audits: an auditor's timestamped statement that a checkpoint's item index is what the log's entries give.

It says: the last leaf of this checkpoint is an index entry, and its root is the one that whoever has all entries and
their item keys comes to. Of other checkpoints, of what the entries say and of who signed them it says nothing.
It stands under a note as a signature line of its own kind, which other programs pass over.

Source: C2SP signed-note (signature type 0xff); docs/protocol.md section 16.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import msgspec

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.checkpoint import (
    Checkpoint,
    NoteSignature,
    Origin,
    parse_origin,
    with_signatures,
)
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.timed_signature import TimedSigner, sign_timed, signing_time, verify_timed

IDENTIFIER = "sealtrail/index-audit/1"
_LOG, _AUDITOR = "sealtrail/", "sealtrail-index-audit/"
_SHOWN_MAX = 200


class IndexAuditor(TimedSigner, frozen=True, order=True):
    """Who audits: a name that follows from the member's, and one of its witness keys."""

    # C2SP signed-note: behind type 0xff stands the identifier of the kind of signature
    algorithm: ClassVar[bytes] = b"\xff" + IDENTIFIER.encode()
    title: ClassVar[str] = IDENTIFIER


class IndexAudit(msgspec.Struct, frozen=True):
    """One that was made here or verified: by whom, and its 72 bytes."""

    auditor: IndexAuditor
    signature: bytes

    @property
    def signed_at(self) -> int:
        """When, by the auditor's clock (Unix seconds)."""
        return signing_time(self.signature)

    @property
    def note_signature(self) -> NoteSignature:
        """It as it stands under a note."""
        return self.auditor.line(self.signature)


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
    auditor = IndexAuditor(name, key.public_key)
    return IndexAudit(auditor, sign_timed(checkpoint, auditor, key, unix_seconds))


def verify_index_audit(
    checkpoint: Checkpoint, signature: NoteSignature, auditor: IndexAuditor
) -> IndexAudit:
    """Check that a signature line is that auditor's statement on the checkpoint; its time is its own claim.

    Raises:
        VerificationError: ``index_audit_of_another`` (name or key), ``signature_wrong``, ``public_key_malformed``.
    """
    if not auditor.is_named_in(signature):
        raise VerificationError("index_audit_of_another", f"by {signature.name[:_SHOWN_MAX]!r}")
    verify_timed(checkpoint, auditor, signature.signature)
    return IndexAudit(auditor, signature.signature)


def with_index_audits(note: str, audits: Iterable[IndexAudit]) -> str:
    """Return a signed note with index audits below its cosignatures, by name and key: one form for one set of them.

    What would make it no note any more is left out, from the end.
    """
    listed = sorted(audits, key=lambda each: each.auditor)
    return with_signatures(note, [each.note_signature for each in listed])
