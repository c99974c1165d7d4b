"""Documents around recorded events: what is asked for, and what is handed on.

A *view* is a recorded event in its JSON form with its effective ``@context``. A document is written piece by piece,
so that one of millions of events is never held whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import msgspec
import orjson
from lxml import etree

from sealtrail.epcis.context import STANDARD_CONTEXT
from sealtrail.epcis.views.events import event_element
from sealtrail.epcis.views.forms import CbvFormat, Form, XmlVersion
from sealtrail.epcis.views.master_data import master_data_element

_SCHEMA_VERSION = "2.0"
_MARK = "\x00"  # where the events go: behind all else that could hold it


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Who sends a document to whom: party or location identifiers, and the document's own identifier."""

    sender: str
    receiver: str
    instance_identifier: str


class Frame(msgspec.Struct, frozen=True):
    """What stands before, between and behind the events of a document.

    ``context`` is the one that the document has for all of them; None in XML.
    """

    opening: bytes
    between: bytes
    closing: bytes
    form: Form
    context: Any = None


def distinct_context(context: Any) -> Any:
    """Return a context in which no part stands twice, and which means the same.

    A document and its event may both have had one. What is only referred to stays where it came first; of definitions
    the last holds, because it is over those before it.
    """
    if not isinstance(context, list) or len(context) < 2:
        return context
    keys = [orjson.dumps(part, option=orjson.OPT_SORT_KEYS) for part in context]
    last = {key: index for index, key in enumerate(keys)}
    return [
        part
        for index, (key, part) in enumerate(zip(keys, context, strict=True))
        if (index == last[key] if isinstance(part, dict) else key not in keys[:index])
    ]


def common_context(views: Sequence[dict[str, Any]]) -> Any:
    """Return the context for a document of these events: the one that all share, else the standard's alone."""
    contexts = {orjson.dumps(view.get("@context")) for view in views}
    if len(contexts) == 1 and views[0].get("@context"):
        return views[0]["@context"]
    return STANDARD_CONTEXT


def query_frame(
    form: Form,
    *,
    query_name: str,
    created: str,
    subscription_id: str | None = None,
    context: Any = STANDARD_CONTEXT,
) -> Frame:
    """Return the frame of an ``EPCISQueryDocument``.

    Args:
        created: when, as RFC 3339 has it.
        context: for JSON: of the document, as :func:`common_context` gives it.
    """
    if form == "json-2.0":
        results: dict[str, Any] = {"queryName": query_name}
        if subscription_id is not None:
            results["subscriptionID"] = subscription_id
        results["resultsBody"] = {"eventList": [_MARK]}
        body = {"queryResults": results}
        return _json_frame("EPCISQueryDocument", created, body, {}, context)
    subscription = (
        f"<subscriptionID>{escape(subscription_id)}</subscriptionID>"
        if subscription_id is not None
        else ""
    )
    number = form.removeprefix("xml-")[0]
    return _xml_frame(
        form,
        created,
        f'<epcisq:EPCISQueryDocument xmlns:epcisq="urn:epcglobal:epcis-query:xsd:{number}"',
        f"<EPCISBody><epcisq:QueryResults><queryName>{escape(query_name)}</queryName>{subscription}<resultsBody>",
        "</resultsBody></epcisq:QueryResults></EPCISBody></epcisq:EPCISQueryDocument>",
    )


def capture_frame(
    form: Form,
    *,
    created: str,
    header: Header | None = None,
    vocabularies: Sequence[dict[str, Any]] = (),
    context: Any = STANDARD_CONTEXT,
) -> Frame:
    """Return the frame of an ``EPCISDocument``, as a capture interface takes it.

    Args:
        created: when, as RFC 3339 has it.
        vocabularies: master data, as :func:`~sealtrail.epcis.views.vocabulary_list` gives it; in EPCIS 1.2 it stands
            beside a header of who sends the document to whom.
        context: for JSON: of the document, as :func:`common_context` gives it.

    Raises:
        NotAcceptableError: the form has no words for some master data (``not_in_xml``).
    """
    if form == "json-2.0":
        sent: dict[str, Any] = {} if header is None else _json_header(header)
        if vocabularies:
            sent["epcisHeader"] = {"epcisMasterData": {"vocabularyList": vocabularies}}
        return _json_frame("EPCISDocument", created, {"eventList": [_MARK]}, sent, context)
    number = form.removeprefix("xml-")[0]
    return _xml_frame(
        form,
        created,
        f'<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:{number}"',
        _xml_header(header, vocabularies, created) + "<EPCISBody>",
        "</EPCISBody></epcis:EPCISDocument>",
    )


def encode_view(
    view: dict[str, Any], frame: Frame, cbv_format: CbvFormat = "No_Preference"
) -> bytes:
    """Return an event as it stands in a document of the frame's form.

    Raises:
        NotAcceptableError: the form has no words for it, as :func:`event_element` says.
    """
    if frame.form == "json-2.0":
        if view.get("@context") == frame.context:
            view = view.copy()
            del view["@context"]
        return orjson.dumps(view)
    element = _element(view, frame.form, cbv_format)
    if ":" in view["type"] or (frame.form == "xml-1.2" and view["type"] == "TransformationEvent"):
        # the one's place in EPCIS 2.0, the other's in 1.2
        wrapper = etree.Element("extension")
        wrapper.append(element)
        element = wrapper
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False)


