"""Mends what can be mended from verified sources; says of everything else why not.

What follows from recorded content, or from the log's leaves, is computed anew. An entry or content that is damaged
itself is asked of the members that were shown it, verified down to the log's own tree, and only then written. Nothing
is guessed, and nothing is deleted but rows that follow from others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from sealtrail.epcis import RecordedEvent
from sealtrail.errors import InputError, SealtrailError
from sealtrail.evidence import EntryRecord, Verifier
from sealtrail.log.tiles import TILE_WIDTH
from sealtrail.log.tree import leaf_hash, split_hashes
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.fsck.events import (
    EVENT_COLUMNS,
    EntryRow,
    EventRow,
    check_event,
    check_leaf,
    is_same_doubt,
)
from sealtrail.services.fsck.faults import Fault, Findings, Key
from sealtrail.services.fsck.master_data import following
from sealtrail.services.fsck.run import Report
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.fsck.tree import computed_tiles
from sealtrail.services.recording.drafts import event_row
from sealtrail.signing import Entry, item_keys
from sealtrail.store import mending
from sealtrail.store.contents import encode_content
from sealtrail.store.derived import rebuild_indexes
from sealtrail.store.events import NewEvent
from sealtrail.store.foreign import ForeignEntry
from sealtrail.store.log import NewEntry

Source = Literal["content", "leaves", "indexes", "peers", "none"]

_DERIVED = frozenset({"event", "event_item", "event_term", "event_value"})
_RECOMPUTED = frozenset({"column_differs", "entry_id_differs", "item_missing", "item_unexpected"})
_FETCHED_TABLES = frozenset({"entry", "foreign_entry", "event"})
_FETCHED = frozenset(
    {
        *(
            "leaf_unreadable",
            "leaf_differs",
            "leaf_not_in_tree",
            "entry_id_differs",
            "entry_missing",
        ),
        *("item_keys_differ", "references_differ", "seed_differs", "seed_lost", "signature_wrong"),
        *("content_differs", "content_unreadable", "content_lost", "items_differ"),
    }
)


class Mend(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about one fault: from which ``source``, or why nothing is; ``done`` once it was."""

    fault: Fault
    source: Source
    reason: str
    done: bool = False


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An entry to be asked of others: where it stands here, and who may have it, the likeliest first."""

    entry_id: bytes
    event_row: int
    leaf_index: int | None
    holders: tuple[bytes, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is to be done, a :class:`Mend` for each fault in their order."""

    mends: tuple[Mend, ...]
    wanted: tuple[Wanted, ...]


def plan_repair(scope: Scope, report: Report) -> Plan:
    """Decide for each fault what can be done about it."""
    mends, wanted = [], {}
    for fault in report.faults:
        mend, entry = _plan(scope, fault)
        mends.append(mend)
        if entry is not None:
            wanted[entry.entry_id] = entry
    return Plan(mends=tuple(mends), wanted=tuple(wanted.values()))


def _plan(scope: Scope, fault: Fault) -> tuple[Mend, Wanted | None]:
    if fault.table == "tile" and fault.code in ("tile_differs", "tile_missing"):
        return _mend(
            fault, "leaves", "computed anew from the leaves, if the signed roots agree"
        ), None
    if fault.table in _DERIVED and fault.code in _RECOMPUTED:
        return _mend(
            fault, "content", "computed anew from the content, if it is what was signed"
        ), None
    if fault.code == "master_data_row_differs":
        return _mend(fault, "content", "computed anew from all versions, if each is sound"), None
    if fault.table == "sqlite" and "index" in fault.message:
        return _mend(fault, "indexes", "every index is made anew from its table"), None
    if fault.code in _FETCHED and fault.table in _FETCHED_TABLES:
        wanted = _wanted(scope, fault.key)
        if wanted is None:
            return _mend(fault, "none", "nothing here says which entry stood there"), None
        return _mend(fault, "peers", f"asked of {len(wanted.holders)} members"), wanted
    return _mend(fault, "none", "nothing verified follows to it: restore a backup"), None


def _mend(fault: Fault, source: Source, reason: str) -> Mend:
    return Mend(fault=fault, source=source, reason=reason)


def _wanted(scope: Scope, key: Key) -> Wanted | None:
    """Find out which entry is damaged: its event says so, where that still is."""
    question = {
        "leaf_index": "leaf_index = :leaf_index",
        "event_row": "event_row = :event_row",
        "entry_id": "entry_id = :entry_id",
    }
    (name, value), *_ = key.items()
    if name not in question:
        return None
    row = scope.connection.execute(
        f"SELECT entry_id, event_row, leaf_index, member FROM event WHERE {question[name]}",
        {name: _unspelt(value)},
    ).fetchone()
    if row is None:
        return None
    entry_id, number, leaf_index, member = row
    return Wanted(
        entry_id=entry_id,
        event_row=number,
        leaf_index=leaf_index,
        holders=_holders(scope, entry_id, number, member if leaf_index is None else None),
    )


