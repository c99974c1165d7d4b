"""From a parsed event to what is signed and stored: all that needs no look at the database.

An event without references is signed here, outside the one writer thread. An error declaration refers to
an entry that only the writer can name, and is signed there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sealtrail.epcis import RecordedEvent, event_hash_uri
from sealtrail.signing import (
    SEED_BYTES,
    Domain,
    Entry,
    EventSigner,
    Kind,
    Reference,
    SignedEntry,
    disclosure_root,
    encode_leaf,
    encode_references,
    entry_id,
    item_key,
    items_root,
    references_root,
)
from sealtrail.store.events import NewEvent
from sealtrail.store.log import NewEntry


class Draft(msgspec.Struct, frozen=True):
    """An event on its way into the log; ``entry`` is None until its references are known."""

    recorded: RecordedEvent
    event_id: str
    kind: Kind
    record_time_ms: int
    seed: bytes
    item_keys: tuple[bytes, ...]
    entry: NewEntry | None


class Drafter:
    """Makes drafts and signs them for one member; safe to use from several threads.

    Args:
        item_salt: the log's 32 secret bytes behind its item keys.
        random: gives that many random bytes, fit for secrets.
    """

    def __init__(
        self,
        *,
        domain: Domain,
        member: bytes,
        item_salt: bytes,
        signer: EventSigner,
        random: Callable[[int], bytes],
    ) -> None:
        self.domain = domain
        self.member = member
        self._item_salt = item_salt
        self._signer = signer
        self._random = random

    def draft(
        self, recorded: Sequence[RecordedEvent], *, kind: Kind, record_time_ms: int
    ) -> list[Draft]:
        """Return a draft for each event, signed unless it is an error declaration."""
        seeds = self._random(SEED_BYTES * len(recorded))
        return [
            self._draft(each, kind, record_time_ms, seeds[n * SEED_BYTES : (n + 1) * SEED_BYTES])
            for n, each in enumerate(recorded)
        ]

    def _draft(
        self, recorded: RecordedEvent, kind: Kind, record_time_ms: int, seed: bytes
    ) -> Draft:
        salt = self._item_salt
        keys = tuple(sorted({item_key(salt, mention.item) for mention in recorded.items}))
        event_id = recorded_event_id(recorded)
        draft = Draft(recorded, event_id, kind, record_time_ms, seed, keys, None)
        if recorded.event.error_declaration is not None:
            return draft
        entry = self.sign(draft, ())
        return Draft(recorded, event_id, kind, record_time_ms, seed, keys, entry)

    def sign(self, draft: Draft, references: Sequence[Reference]) -> NewEntry:
        """Return the signed entry of a draft with these references."""
        recorded = draft.recorded
        entry = Entry(
            kind=draft.kind,
            member=self.member,
            record_time_ms=draft.record_time_ms,
            disclosure_root=disclosure_root(
                draft.seed, (recorded.content_hash, recorded.event_hash)
            ),
            items_root=items_root(draft.item_keys),
            references_root=references_root(references),
        )
        digest = entry_id(entry, self.domain)
        return NewEntry(
            digest,
            encode_leaf(SignedEntry(entry, self._signer.sign(digest))),
            draft.seed,
            encode_references(references),
            b"".join(draft.item_keys),
        )


def new_event(draft: Draft, entry: NewEntry, *, member: bytes, leaf_index: int) -> NewEvent:
    """Return the row of a draft that stands in the log as ``entry`` at ``leaf_index``."""
    return event_row(
        draft.recorded,
        member=member,
        entry_id=entry.entry_id,
        leaf_index=leaf_index,
        record_time_ms=draft.record_time_ms,
    )


def recorded_event_id(recorded: RecordedEvent) -> str:
    """Return the event's id as recorded, else its event hash, which identifies it without one."""
    event_id = recorded.event.event_id
    return event_hash_uri(recorded.event_hash) if event_id is None else event_id


def event_row(
    recorded: RecordedEvent,
    *,
    member: bytes,
    entry_id: bytes,
    leaf_index: int | None,
    record_time_ms: int,
) -> NewEvent:
    """Return the row of an event that ``member`` recorded as that entry; no leaf index in another's log."""
    event = recorded.event
    return NewEvent(
        member,
        entry_id,
        leaf_index,
        recorded.media_type,
        recorded.content,
        recorded.content_hash,
        recorded.event_hash,
        recorded_event_id(recorded),
        event.error_declaration is not None,
        recorded.hash_ambiguous,
        type(event).__name__,
        getattr(event, "action", None),  # a TransformationEvent has none
        event.biz_step,
        event.disposition,
        event.read_point,
        event.biz_location,
        event.event_time.epoch_us,
        record_time_ms,
        [(mention.item, mention.place) for mention in recorded.items],
    )
