"""One event's element, read into its JSON form by the schema of its version.

Values are checked where those of the JSON binding are (:mod:`sealtrail.epcis.reader`); what is refused here is what
the form could not hold or would hide: elements out of their place or order, repeated ones, stray text, attributes.

Source: docs/protocol.md section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealtrail.epcis.xml import grammar, values
from sealtrail.epcis.xml.extension_form import Extensions, Members
from sealtrail.epcis.xml.grammar import EVENTS, EXTENSION_EVENT, WRAPPERS, Sequence
from sealtrail.epcis.xml.parsing import Element
from sealtrail.epcis.xml.places import BLANKS, at, attributes_of, standard_name
from sealtrail.epcis.xml.walking import (
    Fields,
    Read,
    Walk,
    add_attributes,
    bare_text,
    children_of,
    fault,
    list_of,
    object_of,
    plain_text,
    refuse_attributes,
    unknown_element,
)
from sealtrail.errors import InputError

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
# of the document around it, where an event stands alone
_DOCUMENT_ATTRIBUTES = ("schemaVersion", "creationDate")


def form_version(element: Element) -> str:
    """Return the version whose form an event has: 1.2 if an extension element holds something of the standard's."""
    if standard_name(str(element.tag)) == "QuantityEvent":
        return "1.2"
    for child in element:
        if isinstance(child.tag, str) and standard_name(child.tag) in WRAPPERS:
            tags = (each.tag for each in child if isinstance(each.tag, str))
            if any(standard_name(tag) is not None for tag in tags):
                return "1.2"
    return "2.0"


def event_form(element: Element, version: str, extensions: Extensions) -> dict[str, Any]:
    """Return the JSON form of an event without its ``@context``.

    Raises:
        InputError: with line, and path below the event: ``event_type_unknown``, ``field_unknown``,
            ``xml_order_wrong``, ``xml_element_repeated``, ``xml_text_misplaced``, ``list_empty``, and those of
            extensions.
    """
    name = standard_name(str(element.tag))
    if name is None:
        return _form(element, _own_type(element, extensions), EXTENSION_EVENT, _FIELDS, extensions)
    sequence = EVENTS[version].get(name)
    if sequence is None:
        message = f"{str(element.tag)[:100]!r} is none of the event types of EPCIS {version}."
        raise fault(element, extensions, "event_type_unknown", message)
    fields = _FIELDS_1 if version == "1.2" else _FIELDS
    form = _form(element, name, sequence, fields, extensions)
    return _as_object_event(form) if name == "QuantityEvent" else form


def _own_type(element: Element, extensions: Extensions) -> str:
    try:
        return extensions.prefixes.element(element)
    except InputError as error:
        raise at(error, element, top=extensions.event) from None


def _form(
    element: Element, name: str, sequence: Sequence, fields: Fields, extensions: Extensions
) -> dict[str, Any]:
    form: dict[str, Any] = {"type": name}
    members = Members()
    attributes = attributes_of(element)
    for given in _DOCUMENT_ATTRIBUTES:
        attributes.pop(given, None)
    add_attributes(members, element, attributes, extensions)
    Walk(form, members, fields, extensions).walk(element, sequence)
    form.update(members.object())
    return form


def _as_object_event(form: dict[str, Any]) -> dict[str, Any]:
    """Return what a QuantityEvent is equivalent to (EPCIS 1.2 section 7.4.4): an observation of one class."""
    element = {name: form.pop(name) for name in ("epcClass", "quantity") if name in form}
    form |= {"type": "ObjectEvent", "action": "OBSERVE", "epcList": [], "quantityList": [element]}
    return form


def _word(read: Callable[[str], str]) -> Read:
    return lambda element, extensions: read(plain_text(element, extensions))


def _number(element: Element, extensions: Extensions) -> float | None:
    text = plain_text(element, extensions)
    if not text and element.get(_NIL) in ("true", "1"):
        return None
    try:
        return values.read_number(text)
    except InputError as error:
        raise at(error, element, top=extensions.event) from None


def _typed(name: str, kind: Callable[[str], str]) -> Read:
    """A list of things with a type: transactions, sources, destinations."""

    def read(element: Element, extensions: Extensions) -> dict[str, str]:
        attributes = attributes_of(element)
        found = {name: bare_text(element, extensions)}
        if (given := attributes.pop("type", None)) is not None:
            found["type"] = kind(given.strip(BLANKS))
        refuse_attributes(element, extensions, attributes)
        return found

    return list_of(name, read, least=1)