def write_event(
    view: dict[str, Any], *, form: Form, cbv_format: CbvFormat = "No_Preference"
) -> bytes:
    """Return one event that stands alone.

    Raises:
        NotAcceptableError: the form has no words for it, as :func:`event_element` says.
    """
    if form == "json-2.0":
        return orjson.dumps(view)
    return etree.tostring(_element(view, form, cbv_format), encoding="UTF-8", xml_declaration=True)


def write_query_document(
    views: Sequence[dict[str, Any]],
    *,
    form: Form,
    query_name: str,
    created: str,
    subscription_id: str | None = None,
    cbv_format: CbvFormat = "No_Preference",
) -> bytes:
    """Return an ``EPCISQueryDocument`` of the events.

    Raises:
        NotAcceptableError: the form has no words for one of them, as :func:`event_element` says.
    """
    frame = query_frame(
        form,
        query_name=query_name,
        created=created,
        subscription_id=subscription_id,
        context=common_context(views),
    )
    return _whole(views, frame, cbv_format)


def write_capture_document(
    views: Sequence[dict[str, Any]],
    *,
    form: Form,
    created: str,
    header: Header | None = None,
    cbv_format: CbvFormat = "No_Preference",
) -> bytes:
    """Return an ``EPCISDocument`` of the events.

    Raises:
        NotAcceptableError: the form has no words for one of them, as :func:`event_element` says.
    """
    frame = capture_frame(form, created=created, header=header, context=common_context(views))
    return _whole(views, frame, cbv_format)


def _element(view: dict[str, Any], form: Form, cbv_format: CbvFormat) -> etree._Element:
    version: XmlVersion = "2.0" if form == "xml-2.0" else "1.2"
    return event_element(view, view["@context"], version=version, cbv_format=cbv_format)


def _whole(views: Sequence[dict[str, Any]], frame: Frame, cbv_format: CbvFormat) -> bytes:
    events = frame.between.join(encode_view(view, frame, cbv_format) for view in views)
    return frame.opening + events + frame.closing


def _json_frame(
    kind: str, created: str, body: dict[str, Any], header: dict[str, Any], context: Any
) -> Frame:
    document = {
        "@context": context,
        "type": kind,
        "schemaVersion": _SCHEMA_VERSION,
        "creationDate": created,
        **header,
        "epcisBody": body,
    }
    opening, _, closing = orjson.dumps(document).rpartition(orjson.dumps(_MARK))
    return Frame(opening, b",", closing, "json-2.0", context)


def _json_header(header: Header) -> dict[str, str]:
    return {
        "sender": header.sender,
        "receiver": header.receiver,
        "instanceIdentifier": header.instance_identifier,
    }


def _xml_frame(form: Form, created: str, root: str, opening: str, closing: str) -> Frame:
    version = form.removeprefix("xml-")
    begin = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{root} schemaVersion="{version}"'
        f" creationDate={quoteattr(created)}>{opening}<EventList>\n"
    )
    return Frame(begin.encode(), b"\n", f"\n</EventList>{closing}\n".encode(), form)


def _xml_header(header: Header | None, vocabularies: Sequence[dict[str, Any]], created: str) -> str:
    parts = [] if header is None else [_business_header(header, created)]
    if vocabularies:
        element = etree.tostring(master_data_element(vocabularies), encoding="unicode")
        parts.append(f"<extension>{element}</extension>")
    return f"<EPCISHeader>{''.join(parts)}</EPCISHeader>" if parts else ""


def _business_header(header: Header, created: str) -> str:
    """Return the Standard Business Document Header that EPCIS 1.2 section 9.2 describes."""
    sender, receiver = (
        f'<sbdh:{role}><sbdh:Identifier Authority="GS1">{escape(party)}</sbdh:Identifier></sbdh:{role}>'
        for role, party in (("Sender", header.sender), ("Receiver", header.receiver))
    )
    return (
        '<sbdh:StandardBusinessDocumentHeader xmlns:sbdh="http://www.unece.org/cefact/namespaces/'
        f'StandardBusinessDocumentHeader"><sbdh:HeaderVersion>1.0</sbdh:HeaderVersion>{sender}{receiver}'
        "<sbdh:DocumentIdentification><sbdh:Standard>EPCglobal</sbdh:Standard><sbdh:TypeVersion>1.0</sbdh:TypeVersion>"
        f"<sbdh:InstanceIdentifier>{escape(header.instance_identifier)}</sbdh:InstanceIdentifier>"
        f"<sbdh:Type>Events</sbdh:Type><sbdh:CreationDateAndTime>{escape(created)}</sbdh:CreationDateAndTime>"
        "</sbdh:DocumentIdentification></sbdh:StandardBusinessDocumentHeader>"
    )
