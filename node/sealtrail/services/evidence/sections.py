"""A bundle's sections from this node's store: its own log as a whole, others' entries as far as they were handed to it.

What is needed grows with what is found: a container is known only once the event is read that put the item into it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from sealtrail.custody import Recorded
from sealtrail.errors import UnavailableError
from sealtrail.evidence import EntryRecord, VerifiedEntry, Verifier, recorded_of
from sealtrail.evidence.bundle.answer import needed_items
from sealtrail.evidence.bundle.compose import (
    PlacedCheckpoint,
    path_section_lines,
    section_lines,
)
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.items import ItemProofLine, item_proof_line
from sealtrail.evidence.bundle.lines import LogLine, LogPlace
from sealtrail.evidence.bundle.sections import OTHER_MEDIA_TYPE
from sealtrail.evidence.wire import to_hex
from sealtrail.log.checkpoint import parse_note
from sealtrail.log.contradiction import own_note
from sealtrail.log.item_index import IndexHead, encode_index_document
from sealtrail.log.item_proof import verify_item_proof
from sealtrail.log.tree import split_hashes
from sealtrail.membership.records import Anchor
from sealtrail.services.answers.history import HistoryLimits, HistoryReader
from sealtrail.services.chain.network import FollowedNetwork
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.services.own_log.published_log import as_seen
from sealtrail.services.records import load_provable
from sealtrail.signing import EVENT_KINDS, Kind, genesis_document, item_key, parse_leaf
from sealtrail.store import chain
from sealtrail.store import item_index as stored_index
from sealtrail.store.events import load_by_entries
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, StoredEntry, load_leaves

ENTRIES_MAX = 20_000  # of one log, in the answer to a question about an item
ITEMS_MAX = 2_000  # the item, its classes and containers
_CHUNK = 200


class AnchoredNote(msgspec.Struct, frozen=True, kw_only=True):
    """A signed checkpoint and its anchor."""

    size: int
    note: str
    anchor: Anchor

    @property
    def checkpoint_hash(self) -> bytes:
        """Its hash, as anchored."""
        return self.anchor.checkpoint_hash


class OwnHistory(msgspec.Struct, frozen=True, kw_only=True):
    """What the own log has on an item: the entries by leaf index, the items that were followed, and their lists.

    ``checkpoints`` ascend; the last one's last leaf is the index entry that the lists are proven from.
    """

    entries: dict[int, EntryRecord]
    recorded: tuple[Recorded, ...]
    proofs: tuple[ItemProofLine, ...]
    checkpoints: tuple[AnchoredNote, ...]


class ForeignPart(msgspec.Struct, frozen=True, kw_only=True):
    """Entries of another member's log, proven each by itself to one anchored checkpoint."""

    member: bytes
    checkpoint: AnchoredNote
    records: tuple[EntryRecord, ...]
    item_salt: bytes | None


