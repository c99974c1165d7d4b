"""What logs did that they must not: proofs that still prove it, omissions of known entries; and the watch's state."""

from __future__ import annotations

from functools import partial
from typing import Any

from sealtrail.errors import SealtrailError
from sealtrail.evidence.chain import ChainSteps
from sealtrail.evidence.report import Outcome
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.contradiction import AnchoredNote, Contradiction, prove_fork, prove_rewind
from sealtrail.log.item_index import parse_index_document
from sealtrail.membership.records import Purpose
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings, Key
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.signing import origin_of, parse_leaf
from sealtrail.store.log_findings import ITEM_INDEX_WRONG, OMITTED

_FINDING, _AWAITED, _CURSOR = "log_finding", "awaited_anchor", "log_watch_cursor"
_COLUMNS = (
    "finding_id, code, member, found_ms, first_note, second_note, first_sequence, second_sequence,"
    " entry_id, promised_ms, settled_ms, recomputed"
)


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    for row in scope.connection.execute(f"SELECT {_COLUMNS} FROM log_finding"):
        _check_finding(scope, found, row)
    _check_awaited(scope, found)
    _check_cursor(scope, found)
    return found


def _check_finding(scope: Scope, found: Findings, row: tuple[Any, ...]) -> None:
    number, code, member, found_ms, *proof, entry_id, promised_ms, settled_ms, recomputed = row
    key: Key = {"finding_id": number}

    def wrong(message: str) -> None:
        found.add("log_finding_differs", _FINDING, key, message)

    times = [each for each in (found_ms, promised_ms, settled_ms) if each is not None]
    if not all(0 < each <= TIME_MS_MAX for each in times):
        wrong("a time that can't be")
    if recomputed is not None and code != ITEM_INDEX_WRONG:
        wrong("what an index would have to say, and it is about no index")
    if code == OMITTED:
        if entry_id is None or promised_ms is None or any(each is not None for each in proof):
            wrong("an omission is of an entry that was promised by some time, and has no proof")
        elif not _is_known(scope, entry_id, member):
            wrong("an omission of an entry that is not known here, or is another member's")
        return
    if entry_id is not None or promised_ms is not None or settled_ms is not None:
        wrong("a proof is of no entry, and is never settled")
    if not isinstance(scope.view, FollowedNetwork):
        found.skip(CHECK.name, scope.view.code, f"log keys: {scope.view.message}")
        return
    if code == ITEM_INDEX_WRONG:
        why_not = _why_no_wrong_index(scope, scope.view, member, proof, recomputed)
        if why_not is not None:
            wrong(why_not)
        return
    try:
        expected = _prove(scope, scope.view, code, member, proof)
    except SealtrailError as error:
        wrong(f"its checkpoints don't prove it: {error.message}")
        return
    if expected is None:
        wrong(f"no finding of the code {code!r} has these columns")
    elif (expected.first_note, expected.second_note) != tuple(proof[:2]):
        wrong("its checkpoints are not in their one form")


def _why_no_wrong_index(
    scope: Scope, view: FollowedNetwork, member: bytes, proof: list[Any], recomputed: str | None
) -> str | None:
    """Return why this can't be about an anchored checkpoint's index; None if it can: the log itself is not read."""
    note, *others = proof
    if note is None or recomputed is None or any(each is not None for each in others):
        return "a wrong index is of one checkpoint, and has what it would have to say"
    try:
        located = ChainSteps(scope.domain, view).locate_note(member, note)
        head = parse_index_document(recomputed.encode())
    except (SealtrailError, UnicodeEncodeError) as error:
        return f"what the index would have to say is no index entry's content: {error}"
    if located.checkpoint is None or located.checkpoint_step.outcome is not Outcome.HOLDS:
        return located.checkpoint_step.reason or "its checkpoint is not signed by the log"
    if located.anchor is None:
        return "the chain has no such checkpoint of that member's"
    if head.covers != located.checkpoint.size - 1:
        return f"it covers {head.covers} leaves, the checkpoint has {located.checkpoint.size}"
    return None


