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
from sealtrail.epcis.views.extensions import add, append_extensions
from sealtrail.epcis.views.forms import CbvFormat, XmlVersion, not_in_1_2, not_in_xml
from sealtrail.epcis.views.sensors import append_sensor_elements
from sealtrail.epcis.views.times import time_stamp
from sealtrail.epcis.views.words import spell
from sealtrail.epcis.vocabulary import Vocabulary
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
        root = etree.Element(event["type"], nsmap=_prefixes(names))
        if version == "2.0":
            _append_2_0(root, event, style)
        else:
            _append_1_2(root, event, style)
        append_extensions(root, event, names)
    except NotAcceptableError as error:
        if "eventID" in event:
            error.context["event_id"] = event["eventID"]
        raise
    # values may use the prefixes that the event's own context defines: those are kept
    etree.cleanup_namespaces(root, keep_ns_prefixes=list(names.own_namespaces))
    return root


def _prefixes(names: Names) -> dict[str, str]:
    return {prefix: space for prefix, space in names.namespaces.items() if _is_prefix(prefix)}


def _append_2_0(root: etree._Element, event: dict[str, Any], style: _Style) -> None:
    for name in _FIELDS_2_0[event["type"]]:
        if name in event:
            _append_field(root, name, event[name], style)


def _append_1_2(root: etree._Element, event: dict[str, Any], style: _Style) -> None:
    if event["type"] not in _FIELDS_1_2:
        raise located(not_in_1_2(event["type"]), "type")
    for name in _NOT_IN_1_2:
        if event.get(name):
            raise located(not_in_1_2(name), name)
    fields, extended = _FIELDS_1_2[event["type"]]
    for name in _TIMES:
        if name in event:
            _append_field(root, name, event[name], style)
    _append_wrapped(root, "baseExtension", _BASE_1_2, event, style)
    for name in fields:
        if name in event:
            _append_field(root, name, event[name], style)
        elif name in _REQUIRED_1_2:
            add(root, name)
    _append_wrapped(root, "extension", extended, event, style)


def _append_wrapped(
    root: etree._Element,
    wrapper: str,
    fields: tuple[str, ...],
    event: dict[str, Any],
    style: _Style,
) -> None:
    """Append what EPCIS 1.1 and 1.2 added, inside the element that earlier versions kept for it."""
    element = etree.Element(wrapper)
    for name in fields:
        if name in event:
            _append_field(element, name, event[name], style)
    if len(element):
        root.append(element)


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


_TIMES = ("eventTime", "recordTime", "eventTimeZoneOffset")
_BASE_1_2 = ("eventID", "errorDeclaration")
_PARTIES = ("sourceList", "destinationList")
_WHY = ("bizStep", "disposition", "readPoint", "bizLocation", "bizTransactionList")
_PLACES = ("bizStep", "disposition", "readPoint", "bizLocation")
_SINCE_2_0 = ("sensorElementList", "persistentDisposition")
_NOT_IN_1_2 = (*_SINCE_2_0, "certificationInfo")
_REQUIRED_1_2 = ("epcList", "childEPCs")
_INPUTS = ("inputEPCList", "inputQuantityList", "outputEPCList", "outputQuantityList")
_EPC_LISTS = frozenset(("epcList", "childEPCs", "inputEPCList", "outputEPCList"))

# In the order of the schemas.
_FIELDS_2_0: dict[str, tuple[str, ...]] = {
    kind: (*_TIMES, *_BASE_1_2, "certificationInfo", *fields)
    for kind, fields in {
        "ObjectEvent": ("epcList", "action", *_WHY, "quantityList", *_PARTIES, *_SINCE_2_0, "ilmd"),
        "AggregationEvent": (
            "parentID", "childEPCs", "action", *_WHY, "childQuantityList", *_PARTIES, *_SINCE_2_0,
        ),
        "TransactionEvent": (
            "bizTransactionList", "parentID", "epcList", "action", *_PLACES, "quantityList", *_PARTIES, *_SINCE_2_0,
        ),
        "TransformationEvent": (
            *_INPUTS, "transformationID", *_WHY, *_PARTIES, *_SINCE_2_0, "ilmd",
        ),
        "AssociationEvent": (
            "parentID", "childEPCs", "childQuantityList", "action", *_WHY, *_PARTIES, *_SINCE_2_0,
        ),
    }.items()
}  # fmt: skip
# The fields of EPCIS 1.0, and what stands in the extension of later versions.
_FIELDS_1_2: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "ObjectEvent": (("epcList", "action", *_WHY), ("quantityList", *_PARTIES, "ilmd")),
    "AggregationEvent": (
        ("parentID", "childEPCs", "action", *_WHY),
        ("childQuantityList", *_PARTIES),
    ),
    "TransactionEvent": (
        ("bizTransactionList", "parentID", "epcList", "action", *_PLACES),
        ("quantityList", *_PARTIES),
    ),
    "TransformationEvent": ((*_INPUTS, "transformationID", *_WHY, *_PARTIES, "ilmd"), ()),
}
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
