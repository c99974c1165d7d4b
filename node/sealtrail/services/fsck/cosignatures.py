"""What witnesses said of this log, and what this node said as a witness: signatures, and what columns repeat."""

from __future__ import annotations

from sealtrail.errors import InputError, SealtrailError, VerificationError
from sealtrail.evidence.chain import ChainSteps
from sealtrail.evidence.report import Outcome
from sealtrail.log.checkpoint import Checkpoint, NoteSignature, is_key_name, parse_note
from sealtrail.log.cosignature import Witness, verify_cosignature, witness_name
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings, Key
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.fsck.witness_keys import registered_witnesses
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.signing import origin_of

_WITNESS, _COSIGNATURE, _WITNESSED = "witness", "cosignature", "witnessed_log"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    _check_cosignatures(scope, found)
    _check_witnessed(scope, found)
    return found


def _check_cosignatures(scope: Scope, found: Findings) -> None:
    registered = {
        key: witness_name(origin_of(scope.domain, member))
        for key, member in registered_witnesses(scope).items()
    }
    sizes: dict[int, int] = {}  # witness → the largest tree that it cosigned
    held: set[int] = set()  # witnesses of whom a cosignature holds
    for checkpoint_hash, number, signature, name, key, note, size in scope.connection.execute(
        "SELECT s.checkpoint_hash, s.witness_id, s.signature, w.name, w.public_key, c.note, c.tree_size"
        " FROM cosignature AS s LEFT JOIN witness AS w USING (witness_id)"
        " LEFT JOIN checkpoint AS c USING (checkpoint_hash)"
    ):
        place: Key = {"checkpoint_hash": checkpoint_hash, "witness_id": number}
        if key is None:
            found.add("witness_missing", _COSIGNATURE, place, "nobody here has that number")
        elif note is None:
            message = "the checkpoint that it is of is not kept"
            found.add("checkpoint_missing", _COSIGNATURE, place, message)
        else:
            sizes[number] = max(size, sizes.get(number, 0))
            if _holds(found, place, note, Witness(name, key), signature):
                held.add(number)
    for number, name, key, size in scope.connection.execute(
        "SELECT witness_id, name, public_key, cosigned_size FROM witness"
    ):
        place = {"witness_id": number}
        if number not in sizes:
            found.add("cosignature_missing", _WITNESS, place, "none of its cosignatures is kept")
        elif size != sizes[number]:
            found.differs(
                _WITNESS, place, "cosigned_size", size, sizes[number], code="column_differs"
            )
        if number in sizes and number not in held and key not in registered:
            message = "no cosignature holds under this key"
            found.add("witness_differs", _WITNESS, place, message, column="public_key")
        if not is_key_name(name) or name != registered.get(key, name):
            message = f"the name of that key is {registered.get(key, 'another')!r}"
            found.add("witness_differs", _WITNESS, place, message, column="name")


def _holds(found: Findings, place: Key, note: str, witness: Witness, signature: bytes) -> bool:
    try:
        checkpoint = parse_note(note).checkpoint
    except InputError:
        return True  # named with the checkpoints
    line = NoteSignature(witness.name, witness.key_id, signature)
    try:
        verify_cosignature(checkpoint, line, witness)
    except VerificationError as error:
        found.add("cosignature_wrong", _COSIGNATURE, place, error.message, column="signature")
        return False
    return True


def _check_witnessed(scope: Scope, found: Findings) -> None:
    for member, size, root, note, witnessed_ms in scope.connection.execute(
        "SELECT member, tree_size, root_hash, note, witnessed_ms FROM witnessed_log"
    ):
        place: Key = {"member": member}
        checkpoint = _signed(scope, found, place, member, note)
        if checkpoint is None:
            continue
        for name, value, right in (
            ("member", origin_of(scope.domain, member), checkpoint.origin),
            ("tree_size", size, checkpoint.size),
            ("root_hash", root, checkpoint.root_hash),
        ):
            if value != right:
                found.differs(_WITNESSED, place, name, value, right, code="column_differs")
        if not 0 < witnessed_ms <= TIME_MS_MAX:
            message = f"witnessed at {witnessed_ms} ms"
            found.add("column_differs", _WITNESSED, place, message, column="witnessed_ms")


def _signed(
    scope: Scope, found: Findings, place: Key, member: bytes, note: str
) -> Checkpoint | None:
    try:
        checkpoint = parse_note(note).checkpoint
    except InputError as error:
        found.add("note_unreadable", _WITNESSED, place, error.message, column="note")
        return None
    if not isinstance(scope.view, FollowedNetwork):
        found.skip(CHECK.name, scope.view.code, f"log keys: {scope.view.message}")
        return checkpoint
    try:
        step = ChainSteps(scope.domain, scope.view).locate_note(member, note).checkpoint_step
    except SealtrailError as error:  # the member's record is damaged: named with the chain's
        found.skip(CHECK.name, error.code, f"log keys: {error.message}")
        return checkpoint
    if step.outcome is Outcome.DOES_NOT_HOLD:
        message = step.reason or "no valid signature"
        found.add("note_not_signed", _WITNESSED, place, message, column="note")
        return None
    return checkpoint


CHECK = Check(
    name="cosignatures",
    tables=(_WITNESS, _COSIGNATURE, _WITNESSED),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM cosignature")),
    weight=0.2,
)