def _prove(
    scope: Scope, view: FollowedNetwork, code: str, member: bytes, proof: list[Any]
) -> Contradiction | None:
    """Prove it again, from the notes; None if they are not what such a proof has."""
    first, second, *sequences = proof
    record = view.record(member, None)
    keys = [k.public for k in (record.keys if record else ()) if k.purpose is Purpose.LOG]
    prove = {"origin": origin_of(scope.domain, member), "log_keys": keys}
    if first is None or second is None:
        return None
    if code == "log_forked" and sequences == [None, None]:
        return partial(prove_fork, first, second)(**prove)  # type: ignore[arg-type]
    if code == "log_rewound" and None not in sequences:
        notes = [
            AnchoredNote(sequence=s, note=n)
            for s, n in zip(sequences, (first, second), strict=True)
        ]
        if not all(_is_anchored(scope, member, each) for each in notes):
            return None
        return partial(prove_rewind, *notes)(**prove)  # type: ignore[arg-type]
    return None


def _is_anchored(scope: Scope, member: bytes, note: AnchoredNote) -> bool:
    return scope.count(
        "SELECT count(*) FROM chain_anchor WHERE member = ? AND sequence = ? AND checkpoint_hash = ?",
        member, note.sequence, parse_note(note.note).checkpoint.hash,
    ) > 0  # fmt: skip


def _is_known(scope: Scope, entry_id: bytes, member: bytes) -> bool:
    if member == scope.member:
        question = "SELECT count(*) FROM event WHERE entry_id = ? AND member = ?"
    else:
        question = "SELECT count(*) FROM foreign_entry WHERE entry_id = ? AND member = ?"
    return scope.count(question, entry_id, member) > 0


def _check_awaited(scope: Scope, found: Findings) -> None:
    for entry_id, member, record_time_ms, leaf, owner in scope.connection.execute(
        "SELECT a.entry_id, a.member, a.record_time_ms, f.leaf, f.member FROM awaited_anchor AS a"
        " LEFT JOIN foreign_entry AS f USING (entry_id)"
    ):
        key: Key = {"entry_id": entry_id}
        if leaf is None:
            found.add("entry_missing", _AWAITED, key, "the entry is not kept")
            continue
        try:
            recorded = parse_leaf(leaf).entry.record_time_ms
        except SealtrailError:
            continue  # named with the entries
        for name, value, right in (
            ("member", member, owner),
            ("record_time_ms", record_time_ms, recorded),
        ):
            if value != right:
                found.differs(_AWAITED, key, name, value, right, code="column_differs")


def _check_cursor(scope: Scope, found: Findings) -> None:
    """What is behind the cursor was looked at: it is never beyond what is there."""
    row = scope.connection.execute(
        "SELECT event_row, checkpoint_row, anchor_block FROM log_watch_cursor WHERE id = 1"
    ).fetchone()
    if row is None:
        found.add("cursor_differs", _CURSOR, {"id": 1}, "it is gone")
        return
    ends = (
        ("event_row", 0, scope.count("SELECT max(event_row) FROM event")),
        ("checkpoint_row", 0, scope.count("SELECT max(rowid) FROM checkpoint")),
        ("anchor_block", -1, scope.count("SELECT max(final_block) FROM chain_cursor")),
    )
    for (name, lowest, highest), value in zip(ends, row, strict=True):
        if not lowest <= value <= max(highest, lowest):
            message = f"at {value}, expected {lowest} to {highest}"
            found.add("cursor_differs", _CURSOR, {"id": 1}, message, column=name)


CHECK = Check(
    name="log findings",
    tables=(_FINDING, _AWAITED, _CURSOR),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM awaited_anchor")),
    weight=0.05,
)
