"""Documents of both bindings: EPCIS documents, query documents, bare events and lists of bare events.

What came in XML is read in its JSON form (:mod:`sealtrail.epcis.xml`) by the same code as what came in JSON.
A fault of the document refuses all of it; a fault of one event refuses that event and leaves the others.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

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
from sealtrail.epcis.context import PREFIXES_MAX, Names, names_in_force, read_context
from sealtrail.epcis.division import Part, join
from sealtrail.epcis.envelope import Envelope, open_envelope
from sealtrail.epcis.events import AnyEvent
from sealtrail.epcis.extensions import Scope, namespaces_used
from sealtrail.epcis.fields import located, refuse_type
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.masterdata import in_json_form, read_master_data
from sealtrail.epcis.mentions import items_of
from sealtrail.epcis.pre_hash import FrameText, frame_text, pre_hash_text
from sealtrail.epcis.reader import frame_of, read_event, read_frame
from sealtrail.epcis.records import Document, HashedEvent, PartialEvent, RecordedEvent
from sealtrail.epcis.strict_json import parse_json
from sealtrail.epcis.xml import (
    XML_MEDIA_TYPE,
    XmlDocument,
    XmlEvent,
    locate,
    open_xml,
    read_event_content,
)
from sealtrail.errors import InputError, UnsupportedMediaError

T = TypeVar("T")
# an event's value, content and pre-hash text, why the latter may be written otherwise, and the names in force
_Read: TypeAlias = tuple[AnyEvent, bytes, str, str | None, Names]

XML_MEDIA_TYPES = frozenset((XML_MEDIA_TYPE, "text/xml"))
"""Media types that documents in XML come with; content is kept as the first."""
_FRAMES_REMEMBERED = 64


def parse_document(
    data: bytes,
    *,
    media_type: str = MEDIA_TYPE,
    charset: str | None = None,
    limits: Limits = DEFAULT,
) -> Document:
    """Read a document and each of its events; nothing is fetched, nothing outside ``data`` matters.

    Args:
        media_type: ``application/xml`` or ``text/xml``; any other is read as JSON.
        charset: of the media type, if it had one; only XML may be in another than UTF-8.

    Raises:
        TooLargeError: ``document_too_large``, ``too_many_events``, ``too_many_values``, ``contexts_too_large``,
            ``too_many_elements``.
        InputError: what is wrong with the document itself, with the pointer of the field. What is wrong with one
            event, or one element of its master data, stands in its place instead.
    """
    if media_type in XML_MEDIA_TYPES:
        return _xml_document(open_xml(data, charset=charset, limits=limits), limits)
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
        sender=envelope.sender,
        receiver=envelope.receiver,
        instance_identifier=envelope.instance_identifier,
    )


def _xml_document(document: XmlDocument, limits: Limits) -> Document:
    header = document.header
    master_data = tuple(read_master_data(in_json_form(header.vocabularies), None, limits))
    return Document(
        events=tuple(_each_xml(document, limits, _recorded_xml)),
        type=document.type,
        schema_version=document.schema_version,
        creation_date=document.creation_date,
        sender=header.sender,
        receiver=header.receiver,
        instance_identifier=header.instance_identifier,
        vocabularies=header.vocabularies,
        master_data=master_data,
    )


def detect_media_type(data: bytes) -> str:
    """Return the media type that a document without one is of: XML if it begins with ``<``, else JSON."""
    head = data[:1024].removeprefix(codecs.BOM_UTF8).lstrip()
    utf16 = head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return XML_MEDIA_TYPE if utf16 or head.startswith(b"<") else MEDIA_TYPE


def hash_document(
    data: bytes, *, media_type: str = MEDIA_TYPE, limits: Limits = DEFAULT
) -> Iterator[HashedEvent | InputError]:
    """Read a document and yield the hashes of each of its events.

    For those who only hash: refuses what :func:`parse_document` refuses, as it does.

    Raises:
        TooLargeError, InputError: as :func:`parse_document`, before the first event.
    """
    if media_type in XML_MEDIA_TYPES:
        return _each_xml(open_xml(data, limits=limits), limits, _hashed_xml)
    envelope, source = _open(data, limits)
    return _each(envelope, source, _hashed)


def _open(data: bytes, limits: Limits) -> tuple[Envelope, _Source]:
    envelope = open_envelope(parse_json(data, octets_max=limits.document_bytes_max))
    bounds = bounds_of(data, envelope, limits)
    context = envelope.context
    names = names_in_force(context) if context is not None else None
    frames: dict[bytes, _Frame] | None = {} if len(envelope.events) > 1 else None
    return envelope, _Source(context, names, bounds, frames)


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
    return _record(_read(event, source), MEDIA_TYPE, pointer)


def _record(
    read: _Read, media_type: str, pointer: str, form: dict[str, Any] | None = None
) -> RecordedEvent:
    value, content, text, doubts, names = read
    return RecordedEvent(
        event=value,
        content=content,
        content_hash=hashlib.sha256(content).digest(),
        event_hash=hashlib.sha256(text.encode()).digest(),
        hash_ambiguous=doubts,
        items=items_of(value),
        media_type=media_type,
        pointer=pointer,
        form=form,
        prefixes=names.defined + _unresolved(value, names),
    )


def _unresolved(value: AnyEvent, names: Names) -> tuple[tuple[str, str], ...]:
    """Return the prefixes that an event uses and only a context elsewhere may define, each as its own namespace."""
    if not names.elsewhere:
        return ()
    prefixes = [n[:-1] for n in namespaces_used(value) if n.find(":") == len(n) - 1 > 0]
    unresolved = sorted(prefix for prefix in prefixes if names.is_unresolved(f"{prefix}:"))
    return tuple((prefix, f"{prefix}:") for prefix in unresolved[:PREFIXES_MAX])


def _hashed(event: Any, source: _Source, pointer: str) -> HashedEvent:
    return _hash(_read(event, source), pointer)


def _hash(read: _Read, pointer: str) -> HashedEvent:
    _, content, text, doubts, _ = read
    return HashedEvent(
        content=content,
        content_hash=hashlib.sha256(content).digest(),
        event_hash=hashlib.sha256(text.encode()).digest(),
        hash_ambiguous=doubts,
        pointer=pointer,
    )


def _read(event: Any, source: _Source) -> _Read:
    """Return an event's value, content and pre-hash text, and why the latter may be written otherwise."""
    if not isinstance(event, dict):
        raise refuse_type("an event", event)
    context, names, own = source.context, source.names, event.get("@context")
    if own is not None:
        names = names_in_force(*(part for part in (context, own) if part is not None))
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
    frame = _frame(event, scope, source) if own is None else None
    value, text, doubts = _value_and_text(event, scope, frame)
    if own is not None and context is not None:
        doubts = f"{doubts},{Ambiguity.EVENT_CONTEXT}" if doubts else str(Ambiguity.EVENT_CONTEXT)
    plain = frame is not None and frame.plain
    content = encode_content(event, effective_context(context, own), plain=plain)
    source.bounds.require_content_fits(content)
    return value, content, text, doubts, names