def _unspelt(value: object) -> object:
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    return value


def _holders(
    scope: Scope, entry_id: bytes, event_row: int, recorder: bytes | None
) -> tuple[bytes, ...]:
    """Return who may have a copy: of another's entry that member, of an own one whom it was shown to, then all."""
    if recorder is not None:
        return (recorder,)
    shown = scope.connection.execute(
        "SELECT recipient FROM disclosed WHERE event_row = ? UNION"
        " SELECT recipient FROM delivery WHERE entry_id = ?",
        (event_row, entry_id),
    )
    members = scope.connection.execute("SELECT DISTINCT member FROM chain_member ORDER BY member")
    found = [row[0] for row in (*shown.fetchall(), *members.fetchall())]
    return tuple(m for m in dict.fromkeys(found) if m != scope.member)


def apply_plan(
    scope: Scope, plan: Plan, copies: dict[bytes, EntryRecord], *, now_ms: int
) -> tuple[Mend, ...]:
    """Mend; return what was done. Call it in one transaction of the writer, over whose connection ``scope`` is.

    Args:
        copies: entry id → what a member gave; verified here before any of it is written.
    """
    outcome: dict[bytes, str | None] = {}  # entry id → why not
    for wanted in plan.wanted:
        record = copies.get(wanted.entry_id)
        try:
            if record is None:
                outcome[wanted.entry_id] = "none of them gave a copy"
            else:
                _write_copy(scope, wanted, record, now_ms)
                outcome[wanted.entry_id] = None
        except SealtrailError as error:
            outcome[wanted.entry_id] = f"the copy does not hold: {error}"
    master_data = _mend_master_data(scope, plan)
    if any(mend.source == "indexes" for mend in plan.mends):
        rebuild_indexes(scope.connection)
    lost = [w.leaf_index for w in plan.wanted if outcome[w.entry_id] is not None]
    unnamed = any(m.fault.table == "entry" and m.source == "none" for m in plan.mends)
    if unnamed or any(leaf_index is not None for leaf_index in lost):
        tiles: str | None = "an entry of the log is damaged, and tiles would be made of it"
    else:
        tiles = _mend_tiles(scope, plan)
    whole = {"leaves": tiles, "indexes": None, "content": master_data}
    return tuple(_done(scope, mend, outcome, whole) for mend in plan.mends)


def _done(
    scope: Scope, mend: Mend, outcome: dict[bytes, str | None], whole: Mapping[str, str | None]
) -> Mend:
    """Return a mend as it was done; ``whole`` says by source why what is mended in one go was not."""
    why: str | None = mend.reason
    if mend.source == "peers":
        wanted = _wanted(scope, mend.fault.key)
        why = outcome.get(wanted.entry_id, "another entry stands there") if wanted else why
    elif mend.source == "content" and "event_row" in mend.fault.key:
        why = _recompute(scope, int(mend.fault.key["event_row"]))
    elif mend.source in whole:
        why = whole[mend.source]
    if mend.source == "none" or why is not None:
        return msgspec.structs.replace(mend, reason=why or mend.reason)
    return msgspec.structs.replace(mend, done=True)


def _mend_master_data(scope: Scope, plan: Plan) -> str | None:
    """Write anew what follows from versions of master data; return why not."""
    if not any(m.fault.code == "master_data_row_differs" for m in plan.mends):
        return None
    versions = following(scope)
    if versions is None:
        return "a version is damaged, and until when others hold may follow from it"
    mending.mend_master_data(scope.connection, versions)
    return None


def _mend_tiles(scope: Scope, plan: Plan) -> str | None:
    """Write tiles anew; return why not."""
    wanted = {
        (int(m.fault.key["level"]), int(m.fault.key["tile_index"]))
        for m in plan.mends
        if m.source == "leaves"
    }
    if not wanted:
        return None
    tiles = computed_tiles(scope, wanted)
    if tiles is None:
        return "the tree from the leaves is not the one that was signed"
    mending.mend_tiles(scope.connection, tiles)
    return None


def _recompute(scope: Scope, number: int) -> str | None:
    """Write what follows from an event's content; return why not."""
    loaded = _load(scope, number)
    if loaded is None:
        return "its event, or the event's entry, is gone"
    row, event = loaded
    found = Findings()
    entry = check_leaf(found, row, event, scope.domain)
    buried = row.entry_id in scope.tombstones
    recorded = None if entry is None else check_event(found, row, event, entry, buried=buried)
    if entry is None or recorded is None:
        return "its content, or the entry that seals it, does not hold"
    fresh = _new_event(recorded, entry)
    if is_same_doubt(event.hash_ambiguous, fresh.hash_ambiguous):
        fresh = msgspec.structs.replace(fresh, hash_ambiguous=event.hash_ambiguous)
    mending.mend_event(scope.connection, number, row.entry_id, fresh)
    return None


