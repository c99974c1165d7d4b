"""Recorded events as XML: in the order of the schemas, by namespace, and refused where a form has no words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from sealtrail.epcis.views import (
    CbvFormat,
    Form,
    Header,
    event_element,
    write_capture_document,
    write_query_document,
)
from sealtrail.errors import NotAcceptableError

CONTEXT: list[Any] = [
    "https://ref.gs1.org/standards/epcis/epcis-context.jsonld",
    {"example": "https://ns.example.org/epcis/"},
]
CREATED = "2026-03-01T10:00:00Z"
SENSORS = [
    {
        "sensorMetadata": {"time": "2026-03-01T10:00:00Z", "example:room": "cold"},
        "sensorReport": [
            {"type": "Temperature", "value": 5.5, "uom": "CEL", "example:probe": 2},
            {"type": "gs1:RelativeHumidity", "component": "x", "booleanValue": True},
        ],
        "example:further": {"measure": 1},
    }
]
EVERYWHERE: dict[str, Any] = {
    "eventTime": "2026-03-01T10:00:00.000Z",
    "recordTime": "2026-03-01T10:00:01.000Z",
    "eventTimeZoneOffset": "+01:00",
    "eventID": "urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a8",
    "errorDeclaration": {
        "declarationTime": "2026-03-02T10:00:00.000Z",
        "reason": "incorrect_data",
        "correctiveEventIDs": ["urn:uuid:374d95fc-9457-4a51-bd6a-0bba133845a9"],
        "example:who": "me",
    },
    "bizStep": "shipping",
    "disposition": "in_transit",
    "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0", "example:gate": "7"},
    "bizLocation": {"id": "urn:epc:id:sgln:4012345.00002.0"},
    "bizTransactionList": [
        {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:1"},
        {"bizTransaction": "urn:epcglobal:cbv:bt:4012345000009:2"},
    ],
    "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:4012345.00225"}],
    "destinationList": [{"type": "location", "destination": "urn:epc:id:sgln:0614141.00777.0"}],
    "example:note": "bring <it> & go",
}
SINCE_2_0: dict[str, Any] = {
    "certificationInfo": "https://example.org/certificate",
    "sensorElementList": SENSORS,
    "persistentDisposition": {
        "set": ["completeness_verified"],
        "unset": ["completeness_inferred"],
    },
}
PACK = "urn:epc:id:sgtin:4012345.011111.987"
AMOUNT = [{"epcClass": "urn:epc:class:lgtin:4012345.012345.998877", "quantity": 200, "uom": "KGM"}]
ILMD = {
    "cbvmda:lotNumber": "A & B",
    "example:partList": ["one", "two"],
    "example:repeated": [1, [True, None]],
}
KINDS: dict[str, dict[str, Any]] = {
    "ObjectEvent": {"action": "ADD", "epcList": [PACK], "quantityList": AMOUNT, "ilmd": ILMD},
    "AggregationEvent": {
        "action": "ADD",
        "parentID": "urn:epc:id:sscc:4012345.0111111111",
        "childEPCs": [PACK],
        "childQuantityList": AMOUNT,
    },
    "TransactionEvent": {
        "action": "ADD",
        "parentID": "urn:epc:id:sscc:4012345.0111111111",
        "epcList": [PACK],
        "quantityList": AMOUNT,
    },
    "TransformationEvent": {
        "inputEPCList": [PACK],
        "inputQuantityList": AMOUNT,
        "outputEPCList": [PACK],
        "outputQuantityList": AMOUNT,
        "transformationID": "urn:epc:id:gdti:4012345.00001.1",
        "ilmd": ILMD,
    },
    "AssociationEvent": {
        "action": "ADD",
        "parentID": "urn:epc:id:grai:4012345.55555.987",
        "childEPCs": [PACK],
        "childQuantityList": AMOUNT,
    },
}


def event(kind: str = "ObjectEvent", **more: Any) -> dict[str, Any]:
    fields = {"type": kind, **EVERYWHERE, **KINDS[kind], **more}
    return {name: value for name, value in fields.items() if value is not None}


def view(kind: str = "ObjectEvent", **more: Any) -> dict[str, Any]:
    return {"@context": CONTEXT, **event(kind, **more)}


def element(version: Any = "2.0", cbv: CbvFormat = "No_Preference", **more: Any) -> etree._Element:
    return event_element(event(**more), CONTEXT, version=version, cbv_format=cbv)


def texts(root: etree._Element, path: str) -> list[str]:
    found: Any = root.xpath(path)
    return [each if isinstance(each, str) else each.text for each in found]


@pytest.fixture(scope="module")
def schemas(shared: Path) -> dict[tuple[Form, str], etree.XMLSchema]:
    found: dict[tuple[Form, str], etree.XMLSchema] = {}
    forms: list[tuple[Form, str]] = [("xml-2.0", "2_0"), ("xml-1.2", "1_2")]
    for form, number in forms:
        folder = shared / "standards" / f"xsd-{form.removeprefix('xml-')}"
        for kind, name in (("capture", "epcis"), ("query", "epcis-query")):
            path = folder / f"EPCglobal-{name}-{number}.xsd"
            found[form, kind] = etree.XMLSchema(etree.parse(str(path)))
    return found


def require_valid(
    views: list[dict[str, Any]], form: Form, schemas: dict[tuple[Form, str], etree.XMLSchema]
) -> None:
    header = Header(
        sender="urn:epc:id:sgln:4012345.00001.0",
        receiver="urn:epc:id:sgln:0614141.00777.0",
        instance_identifier="<1>",
    )
    capture = write_capture_document(views, form=form, created=CREATED, header=header)
    query = write_query_document(
        views, form=form, query_name="<q>", created=CREATED, subscription_id="<s>"
    )
    schemas[form, "capture"].assertValid(etree.fromstring(capture))
    schemas[form, "query"].assertValid(etree.fromstring(query))


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_every_kind_is_valid_in_2_0(
    kind: str, schemas: dict[tuple[Form, str], etree.XMLSchema]
) -> None:
    require_valid([view(kind, **SINCE_2_0)], "xml-2.0", schemas)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "AssociationEvent"])
def test_every_field_that_1_2_has_is_valid_in_1_2(
    kind: str, schemas: dict[tuple[Form, str], etree.XMLSchema]
) -> None:
    require_valid([view(kind)], "xml-1.2", schemas)


@pytest.mark.parametrize("form", ["xml-2.0", "xml-1.2"])
def test_events_of_other_implementers_are_valid(
    form: Form, shared: Path, schemas: dict[tuple[Form, str], etree.XMLSchema]
) -> None:
    paths = sorted((shared / "corpora/openepcis/json").glob("*.json"))
    documents = [json.loads(path.read_bytes()) for path in paths]
    vectors = (shared / "vectors/event-hash/cbv20.jsonl").read_text().splitlines()
    documents += [json.loads(line)["document"] for line in vectors if '"document"' in line]
    count = 0
    for document in documents:
        for each in document["epcisBody"]["eventList"]:
            kept = {"@context": document["@context"], **each}
            try:
                require_valid([kept], form, schemas)
            except NotAcceptableError as error:
                assert form == "xml-1.2"
                assert error.code == "not_in_epcis_1_2"  # noqa: PT017
            count += 1
    assert count >= 15


@pytest.mark.parametrize("form", ["xml-2.0", "xml-1.2"])
def test_a_document_of_no_events_is_valid(
    form: Form, schemas: dict[tuple[Form, str], etree.XMLSchema]
) -> None:
    require_valid([], form, schemas)


def test_empty_lists_that_the_schema_has_no_place_for_are_left_out(
    schemas: dict[tuple[Form, str], etree.XMLSchema],
) -> None:
    empty = view(
        epcList=[], bizTransactionList=[], sourceList=[], sensorElementList=[], certificationInfo=[]
    )
    require_valid([empty], "xml-2.0", schemas)
    require_valid([empty], "xml-1.2", schemas)


def test_lists_that_1_2_asks_for_are_there_empty() -> None:
    root = element("1.2", kind="AggregationEvent", childEPCs=None, action="DELETE")
    assert texts(root, "childEPCs") == [None]
    assert not root.xpath("childEPCs/epc")


def test_the_order_of_json_does_not_matter() -> None:
    backwards = dict(reversed(list(event().items())))
    names = [child.tag for child in event_element(backwards, CONTEXT, version="2.0")]
    assert names == [child.tag for child in element()]


def test_words_are_urns_unless_told() -> None:
    root = element(**SINCE_2_0)
    assert texts(root, "bizStep") == ["urn:epcglobal:cbv:bizstep:shipping"]
    assert texts(root, "sourceList/source/@type") == ["urn:epcglobal:cbv:sdt:owning_party"]
    assert texts(root, ".//reason") == ["urn:epcglobal:cbv:er:incorrect_data"]
    assert texts(root, ".//sensorReport/@type") == ["gs1:Temperature", "gs1:RelativeHumidity"]
    assert texts(root, ".//sensorReport/@component") == ["cbv:Comp-x"]


def test_words_are_web_uris_if_asked_for() -> None:
    root = element(cbv="Always_Web_URI", **SINCE_2_0)
    assert texts(root, "bizStep") == ["https://ref.gs1.org/cbv/BizStep-shipping"]
    assert texts(root, ".//sensorReport/@type")[0] == "https://ref.gs1.org/voc/Temperature"


def test_long_spellings_of_words_stay_if_asked_for() -> None:
    spelt = "https://ref.gs1.org/cbv/BizStep-shipping"
    root = element(cbv="Never_Translates", bizStep=spelt)
    assert texts(root, "bizStep") == [spelt]
    assert texts(root, "disposition") == ["urn:epcglobal:cbv:disp:in_transit"]
    assert texts(element(bizStep=spelt), "bizStep") == ["urn:epcglobal:cbv:bizstep:shipping"]


def test_1_2_has_urns_whatever_is_asked_for() -> None:
    root = element("1.2", cbv="Always_Web_URI")
    assert texts(root, "bizStep") == ["urn:epcglobal:cbv:bizstep:shipping"]


def test_words_of_ones_own_are_left_alone() -> None:
    assert texts(element(bizStep="https://example.org/dance"), "bizStep") == [
        "https://example.org/dance"
    ]


def test_extensions_go_by_namespace_under_their_own_prefix() -> None:
    root = element()
    (note,) = root.findall("{https://ns.example.org/epcis/}note")
    assert note.prefix == "example"
    assert note.text == "bring <it> & go"
    assert root.nsmap == {
        "cbvmda": "urn:epcglobal:cbv:mda",
        "example": "https://ns.example.org/epcis/",
    }


def test_a_prefix_that_only_a_value_uses_is_declared() -> None:
    root = event_element(
        {"type": "ObjectEvent", **EVERYWHERE, "bizStep": "other:dance"},
        [*CONTEXT, {"other": "https://other.example.org/"}],
        version="2.0",
    )
    assert root.nsmap["other"] == "https://other.example.org/"


@pytest.mark.parametrize("prefix", ["a+b", "xmlthing"])
def test_a_prefix_that_xml_has_not_is_replaced(prefix: str) -> None:
    context = {prefix: "https://other.example.org/"}
    root = event_element({**event(), f"{prefix}:x": "1"}, [*CONTEXT, context], version="2.0")
    (found,) = root.findall("{https://other.example.org/}x")
    assert found.text == "1"


def test_a_list_becomes_repeated_elements_and_nested_lists_join_it() -> None:
    root = element()
    ilmd = root.find("ilmd")
    assert ilmd is not None
    found = ilmd.findall("{https://ns.example.org/epcis/}repeated")
    assert [each.text for each in found] == ["1", "true", None]


def test_a_list_called_so_keeps_its_elements_inside() -> None:
    # as the event hash has it: the elements are called as the list without "List"
    (found,) = element().findall("ilmd/{https://ns.example.org/epcis/}partList")
    assert [(each.tag, each.text) for each in found] == [
        ("{https://ns.example.org/epcis/}part", "one"),
        ("{https://ns.example.org/epcis/}part", "two"),
    ]


def test_an_empty_list_says_nothing() -> None:
    ilmd = element(ilmd={"example:none": [], "example:noneList": [[]]}).find("ilmd")
    assert ilmd is not None
    assert len(ilmd) == 0


def test_text_has_attributes_beside_it_and_elements_below() -> None:
    value = {"#text": "3.5", "unit": "KGM", "example:exact": True, "inner": {"a": "more"}}
    root = event_element({**event(), "example:mixed": value}, CONTEXT, version="2.0")
    (found,) = root.findall("{https://ns.example.org/epcis/}mixed")
    assert found.text == "3.5"
    assert dict(found.attrib) == {"unit": "KGM", "{https://ns.example.org/epcis/}exact": "true"}
    assert [child.tag for child in found.iter()][1:] == ["inner", "a"]


def test_amounts_have_no_exponent() -> None:
    for number, text in ((1e-7, "0.0000001"), (1.5e21, "1500000000000000000000"), (3, "3")):
        amount = [{**AMOUNT[0], "quantity": number}]
        assert texts(element(quantityList=amount), ".//quantity") == [text]


def test_a_unit_without_amount_stands_beside_a_nil_one(
    schemas: dict[tuple[Form, str], etree.XMLSchema],
) -> None:
    amount = [{"epcClass": AMOUNT[0]["epcClass"], "uom": "KGM"}]
    require_valid([view(quantityList=amount)], "xml-2.0", schemas)


def test_a_transformation_of_1_2_stands_in_an_extension() -> None:
    document = write_capture_document(
        [view("TransformationEvent")], form="xml-1.2", created=CREATED
    )
    assert etree.fromstring(document).find(".//EventList/extension/TransformationEvent") is not None


@pytest.mark.parametrize("field", SINCE_2_0)
def test_what_1_2_lacks_is_refused_by_name(field: str) -> None:
    with pytest.raises(NotAcceptableError) as caught:
        element("1.2", **{field: SINCE_2_0[field]})
    assert caught.value.code == "not_in_epcis_1_2"
    assert caught.value.pointer == f"/{field}"
    assert caught.value.context == {"event_id": EVERYWHERE["eventID"]}


def test_an_association_is_refused_in_1_2() -> None:
    with pytest.raises(NotAcceptableError) as caught:
        element("1.2", kind="AssociationEvent")
    assert (caught.value.code, caught.value.pointer) == ("not_in_epcis_1_2", "/type")


def report(**fields: Any) -> dict[str, Any]:
    return {"sensorElementList": [{"sensorReport": [{"type": "Temperature", **fields}]}]}


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"example:note": "bell \x07"}, "/example:note"),
        ({"example:outer": [{"in ner": "x"}]}, "/example:outer/in ner"),
        ({"example:5th": "x"}, "/example:5th"),
        ({"example:List": ["x"]}, "/example:List"),
        ({"example:outer": {"@value": "x"}}, "/example:outer/@value"),
        ({"example:outer": {"#text": "x", "5th": "y"}}, "/example:outer/5th"),
        ({"ilmd": {"example:a": {"b\x00": 1}}}, "/ilmd/example:a/b\x00"),
        ({"readPoint": {"id": "https://x.org/", "example:a": "\x01"}}, "/readPoint/example:a"),
        ({"certificationInfo": ["https://x.org/", "https://y.org/"]}, "/certificationInfo"),
        ({"eventTime": "2026-03-01T10:00:00+15:30"}, "/eventTime"),
        (report(stringValue="\x01"), "/sensorElementList/0/sensorReport/0/stringValue"),
        (report(hexBinaryValue="f0f"), "/sensorElementList/0/sensorReport/0/hexBinaryValue"),
        (
            report(**{"example:x": ["a", "b"]}),
            "/sensorElementList/0/sensorReport/0/example:x",
        ),
    ],
)
def test_what_xml_can_not_hold_is_refused_with_its_place(
    fields: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(NotAcceptableError) as caught:
        element(**fields)
    assert caught.value.code == "not_in_xml"
    assert caught.value.pointer == pointer
    assert caught.value.context["event_id"] == EVERYWHERE["eventID"]


def test_a_namespace_that_is_none_to_xml_is_refused_with_the_context() -> None:
    context = [*CONTEXT, {"odd": "https://no:port.example/"}]
    with pytest.raises(NotAcceptableError) as caught:
        event_element({"type": "ObjectEvent", **EVERYWHERE}, context, version="2.0")
    assert (caught.value.code, caught.value.pointer) == ("not_in_xml", "/@context")
