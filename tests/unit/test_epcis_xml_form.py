"""What an event's element is read into, and what its content is."""

from __future__ import annotations

from typing import Any

import pytest

from sealtrail.epcis import (
    XML_MEDIA_TYPE,
    Document,
    RecordedEvent,
    detect_media_type,
    parse_document,
    read_content,
)
from sealtrail.epcis.events import ObjectEvent
from xml_documents import DECLARED, TIMES, document, event, pack

CONTEXT = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld"


def parsed(data: bytes, **more: Any) -> Document:
    return parse_document(data, media_type=XML_MEDIA_TYPE, **more)


def recorded(data: bytes, **more: Any) -> RecordedEvent:
    found = parsed(data, **more).events[0]
    assert isinstance(found, RecordedEvent), found
    return found


def form(late: str, version: str = "2.0") -> dict[str, Any]:
    found = recorded(document(event(late=late), version=version)).form
    assert found is not None
    return found


def test_an_event_has_the_form_of_the_json_binding() -> None:
    assert form("<bizStep>urn:epcglobal:cbv:bizstep:shipping</bizStep>") == {
        "@context": [CONTEXT],
        "type": "ObjectEvent",
        "eventTime": "2026-03-01T10:00:00.000Z",
        "eventTimeZoneOffset": "+01:00",
        "epcList": [pack(1)],
        "action": "OBSERVE",
        "bizStep": "shipping",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("urn:epcglobal:cbv:disp:in_transit", "in_transit"),
        ("https://ref.gs1.org/cbv/Disp-in_transit", "in_transit"),
        ("https://ns.gs1.org/cbv/Disp-in_transit", "in_transit"),
        ("cbv:Disp-in_transit", "in_transit"),
        (" \n in_transit\t", "in_transit"),
        ("urn:epcglobal:cbv:disp:gone", "https://ref.gs1.org/cbv/Disp-gone"),
        ("http://acme.example/gone", "http://acme.example/gone"),
    ],
)
def test_a_word_is_bare_in_every_spelling(given: str, expected: str) -> None:
    assert form(f"<disposition>{given}</disposition>")["disposition"] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("200.0", 200), ("+5", 5), ("0200.50", 200.5), ("-.5", -0.5), ("1e2", 100), (" 7 ", 7)],
)
def test_a_number_is_that_of_its_text(given: str, expected: float) -> None:
    late = (
        f"<quantityList><quantityElement><epcClass>urn:a:b</epcClass><quantity>{given}</quantity>"
    )
    found = form(f"{late}</quantityElement></quantityList>")["quantityList"][0]["quantity"]
    assert (found, type(found)) == (expected, type(expected))


def test_a_quantity_that_is_nil_is_none() -> None:
    late = (
        '<quantityElement><epcClass>urn:a:b</epcClass><quantity xsi:nil="true"/></quantityElement>'
    )
    assert form(f"<quantityList>{late}</quantityList>")["quantityList"] == [{"epcClass": "urn:a:b"}]


