"""Documents of master data alone, in either binding: what is put, not what comes with events."""

from __future__ import annotations

from typing import Any

from sealtrail.epcis.content import MEDIA_TYPE
from sealtrail.epcis.documents import XML_MEDIA_TYPES
from sealtrail.epcis.envelope import Vocabularies, open_envelope
from sealtrail.epcis.fields import refuse_type
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.masterdata import (
    VocabularyElement,
    in_json_form,
    read_master_data,
    vocabularies_at,
)
from sealtrail.epcis.strict_json import parse_json
from sealtrail.epcis.xml.master_data import open_vocabularies
from sealtrail.errors import InputError


def parse_master_data(
    data: bytes,
    *,
    media_type: str = MEDIA_TYPE,
    charset: str | None = None,
    limits: Limits = DEFAULT,
) -> list[VocabularyElement | InputError]:
    """Read a document of master data.

    In JSON an EPCIS document without events, its header, or a list of vocabularies; in XML an EPCIS document without
    events, or an ``EPCISMasterDataDocument``.

    Args:
        media_type: ``application/xml`` or ``text/xml``; any other is read as JSON.
        charset: of the media type, if it had one; only XML may be in another than UTF-8.

    Raises:
        TooLargeError: ``document_too_large``, ``too_many_elements``, ``too_many_values``.
        InputError: what is wrong with the document itself, with the place; ``master_data_expected``: it has events, or
            no master data. What is wrong with one element is listed after the others instead.
    """
    if media_type in XML_MEDIA_TYPES:
        listed, events = open_vocabularies(data, charset=charset, limits=limits)
        if events is not None:
            raise _events_refused(events)
        return read_master_data(in_json_form(listed), None, limits)
    tree = parse_json(data, octets_max=limits.document_bytes_max)
    context, found = _find(tree)
    return read_master_data(found, context, limits)


def _find(tree: Any) -> tuple[Any, Vocabularies]:
    """Return the context and the vocabularies of a document, wherever they stand in it."""
    if isinstance(tree, list):
        return None, vocabularies_at(tree, "")
    if not isinstance(tree, dict):
        raise refuse_type("a document of master data", tree)
    if "type" in tree:
        envelope = open_envelope(tree)
        if envelope.events:
            raise _events_refused(envelope.pointer)
        return envelope.context, envelope.vocabularies
    return tree.get("@context"), _find_list(tree)


def _find_list(tree: dict[str, Any]) -> Vocabularies:
    within, pointer = tree, ""
    for name in ("epcisHeader", "epcisMasterData"):
        if isinstance(within.get(name), dict):
            within, pointer = within[name], f"{pointer}/{name}"
    pointer += "/vocabularyList"
    if "vocabularyList" not in within:
        raise InputError("master_data_expected", "There is no vocabularyList.", pointer=pointer)
    return vocabularies_at(within["vocabularyList"], pointer)


def _events_refused(pointer: str) -> InputError:
    return InputError(
        "master_data_expected",
        "The document has events, and master data alone is expected here.",
        pointer=pointer,
        advice="Send events to /capture: the master data in their header is kept as well.",
    )
