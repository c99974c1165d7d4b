"""What is refused in XML: each with a code, the line and the place."""

from __future__ import annotations

import msgspec
import pytest

from sealtrail.epcis import DEFAULT, XML_MEDIA_TYPE, Limits, parse_document, read_content
from sealtrail.errors import InputError, TooLargeError
from xml_documents import TIMES, document, event, pack

EVENT = "/epcis:EPCISDocument/EPCISBody/EventList/ObjectEvent[1]"


def quantity(inner: str) -> str:
    return f"<quantityList><quantityElement>{inner}</quantityElement></quantityList>"


def sensor(inner: str) -> str:
    return f"<sensorElementList><sensorElement>{inner}</sensorElement></sensorElementList>"


def transactions(inner: str) -> str:
    return f"<bizTransactionList>{inner}</bizTransactionList>"


AMOUNT = "<epcClass>urn:a:b</epcClass><quantity>{}</quantity>"
ELEMENT = "/quantityList/quantityElement"
REPORT = "/sensorElementList/sensorElement/sensorReport"
PLACE = "<{0}><id>urn:a:b</id></{0}>"


def refused(data: bytes, limits: Limits = DEFAULT) -> InputError:
    """Return why a document, or its only event, is refused."""
    try:
        (found,) = parse_document(data, media_type=XML_MEDIA_TYPE, limits=limits).events
    except InputError as error:
        return error
    assert isinstance(found, InputError), found
    return found


@pytest.mark.parametrize(
    ("late", "code", "place"),
    [
        ("<madeUp/>", "field_unknown", "/madeUp"),
        (PLACE.format("bizLocation") + PLACE.format("readPoint"), "xml_order_wrong", "/readPoint"),
        ("<action>ADD</action>", "xml_element_repeated", "/action[2]"),
        ("<bizStep>shiping</bizStep>", "word_unknown", "/bizStep"),
        ("<bizStep/>", "word_unknown", "/bizStep"),
        ("<bizStep a='1'>urn:a:b</bizStep>", "field_unknown", "/bizStep"),
        ("<bizStep><id>urn:a:b</id></bizStep>", "field_unknown", "/bizStep/id"),
        ("text", "xml_text_misplaced", ""),
        ("<readPoint/>", "field_missing", "/readPoint"),
        ("<readPoint><id>no uri</id></readPoint>", "uri_malformed", "/readPoint/id"),
        ("<readPoint><id>urn:a:b</id>text</readPoint>", "xml_text_misplaced", "/readPoint"),
        ("<readPoint><id>urn:a:b</id><id/></readPoint>", "xml_element_repeated", "/readPoint/id[2]"),
        (transactions(""), "list_empty", "/bizTransactionList"),
        (
            transactions("<bizTransaction type='po?'>urn:a:b</bizTransaction>"),
            "word_unknown",
            "/bizTransactionList/bizTransaction/@type",
        ),
        (
            transactions("<bizTransaction>urn:a:b</bizTransaction><bizTransaction/>"),
            "uri_malformed",
            "/bizTransactionList/bizTransaction[2]",
        ),
        ("<sourceList><source>urn:a:b</source></sourceList>", "field_missing", "/sourceList/source"),
        ("<sourceList><destination/></sourceList>", "field_unknown", "/sourceList/destination"),
        (quantity(AMOUNT.format("many")), "type_mismatch", f"{ELEMENT}/quantity"),
        (quantity(AMOUNT.format("0." + "12" * 15)), "json_number_inexact", f"{ELEMENT}/quantity"),
        (quantity("<quantity>1</quantity>"), "field_missing", ELEMENT),
        (quantity("<epcClass>urn:a:b</epcClass><x:a/>"), "field_unknown", f"{ELEMENT}/x:a"),
        ("<sensorElementList/>", "list_empty", "/sensorElementList"),
        (sensor("<sensorReport value='1'/>"), "field_missing", REPORT),
        (sensor("<sensorReport type='gs1:Mass' value='INF'/>"), "type_mismatch", f"{REPORT}/@value"),
        (
            sensor("<sensorReport type='gs1:Mass'/><sensorReport type='gs1:Mass' time='now'/>"),
            "time_malformed",
            f"{REPORT}[2]/@time",
        ),
        (sensor("<sensorReport type='gs1:Mass' odd='1'/>"), "field_unknown", f"{REPORT}/@odd"),
        (
            sensor("<sensorReport type='gs1:Mass'/><sensorMetadata/>"),
            "xml_order_wrong",
            "/sensorElementList/sensorElement/sensorMetadata",
        ),
        (
            "<persistentDisposition><set>urn:a:b</set><unset>urn:a:b</unset></persistentDisposition>",
            "xml_order_wrong",
            "/persistentDisposition/unset",
        ),
        ("<persistentDisposition/>", "field_missing", "/persistentDisposition"),
        ("<ilmd><a>1</a></ilmd>", "field_unknown", "/ilmd/a"),
        ("<extension><weight/></extension>", "field_unknown", "/extension/weight"),
        ("<x:a>text<x:b/>more</x:a>", "xml_text_misplaced", "/x:a"),
        ("<x:a><?run it?></x:a>", "xml_instruction_refused", "/x:a"),
        ("<x:größe/>", "name_malformed", "/x:größe"),
        ("<a xmlns='relative'/>", "xml_namespace_malformed", "/a"),
        ("<x:a xmlns:y='relative'/>", "xml_namespace_malformed", ""),
        (f"<x:a{'><x:a' * 40}/>{'</x:a>' * 40}", "xml_too_deep", "/x:a" * 33),
    ],
)  # fmt: skip
def test_an_event_is_refused_with_line_and_place(late: str, code: str, place: str) -> None:
    error = refused(document(event(late=late)))
    assert (error.code, error.pointer) == (code, EVENT + place)
    assert error.context["line"] == 4
    assert error.message.startswith("Line 4: ")