def _dispositions(element: Element, extensions: Extensions) -> dict[str, list[str]]:
    """Read a persistent disposition: what is unset, then what is set."""
    refuse_attributes(element, extensions, attributes_of(element))
    found: dict[str, list[str]] = {}
    for child in children_of(element, extensions):
        name = standard_name(str(child.tag))
        if name not in ("unset", "set"):
            raise unknown_element(child, extensions)
        if name == "unset" and "set" in found:
            raise fault(child, extensions, "xml_order_wrong", "'unset' stands behind 'set'.")
        found.setdefault(name, []).append(values.DISPOSITION(plain_text(child, extensions)))
    return found


def _sensor_fields(element: Element, extensions: Extensions) -> dict[str, Any]:
    """Read sensor metadata or a sensor report: attributes, and no text."""
    if bare_text(element, extensions):
        raise fault(
            element, extensions, "xml_text_misplaced", "Text stands where none has a meaning."
        )
    form: dict[str, Any] = {}
    others: dict[str, str] = {}
    for name, text in sorted(attributes_of(element).items()):
        if name[:1] == "{":
            others[name] = text
            continue
        try:
            form[name] = values.report_value(name, text)
        except InputError as error:
            raise at(error, element, top=extensions.event, attribute=name) from None
    members = Members()
    extensions.add_attributes(members, element, others)
    return form | members.object()


def _sensor_element(element: Element, extensions: Extensions) -> dict[str, Any]:
    """Read a sensor element: metadata, reports, then what others added."""
    refuse_attributes(element, extensions, attributes_of(element))
    form: dict[str, Any] = {}
    members = Members()
    rank = 0
    for child in children_of(element, extensions):
        name = standard_name(str(child.tag))
        place = _SENSOR_ORDER.get(name or "")
        if place is None:
            raise unknown_element(child, extensions)
        if place < rank or (place == rank and name == "sensorMetadata"):
            message = f"{str(child.tag)[:100]!r} stands behind what follows it in the standard."
            raise fault(child, extensions, "xml_order_wrong", message)
        rank = place
        if name == "sensorMetadata":
            form[name] = _sensor_fields(child, extensions)
        elif name == "sensorReport":
            form.setdefault(name, []).append(_sensor_fields(child, extensions))
        elif name == "extension":
            add_attributes(members, child, attributes_of(child), extensions)
            Walk(form, members, {}, extensions).walk(child, Sequence(others=False))
        else:
            extensions.add_element(members, child)
    return form | members.object()


_SENSOR_ORDER = {"sensorMetadata": 1, "sensorReport": 2, "extension": 3, "": 4}
_EPCS = list_of("epc", plain_text)
_QUANTITIES = list_of(
    "quantityElement",
    object_of(
        {"epcClass": plain_text, "quantity": _number, "uom": plain_text},
        grammar.QUANTITY,
        others=False,
    ),
)
_DECLARATION: Fields = {
    "declarationTime": plain_text,
    "reason": _word(values.REASON),
    "correctiveEventIDs": list_of("correctiveEventID", _word(values.event_id)),
}
_FIELDS: Fields = {
    **dict.fromkeys(
        (
            "eventTime", "recordTime", "eventTimeZoneOffset", "certificationInfo", "action", "parentID",
            "transformationID", "epcClass",
        ),
        plain_text,
    ),
    **dict.fromkeys(("epcList", "childEPCs", "inputEPCList", "outputEPCList"), _EPCS),
    **dict.fromkeys(
        ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"), _QUANTITIES
    ),
    **dict.fromkeys(
        ("readPoint", "bizLocation"), object_of({"id": plain_text}, grammar.PLACE, others=False)
    ),
    "eventID": _word(values.event_id),
    "quantity": _number,
    "bizStep": _word(values.BIZ_STEP),
    "disposition": _word(values.DISPOSITION),
    "errorDeclaration": object_of(_DECLARATION, grammar.DECLARATION, others=True),
    "bizTransactionList": _typed("bizTransaction", values.TRANSACTION),
    "sourceList": _typed("source", values.PARTY),
    "destinationList": _typed("destination", values.PARTY),
    "persistentDisposition": _dispositions,
    "sensorElementList": list_of("sensorElement", _sensor_element, least=1, wrapper=True),
    "ilmd": object_of({}, grammar.ILMD, others=True),
}  # fmt: skip
_FIELDS_1: Fields = _FIELDS | {
    "errorDeclaration": object_of(_DECLARATION, grammar.DECLARATION_1, others=True)
}
