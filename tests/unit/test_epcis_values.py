"""Events as values: what was recorded, in the standard's words, wherever it stood."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from sealtrail.epcis import ItemMention, RecordedEvent, parse_document, read_content
from sealtrail.epcis.events import (
    AggregationEvent,
    AssociationEvent,
    BizTransaction,
    Extension,
    ObjectEvent,
    QuantityElement,
    SourceDest,
    TransactionEvent,
    TransformationEvent,
)
from sealtrail.errors import InputError, UnsupportedMediaError

GS1 = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"
CONTEXT = [GS1, {"ext": "https://ext.example/"}]
PACK = "urn:epc:id:sgtin:0614141.107346.2018"
PACK_LINK = "https://id.gs1.org/01/10614141073464/21/2018"
TIMES = {"eventTime": "2026-01-31T12:00:00.000+01:00", "eventTimeZoneOffset": "+01:00"}


def recorded(event: dict[str, Any], context: Any = CONTEXT) -> RecordedEvent:
    found = parse_document(json.dumps({"@context": context, **TIMES, **event}).encode()).events[0]
    assert isinstance(found, RecordedEvent), found
    return found


def pack_event(**fields: Any) -> dict[str, Any]:
    return {"type": "ObjectEvent", "action": "ADD", "epcList": [PACK], **fields}


def items(event: dict[str, Any]) -> set[tuple[str, str]]:
    return {(mention.item, mention.place) for mention in recorded(event).items}


def test_times_are_kept_as_recorded_and_as_microseconds() -> None:
    event = recorded(pack_event(eventTime="2026-01-31T12:00:00.1234567+01:00")).event
    assert event.event_time.text == "2026-01-31T12:00:00.1234567+01:00"
    assert event.event_time.epoch_us == 1_769_857_200_123_456


@pytest.mark.parametrize(
    "spelling", ["shipping", "cbv:BizStep-shipping", "https://ref.gs1.org/cbv/BizStep-shipping"]
)
def test_a_standard_word_is_held_bare_in_every_spelling(spelling: str) -> None:
    assert recorded(pack_event(bizStep=spelling)).event.biz_step == "shipping"


def test_the_spellings_of_a_word_have_one_event_hash_and_three_contents() -> None:
    found = [
        recorded(pack_event(bizStep=spelling))
        for spelling in (
            "shipping",
            "cbv:BizStep-shipping",
            "https://ref.gs1.org/cbv/BizStep-shipping",
        )
    ]
    assert len({event.event_hash for event in found}) == 1
    assert len({event.content_hash for event in found}) == 3


def test_a_word_of_ones_own_is_held_as_its_uri() -> None:
    assert (
        recorded(pack_event(bizStep="https://my.example/step")).event.biz_step
        == "https://my.example/step"
    )


def test_an_object_event_holds_all_of_its_parts() -> None:
    event = recorded(
        pack_event(
            quantityList=[{"epcClass": "urn:a:b", "quantity": 2.5, "uom": "KGM"}],
            bizTransactionList=[{"type": "po", "bizTransaction": "urn:p:o"}],
            sourceList=[{"type": "owning_party", "source": "urn:epc:id:pgln:0614141.12345"}],
            readPoint={"id": "urn:r:p", "ext:gate": "7"},
            ilmd={"cbvmda:lotNumber": "L7"},
            persistentDisposition={"set": ["expired"]},
            errorDeclaration={
                "declarationTime": "2026-02-01T00:00:00Z",
                "reason": "incorrect_data",
            },
            certificationInfo="https://c.example/1",
            sensorElementList=[{"sensorReport": [{"type": "Temperature", "value": 4}]}],
            **{"ext:note": ["a", {"ext:b": 1}]},
        )
    ).event
    assert isinstance(event, ObjectEvent)
    assert event.quantity_list == (QuantityElement(epc_class="urn:a:b", quantity="2.5", uom="KGM"),)
    assert event.biz_transaction_list == (BizTransaction(id="urn:p:o", type="po"),)
    assert event.source_list == (
        SourceDest(type="owning_party", id="urn:epc:id:pgln:0614141.12345"),
    )
    assert event.read_point == "urn:r:p"
    assert event.read_point_extensions == (
        Extension(namespace="https://ext.example/", local="gate", text="7"),
    )
    assert event.ilmd == (
        Extension(namespace="urn:epcglobal:cbv:mda", local="lotNumber", text="L7"),
    )
    assert event.error_declaration is not None
    assert event.error_declaration.reason == "incorrect_data"
    assert event.certification_info == ("https://c.example/1",)
    assert event.sensor_element_list[0].reports == ((("type", "Temperature"), ("value", "4")),)
    assert [element.local for element in event.extensions] == ["note", "note"]
    assert event.extensions[1].children[0].text == "1"


def test_a_sensor_report_of_an_exception_needs_no_measurement() -> None:
    report = {"exception": "ERROR_CONDITION", "uriValue": "https://e.example/827"}
    event = recorded(pack_event(sensorElementList=[{"sensorReport": [report]}])).event
    assert isinstance(event, ObjectEvent)
    assert event.sensor_element_list[0].reports == (tuple(report.items()),)


@pytest.mark.parametrize("count", [1, 20])
def test_packs_whose_urns_begin_in_capitals_are_the_same_items(count: int) -> None:
    packs = [f"urn:epc:id:sgtin:0614141.107346.a{n}" for n in range(count)]
    capitals = [pack.replace("urn:epc:id:sgtin", "URN:EPC:ID:SGTIN") for pack in packs]
    ilmd = {"cbvmda:lotNumber": "L7"}
    assert items(pack_event(epcList=capitals, ilmd=ilmd)) == items(
        pack_event(epcList=packs, ilmd=ilmd)
    )


def test_packs_and_the_lot_of_each_are_items_places_and_parties_are_not() -> None:
    event = pack_event(
        epcList=[PACK, "https://x.example/01/00614141073467/10/L8/21/1"],
        ilmd={"cbvmda:lotNumber": "L7"},
        readPoint={"id": "urn:epc:id:sgln:0614141.12345.0"},
        destinationList=[{"type": "location", "destination": "urn:epc:id:sgln:0614141.12345.0"}],
    )
    assert items(event) == {
        (PACK_LINK, "epc"),
        ("https://id.gs1.org/01/00614141073467/21/1", "epc"),
        ("https://id.gs1.org/01/00614141073467/10/L8", "lot"),
        ("https://id.gs1.org/01/10614141073464/10/L7", "lot"),
        ("https://id.gs1.org/01/00614141073467/10/L7", "lot"),
    }


@pytest.mark.parametrize("action", ["OBSERVE", "DELETE"])
def test_master_data_is_taken_with_any_action(action: str) -> None:
    ilmd = {"cbvmda:lotNumber": "L7"}
    event = pack_event(action=action, ilmd=ilmd)
    assert recorded(event).event == msgspec.structs.replace(
        recorded(event | {"action": "ADD"}).event, action=action
    )
    assert items(event) == items(event | {"action": "ADD"})


def test_an_aggregation_names_parent_children_and_classes() -> None:
    event = {
        "type": "AggregationEvent",
        "action": "ADD",
        "parentID": "urn:epc:id:sscc:0614141.1234567890",
        "childEPCs": [PACK, PACK_LINK],
        "childQuantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877"}],
    }
    assert isinstance(recorded(event).event, AggregationEvent)
    assert items(event) == {
        ("https://id.gs1.org/00/106141412345678908", "parent"),
        (PACK_LINK, "epc"),
        ("https://id.gs1.org/01/04012345123456/10/998877", "class"),
    }


def test_a_transformation_names_inputs_outputs_and_the_outputs_lot() -> None:
    event = {
        "type": "TransformationEvent",
        "inputEPCList": ["urn:epc:id:sscc:0614141.1234567890"],
        "inputQuantityList": [{"epcClass": "urn:in:class"}],
        "outputEPCList": [PACK],
        "outputQuantityList": [{"epcClass": "urn:out:class"}],
        "ilmd": {"cbvmda:lotNumber": "L7"},
    }
    assert isinstance(recorded(event).event, TransformationEvent)
    assert items(event) == {
        ("https://id.gs1.org/00/106141412345678908", "input"),
        ("urn:in:class", "input_class"),
        (PACK_LINK, "output"),
        ("urn:out:class", "output_class"),
        ("https://id.gs1.org/01/10614141073464/10/L7", "lot"),
    }


def test_transactions_and_associations_name_their_parents() -> None:
    transaction = {
        "type": "TransactionEvent",
        "action": "ADD",
        "parentID": "urn:p:q",
        "epcList": [PACK],
        "bizTransactionList": [{"bizTransaction": "urn:p:o"}],
    }
    association = {
        "type": "AssociationEvent",
        "action": "DELETE",
        "parentID": "urn:p:q",
    }
    assert isinstance(recorded(transaction).event, TransactionEvent)
    assert isinstance(recorded(association).event, AssociationEvent)
    assert items(transaction) == {("urn:p:q", "parent"), (PACK_LINK, "epc")}
    assert recorded(association).items == (ItemMention("urn:p:q", "parent"),)


def test_record_time_is_no_content() -> None:
    plain = recorded(pack_event())
    timed = recorded(pack_event(recordTime="2026-02-01T00:00:00Z"))
    assert plain.content == timed.content
    assert timed.event.record_time is not None


def test_content_holds_the_context_of_document_and_event() -> None:
    event = {"@context": {"b": "https://b.example/"}, **TIMES, **pack_event(**{"b:x": "1"})}
    body = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-01-01T00:00:00Z",
        "epcisBody": {"eventList": [event]},
    }
    found = parse_document(json.dumps(body).encode()).events[0]
    assert isinstance(found, RecordedEvent)
    assert found.hash_ambiguous == "event_context"
    assert json.loads(found.content)["@context"] == [*CONTEXT, {"b": "https://b.example/"}]
    assert read_content(found.content, found.media_type).event_hash == found.event_hash


def test_a_query_document_is_read_with_its_pointer() -> None:
    body = {
        "@context": CONTEXT,
        "type": "EPCISQueryDocument",
        "epcisBody": {
            "queryResults": {
                "queryName": "q",
                "resultsBody": {"eventList": [{**TIMES, **pack_event()}]},
            }
        },
    }
    found = parse_document(json.dumps(body).encode())
    assert found.type == "EPCISQueryDocument"
    assert isinstance(found.events[0], RecordedEvent)
    assert found.events[0].pointer == "/epcisBody/queryResults/resultsBody/eventList/0"


def test_a_bare_list_is_read_and_an_event_without_context_refused() -> None:
    bare = [{**TIMES, **pack_event()}, {"@context": GS1, **TIMES, **pack_event()}]
    refused, accepted = parse_document(json.dumps(bare).encode()).events
    assert isinstance(refused, InputError)
    assert (refused.code, refused.pointer) == ("field_missing", "/0/@context")
    assert isinstance(accepted, RecordedEvent)


def test_terms_that_are_no_prefixes_are_let_be() -> None:
    context = [
        GS1,
        {"@version": 1.1, "id": "@id", "note": {"@id": "ext:note"}, "ext": "https://e.example/"},
    ]
    event = recorded(pack_event(**{"ext:x": "1"}), context)
    assert event.event.extensions[0].namespace == "https://e.example/"


def test_content_that_is_not_canonical_is_refused() -> None:
    content = recorded(pack_event()).content
    with pytest.raises(InputError) as caught:
        read_content(content.replace(b',"', b', "', 1), "application/ld+json")
    assert caught.value.code == "content_not_canonical"


def test_content_of_another_media_type_is_refused() -> None:
    with pytest.raises(UnsupportedMediaError):
        read_content(b"event", "text/plain")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"eventTime": "2026-01-31T12:00:00.1234Z"}, "time_fraction"),
        ({"bizTransactionList": [{"bizTransaction": "urn:p:o"}]}, "biz_transaction_without_type"),
        ({"h:x": "y"}, "extension_namespace"),
        ({"readPoint": {"id": "urn:a:b", "h:x": "y"}}, "field_extension_namespace"),
        ({"ilmd": {"cbvmda:lotNumber": "007"}}, "numeric_text"),
        ({"bizStep": "shipping", "ext:x": "shipping"}, "vocabulary_word_in_text"),
        ({"eventTime": "2026-01-31T12:00:00.1234Z", "h:x": "007"}, "time_fraction,extension_namespace,numeric_text"),
        ({"ilmd": {"cbvmda:lotNumber": "L7"}, "ext:x": "7"}, None),
    ],
)  # fmt: skip
def test_what_the_standard_leaves_open_is_accepted_and_marked(
    fields: dict[str, Any], reason: str | None
) -> None:
    context = [*CONTEXT, {"h": "https://h.example/v#"}]
    assert recorded(pack_event(**fields), context).hash_ambiguous == reason


@pytest.mark.parametrize(
    "text",
    ["1E-999999999", "1E999999999", "0E-99999999", "9" * 10_000, "NaN", "sNaN", "_", "٣", "²"],
)
def test_text_that_looks_like_an_outrageous_number_harms_nobody(text: str) -> None:
    assert recorded(pack_event(**{"ext:x": text})).event_hash


def test_a_zero_below_zero_is_hashed_as_its_content_has_it() -> None:
    quantity = [{"epcClass": "urn:epc:class:lgtin:4012345.011111.A", "quantity": -0.0}]
    event = recorded(pack_event(quantityList=quantity, **{"ext:level": -0.0}))
    assert read_content(event.content, event.media_type).event_hash == event.event_hash
