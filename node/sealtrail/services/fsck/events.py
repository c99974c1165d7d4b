"""An event against the entry that recorded it, whoever's log that is in: which of the two is not what was signed.

What was signed is the one thing that can't be made up, so blame goes by it: what contradicts a leaf that holds by
itself is at fault; of two values that contradict each other, the one that the signed roots lead to is right.
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from sealtrail.epcis import RecordedEvent, read_content
from sealtrail.epcis.ambiguity import Ambiguity
from sealtrail.epcis.query import index_of
from sealtrail.errors import InputError, SealtrailError
from sealtrail.log.tree import split_hashes
from sealtrail.services.fsck.faults import Findings, shown
from sealtrail.services.integrity import half_erased
from sealtrail.services.recording.drafts import event_row
from sealtrail.signing import (
    Domain,
    Entry,
    entry_id,
    event_disclosure_root,
    item_keys,
    items_root,
    parse_leaf,
    parse_references,
    references_root,
)
from sealtrail.store import derived
from sealtrail.store.contents import parse_content
from sealtrail.store.erasure import erased_columns


class EntryRow(msgspec.Struct, frozen=True, kw_only=True):
    """An entry as some table has it; ``table`` and ``key`` name the row."""

    table: str
    key: dict[str, int | bytes]
    entry_id: bytes
    leaf: bytes
    seed: bytes | None
    refs: bytes
    item_keys: bytes
    item_salt: bytes | None  # the log's, where it is known to be that


class EventRow(msgspec.Struct, frozen=True, array_like=True):
    """An event's row, in the order of :data:`EVENT_COLUMNS`."""

    event_row: int
    member: bytes
    entry_id: bytes
    leaf_index: int | None
    media_type: str
    content: bytes | None
    content_hash: bytes
    event_hash: bytes
    event_id: str | None
    is_declaration: int
    hash_ambiguous: str | None
    event_type: str
    action: str | None
    biz_step: str | None
    disposition: str | None
    read_point: str | None
    biz_location: str | None
    event_time_us: int
    record_time_ms: int

    @property
    def key(self) -> dict[str, int | bytes]:
        """What names the row."""
        return {"event_row": self.event_row}

    @property
    def erased(self) -> bool:
        """Tell whether it was erased for law: the entry's id then stands in the content hash's place."""
        return self.content is None and self.content_hash == self.entry_id


EVENT_COLUMNS = EventRow.__struct_fields__
TOMBSTONE = "tombstone"
TERM, VALUE = "(term)", "(value)"
_DERIVED = tuple(name.strip() for name in derived.DERIVED.split(","))


class Checked(msgspec.Struct, frozen=True):
    """What is known of an event once it was checked; ``recorded`` is None where its content can't be relied on."""

    entry: Entry | None
    recorded: RecordedEvent | None


def check_leaf(
    found: Findings, row: EntryRow, event: EventRow | None, domain: Domain
) -> Entry | None:
    """Compare a leaf with the ids under which it is known; return what it says, None if it is damaged."""
    try:
        entry = parse_leaf(row.leaf).entry
    except InputError as error:
        found.add("leaf_unreadable", row.table, row.key, error.message, column="leaf")
        return None
    digest = entry_id(entry, domain)
    if digest == row.entry_id:
        if event is not None and event.entry_id != digest:
            found.differs(
                "event", event.key, "entry_id", event.entry_id, digest, code="entry_id_differs"
            )
        return entry
    if event is not None and event.entry_id == digest:
        found.differs(row.table, row.key, "entry_id", row.entry_id, digest, code="entry_id_differs")
        return entry
    found.add(
        "leaf_differs",
        row.table,
        row.key,
        f"the leaf's id is {shown(digest)}, the entry's {shown(row.entry_id)}",
        column="leaf",
    )
    return None


def check_roots(found: Findings, row: EntryRow, entry: Entry) -> None:
    """Compare item keys and references with the roots that were signed."""
    keys = split_hashes(row.item_keys)
    if items_root(keys) != entry.items_root or list(keys) != sorted(set(keys)):
        found.add(
            "item_keys_differ",
            row.table,
            row.key,
            "the item keys don't give the items root that was signed, or are not ascending",
            column="item_keys",
        )
    try:
        root = references_root(parse_references(row.refs))
    except InputError:
        root = b""
    if root != entry.references_root:
        found.add(
            "references_differ",
            row.table,
            row.key,
            "the references don't give the references root that was signed",
            column="refs",
        )


def check_event(
    found: Findings, row: EntryRow, event: EventRow, entry: Entry, *, buried: bool
) -> RecordedEvent | None:
    """Compare an event's content, seed and columns with its entry; return the event if its content holds.

    Args:
        buried: a tombstone says that the event was erased.
    """
    if event.content is None and row.seed is None and buried:
        check_erased(found, event, entry)
        return None
    _check_loss(found, row, event, buried)
    if event.member != entry.member:
        found.differs(
            "event", event.key, "member", event.member, entry.member, code="column_differs"
        )
    if event.content is None or row.seed is None:
        _check_record_time(found, event, entry)
        return None
    recorded = _read(found, row, event, parse_content(event.content), entry)
    if recorded is not None:
        _check_items(found, row, event, recorded, entry)
        _check_columns(found, event, recorded, entry)
    return recorded