@pytest.mark.parametrize(
    ("late", "code"),
    [
        ("<quantityList/>", "field_unknown"),
        ("<extension><sourceList><source type='urn:t:t'>urn:a:b</source></sourceList><quantityList/></extension>",
         "xml_order_wrong"),
        ("<extension><later/></extension>", "field_unknown"),
    ],
)  # fmt: skip
def test_a_document_of_1_2_is_held_to_its_own_schema(late: str, code: str) -> None:
    assert refused(document(event(late=late), version="1.2")).code == code


def test_an_event_stands_where_its_schema_has_it() -> None:
    transformation = f"<TransformationEvent>{TIMES}</TransformationEvent>"
    association = "<extension><extension><AssociationEvent/></extension></extension>"
    for version, listed in (
        ("1.2", transformation),
        ("2.0", f"<extension>{transformation}</extension>"),
        ("2.0", association),
        ("2.0", "<QuantityEvent/>"),
        ("1.2", "<extension/>"),
        ("2.0", "<x:ObjectEvent/>"),
        ("2.0", "<madeUpEvent/>"),
    ):
        assert refused(document(listed, version=version)).code == "event_type_unknown"


def test_a_time_without_an_offset_is_refused() -> None:
    times = TIMES.replace(".000Z", "")
    error = refused(document(event(times=times), version="1.2"))
    assert (error.code, error.pointer) == ("time_malformed", f"{EVENT}/eventTime")


def test_an_item_in_a_list_is_found_by_its_number() -> None:
    good, bad = f"<epc>{pack(1)}</epc>", "\n<epc>no uri</epc>"
    error = refused(document(event().replace(good, good + bad)))
    assert (error.code, error.pointer) == ("uri_malformed", f"{EVENT}/epcList/epc[2]")
    assert error.context["line"] == 5


def test_a_refused_event_leaves_the_others() -> None:
    data = document(event(1), event(2, late="<madeUp/>"), event(3))
    first, second, third = parse_document(data, media_type=XML_MEDIA_TYPE).events
    assert isinstance(second, InputError)
    assert second.pointer is not None
    assert second.pointer.endswith("/ObjectEvent[2]/madeUp")
    assert not isinstance(first, InputError)
    assert not isinstance(third, InputError)
    assert third.pointer.endswith("/ObjectEvent[3]")


