"""Every refusal of the reader by its own name, with the pointer of the field at fault."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sealtrail.epcis import Limits, RecordedEvent, parse_document, read_content
from sealtrail.errors import InputError, TooLargeError

CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"ext": "https://ext.example/"},
]
PACK = "urn:epc:id:sgtin:0614141.107346.2018"
EVENT: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2026-01-31T12:00:00.000+01:00",
    "eventTimeZoneOffset": "+01:00",
    "action": "ADD",
    "bizStep": "commissioning",
    "epcList": [PACK],
}
REPORT = {"type": "Temperature", "value": 4}
Change = Callable[[dict[str, Any]], Any]


def document(*events: Any, **fields: Any) -> bytes:
    body = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-01-01T00:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }
    return json.dumps({k: v for k, v in (body | fields).items() if v is not ...}).encode()


def refusal(event: Any) -> InputError:
    found = parse_document(document(event)).events[0]
    assert isinstance(found, InputError), "was accepted"
    return found


def changed(**fields: Any) -> dict[str, Any]:
    event = copy.deepcopy(EVENT) | fields
    return {key: value for key, value in event.items() if value is not ...}


def other(kind: str, **fields: Any) -> dict[str, Any]:
    return changed(type=kind, **({"epcList": ...} | fields))


CASES: list[tuple[dict[str, Any], str, str]] = [
    (changed(eventTime=...), "field_missing", "/eventTime"),
    (changed(eventTimeZoneOffset=...), "field_missing", "/eventTimeZoneOffset"),
    (changed(action=...), "field_missing", "/action"),
    (changed(type=...), "field_missing", "/type"),
    (changed(type="QuantityEvent"), "event_type_unknown", "/type"),
    (changed(type=["ObjectEvent"]), "event_type_unknown", "/type"),
    (changed(action="MOVE"), "action_unknown", "/action"),
    (changed(action=["ADD"]), "action_unknown", "/action"),
    (changed(eventTime="2026-01-31T12:00:00"), "time_malformed", "/eventTime"),
    (changed(eventTime="2026-02-30T12:00:00Z"), "time_malformed", "/eventTime"),
    (changed(eventTime="20260131T120000Z"), "time_malformed", "/eventTime"),
    (changed(eventTime="2026-01-31 12:00:00Z"), "time_malformed", "/eventTime"),
    (changed(eventTime="2026-01-31T24:00:00Z"), "time_malformed", "/eventTime"),
    (changed(eventTime="2026-01-31T12:00:00+99:00"), "time_malformed", "/eventTime"),
    (changed(eventTime="0000-01-31T12:00:00Z"), "time_malformed", "/eventTime"),
    (changed(eventTime=5), "type_mismatch", "/eventTime"),
    (changed(recordTime="now"), "time_malformed", "/recordTime"),
    (changed(eventTimeZoneOffset="+15:00"), "offset_malformed", "/eventTimeZoneOffset"),
    (changed(eventTimeZoneOffset="+01:00\n"), "offset_malformed", "/eventTimeZoneOffset"),
    (changed(eventID="not a uri"), "uri_malformed", "/eventID"),
    (changed(bizStep="transforming"), "word_unknown", "/bizStep"),
    (changed(bizStep="urn:epcglobal:cbv:bizstep:shipping"), "word_unknown", "/bizStep"),
    (changed(disposition="in_transport"), "word_unknown", "/disposition"),
    (changed(disposition=None), "type_mismatch", "/disposition"),
    (changed(weight=5), "field_unknown", "/weight"),
    (changed(**{"a/b~c": 5}), "field_unknown", "/a~1b~0c"),
    (changed(**{"nope:x": 5}), "prefix_undefined", "/nope:x"),
    (changed(**{"ext:a b": 5}), "name_malformed", "/ext:a b"),
    (changed(parentID="urn:a:b"), "field_unknown", "/parentID"),
    (changed(epcList="urn:a:b"), "type_mismatch", "/epcList"),
    (changed(epcList=[PACK, "4012345"]), "uri_malformed", "/epcList/1"),
    (changed(epcList=[PACK, "urn:a:b urn:c:d"]), "uri_malformed", "/epcList/1"),
    (changed(epcList=[PACK, 7]), "type_mismatch", "/epcList/1"),
    (changed(epcList=["urn:a:b", PACK, PACK]), "item_repeated", "/epcList/2"),
    (changed(epcList=...), "event_incomplete", ""),
    (changed(epcList=..., quantityList=[]), "event_incomplete", ""),
    (changed(epcList=..., sensorElementList=[{"sensorReport": [REPORT]}]), "event_incomplete", ""),
    (changed(ilmd={"material": "b"}), "field_unknown", "/ilmd/material"),
    (changed(ilmd=[]), "type_mismatch", "/ilmd"),
    (changed(quantityList=[{"quantity": 5}]), "field_missing", "/quantityList/0/epcClass"),
    (
        changed(quantityList=[{"epcClass": "urn:a:b", "weight": 5}]),
        "field_unknown",
        "/quantityList/0/weight",
    ),
    (
        changed(quantityList=[{"epcClass": "urn:a:b", "quantity": "5"}]),
        "type_mismatch",
        "/quantityList/0/quantity",
    ),
    (
        changed(quantityList=[{"epcClass": "urn:a:b", "quantity": True}]),
        "type_mismatch",
        "/quantityList/0/quantity",
    ),
    (
        changed(quantityList=[{"epcClass": "urn:a:b", "uom": "kilo"}]),
        "uom_malformed",
        "/quantityList/0/uom",
    ),
    (changed(readPoint="urn:a:b"), "type_mismatch", "/readPoint"),
    (changed(readPoint={}), "field_missing", "/readPoint/id"),
    (changed(bizLocation={"id": "x"}), "uri_malformed", "/bizLocation/id"),
    (changed(bizLocation={"id": "urn:a:b", "@id": "x"}), "field_unknown", "/bizLocation/@id"),
    (
        changed(bizTransactionList=[{"type": "po"}]),
        "field_missing",
        "/bizTransactionList/0/bizTransaction",
    ),
    (
        changed(bizTransactionList=[{"type": "order", "bizTransaction": "urn:a:b"}]),
        "word_unknown",
        "/bizTransactionList/0/type",
    ),
    (changed(sourceList=[{"source": "urn:a:b"}]), "field_missing", "/sourceList/0/type"),
    (
        changed(destinationList=[{"type": "owning_party", "source": "urn:a:b"}]),
        "field_unknown",
        "/destinationList/0/source",
    ),
    (changed(certificationInfo=[{"a": 1}]), "type_mismatch", "/certificationInfo/0"),
    (changed(errorDeclaration={}), "field_missing", "/errorDeclaration/declarationTime"),
    (
        changed(errorDeclaration={"declarationTime": "2026-01-01T00:00:00Z", "reason": "oops"}),
        "word_unknown",
        "/errorDeclaration/reason",
    ),
    (changed(persistentDisposition={}), "field_missing", "/persistentDisposition"),
    (changed(persistentDisposition={"set": []}), "list_empty", "/persistentDisposition/set"),
    (
        changed(persistentDisposition={"set": ["expired", "expired"]}),
        "item_repeated",
        "/persistentDisposition/set/1",
    ),
    (changed(sensorElementList=[{}]), "field_missing", "/sensorElementList/0/sensorReport"),
    (
        changed(sensorElementList=[{"sensorReport": []}]),
        "list_empty",
        "/sensorElementList/0/sensorReport",
    ),
    (
        changed(sensorElementList=[{"sensorReport": [{"value": 1}]}]),
        "field_missing",
        "/sensorElementList/0/sensorReport/0/type",
    ),
    (
        changed(sensorElementList=[{"sensorReport": [REPORT | {"hexBinaryValue": "xyz"}]}]),
        "hex_malformed",
        "/sensorElementList/0/sensorReport/0/hexBinaryValue",
    ),
    (
        changed(sensorElementList=[{"sensorReport": [REPORT | {"type": "Warmth"}]}]),
        "word_unknown",
        "/sensorElementList/0/sensorReport/0/type",
    ),
    (
        changed(sensorElementList=[{"sensorReport": [REPORT], "sensorMetadata": {"x": 1}}]),
        "field_unknown",
        "/sensorElementList/0/sensorMetadata/x",
    ),
    (other("AggregationEvent", parentID="urn:a:b"), "event_incomplete", ""),
    (other("AggregationEvent", epcList=[PACK]), "field_unknown", "/epcList"),
    (other("AssociationEvent", childEPCs=[PACK]), "field_missing", "/parentID"),
    (other("TransactionEvent", epcList=[PACK]), "field_missing", "/bizTransactionList"),
    (
        other("TransactionEvent", epcList=[PACK], bizTransactionList=[]),
        "list_empty",
        "/bizTransactionList",
    ),
    (other("TransformationEvent", inputEPCList=[PACK]), "field_unknown", "/action"),
    (other("TransformationEvent", action=..., inputEPCList=[PACK]), "event_incomplete", ""),
    (changed(**{"@context": [5]}), "context_malformed", "/@context/0"),
    (changed(**{"@context": {"p": "no uri"}}), "context_prefix_malformed", "/@context/p"),
    (changed(**{"@context": {"cbv": "https://evil.example/"}}), "context_term_protected", "/@context/cbv"),
]  # fmt: skip


@pytest.mark.parametrize(("event", "code", "pointer"), CASES)
def test_an_event_is_refused_by_name_and_place(
    event: dict[str, Any], code: str, pointer: str
) -> None:
    error = refusal(event)
    assert (error.code, error.pointer) == (code, f"/epcisBody/eventList/0{pointer}")


def test_the_event_behind_these_cases_is_accepted() -> None:
    assert isinstance(parse_document(document(EVENT)).events[0], RecordedEvent)


def test_a_refused_event_leaves_the_others() -> None:
    found = parse_document(document(EVENT, {"type": "x"}, 5, EVENT)).events
    assert [type(event) for event in found] == [
        RecordedEvent,
        InputError,
        InputError,
        RecordedEvent,
    ]


@pytest.mark.parametrize(
    ("data", "code", "pointer"),
    [
        (b"", "json_malformed", None),
        (b"{", "json_malformed", None),
        (b"{} {}", "json_malformed", None),
        (b"\xef\xbb\xbf{}", "json_malformed", None),
        (b"\xff", "json_not_utf8", None),
        (b'{"a": "\xed\xa0\x80"}', "json_not_utf8", None),
        (b'{"a": "\\ud800"}', "json_lone_surrogate", None),
        (b'{"a": 1e999}', "json_number_inexact", None),
        (b'{"a": 0e99999999999999999999}', "json_number_inexact", "/a"),
        (b'{"a": 1e-99999999999999999999}', "json_number_inexact", "/a"),
        (b'{"a": NaN}', "json_malformed", None),
        (b'{"a": -Infinity}', "json_malformed", None),
        (b"[" * 100_000, "json_too_deep", None),
        (b"[" * 100_000 + b"]" * 100_000, "json_too_deep", None),
        (b"[" * 500 + b"]" * 500, "json_too_deep", None),
        (b'{"a":' * 600 + b"1" + b"}" * 600, "json_too_deep", None),
        (b'"text"', "type_mismatch", None),
        (b"17", "type_mismatch", None),
        (b"null", "type_mismatch", None),
        (document(EVENT, schemaVersion=...), "field_missing", "/schemaVersion"),
        (document(EVENT, creationDate="today"), "time_malformed", "/creationDate"),
        (document(EVENT, schemaVersion="1.2"), "schema_version_unsupported", "/schemaVersion"),
        (document(EVENT, schemaVersion="two"), "schema_version_malformed", "/schemaVersion"),
        (document(EVENT, **{"@context": ...}), "field_missing", "/@context"),
        (document(EVENT, **{"@context": None}), "type_mismatch", "/@context"),
        (document(EVENT, **{"@context": [{"p": 5}]}), "context_prefix_malformed", "/@context/0/p"),
        (document(EVENT, extra=1), "field_unknown", "/extra"),
        (document(EVENT, epcisBody={}), "field_missing", "/epcisBody/eventList"),
        (document(EVENT, epcisBody={"eventList": {}}), "type_mismatch", "/epcisBody/eventList"),
    ],
)
def test_a_document_is_refused_by_name_and_place(
    data: bytes, code: str, pointer: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(data)
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


@pytest.mark.parametrize("feigned", [rb"\"\u003a", rb"\u0022:", rb"\u0022\u003A"])
def test_a_second_key_is_found_though_text_feigns_another_one(feigned: bytes) -> None:
    data = document(EVENT).replace(
        b'"action":', b'"a:note": "%s", "action": "ADD", "action":' % feigned
    )
    with pytest.raises(InputError) as caught:
        parse_document(data)
    assert caught.value.code == "json_key_repeated"


@pytest.mark.parametrize(
    ("spoil", "pointer"),
    [
        ((b'"action": "ADD"', b'"action": "ADD", "action": "ADD"'), "/action"),
        ((b'"action": "ADD"', b'"action": "ADD","\\u0061ction":"OBSERVE"'), "/action"),
        ((b'"action": "ADD"', b'"action" : "ADD","action": "ADD"'), "/action"),
        (
            (b'"action": "ADD"', b'"action"\n:"ADD","ext:b": "x\\u0022:y","action": "ADD"'),
            "/action",
        ),
    ],
)
def test_a_key_that_stands_twice_is_refused_with_its_place(
    spoil: tuple[bytes, bytes], pointer: str
) -> None:
    data = document(EVENT).replace(*spoil)
    with pytest.raises(InputError) as caught:
        parse_document(data)
    assert caught.value.code == "json_key_repeated"
    assert caught.value.pointer == f"/epcisBody/eventList/0{pointer}"


@pytest.mark.parametrize(
    "number", [b"0.1000000000000000055511151231257827", b"9007199254740993", b"1E-400",
               b"123456789012345678901234567890", b"[1,12345678901234567.5]"]
)  # fmt: skip
def test_a_number_that_a_double_does_not_hold_is_refused(number: bytes) -> None:
    data = document(changed(**{"ext:n": "N"})).replace(b'"N"', number)
    with pytest.raises(InputError) as caught:
        parse_document(data)
    assert caught.value.code == "json_number_inexact"
    assert (caught.value.pointer or "").startswith("/epcisBody/eventList/0/ext:n")


@pytest.mark.parametrize(
    "number", [b"1.10", b"5.0", b"1e2", b"-0.0", b"0.000001", b"9007199254740991"]
)
def test_a_number_that_a_double_holds_is_accepted(number: bytes) -> None:
    data = document(changed(**{"ext:n": "N"})).replace(b'"N"', number)
    assert isinstance(parse_document(data).events[0], RecordedEvent)


@pytest.mark.parametrize("number", [b"9007199254740992.0", b"1e17", b"-123456789012345680000.0"])
def test_a_whole_number_that_could_not_be_read_back_is_refused(number: bytes) -> None:
    data = document(changed(**{"ext:n": {"ext:m": [1, "N"]}})).replace(b'"N"', number)
    (refused,) = parse_document(data).events
    assert isinstance(refused, InputError)
    assert refused.code == "json_number_inexact"
    assert refused.pointer == "/epcisBody/eventList/0/ext:n/ext:m/1"


@pytest.mark.parametrize("number", [b"1e21", b"-1e300", b"1.5e-7", b"9007199254740991.0"])
def test_a_number_that_is_accepted_is_read_back(number: bytes) -> None:
    data = document(changed(**{"ext:n": "N"})).replace(b'"N"', number)
    (recorded,) = parse_document(data).events
    assert isinstance(recorded, RecordedEvent)
    assert read_content(recorded.content, recorded.media_type).content == recorded.content


def test_nesting_beyond_the_limit_is_refused_at_its_place() -> None:
    deep: Any = "x"
    for _ in range(40):
        deep = {"ext:d": deep}
    error = refusal(changed(**{"ext:d": deep}))
    assert error.code == "json_too_deep"


def test_limits_are_enforced_with_their_numbers() -> None:
    limits = Limits(document_bytes_max=5_000, events_count_max=2, items_count_max=3)
    with pytest.raises(TooLargeError, match="5000 are allowed") as caught:
        parse_document(b" " * 5_001, limits=limits)
    assert caught.value.code == "document_too_large"
    with pytest.raises(TooLargeError) as caught:
        parse_document(document(EVENT, EVENT, EVENT), limits=limits)
    assert caught.value.code == "too_many_events"
    many = changed(epcList=[f"urn:a:{n}" for n in range(4)])
    found = parse_document(document(many), limits=limits).events[0]
    assert isinstance(found, TooLargeError)
    assert found.code == "too_many_items"


def test_packs_and_lot_numbers_do_not_multiply_beyond_the_limit() -> None:
    gtins = [f"urn:epc:id:sgtin:4012345.0{n:05d}.1" for n in range(300)]
    lots = [f"L{n}" for n in range(200)]
    many = changed(epcList=gtins, ilmd={"cbvmda:lotNumber": lots}, action="ADD")
    found = parse_document(document(many)).events[0]
    assert isinstance(found, TooLargeError)
    assert found.code == "too_many_items"
    assert "50000 lots" in found.message


def _values_by_hand(tree: Any) -> int:
    children = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(_values_by_hand(child) for child in children)


def test_an_event_has_no_more_values_than_the_limit_however_it_hides_them() -> None:
    base = _values_by_hand(changed()) + _values_by_hand(json.loads(document(EVENT))["@context"])
    for hidden in ([0] * 400, {f"n{n}": 0 for n in range(400)}, [[[0]]] * 140, "a,b" * 400):
        event = changed(**{"ext:x": hidden})
        exact = base + _values_by_hand(hidden) + 1  # the list that joins contexts
        fits = Limits(event_values_max=exact, items_count_max=10)
        found = parse_document(document(event, EVENT), limits=fits).events
        assert all(isinstance(e, RecordedEvent) for e in found)
        tight = msgspec.structs.replace(fits, event_values_max=exact - 1)
        found = parse_document(document(event, EVENT), limits=tight).events
        assert isinstance(found[0], TooLargeError)
        assert (found[0].code, found[0].pointer) == ("too_many_values", "/epcisBody/eventList/0")
        assert isinstance(found[1], RecordedEvent)


def test_a_document_has_no_more_values_than_the_limit() -> None:
    limits = Limits(event_values_max=100, document_values_max=500, items_count_max=10)
    with pytest.raises(TooLargeError) as caught:
        parse_document(document(*[changed(**{"ext:x": [0] * 50})] * 10), limits=limits)
    assert (caught.value.code, caught.value.pointer) == ("too_many_values", "/epcisBody/eventList")


def test_a_context_is_counted_for_each_event_that_is_kept_with_it() -> None:
    tree = json.loads(document(*[EVENT] * 100))
    tree["@context"].append({f"p{n}": f"https://example.org/{n}/" for n in range(1_000)})
    octets = len(json.dumps(tree["@context"], separators=(",", ":")))
    data = json.dumps(tree).encode()
    fits = Limits(contexts_bytes_max=100 * octets)
    assert len(parse_document(data, limits=fits).events) == 100
    with pytest.raises(TooLargeError, match=f"{octets} bytes are kept") as caught:
        parse_document(data, limits=Limits(contexts_bytes_max=100 * octets - 1))
    assert (caught.value.code, caught.value.pointer) == ("contexts_too_large", "/@context")


def test_what_was_accepted_at_a_limit_is_read_back() -> None:
    tree = json.loads(document(EVENT))
    tree["@context"] = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld"
    event = tree["epcisBody"]["eventList"][0]
    event["@context"] = {"ext": "https://example.org/"}
    room = 200_000 - _values_by_hand(event) - 2 - 1
    event["ext:x"] = [0] * room
    accepted = parse_document(json.dumps(tree).encode()).events[0]
    assert isinstance(accepted, RecordedEvent)
    assert read_content(accepted.content, accepted.media_type).content == accepted.content
    event["ext:x"].append(0)
    refused = parse_document(json.dumps(tree).encode()).events[0]
    assert isinstance(refused, TooLargeError)


def test_an_event_whose_content_grows_beyond_the_limit_is_refused() -> None:
    event = changed(**{"ext:x": ["1e-6"] * 500}).copy()
    data = document(event).replace(b'"1e-6"', b"1e-6")
    assert len(data) < 4_000
    found = parse_document(data, limits=Limits(content_bytes_max=4_000)).events[0]
    assert isinstance(found, TooLargeError)
    assert found.code == "event_too_large"


@pytest.mark.parametrize("field", ["eventID", "epcList", "bizStep", "readPoint", "ext:"])
def test_a_uri_that_is_too_long_is_refused_at_its_place(field: str) -> None:
    def event(characters: int) -> dict[str, Any]:
        uri = "https://id.gs1.org/01/09521001001014/21/%41".ljust(characters, "1")
        if field == "ext:":
            return changed(**{"ext:".ljust(characters, "n"): "value"})
        values = {"epcList": [uri], "readPoint": {"id": uri}}
        return changed(**{field: values.get(field, uri)})

    assert isinstance(parse_document(document(event(2_048))).events[0], RecordedEvent)
    error = refusal(event(2_049))
    assert error.code in ("uri_too_long", "name_malformed", "word_unknown")
    assert (error.pointer or "").startswith(f"/epcisBody/eventList/0/{field}")


def test_one_event_with_40_000_packs_fits_the_defaults() -> None:
    packs = [f"urn:epc:id:sgtin:0614141.107346.{n:020}" for n in range(40_000)]
    found = parse_document(document(changed(epcList=packs))).events[0]
    assert isinstance(found, RecordedEvent)
    assert len(found.items) == 40_000


def test_all_documents_of_the_openepcis_corpus_are_accepted_and_the_invalid_ones_refused(
    shared: Path,
) -> None:
    corpus = shared / "corpora" / "openepcis"
    for path in sorted((corpus / "json").iterdir()):
        events = parse_document(path.read_bytes()).events
        assert all(isinstance(event, RecordedEvent) for event in events), path.name
    for path in sorted((corpus / "invalid-json").iterdir()):
        assert any(
            isinstance(event, InputError) for event in parse_document(path.read_bytes()).events
        ), path.name
