"""Queries as clients write them: every parameter of the standard, both spellings, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from sealtrail.epcis.query import (
    AnyOf,
    Compared,
    EventFilter,
    Has,
    ItemMatch,
    Pattern,
    TimeRange,
    WithAttribute,
    WithId,
    Within,
    filter_of_query,
    parse_extensions,
    parse_filter,
    parse_query_object,
)
from sealtrail.errors import InputError

SCHEMA = Path(__file__).resolve().parents[3] / "shared/standards/epcis-2.0-query-schema.json"
OPENAPI = Path(__file__).resolve().parents[3] / "shared/standards/epcis-2.0-openapi.json"
F = "https://example.com/ns#f"
LOTS = "urn:epcglobal:cbv:mda"
NS = {"ex": "https://example.com/ns/"}
PLACE = "urn:epc:id:sgln:4012345.00001.0"
CANONICAL_PLACE = "https://id.gs1.org/414/4012345000016"
TIME = "2026-03-01T10:00:00Z"
TIME_US = 1_772_359_200_000_000


def condition(name: str, value: str) -> Any:
    (found,) = parse_filter({name: value}, prefixes=NS).conditions
    return found


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("eventType", "ObjectEvent|AggregationEvent", Has("eventType", ("ObjectEvent", "AggregationEvent"))),
        ("eventType", "https://example.com/OwnEvent", Has("eventType", ("https://example.com/OwnEvent",))),
        ("EQ_action", "ADD", Has("action", ("ADD",))),
        ("EQ_bizStep", "cbv:BizStep-shipping", Has("bizStep", ("shipping",))),
        ("EQ_bizStep", "urn:epcglobal:cbv:bizstep:shipping|shipping", Has("bizStep", ("shipping",))),
        ("EQ_persistentDisposition_set", "damaged", Has("persistentDisposition_set", ("damaged",))),
        ("EQ_readPoint", PLACE, Has("readPoint", (CANONICAL_PLACE,))),
        ("WD_bizLocation", PLACE, Within("bizLocation", (CANONICAL_PLACE,))),
        ("EQ_bizTransaction_po", "urn:x:1", Has("bizTransaction_po", ("urn:x:1",))),
        ("EQ_bizTransaction_urn:epcglobal:cbv:btt:po", "urn:x:1", Has("bizTransaction_po", ("urn:x:1",))),
        ("EQ_source_owning_party", PLACE, Has("source_owning_party", (CANONICAL_PLACE,))),
        ("EQ_destination_https://x.example/t_y", PLACE, Has("destination_https://x.example/t_y", (CANONICAL_PLACE,))),
        ("EQ_eventID", "urn:uuid:1|urn:uuid:2", WithId(("urn:uuid:1", "urn:uuid:2"))),
        ("EXISTS_errorDeclaration", "true", Has("errorDeclaration")),
        ("EXISTS_errorDeclaration", "", Has("errorDeclaration")),
        ("GE_errorDeclarationTime", TIME, Compared("errorDeclarationTime", "time", "ge", TIME_US)),
        ("GE_errorDeclaration_Time", TIME, Compared("errorDeclarationTime", "time", "ge", TIME_US)),
        ("LT_errorDeclaration_Time", TIME, Compared("errorDeclarationTime", "time", "lt", TIME_US)),
        ("EQ_errorReason", "urn:epcglobal:cbv:er:incorrect_data", Has("errorReason", ("incorrect_data",))),
        ("GE_eventTime", TIME, TimeRange(of="eventTime", start=TIME_US)),
        ("GE_eventTime", "2026-03-01T12:00+02:00", TimeRange(of="eventTime", start=TIME_US)),
        ("LT_recordTime", "2026-03-01T10:00:00.0005Z", TimeRange(of="recordTime", end=TIME_US // 1000 + 1)),
        ("GT_quantity", "5.0", Compared("quantity", "number", "gt", 5)),
        (
            "EQ_quantity",
            "5|6.5",
            AnyOf((Compared("quantity", "number", "eq", 5), Compared("quantity", "number", "eq", 6.5))),
        ),
        ("LE_quantity_GRM", "5000", Compared("quantity_kg", "number", "le", 5)),
        ("GE_value_CEL", "8", Compared("value_K", "number", "ge", 281.15)),
        ("GE_value_FAH", "46.4", Compared("value_K", "number", "ge", 281.15)),
        ("EQ_sDev_XYZ", "1", Compared("sDev_XYZ", "number", "eq", 1)),
        ("GE_percRank", "50", Compared("percRank", "number", "ge", 50)),
        ("EQ_type", "gs1:Temperature", Has("type", ("Temperature",))),
        ("EQ_deviceID", "urn:epc:id:giai:4012345.d1", Has("deviceID", ("https://id.gs1.org/8004/4012345d1",))),
        ("EQ_hexBinaryValue", "0af", Has("hexBinaryValue", ("0AF",))),
        ("EQ_booleanValue", "false", Has("booleanValue", ("false",))),
        ("LT_startTime", TIME, Compared("startTime", "time", "lt", TIME_US)),
        ("EXISTS_sensorElementList", "", Has("sensorElementList")),
        ("EQ_ex:f", "a", Has(F, ("a",))),
        ("EQ_https://example.com/ns#f", "a", Has(F, ("a",))),
        ("EQ_https://example.com/ns/f", "a", Has(F, ("a",))),
        ("EQ_urn:example:ns:f", "a", Has("urn:example:ns#f", ("a",))),
        ("EQ_ex:f", "007", Has(F, ("007",))),
        ("EQ_ex:f", "7", AnyOf((Has(F, ("7",)), Compared(F, "number", "eq", 7)))),
        ("GT_ex:f", TIME, Compared(F, "time", "gt", TIME_US)),
        ("EQ_ILMD_cbvmda:lotNumber", "L1", Has("ILMD_urn:epcglobal:cbv:mda#lotNumber", ("L1",))),
        (
            "GE_ILMD_cbvmda:itemExpirationDate",
            "2026-03-01",
            Compared(f"ILMD_{LOTS}#itemExpirationDate", "time", "ge", TIME_US - 36_000_000_000),
        ),
        ("EQ_INNER_ILMD_ex:f_g", "a", Has("INNER_ILMD_https://example.com/ns#f_g", ("a",))),
        ("EQ_INNER_plain", "a", Has("INNER_#plain", ("a",))),
        ("EXISTS_INNER_SENSORREPORT_ex:f", "", Has("INNER_SENSORREPORT_https://example.com/ns#f")),
        ("EQ_readPoint_ex:f", "a", Has("readPoint_https://example.com/ns#f", ("a",))),
        ("EXISTS_ERROR_DECLARATION_ex:f", "", Has("ERROR_DECLARATION_https://example.com/ns#f")),
        ("HASATTR_bizLocation", "urn:x#city", WithAttribute(field="bizLocation", attributes=("urn:x#city",))),
        (
            "EQATTR_bizLocation_urn:x#city_name",
            "Köln",
            WithAttribute(field="bizLocation", attributes=("urn:x#city_name",), values=("Köln",)),
        ),
        ("EQ_ATTR_readPoint_city", "Köln", WithAttribute(field="readPoint", attributes=("city",), values=("Köln",))),
        ("EQATTR_ex:f_city", "a", WithAttribute(field=F, attributes=("city",), values=("a",))),
    ],
)  # fmt: skip
def test_a_parameter_becomes_a_condition(name: str, value: str, expected: Any) -> None:
    assert condition(name, value) == expected


GTIN = "04012345111118"


@pytest.mark.parametrize(
    ("value", "items", "gtins", "patterns"),
    [
        ("urn:epc:id:sgtin:4012345.011111.1", [f"01/{GTIN}/21/1"], [], []),
        (f"https://id.example.com/gtin/{GTIN}/ser/1", [f"01/{GTIN}/21/1"], [], []),
        ("urn:epc:idpat:sgtin:4012345.011111.*", [], [GTIN], []),
        ("urn:epc:idpat:sgtin:4012345.011111.1", [f"01/{GTIN}/21/1"], [], []),
        ("urn:epc:idpat:sgtin:4012345.*.*", [], [], [(f"01/{n}4012345", 17, "/21/") for n in range(10)]),
        ("urn:epc:idpat:sgtin:*.*.*", [], [], [("01/", 17, "/21/")]),
        ("urn:epc:idpat:sscc:4012345.*", [], [], [(f"00/{n}4012345", None, "") for n in range(10)]),
        ("urn:epc:idpat:sgln:4012345.00001.*", ["414/4012345000016"], [], [("414/4012345000016/254/", None, "")]),
        ("urn:epc:idpat:grai:4012345.00001.*", [], [], [("8003/04012345000016", None, "")]),
        ("urn:epc:idpat:giai:4012345.*", [], [], [("8004/4012345", None, "")]),
        ("urn:epc:idpat:itip:4012345.011111.*.*.*", [], [], [(f"8006/{GTIN}", None, "")]),
        ("urn:epc:idpat:sgtin:4012345.nonsense.*", [], [], []),
    ],
)  # fmt: skip
def test_items_and_patterns_of_them(
    value: str, items: list[str], gtins: list[str], patterns: list[tuple[str, int | None, str]]
) -> None:
    link = "https://id.gs1.org/"
    assert condition("MATCH_epc", value) == ItemMatch(
        places=("epc",),
        items=tuple(link + item for item in items),
        gtins=tuple(gtins),
        patterns=tuple(
            Pattern(link + begins, None if at is None else at + len(link), then)
            for begins, at, then in patterns
        ),
    )


def test_a_pattern_of_another_scheme_is_of_its_urns() -> None:
    found = condition("MATCH_epc", "urn:epc:idpat:gid:95100000.12345.*")
    assert found.patterns == (Pattern("urn:epc:id:gid:95100000.12345."),)


@pytest.mark.parametrize(
    ("value", "items", "patterns"),
    [
        # an event's class is a pattern itself: its own "*" is matched by nothing but a "*"
        ("urn:epc:idpat:sgtin:4012345.011111.*", [f"01/{GTIN}"], 0),
        ("urn:epc:class:lgtin:4012345.011111.L1", [f"01/{GTIN}/10/L1"], 0),
        ("urn:epc:class:lgtin:4012345.011111.*", [f"01/{GTIN}/10/%2A"], 1),
        (f"https://id.gs1.org/01/{GTIN}/10/*", [f"01/{GTIN}/10/%2A"], 1),
        ("urn:epc:idpat:sgtin:4012345.*.*", [], 10),
    ],
)
def test_classes_and_patterns_of_them(value: str, items: list[str], patterns: int) -> None:
    found = condition("MATCH_anyEPCClass", value)
    assert found.items == tuple("https://id.gs1.org/" + item for item in items)
    assert len(found.patterns) == patterns
    assert found.places == ("class", "input_class", "output_class")


def test_a_pattern_of_classes_ends_with_the_gtin() -> None:
    (first, *_) = condition("MATCH_epcClass", "urn:epc:idpat:sgtin:4012345.*.*").patterns
    assert first.matches("https://id.gs1.org/01/04012345111118")
    assert not first.matches("https://id.gs1.org/01/04012345111118/10/L1")


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("EQ_bizstep", "shipping", "unknown"),
        ("eq_bizStep", "shipping", "unknown"),
        ("WD_disposition", "active", "unknown"),
        ("GE_bizStep", "a", "unknown"),
        ("EQ_", "a", "unknown"),
        ("EQ_bizTransaction", "urn:x:1", "unknown"),
        ("GE_value", "8", "unknown"),
        ("GE_value_celsius", "8", "unknown"),
        ("GE_value_CEL", "warm", "invalid"),
        ("GE_value_CEL", "8|9", "invalid"),
        ("EQ_quantity", "1e999", "invalid"),
        ("EQ_quantity", "NaN", "invalid"),
        ("EQ_quantity", "٧", "invalid"),
        ("EQ_none:f", "a", "invalid"),
        ("EQ_ex:f", "", "invalid"),
        ("EQ_ex:f", "a||b", "invalid"),
        ("GT_ex:f", "soon", "invalid"),
        ("EXISTS_ex:f", "maybe", "invalid"),
        ("EXISTS_errorDeclaration", "true|true", "invalid"),
        ("EQ_booleanValue", "1", "invalid"),
        ("HASATTR_action", "a", "invalid"),
        ("EQATTR_bizStep", "a", "invalid"),
        ("EQATTR_ex:f_city_name", "a", "invalid"),
        ("MATCH_epc", "urn:epc:idpat:sgtin:*.011111.*", "invalid"),
        ("GE_eventTime", "2026-03-01", "invalid"),
        ("GE_eventTime", "0001-01-01T00:00:00+23:59|0001-01-01T00:00:00Z", "invalid"),
        ("orderBy", "bizStep", "invalid"),
        ("orderBy", "none:f", "invalid"),
        ("eventCountLimit", "0", "invalid"),
        ("x" * 3000, "a", "unknown"),
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_understood_is_refused(name: str, value: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_filter({name: value}, prefixes=NS)
    assert caught.value.code == f"query_parameter_{what}"
    assert caught.value.pointer == name[:200]


def test_both_spellings_of_a_query_are_one() -> None:
    url = parse_filter(
        {
            "eventType": "ObjectEvent",
            "EQ_bizStep": "shipping|receiving",
            "GE_eventTime": TIME,
            "LT_eventTime": "2027-03-01T10:00:00Z",
            "EQ_ex:f": "5",
            "EXISTS_errorDeclaration": "true",
            "GE_value_CEL": "8.5",
            "orderBy": "ex:f",
            "orderDirection": "ASC",
            "eventCountLimit": "10",
        },
        prefixes=NS,
    )
    body = parse_query_object(
        {
            "@context": ["https://ref.gs1.org/x.jsonld", NS],
            "eventType": ["ObjectEvent"],
            "EQ_bizStep": ["shipping", "receiving"],
            "GE_eventTime": TIME,
            "LT_eventTime": "2027-03-01T10:00:00Z",
            "EQ_ex:f": 5,
            "EXISTS_errorDeclaration": None,
            "GE_value_CEL": 8.5,
            "orderBy": "ex:f",
            "orderDirection": "ASC",
            "eventCountLimit": 10,
        }
    )
    assert url == body
    assert body.event_count_limit == 10
    assert msgspec.json.decode(msgspec.json.encode(body), type=EventFilter) == body


def test_a_bar_in_json_joins_nothing() -> None:
    (found,) = parse_query_object({"EQ_stringValue": ["a|b"]}).conditions
    assert found == Has("stringValue", ("a|b",))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ([], "query_malformed"),
        ("eventType", "query_malformed"),
        ({"eventType": []}, "query_parameter_invalid"),
        ({"eventType": [["ObjectEvent"]]}, "query_parameter_invalid"),
        ({"eventType": {"a": 1}}, "query_parameter_invalid"),
        ({"EQ_bizStep": ["a"] * 101}, "query_parameter_invalid"),
        ({"GE_eventTime": [TIME, TIME]}, "query_parameter_invalid"),
        ({"GE_eventTime": 5}, "query_parameter_invalid"),
        ({"maxEventCount": 1.5}, "query_parameter_invalid"),
        ({"eventTypes": ["ObjectEvent"]}, "query_parameter_unknown"),
        ({f"EQ_urn:x:{n}": "a" for n in range(65)}, "query_parameter_invalid"),
        ({"eventCountLimit": 1}, "query_parameter_conflict"),
        ({"orderBy": "eventTime", "eventCountLimit": 1, "maxEventCount": 1}, "query_parameter_conflict"),
    ],
)  # fmt: skip
def test_a_query_object_that_is_not_understood_is_refused(query: Any, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_query_object(query)
    assert caught.value.code == code


def test_an_exists_of_false_asks_nothing() -> None:
    assert parse_query_object({"EXISTS_errorDeclaration": False}).conditions == ()


def test_a_header_defines_prefixes() -> None:
    header = "a=http://a.example/ns/, b=urn:b:"
    assert parse_extensions(header) == {"a": "http://a.example/ns/", "b": "urn:b:"}
    assert parse_extensions("") == {}
    for malformed in ("a", "=http://a.example/", "a=b"):
        with pytest.raises(InputError) as caught:
            parse_extensions(malformed)
        assert caught.value.code == "extensions_malformed"


def test_a_query_string_is_read_as_it_was_in_bundles_of_old() -> None:
    found = filter_of_query("eventType=ObjectEvent&EQ_bizStep=shipping&perPage=5&nextPageToken=x")
    assert found.conditions == (Has("eventType", ("ObjectEvent",)), Has("bizStep", ("shipping",)))
    for query, code in (("a=%ff", "invalid"), ("EQ_action=ADD&EQ_action=ADD", "repeated")):
        with pytest.raises(InputError) as caught:
            filter_of_query(query)
        assert caught.value.code == f"query_parameter_{code}"


def _example(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """Return a value that a parameter of GS1's query schema takes."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        plain = {"time": TIME, "uri": PLACE, "id": PLACE, "eventID": "urn:uuid:1", "decimal": 5}
        return plain.get(name) or _example(definitions[name], definitions)
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return _example(schema[choice][0], definitions)
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("format") == "uri":
        return "https://example.com/own"
    if schema["type"] == "array":
        return [_example(schema["items"], definitions)]
    return {"string": "eventTime", "number": 5, "integer": 1, "boolean": True}[schema["type"]]