BOMB = (
    '<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)


@pytest.mark.parametrize(
    ("doctype", "late", "code"),
    [
        (BOMB, "<x:a>&c;</x:a>", "xml_entities_refused"),
        (BOMB, '<x:a b="&c;"/>', "xml_entities_refused"),
        ('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "<x:a>&x;</x:a>", "xml_entities_refused"),
        ('<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/"> %x;]>', "", "xml_entities_refused"),
        ('<!DOCTYPE a [<!-- > ]> --><!ENTITY x "y">]>', "", "xml_entities_refused"),
        ('<!DOCTYPE a SYSTEM "x.dtd">', "<x:a>&x;</x:a>", "xml_entities_refused"),
        ('<!DOCTYPE a SYSTEM "x.dtd">', '<x:a b="&x;"/>', "xml_entities_refused"),
        ("<!DOCTYPE a [<!ATTLIST ObjectEvent x CDATA 'y'>]>", "", "xml_declarations_refused"),
        ("<!DOCTYPE a [<!ELEMENT a ANY>]>", "", "xml_declarations_refused"),
        ("", "<x:a>&x;</x:a>", "xml_malformed"),
        ("", "<x:a>&#xD800;</x:a>", "xml_malformed"),
        ("", "<x:a>&#0;</x:a>", "xml_malformed"),
        ("", "<x:a>\x07</x:a>", "xml_malformed"),
        ("", "<y:a/>", "xml_malformed"),
        ("", "<x:a b='1' b='2'/>", "xml_malformed"),
        ("", "<x:a b='1' xmlns:y='http://x.example/ns/' x:b='1' y:b='2'/>", "xml_malformed"),
        ("", "<x:a>" * 300 + "</x:a>" * 300, "xml_too_deep"),
        ("", "<x:a" + "".join(f" a{n}='1'" for n in range(300)) + "/>", "too_many_attributes"),
        ("", "<x:a" + "".join(f" xmlns:a{n}='u:{n}'" for n in range(101)) + "/>", "too_many_namespaces"),
    ],
)  # fmt: skip
def test_a_hostile_document_is_refused_whole(doctype: str, late: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(document(event(late=late), doctype=doctype), media_type=XML_MEDIA_TYPE)
    assert caught.value.code == code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_second_byte_order_mark_hides_no_entities(encoding: str) -> None:
    text = document(event(late='<x:a b="&c;"/>'), doctype=BOMB).decode()
    body = text[text.index("<!DOCTYPE") :]
    with pytest.raises(InputError) as caught:
        parse_document(f"\ufeff\ufeff{body}".encode(encoding), media_type=XML_MEDIA_TYPE)
    assert caught.value.code == "xml_malformed"


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE a" + " " * 2_000_000 + "x>",
        "<!DOCTYPE a SYSTEM ''" + " " * 2_000_000 + "x>",
        "<!DOCTYPE " + "a" * 2_000_000 + "[x]>",
        "<!DOCTYPE a [" + "<!---->" * 200_000 + "x]>",
    ],
    ids=["blanks", "blanks behind an address", "a name", "comments"],
)
def test_a_long_document_type_is_looked_at_once(doctype: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(document(event(), doctype=doctype), media_type=XML_MEDIA_TYPE)
    assert caught.value.code == "xml_declarations_refused"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "xml_malformed"),
        (b"<", "xml_malformed"),
        (b"{}", "xml_malformed"),
        (document(event())[:-20], "xml_malformed"),
        (document(event()) + b"<more/>", "xml_malformed"),
        (document(event()).replace(b"OBSERVE", b"\xff"), "xml_not_utf8"),
        (document(event()).replace(b"UTF-8", b"US-ASCII").replace(b"OBSERVE", b"\xc3"), "xml_encoding_wrong"),
        (document(event()).replace(b"UTF-8", b"EBCDIC-CP-US"), "xml_encoding_unsupported"),
        (b"\xff\xfe<\x00a", "xml_encoding_wrong"),
        (b"<Envelope/>", "xml_root_unknown"),
        (document(event()).replace(b":xsd:2", b":xsd:3"), "xml_root_unknown"),
        (document(event()).replace(b'schemaVersion="2.0"', b""), "field_missing"),
        (document(event()).replace(b'schemaVersion="2.0"', b'schemaVersion="two"'), "schema_version_malformed"),
        (document(event()).replace(b"creationDate", b"x:date"), "field_missing"),
        (document(event()).replace(b"2026-03-01T10:00:00Z", b"today"), "time_malformed"),
        (document().replace(b"EPCISBody", b"Body"), "field_unknown"),
        (document().replace(b"<EPCISBody><EventList>", b"").replace(b"</EventList></EPCISBody>", b""), "field_missing"),
        (document("text"), "xml_text_misplaced"),
        (document(header="<EPCISHeader><made/></EPCISHeader>"), "field_unknown"),
        (document(header="<EPCISHeader/><EPCISHeader/>"), "xml_element_repeated"),
        (document(header="<EPCISHeader><extension><EPCISMasterData><VocabularyList><Vocabulary/></VocabularyList>"
                         "</EPCISMasterData></extension></EPCISHeader>"), "field_missing"),
    ],
)  # fmt: skip
def test_a_malformed_document_is_refused_whole(data: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_document(data, media_type=XML_MEDIA_TYPE)
    assert caught.value.code == code


def test_bad_xml_is_told_by_line_and_column() -> None:
    with pytest.raises(InputError) as caught:
        parse_document(b"<a>\n <b></c>\n</a>", media_type=XML_MEDIA_TYPE)
    assert (caught.value.context["line"], caught.value.context["column"]) == (2, 9)


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"document_bytes_max": 300}, "document_too_large"),
        ({"document_values_max": 20}, "too_many_values"),
        ({"events_count_max": 2}, "too_many_events"),
    ],
)
def test_a_document_beyond_a_limit_is_refused_whole(limits: dict[str, int], code: str) -> None:
    with pytest.raises(TooLargeError) as caught:
        parse_document(
            document(event(1), event(2), event(3)),
            media_type=XML_MEDIA_TYPE,
            limits=msgspec.structs.replace(DEFAULT, **limits),
        )
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("limits", "late", "code"),
    [
        ({"items_count_max": 0}, "", "too_many_items"),
        ({"items_count_max": 1, "event_values_max": 5}, "<x:a/>", "too_many_values"),
        ({"content_bytes_max": 100}, "", "event_too_large"),
        ({"contexts_bytes_max": 100}, "<x:a/><x:b/><x:c/>", "contexts_too_large"),
    ],
)
def test_an_event_beyond_a_limit_is_refused(limits: dict[str, int], late: str, code: str) -> None:
    error = refused(document(event(late=late)), msgspec.structs.replace(DEFAULT, **limits))
    assert isinstance(error, TooLargeError)
    assert error.code == code
    assert error.pointer is not None
    assert error.pointer.startswith(EVENT)


@pytest.mark.parametrize(
    "content",
    [
        event().replace("<action>", "<action >"),
        event() + "\n",
        f"<?xml version='1.0'?>{event()}",
        event().replace("</action>", "</action><!-- -->"),
        event(times=TIMES.replace("<eventTimeZ", "<recordTime>2026-03-01T10:00:00Z</recordTime><eventTimeZ")),
        event(late="<x:a xmlns:x='urn:a:b'/>"),
    ],
)  # fmt: skip
def test_content_in_another_byte_form_is_refused(content: str) -> None:
    read_content(event().encode(), XML_MEDIA_TYPE)
    with pytest.raises(InputError) as caught:
        read_content(content.encode(), XML_MEDIA_TYPE)
    assert caught.value.code == "content_not_canonical"


def test_a_document_is_no_content() -> None:
    with pytest.raises(InputError) as caught:
        read_content(document(event()), XML_MEDIA_TYPE)
    assert caught.value.code == "event_type_unknown"
