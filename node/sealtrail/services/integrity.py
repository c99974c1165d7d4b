"""What is read back is checked against what was signed, before it is given to anyone."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealtrail.errors import InputError, IntegrityError, VerificationError
from sealtrail.log.tree import TreeHead, leaf_hash, split_hashes, verify_inclusion
from sealtrail.signing import (
    Domain,
    Reference,
    entry_id,
    event_disclosure_root,
    items_root,
    parse_leaf,
    parse_references,
    references_root,
)
from sealtrail.store.coverage import Coverage
from sealtrail.store.events import StoredEvent, require_content
from sealtrail.store.log import StoredEntry, load_entry


class StoreFault(msgspec.Struct, frozen=True):
    """What the store contradicts itself in; ``code`` is stable."""

    code: str
    reason: str


class Erasable(Protocol):
    """An event as far as it tells whether it was erased."""

    @property
    def content(self) -> bytes | None:
        """What was recorded; None once erased."""
        ...

    @property
    def erased(self) -> bool:
        """Tell whether its other columns say that it was."""
        ...


def half_erased(event: Erasable, seed: bytes | None) -> StoreFault | None:
    """Return what was lost where it was not erased: erasing takes content and seed at once, and says so."""
    if event.content is None and seed is not None:
        return StoreFault(
            "content_lost", "the content is gone, and was not erased: its seed is still there"
        )
    if event.content is None and not event.erased:
        return StoreFault("content_lost", "content and seed are gone, and were not erased")
    if event.content is not None and seed is None:
        return StoreFault(
            "seed_lost", "the seed is gone, and was not erased: its content is still there"
        )
    return None


def require_sealed(connection: sqlite3.Connection, event: StoredEvent) -> None:
    """Compare an event's hashes with its entry in this node's log, if it has one there and was not erased.

    Raises:
        IntegrityError: the entry doesn't commit to them, or content or seed was lost (``content_corrupt``).
    """
    entry = load_entry(connection, event.entry_id)
    if entry is None and event.leaf_index is not None:
        raise IntegrityError(
            "content_corrupt",
            f"the entry 0x{event.entry_id.hex()} isn't where its event says",
            advice="the database was damaged or tampered with; restore a backup",
        )
    if entry is None:
        return
    lost = half_erased(event, entry.seed)
    if lost is not None:
        raise IntegrityError(
            "content_corrupt",
            f"of the entry 0x{event.entry_id.hex()}, {lost.reason}",
            advice="the database was damaged or tampered with; restore a backup",
        )
    if entry.seed is None:
        return
    found = _disclosed_root(event, entry.seed)
    if found is None or found != committed_root(entry):
        raise IntegrityError(
            "content_corrupt",
            f"the entry 0x{event.entry_id.hex()} doesn't commit to the hashes stored with it",
            advice="the database was damaged or tampered with; restore a backup",
        )


def _disclosed_root(event: StoredEvent, seed: bytes) -> bytes | None:
    content = require_content(event)
    try:
        return event_disclosure_root(
            seed, content, content_hash=event.content_hash, event_hash=event.event_hash
        )
    except InputError:  # of our own row: no fault of who asks
        return None


def committed_root(entry: StoredEntry) -> bytes | None:
    """Return the disclosure root in an entry's leaf; None if the leaf is damaged."""
    try:
        return parse_leaf(entry.leaf).entry.disclosure_root
    except InputError:
        return None


def require_committed(entry: StoredEntry, domain: Domain) -> tuple[Reference, ...]:
    """Return an entry's references after comparing leaf, references and item keys with its id.

    Raises:
        IntegrityError: one of them is not what the id commits to (``entry_damaged``).
    """
    try:
        leaf = parse_leaf(entry.leaf).entry
        references = parse_references(entry.refs)
        committed = (
            entry_id(leaf, domain) == entry.entry_id
            and references_root(references) == leaf.references_root
            and items_root(split_hashes(entry.item_keys)) == leaf.items_root
        )
    except InputError:  # of our own row: no fault of who asks
        committed = False
    if not committed:
        raise IntegrityError(
            "entry_damaged",
            f"the entry 0x{entry.entry_id.hex()} is not what was signed",
            advice="the database was damaged or tampered with; restore a backup",
        )
    return references


def require_included(entry: StoredEntry, coverage: Coverage, hashes: Sequence[bytes]) -> None:
    """Compare an inclusion proof with the checkpoint that was signed.

    Raises:
        IntegrityError: it doesn't lead there (``log_corrupt``).
    """
    head = TreeHead(coverage.tree_size, coverage.root_hash)
    try:
        verify_inclusion(head, entry.leaf_index, leaf_hash(entry.leaf), hashes)
    except VerificationError as error:
        raise IntegrityError(
            "log_corrupt",
            f"the stored log contradicts the checkpoint at {head.size}: {error.message}",
            advice="the database was damaged or tampered with; restore a backup",
        ) from error
