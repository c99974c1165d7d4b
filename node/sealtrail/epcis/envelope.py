"""What is around the events: the document's own fields, and where its events stand.

Source: EPCIS 2.0 JSON schema, ``epcisDocument`` and ``epcisQueryDocument``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from sealtrail.epcis.fields import is_uri, located, read_text, read_time, read_uri, refuse_type
from sealtrail.epcis.limits import URI_CHARACTERS_MAX
from sealtrail.epcis.parts import read_object
from sealtrail.errors import InputError, TooLargeError

_CONTEXT = (str, dict, list)
_is_version = re.compile(r"[0-9]+(?:\.[0-9]+)*").fullmatch


# Where a document has its vocabularies.
_VOCABULARIES = {
    "EPCISDocument": ("epcisHeader", "epcisMasterData", "vocabularyList"),
    "EPCISQueryDocument": ("epcisBody", "queryResults", "resultsBody", "vocabularyList"),
}


MASTER_DATA_POINTER = "/" + "/".join(_VOCABULARIES["EPCISDocument"])


class Vocabularies(msgspec.Struct, frozen=True):
    """A document's vocabularies: each has its ``type`` and a list of elements; ``pointer`` leads to their list."""

    listed: tuple[dict[str, Any], ...] = ()
    pointer: str = ""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """An opened document; ``pointer`` leads to the list of events, or to the one event if not ``listed``."""

    type: str
    events: list[Any]
    pointer: str
    listed: bool
    context: Any = None
    schema_version: str | None = None
    creation_date: str | None = None
    vocabularies: Vocabularies = Vocabularies()
    sender: str | None = None
    receiver: str | None = None
    instance_identifier: str | None = None


def open_envelope(tree: Any) -> Envelope:
    """Find the events of a document, a bare event or a bare list.

    Raises:
        InputError: the document itself is malformed.
    """
    if isinstance(tree, list):
        return Envelope(type="list", events=tree, pointer="", listed=True)
    if not isinstance(tree, dict):
        raise refuse_type("an EPCIS document or event", tree)
    if tree.get("type") == "EPCISDocument":
        required = ("@context", "schemaVersion", "creationDate", "epcisBody")
        return _document(tree, _DOCUMENT, required, "/epcisBody/eventList")
    if tree.get("type") == "EPCISQueryDocument":
        pointer = "/epcisBody/queryResults/resultsBody/eventList"
        return _document(tree, _QUERY_DOCUMENT, ("@context", "epcisBody"), pointer)
    return Envelope(type="event", events=[tree], pointer="", listed=False)


def _document(
    tree: dict[str, Any],
    readers: dict[str, Callable[[Any], Any]],
    required: tuple[str, ...],
    pointer: str,
) -> Envelope:
    fields = read_object(_without_extensions(tree), readers, required)
    return Envelope(
        type=tree["type"],
        events=fields["epcisBody"],
        pointer=pointer,
        listed=True,
        context=fields["@context"],
        schema_version=fields.get("schemaVersion"),
        creation_date=fields.get("creationDate"),
        vocabularies=_vocabularies_in(tree),
        sender=fields.get("sender"),
        receiver=fields.get("receiver"),
        instance_identifier=fields.get("instanceIdentifier"),
    )


def _vocabularies_in(tree: dict[str, Any]) -> Vocabularies:
    """Return the vocabularies of a document that was read already."""
    path = _VOCABULARIES[tree["type"]]
    found: Any = tree
    for name in path:
        found = found.get(name)
        if found is None:
            return Vocabularies()
    return Vocabularies(tuple(found), "/" + "/".join(path))


def _without_extensions(tree: Any) -> Any:
    """Leave out what is namespaced: around the events it has no meaning here and is not recorded."""
    if not isinstance(tree, dict):
        return tree
    if ":" not in "".join(tree):
        return tree
    return {key: value for key, value in tree.items() if ":" not in key or not is_uri(key)}


def _context(value: Any) -> Any:
    if not isinstance(value, _CONTEXT):
        raise refuse_type("a context", value)
    return value


def _version(value: Any) -> str:
    if value == "2.0":
        return "2.0"
    text = read_text(value)
    if not _is_version(text):
        raise InputError("schema_version_malformed", f"{text[:40]!r} is no version such as 2.0.")
    if text.split(".")[0] != "2":
        raise InputError(
            "schema_version_unsupported", f"Version {text[:40]} of EPCIS is not read; 2.0 is."
        )
    return text


def _events(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise refuse_type("a list of events", value)
    return value


def _read_body(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    if "eventList" not in value:
        raise located(InputError("field_missing", "The body has no list of events."), "eventList")
    try:
        return _events(value["eventList"])
    except InputError as error:
        raise located(error, "eventList") from None


def _read_query_body(value: Any) -> list[Any]:
    body = read_object(
        _without_extensions(value), {"queryResults": _query_results}, ("queryResults",)
    )
    events: list[Any] = body["queryResults"]
    return events


def _query_results(value: Any) -> list[Any]:
    readers = {"queryName": read_text, "subscriptionID": read_text, "resultsBody": _results_body}
    fields = read_object(_without_extensions(value), readers, ("queryName", "resultsBody"))
    events: list[Any] = fields["resultsBody"]
    return events


def _results_body(value: Any) -> list[Any]:
    readers = {"eventList": _events, "vocabularyList": read_vocabulary_list}
    fields = read_object(_without_extensions(value), readers, ("eventList",))
    events: list[Any] = fields["eventList"]
    return events


def _header(value: Any) -> None:
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    read_object(_without_extensions(value), {"epcisMasterData": _master_data}, ())


def _master_data(value: Any) -> None:
    if not isinstance(value, dict):
        raise refuse_type("an object", value)
    if "vocabularyList" in value:
        try:
            read_vocabulary_list(value["vocabularyList"])
        except InputError as error:
            raise located(error, "vocabularyList") from None


def read_vocabulary_list(value: Any) -> tuple[dict[str, Any], ...]:
    """Read a list of vocabularies, each with its type and a list of elements; the elements are not looked at.

    Raises:
        InputError: as readers of :mod:`sealtrail.epcis.fields` do, with the pointer within the list.
    """
    if not isinstance(value, list):
        raise refuse_type("a list of vocabularies", value)
    for index, vocabulary in enumerate(value):
        if not isinstance(vocabulary, dict):
            raise located(refuse_type("a vocabulary", vocabulary), index)
        try:
            read_uri(vocabulary.get("type"))
        except InputError as error:
            raise located(located(error, "type"), index) from None
        elements = vocabulary.get("vocabularyElementList", [])
        if not isinstance(elements, list):
            refused = refuse_type("a list of elements", elements)
            raise located(located(refused, "vocabularyElementList"), index)
    return tuple(value)


def _short_text(value: Any) -> str:
    text = read_text(value)
    if len(text) > URI_CHARACTERS_MAX:
        raise TooLargeError(
            "text_too_long", f"{len(text)} characters; {URI_CHARACTERS_MAX} are allowed."
        )
    return text


def _time_text(value: Any) -> str:
    return read_time(value).text


_QUERY_DOCUMENT: dict[str, Callable[[Any], Any]] = {
    "@context": _context,
    "type": read_text,
    "id": read_uri,
    "schemaVersion": _version,
    "creationDate": _time_text,
    "epcisBody": _read_query_body,
}
_DOCUMENT: dict[str, Callable[[Any], Any]] = {
    **_QUERY_DOCUMENT,
    "epcisBody": _read_body,
    **dict.fromkeys(("instanceIdentifier", "sender", "receiver"), _short_text),
    "epcisHeader": _header,
}