def _value_and_text(
    event: dict[str, Any], scope: Scope, frame: _Frame | None
) -> tuple[AnyEvent, str, str | None]:
    """Return an event's value and pre-hash text, and why the latter may be written otherwise."""
    fields, shared_text = (None, None) if frame is None else (frame.fields, frame.text)
    value = read_event(event, scope, fields)
    text, doubts = pre_hash_text(event, scope.names, shared_text)
    return value, text, doubts


def _frame(event: dict[str, Any], scope: Scope, source: _Source) -> _Frame | None:
    """Return the event's frame, read once for all events of the document that have it; None if there is one event."""
    if source.frames is None:
        return None
    shared = frame_of(event)
    encoded = orjson.dumps(shared)
    frame = source.frames.get(encoded)
    if frame is None:
        fields = read_frame(shared, scope)
        plain = is_plain([shared, source.context])
        frame = _Frame(fields, frame_text(shared, scope.names), plain)
        if len(source.frames) < _FRAMES_REMEMBERED:
            source.frames[encoded] = frame
    return frame


def _each_xml(
    document: XmlDocument,
    limits: Limits,
    read: Callable[[XmlEvent, _Source, str], T],
) -> Iterator[T | InputError]:
    many = document.values > limits.items_count_max
    bounds = Bounds(limits, items=many, values=document.values > limits.event_values_max)
    frames: dict[bytes, _Frame] | None = {} if len(document.events) > 1 else None
    source = _Source(None, None, bounds, frames)
    for event, path in document.forms(limits):
        if isinstance(event, InputError):
            yield event
            continue
        try:
            yield read(event, source, path)
        except InputError as error:
            error.pointer = path + (locate(error, event).pointer or "")
            yield error


