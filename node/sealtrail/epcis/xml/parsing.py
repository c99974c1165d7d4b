"""XML text to a tree of elements: no entities, no document type, no network, and bounded before it is parsed."""

from __future__ import annotations

from typing import TypeAlias

from lxml import etree

from sealtrail.epcis.limits import Limits
from sealtrail.epcis.xml.decoding import refuse_declarations, to_utf8
from sealtrail.errors import InputError, TooLargeError

Element: TypeAlias = "etree._Element"


def parse_xml(data: bytes, *, charset: str | None = None, limits: Limits) -> tuple[Element, bytes]:
    """Return the root element of a document without its comments, and the document in UTF-8.

    Raises:
        TooLargeError: ``document_too_large``, ``too_many_values``, ``xml_text_too_long``.
        InputError: ``xml_malformed`` with line and column, ``xml_too_deep``; and the codes of
            :mod:`sealtrail.epcis.xml.decoding`.
    """
    octets = to_utf8(data, charset=charset, octets_max=limits.document_bytes_max)
    refuse_declarations(octets)
    if values_at_most(octets) > limits.document_values_max:
        raise TooLargeError(
            "too_many_values",
            f"The document has more than {limits.document_values_max} elements and attributes.",
            advice="Send it in several parts.",
        )
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
        return etree.fromstring(octets, parser), octets
    except etree.XMLSyntaxError as error:
        raise _malformed(error) from None


def values_at_most(octets: bytes) -> int:
    """Return a number of elements and attributes that a document does not exceed."""
    return octets.count(b"<") - octets.count(b"</") + octets.count(b'="') + octets.count(b"='") + 1


def _malformed(error: etree.XMLSyntaxError) -> InputError:
    line, column = error.position
    reason = (error.msg or "no XML").partition(", line ")[0].strip()
    message = f"Line {line}, column {column}: {reason[:300]}."
    if "Excessive depth" in reason:
        return InputError("xml_too_deep", message, line=line, column=column)
    if "Resource limit" in reason:
        return TooLargeError("xml_text_too_long", message, line=line, column=column)
    return InputError("xml_malformed", f"Not XML. {message}", line=line, column=column)