class SectionSource:
    """Reads sections from one node's store; used from reader threads."""

    def __init__(self, log: LogStore, identity: Identity, index: ItemIndexService) -> None:
        self._log = log
        self._identity = identity
        self._index = index

    # -- the own log -----------------------------------------------------------------------------------

    def checkpoints(self, connection: sqlite3.Connection, last_block: int) -> list[AnchoredNote]:
        """Return the own checkpoints that are anchored in ``last_block`` or before, ascending."""
        anchored = chain.anchored_checkpoints(connection, self._identity.member, last_block)
        return [
            AnchoredNote(size=size, note=note, anchor=anchor) for size, note, anchor in anchored
        ]

    def own_history(
        self,
        connection: sqlite3.Connection,
        item: str,
        others: Iterable[Recorded],
        *,
        view: FollowedNetwork,
        last_block: int,
        items: Iterable[str] = (),
    ) -> OwnHistory:
        """Return all that the own log has on an item, its classes and containers, up to its newest anchor.

        Args:
            others: what other members recorded of the item, as far as it is known.
            items: further ones whose lists are wanted.

        Raises:
            UnavailableError: nothing that ends with an index entry is anchored yet (``index_not_anchored``), or the
                item has too long a history (``history_too_long``).
        """
        checkpoints = self.checkpoints(connection, last_block)
        head = self._index_head(connection, checkpoints)
        verifier = Verifier(domain=self._identity.domain, network=view)
        others = tuple(others)
        own: dict[int, Recorded] = {}
        entries = self.records(connection, (0, head.covers))
        lists: dict[tuple[str, bool], ItemProofLine] = {}
        needed = {*needed_items(item, others), *((each, False) for each in items)}
        while needed - lists.keys():
            if len(needed) > ITEMS_MAX:
                raise _too_long(f"{len(needed)} items")
            for each, packs in sorted(needed - lists.keys()):
                line, indices = self._list(connection, each, packs, head)
                lists[each, packs] = line
                new = [n for n in indices if n not in entries]
                if len(entries) + len(new) > ENTRIES_MAX:
                    raise _too_long(f"more than {ENTRIES_MAX} entries")
                loaded = self.records(connection, new)
                entries.update(loaded)
                own.update(_recorded(loaded, verifier))
            needed |= needed_items(item, (*own.values(), *others))
        return OwnHistory(
            entries=entries,
            recorded=tuple(own[n] for n in sorted(own)),
            proofs=tuple(lists.values()),
            checkpoints=tuple(checkpoints),
        )

    def own_entries(
        self, connection: sqlite3.Connection, indices: Sequence[int], last_block: int
    ) -> OwnHistory:
        """Return entries of the own log as far as they are anchored in ``last_block`` or before, and no lists."""
        checkpoints = self.checkpoints(connection, last_block)
        size = checkpoints[-1].size if checkpoints else 0
        return OwnHistory(
            entries=self.records(connection, sorted(n for n in indices if n < size)),
            recorded=(),
            proofs=(),
            checkpoints=tuple(checkpoints),
        )

    def foreign_entries(
        self,
        connection: sqlite3.Connection,
        entry_ids: Sequence[bytes],
        *,
        view: FollowedNetwork,
        last_block: int,
    ) -> tuple[ForeignPart, ...]:
        """Return other members' entries, as far as they are anchored in ``last_block`` or before."""
        verifier = Verifier(domain=self._identity.domain, network=view)
        grouping = _Grouping(last_block)
        for at in range(0, len(entry_ids), _CHUNK):
            for provable in load_provable(
                connection,
                self._log,
                self._identity,
                entry_ids[at : at + _CHUNK],
                last_block=last_block,
            ):
                grouping.add(provable.record, verifier.verify(provable.record))
        return grouping.parts()

    def _index_head(
        self, connection: sqlite3.Connection, checkpoints: Sequence[AnchoredNote]
    ) -> IndexHead:
        head = stored_index.load_head(connection, checkpoints[-1].size - 1) if checkpoints else None
        if head is None:
            raise UnavailableError(
                "index_not_anchored",
                "no checkpoint that ends with an index entry is anchored yet",
                advice="ask again when what is recorded is anchored; see: sealtrail status",
            )
        return head

    def _list(
        self, connection: sqlite3.Connection, item: str, packs: bool, head: IndexHead
    ) -> tuple[ItemProofLine, tuple[int, ...]]:
        key = item_key(self._identity.item_salt, item, packs=packs)
        proof = self._index.prove_sync(connection, key, head)
        indices = verify_item_proof(head, key, proof)
        return item_proof_line(item, packs=packs, proof=proof), indices

    def records(
        self, connection: sqlite3.Connection, indices: Sequence[int]
    ) -> dict[int, EntryRecord]:
        """Return the own log's entries at those leaves, contents and all, without proofs."""
        found: dict[int, EntryRecord] = {}
        for at in range(0, len(indices), _CHUNK):
            entries = load_leaves(connection, indices[at : at + _CHUNK])
            events = load_by_entries(connection, [e.entry_id for e in entries.values()])
            for index, entry in sorted(entries.items()):
                event = events.get(entry.entry_id)
                content, media_type = self._other_content(connection, entry)
                if event is not None:
                    content, media_type = event.content, event.media_type
                found[index] = EntryRecord(
                    leaf=entry.leaf,
                    content=content,
                    media_type=media_type,
                    seed=entry.seed,
                    references=entry.refs,
                    item_keys=split_hashes(entry.item_keys),
                    item_salt=self._identity.item_salt,
                )
        return found

    def _other_content(
        self, connection: sqlite3.Connection, entry: StoredEntry
    ) -> tuple[bytes | None, str]:
        """Return the content of an entry that is about no event: it follows from what the node knows."""
        kind = parse_leaf(entry.leaf).entry.kind
        content = None
        if kind is Kind.GENESIS:
            identity = self._identity
            content = genesis_document(identity.domain, identity.member, identity.item_salt)
        elif kind is Kind.INDEX:
            head = stored_index.load_head(connection, entry.leaf_index)
            content = None if head is None else encode_index_document(head)
        elif kind is Kind.PADDING:
            content = b""
        return content, OTHER_MEDIA_TYPE

    def own_lines(
        self,
        connection: sqlite3.Connection,
        history: OwnHistory,
        places: dict[bytes, LogPlace],
        *,
        covered: bool = True,
    ) -> Iterator[AnyLine]:
        """Return the lines of the section of the own log.

        Args:
            covered: it is all that the log has on the question.
            places: by checkpoint hash, where its anchor's event stands.
        """
        node = self._log.nodes(connection)
        opening = LogLine(
            member=to_hex(self._identity.member),
            item_salt=to_hex(self._identity.item_salt),
            covered=covered,
        )
        checkpoints = placed_as_seen(connection, _used(history), places)
        return section_lines(opening, history.entries, checkpoints, node, history.proofs)

    # -- others' logs ----------------------------------------------------------------------------------

    def foreign_parts(
        self,
        connection: sqlite3.Connection,
        item: str,
        *,
        view: FollowedNetwork,
        last_block: int,
        limits: HistoryLimits,
    ) -> tuple[tuple[ForeignPart, ...], tuple[Recorded, ...]]:
        """Return what other members recorded of the item, as far as it is anchored and was handed to this node."""
        verifier = Verifier(domain=self._identity.domain, network=view)
        history = HistoryReader(
            connection, self._log, self._identity, verifier, limits, last_block=last_block
        ).gather(item)
        grouping = _Grouping(last_block)
        recorded = []
        for found in history.found.values():
            verified = found.verified
            if verified is None or found.recorded.member == self._identity.member:
                continue
            if grouping.add(found.record, verified) and verified.event is not None:
                recorded.append(recorded_of(verified))
        return grouping.parts(), tuple(recorded)


