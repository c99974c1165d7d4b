"""Documents of master data alone in XML: EPCIS documents without events, and ``EPCISMasterDataDocument``.

Source: EPCIS 2.0 and 1.2 schemas, ``EPCglobal-epcis-masterdata``.
"""

from __future__ import annotations

from typing import Any

from sealtrail.epcis.limits import Limits
from sealtrail.epcis.xml.documents import open_xml


def open_vocabularies(
    data: bytes, *, charset: str | None, limits: Limits
) -> tuple[tuple[dict[str, Any], ...], str | None]:
    """Return a document's vocabularies in the JSON binding's shape, and where its first event is, if it has any.

    Raises:
        TooLargeError, InputError: as :func:`~sealtrail.epcis.xml.documents.open_xml`.
    """
    document = open_xml(data, charset=charset, limits=limits)
    first = next((path for _, path, _ in document.events), None)
    return document.header.vocabularies, first
