"""XML text to a tree of elements: no entities, no document type, no network, and bounded before it is parsed."""

from __future__ import annotations

import re
from typing import TypeAlias

from lxml import etree

from sealtrail.epcis.limits import XML_ATTRIBUTES_MAX, XML_NAMESPACES_MAX, Limits
from sealtrail.epcis.xml.decoding import refuse_declarations, to_utf8
from sealtrail.errors import InputError, TooLargeError

Element: TypeAlias = "etree._Element"

_declarations = re.compile(rb"xmlns").finditer
_crowded = etree.XPath(f"(//*[@*[{XML_ATTRIBUTES_MAX + 1}]])[1]")


def parse_xml(data: bytes, *, charset: str | None = None, limits: Limits) -> tuple[Element, int]:
    """Return the root element of a document without its comments, and a number of values that it does not exceed.

    Raises:
        TooLargeError: ``document_too_large``, ``too_many_values``, ``too_many_attributes``,
            ``too_many_namespaces``, ``xml_text_too_long``.
        InputError: ``xml_malformed`` with line and column, ``xml_too_deep``; and the codes of
            :mod:`sealtrail.epcis.xml.decoding`.
    """
    octets = to_utf8(data, charset=charset, octets_max=limits.document_bytes_max)
    refuse_declarations(octets)
    values = values_at_most(octets)
    if values > limits.document_values_max:
        raise TooLargeError(
            "too_many_values",
            f"The document has more than {limits.document_values_max} values.",
            advice="Send it in several parts.",
        )
    _require_namespaces_fit(octets)
    # a parser serves one thread at a time, and making one takes microseconds
    parser = etree.XMLParser(
        encoding="utf-8",  # whatever the document declares: it has been read
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        strip_cdata=True,
    )
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise _malformed(error) from None
    if crowded := _crowded(root):
        line = getattr(crowded[0], "sourceline", None) if isinstance(crowded, list) else None
        raise TooLargeError(
            "too_many_attributes",
            f"Line {line}: an element has more than {XML_ATTRIBUTES_MAX} attributes.",
            line=line,
        )
    return root, values


def values_at_most(octets: bytes) -> int:
    """Return a number of values that the JSON form of what a document holds does not exceed.

    An element is an object and its text at the most, an attribute a text.
    """
    elements = octets.count(b"<") - octets.count(b"</")
    return 2 * elements + octets.count(b"=") + 1


def _require_namespaces_fit(octets: bytes) -> None:
    """Refuse a tag that declares very many namespaces; between two tags there is always a ``<``."""
    places = [found.start() for found in _declarations(octets)]
    for first, last in zip(places, places[XML_NAMESPACES_MAX:], strict=False):
        if octets.find(b"<", first, last) == -1:
            line = octets.count(b"\n", 0, first) + 1
            raise TooLargeError(
                "too_many_namespaces",
                f"Line {line}: an element declares more than {XML_NAMESPACES_MAX} namespaces.",
                line=line,
            )


def _malformed(error: etree.XMLSyntaxError) -> InputError:
    line, column = error.position
    reason = (error.msg or "no XML").partition(", line ")[0].strip()
    message = f"Line {line}, column {column}: {reason[:300]}."
    if "Excessive depth" in reason:
        return InputError("xml_too_deep", message, line=line, column=column)
    if "Resource limit" in reason:
        return TooLargeError("xml_text_too_long", message, line=line, column=column)
    return InputError("xml_malformed", f"Not XML. {message}", line=line, column=column)
