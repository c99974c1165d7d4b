"""Documents around recorded events, and their identifiers in the form asked for."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs  # comes with schemathesis
import pytest

from capture_events import CONTEXT, event
from sealtrail.epcis import parse_document
from sealtrail.epcis.context import read_context
from sealtrail.epcis.views import (
    MEDIA_TYPES,
    STANDARD_CONTEXT,
    Form,
    Header,
    capture_frame,
    common_context,
    distinct_context,
    encode_view,
    translate,
    write_capture_document,
    write_event,
    write_query_document,
)
from sealtrail.gs1 import CompanyPrefixes, to_digital_link, to_urn

CREATED = "2026-03-01T10:00:00Z"
OWN = [*CONTEXT, {"ext": "https://ext.example.org/"}]


def view(serial: int, context: Any = CONTEXT, **more: Any) -> dict[str, Any]:
    return {"@context": context, **event(serial, **more)}


def test_a_query_document_is_read_back_as_the_same_events() -> None:
    views = [view(1), view(2)]
    document = write_query_document(
        views, form="json-2.0", query_name="q", created=CREATED, subscription_id="s"
    )
    found = json.loads(document)
    assert found["@context"] == CONTEXT
    assert found["epcisBody"]["queryResults"]["queryName"] == "q"
    assert found["epcisBody"]["queryResults"]["subscriptionID"] == "s"
    assert found["epcisBody"]["queryResults"]["resultsBody"]["eventList"] == [event(1), event(2)]
    assert parse_document(document).type == "EPCISQueryDocument"


def test_a_capture_document_tells_who_sends_it() -> None:
    header = Header(sender="s", receiver="r", instance_identifier="7")
    document = write_capture_document([view(1)], form="json-2.0", created=CREATED, header=header)
    found = json.loads(document)
    assert (found["sender"], found["receiver"], found["instanceIdentifier"]) == ("s", "r", "7")
    assert not [e for e in parse_document(document).events if isinstance(e, Exception)]


def test_events_of_several_contexts_keep_their_own() -> None:
    views = [view(1), view(2, OWN, **{"ext:note": "x"})]
    document = json.loads(write_capture_document(views, form="json-2.0", created=CREATED))
    assert document["@context"] == STANDARD_CONTEXT
    assert document["epcisBody"]["eventList"] == views


@pytest.mark.parametrize("form", ["json-2.0", "xml-2.0", "xml-1.2"])
def test_an_event_alone_is_read_back_as_the_same(form: Form) -> None:
    given = view(1, OWN, **{"ext:note": "x"})
    written = write_event(given, form=form)
    (before,) = parse_document(json.dumps(given).encode()).events
    (after,) = parse_document(written, media_type=MEDIA_TYPES[form]).events
    assert not isinstance(before, Exception)
    assert not isinstance(after, Exception)
    assert after.event_hash == before.event_hash


def test_no_part_of_a_context_stands_twice_and_the_last_definition_holds() -> None:
    one, other = {"ext": "https://one.example/"}, {"ext": "https://other.example/"}
    given = [*CONTEXT, one, other, *CONTEXT, one]
    assert distinct_context(given) == [*CONTEXT, other, one]
    assert distinct_context(CONTEXT[0]) == CONTEXT[0]
    meanings = [read_context(each).own_namespaces for each in (given, distinct_context(given))]
    assert meanings[0] == meanings[1] == one


def test_no_events_have_the_standard_context() -> None:
    assert common_context([]) == STANDARD_CONTEXT


@pytest.mark.parametrize(
    "views", [[], [view(1), view(2)], [view(1), view(2, OWN, **{"ext:note": "x"})]]
)
def test_json_is_what_gs1s_schema_has(views: list[dict[str, Any]], shared: Path) -> None:
    schema = json.loads((shared / "standards" / "epcis-2.0-json-schema.json").read_bytes())
    header = Header(sender="urn:a:b", receiver="urn:c:d", instance_identifier="1")
    validator = jsonschema_rs.validator_for(schema)
    for document in (
        write_capture_document(views, form="json-2.0", created=CREATED, header=header),
        write_query_document(views, form="json-2.0", query_name="q", created=CREATED),
    ):
        validator.validate(json.loads(document))


@pytest.mark.parametrize("form", ["json-2.0", "xml-2.0", "xml-1.2"])
def test_a_document_is_the_same_written_piece_by_piece(form: Form) -> None:
    views = [view(n) for n in range(3)]
    frame = capture_frame(form, created=CREATED, context=CONTEXT)
    pieces = frame.between.join(encode_view(each, frame) for each in views)
    assert frame.opening + pieces + frame.closing == write_capture_document(
        views, form=form, created=CREATED
    )


PACK, PACK_LINK = "urn:epc:id:sgtin:4012345.011111.1", "https://id.gs1.org/01/04012345111118/21/1"
PLACE, PLACE_LINK = "urn:epc:id:sgln:4012345.00001.0", "https://id.gs1.org/414/4012345000016"
CLASS, CLASS_LINK = (
    "urn:epc:class:lgtin:4012345.011111.A",
    "https://id.gs1.org/01/04012345111118/10/A",
)
ASSET, ASSET_LINK = "urn:epc:id:giai:4012345.9", "https://id.gs1.org/8004/40123459"


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("epcList", [PACK, "urn:uuid:1"], [PACK_LINK, "urn:uuid:1"]),
        ("childEPCs", [PACK], [PACK_LINK]),
        ("inputEPCList", [PACK], [PACK_LINK]),
        ("outputEPCList", [PACK], [PACK_LINK]),
        ("parentID", PACK, PACK_LINK),
        ("transformationID", ASSET, ASSET_LINK),
        *(
            (name, [{"epcClass": CLASS, "quantity": 1}], [{"epcClass": CLASS_LINK, "quantity": 1}])
            for name in ("quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList")
        ),
        ("readPoint", {"id": PLACE, "ext:a": PLACE}, {"id": PLACE_LINK, "ext:a": PLACE}),
        ("bizLocation", {"id": PLACE}, {"id": PLACE_LINK}),
        (
            "bizTransactionList",
            [{"type": "po", "bizTransaction": ASSET}],
            [{"type": "po", "bizTransaction": ASSET_LINK}],
        ),
        (
            "sourceList",
            [{"type": "location", "source": PLACE}],
            [{"type": "location", "source": PLACE_LINK}],
        ),
        (
            "destinationList",
            [{"type": "location", "destination": PLACE}],
            [{"type": "location", "destination": PLACE_LINK}],
        ),
        (
            "sensorElementList",
            [
                {
                    "sensorMetadata": {"deviceID": ASSET, "deviceMetadata": ASSET},
                    "sensorReport": [{"type": "Temperature", "deviceID": ASSET}],
                },
                {"sensorReport": [{"type": "Temperature", "rawData": ASSET}]},
            ],
            [
                {
                    "sensorMetadata": {"deviceID": ASSET_LINK, "deviceMetadata": ASSET},
                    "sensorReport": [{"type": "Temperature", "deviceID": ASSET_LINK}],
                },
                {"sensorReport": [{"type": "Temperature", "rawData": ASSET}]},
            ],
        ),
        ("eventID", PACK, PACK),
        ("ext:a", PACK, PACK),
        ("ilmd", {"ext:a": PACK}, {"ext:a": PACK}),
    ],
)  # fmt: skip
def test_identifiers_are_translated_where_the_standard_has_them(
    field: str, value: Any, expected: Any
) -> None:
    given = {"type": "ObjectEvent", field: value}
    before = copy.deepcopy(given)
    assert translate(given, to_digital_link) == {"type": "ObjectEvent", field: expected}
    assert given == before


def test_a_wrong_check_digit_is_not_mended_on_the_way() -> None:
    prefixes = CompanyPrefixes({"4": 7})
    right, wrong = PACK_LINK, PACK_LINK.replace("04012345111118", "04012345111119")
    found = translate({"epcList": [right, wrong]}, lambda i: to_urn(i, prefixes) or i)
    assert found == {"epcList": [PACK, wrong]}


def test_what_a_list_names_in_both_forms_is_translated_to_one() -> None:
    found = translate({"epcList": [PACK, PLACE, PACK_LINK]}, to_digital_link)
    assert found == translate({"epcList": [PACK, PLACE]}, to_digital_link)


def test_translation_does_not_change_the_event_hash() -> None:
    fields = {
        "readPoint": {"id": PLACE},
        "quantityList": [{"epcClass": CLASS, "quantity": 1}],
        "sourceList": [{"type": "location", "source": PLACE}],
        "bizTransactionList": [{"type": "po", "bizTransaction": ASSET}],
    }
    given = view(1, **fields)
    documents = [
        write_capture_document([each], form="json-2.0", created=CREATED)
        for each in (given, translate(given, to_digital_link))
    ]
    recorded = [parse_document(each).events[0] for each in documents]
    hashes = [r.event_hash for r in recorded if not isinstance(r, Exception)]
    assert len(hashes) == 2
    assert hashes[0] == hashes[1]
