"""From a document to what is signed and stored: all that needs no look at the database.

An event without references is signed here, outside the one writer thread. An error declaration refers to
an entry that only the writer can name, and is signed there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from sealtrail.epcis import (
    MEDIA_TYPE,
    Limits,
    RecordedEvent,
    event_hash_uri,
    parse_document,
)
from sealtrail.epcis.events import type_name
from sealtrail.epcis.fields import read_time
from sealtrail.epcis.masterdata import VocabularyElement
from sealtrail.epcis.query import index_of
from sealtrail.errors import InputError
from sealtrail.log.tree import split_hashes
from sealtrail.signing import (
    SEED_BYTES,
    Domain,
    Entry,
    EventSigner,
    Kind,
    Reference,
    SignedEntry,
    encode_leaf,
    encode_references,
    entry_id,
    event_disclosure_root,
    item_keys,
    items_root,
    references_root,
)
from sealtrail.store.contents import encode_content
from sealtrail.store.events import NewEvent
from sealtrail.store.log import NewEntry


class Body(msgspec.Struct, frozen=True, array_like=True):
    """A document as it came: its bytes, and what its media type says of them."""

    data: bytes
    media_type: str = MEDIA_TYPE
    charset: str | None = None


class Draft(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """An event on its way into the log. Plain values throughout: it may come from another process.

    ``entry`` is None until its references are known; ``item_keys`` are sorted and joined; ``given_id`` tells
    whether the event brought its id; ``pointer`` is where the event stood in its document.
    """

    event: NewEvent
    entry: NewEntry | None
    kind: Kind
    seed: bytes
    disclosure_root: bytes
    item_keys: bytes
    given_id: bool
    pointer: str

    @property
    def event_id(self) -> str:
        """The event's id: as recorded, else its event hash, which identifies it without one."""
        kept = self.event.event_id
        return event_hash_uri(self.event.event_hash) if kept is None else kept


class DocumentHead(msgspec.Struct, frozen=True, array_like=True):
    """What a document says of itself: who sent it to whom, under which number, as far as it does."""

    sender: str | None = None
    receiver: str | None = None
    instance_identifier: str | None = None


class Drafted(msgspec.Struct, frozen=True):
    """A document as drafted: its events in order, and its master data; an ``InputError`` is why one is refused.

    ``created_ms`` is when the document says that it was made, which is asked for its master data only.
    """

    head: DocumentHead
    events: Sequence[Draft | InputError]
    master_data: Sequence[VocabularyElement | InputError] = ()
    created_ms: int | None = None


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

    def draft_document(
        self, body: Body, *, kind: Kind, record_time_ms: int, limits: Limits
    ) -> Drafted:
        """Read a document and return a draft for each of its events, in order, or why it is refused.

        Raises:
            InputError: the document itself can't be read.
        """
        document = parse_document(
            body.data, media_type=body.media_type, charset=body.charset, limits=limits
        )
        events, created = document.events, document.creation_date
        drafts = iter(
            self.draft(
                [e for e in events if isinstance(e, RecordedEvent)],
                kind=kind,
                record_time_ms=record_time_ms,
            )
        )
        return Drafted(
            DocumentHead(document.sender, document.receiver, document.instance_identifier),
            [e if isinstance(e, InputError) else next(drafts) for e in events],
            document.master_data,
            _moment_ms(created) if created and document.master_data else None,
        )

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
        keys = item_keys(self._item_salt, recorded.items)
        event = event_row(
            recorded,
            member=self.member,
            content=encode_content(recorded.content),
            record_time_ms=record_time_ms,
        )
        root = event_disclosure_root(
            seed,
            recorded.content,
            content_hash=recorded.content_hash,
            event_hash=recorded.event_hash,
            form=recorded.form,
        )
        given = recorded.event.event_id is not None
        draft = Draft(event, None, kind, seed, root, b"".join(keys), given, recorded.pointer)
        if event.is_declaration:
            return draft
        return msgspec.structs.replace(draft, entry=self._sign(draft, keys, ()))

    def sign(self, draft: Draft, references: Sequence[Reference]) -> NewEntry:
        """Return the signed entry of a draft with these references."""
        return self._sign(draft, split_hashes(draft.item_keys), references)

    def _sign(
        self, draft: Draft, item_keys: Sequence[bytes], references: Sequence[Reference]
    ) -> NewEntry:
        entry = Entry(
            kind=draft.kind,
            member=self.member,
            record_time_ms=draft.event.record_time_ms,
            disclosure_root=draft.disclosure_root,
            items_root=items_root(item_keys),
            references_root=references_root(references),
        )
        digest = entry_id(entry, self.domain)
        return NewEntry(
            digest,
            encode_leaf(SignedEntry(entry, self._signer.sign(digest))),
            draft.seed,
            encode_references(references),
            draft.item_keys,
        )


def _moment_ms(text: str) -> int | None:
    """Return a time that a document gives of itself; None if it is none of ours. In XML it may lack an offset."""
    for spelt in (text, text + "Z"):
        try:
            return read_time(spelt).epoch_us // 1000
        except InputError:
            continue
    return None


def event_row(
    recorded: RecordedEvent, *, member: bytes, content: bytes, record_time_ms: int
) -> NewEvent:
    """Return the row of an event that ``member`` recorded; ``content`` in the form in which it is kept."""
    event = recorded.event
    own_uri = event.event_id is None or event.event_id == event_hash_uri(recorded.event_hash)
    index = index_of(event, recorded.items)
    return NewEvent(
        member,
        recorded.media_type,
        content,
        recorded.content_hash,
        recorded.event_hash,
        None if own_uri else event.event_id,
        event.error_declaration is not None,
        recorded.hash_ambiguous,
        type_name(event),
        getattr(event, "action", None),  # a TransformationEvent has none
        event.biz_step,
        event.disposition,
        event.read_point,
        event.biz_location,
        event.event_time.epoch_us,
        record_time_ms,
        [(mention.item, mention.place) for mention in recorded.items],
        list(index.terms),
        list(index.values),
        list(recorded.prefixes),
    )
