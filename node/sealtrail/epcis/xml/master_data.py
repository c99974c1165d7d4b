"""Documents of master data alone in XML: EPCIS documents without events, and ``EPCISMasterDataDocument``.

Source: EPCIS 2.0 and 1.2 schemas, ``EPCglobal-epcis-masterdata``.
"""

from __future__ import annotations

from typing import Any

from sealtrail.epcis.limits import Limits
from sealtrail.epcis.xml.documents import document_of
from sealtrail.epcis.xml.header import read_vocabularies, standard_children
from sealtrail.epcis.xml.parsing import parse_xml
from sealtrail.epcis.xml.places import path_of, refuse, split_tag, standard_name

_DOCUMENT = "EPCISMasterDataDocument"
_NAMESPACES = ("urn:epcglobal:epcis-masterdata:xsd:2", "urn:epcglobal:epcis-masterdata:xsd:1")


def open_vocabularies(
    data: bytes, *, charset: str | None, limits: Limits
) -> tuple[tuple[dict[str, Any], ...], str | None]:
    """Return a document's vocabularies in the JSON binding's shape, and where its first event is, if it has any.

    Raises:
        TooLargeError, InputError: as :func:`~sealtrail.epcis.xml.documents.open_xml`.
    """
    root, values = parse_xml(data, charset=charset, limits=limits)
    namespace, name = split_tag(str(root.tag))
    if name != _DOCUMENT or namespace not in _NAMESPACES:
        document = document_of(root, values, limits)
        first = next((path for _, path, _ in document.events), None)
        return document.header.vocabularies, first
    found: tuple[dict[str, Any], ...] = ()
    body = None
    for child in standard_children(root, ("EPCISHeader", "EPCISBody", "extension")):
        if standard_name(str(child.tag)) == "EPCISBody":
            body = child
    if body is None:
        raise refuse(root, "field_missing", f"{path_of(root)} has no element 'EPCISBody'.")
    for child in standard_children(body, ("VocabularyList", "extension")):
        if standard_name(str(child.tag)) == "VocabularyList":
            found += read_vocabularies(child, limits.nesting_levels_max)
    return found, None
