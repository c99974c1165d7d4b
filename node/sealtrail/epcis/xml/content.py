"""Content of an event that came in XML: exclusive C14N of its element, and the form it is read in.

Source: docs/protocol.md section 2; Exclusive XML Canonicalization 1.0 (W3C, 2002), without comments.
"""

from __future__ import annotations

from typing import Any

import msgspec
from lxml import etree

from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.xml.event_form import event_form, form_version
from sealtrail.epcis.xml.extension_form import Extensions
from sealtrail.epcis.xml.names import Prefixes
from sealtrail.epcis.xml.parsing import Element, parse_xml
from sealtrail.epcis.xml.places import standard_name
from sealtrail.errors import InputError

XML_MEDIA_TYPE = "application/xml"
"""Media type of content that came in XML, of 2.0 or of 1.x: the element tells which."""


class XmlEvent(msgspec.Struct, frozen=True):
    """An event of an XML document: its JSON form, with ``@context``, and its content.

    ``element`` is where it stands in its document, ``prefixes`` are those that the form writes names with.
    """

    form: dict[str, Any]
    element: Any
    prefixes: Prefixes

    def content(self) -> bytes:
        """Return the content; it takes the record time out of the element."""
        return encode_content(self.element)


def form_event(element: Element, version: str | None, limits: Limits) -> XmlEvent:
    """Read an event's element into its JSON form.

    Args:
        version: ``2.0`` or ``1.2``, as its document says; None: as the element itself tells. An event in the form of
            1.2 is read in that wherever it stands, as its content will be.

    Raises:
        InputError: it is no event by the schema of its version; with line, and path below the element.
    """
    extensions = Extensions(element, limits.nesting_levels_max)
    told = form_version(element)
    form = event_form(element, "1.2" if told == "1.2" else version or told, extensions)
    form["@context"] = extensions.prefixes.context()
    return XmlEvent(form, element, extensions.prefixes)


def encode_content(element: Element) -> bytes:
    """Return the content of an event's element. The record time is taken out of it, with the blanks behind it.

    Raises:
        InputError: ``xml_namespace_malformed``.
    """
    for child in element:
        if isinstance(child.tag, str) and standard_name(child.tag) == "recordTime":
            element.remove(child)
    try:
        encoded: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    except etree.C14NError:  # Canonical XML 1.0 section 1.3: not of documents with such
        raise InputError(
            "xml_namespace_malformed",
            "A namespace that is declared here, or around the event, is no absolute URI.",
        ) from None
    return encoded


def read_event_content(content: bytes) -> XmlEvent:
    """Read an event back from its content.

    Raises:
        InputError: it is no event, or not the canonical form of one (``content_not_canonical``).
        TooLargeError: it is more than content may be.
    """
    limits = msgspec.structs.replace(DEFAULT, document_bytes_max=DEFAULT.content_bytes_max)
    element, _ = parse_xml(content, limits=limits)
    event = form_event(element, None, limits)
    if event.content() != content:
        raise InputError(
            "content_not_canonical", "The content is not in canonical form (exclusive C14N)."
        )
    return event
