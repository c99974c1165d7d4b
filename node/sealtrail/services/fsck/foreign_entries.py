"""Other members' entries with their events, proofs and item salts, each up to its checkpoint."""

from __future__ import annotations

from typing import Any

from sealtrail.epcis import RecordedEvent
from sealtrail.errors import SealtrailError, VerificationError
from sealtrail.evidence import EntryRecord, LogProof
from sealtrail.evidence.chain import ChainSteps, Located
from sealtrail.evidence.report import Outcome
from sealtrail.log.tree import split_hashes
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.counting import Counting, Sums
from sealtrail.services.fsck.events import (
    EVENT_COLUMNS,
    EntryRow,
    EventRow,
    check_event,
    check_leaf,
    check_roots,
    found_by,
)
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.keys import NO_FAULT
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.further_entries import is_over
from sealtrail.signing import (
    Entry,
    item_keys,
    items_root,
    recover,
)
from sealtrail.signing.keys import SIGNATURE_BYTES
from sealtrail.store.contents import parse_content

_TABLE = "foreign_entry"
_BUCKETS = 256  # by the id's first byte: the table has no row numbers
_PORTION = 4
_ENTRY = (
    "entry_id, leaf, seed, refs, item_keys, member, item_salt, leaf_index, checkpoint_hash,"
    " inclusion_proof"
)
_WIDTH = _ENTRY.count(",") + 1
_SELECT = (
    f"SELECT {', '.join('f.' + name for name in _ENTRY.split(', '))}, l.item_salt, c.note,"
    f" {', '.join('event.' + name for name in EVENT_COLUMNS)}"
    " FROM foreign_entry AS f LEFT JOIN event ON event.entry_id = f.entry_id"
    " LEFT JOIN foreign_log AS l ON l.member = f.member"
    " LEFT JOIN checkpoint AS c ON c.checkpoint_hash = f.checkpoint_hash"
    " WHERE f.entry_id >= ? AND f.entry_id < ? ORDER BY f.entry_id"
)


class _Row:
    """One row, taken apart."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        entry_id, leaf, seed, refs, item_keys, self.member, self.item_salt, *proof = values[:_WIDTH]
        self.leaf_index, self.checkpoint_hash, self.hashes = proof
        self.log_salt, self.note = values[_WIDTH : _WIDTH + 2]
        self.key = {"entry_id": entry_id}
        self.entry = EntryRow(
            table=_TABLE,
            key=self.key,
            entry_id=entry_id,
            leaf=leaf,
            seed=seed,
            refs=refs,
            item_keys=item_keys,
            item_salt=None,  # compared by itself: two rows have it
        )
        event = values[_WIDTH + 2 :]
        self.event = None if event[0] is None else EventRow(*event)


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check the entries whose ids begin with these bytes."""
    found, sums = Findings(), Sums()
    counting = Counting(scope.subject.counting_key)
    end = b"\xff" * 33 if last >= _BUCKETS else bytes([last])
    for values in scope.connection.execute(_SELECT, (bytes([first]), end)):
        row = _Row(values)
        recorded = _check(scope, found, row)
        if row.event is not None and recorded is not None:
            number = row.event.event_row
            pairs = found_by(recorded, indexed=not scope.gap.lacks(number))
            sums.add(number, counting.sum(pairs))
    found.carried = sums.encode()
    return found


def _check(scope: Scope, found: Findings, row: _Row) -> RecordedEvent | None:
    entry = check_leaf(found, row.entry, row.event, scope.domain)
    if entry is None:
        return None
    if entry.member != row.member:
        found.differs(_TABLE, row.key, "member", row.member, entry.member, code="column_differs")
    if row.event is not None and row.event.leaf_index is not None:
        found.differs(
            "event", row.event.key, "leaf_index", row.event.leaf_index, None, code="column_differs"
        )
    check_roots(found, row.entry, entry)
    _check_chain(scope, found, row, entry)
    if row.event is None:
        if not _is_second_entry(scope, row, entry):
            message = "an event was recorded by this entry, and is gone"
            found.add("event_missing", _TABLE, row.key, message)
        return None
    buried = row.entry.entry_id in scope.tombstones
    recorded = check_event(found, row.entry, row.event, entry, buried=buried)
    _check_salt(found, row, entry, recorded)
    return recorded


