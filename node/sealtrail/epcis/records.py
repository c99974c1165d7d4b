"""What reading a document gives: each event as a value, in its recorded form, and what it names."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

from sealtrail.epcis.events import AnyEvent
from sealtrail.epcis.masterdata import VocabularyElement
from sealtrail.errors import InputError

Place: TypeAlias = Literal[
    "epc", "class", "parent", "input", "input_class", "output", "output_class", "lot"
]


class ItemMention(msgspec.Struct, frozen=True):
    """An item that an event names (its canonical identifier), and in which place."""

    item: str
    place: Place


class HashedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event's content and both hashes.

    ``content`` is what is sealed and kept; ``event_hash`` the 32 bytes of the CBV 2.0 hash;
    ``hash_ambiguous`` says why another implementation may come to another event hash (comma-separated reasons);
    ``pointer`` where the event stood in its document (RFC 6901).
    """

    content: bytes
    content_hash: bytes
    event_hash: bytes
    hash_ambiguous: str | None
    pointer: str = ""


class RecordedEvent(HashedEvent, frozen=True, kw_only=True):
    """One event as it is recorded: its value and the items it names beside content and hashes.

    ``form`` is the JSON form of one that came in XML; ``prefixes`` are those that its contexts define, with what each
    stands for.
    """

    event: AnyEvent
    items: tuple[ItemMention, ...]
    media_type: str
    form: dict[str, Any] | None = None
    prefixes: tuple[tuple[str, str], ...] = ()


class PartialEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What the parts of an event that were shown say of it: fields of the others are as if they weren't there.

    ``items`` are those that the shown parts name, which the whole event names too.
    """

    event: AnyEvent
    items: tuple[ItemMention, ...]


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as read: its events in order, and its master data; an ``InputError`` stands for what is refused.

    ``sender``, ``receiver`` and ``instance_identifier`` are as its header gives them; ``vocabularies`` is its
    master data in the shape of the JSON binding's ``vocabularyList``, and ``master_data`` the same, read.
    """

    events: tuple[RecordedEvent | InputError, ...]
    type: str
    context: Any = None  # the document's @context, as JSON
    schema_version: str | None = None
    creation_date: str | None = None
    sender: str | None = None
    receiver: str | None = None
    instance_identifier: str | None = None
    vocabularies: tuple[dict[str, Any], ...] = ()
    master_data: tuple[VocabularyElement | InputError, ...] = ()
