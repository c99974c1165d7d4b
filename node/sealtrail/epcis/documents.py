"""Documents of the JSON binding: EPCIS documents, query documents, bare events and lists of bare events.

A fault of the document refuses all of it; a fault of one event refuses that event and leaves the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import orjson

from sealtrail.epcis.ambiguity import Ambiguity
from sealtrail.epcis.bounds import Bounds, bounds_of
from sealtrail.epcis.content import (
    MEDIA_TYPE,
    effective_context,
    encode_content,
    encode_jcs,
    is_plain,
)
from sealtrail.epcis.context import Names, read_context
from sealtrail.epcis.division import Part, join
from sealtrail.epcis.envelope import Envelope, open_envelope
from sealtrail.epcis.events import AnyEvent
from sealtrail.epcis.extensions import Scope
from sealtrail.epcis.fields import located, refuse_type
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.masterdata import read_master_data
from sealtrail.epcis.mentions import items_of
from sealtrail.epcis.pre_hash import FrameText, frame_text, pre_hash_text
from sealtrail.epcis.reader import frame_of, read_event, read_frame
from sealtrail.epcis.records import Document, HashedEvent, PartialEvent, RecordedEvent
from sealtrail.epcis.strict_json import parse_json
from sealtrail.errors import InputError, UnsupportedMediaError

T = TypeVar("T")

_FRAMES_REMEMBERED = 64


def parse_document(data: bytes, *, limits: Limits = DEFAULT) -> Document:
    """Read a document and each of its events; nothing is fetched, nothing outside ``data`` matters.

    Raises:
        TooLargeError: ``document_too_large``, ``too_many_events``, ``too_many_values``, ``contexts_too_large``,
            ``too_many_elements``.
        InputError: what is wrong with the document itself, with the pointer of the field. What is wrong with one
            event, or one element of its master data, stands in its place instead.
    """
    envelope, source = _open(data, limits)
    # before the events: a document that is refused for it costs no reading of them
    master_data = tuple(read_master_data(envelope.vocabularies, envelope.context, limits))
    return Document(
        events=tuple(_each(envelope, source, _recorded)),
        type=envelope.type,
        context=envelope.context,
        schema_version=envelope.schema_version,
        creation_date=envelope.creation_date,
        vocabularies=envelope.vocabularies.listed,
        master_data=master_data,
    )


def hash_document(data: bytes, *, limits: Limits = DEFAULT) -> Iterator[HashedEvent | InputError]:
    """Read a document and yield the hashes of each of its events.

    For those who only hash: refuses what :func:`parse_document` refuses, as it does.

    Raises:
        TooLargeError, InputError: as :func:`parse_document`, before the first event.
    """
    envelope, source = _open(data, limits)
    return _each(envelope, source, _hashed)


def _open(data: bytes, limits: Limits) -> tuple[Envelope, _Source]:
    envelope = open_envelope(parse_json(data, octets_max=limits.document_bytes_max))
    bounds = bounds_of(data, envelope, limits)
    context = envelope.context
    names = _names(context) if context is not None else None
    frames: dict[bytes, _Frame] | None = {} if len(envelope.events) > 1 else None
    return envelope, _Source(context, names, bounds, frames)


def _names(*contexts: Any) -> Names:
    try:
        return read_context(*contexts)
    except InputError as error:
        raise located(error, "@context") from None


class _Frame(msgspec.Struct, frozen=True):
    """What events share that differ in times and identifiers alone: their other fields, read, and their text."""

    fields: dict[str, Any]
    text: FrameText
    plain: bool  # as encode_content has it


class _Source(msgspec.Struct, frozen=True):
    """What the events of a document are read with."""

    context: Any
    names: Names | None  # None if there is no context
    bounds: Bounds
    frames: dict[bytes, _Frame] | None  # those met so far; None if there is one event only


def _each(
    envelope: Envelope, source: _Source, read: Callable[[Any, _Source, str], T]
) -> Iterator[T | InputError]:
    for index, event in enumerate(envelope.events):
        pointer = f"{envelope.pointer}/{index}" if envelope.listed else envelope.pointer
        try:
            yield read(event, source, pointer)
        except InputError as error:
            error.pointer = pointer + (error.pointer or "")
            yield error


def _recorded(event: Any, source: _Source, pointer: str) -> RecordedEvent:
    value, content, text, doubts = _read(event, source)
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


def _hashed(event: Any, source: _Source, pointer: str) -> HashedEvent:
    _, content, text, doubts = _read(event, source)
    return HashedEvent(
        content=content,
        content_hash=hashlib.sha256(content).digest(),
        event_hash=hashlib.sha256(text.encode()).digest(),
        hash_ambiguous=doubts,
        pointer=pointer,
    )


def _read(event: Any, source: _Source) -> tuple[AnyEvent, bytes, str, str | None]:
    """Return an event's value, content and pre-hash text, and why the latter may be written otherwise."""
    if not isinstance(event, dict):
        raise refuse_type("an event", event)
    context, names, own = source.context, source.names, event.get("@context")
    if own is not None:
        names = _names(*(part for part in (context, own) if part is not None))
    elif names is None:
        raise located(
            InputError(
                "field_missing",
                "An event by itself needs an @context.",
                advice='Add "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"].',
            ),
            "@context",
        )
    source.bounds.require_event_fits(event)
    scope = Scope(names, source.bounds.limits.nesting_levels_max)
    plain = False
    if source.frames is None or own is not None:
        value = read_event(event, scope)
        text, doubts = pre_hash_text(event, names)
    else:
        frame = _frame(event, scope, source.frames, context)
        plain = frame.plain
        value = read_event(event, scope, frame.fields)
        text, doubts = pre_hash_text(event, names, frame.text)
    if own is not None and context is not None:
        doubts = f"{doubts},{Ambiguity.EVENT_CONTEXT}" if doubts else str(Ambiguity.EVENT_CONTEXT)
    content = encode_content(event, effective_context(context, own), plain=plain)
    source.bounds.require_content_fits(content)
    return value, content, text, doubts