def _recorded_xml(event: XmlEvent, source: _Source, pointer: str) -> RecordedEvent:
    read = _read_xml(event, source)
    event.form.pop("recordTime", None)  # as the content has it
    return _record(read, XML_MEDIA_TYPE, pointer, event.form)


def _hashed_xml(event: XmlEvent, source: _Source, pointer: str) -> HashedEvent:
    return _hash(_read_xml(event, source), pointer)


def _read_xml(event: XmlEvent, source: _Source) -> _Read:
    """Do for an event that came in XML what :func:`_read` does: by its JSON form, but for its content."""
    form = event.form
    names = names_in_force(form["@context"])
    source.bounds.require_event_fits(form)
    scope = Scope(names, source.bounds.limits.nesting_levels_max)
    value, text, doubts = _value_and_text(form, scope, _frame(form, scope, source))
    content = event.content()
    source.bounds.require_content_fits(content)
    return value, content, text, doubts, names


def read_content(content: bytes, media_type: str) -> RecordedEvent:
    """Read an event back from its content.

    ``hash_ambiguous`` tells of the content alone: whether a document had brought the ``@context`` is not in it.

    Raises:
        UnsupportedMediaError: ``media_type_unknown``.
        InputError: the content is no event, or not the canonical form of one (``content_not_canonical``).
    """
    if media_type == XML_MEDIA_TYPE:
        return _read_xml_content(content)
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


def _read_xml_content(content: bytes) -> RecordedEvent:
    event = read_event_content(content)
    bounds = Bounds(DEFAULT, items=True, values=True)
    try:
        return _recorded_xml(event, _Source(None, None, bounds, None), "")
    except InputError as error:
        raise locate(error, event) from None


def _require_readable(media_type: str) -> None:
    if media_type not in (MEDIA_TYPE, XML_MEDIA_TYPE):
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
    scope = Scope(names_in_force(tree["@context"]), DEFAULT.nesting_levels_max)
    event = read_event(tree, scope, whole=False)
    return PartialEvent(event=event, items=items_of(event))


def json_form(content: bytes) -> dict[str, Any]:
    """Return an event as JSON, with its ``@context``, from its content of either media type.

    Content in JSON begins with a brace, and content in XML with the tag of the event.

    Raises:
        InputError: the content is no event.
    """
    if content.startswith(b"<"):
        return read_event_content(content).form
    event = parse_json(content, octets_max=DEFAULT.content_bytes_max)
    if not isinstance(event, dict):
        raise refuse_type("an event", event)
    return event


def pre_hash(content: bytes) -> str:
    """Return the text whose SHA-256 is the event hash of an event's content, of either media type.

    Raises:
        InputError: the content is no event.
    """
    event = json_form(content)
    own = event.get("@context")
    names = read_context(*([own] if own is not None else []))
    read_event(event, Scope(names, DEFAULT.nesting_levels_max))
    return pre_hash_text(event, names)[0]


def event_hash_uri(digest: bytes) -> str:
    """Return the CBV 2.0 Event Hash ID of a 32-byte event hash (RFC 6920)."""
    return f"ni:///sha-256;{digest.hex()}?ver=CBV2.0"