def test_a_report_that_tells_of_an_exception_has_no_type() -> None:
    late = '<sensorElement><sensorReport exception="gs1:ALARM_CONDITION" booleanValue="true"/></sensorElement>'
    (element,) = form(f"<sensorElementList>{late}</sensorElementList>")["sensorElementList"]
    assert element == {"sensorReport": [{"booleanValue": True, "exception": "ALARM_CONDITION"}]}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("<x:a>text</x:a>", {"x:a": "text"}),
        ("<x:a> \n padded </x:a>", {"x:a": "padded"}),
        ("<x:a/>", {"x:a": ""}),
        ("<x:a><![CDATA[<raw>]]></x:a>", {"x:a": "<raw>"}),
        ("<x:a>one<!-- or -->two</x:a>", {"x:a": "onetwo"}),
        ("<x:a>1</x:a><x:b/><x:a>2</x:a>", {"x:a": ["1", "2"], "x:b": ""}),
        ('<x:a unit="KGM">3</x:a>', {"x:a": {"#text": "3", "unit": "KGM"}}),
        ('<x:a x:b="1"><x:b>2</x:b></x:a>', {"x:a": {"x:b": ["1", "2"]}}),
        ('<x:a xsi:type="xs:int">3</x:a>', {"x:a": "3"}),
        ("<x:a><plain>1</plain></x:a>", {"x:a": {"plain": "1"}}),
        ("<x:aList><x:a>1</x:a></x:aList>", {"x:aList": ["1"]}),
        ("<x:aList><x:a>1</x:a><x:b>2</x:b></x:aList>", {"x:aList": {"x:a": "1", "x:b": "2"}}),
        ("<extension><x:a>1</x:a></extension>", {"x:a": "1"}),
        ('<y:a xmlns:y="http://x.example/ns/"/>', {"y:a": ""}),
        ('<a xmlns="http://x.example/ns/"/>', {"ns1:a": ""}),
        ('<gs1:a xmlns:gs1="http://x.example/ns/"/>', {"ns1:a": ""}),
        ('<urn:a xmlns:urn="http://x.example/ns/"/>', {"ns1:a": ""}),
        ('<g:a xmlns:g="https://ref.gs1.org/voc/"/>', {"gs1:a": ""}),
        ('<g:a xmlns:g="https://ref.gs1.org/other/"/>', {"ns1:a": ""}),
        ('<x:a/><x:b xmlns:x="http://y.example/"/>', {"x:a": "", "ns2:b": ""}),
    ],
)  # fmt: skip
def test_what_the_standard_does_not_define_is_a_member(given: str, expected: Any) -> None:
    found = form(given)
    assert {name: value for name, value in found.items() if ":" in name} == expected
    prefixes = {name.partition(":")[0] for name in expected} - {"gs1"}
    defined = found["@context"][1:]
    assert [set(each) for each in defined] == ([prefixes] if prefixes else [])


def test_what_1_2_puts_into_extensions_stands_in_the_event() -> None:
    body = (
        "<extension><sourceList><source type='urn:epcglobal:cbv:sdt:location'>urn:a:b</source></sourceList>"
        "<ilmd><x:a>1</x:a></ilmd><extension><persistentDisposition><set>urn:c:d</set></persistentDisposition>"
        "</extension></extension><x:b>2</x:b>"
    )
    added = document(event(late=body), version="1.2").replace(b"OBSERVE", b"ADD")
    found = recorded(added).form
    assert found is not None
    assert found["sourceList"] == [{"source": "urn:a:b", "type": "location"}]
    assert found["ilmd"] == {"x:a": "1"}
    assert found["persistentDisposition"] == {"set": ["urn:c:d"]}
    assert found["x:b"] == "2"


def test_an_association_in_inner_extensions_of_1_2_is_read() -> None:
    one = event(kind="AssociationEvent").replace("epcList", "childEPCs")
    one = one.replace("<childEPCs>", "<parentID>urn:a:b</parentID><childEPCs>")
    data = document(f"<extension><extension>{one}</extension></extension>", version="1.2")
    found = parsed(data).events[0]
    assert isinstance(found, RecordedEvent), found
    assert found.pointer.endswith("/EventList/extension[1]/extension/AssociationEvent")


def test_a_quantity_event_is_an_observation_of_one_class() -> None:
    body = (
        f"<QuantityEvent>{TIMES}<epcClass>urn:a:b</epcClass><quantity>7</quantity></QuantityEvent>"
    )
    read = recorded(document(body, version="1.2"))
    assert isinstance(read.event, ObjectEvent)
    assert (read.event.action, read.event.epc_list) == ("OBSERVE", ())
    assert [(each.epc_class, each.quantity) for each in read.event.quantity_list] == [
        ("urn:a:b", "7")
    ]


def test_names_in_the_standards_own_namespace_are_the_standards() -> None:
    plain = recorded(document(event()))
    names = ("ObjectEvent", "eventTime", "eventTimeZoneOffset", "epcList", "epc", "action")
    text = document(event()).decode()
    for name in names:
        text = text.replace(f"<{name}>", f"<epcis:{name}>").replace(
            f"</{name}>", f"</epcis:{name}>"
        )
    qualified = recorded(text.encode())
    assert qualified.form == plain.form
    assert qualified.event_hash == plain.event_hash
    assert qualified.content_hash != plain.content_hash


