"""EPCIS documents and query documents in XML, and bare events: where their events stand, and what is around them.

Source: EPCIS 2.0 section 9 and GS1's schemas; EPCIS 1.2 section 9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from sealtrail.epcis.limits import Limits
from sealtrail.epcis.xml.content import XmlEvent, form_event
from sealtrail.epcis.xml.grammar import EVENT_NAMES, EVENTS
from sealtrail.epcis.xml.header import Header, read_header, read_vocabularies, standard_children
from sealtrail.epcis.xml.parsing import Element, parse_xml
from sealtrail.epcis.xml.places import (
    EPCIS_1,
    EPCIS_2,
    QUERY_1,
    QUERY_2,
    only_elements,
    path_of,
    refuse,
    split_tag,
    standard_name,
    step_of,
)
from sealtrail.errors import InputError, TooLargeError

_VERSIONS = {EPCIS_2: "2.0", QUERY_2: "2.0", EPCIS_1: "1.2", QUERY_1: "1.2"}
_is_version = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})*").fullmatch
# unlike an event's, a document's time may lack its offset
_is_date_time = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,30})?(?:Z|[+\-][0-9]{2}:[0-9]{2})?"
).fullmatch
_DOCUMENT = ("EPCISHeader", "EPCISBody", "extension")
_MASTER_DATA = "EPCISMasterDataDocument"
_MASTER_DATA_NAMESPACES = (
    "urn:epcglobal:epcis-masterdata:xsd:2",
    "urn:epcglobal:epcis-masterdata:xsd:1",
)


class XmlDocument(msgspec.Struct, frozen=True, kw_only=True):
    """An opened document: the elements of its events, in order, each with its path and what may stand in its place.

    ``version``: 2.0 or 1.2, by its namespace; None of a bare event, and of master data alone. ``values``: no fewer
    than it has.
    """

    type: str
    events: list[tuple[Any, str, frozenset[str]]]
    version: str | None
    values: int
    header: Header
    schema_version: str | None = None
    creation_date: str | None = None

    def forms(self, limits: Limits) -> Iterator[tuple[XmlEvent | InputError, str]]:
        """Yield each event, or why it is refused, with its path; what is refused has the whole path in its pointer."""
        declared = 0
        for element, path, allowed in self.events:
            try:
                _require_event(element, allowed)
                event = form_event(element, self.version, limits)
                declared += event.prefixes.declared_bytes
                if declared > limits.contexts_bytes_max:
                    raise TooLargeError(
                        "contexts_too_large",
                        f"Declarations of namespaces take more than {limits.contexts_bytes_max} bytes in the contents.",
                        pointer="",
                        advice="Send fewer events in one document.",
                    )
                yield event, path
            except InputError as error:
                error.pointer = path + (error.pointer or "")
                yield error, path


def _require_event(element: Element, allowed: frozenset[str]) -> None:
    name = standard_name(str(element.tag))
    if (_OWN if name is None else name) not in allowed:
        raise refuse(
            element,
            "event_type_unknown",
            f"{str(element.tag)[:100]!r} is none of the event types in this place.",
            top=element,
        )


def open_xml(data: bytes, *, charset: str | None = None, limits: Limits) -> XmlDocument:
    """Find the events of a document, a query document or a bare event; a document of master data has none.

    Args:
        charset: of the media type, which counts more than the document's own declaration.

    Raises:
        TooLargeError: ``too_many_events``, and those of :func:`~sealtrail.epcis.xml.parsing.parse_xml`.
        InputError: what is wrong with the document itself, with line and path.
    """
    root, values = parse_xml(data, charset=charset, limits=limits)
    namespace, name = split_tag(str(root.tag))
    if _is_event(root):
        document = XmlDocument(
            type="event",
            events=[(root, f"/{step_of(root)}", EVENT_NAMES | {_OWN})],
            version=None,
            values=values,
            header=Header(),
        )
    elif (name, namespace) in _DOCUMENTS:
        document = _document(root, name, _VERSIONS[namespace], values, limits)
    elif name == _MASTER_DATA and namespace in _MASTER_DATA_NAMESPACES:
        document = _master_data_document(root, values, limits)
    else:
        raise refuse(
            root,
            "xml_root_unknown",
            f"{str(root.tag)[:120]!r} is no EPCIS document or event.",
            advice=f"Documents are EPCISDocument of {EPCIS_2} or {EPCIS_1}, EPCISQueryDocument of {QUERY_2} or"
            f" {QUERY_1}, or {_MASTER_DATA} of {' or '.join(_MASTER_DATA_NAMESPACES)}.",
        )
    if len(document.events) > limits.events_count_max:
        raise TooLargeError(
            "too_many_events",
            f"The document has {len(document.events)} events; {limits.events_count_max} are allowed.",
        )
    return document


def _is_event(root: Element) -> bool:
    """Tell whether the root is an event: by its name, or for somebody's own, by the time that each has."""
    name = standard_name(str(root.tag))
    if name is not None:
        return name in EVENT_NAMES
    return any(isinstance(c.tag, str) and standard_name(c.tag) == "eventTime" for c in root)