def _load(scope: Scope, number: int) -> tuple[EntryRow, EventRow] | None:
    columns = ", ".join(EVENT_COLUMNS)
    values = scope.connection.execute(
        f"SELECT {columns} FROM event WHERE event_row = ?", (number,)
    ).fetchone()
    if values is None:
        return None
    event = EventRow(*values)
    table, name, value = (
        ("foreign_entry", "entry_id", event.entry_id)
        if event.leaf_index is None
        else ("entry", "leaf_index", event.leaf_index)
    )
    found = scope.connection.execute(
        f"SELECT entry_id, leaf, seed, refs, item_keys FROM {table} WHERE {name} = ?", (value,)
    ).fetchone()
    if found is None:
        return None
    row = EntryRow(
        table=table,
        key={name: value},
        entry_id=found[0],
        leaf=found[1],
        seed=found[2],
        refs=found[3],
        item_keys=found[4],
        item_salt=None,
    )
    return row, event


def _new_event(recorded: RecordedEvent, entry: Entry) -> NewEvent:
    return event_row(
        recorded,
        member=entry.member,
        content=encode_content(recorded.content),
        record_time_ms=entry.record_time_ms,
    )


def _write_copy(scope: Scope, wanted: Wanted, record: EntryRecord, now_ms: int) -> None:
    """Verify a copy and write it.

    Raises:
        InputError, VerificationError, UnavailableError: it does not hold, or could not be verified.
    """
    if not isinstance(scope.view, FollowedNetwork):
        raise scope.view
    verified = Verifier(domain=scope.domain, network=scope.view).verify(record)
    verified.require()
    if verified.entry_id != wanted.entry_id or verified.event is None or record.seed is None:
        raise InputError("copy_of_another", "it is another entry's, or does not show its event")
    recorded, entry = verified.event, verified.entry
    if wanted.leaf_index is None:
        kept = _foreign(record, recorded, entry, wanted, now_ms)
        mending.mend_foreign_entry(scope.connection, kept)
    else:
        if entry.member != scope.member:
            raise InputError("copy_of_another", "it is another member's entry")
        _require_in_tree(scope, wanted.leaf_index, record.leaf)
        own = NewEntry(
            wanted.entry_id,
            record.leaf,
            record.seed,
            record.references,
            _keys(scope, record, recorded),
        )
        mending.mend_entry(scope.connection, wanted.leaf_index, own)
    mending.mend_event(
        scope.connection, wanted.event_row, wanted.entry_id, _new_event(recorded, entry)
    )


def _require_in_tree(scope: Scope, leaf_index: int, leaf: bytes) -> None:
    """Refuse a leaf other than the one that the log's tree has there, where a tile says which that is."""
    tile_index, place = divmod(leaf_index, TILE_WIDTH)
    row = scope.connection.execute(
        "SELECT hashes FROM tile WHERE level = 0 AND tile_index = ?", (tile_index,)
    ).fetchone()
    if row is not None and split_hashes(row[0])[place : place + 1] != (leaf_hash(leaf),):
        raise InputError("leaf_not_in_tree", "the log's tree has another leaf there")


def _keys(scope: Scope, record: EntryRecord, recorded: RecordedEvent) -> bytes:
    salt = record.item_salt or scope.item_salt
    if record.item_keys or salt is None:
        return b"".join(record.item_keys)
    return b"".join(item_keys(salt, recorded.items))


def _foreign(
    record: EntryRecord, recorded: RecordedEvent, entry: Entry, wanted: Wanted, now_ms: int
) -> ForeignEntry:
    salt = record.item_salt if recorded.items else None
    keys = record.item_keys
    if salt is not None:
        keys = tuple(item_keys(salt, recorded.items))
    return ForeignEntry(
        entry_id=wanted.entry_id,
        member=entry.member,
        leaf=record.leaf,
        seed=record.seed,
        refs=record.references,
        item_keys=b"".join(keys),
        item_salt=salt,
        proof=None,
        received_from=entry.member,
        received_ms=now_ms,
    )


def holders_of(plan: Plan) -> Sequence[tuple[bytes, list[bytes]]]:
    """Return (member, entry ids to ask it for), the members that may have most first."""
    by_member: dict[bytes, list[bytes]] = {}
    for wanted in plan.wanted:
        for member in wanted.holders:
            by_member.setdefault(member, []).append(wanted.entry_id)
    return sorted(by_member.items(), key=lambda each: len(each[1]), reverse=True)
