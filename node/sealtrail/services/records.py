"""Puts together what the verifier takes: entries, this node's own and others', with their contents and proofs.

What the store contradicts itself in is handed on as it is: the verifier then finds that it does not hold, and the
answer says so. A damaged row must neither crash an answer nor vanish from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

import msgspec

from sealtrail.errors import InputError, IntegrityError
from sealtrail.evidence import AnchorReference, EntryRecord, LogProof
from sealtrail.log.tree import inclusion_proof, split_hashes
from sealtrail.signing import Reference, parse_references
from sealtrail.store import foreign
from sealtrail.store.events import StoredEvent, load_by_entries
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, StoredEntry, load_entry, load_leaves

_NO_LEAF = b""  # no entry's bytes: what stands for an entry that is not where its event says


class AnchoredCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A checkpoint of the own log that the chain has, as far as it was followed."""

    tree_size: int
    note: str
    reference: AnchorReference


class Provable(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event, and its entry as the verifier takes it."""

    event: StoredEvent
    record: EntryRecord


def anchored_checkpoint(
    connection: sqlite3.Connection, member: bytes, leaf_index: int, last_block: int
) -> AnchoredCheckpoint | None:
    """Return the member's first checkpoint over that leaf which is anchored in ``last_block`` or before.

    The first: its anchor says since when the entry is known, and with which keys it is to be judged;
    a later one would make every entry look late, and a rotated key look wrong.
    """
    row = connection.execute(
        "SELECT tree_size, note, chain_anchor.sequence, block_number, transaction_hash"
        " FROM checkpoint JOIN chain_anchor USING (checkpoint_hash)"
        " WHERE checkpoint.member = ? AND tree_size > ?"
        " AND chain_anchor.member = checkpoint.member AND block_number <= ?"
        " ORDER BY tree_size LIMIT 1",
        (member, leaf_index, last_block),
    ).fetchone()
    if row is None:
        return None
    reference = AnchorReference(sequence=row[2], block_number=row[3], transaction_hash=row[4])
    return AnchoredCheckpoint(tree_size=row[0], note=row[1], reference=reference)


def load_provable(
    connection: sqlite3.Connection,
    log: LogStore,
    identity: Identity,
    entry_ids: Iterable[bytes],
    *,
    last_block: int,
) -> list[Provable]:
    """Return the events behind those entries, in the order asked for; unknown ones are left out.

    Own entries are proven to the first checkpoint over them that is anchored in ``last_block`` or before.
    Tiles of the log are kept for the length of the call: ask for some hundred entries at a time at most.
    """
    wanted = list(dict.fromkeys(entry_ids))
    events = load_by_entries(connection, wanted)
    own = _OwnRecords(
        connection,
        log,
        identity,
        [e.leaf_index for e in events.values() if e.leaf_index is not None],
        last_block=last_block,
    )
    others = _ForeignRecords(
        connection, [e.entry_id for e in events.values() if e.leaf_index is None]
    )
    found = []
    for entry_id in wanted:
        event = events.get(entry_id)
        if event is None:
            continue
        record = others.record(event) if event.leaf_index is None else own.record(event)
        found.append(Provable(event=event, record=record))
    return found


def stored_references(connection: sqlite3.Connection, event: StoredEvent) -> tuple[Reference, ...]:
    """Return the entries that an event's entry refers to; none if they can't be read.

    Not verified: who rests on them verifies the entry, and finds that unreadable ones don't hold.
    """
    if event.leaf_index is None:
        entries = foreign.load_entries(connection, [event.entry_id])
        refs = entries[event.entry_id].refs if entries else b""
    else:
        entry = load_entry(connection, event.entry_id)
        refs = b"" if entry is None else entry.refs
    try:
        return parse_references(refs)
    except InputError:
        return ()


class _OwnRecords:
    def __init__(
        self,
        connection: sqlite3.Connection,
        log: LogStore,
        identity: Identity,
        leaf_indices: list[int],
        *,
        last_block: int,
    ) -> None:
        self._connection = connection
        self._entries = load_leaves(connection, leaf_indices)
        self._checkpoints: list[tuple[int, AnchoredCheckpoint]] = []
        self._salt = identity.item_salt
        self._member = identity.member
        self._last_block = last_block
        self._node = log.nodes(
            connection
        )  # shared: proofs of one log have most of their tiles in common

    def record(self, event: StoredEvent) -> EntryRecord:
        entry = self._entry(event)
        if entry is None:
            return _without_entry(event)
        return EntryRecord(
            leaf=entry.leaf,
            content=event.content,
            media_type=event.media_type,
            seed=entry.seed,
            references=entry.refs,
            item_keys=split_hashes(entry.item_keys),
            item_salt=self._salt,
            proof=self._proof(entry),
        )

    def _entry(self, event: StoredEvent) -> StoredEntry | None:
        """Return the entry at the event's leaf; the verifier compares its id with the event's."""
        at_leaf = None if event.leaf_index is None else self._entries.get(event.leaf_index)
        return at_leaf or load_entry(self._connection, event.entry_id)

    def _proof(self, entry: StoredEntry) -> LogProof | None:
        checkpoint = self._checkpoint(entry.leaf_index)
        if checkpoint is None:
            return None
        try:
            hashes = inclusion_proof(entry.leaf_index, checkpoint.tree_size, self._node)
        except (InputError, IntegrityError):
            hashes = []  # sizes or tiles are damaged: no hashes lead nowhere
        return LogProof(
            leaf_index=entry.leaf_index,
            note=checkpoint.note,
            hashes=tuple(hashes),
            anchor=checkpoint.reference,
        )

    def _checkpoint(self, leaf_index: int) -> AnchoredCheckpoint | None:
        for first, known in self._checkpoints:
            if first <= leaf_index < known.tree_size:  # none that is smaller is over `first`
                return known
        found = anchored_checkpoint(self._connection, self._member, leaf_index, self._last_block)
        if found is not None:
            self._checkpoints.append((leaf_index, found))
        return found


class _ForeignRecords:
    def __init__(self, connection: sqlite3.Connection, entry_ids: list[bytes]) -> None:
        self._entries = foreign.load_entries(connection, entry_ids)
        proofs = [e.proof.checkpoint_hash for e in self._entries.values() if e.proof]
        self._notes = foreign.load_notes(connection, proofs)
        self._references = _references(connection, proofs)

    def record(self, event: StoredEvent) -> EntryRecord:
        entry = self._entries.get(event.entry_id)
        if entry is None:
            return _without_entry(event)
        return EntryRecord(
            leaf=entry.leaf,
            content=event.content,
            media_type=event.media_type,
            seed=entry.seed,
            references=entry.refs,
            item_keys=split_hashes(entry.item_keys),
            item_salt=entry.item_salt,
            proof=self._proof(entry.proof),
        )

    def _proof(self, proof: foreign.ForeignProof | None) -> LogProof | None:
        if proof is None or proof.checkpoint_hash not in self._notes:
            return None
        return LogProof(
            leaf_index=proof.leaf_index,
            note=self._notes[proof.checkpoint_hash],
            hashes=split_hashes(proof.hashes),
            anchor=self._references.get(proof.checkpoint_hash),
        )


def _without_entry(event: StoredEvent) -> EntryRecord:
    return EntryRecord(leaf=_NO_LEAF, content=event.content, media_type=event.media_type, seed=None)


def _references(
    connection: sqlite3.Connection, checkpoint_hashes: Iterable[bytes]
) -> dict[bytes, AnchorReference]:
    found = {}
    for checkpoint_hash in set(checkpoint_hashes):
        row = connection.execute(
            "SELECT sequence, block_number, transaction_hash FROM chain_anchor"
            " WHERE checkpoint_hash = ?",
            (checkpoint_hash,),
        ).fetchone()
        if row is not None:
            found[checkpoint_hash] = AnchorReference(
                sequence=row[0], block_number=row[1], transaction_hash=row[2]
            )
    return found
