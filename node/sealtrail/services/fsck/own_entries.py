"""Every entry of the own log, with its event: from the content's bytes to a signature by a key that was valid.

Content → content hash and event hash → with the seed the disclosure root; items → item keys → items root; references
→ references root; all of that → entry id → signature → event key valid at the entry's anchor; and what events are
looked up by → what the content says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sealtrail.epcis import RecordedEvent
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
from sealtrail.services.fsck.keys import Signers
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.own_log.plain_entries import plain_root
from sealtrail.signing import (
    EVENT_KINDS,
    ZERO_SEED,
    Entry,
    Kind,
)

_ENTRY = "leaf_index, entry_id, leaf, seed, refs, item_keys"
_SELECT = (
    f"SELECT {', '.join('entry.' + name for name in _ENTRY.split(', '))},"
    f" {', '.join('event.' + name for name in EVENT_COLUMNS)}"
    " FROM entry LEFT JOIN event ON event.leaf_index = entry.leaf_index"
    " WHERE entry.leaf_index >= ? AND entry.leaf_index < ? ORDER BY entry.leaf_index"
)
_WIDTH = _ENTRY.count(",") + 1

_PORTION = 1_000
_GAP_NAMED_MAX = 1_000  # leaves of one gap

# What an entry that is about no event discloses, by its kind; None: it is gone or another, and named with its table.
RootOf = Callable[[Scope, int, bytes | None], bytes | None]


def _genesis_root(scope: Scope, leaf_index: int, seed: bytes | None) -> bytes | None:
    return None if scope.item_salt is None else scope.genesis_root(scope.item_salt)


def _padding_root(scope: Scope, leaf_index: int, seed: bytes | None) -> bytes:
    return plain_root(b"", ZERO_SEED)


def _index_root(scope: Scope, leaf_index: int, seed: bytes | None) -> bytes | None:
    """Only the seed is compared: what it says is, with the index."""
    return None


def _digest_root(scope: Scope, leaf_index: int, seed: bytes | None) -> bytes | None:
    row = scope.connection.execute(
        "SELECT content FROM audit_digest WHERE leaf_index = ?", (leaf_index,)
    ).fetchone()
    return None if row is None or seed is None else plain_root(row[0], seed)


ROOTS: Mapping[Kind, RootOf] = {
    Kind.GENESIS: _genesis_root,
    Kind.PADDING: _padding_root,
    Kind.INDEX: _index_root,
    Kind.AUDIT_DIGEST: _digest_root,
}


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check the entries of these leaves."""
    found, sums = Findings(), Sums()
    counting = Counting(scope.subject.counting_key)
    expected = first
    for values in scope.connection.execute(_SELECT, (first, last)):
        leaf_index = values[0]
        _missing(found, expected, leaf_index)
        expected = leaf_index + 1
        event = None if values[_WIDTH] is None else EventRow(*values[_WIDTH:])
        recorded = _check(scope, found, _entry_row(scope, values), event)
        if event is not None and recorded is not None:
            pairs = found_by(recorded, indexed=not scope.gap.lacks(event.event_row))
            sums.add(event.event_row, counting.sum(pairs))
    _missing(found, expected, last)
    found.carried = sums.encode()
    return found


def _entry_row(scope: Scope, values: Sequence[Any]) -> EntryRow:
    leaf_index, entry_id, leaf, seed, refs, item_keys = values[:_WIDTH]
    return EntryRow(
        table="entry",
        key={"leaf_index": leaf_index},
        entry_id=entry_id,
        leaf=leaf,
        seed=seed,
        refs=refs,
        item_keys=item_keys,
        item_salt=scope.item_salt,
    )


def _missing(found: Findings, expected: int, next_present: int) -> None:
    for leaf_index in range(expected, min(next_present, expected + _GAP_NAMED_MAX)):
        found.add("entry_missing", "entry", {"leaf_index": leaf_index}, "the log has no such leaf")


def _check(
    scope: Scope, found: Findings, row: EntryRow, event: EventRow | None
) -> RecordedEvent | None:
    entry = check_leaf(found, row, event, scope.domain)
    if entry is None:
        return None
    scope.once(Signers).check(found, row, entry)
    check_roots(found, row, entry)
    if entry.kind not in EVENT_KINDS:
        _check_other(scope, found, row, entry)
        return None
    if event is None:
        message = "an event was recorded by this entry, and is gone"
        found.add("event_missing", row.table, row.key, message)
        return None
    return check_event(found, row, event, entry, buried=row.entry_id in scope.tombstones)


def _check_other(scope: Scope, found: Findings, row: EntryRow, entry: Entry) -> None:
    """Check what an entry that is about no event discloses."""
    root_of = ROOTS.get(entry.kind)
    if root_of is None:
        reason = f"nothing reads what an entry of kind {entry.kind.name} is about"
        found.skip(CHECK.name, "kind_reserved", reason)
        return
    root = root_of(scope, int(row.key["leaf_index"]), row.seed)
    if entry.kind is Kind.AUDIT_DIGEST:
        # its seed is random: of content and seed both are named, if they don't lead to what was signed
        if row.seed is None or root not in (None, entry.disclosure_root):
            message = "seed and content don't give the disclosure root that was signed"
            found.add("seed_differs", row.table, row.key, message, column="seed")
    elif root is not None and root != entry.disclosure_root:
        found.add("leaf_differs", row.table, row.key, "it is about something else", column="leaf")
    elif row.seed != ZERO_SEED:
        found.differs(row.table, row.key, "seed", row.seed, ZERO_SEED, code="seed_differs")


def _span(scope: Scope) -> tuple[int, int]:
    return 0, scope.count("SELECT max(leaf_index) + 1 FROM entry")


CHECK = Check(
    name="own entries", tables=("entry", "event"), look=look, span=_span, portion=_PORTION
)