def test_content_is_the_canonical_element_without_its_record_time() -> None:
    times = TIMES.replace(
        "<eventTimeZ", "<recordTime>2026-03-01T10:00:01Z</recordTime>\n<eventTimeZ"
    )
    timed = recorded(document(event(times=times, late='<x:a b="2"  a="1"/>')))
    read = recorded(document(event(late='<x:a a="1" b="2"></x:a><!-- said -->')))
    assert timed.content == read.content
    assert timed.event.record_time is not None
    assert b'<x:a xmlns:x="http://x.example/ns/" a="1" b="2"></x:a>' in read.content
    assert b"xsi" not in read.content
    again = read_content(read.content, XML_MEDIA_TYPE)
    assert (again.content, again.form, again.event) == (read.content, read.form, read.event)


def test_events_of_one_document_are_read_like_events_of_their_own() -> None:
    many = parsed(document(*(event(n, late="<x:a>1</x:a>" * (n % 2)) for n in range(20)))).events
    for number, each in enumerate(many):
        assert isinstance(each, RecordedEvent)
        alone = recorded(document(event(number, late="<x:a>1</x:a>" * (number % 2))))
        assert (each.content, each.event_hash, each.form) == (
            alone.content,
            alone.event_hash,
            alone.form,
        )
        assert each.pointer == f"/epcis:EPCISDocument/EPCISBody/EventList/ObjectEvent[{number + 1}]"


@pytest.mark.parametrize("version", ["2.0", "1.2"])
def test_an_event_by_itself_is_told_by_its_form(version: str) -> None:
    parties = "<sourceList><source type='urn:t:t'>urn:a:b</source></sourceList>"
    late = parties if version == "2.0" else f"<extension>{parties}</extension>"
    bare = event(late=late).replace("<ObjectEvent>", f"<ObjectEvent {DECLARED}>", 1).encode()
    assert recorded(bare).form == form(late, version)
    assert recorded(bare).content == recorded(document(event(late=late), version=version)).content


def test_an_event_in_the_form_of_1_2_is_read_so_in_a_document_of_2_0() -> None:
    times = f"{TIMES}<baseExtension><eventID>urn:uuid:7</eventID></baseExtension>"
    late = "<extension><sourceList><source type='urn:t:t'>urn:a:b</source></sourceList></extension>"
    mixed, proper = (
        recorded(document(event(times=times, late=late), version=version))
        for version in ("2.0", "1.2")
    )
    assert mixed.event.event_id == "urn:uuid:7"
    assert (mixed.form, mixed.content) == (proper.form, proper.content)
    assert read_content(mixed.content, mixed.media_type).event == mixed.event


@pytest.mark.parametrize(
    "late",
    [
        "<x:a>1</x:a><bizStep>urn:a:b</bizStep><extension>{}</extension>",
        "<bizStep>urn:a:b</bizStep><x:a>1</x:a><extension>{}</extension>",
        "<bizStep>urn:a:b</bizStep><extension><x:a>1</x:a>{}</extension>",
        "<bizStep>urn:a:b</bizStep><extension>{}<extension><x:a>1</x:a></extension></extension>",
    ],
)
def test_what_others_defined_may_stand_anywhere(late: str) -> None:
    parties = "<sourceList><source type='urn:t:t'>urn:a:b</source></sourceList>"
    behind = f"<bizStep>urn:a:b</bizStep><extension>{parties}</extension><x:a>1</x:a>"
    moved, proper = (
        recorded(document(event(late=each), version="1.2"))
        for each in (late.format(parties), behind)
    )
    assert (moved.form, moved.event_hash) == (proper.form, proper.event_hash)
    assert moved.content != proper.content
    assert read_content(moved.content, moved.media_type).event == proper.event


def test_a_bare_uuid_as_an_event_id_is_its_urn() -> None:
    name, corrected = "9DB05F77-e007-41a2-a6d9-140254b7ce5a", "374d95fc-9457-4a51-bd6a-0bba133845a8"
    declared = (
        "<errorDeclaration><declarationTime>2026-03-02T10:00:00Z</declarationTime><correctiveEventIDs>"
        f"<correctiveEventID>{corrected}</correctiveEventID></correctiveEventIDs></errorDeclaration>"
    )
    times = f"{TIMES}<baseExtension><eventID>{name}</eventID>{declared}</baseExtension>"
    found = recorded(document(event(times=times), version="1.2"))
    assert found.event.event_id == f"urn:uuid:{name}"
    assert found.event.error_declaration is not None
    assert found.event.error_declaration.corrective_event_ids == (f"urn:uuid:{corrected}",)
    assert name.encode() in found.content
    assert read_content(found.content, found.media_type).event == found.event


