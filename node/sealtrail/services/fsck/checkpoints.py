"""Checkpoints and the outbox: notes signed by a log key of their member, columns as the notes have them, anchors as the
chain was followed.

That the own ones have the right root is checked with the tree; that the chain has the anchors, with the chain.
"""

from __future__ import annotations

from typing import Any

from sealtrail.errors import InputError, SealtrailError
from sealtrail.evidence.chain import ChainSteps
from sealtrail.evidence.report import Outcome
from sealtrail.log.checkpoint import Checkpoint, parse_note
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.signing import origin_of
from sealtrail.store.outbox import State

_CHECKPOINT, _OUTBOX, _ANCHOR = "checkpoint", "anchor_outbox", "chain_anchor"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    steps = None
    if isinstance(scope.view, FollowedNetwork):
        steps = ChainSteps(scope.domain, scope.view)
    else:
        found.skip(CHECK.name, scope.view.code, f"log keys: {scope.view.message}")
    for row in scope.connection.execute(
        "SELECT checkpoint_hash, member, tree_size, root_hash, note, c.sequence, o.sequence"
        " FROM checkpoint AS c LEFT JOIN anchor_outbox AS o USING (checkpoint_hash)"
    ):
        _check_checkpoint(scope, found, steps, row)
    _check_order(scope, found)
    for row in scope.connection.execute(
        "SELECT o.sequence, o.checkpoint_hash, o.state, o.transaction_hash, o.raw_transaction, o.nonce,"
        " o.block_number, o.block_hash, o.published_ms, a.checkpoint_hash, a.block_number, a.block_hash"
        " FROM anchor_outbox AS o LEFT JOIN chain_anchor AS a"
        " ON a.member = ? AND a.sequence = o.sequence ORDER BY o.sequence",
        (scope.member,),
    ):
        _check_outbox(scope, found, row)
    _check_anchors(scope, found)
    return found


def _check_checkpoint(
    scope: Scope, found: Findings, steps: ChainSteps | None, row: tuple[Any, ...]
) -> None:
    checkpoint_hash, member, tree_size, root_hash, note, sequence, outbox_sequence = row
    key = {"checkpoint_hash": checkpoint_hash}
    expected = outbox_sequence if member == scope.member else None
    if member == scope.member and outbox_sequence is None:
        message = f"of checkpoint 0x{checkpoint_hash.hex()}: the outbox has no such anchor to be"
        found.add("outbox_missing", _OUTBOX, {"sequence": sequence}, message)
    elif sequence != expected:
        found.differs(_CHECKPOINT, key, "sequence", sequence, expected, code="column_differs")
    try:
        checkpoint = parse_note(note).checkpoint
    except InputError as error:
        found.add("note_unreadable", _CHECKPOINT, key, error.message, column="note")
        return
    signed = _check_signature(scope, found, steps, key, member, note)
    if checkpoint.hash != checkpoint_hash:
        found.differs(
            _CHECKPOINT,
            key,
            "checkpoint_hash" if signed else "note",
            checkpoint_hash,
            checkpoint.hash,
            code="checkpoint_hash_differs",
        )
    _check_columns(scope, found, key, checkpoint, (member, tree_size, root_hash))


def _check_signature(
    scope: Scope,
    found: Findings,
    steps: ChainSteps | None,
    key: dict[str, bytes],
    member: bytes,
    note: str,
) -> bool:
    """Tell whether a note is signed by a log key of its member, as far as that is known."""
    if steps is None:
        return False
    try:
        step = steps.locate_note(member, note).checkpoint_step
    except SealtrailError as error:  # the member's record is damaged: named with the chain's
        found.skip(CHECK.name, error.code, f"log keys: {error.message}")
        return False
    if step.outcome is Outcome.DOES_NOT_HOLD:
        message = step.reason or "no valid signature"
        found.add("note_not_signed", _CHECKPOINT, key, message, column="note")
    elif step.outcome is Outcome.COULD_NOT_CHECK:
        found.skip(CHECK.name, step.code or "unknown", step.reason or "")
    return step.outcome is Outcome.HOLDS