class _Grouping:
    """Groups other members' entries by the anchored checkpoint that each is proven to."""

    def __init__(self, last_block: int) -> None:
        self._last_block = last_block
        self._records: dict[tuple[bytes, str], list[EntryRecord]] = {}
        self._checkpoints: dict[tuple[bytes, str], AnchoredNote] = {}

    def add(self, record: EntryRecord, verified: VerifiedEntry) -> bool:
        """Take up an entry if it is anchored early enough; tell whether it is."""
        anchor, checkpoint, proof = verified.anchor, verified.checkpoint, record.proof
        if anchor is None or checkpoint is None or proof is None:
            return False
        if anchor.block_number > self._last_block:
            return False
        key = (verified.entry.member, proof.note)
        self._records.setdefault(key, []).append(record)
        self._checkpoints[key] = AnchoredNote(size=checkpoint.size, note=proof.note, anchor=anchor)
        return True

    def parts(self) -> tuple[ForeignPart, ...]:
        """Return the groups."""
        return tuple(
            ForeignPart(
                member=member,
                checkpoint=self._checkpoints[member, note],
                records=tuple(records),
                item_salt=next((r.item_salt for r in records if r.item_salt), None),
            )
            for (member, note), records in self._records.items()
        )


def foreign_lines(part: ForeignPart, places: dict[bytes, LogPlace]) -> Iterator[AnyLine]:
    """Yield the section of a part of another member's log.

    Of the note only the log's own signatures go in: whoever handed it over could have put wrong ones by others below
    it, and the bundle would not hold.
    """
    opening = LogLine(
        member=to_hex(part.member),
        item_salt=None if part.item_salt is None else to_hex(part.item_salt),
        paths=True,
    )
    signed = parse_note(part.checkpoint.note)
    note = own_note(signed, frozenset(each.key_id for each in signed.signatures))
    checkpoint = msgspec.structs.replace(part.checkpoint, note=note)
    return path_section_lines(opening, part.records, placed(checkpoint, places))


def placed(checkpoint: AnchoredNote, places: dict[bytes, LogPlace]) -> PlacedCheckpoint:
    """Return a checkpoint with the place of its anchor's event."""
    return PlacedCheckpoint(
        size=checkpoint.size,
        note=checkpoint.note,
        anchor=places[checkpoint.checkpoint_hash],
    )


def placed_as_seen(
    connection: sqlite3.Connection,
    checkpoints: Iterable[AnchoredNote],
    places: dict[bytes, LogPlace],
) -> list[PlacedCheckpoint]:
    """Return own checkpoints with the place of each anchor's event, and with what others signed below the notes."""
    return [
        placed(
            msgspec.structs.replace(
                each, note=as_seen(connection, each.note, each.checkpoint_hash)
            ),
            places,
        )
        for each in checkpoints
    ]


def anchors_used(history: OwnHistory) -> list[Anchor]:
    """Return the anchors that a section on the own log shows."""
    return [each.anchor for each in _used(history)]


def _used(history: OwnHistory) -> list[AnchoredNote]:
    """Return the checkpoints that are the first behind an entry, and the last."""
    indices = sorted(history.entries)
    used, at = [], 0
    for checkpoint in history.checkpoints:
        before = at
        while at < len(indices) and indices[at] < checkpoint.size:
            at += 1
        if at > before or checkpoint is history.checkpoints[-1]:
            used.append(checkpoint)
    return used


def _recorded(records: dict[int, EntryRecord], verifier: Verifier) -> dict[int, Recorded]:
    found = {}
    for index, record in records.items():
        verified = verifier.verify(record)
        if verified.entry.kind in EVENT_KINDS and verified.event is not None:
            found[index] = recorded_of(verified)
    return found


def _too_long(what: str) -> UnavailableError:
    return UnavailableError(
        "history_too_long",
        f"{what} have to do with it; one bundle takes at most {ITEMS_MAX} items and {ENTRIES_MAX} entries",
        advice="ask for a part of the log, or for an item that has less to do with others",
    )