def _frame(
    event: dict[str, Any], scope: Scope, frames: dict[bytes, _Frame], context: Any
) -> _Frame:
    """Return the event's frame, read once for all events of the document that have it."""
    shared = frame_of(event)
    encoded = orjson.dumps(shared)
    frame = frames.get(encoded)
    if frame is None:
        fields = read_frame(shared, scope)
        plain = is_plain([shared, context])
        frame = _Frame(fields, frame_text(shared, scope.names), plain)
        if len(frames) < _FRAMES_REMEMBERED:
            frames[encoded] = frame
    return frame


def read_content(content: bytes, media_type: str) -> RecordedEvent:
    """Read an event back from its content.

    ``hash_ambiguous`` tells of the content alone: whether a document had brought the ``@context`` is not in it.

    Raises:
        UnsupportedMediaError: ``media_type_unknown``.
        InputError: the content is no event, or not the canonical form of one (``content_not_canonical``).
    """
    _require_readable(media_type)
    tree = parse_json(content, octets_max=DEFAULT.content_bytes_max)
    envelope = Envelope(type="event", events=[tree], pointer="", listed=False)
    bounds = bounds_of(content, envelope, DEFAULT)
    recorded = _recorded(tree, _Source(None, None, bounds, None), "")
    if recorded.content != content:
        raise InputError(
            "content_not_canonical", "The content is not in canonical form (RFC 8785)."
        )
    return recorded


def _require_readable(media_type: str) -> None:
    if media_type != MEDIA_TYPE:
        raise UnsupportedMediaError(
            "media_type_unknown", f"Content of type {media_type[:100]!r} can't be read."
        )


def read_parts(
    parts: Mapping[Part, bytes], elements: Sequence[bytes], media_type: str = MEDIA_TYPE
) -> PartialEvent:
    """Read as much of an event as the given parts and elements show, the core among them.

    Raises:
        UnsupportedMediaError: ``media_type_unknown``.
        InputError: they are no parts of an event (``part_malformed``, or a code of :func:`parse_document`).
        TooLargeError: they are more than a content may be.
    """
    _require_readable(media_type)
    tree = join(parts, elements)
    if "@context" not in tree:
        raise InputError("part_malformed", "There is no @context: the core is missing.")
    content = encode_jcs(tree)
    bounds = bounds_of(
        content, Envelope(type="event", events=[tree], pointer="", listed=False), DEFAULT
    )
    bounds.require_content_fits(content)
    bounds.require_event_fits(tree)
    scope = Scope(_names(tree["@context"]), DEFAULT.nesting_levels_max)
    event = read_event(tree, scope, whole=False)
    return PartialEvent(event=event, items=items_of(event))


def pre_hash(content: bytes) -> str:
    """Return the text whose SHA-256 is the event hash of an event's content.

    Raises:
        InputError: the content is no event.
    """
    event = parse_json(content, octets_max=DEFAULT.content_bytes_max)
    if not isinstance(event, dict):
        raise refuse_type("an event", event)
    own = event.get("@context")
    names = read_context(*([own] if own is not None else []))
    read_event(event, Scope(names, DEFAULT.nesting_levels_max))
    return pre_hash_text(event, names)[0]


def event_hash_uri(digest: bytes) -> str:
    """Return the CBV 2.0 Event Hash ID of a 32-byte event hash (RFC 6920)."""
    return f"ni:///sha-256;{digest.hex()}?ver=CBV2.0"
