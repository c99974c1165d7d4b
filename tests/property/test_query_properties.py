"""One language, two answers: what the store's indexes find is what the evaluator says of each event."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealtrail.epcis import RecordedEvent, parse_document
from sealtrail.epcis.query import EventFilter, matches, parse_query_object
from sealtrail.services.recording.drafts import event_row
from sealtrail.store import event_query
from sealtrail.store.contents import encode_content
from sealtrail.store.event_query import Position, count_events, find_rows, order_of
from sealtrail.store.events import insert_events
from sealtrail.store.migrate import migrate

MEMBER = b"\x01" * 20
TIMES = ["2026-03-01T10:00:00Z", "2026-03-01T12:00:00+02:00", "2026-03-02T09:30:00.250Z"]
STEPS = ["shipping", "receiving", "https://example.com/steps/own"]
PLACES = ["urn:epc:id:sgln:4012345.00001.0", "https://id.gs1.org/414/4012345000023", "urn:x:dock"]
PACKS = [
    "urn:epc:id:sgtin:4012345.011111.1",
    "https://id.gs1.org/01/04012345111118/21/2",
    "urn:epc:id:sgtin:4012345.022222.1",
    "urn:epc:id:sscc:4012345.1234567890",
    "urn:x:thing",
]
CLASSES = ["urn:epc:class:lgtin:4012345.011111.L1", "urn:epc:idpat:sgtin:4012345.011111.*"]
TEXTS = ["a", "b", "007", "7", "2026-03-01", "2026-03-01T10:00:00Z"]
NUMBERS = [0, 7, -3, 7.5, 281.15, 1e-7, 3_000_000_000]
UNITS = ["CEL", "FAH", "KEL", "KGM", "GRM", "XYZ"]
CONTEXT = [
    "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
    {"ex": "https://example.com/ns/"},
]


def one_of(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def some(values: list[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    return st.lists(one_of(values), min_size=1, max_size=most, unique=True)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


VALUES = one_of(TEXTS) | one_of(NUMBERS)
EXTENSION = (
    VALUES | st.lists(VALUES, min_size=1, max_size=2) | st.fixed_dictionaries({"ex:in": VALUES})
)
REPORT = st.fixed_dictionaries(
    {"type": one_of(["Temperature", "Mass"])},
    optional={
        "value": one_of(NUMBERS),
        "maxValue": one_of(NUMBERS),
        "percRank": one_of([1, 50]),
        "uom": one_of(UNITS),
        "deviceID": one_of(["urn:epc:id:giai:4012345.d1", "https://id.gs1.org/8004/4012345d2"]),
        "stringValue": one_of(TEXTS),
        "booleanValue": st.booleans(),
        "hexBinaryValue": one_of(["0a", "0A", "FF"]),
        "ex:f": VALUES,
    },
)
SENSOR = st.fixed_dictionaries(
    {"sensorReport": st.lists(REPORT, min_size=1, max_size=2)},
    optional={
        "sensorMetadata": optional(startTime=one_of(TIMES), bizRules=one_of(["urn:x:r"])),
        "ex:f": EXTENSION,
    },
)
QUANTITY = st.fixed_dictionaries(
    {"epcClass": one_of(CLASSES)},
    optional={"quantity": one_of([1, 7, 7.5]), "uom": one_of(["KGM", "GRM"])},
)
DECLARATION = st.fixed_dictionaries(
    {"declarationTime": one_of(TIMES)},
    optional={
        "reason": one_of(["did_not_occur", "incorrect_data"]),
        "correctiveEventIDs": some(["urn:x:e1", "urn:x:e2"]),
        "ex:f": EXTENSION,
    },
)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "bizStep": one_of(STEPS),
    "disposition": one_of(["in_transit", "active"]),
    "persistentDisposition": optional(set=some(["damaged"]), unset=some(["active"])).filter(bool),
    "readPoint": st.fixed_dictionaries({"id": one_of(PLACES)}, optional={"ex:f": EXTENSION}),
    "bizLocation": st.fixed_dictionaries({"id": one_of(PLACES)}),
    "bizTransactionList": st.lists(
        st.fixed_dictionaries(
            {"bizTransaction": one_of(["urn:x:po1", "urn:x:po2"])},
            optional={"type": one_of(["po", "inv"])},
        ),
        min_size=1,
        max_size=2,
    ),
    "sourceList": st.lists(
        st.fixed_dictionaries({"type": one_of(["owning_party"]), "source": one_of(PLACES)}),
        min_size=1,
        max_size=1,
    ),
    "sensorElementList": st.lists(SENSOR, min_size=1, max_size=2),
    "errorDeclaration": DECLARATION,
    "ex:f": EXTENSION,
    "ex:g": EXTENSION,
}
OBJECTS = st.fixed_dictionaries(
    {
        "type": st.just("ObjectEvent"),
        "eventTime": one_of(TIMES),
        "eventTimeZoneOffset": st.just("+00:00"),
        "action": st.just("ADD"),
        "epcList": some(PACKS, 3),
    },
    optional={
        **COMMON,
        "quantityList": st.lists(QUANTITY, min_size=1, max_size=2),
        "ilmd": st.fixed_dictionaries({"cbvmda:lotNumber": one_of(TEXTS), "ex:f": EXTENSION}),
    },
)
AGGREGATIONS = st.fixed_dictionaries(
    {
        "type": st.just("AggregationEvent"),
        "eventTime": one_of(TIMES),
        "eventTimeZoneOffset": st.just("+00:00"),
        "action": one_of(["ADD", "DELETE"]),
        "parentID": one_of(PACKS),
        "childEPCs": some(PACKS, 2),
    },
    optional=COMMON,
)
NAMES = ["ex:f", "ex:g", "https://example.com/ns#f"]
PLACE_FAMILIES = [
    "",
    "ILMD_",
    "readPoint_",
    "ERROR_DECLARATION_",
    "SENSORELEMENT_",
    "SENSORREPORT_",
]
PATTERNS = [
    *PACKS,
    "urn:epc:idpat:sgtin:4012345.011111.*",
    "urn:epc:idpat:sgtin:4012345.*.*",
    "urn:epc:idpat:sgtin:*.*.*",
    "urn:epc:idpat:sscc:4012345.*",
]
SCALAR = VALUES


def extension_parameters() -> dict[str, st.SearchStrategy[Any]]:
    found: dict[str, st.SearchStrategy[Any]] = {}
    for family in PLACE_FAMILIES:
        for name in NAMES:
            found[f"EQ_{family}{name}"] = st.lists(one_of(TEXTS), min_size=1, max_size=2) | one_of(
                NUMBERS
            )
            found[f"EQ_INNER_{family}ex:in"] = SCALAR
            found[f"EXISTS_{family}{name}"] = st.none()
            found[f"GT_{family}{name}"] = one_of(NUMBERS) | one_of(TIMES)
            found[f"LE_{family}{name}"] = one_of(NUMBERS) | one_of(TIMES)
    return found


PARAMETERS: dict[str, st.SearchStrategy[Any]] = {
    "eventType": some(["ObjectEvent", "AggregationEvent", "TransformationEvent"]),
    "GE_eventTime": one_of(TIMES),
    "LT_eventTime": one_of(TIMES),
    "GE_recordTime": one_of(["1970-01-01T00:00:00.003Z", "1970-01-01T00:00:00.007Z"]),
    "LT_recordTime": one_of(["1970-01-01T00:00:00.005Z"]),
    "EQ_action": some(["ADD", "DELETE"]),
    "EQ_bizStep": some([*STEPS, "urn:epcglobal:cbv:bizstep:shipping", "other"]),
    "EQ_disposition": some(["in_transit", "active"]),
    "EQ_persistentDisposition_set": some(["damaged", "active"]),
    "EQ_persistentDisposition_unset": some(["damaged", "active"]),
    "EQ_readPoint": some([*PLACES, "https://id.gs1.org/414/4012345000016"]),
    "EQ_bizLocation": some(PLACES),
    "EQ_bizTransaction_po": some(["urn:x:po1", "urn:x:po2"]),
    "EQ_source_owning_party": some(PLACES),
    "MATCH_epc": some(PATTERNS),
    "MATCH_parentID": some(PATTERNS),
    "MATCH_anyEPC": some(PATTERNS),
    "MATCH_epcClass": some([*CLASSES, "urn:epc:idpat:sgtin:4012345.*.*"]),
    "EQ_quantity": st.lists(one_of([1, 7, 7.5]), min_size=1, max_size=2),
    "GT_quantity": one_of([1, 7]),
    "GE_quantity_GRM": one_of([1, 7000]),
    "EXISTS_errorDeclaration": st.none(),
    "GE_errorDeclaration_Time": one_of(TIMES),
    "EQ_errorReason": some(["did_not_occur"]),
    "EQ_correctiveEventID": some(["urn:x:e1"]),
    "EXISTS_sensorElementList": st.none(),
    "EQ_type": some(["Temperature"]),
    "EQ_deviceID": some(["https://id.gs1.org/8004/4012345d1"]),
    "EQ_stringValue": some(TEXTS),
    "EQ_booleanValue": st.booleans(),
    "EQ_hexBinaryValue": some(["0A"]),
    "GE_value_CEL": one_of([-3, 7, 8]),
    "LT_value_FAH": one_of([7, 46.4]),
    "EQ_maxValue_KGM": st.lists(one_of([7, 0.007]), min_size=1, max_size=1),
    "GE_percRank": one_of([2]),
    "GE_startTime": one_of(TIMES),
    "LT_startTime": one_of(TIMES),
    **extension_parameters(),
}
ORDERS = st.fixed_dictionaries(
    {},
    optional={
        "orderBy": one_of(["eventTime", "recordTime", "ex:f"]),
        "orderDirection": one_of(["ASC", "DESC"]),
    },
)


@st.composite
def queries(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(one_of(sorted(PARAMETERS)), max_size=3, unique=True))
    return {"@context": CONTEXT, **{name: draw(PARAMETERS[name]) for name in names}, **draw(ORDERS)}


def recorded(events: list[dict[str, Any]]) -> list[RecordedEvent]:
    document = {
        "@context": CONTEXT,
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-03-03T00:00:00Z",
        "epcisBody": {"eventList": events},
    }
    found = parse_document(json.dumps(document).encode()).events
    return [each for each in found if isinstance(each, RecordedEvent)]


def store(connection: sqlite3.Connection, events: list[RecordedEvent]) -> None:
    rows = [
        event_row(
            each,
            member=n.to_bytes(20, "big"),
            content=encode_content(each.content),
            record_time_ms=n,
        )
        for n, each in enumerate(events)
    ]
    insert_events(connection, [(n.to_bytes(32, "big"), None, row) for n, row in enumerate(rows)])


def paged(connection: sqlite3.Connection, wanted: EventFilter, size: int) -> Iterator[int]:
    after: Position | None = None
    while page := find_rows(connection, wanted, after=after, limit=size):
        yield from (position.row for position in page)
        after = page[-1]


@pytest.fixture(params=["gathered", "walked"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Few events are gathered; with these limits the same few are walked to, as very many would be."""
    if request.param == "walked":
        monkeypatch.setattr(event_query, "_COUNTED_FIRST", 0)
        monkeypatch.setattr(event_query, "COUNTED_MAX", 0)
        monkeypatch.setattr(event_query, "GATHERED_MAX", 0)
        monkeypatch.setattr(event_query, "_STRETCH_ROWS", 3)
    return str(request.param)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=st.lists(OBJECTS | AGGREGATIONS, min_size=1, max_size=12),
    asked=st.lists(queries(), min_size=1, max_size=6),
)
def test_the_store_finds_what_the_evaluator_says(
    way: str, events: list[dict[str, Any]], asked: list[dict[str, Any]]
) -> None:
    values = recorded(events)
    assert len(values) == len(events)
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        store(connection, values)
        for query in asked:
            wanted = parse_query_object(query)
            expected = [n + 1 for n, each in enumerate(values) if matches(wanted, each, n)]
            found = list(paged(connection, wanted, 3))
            assert sorted(found) == expected, query
            assert count_events(connection, wanted, limit=100) == len(expected)
            check_order(wanted, found, values)


def check_order(wanted: EventFilter, found: list[int], values: list[RecordedEvent]) -> None:
    keys = {
        "arrival": lambda row: row,
        "recordTime": lambda row: row,
        "eventTime": lambda row: values[row - 1].event.event_time.epoch_us,
    }
    key = keys.get(order_of(wanted))
    if key is not None:
        ordered = [key(row) for row in found]
        assert ordered == sorted(ordered, reverse=wanted.descending)