@pytest.mark.skipif(not SCHEMA.exists(), reason="needs ../shared/standards")
def test_every_parameter_of_the_query_schema_is_known() -> None:
    definitions = json.loads(SCHEMA.read_bytes())["definitions"]
    query = definitions["EPCIS-Query"]
    names = {name: schema for name, schema in query["properties"].items() if name != "@context"}
    for pattern, schema in query["patternProperties"].items():
        name = pattern.strip("^$").replace("[a-z][a-zA-Z0-9]*\\\\:\\\\w+", "ex:field")
        name = name.replace("[a-z][a-zA-Z0-9_]+", "owning_party").replace("[A-Z0-9]{2,4}", "KGM")
        names[name.replace("ATTR_\\\\w+_\\\\w+", "ATTR_bizLocation_city")] = schema
    assert not [name for name in names if "\\" in name]
    context = {"@context": NS, "orderBy": "eventTime"}
    for name, schema in names.items():
        value = "ASC" if name == "orderDirection" else _example(schema, definitions)
        parse_query_object({**context, name: value})


@pytest.mark.skipif(not OPENAPI.exists(), reason="needs ../shared/standards")
def test_every_query_parameter_of_the_openapi_document_is_known() -> None:
    document = json.loads(OPENAPI.read_bytes())
    schemas = document["components"]["schemas"]
    listed = document["paths"]["/events"]["get"]["parameters"]
    names = [each["$ref"].rpartition("/")[2] for each in listed]
    for name in names:
        parameter = document["components"]["parameters"][name]
        if parameter["in"] != "query" or name in ("PerPage", "NextPageToken"):
            continue
        value = "ASC" if name == "orderDirection" else _example(parameter["schema"], schemas)
        value = TIME if parameter["schema"].get("format") == "date-time" else value
        text = "|".join(map(str, value)) if isinstance(value, list) else str(value)
        text = text.lower() if text in ("True", "False") else text
        filter_of_query(
            urlencode({**({"orderBy": "eventTime"} if "Limit" in name else {}), name: text})
        )


def test_a_prefix_that_a_query_does_not_define_is_what_recorded_events_take_it_for() -> None:
    used = {"ex": ["https://a.example/", "https://b.example#"], "one": ["urn:one"]}
    assert parse_filter({"EXISTS_one:f": ""}, used=used).conditions == (Has("urn:one#f"),)
    both = (Has("ILMD_https://a.example#f", ("x",)), Has("ILMD_https://b.example#f", ("x",)))
    assert parse_filter({"EQ_ILMD_ex:f": "x"}, used=used).conditions == (AnyOf(both),)
    assert parse_query_object({"EQ_ILMD_ex:f": ["x"]}, used=used).conditions == (AnyOf(both),)
    defined = parse_filter({"EXISTS_ex:f": ""}, prefixes=NS, used=used)
    assert defined.conditions == (Has(F),)
    with pytest.raises(InputError) as caught:
        parse_filter({"HASATTR_ex:f": "city"}, used=used)
    assert caught.value.code == "query_parameter_invalid"
