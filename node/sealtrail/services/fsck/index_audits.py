"""What auditors said of this log's item index, and what this node said of others': signatures, and whose they are."""

from __future__ import annotations

from typing import Any

from sealtrail.errors import InputError, VerificationError
from sealtrail.log.checkpoint import NoteSignature, is_key_name, parse_note
from sealtrail.log.index_audit import IndexAuditor, index_audit_name, verify_index_audit
from sealtrail.log.timed_signature import TIME_MAX, TIMED_SIGNATURE_BYTES, signing_time
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings, Key
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.fsck.witness_keys import registered_witnesses
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.signing import origin_of

_TAKEN, _SAID = "index_audit", "index_audited_log"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    auditors = {
        key: index_audit_name(origin_of(scope.domain, member))
        for key, member in registered_witnesses(scope).items()
    }
    for row in scope.connection.execute(
        "SELECT checkpoint_hash, name, public_key, signature, c.note, c.member FROM index_audit"
        " LEFT JOIN checkpoint AS c USING (checkpoint_hash)"
    ):
        _check_taken(scope, found, auditors, row)
    for row in scope.connection.execute(
        "SELECT l.member, l.checkpoint_hash, l.tree_size, l.name, l.public_key, l.signature, l.delivered_ms,"
        " c.note, a.sequence FROM index_audited_log AS l LEFT JOIN checkpoint AS c USING (checkpoint_hash)"
        " LEFT JOIN chain_anchor AS a ON a.checkpoint_hash = l.checkpoint_hash AND a.member = l.member"
    ):
        _check_said(scope, found, auditors, row)
    return found


def _check_taken(
    scope: Scope, found: Findings, auditors: dict[bytes, str], row: tuple[Any, ...]
) -> None:
    checkpoint_hash, name, public_key, signature, note, member = row
    key: Key = {"checkpoint_hash": checkpoint_hash, "name": name, "public_key": public_key}
    if note is None or member != scope.member:
        found.add("checkpoint_missing", _TAKEN, key, "no checkpoint of this log that is kept")
        return
    if _check_auditor(found, _TAKEN, key, auditors, name, public_key):
        _check_signature(found, _TAKEN, key, note, IndexAuditor(name, public_key), signature)


def _check_said(
    scope: Scope, found: Findings, auditors: dict[bytes, str], row: tuple[Any, ...]
) -> None:
    """What this node said: the checkpoint itself may not be kept here, its anchor is."""
    member, _, size, name, public_key, signature, delivered_ms, note, sequence = row
    key: Key = {"member": member}
    if sequence is None:
        message = "the chain has no such checkpoint of that member's"
        found.add("anchor_missing", _SAID, key, message, column="checkpoint_hash")
    own = index_audit_name(origin_of(scope.domain, scope.member))
    if name != own:
        found.differs(_SAID, key, "name", name, own, code="column_differs")
    is_known = _check_auditor(found, _SAID, key, auditors, name, public_key)
    if size < 1 or (delivered_ms is not None and not 0 < delivered_ms <= TIME_MS_MAX):
        found.add("column_differs", _SAID, key, "a size or time that can't be")
    if len(signature) != TIMED_SIGNATURE_BYTES or signing_time(signature) > TIME_MAX:
        found.add("index_audit_wrong", _SAID, key, "no time and signature", column="signature")
    if note is not None:
        _check_size(found, key, note, size)
        if is_known:
            _check_signature(found, _SAID, key, note, IndexAuditor(name, public_key), signature)


def _check_auditor(
    found: Findings, table: str, key: Key, auditors: dict[bytes, str], name: str, public: bytes
) -> bool:
    """Tell whether the key is registered under that name, as far as the chain was followed."""
    if not auditors and is_key_name(name):
        return True  # the chain was not followed, or is damaged: said elsewhere
    if auditors.get(public) == name:
        return True
    message = f"that key is {auditors.get(public, 'no registered witness')!r}"
    found.add("index_audit_differs", table, key, message, column="public_key")
    return False


def _check_signature(
    found: Findings, table: str, key: Key, note: str, auditor: IndexAuditor, signature: bytes
) -> None:
    try:
        checkpoint = parse_note(note).checkpoint
    except InputError:
        return  # named with the checkpoints
    line = NoteSignature(auditor.name, auditor.key_id, signature)
    try:
        verify_index_audit(checkpoint, line, auditor)
    except VerificationError as error:
        found.add("index_audit_wrong", table, key, error.message, column="signature")


def _check_size(found: Findings, key: Key, note: str, size: int) -> None:
    try:
        right = parse_note(note).checkpoint.size
    except InputError:
        return  # named with the checkpoints
    if size != right:
        found.differs(_SAID, key, "tree_size", size, right, code="column_differs")


CHECK = Check(
    name="index audits",
    tables=(_TAKEN, _SAID),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM index_audit")),
    weight=0.2,
)
