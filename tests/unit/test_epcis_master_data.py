"""Master data as documents bring it: elements, attributes, children; and each fault with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from capture_events import document, event
from master_data import (
    EPC_CLASS,
    LOCATION,
    MDA,
    PRODUCT,
    PRODUCT_LINK,
    ROOM,
    SITE,
    SITE_LINK,
    XML_VOCABULARIES,
    element,
    header,
    product,
    site,
    vocabulary,
    xml_document,
    xml_master_data,
)
from sealtrail.epcis import Limits, parse_document
from sealtrail.epcis.masterdata import (
    Attribute,
    VocabularyElement,
    attribute_name,
    attribute_text,
)
from sealtrail.epcis.masterdata_documents import parse_master_data
from sealtrail.errors import InputError, TooLargeError

LIST = "/epcisHeader/epcisMasterData/vocabularyList"


def read(*vocabularies: Any, **more: Any) -> list[VocabularyElement | InputError]:
    return list(
        parse_document(document(event(1), epcisHeader=header(*vocabularies), **more)).master_data
    )


def refusal(*vocabularies: Any) -> InputError:
    (refused,) = (each for each in read(*vocabularies) if isinstance(each, InputError))
    return refused


def test_an_element_has_its_canonical_identifier_attributes_and_children() -> None:
    goods, plant, *_ = read(product(), site())
    assert isinstance(goods, VocabularyElement)
    assert isinstance(plant, VocabularyElement)
    assert (goods.vocabulary, goods.id, goods.canonical) == (EPC_CLASS, PRODUCT, PRODUCT_LINK)
    assert Attribute("urn:epcglobal:cbv:mda:strengthDescription", "100 mg") in goods.attributes
    assert (plant.canonical, plant.children) == (SITE_LINK, (f"{SITE_LINK}/254/room",))


def test_a_document_keeps_its_vocabularies_as_they_came() -> None:
    parsed = parse_document(document(epcisHeader=header(product(), site())))
    assert parsed.vocabularies == (product(), site())
    assert parse_document(document()).vocabularies == ()


@pytest.mark.parametrize(
    "spelt",
    [
        "urn:epcglobal:cbv:mda#name",
        "urn:epcglobal:cbv:mda:name",
        "urn:epcglobal:cbv:mdaname",  # the prefix "cbvmda" of GS1's context, written out
    ],
)
def test_cbv_attributes_have_one_name(spelt: str) -> None:
    assert attribute_name(spelt) == "urn:epcglobal:cbv:mda:name"


def test_names_are_written_out_with_the_documents_prefixes() -> None:
    context = ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"x": "http://x.test/"}]
    said = {"id": SITE, "attributes": [{"id": "x:floor", "attribute": 2}, {"id": "cbvmda:sst"}]}
    (plant,) = read(vocabulary("x:Site", said), **{"@context": context})
    assert isinstance(plant, VocabularyElement)
    assert plant.vocabulary == "http://x.test/Site"
    assert plant.attributes == (
        Attribute("http://x.test/floor", 2),
        Attribute("urn:epcglobal:cbv:mda:sst", ""),
    )


def test_a_vocabulary_may_bring_prefixes_of_its_own() -> None:
    said = {"id": SITE, "attributes": [{"id": "y:floor", "attribute": "2"}]}
    own = {"@context": {"y": "http://y.test/"}, **vocabulary(LOCATION, said)}
    (plant,) = read(own)
    assert isinstance(plant, VocabularyElement)
    assert plant.attributes == (Attribute("http://y.test/floor", "2"),)
    with pytest.raises(InputError) as caught:
        read({**own, "@context": {"y": 7}})
    assert caught.value.pointer == f"{LIST}/0/@context/y"


def test_an_attribute_may_be_an_object_and_stand_several_times() -> None:
    address = {"street": "100 Nowhere Street", "city": "Fancy"}
    said = {
        "id": SITE,
        "attributes": [
            {"id": "http://x.test/address", "attribute": address},
            {"id": MDA + "sst", "attribute": "202"},
            {"id": MDA + "sst", "attribute": "203"},
        ],
    }
    (plant,) = read(vocabulary(LOCATION, said))
    assert isinstance(plant, VocabularyElement)
    assert [attribute_text(a.value) for a in plant.attributes] == [
        '{"city":"Fancy","street":"100 Nowhere Street"}',
        "202",
        "203",
    ]


def test_what_is_said_of_one_identifier_twice_is_joined() -> None:
    first, second = (
        element(SITE, ROOM, name="Plant", sst="1"),
        element(SITE_LINK, SITE, name="Werk"),
    )
    second["attributes"].append(first["attributes"][1])
    (plant,) = read(vocabulary(LOCATION, first), vocabulary(LOCATION, second))
    assert isinstance(plant, VocabularyElement)
    assert [a.value for a in plant.attributes] == ["Plant", "1", "Werk"]
    assert plant.children == (f"{SITE_LINK}/254/room", SITE_LINK)
    assert plant.id == SITE


def test_one_identifier_in_two_vocabularies_is_two_elements() -> None:
    both = read(vocabulary(LOCATION, element(SITE)), vocabulary("urn:x:Site", element(SITE)))
    assert len(both) == 2


def test_members_that_the_standard_has_not_are_kept() -> None:
    (plant,) = read(vocabulary(LOCATION, {**element(SITE), "http://x.test/note": "old"}))
    assert isinstance(plant, VocabularyElement)
    assert plant.more == {"http://x.test/note": "old"}


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        ("no element", "type_mismatch", ""),
        ({}, "type_mismatch", "/id"),
        ({"id": "no uri"}, "uri_malformed", "/id"),
        ({"id": SITE, "attributes": {}}, "type_mismatch", "/attributes"),
        ({"id": SITE, "attributes": ["x"]}, "type_mismatch", "/attributes/0"),
        ({"id": SITE, "attributes": [{"attribute": "x"}]}, "type_mismatch", "/attributes/0/id"),
        (
            {"id": SITE, "attributes": [{"id": MDA + "a"}, {"id": MDA + "b", "attribute": True}]},
            "type_mismatch",
            "/attributes/1/attribute",
        ),
        (
            {"id": SITE, "attributes": [{"id": MDA + "a", "attribute": ["x"]}]},
            "type_mismatch",
            "/attributes/0/attribute",
        ),
        ({"id": SITE, "children": SITE}, "type_mismatch", "/children"),
        ({"id": SITE, "children": [SITE, "x y"]}, "uri_malformed", "/children/1"),
    ],
)
def test_a_faulty_element_is_refused_with_its_place_and_the_others_are_read(
    said: Any, code: str, pointer: str
) -> None:
    found = read(vocabulary(LOCATION, element(SITE)), vocabulary(LOCATION, said, element(ROOM)))
    assert [e.id for e in found if isinstance(e, VocabularyElement)] == [SITE, ROOM]
    refused = found[-1]
    assert isinstance(refused, InputError)
    place = f"{LIST}/1/vocabularyElementList/0{pointer}"
    assert (refused.code, refused.pointer) == (code, place)


@pytest.mark.parametrize(
    ("listed", "pointer"),
    [
        ({}, LIST),
        (["x"], f"{LIST}/0"),
        ([{}], f"{LIST}/0/type"),
        ([{"type": LOCATION, "vocabularyElementList": {}}], f"{LIST}/0/vocabularyElementList"),
    ],
)
def test_vocabularies_that_are_none_refuse_the_document(listed: Any, pointer: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(document(epcisHeader={"epcisMasterData": {"vocabularyList": listed}}))
    assert caught.value.pointer == pointer


def test_too_many_elements_and_values_refuse_the_document() -> None:
    many = document(epcisHeader=header(vocabulary(LOCATION, *(element(SITE) for _ in range(4)))))
    with pytest.raises(TooLargeError) as caught:
        parse_document(many, limits=Limits(vocabulary_elements_max=3))
    assert (caught.value.code, caught.value.pointer) == ("too_many_elements", LIST)
    with pytest.raises(TooLargeError) as caught:
        parse_document(many, limits=Limits(vocabulary_values_max=9))
    assert (caught.value.code, caught.value.pointer) == ("too_many_values", LIST)


def test_a_value_that_is_too_long_refuses_its_element() -> None:
    long = element(SITE, name="x" * 65_536)
    assert refusal(vocabulary(LOCATION, long)).code == "attribute_too_large"
    long = {"id": SITE, "note": "x" * 65_536}
    assert refusal(vocabulary(LOCATION, long)).code == "attribute_too_large"


def test_a_query_documents_vocabularies_are_read() -> None:
    results = {"eventList": [], "vocabularyList": [site()]}
    queried = json.loads(document())
    del queried["epcisBody"]
    queried |= {
        "type": "EPCISQueryDocument",
        "epcisBody": {"queryResults": {"queryName": "q", "resultsBody": results}},
    }
    assert len(parse_document(json.dumps(queried).encode()).master_data) == 3


@pytest.mark.parametrize(
    "form",
    [
        [site()],
        {"vocabularyList": [site()]},
        {"epcisMasterData": {"vocabularyList": [site()]}},
        {"epcisHeader": header(site()), "@context": "https://x.test/c.jsonld"},
        json.loads(document(epcisHeader=header(site()))),
    ],
    ids=["list", "vocabularyList", "epcisMasterData", "epcisHeader", "document"],
)
def test_master_data_alone_comes_in_any_wrapping(form: Any) -> None:
    found = parse_master_data(json.dumps(form).encode())
    assert next(each.id for each in found if isinstance(each, VocabularyElement)) == SITE
    assert len(found) == 3


@pytest.mark.parametrize(
    ("form", "code", "pointer"),
    [
        (json.loads(document(event(1))), "master_data_expected", "/epcisBody/eventList"),
        ({}, "master_data_expected", "/vocabularyList"),
        ({"epcisHeader": {}}, "master_data_expected", "/epcisHeader/vocabularyList"),
        ({"vocabularyList": [{}]}, "type_mismatch", "/vocabularyList/0/type"),
        ([{}], "type_mismatch", "/0/type"),
        ("x", "type_mismatch", None),
        ({"@context": 7, "vocabularyList": [site()]}, "context_malformed", "/@context"),
    ],
)
def test_what_is_no_master_data_is_refused(form: Any, code: str, pointer: str | None) -> None:
    with pytest.raises(InputError) as caught:
        parse_master_data(json.dumps(form).encode())
    assert (caught.value.code, caught.value.pointer) == (code, pointer)


XML = "application/xml"


@pytest.mark.parametrize(
    "document_of", [xml_master_data, lambda v: xml_document(version=v)], ids=["alone", "header"]
)
@pytest.mark.parametrize("version", [1, 2])
def test_master_data_in_xml_is_the_same(document_of: Any, version: int) -> None:
    goods, plant = parse_master_data(document_of(version), media_type=XML)
    assert isinstance(goods, VocabularyElement)
    assert isinstance(plant, VocabularyElement)
    assert (goods.canonical, plant.canonical) == (PRODUCT_LINK, SITE_LINK)
    assert goods.attributes[1] == Attribute("urn:epcglobal:cbv:mda:strengthDescription", "100 mg")
    assert plant.children == (f"{SITE_LINK}/254/room",)
    (street,) = plant.attributes[1].value.values()  # type: ignore[union-attr]
    assert street == "Way 1"
    parsed = parse_document(document_of(version), media_type=XML)
    assert (parsed.events, parsed.master_data) == ((), (goods, plant))


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<x/>", "xml_root_unknown"),
        (b"<x", "xml_malformed"),
        (xml_master_data(3), "xml_root_unknown"),
        (xml_master_data(2, "<Vocabulary/>"), "field_unknown"),
        (xml_master_data(2).replace(b"EPCISBody>", b"EPCISHeader>"), "field_unknown"),
        (xml_master_data(2).replace(b"EPCISBody>", b"extension>"), "field_missing"),
        (xml_document("<ObjectEvent/>"), "master_data_expected"),
    ],
)
def test_xml_that_is_no_master_data_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_master_data(body, media_type=XML)
    assert caught.value.code == code


def test_a_faulty_element_in_xml_is_refused_by_itself() -> None:
    faulty = XML_VOCABULARIES.replace(SITE, "no uri")
    found = parse_master_data(xml_master_data(2, faulty), media_type=XML)
    assert [type(each) for each in found] == [VocabularyElement, InputError]
    assert isinstance(found[1], InputError)
    assert found[1].pointer == f"{LIST}/1/vocabularyElementList/0/id"
    typeless = XML_VOCABULARIES.replace(LOCATION, "no uri")
    with pytest.raises(InputError) as caught:
        parse_master_data(xml_master_data(2, typeless), media_type=XML)
    assert caught.value.pointer == f"{LIST}/1/type"