_OWN = "*"  # events of other namespaces: EPCIS 1.0 and 1.1 have them in the list itself
# Which events stand in a list, in an extension of it, and in an extension of that.
_PLACES = {
    "2.0": (frozenset(EVENTS["2.0"]), frozenset((_OWN,)), frozenset[str]()),
    "1.2": (
        frozenset(("ObjectEvent", "AggregationEvent", "QuantityEvent", "TransactionEvent", _OWN)),
        frozenset(("TransformationEvent",)),
        frozenset(("AssociationEvent",)),
    ),
}
_DOCUMENTS = frozenset((
    ("EPCISDocument", EPCIS_2),
    ("EPCISDocument", EPCIS_1),
    ("EPCISQueryDocument", QUERY_2),
    ("EPCISQueryDocument", QUERY_1),
))  # fmt: skip


def _document(root: Element, name: str, version: str, values: int, limits: Limits) -> XmlDocument:
    header, body = _header_and_body(root, limits)
    if name == "EPCISDocument":
        listed = _only(body, ("EventList", "extension"), "EventList")
    else:
        listed, header = _results(body, header, limits)
    events = [] if listed is None else list(_events(listed, version))
    return XmlDocument(
        type=name,
        events=events,
        version=version,
        values=values,
        header=header,
        schema_version=_version(root),
        creation_date=_creation_date(root, required=name == "EPCISDocument"),
    )


def _master_data_document(root: Element, values: int, limits: Limits) -> XmlDocument:
    """Read a document of master data alone: one without events, whose vocabularies stand in its body."""
    header, body = _header_and_body(root, limits)
    found: tuple[dict[str, Any], ...] = ()
    for child in standard_children(body, ("VocabularyList", "extension")):
        if standard_name(str(child.tag)) == "VocabularyList":
            found += read_vocabularies(child, limits.nesting_levels_max)
    return XmlDocument(
        type=_MASTER_DATA,
        events=[],
        version=None,
        values=values,
        header=msgspec.structs.replace(header, vocabularies=header.vocabularies + found),
        creation_date=_creation_date(root, required=False),
    )


def _header_and_body(root: Element, limits: Limits) -> tuple[Header, Element]:
    header, body = Header(), None
    for child in standard_children(root, _DOCUMENT):
        part = standard_name(str(child.tag))
        if part == "EPCISHeader":
            header = read_header(child, limits.nesting_levels_max)
        elif part == "EPCISBody":
            body = child
    if body is None:
        raise refuse(root, "field_missing", "The element 'EPCISBody' is missing.")
    return header, body


def _only(parent: Element, names: tuple[str, ...], wanted: str) -> Element | None:
    for child in standard_children(parent, names):
        if standard_name(str(child.tag)) == wanted:
            return child
    return None


def _results(body: Element, header: Header, limits: Limits) -> tuple[Element | None, Header]:
    """Return the event list of a query's results, which may bring master data instead."""
    results = _only(body, ("QueryResults",), "QueryResults")
    if results is None:
        raise refuse(body, "field_missing", "The element 'QueryResults' is missing.")
    names = ("queryName", "subscriptionID", "resultsBody", "extension")
    found = _only(results, names, "resultsBody")
    if found is None:
        raise refuse(results, "field_missing", "The element 'resultsBody' is missing.")
    listed = None
    for child in standard_children(found, ("EventList", "VocabularyList")):
        if standard_name(str(child.tag)) == "EventList":
            listed = child
        elif standard_name(str(child.tag)) == "VocabularyList":
            more = read_vocabularies(child, limits.nesting_levels_max)
            header = msgspec.structs.replace(header, vocabularies=header.vocabularies + more)
    return listed, header


def _events(listed: Element, version: str) -> Iterator[tuple[Element, str, frozenset[str]]]:
    """Yield the events of a list, those in its extension elements where they stand."""
    outer, inner, innermost = _PLACES[version]
    counts: dict[str, int] = {}
    base = path_of(listed)
    for child in only_elements(listed):
        step = step_of(child)
        counts[step] = counts.get(step, 0) + 1
        path = f"{base}/{step[:100]}[{counts[step]}]"
        if standard_name(str(child.tag)) != "extension":
            yield child, path, outer
            continue
        for wrapped in only_elements(child) or [child]:
            if standard_name(str(wrapped.tag)) != "extension":
                yield wrapped, f"{path}/{step_of(wrapped)[:100]}", inner
                continue
            for deep in only_elements(wrapped) or [wrapped]:
                yield deep, f"{path}/extension/{step_of(deep)[:100]}", innermost


def _version(root: Element) -> str:
    text = str(root.get("schemaVersion", "")).strip()
    if not _is_version(text):
        code = "schema_version_malformed" if text else "field_missing"
        raise refuse(root, code, f"The schemaVersion {text[:40]!r} is no version such as 2.0.")
    return text


def _creation_date(root: Element, *, required: bool) -> str | None:
    given = root.get("creationDate")
    if given is None:
        if required:
            raise refuse(root, "field_missing", "The attribute 'creationDate' is missing.")
        return None
    if not _is_date_time(str(given).strip()):
        raise refuse(root, "time_malformed", f"The creationDate {str(given)[:60]!r} is no time.")
    return str(given).strip()
