"""One event as an XML element of EPCIS 2.0 or 1.2, from its JSON form.

Source: EPCIS 2.0 section 9.5, EPCIS 1.2 section 9.5, and the XML schemas of both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec
from lxml import etree

from sealtrail.epcis import vocabulary
from sealtrail.epcis.context import Names, read_context
from sealtrail.epcis.fields import located
from sealtrail.epcis.views.extensions import add, append_extensions, clark_name
from sealtrail.epcis.views.forms import CbvFormat, XmlVersion, not_in_1_2, not_in_xml
from sealtrail.epcis.views.sensors import append_sensor_elements
from sealtrail.epcis.views.times import time_stamp
from sealtrail.epcis.views.words import spell
from sealtrail.epcis.vocabulary import Vocabulary
from sealtrail.epcis.xml.grammar import EVENTS, EXTENSION_EVENT, Sequence
from sealtrail.errors import InputError, NotAcceptableError

_XSI_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_is_prefix = re.compile(r"(?![Xx][Mm][Ll])[A-Za-z_][A-Za-z0-9_.\-]*").fullmatch


class _Style(msgspec.Struct, frozen=True):
    """What the writers of fields need beside the value."""

    names: Names
    cbv_format: CbvFormat


Write: TypeAlias = Callable[[etree._Element, str, Any, _Style], None]


def event_element(
    event: dict[str, Any],
    context: Any,
    *,
    version: XmlVersion,
    cbv_format: CbvFormat = "No_Preference",
) -> etree._Element:
    """Return an accepted event as an XML element; in EPCIS 1.2, standard words are URNs whatever is asked for.

    Args:
        event: its JSON form; an ``@context`` in it is not looked at.
        context: its effective ``@context``.

    Raises:
        NotAcceptableError: ``not_in_epcis_1_2``, ``not_in_xml``; ``event_id`` stands beside, the pointer is relative
            to the event.
    """
    names = read_context(context)
    style = _Style(names, "Always_URN" if version == "1.2" else cbv_format)
    try:
        if ":" in event["type"]:
            root = _own_event(event, version, style)
        else:
            root = _root(event["type"], names)
            sequence = EVENTS[version][event["type"]]
            fields = _for_1_2(event, sequence) if version == "1.2" else event
            _append_fields(root, sequence, fields, style)
            append_extensions(root, event, names)
    except NotAcceptableError as error:
        if "eventID" in event:
            error.context["event_id"] = event["eventID"]
        raise
    # values may use the prefixes that the event's own context defines: those are kept
    etree.cleanup_namespaces(root, keep_ns_prefixes=list(names.own_namespaces))
    return root


def _own_event(event: dict[str, Any], version: XmlVersion, style: _Style) -> etree._Element:
    """Return an event of somebody's own type; GS1's schema of EPCIS 1.2 has no place for one."""
    if version == "1.2":
        raise located(not_in_1_2(f"event of the type {event['type'][:100]}"), "type")
    try:
        name = clark_name(event["type"], style.names)
    except InputError as error:
        raise located(error, "type") from None
    root = _root(name, style.names)
    _append_fields(root, EXTENSION_EVENT, event, style)
    known = {"type", "@context", *EXTENSION_EVENT.order}
    append_extensions(root, event, style.names, known=known)
    return root


def _root(name: str, names: Names) -> etree._Element:
    """Return an event's element; values may use any prefix, so that all must be ones to XML."""
    try:
        etree.QName(name)
    except ValueError as error:
        raise located(not_in_xml(str(error)), "type") from None
    try:
        return etree.Element(name, nsmap=_prefixes(names))
    except ValueError as error:
        raise located(not_in_xml(str(error)), "@context") from None


def _prefixes(names: Names) -> dict[str, str]:
    return {prefix: space for prefix, space in names.namespaces.items() if _is_prefix(prefix)}


def _for_1_2(event: dict[str, Any], sequence: Sequence) -> dict[str, Any]:
    """Return an event with the lists that EPCIS 1.2 can't do without; refuse what came with 2.0.

    The grammar has places for that, which GS1's own mapping uses and EPCIS 1.2 itself has not.
    """
    if event["type"] == "AssociationEvent":
        raise located(not_in_1_2(event["type"]), "type")
    for name in _NOT_IN_1_2:
        if event.get(name):
            raise located(not_in_1_2(name), name)
    return {name: [] for name in _REQUIRED_1_2 if name in sequence.order} | event


def _append_fields(
    parent: etree._Element, sequence: Sequence, event: dict[str, Any], style: _Style
) -> None:
    """Append the fields that an event has, in the order of its schema; extension elements only with something in."""
    for name in sequence.order:
        if (inner := sequence.inside(name)) is not None:
            wrapper = etree.Element(name)
            _append_fields(wrapper, inner, event, style)
            if len(wrapper):
                parent.append(wrapper)
        elif name in event:
            _append_field(parent, name, event[name], style)