def _check_columns(
    scope: Scope,
    found: Findings,
    key: dict[str, bytes],
    checkpoint: Checkpoint,
    columns: tuple[bytes, int, bytes],
) -> None:
    member, tree_size, root_hash = columns
    if checkpoint.origin != origin_of(scope.domain, member):
        found.differs(
            _CHECKPOINT,
            key,
            "member",
            origin_of(scope.domain, member),
            checkpoint.origin,
            code="column_differs",
        )
    for name, value, right in (
        ("tree_size", tree_size, checkpoint.size),
        ("root_hash", root_hash, checkpoint.root_hash),
    ):
        if value != right:
            found.differs(_CHECKPOINT, key, name, value, right, code="column_differs")


def _check_order(scope: Scope, found: Findings) -> None:
    """A later checkpoint of the own log is never over fewer leaves."""
    for checkpoint_hash, size, before in scope.connection.execute(
        "SELECT checkpoint_hash, tree_size, before FROM (SELECT checkpoint_hash, tree_size,"
        " lag(tree_size, 1, 0) OVER (ORDER BY o.sequence) AS before"
        " FROM anchor_outbox AS o JOIN checkpoint USING (checkpoint_hash)) WHERE tree_size < before"
    ):
        message = f"over {size} leaves, and the one before it over {before}"
        found.add("checkpoint_shrinks", _CHECKPOINT, {"checkpoint_hash": checkpoint_hash}, message)


def _check_outbox(scope: Scope, found: Findings, row: tuple[Any, ...]) -> None:
    sequence, checkpoint_hash, state, tx, raw, nonce, block, block_hash, published_ms, *anchor = row
    key = {"sequence": sequence}
    if state not in set(State):
        found.add("state_unknown", _OUTBOX, key, f"state {state!r}", column="state")
        return
    _check_transaction(scope, found, key, (tx, raw, nonce))
    if anchor[0] is not None and anchor[0] != checkpoint_hash:
        found.differs(
            _OUTBOX, key, "checkpoint_hash", checkpoint_hash, anchor[0], code="anchor_differs"
        )
    placed = state in (State.INCLUDED, State.FINAL)
    if placed != (block is not None) or placed != (block_hash is not None):
        message = f"state {state} with block {block}"
        found.add("state_contradicts", _OUTBOX, key, message, column="state")
    if state != State.PENDING and published_ms is None:
        message = f"state {state}, and it was never published"
        found.add("state_contradicts", _OUTBOX, key, message, column="published_ms")
    if state != State.FINAL or isinstance(scope.view, SealtrailError):
        return
    if anchor[0] is None and block is not None and block <= scope.view.block:
        message = f"final in block {block}, which was followed, and no anchor was found there"
        found.add("anchor_missing", _OUTBOX, key, message)
        return
    for name, value, right in (
        ("block_number", block, anchor[1]),
        ("block_hash", block_hash, anchor[2]),
    ):
        if anchor[0] is not None and value != right:
            found.differs(_OUTBOX, key, name, value, right, code="column_differs")


def _check_transaction(
    scope: Scope, found: Findings, key: dict[str, int], columns: tuple[Any, Any, Any]
) -> None:
    tx, raw, nonce = columns
    if len({value is None for value in columns}) > 1:
        found.add("transaction_incomplete", _OUTBOX, key, "a part of its transaction is gone")
        return
    if raw is None:
        return
    try:
        sent = scope.subject.read_transaction(raw)
    except SealtrailError as error:
        found.add("transaction_unreadable", _OUTBOX, key, error.message, column="raw_transaction")
        return
    if sent.hash != tx:
        message = f"the transaction's hash is 0x{sent.hash.hex()}, stored is 0x{tx.hex()}"
        found.add("transaction_differs", _OUTBOX, key, message, column="raw_transaction")
    elif sent.nonce != nonce:
        found.differs(_OUTBOX, key, "nonce", nonce, sent.nonce, code="column_differs")


def _check_anchors(scope: Scope, found: Findings) -> None:
    """Every anchor of this member is of a checkpoint that is kept."""
    for sequence, checkpoint_hash in scope.connection.execute(
        "SELECT sequence, checkpoint_hash FROM chain_anchor WHERE member = ?"
        " AND checkpoint_hash NOT IN (SELECT checkpoint_hash FROM checkpoint)",
        (scope.member,),
    ):
        key = {"member": scope.member, "sequence": sequence}
        message = f"its checkpoint 0x{checkpoint_hash.hex()} is not kept"
        found.add("checkpoint_missing", _ANCHOR, key, message)


CHECK = Check(
    name="checkpoints",
    tables=(_CHECKPOINT, _OUTBOX, _ANCHOR),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM checkpoint")),
    weight=0.5,
)
