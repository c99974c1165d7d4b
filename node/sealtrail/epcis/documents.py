"""Documents of the JSON binding: EPCIS documents, query documents, bare events and lists of bare events.

A fault of the document refuses all of it; a fault of one event refuses that event and leaves the others.
"""

from __future__ import annotations

import hashlib
from typing import Any

from sealtrail.epcis.ambiguity import Ambiguity
from sealtrail.epcis.content import MEDIA_TYPE, effective_context, encode_content
from sealtrail.epcis.context import Names, read_context
from sealtrail.epcis.envelope import open_envelope
from sealtrail.epcis.extensions import Scope
from sealtrail.epcis.fields import located, refuse_type
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.mentions import items_of
from sealtrail.epcis.pre_hash import pre_hash_text
from sealtrail.epcis.reader import read_event
from sealtrail.epcis.records import Document, RecordedEvent
from sealtrail.epcis.strict_json import parse_json
from sealtrail.errors import InputError, TooLargeError, UnsupportedMediaError

_ITEM_LISTS = frozenset((
    "epcList", "quantityList", "childEPCs", "childQuantityList", "inputEPCList", "inputQuantityList",
    "outputEPCList", "outputQuantityList",
))  # fmt: skip


def parse_document(data: bytes, *, limits: Limits = DEFAULT) -> Document:
    """Read a document and each of its events; nothing is fetched, nothing outside ``data`` matters.

    Raises:
        TooLargeError: ``document_too_large``, ``too_many_events``.
        InputError: what is wrong with the document itself, with the pointer of the field. What is wrong with one
            event stands in its place in ``Document.events`` instead.
    """
    tree = parse_json(data, octets_max=limits.document_bytes_max)
    envelope = open_envelope(tree)
    if len(envelope.events) > limits.events_count_max:
        raise TooLargeError(
            "too_many_events",
            f"The document has {len(envelope.events)} events; {limits.events_count_max} are allowed.",
        )
    try:
        names = read_context(envelope.context) if envelope.context is not None else None
    except InputError as error:
        raise located(error, "@context") from None
    events = [
        _read(event, f"{envelope.pointer}/{index}" if envelope.listed else envelope.pointer,
              envelope.context, names, limits)
        for index, event in enumerate(envelope.events)
    ]  # fmt: skip
    return Document(
        events=tuple(events),
        type=envelope.type,
        context=envelope.context,
        schema_version=envelope.schema_version,
        creation_date=envelope.creation_date,
    )


def _read(
    event: Any, pointer: str, context: Any, names: Names | None, limits: Limits
) -> RecordedEvent | InputError:
    try:
        return _recorded(event, pointer, context, names, limits)
    except InputError as error:
        error.pointer = pointer + (error.pointer or "")
        return error


def _recorded(
    event: Any, pointer: str, context: Any, names: Names | None, limits: Limits
) -> RecordedEvent:
    if not isinstance(event, dict):
        raise refuse_type("an event", event)
    own = event.get("@context")
    if own is not None or names is None:
        if own is None:
            raise located(
                InputError(
                    "field_missing",
                    "An event by itself needs an @context.",
                    advice='Add "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"].',
                ),
                "@context",
            )
        try:
            names = read_context(*(part for part in (context, own) if part is not None))
        except InputError as error:
            raise located(error, "@context") from None
    _require_items_fit(event, limits)
    value = read_event(event, Scope(names, limits.nesting_levels_max))
    text, doubts = pre_hash_text(event, names)
    if own is not None and context is not None:
        doubts = f"{doubts},{Ambiguity.EVENT_CONTEXT}" if doubts else str(Ambiguity.EVENT_CONTEXT)
    content = encode_content(event, effective_context(context, own))
    return RecordedEvent(
        event=value,
        content=content,
        content_hash=hashlib.sha256(content).digest(),
        event_hash=hashlib.sha256(text.encode()).digest(),
        hash_ambiguous=doubts,
        items=items_of(value),
        media_type=MEDIA_TYPE,
        pointer=pointer,
    )


def _require_items_fit(event: dict[str, Any], limits: Limits) -> None:
    count = 0
    for key in _ITEM_LISTS.intersection(event):
        listed = event[key]
        if isinstance(listed, list):
            count += len(listed)
    if count > limits.items_count_max:
        raise TooLargeError(
            "too_many_items",
            f"The event names {count} EPCs and classes; {limits.items_count_max} are allowed.",
        )


def read_content(content: bytes, media_type: str) -> RecordedEvent:
    """Read an event back from its content.

    ``hash_ambiguous`` tells of the content alone: whether a document had brought the ``@context`` is not in it.

    Raises:
        UnsupportedMediaError: ``media_type_unknown``.
        InputError: the content is no event, or not the canonical form of one (``content_not_canonical``).
    """
    if media_type != MEDIA_TYPE:
        raise UnsupportedMediaError(
            "media_type_unknown", f"Content of type {media_type[:100]!r} can't be read."
        )
    limits = DEFAULT
    tree = parse_json(content, octets_max=limits.document_bytes_max)
    recorded = _recorded(tree, "", None, None, limits)
    if recorded.content != content:
        raise InputError(
            "content_not_canonical", "The content is not in canonical form (RFC 8785)."
        )
    return recorded


def pre_hash(content: bytes) -> str:
    """Return the text whose SHA-256 is the event hash of an event's content.

    Raises:
        InputError: the content is no event.
    """
    event = parse_json(content, octets_max=DEFAULT.document_bytes_max)
    if not isinstance(event, dict):
        raise refuse_type("an event", event)
    own = event.get("@context")
    names = read_context(*([own] if own is not None else []))
    read_event(event, Scope(names, DEFAULT.nesting_levels_max))
    return pre_hash_text(event, names)[0]


def event_hash_uri(digest: bytes) -> str:
    """Return the CBV 2.0 Event Hash ID of a 32-byte event hash (RFC 6920)."""
    return f"ni:///sha-256;{digest.hex()}?ver=CBV2.0"