def _check_loss(found: Findings, row: EntryRow, event: EventRow, buried: bool) -> None:
    """Tell what is gone, and what is there although it was erased."""
    lost = half_erased(event, row.seed)
    if lost is not None:
        place = (
            (row.table, row.key, "seed")
            if event.content is not None
            else ("event", event.key, "content")
        )
        found.add(lost.code, place[0], place[1], lost.reason, column=place[2])
    elif event.content is None:
        message = "content and seed were erased, and no tombstone says so"
        found.add("tombstone_missing", TOMBSTONE, {"entry_id": event.entry_id}, message)
    if buried and event.content is not None:
        message = "an event that was not erased has a tombstone"
        found.add("tombstone_unexpected", TOMBSTONE, {"entry_id": event.entry_id}, message)


def check_erased(found: Findings, event: EventRow, entry: Entry) -> None:
    """Compare what erasing leaves of an event's row with what it writes there."""
    stored = msgspec.structs.asdict(event)
    wanted = erased_columns(event.entry_id, entry.record_time_ms)
    for name, value in {**wanted, "member": entry.member}.items():
        if stored[name] != value:
            found.differs("event", event.key, name, stored[name], value, code="column_differs")


def _check_record_time(found: Findings, event: EventRow, entry: Entry) -> None:
    """Of an event without its content what the leaf repeats is all that can be compared."""
    if event.record_time_ms != entry.record_time_ms:
        found.differs(
            "event", event.key, "record_time_ms", event.record_time_ms, entry.record_time_ms,
            code="column_differs",
        )  # fmt: skip


def _read(
    found: Findings, row: EntryRow, event: EventRow, content: bytes, entry: Entry
) -> RecordedEvent | None:
    """Read the content, and tell which of content, its hash, its type and the seed is not what was signed."""
    assert row.seed is not None
    digest = sha256(content).digest()
    is_recorded = digest == event.content_hash
    changed = f"its SHA-256 is {shown(digest)}, expected {shown(event.content_hash)}"
    try:
        recorded = read_content(content, event.media_type)
        root = event_disclosure_root(
            row.seed, content, content_hash=digest, event_hash=recorded.event_hash
        )
    except SealtrailError as error:
        if is_recorded:
            found.add("content_unreadable", "event", event.key, str(error), column="media_type")
        else:
            found.add("content_differs", "event", event.key, changed, column="content")
        return None
    if root == entry.disclosure_root:
        return recorded
    if is_recorded:
        message = "content and seed don't give the disclosure root that was signed"
        found.add("seed_differs", row.table, row.key, message, column="seed")
    else:
        found.add("content_differs", "event", event.key, changed, column="content")
    return None


def _check_items(
    found: Findings, row: EntryRow, event: EventRow, recorded: RecordedEvent, entry: Entry
) -> None:
    """Compare the items that the content names, under the log's salt, with the items root that was signed."""
    if row.item_salt is None:
        return
    salt = row.item_salt
    keys = item_keys(salt, recorded.items)
    if b"".join(keys) != row.item_keys and items_root(keys) != entry.items_root:
        found.add(
            "items_differ",
            row.table,
            row.key,
            "the items that the content names don't give the items root that was signed",
        )


def _check_columns(found: Findings, event: EventRow, recorded: RecordedEvent, entry: Entry) -> None:
    """Compare what the event is found and shown by with what follows from content and entry."""
    expected = event_row(
        recorded, member=entry.member, content=b"", record_time_ms=entry.record_time_ms
    )
    if event.content_hash != recorded.content_hash:
        found.differs(
            "event", event.key, "content_hash", event.content_hash, recorded.content_hash,
            code="column_differs",
        )  # fmt: skip
    wanted = derived.derived_columns(expected)
    stored = msgspec.structs.astuple(event)[-len(_DERIVED) :]
    if stored == wanted:
        return
    for name, value, right in zip(_DERIVED, stored, wanted, strict=True):
        if value != right and not (name == "hash_ambiguous" and is_same_doubt(value, right)):
            found.differs("event", event.key, name, value, right, code="column_differs")


def is_same_doubt(stored: object, from_content: object) -> bool:
    """Tell whether a stored ``hash_ambiguous`` is what the content alone shows, but for where its context stood."""
    if not isinstance(stored, str):
        return stored == from_content
    reasons = [each for each in stored.split(",") if each != Ambiguity.EVENT_CONTEXT]
    return (",".join(reasons) or None) == from_content


def found_by(recorded: RecordedEvent, *, indexed: bool) -> list[tuple[str, str]]:
    """Return all that an event is found by, as pairs that can be counted: (canonical identifier, place) of each item.

    Args:
        indexed: terms and values too, as :func:`term_pair` and :func:`value_pair` write them.
    """
    pairs: list[tuple[str, str]] = [(mention.item, mention.place) for mention in recorded.items]
    if indexed:
        index = index_of(recorded.event, recorded.items)
        pairs += [term_pair(term) for term in index.terms]
        pairs += [value_pair(name, value) for name, value in index.values]
    return pairs


def term_pair(term: int) -> tuple[str, str]:
    """Return a term as a pair; no item has such a place."""
    return str(term), TERM


def value_pair(name: int, value: object) -> tuple[str, str]:
    """Return a value as a pair; no item has such a place."""
    text = value if isinstance(value, str) else repr(value)
    return f"{name} {type(value).__name__} {text}", VALUE