def test_query_documents_are_read() -> None:
    for number in ("1", "2"):
        data = (
            f'<q:EPCISQueryDocument xmlns:q="urn:epcglobal:epcis-query:xsd:{number}" schemaVersion="{number}.0"'
            ' creationDate="2026-03-01T10:00:00Z"><EPCISBody><q:QueryResults><queryName>SimpleEventQuery</queryName>'
            f"<resultsBody><EventList>{event()}</EventList></resultsBody></q:QueryResults></EPCISBody>"
            "</q:EPCISQueryDocument>"
        ).encode()
        assert parsed(data).type == "EPCISQueryDocument"
        assert recorded(data).content == recorded(document(event())).content


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("utf-8", "UTF-8", None),
        ("utf-8-sig", "UTF-8", None),
        ("utf-8-sig", "ISO-8859-1", "us-ascii"),
        ("iso-8859-1", "ISO-8859-1", None),
        ("iso-8859-1", "UTF-8", "latin1"),
        ("cp1252", "windows-1252", None),
        ("utf-16", "UTF-16", None),
        ("utf-16-le", "UTF-16", "utf-16le"),
    ],
)
def test_an_encoding_is_told_by_mark_charset_or_declaration(
    encoding: str, declared: str, charset: str | None
) -> None:
    text = document(event(late="<x:a>Weiß</x:a>")).decode().replace("UTF-8", declared)
    found = recorded(text.encode(encoding), charset=charset)
    assert found.content == recorded(document(event(late="<x:a>Weiß</x:a>"))).content


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE project>",
        '<!-- a --><!DOCTYPE epcis:EPCISDocument SYSTEM "http://127.0.0.1:9/x.dtd">',
        '<!DOCTYPE a PUBLIC "-//GS1" "file:///etc/passwd" [ <!-- nothing --> ]>',
    ],
)
def test_a_document_type_that_declares_nothing_is_read_over(doctype: str) -> None:
    assert (
        recorded(document(event(), doctype=doctype)).content == recorded(document(event())).content
    )


def test_a_document_of_xml_begins_with_an_angle_bracket() -> None:
    for data in (document(event()), b"\xef\xbb\xbf\n <a/>", "<a/>".encode("utf-16")):
        assert detect_media_type(data) == XML_MEDIA_TYPE
    for data in (b"{}", b" [", b"", b"\xef\xbb\xbf{}"):
        assert detect_media_type(data) != XML_MEDIA_TYPE


def test_structured_master_data_has_the_shape_of_the_json_binding() -> None:
    header = (
        "<EPCISHeader><extension><EPCISMasterData><VocabularyList><Vocabulary type='urn:v:t'><VocabularyElementList>"
        "<VocabularyElement id='urn:a:b'><attribute id='urn:m:a'> one </attribute><attribute id='urn:m:b'>"
        "<x:c><d>2</d></x:c></attribute><children><id>urn:a:c</id></children></VocabularyElement>"
        "</VocabularyElementList></Vocabulary></VocabularyList></EPCISMasterData></extension></EPCISHeader>"
    )
    assert parsed(document(header=header)).vocabularies == (
        {
            "@context": [CONTEXT, {"x": "http://x.example/ns/"}],
            "type": "urn:v:t",
            "vocabularyElementList": [
                {
                    "id": "urn:a:b",
                    "children": ["urn:a:c"],
                    "attributes": [
                        {"id": "urn:m:a", "attribute": "one"},
                        {"id": "urn:m:b", "attribute": {"x:c": {"d": "2"}}},
                    ],
                }
            ],
        },
    )


def test_master_data_in_both_places_of_a_header_is_all_read() -> None:
    inner, outer = (
        f"<EPCISMasterData><VocabularyList><Vocabulary type='{kind}'/></VocabularyList></EPCISMasterData>"
        for kind in ("urn:v:inner", "urn:v:outer")
    )
    header = f"<EPCISHeader><extension>{inner}</extension>{outer}</EPCISHeader>"
    found = parsed(document(header=header)).vocabularies
    assert [each["type"] for each in found] == ["urn:v:inner", "urn:v:outer"]
