"""From the bytes of a document to UTF-8 that a parser can be given: encodings, and no declarations.

A document type is tolerated (GS1's own examples have one), because nothing follows from its name; what could
follow from one, entities above all, is refused before anything is parsed.

Source: XML 1.0 section 4.3.3 and appendix F; RFC 7303 section 3 (byte order mark, then charset, then declaration).
"""

from __future__ import annotations

import codecs
import re

from sealtrail.errors import InputError, TooLargeError

# What is met in the field. Each decodes strictly, and none takes more than three octets of UTF-8 for one of its own.
_ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    "iso-8859-1": "iso-8859-1",
    "latin1": "iso-8859-1",
    "iso-8859-15": "iso-8859-15",
    "windows-1252": "windows-1252",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
}
_declared = re.compile(
    rb"""\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*["']([A-Za-z][A-Za-z0-9._\-]{0,40})["']"""
).match
_BLANK = rb"[ \t\r\n]"
# What may stand before the root, and the document type's own name and address. Possessive throughout: nothing that was
# matched is tried in another way, which would take square time, and room for each blank.
_prolog = re.compile(
    rb"(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+(?P<doctype><!DOCTYPE)?", re.DOTALL
).match
_doctype = re.compile(
    rb"""<!DOCTYPE%(b)s++[^\s\[>"']++%(b)s*+(?:(?:SYSTEM|PUBLIC)%(b)s*+%(q)s%(b)s*+(?:%(q)s)?+)?+"""
    rb"%(b)s*+(?:\[(?:[ \t\r\n]++|<!--.*?-->)*+\]%(b)s*+)?+>"
    % {b"b": _BLANK, b"q": rb"""(?:"[^"]*+"|'[^']*+')"""},
    re.DOTALL,
).match
_reference = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);|#)").search


def to_utf8(data: bytes, *, charset: str | None = None, octets_max: int) -> bytes:
    """Return a document in UTF-8, without a byte order mark.

    Args:
        charset: of the media type it came with, which counts more than the document's own declaration.

    Raises:
        TooLargeError: ``document_too_large``.
        InputError: ``xml_encoding_unsupported``, ``xml_not_utf8``, ``xml_encoding_wrong``, ``xml_malformed``.
    """
    if len(data) > octets_max:
        raise TooLargeError(
            "document_too_large", f"The document has {len(data)} bytes; {octets_max} are allowed."
        )
    if data.startswith(codecs.BOM_UTF8):
        name, data = "utf-8", data[len(codecs.BOM_UTF8) :]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        name = "utf-16"
    else:
        declared = _declared(data)
        name = charset or (declared[1].decode("ascii") if declared else "utf-8")
    encoding = _ENCODINGS.get(name.lower())
    if encoding is None:
        raise InputError(
            "xml_encoding_unsupported",
            f"The encoding {name[:40]!r} is not read; UTF-8 is.",
            advice="Send the document in UTF-8.",
        )
    if encoding == "utf-8" and data.isascii():
        return data
    try:
        text = data.decode(encoding)
        octets = data if encoding == "utf-8" else text.encode()
    except UnicodeError as fault:
        code = "xml_not_utf8" if encoding == "utf-8" else "xml_encoding_wrong"
        start = getattr(fault, "start", 0)
        raise InputError(code, f"The document is not {name[:40]} at byte {start}.") from None
    if octets.startswith(codecs.BOM_UTF8):
        # the parser would pass over this one, and read a document type that was not looked at
        raise InputError("xml_malformed", "The document begins with two byte order marks.")
    return octets


def refuse_declarations(octets: bytes) -> None:
    """Refuse a document type that declares anything, and references to what only one could declare.

    Raises:
        InputError: ``xml_entities_refused``, ``xml_declarations_refused``.
    """
    prolog = _prolog(octets)
    if prolog is None or prolog["doctype"] is None:
        return
    found = _doctype(octets, prolog.start("doctype"))
    if found is None:
        if octets.find(b"<!ENTITY", prolog.end()) != -1:
            raise InputError(
                "xml_entities_refused",
                "The document declares entities, which are not read.",
                advice="Write out what they stand for, and leave out the document type.",
            )
        raise InputError(
            "xml_declarations_refused",
            "The document type declares something, which is not read.",
            advice="Leave out the document type.",
        )
    reference = _reference(octets, found.end())
    if reference is not None:
        line = octets.count(b"\n", 0, reference.start()) + 1
        raise InputError(
            "xml_entities_refused",
            f"Line {line}: an entity that no document type here can declare.",
            line=line,
        )