def _append_field(parent: etree._Element, name: str, value: Any, style: _Style) -> None:
    if value == [] and name not in _EPC_LISTS:
        return  # an empty list says nothing, and XML has no place for most
    try:
        _WRITERS[name](parent, name, value, style)
    except InputError as error:
        raise located(error, name) from None


def _text(parent: etree._Element, name: str, value: Any, _: _Style) -> None:
    add(parent, name, value)


def _time(parent: etree._Element, name: str, value: str, _: _Style) -> None:
    add(parent, name, time_stamp(value))


def _word(words: Vocabulary) -> Write:
    def write(parent: etree._Element, name: str, value: str, style: _Style) -> None:
        add(parent, name, spell(words, value, style.cbv_format))

    return write


def _listed(element_name: str) -> Write:
    """Write a list of texts, each as an element of that name."""

    def write(parent: etree._Element, name: str, value: list[str], _: _Style) -> None:
        element = add(parent, name)
        for text in value:
            add(element, element_name, text)

    return write


def _quantities(parent: etree._Element, name: str, value: list[dict[str, Any]], _: _Style) -> None:
    element = add(parent, name)
    for quantity in value:
        each = add(element, "quantityElement")
        add(each, "epcClass", quantity["epcClass"])
        if "quantity" in quantity:
            # the schema's decimal has no exponent
            add(each, "quantity", f"{Decimal(repr(quantity['quantity'])):f}")
        elif "uom" in quantity:
            add(each, "quantity").set(_XSI_NIL, "true")
        if "uom" in quantity:
            add(each, "uom", quantity["uom"])


def _typed(words: Vocabulary, element_name: str) -> Write:
    """Write a list of objects that have a type and an id of the given name."""

    def write(
        parent: etree._Element, name: str, value: list[dict[str, Any]], style: _Style
    ) -> None:
        element = add(parent, name)
        for each in value:
            entry = add(element, element_name, each[element_name])
            if "type" in each:
                entry.set("type", spell(words, each["type"], style.cbv_format))

    return write


def _place(parent: etree._Element, name: str, value: dict[str, Any], style: _Style) -> None:
    element = add(parent, name)
    add(element, "id", value["id"])
    for key in value:
        if ":" not in key and key != "id":
            raise located(not_in_xml("a place has no fields of one's own without a namespace"), key)
    append_extensions(element, value, style.names)


def _master_data(parent: etree._Element, name: str, value: dict[str, Any], style: _Style) -> None:
    append_extensions(add(parent, name), value, style.names)


def _dispositions(parent: etree._Element, name: str, value: dict[str, Any], style: _Style) -> None:
    element = add(parent, name)
    for kind in ("unset", "set"):
        for word in value.get(kind, ()):
            _word(vocabulary.DISPOSITION)(element, kind, word, style)


def _declaration(parent: etree._Element, name: str, value: dict[str, Any], style: _Style) -> None:
    element = add(parent, name)
    for field, write in _DECLARATION.items():
        if field in value:
            try:
                write(element, field, value[field], style)
            except InputError as error:
                raise located(error, field) from None
    append_extensions(element, value, style.names)


def _certification(parent: etree._Element, name: str, value: Any, _: _Style) -> None:
    listed = value if isinstance(value, list) else [value]
    if len(listed) > 1:
        raise not_in_xml(f"the schema has one certificationInfo, and here are {len(listed)}")
    add(parent, name, listed[0])


def _sensors(parent: etree._Element, name: str, value: list[dict[str, Any]], style: _Style) -> None:
    append_sensor_elements(add(parent, name), value, style.names, style.cbv_format)


_NOT_IN_1_2 = ("sensorElementList", "persistentDisposition", "certificationInfo")
_REQUIRED_1_2 = ("epcList", "childEPCs")
_EPC_LISTS = frozenset(("epcList", "childEPCs", "inputEPCList", "outputEPCList"))
_DECLARATION: dict[str, Write] = {
    "declarationTime": _time,
    "reason": _word(vocabulary.ERROR_REASON),
    "correctiveEventIDs": _listed("correctiveEventID"),
}
_WRITERS: dict[str, Write] = {
    **dict.fromkeys(
        ("eventTimeZoneOffset", "eventID", "action", "parentID", "transformationID"), _text
    ),
    **dict.fromkeys(("eventTime", "recordTime"), _time),
    **dict.fromkeys(_EPC_LISTS, _listed("epc")),
    **dict.fromkeys(
        ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"),
        _quantities,
    ),
    **dict.fromkeys(("readPoint", "bizLocation"), _place),
    "bizStep": _word(vocabulary.BIZ_STEP),
    "disposition": _word(vocabulary.DISPOSITION),
    "persistentDisposition": _dispositions,
    "bizTransactionList": _typed(vocabulary.BIZ_TRANSACTION_TYPE, "bizTransaction"),
    "sourceList": _typed(vocabulary.SOURCE_DEST_TYPE, "source"),
    "destinationList": _typed(vocabulary.SOURCE_DEST_TYPE, "destination"),
    "errorDeclaration": _declaration,
    "certificationInfo": _certification,
    "sensorElementList": _sensors,
    "ilmd": _master_data,
}
