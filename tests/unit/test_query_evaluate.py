"""Which events a query asks for, parameter by parameter, told of single events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from capture_events import event, pack
from sealtrail.epcis import RecordedEvent, parse_document
from sealtrail.epcis.query import EventFilter, Has, filter_of_query, matches, parse_filter, resolved
from sealtrail.epcis.query.evaluate import DESCRIBED_MAX
from sealtrail.errors import InputError, TooLargeError

CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"ex": "https://example.com/ns/"},
]
PREFIXES = {"ex": "https://example.com/ns/", "other": "https://example.com/other/"}
FULL = {
    **event(1, eventID="urn:uuid:1", recordTime=None),
    "bizTransactionList": [
        {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000016:1"},
        {"bizTransaction": "urn:x:untyped"},
    ],
    "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00001"}],
    "destinationList": [{"type": "location", "destination": "https://id.gs1.org/414/4012345000023"}],
    "persistentDisposition": {"set": ["completeness_verified"], "unset": ["damaged"]},
    "quantityList": [
        {"epcClass": "urn:epc:class:lgtin:4012345.011111.L1", "quantity": 2.5, "uom": "KGM"},
        {"epcClass": "urn:epc:idpat:sgtin:4012345.022222.*", "quantity": 100},
    ],
    "ilmd": {"cbvmda:lotNumber": "007", "cbvmda:itemExpirationDate": "2027-05-31", "ex:deep": {"ex:in": 5}},
    "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0", "ex:gate": "north"},
    "errorDeclaration": {
        "declarationTime": "2026-03-02T10:00:00Z",
        "reason": "incorrect_data",
        "correctiveEventIDs": ["urn:uuid:2"],
        "ex:by": "me",
    },
    "sensorElementList": [
        {
            "sensorMetadata": {"startTime": "2026-03-01T08:00:00Z", "bizRules": "urn:x:rule", "ex:m": 1},
            "sensorReport": [
                {"type": "Temperature", "value": 8.5, "uom": "CEL", "deviceID": "urn:epc:id:giai:4012345.d1"},
                {"type": "RelativeHumidity", "maxValue": 12.1, "uom": "A93", "ex:r": "x", "booleanValue": True},
                {"type": "Illuminance", "percRank": 95, "hexBinaryValue": "f0a9", "stringValue": "bright"},
            ],
            "ex:e": {"ex:in": "y"},
        }
    ],
    "ex:number": 7.0,
    "ex:text": "007",
    "ex:several": ["a", "b"],
    "ex:moment": "2026-03-01T12:00:00+02:00",
    "ex:outer": {"ex:in": "z", "bare": "w"},
}  # fmt: skip


def recorded(fields: dict[str, Any]) -> RecordedEvent:
    document = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-03-03T00:00:00Z",
        "epcisBody": {"eventList": [fields]},
    }
    (found,) = parse_document(json.dumps(document).encode()).events
    assert isinstance(found, RecordedEvent), found
    return found


def asks_for(name: str, value: str, fields: dict[str, Any] = FULL) -> bool:
    return matches(parse_filter({name: value}, prefixes=PREFIXES), recorded(fields), 5)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EQ_bizTransaction_po", "urn:epcglobal:cbv:bt:4012345000016:1", True),
        ("EQ_bizTransaction_inv", "urn:epcglobal:cbv:bt:4012345000016:1", False),
        ("EQ_source_owning_party", "https://id.gs1.org/417/4012345000016", True),
        ("EQ_source_location", "https://id.gs1.org/414/4012345000023", False),
        ("EQ_destination_location", "urn:epc:id:sgln:4012345.00002.0", True),
        ("EQ_persistentDisposition_set", "completeness_verified", True),
        ("EQ_persistentDisposition_set", "damaged", False),
        ("EQ_persistentDisposition_unset", "cbv:Disp-damaged", True),
        ("EQ_quantity", "100", True),
        ("EQ_quantity", "2.50", True),
        ("GT_quantity", "100", False),
        ("GE_quantity", "100", True),
        ("LT_quantity", "2.5", False),
        ("EQ_quantity_GRM", "2500", True),
        ("EQ_quantity_LTR", "2.5", False),
        ("MATCH_epcClass", "https://id.gs1.org/01/04012345111118/10/L1", True),
        ("MATCH_epcClass", "urn:epc:idpat:sgtin:4012345.022222.*", True),
        ("MATCH_epcClass", "urn:epc:idpat:sgtin:4012345.*.*", True),
        ("MATCH_epcClass", "urn:epc:idpat:sgtin:4012345.011111.*", False),
        ("MATCH_epc", "urn:epc:idpat:sgtin:4012345.011111.*", True),
        ("MATCH_epc", "urn:epc:idpat:sgtin:401234.*.*", True),  # digits; a link tells no more
        ("MATCH_epc", "urn:epc:idpat:sgtin:5012345.*.*", False),
        ("MATCH_parentID", "urn:epc:idpat:sgtin:4012345.011111.*", False),
        ("EQ_ILMD_cbvmda:lotNumber", "007", True),
        ("EQ_ILMD_cbvmda:lotNumber", "7", False),
        ("EQ_ILMD_urn:epcglobal:cbv:mda#lotNumber", "007", True),
        ("LT_ILMD_cbvmda:itemExpirationDate", "2027-06-01", True),
        ("LT_ILMD_cbvmda:itemExpirationDate", "2027-05-31", False),
        ("EQ_ILMD_ex:in", "5", False),
        ("EQ_INNER_ILMD_ex:in", "5", True),
        ("GE_INNER_ILMD_ex:in", "5.0", True),
        ("EXISTS_ILMD_ex:deep", "", True),
        ("EXISTS_ILMD_ex:in", "", False),
        ("EXISTS_INNER_ILMD_ex:in", "", True),
        ("EQ_readPoint_ex:gate", "north|south", True),
        ("EQ_readPoint_ex:gate", "south", False),
        ("EXISTS_errorDeclaration", "true", True),
        ("GE_errorDeclarationTime", "2026-03-02T11:00:00+01:00", True),
        ("LT_errorDeclaration_Time", "2026-03-02T10:00:00Z", False),
        ("EQ_errorReason", "incorrect_data", True),
        ("EQ_correctiveEventID", "urn:uuid:2", True),
        ("EQ_ERROR_DECLARATION_ex:by", "me", True),
        ("EQ_ex:by", "me", False),
        ("EXISTS_sensorElementList", "", True),
        ("EQ_type", "Temperature", True),
        ("EQ_type", "https://gs1.org/voc/Temperature", True),
        ("EQ_deviceID", "https://id.gs1.org/8004/4012345d1", True),
        ("EQ_bizRules", "urn:x:rule", True),
        ("EQ_stringValue", "bright", True),
        ("EQ_booleanValue", "true", True),
        ("EQ_booleanValue", "false", False),
        ("EQ_hexBinaryValue", "F0A9", True),
        ("GE_value_CEL", "8.5", True),
        ("GT_value_CEL", "8.5", False),
        ("EQ_value_FAH", "47.3", True),
        ("EQ_value_KEL", "281.65", True),
        ("EQ_maxValue_KMQ", "0.0121", True),
        ("GE_maxValue_CEL", "0", False),
        ("GE_percRank", "90", True),
        ("LT_startTime", "2026-03-01T08:00:00Z", False),
        ("GE_startTime", "2026-03-01T08:00:00Z", True),
        ("EXISTS_SENSORELEMENT_ex:e", "", True),
        ("EXISTS_SENSORELEMENT_ex:r", "", False),
        ("EQ_INNER_SENSORELEMENT_ex:in", "y", True),
        ("EQ_SENSORMETADATA_ex:m", "1.0", True),
        ("EQ_SENSORREPORT_ex:r", "x", True),
        ("EQ_ex:number", "7", True),
        ("GT_ex:number", "6.99", True),
        ("EQ_ex:text", "7", False),
        ("GT_ex:text", "6", False),  # a text such as a lot number is no number
        ("EQ_ex:several", "b", True),
        ("EQ_ex:moment", "2026-03-01T10:00:00Z", True),
        ("LE_ex:moment", "2026-03-01T10:00Z", True),
        ("EQ_other:text", "007", False),
        ("EXISTS_ex:outer", "", True),
        ("EQ_INNER_ex:in", "z", True),
        ("EQ_INNER_bare", "w", True),
        ("EQ_INNER_ex:text", "007", False),
    ],
)  # fmt: skip
def test_an_event_is_asked_for(name: str, value: str, expected: bool) -> None:
    assert asks_for(name, value) is expected


TRANSFORMATION = {
    "type": "TransformationEvent",
    "transformationID": "urn:epc:id:gdti:4012345.00001.1",
    "inputEPCList": [pack(1)],
    "outputEPCList": [pack(2)],
    "outputQuantityList": [{"epcClass": "urn:epc:class:lgtin:4012345.011111.L1"}],
    "eventTime": "2026-03-04T10:00:00.000Z",
    "eventTimeZoneOffset": "+01:00",
}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("EQ_transformationID", "https://id.gs1.org/253/40123450000161", True),
        ("EQ_action", "ADD|OBSERVE|DELETE", False),  # it has none
        ("MATCH_inputEPC", "urn:epc:idpat:sgtin:4012345.011111.*", True),
        ("MATCH_outputEPC", pack(1), False),
        ("MATCH_anyEPC", pack(2), True),
        ("MATCH_epc", pack(2), False),
        ("MATCH_outputEPCClass", "urn:epc:class:lgtin:4012345.011111.*", True),
        ("GE_quantity", "0", False),  # of an amount that is not said
    ],
)
def test_a_transformation_is_asked_for(name: str, value: str, expected: bool) -> None:
    assert asks_for(name, value, TRANSFORMATION) is expected


def test_every_condition_must_hold() -> None:
    query = "EQ_type=Temperature&GE_value_CEL=8&EQ_ILMD_cbvmda%3AlotNumber=007"
    assert matches(filter_of_query(query), recorded(FULL), 5)
    assert not matches(
        filter_of_query(query + "&GE_value_CEL=9".replace("GE", "GT")), recorded(FULL), 5
    )


class Described:
    """Master data of one hospital: wards in a building."""

    within = {"https://id.gs1.org/414/4012345000023": ["https://id.gs1.org/414/4012345000016"]}  # noqa: RUF012

    def descendants(self, identifier: str) -> Iterable[str]:
        return self.within.get(identifier, [])

    def with_attribute(self, attribute: str, values: tuple[str, ...]) -> Iterable[str]:
        if attribute == "city" and (not values or "Köln" in values):
            return ["https://id.gs1.org/414/4012345000016"]
        return []


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("WD_readPoint", "urn:epc:id:sgln:4012345.00002.0", True),
        ("WD_readPoint", "urn:epc:id:sgln:4012345.00001.0", True),
        ("WD_readPoint", "urn:epc:id:sgln:4012345.00003.0", False),
        ("WD_bizLocation", "urn:epc:id:sgln:4012345.00002.0", False),
        ("HASATTR_readPoint", "city", True),
        ("HASATTR_readPoint", "country", False),
        ("EQATTR_readPoint_city", "Bonn|Köln", True),
        ("EQATTR_readPoint_city", "Bonn", False),
        ("HASATTR_epcClass", "city", False),
    ],
)
def test_master_data_says_where_a_place_lies(name: str, value: str, expected: bool) -> None:
    wanted = parse_filter({name: value})
    assert wanted.needs_master_data
    assert matches(resolved(wanted, Described()), recorded(FULL), 5) is expected
    with pytest.raises(InputError) as caught:
        matches(wanted, recorded(FULL), 5)
    assert caught.value.code == "query_needs_master_data"


def test_a_place_of_too_many_places_is_refused() -> None:
    class Endless(Described):
        def descendants(self, identifier: str) -> Iterable[str]:
            return map(str, range(DESCRIBED_MAX + 1))

    with pytest.raises(TooLargeError) as caught:
        resolved(parse_filter({"WD_readPoint": "urn:x:all"}), Endless())
    assert caught.value.code == "query_too_complex"


def test_a_query_without_master_data_is_resolved_as_it_is() -> None:
    wanted = EventFilter(conditions=(Has("bizStep", ("shipping",)),))
    assert resolved(wanted, Described()) is wanted
