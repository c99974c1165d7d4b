"""Names whose prefix only a context elsewhere defines: none is fetched, and the event is taken with a doubt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sealtrail.epcis import RecordedEvent, parse_document, pre_hash, read_content
from sealtrail.epcis.context import PREFIXES_MAX
from sealtrail.epcis.events import Extension, ObjectEvent
from sealtrail.epcis.query import matches, parse_filter
from sealtrail.epcis.views import write_event, write_query_document
from sealtrail.errors import InputError, NotAcceptableError

STANDARD = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld"
ELSEWHERE = "https://acme.example/epcis-terms.jsonld"
EVENT: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2026-03-01T10:00:00.000Z",
    "eventTimeZoneOffset": "+01:00",
    "action": "ADD",
    "bizStep": "commissioning",
    "epcList": ["urn:epc:id:sgtin:4012345.011111.1"],
    "acme:line": "7B",
}


def parsed(context: Any, **more: Any) -> RecordedEvent | InputError:
    document = {
        "@context": context,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-03-01T10:00:00Z",
        "epcisBody": {"eventList": [EVENT | more]},
    }
    (found,) = parse_document(json.dumps(document).encode()).events
    return found


def taken(context: Any, **more: Any) -> RecordedEvent:
    found = parsed(context, **more)
    assert isinstance(found, RecordedEvent), found
    return found


def refused(context: Any, **more: Any) -> InputError:
    found = parsed(context, **more)
    assert isinstance(found, InputError), found
    return found


@pytest.mark.parametrize(
    "context",
    [
        [STANDARD, ELSEWHERE],
        [ELSEWHERE, STANDARD],
        ELSEWHERE,
        [STANDARD, {"b": "https://b.example/"}, ELSEWHERE],
        [STANDARD, {"@import": ELSEWHERE}],
    ],
)
def test_it_is_taken_as_it_stands_and_the_doubt_is_told(context: Any) -> None:
    recorded = taken(context)
    assert recorded.event.extensions == (Extension(namespace="acme:", local="line", text="7B"),)
    assert recorded.hash_ambiguous == "extension_namespace,context_not_read"
    assert pre_hash(recorded.content).endswith("acme:line=7B")
    assert json.loads(recorded.content)["@context"] == context
    again = read_content(recorded.content, recorded.media_type)
    assert (again.event, again.event_hash) == (recorded.event, recorded.event_hash)


@pytest.mark.parametrize(
    "context",
    [
        [STANDARD],
        [STANDARD, {"b": "https://b.example/"}],
        ["https://gs1.github.io/EPCIS/epcis-context.jsonld"],
        ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        {"b": "https://b.example/"},
    ],
)
def test_without_another_context_nobody_defines_it(context: Any) -> None:
    error = refused(context)
    assert (error.code, error.pointer) == ("prefix_undefined", "/epcisBody/eventList/0/acme:line")


def test_the_contexts_that_an_event_has_of_its_own_count_too() -> None:
    recorded = taken([STANDARD], **{"@context": ELSEWHERE})
    assert recorded.hash_ambiguous == "extension_namespace,context_not_read,event_context"


def test_two_meanings_have_two_contents_and_no_hash_hides_it() -> None:
    one, other = taken([STANDARD, ELSEWHERE]), taken([STANDARD, "https://other.example/c.jsonld"])
    assert one.event_hash == other.event_hash
    assert one.content_hash != other.content_hash
    assert one.hash_ambiguous == other.hash_ambiguous == "extension_namespace,context_not_read"


def test_what_is_defined_here_is_not_in_doubt_for_a_context_elsewhere() -> None:
    recorded = taken([STANDARD, ELSEWHERE, {"acme": "https://acme.example/ns/"}])
    assert recorded.hash_ambiguous is None
    assert recorded.event.extensions[0].namespace == "https://acme.example/ns/"


@pytest.mark.parametrize(
    ("fields", "doubts"),
    [
        ({"ilmd": {"acme:batch": "B"}, "acme:line": None}, "extension_namespace,null_value,context_not_read"),
        (
            {"readPoint": {"id": "urn:x:1", "acme:gate": "N"}},
            "extension_namespace,field_extension_namespace,context_not_read",
        ),
        ({"acme:line": {"deep": {"acme:er": 5}}}, "extension_namespace,context_not_read"),
        ({"type": "acme:Event", "acme:line": "7B"}, "extension_namespace,event_type,context_not_read"),
    ],
)  # fmt: skip
def test_the_doubt_is_told_wherever_such_a_name_stands(fields: dict[str, Any], doubts: str) -> None:
    assert taken([STANDARD, ELSEWHERE], **fields).hash_ambiguous == doubts


def test_what_the_hash_drops_between_others_is_told_too() -> None:
    place = {"id": "urn:x:1", "acme:gate": "N", "b:bay": "3"}
    event = {k: v for k, v in EVENT.items() if k != "acme:line"} | {"readPoint": place}
    context = [STANDARD, ELSEWHERE, {"b": "https://b.example/"}]
    (found,) = parse_document(json.dumps([event | {"@context": context}]).encode()).events
    assert isinstance(found, RecordedEvent)
    assert found.hash_ambiguous == "field_extension_namespace,context_not_read"


@pytest.mark.parametrize("number", ["cbvmda:lotNumber", "acme:lotNumber"])
def test_master_data_under_an_unknown_namespace_gives_no_lot(number: str) -> None:
    recorded = taken([STANDARD, ELSEWHERE], ilmd={number: "L1"})
    lots = [each.item for each in recorded.items if each.place == "lot"]
    assert lots == (["https://id.gs1.org/01/04012345111118/10/L1"] if number[0] == "c" else [])
    assert isinstance(recorded.event, ObjectEvent)


@pytest.mark.parametrize(
    "fields",
    [
        {"line": "7B"},
        {"ilmd": {"batch": "B"}},
        {"errorDeclaration": {"declarationTime": "2026-03-01T10:00:00Z", "by": "me"}},
    ],
)
def test_a_name_without_a_prefix_is_refused_whatever_a_context_elsewhere_says(
    fields: dict[str, Any],
) -> None:
    error = refused([STANDARD, ELSEWHERE], **fields)
    assert error.code == "field_unknown"
    assert "namespace" in (error.advice or "")


@pytest.mark.parametrize("key", ["acme:a b", "a_b:c", "1:c", ":c"])
def test_a_name_that_is_malformed_is_so_with_every_context(key: str) -> None:
    assert refused([STANDARD, ELSEWHERE], **{key: 5}).code == "name_malformed"


# -- asked for, and shown ------------------------------------------------------------------------------


def test_a_query_finds_it_by_the_prefix_that_it_has() -> None:
    recorded = taken([STANDARD, ELSEWHERE])
    assert recorded.prefixes == (("acme", "acme:"),)
    known = {"acme": ["https://acme.example/ns/", "acme:"]}
    assert matches(parse_filter({"EQ_acme:line": "7B"}, used=known), recorded, 5)
    assert not matches(parse_filter({"EQ_acme:line": "7C"}, used=known), recorded, 5)
    other = {"acme": "https://acme.example/ns/"}
    assert not matches(parse_filter({"EQ_acme:line": "7B"}, prefixes=other), recorded, 5)


def test_no_more_prefixes_are_remembered_than_of_other_contexts() -> None:
    many = {f"p{n}:x": 1 for n in range(PREFIXES_MAX + 5)}
    assert len(taken([STANDARD, ELSEWHERE], **many).prefixes) == PREFIXES_MAX


def test_in_json_it_is_shown_as_recorded_with_the_context_that_tells() -> None:
    recorded = taken([STANDARD, ELSEWHERE])
    view = json.loads(recorded.content)
    written = write_query_document(
        [view], form="json-2.0", query_name="q", created="2026-03-01T10:00:00Z"
    )
    (again,) = parse_document(written).events
    assert isinstance(again, RecordedEvent)
    assert again.content == recorded.content


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, "/acme:line"),
        ({"type": "acme:Event"}, "/type"),
        ({"acme:line": {"acme:deep": 5}}, "/acme:line"),
        ({"acme:line": 1, "readPoint": {"id": "urn:x:1", "acme:gate": "N"}}, "/readPoint/acme:gate"),
    ],
)  # fmt: skip
def test_xml_has_no_word_for_a_namespace_that_nobody_here_knows(
    fields: dict[str, Any], pointer: str
) -> None:
    view = json.loads(taken([STANDARD, ELSEWHERE], **fields).content)
    with pytest.raises(NotAcceptableError) as caught:
        write_event(view, form="xml-2.0")
    assert (caught.value.code, caught.value.pointer) == ("not_in_xml", pointer)