def _check_salt(found: Findings, row: _Row, entry: Entry, recorded: RecordedEvent | None) -> None:
    """Compare the salt with what the content names under it, and with the one that is kept for the log."""
    salt = row.item_salt
    if salt is None:
        return
    if recorded is not None and items_root(item_keys(salt, recorded.items)) != entry.items_root:
        message = "the content's items under it don't give the items root that was signed"
        found.add("item_salt_differs", _TABLE, row.key, message, column="item_salt")
        return
    if row.log_salt is None:
        found.add("log_missing", _TABLE, row.key, "no salt is kept for the entry's log")
    elif recorded is None and row.log_salt != salt:  # erased, or damaged itself
        found.differs(_TABLE, row.key, "item_salt", salt, row.log_salt, code="item_salt_differs")
    elif row.log_salt != salt:
        key = {"member": row.member}
        found.differs("foreign_log", key, "item_salt", row.log_salt, salt, code="item_salt_differs")


def _check_chain(scope: Scope, found: Findings, row: _Row, entry: Entry) -> None:
    """Check signature, key and inclusion, by the verifier's own steps."""
    try:
        signer = recover(row.entry.entry_id, row.entry.leaf[-SIGNATURE_BYTES:])
    except VerificationError as error:
        found.add("signature_wrong", _TABLE, row.key, error.message, column="leaf")
        return
    proof = (row.leaf_index, row.checkpoint_hash, row.hashes)
    if len({value is None for value in proof}) > 1:
        found.add("proof_differs", _TABLE, row.key, "a part of its proof is gone")
        return
    if not isinstance(scope.view, FollowedNetwork):
        found.skip(CHECK.name, scope.view.code, f"keys and proofs: {scope.view.message}")
        return
    try:
        _check_steps(scope.once(_steps), found, row, entry, signer)
    except SealtrailError as error:  # a member's record is damaged: named with the chain's
        found.skip(CHECK.name, error.code, error.message)


def _steps(scope: Scope) -> ChainSteps:
    assert isinstance(scope.view, FollowedNetwork)
    return ChainSteps(scope.domain, scope.view)


def _check_steps(
    steps: ChainSteps, found: Findings, row: _Row, entry: Entry, signer: bytes
) -> None:
    record = _record(row)
    located = steps.locate(record, entry)
    key, _ = steps.event_key_step(entry.member, signer, located)
    if key.outcome is Outcome.DOES_NOT_HOLD:
        message = key.reason or "the signer is no event key"
        found.add("signature_wrong", _TABLE, row.key, message, column="leaf")
    elif key.outcome is Outcome.COULD_NOT_CHECK and key.code not in NO_FAULT:
        found.skip(CHECK.name, key.code or "unknown", key.reason or "")
    if record.proof is None or not _is_its_checkpoint(row, located):
        return
    inclusion = steps.inclusion_step(record, located)
    if inclusion.outcome is Outcome.DOES_NOT_HOLD:
        message = inclusion.reason or "the proof does not lead to its checkpoint"
        found.add("proof_differs", _TABLE, row.key, message, column="inclusion_proof")


def _record(row: _Row) -> EntryRecord:
    proof = None
    if row.note is not None:
        proof = LogProof(leaf_index=row.leaf_index, note=row.note, hashes=split_hashes(row.hashes))
    return EntryRecord(
        leaf=row.entry.leaf, content=None, media_type="", seed=row.entry.seed, proof=proof
    )


def _is_its_checkpoint(row: _Row, located: Located) -> bool:
    """Tell whether the note is the one that the proof leads to; a damaged one is named with the checkpoints."""
    return located.checkpoint is not None and located.checkpoint.hash == row.checkpoint_hash


def _is_second_entry(scope: Scope, row: _Row, entry: Entry) -> bool:
    """Tell whether another entry of the member recorded the same event, whose content is kept once."""
    seed = row.entry.seed
    if seed is None:
        return row.entry.entry_id in scope.tombstones
    rows = scope.connection.execute(
        "SELECT content, content_hash, event_hash FROM event"
        " WHERE member = ? AND content IS NOT NULL",
        (row.member,),
    )
    return any(_is_over(entry, seed, *values) for values in rows)


def _is_over(
    entry: Entry, seed: bytes, kept: bytes, content_hash: bytes, event_hash: bytes
) -> bool:
    try:
        content = parse_content(kept)
    except SealtrailError:  # of another event, whose content is damaged: named with it
        return False
    return is_over(entry, seed, content, content_hash=content_hash, event_hash=event_hash)


CHECK = Check(
    name="other members' entries",
    tables=(_TABLE, "foreign_log", "event"),
    look=look,
    span=lambda scope: (0, _BUCKETS),
    portion=_PORTION,
)
