"""Events of types that the standard lets others define: read, hashed, found, shown; nothing follows from them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lxml import etree

from scenarios import MAKER, WHOLESALER, Story, item
from sealtrail.custody.custodian import is_shipping
from sealtrail.epcis import (
    XML_MEDIA_TYPE,
    Part,
    RecordedEvent,
    divide,
    json_form,
    parse_document,
    pre_hash,
    read_content,
    read_parts,
)
from sealtrail.epcis.events import ExtensionEvent, PersistentDisposition, SourceDest, type_name
from sealtrail.epcis.query import index_of, matches, parse_filter, term
from sealtrail.epcis.views import write_capture_document, write_event
from sealtrail.errors import InputError, NotAcceptableError
from sealtrail.evidence.bundle.after_recall import Placed, find_after_recall

ACME = "https://acme.example/epcis/"
CONTEXT = ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld", {"acme": ACME}]
PACK = "urn:epc:id:sgtin:4012345.011111.1"
LINK = "https://id.gs1.org/01/04012345111118/21/1"
CHECK: dict[str, Any] = {
    "type": "acme:TamperCheck",
    "eventTime": "2026-03-01T10:00:00.000Z",
    "eventTimeZoneOffset": "+01:00",
    "epcList": [PACK],
    "bizStep": "inspecting",
    "readPoint": {"id": "urn:epc:id:sgln:4012345.00001.0"},
    "acme:seal": {"acme:state": "intact", "colour": "red"},
    "note": "by hand",
}
TIMES = (
    "<eventTime>2026-03-01T10:00:00.000Z</eventTime>"
    "<eventTimeZoneOffset>+01:00</eventTimeZoneOffset>"
)
FIELDS = (
    f"{TIMES}<epcList><epc>{PACK}</epc></epcList>"
    "<bizStep>urn:epcglobal:cbv:bizstep:inspecting</bizStep>"
    "<readPoint><id>urn:epc:id:sgln:4012345.00001.0</id></readPoint>"
    "<a:seal><a:state>intact</a:state><colour>red</colour></a:seal><note>by hand</note>"
)
IN_XML = f'<a:TamperCheck xmlns:a="{ACME}">{FIELDS}</a:TamperCheck>'


def document(*events: dict[str, Any], context: Any = CONTEXT) -> bytes:
    return json.dumps(
        {
            "@context": context,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2026-03-01T10:00:00Z",
            "epcisBody": {"eventList": list(events)},
        }
    ).encode()


def xml_document(listed: str, version: str = "2.0") -> bytes:
    return (
        f'<epcis:EPCISDocument xmlns:epcis="urn:epcglobal:epcis:xsd:{version[0]}" xmlns:a="{ACME}"'
        f' schemaVersion="{version}" creationDate="2026-03-01T10:00:00Z"><EPCISBody><EventList>'
        f"{listed}</EventList></EPCISBody></epcis:EPCISDocument>"
    ).encode()


def only(data: bytes, media_type: str = "application/ld+json") -> RecordedEvent:
    (found,) = parse_document(data, media_type=media_type).events
    assert isinstance(found, RecordedEvent), (found, found.pointer)
    return found


def refused(data: bytes, media_type: str = "application/ld+json") -> InputError:
    (found,) = parse_document(data, media_type=media_type).events
    assert isinstance(found, InputError), found
    return found


def check(**more: Any) -> RecordedEvent:
    return only(document({k: v for k, v in (CHECK | more).items() if v is not None}))


# -- read and hashed -----------------------------------------------------------------------------------


def test_it_is_read_by_the_names_that_the_standard_has_and_kept_whole() -> None:
    recorded = check()
    event = recorded.event
    assert isinstance(event, ExtensionEvent)
    assert (event.namespace, event.local, event.biz_step) == (ACME, "TamperCheck", "inspecting")
    assert type_name(event) == f"{ACME}TamperCheck"
    assert [(e.namespace, e.local) for e in event.extensions] == [("", "note"), (ACME, "seal")]
    assert json.loads(recorded.content) == CHECK | {"@context": CONTEXT}
    again = read_content(recorded.content, recorded.media_type)
    assert msgspec.structs.replace(again, pointer=recorded.pointer) == recorded


def test_its_hash_has_its_type_with_the_namespace_and_says_that_others_may_not() -> None:
    recorded = check()
    assert recorded.hash_ambiguous == "event_type"
    assert pre_hash(recorded.content).startswith(f"eventType={{{ACME}}}TamperCheckeventTime=")
    assert only(document(CHECK | {"type": f"{ACME}TamperCheck"})).event_hash == recorded.event_hash
    renamed = json.loads(document(CHECK).replace(b"acme:", b"x:"))
    renamed["@context"] = [CONTEXT[0], {"x": ACME}]
    assert only(json.dumps(renamed).encode()).event_hash == recorded.event_hash


def test_it_names_the_items_of_every_list_and_their_lots() -> None:
    recorded = check(
        parentID="urn:epc:id:sscc:4012345.0000000001",
        childEPCs=["urn:epc:id:sgtin:4012345.011111.2"],
        quantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.011111.A"}],
        childQuantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.011111.B"}],
        inputEPCList=["urn:epc:id:sgtin:4012345.022222.3"],
        inputQuantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.022222.C"}],
        outputEPCList=["https://id.gs1.org/01/04012345333336/10/D/21/4"],
        outputQuantityList=[{"epcClass": "urn:epc:class:lgtin:4012345.033333.E"}],
        ilmd={"cbvmda:lotNumber": "F"},
    )
    gtin = "https://id.gs1.org/01/0401234511111"
    assert {(m.item, m.place) for m in recorded.items} == {
        ("https://id.gs1.org/00/040123450000000016", "parent"),
        (LINK, "epc"),
        (f"{gtin}8/21/2", "epc"),
        (f"{gtin}8/10/A", "class"),
        (f"{gtin}8/10/B", "class"),
        ("https://id.gs1.org/01/04012345222227/21/3", "input"),
        ("https://id.gs1.org/01/04012345222227/10/C", "input_class"),
        ("https://id.gs1.org/01/04012345333336/21/4", "output"),
        ("https://id.gs1.org/01/04012345333336/10/E", "output_class"),
        ("https://id.gs1.org/01/04012345333336/10/D", "lot"),
        (f"{gtin}8/10/F", "lot"),
        ("https://id.gs1.org/01/04012345333336/10/F", "lot"),
    }


def test_it_needs_nothing_but_its_times() -> None:
    bare = {k: CHECK[k] for k in ("type", "eventTime", "eventTimeZoneOffset")}
    assert only(document(bare)).items == ()
    for name in ("eventTime", "eventTimeZoneOffset"):
        error = refused(document({k: v for k, v in bare.items() if k != name}))
        assert (error.code, error.pointer) == (
            "field_missing",
            f"/epcisBody/eventList/0/{name}",
        )


def test_what_is_divided_of_it_is_joined_again() -> None:
    recorded = check(ilmd={"cbvmda:lotNumber": "F"}, sourceList=[])
    division = divide(recorded.content)
    joined = read_parts(dict(zip(Part, division.parts, strict=False)), division.elements)
    assert (joined.event, joined.items) == (recorded.event, recorded.items)


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"type": "TamperCheck"}, "event_type_unknown", "/type"),
        ({"type": "acme:"}, "event_type_unknown", "/type"),
        ({"type": ["acme:TamperCheck"]}, "event_type_unknown", "/type"),
        ({"type": "epcis:ObjectEvent"}, "event_type_unknown", "/type"),
        ({"type": "https://ref.gs1.org/epcis/ObjectEvent"}, "event_type_unknown", "/type"),
        ({"type": "other:TamperCheck"}, "prefix_undefined", "/type"),
        ({"type": "acme:Tamper Check"}, "name_malformed", "/type"),
        ({"type": "urn:x:" + "y" * 2_048}, "name_malformed", "/type"),
        ({"epcList": PACK}, "type_mismatch", "/epcList"),
        ({"epcList": [5]}, "type_mismatch", "/epcList/0"),
        ({"action": "MOVE"}, "action_unknown", "/action"),
        ({"bizStep": "blessing"}, "word_unknown", "/bizStep"),
        ({"other:x": 1}, "prefix_undefined", "/other:x"),
        ({"@id": "urn:x:1"}, "field_unknown", "/@id"),
    ],
)
def test_what_is_wrong_with_it_is_told_by_name_and_place(
    fields: dict[str, Any], code: str, pointer: str
) -> None:
    error = refused(document(CHECK | fields))
    assert (error.code, error.pointer) == (code, f"/epcisBody/eventList/0{pointer}")


def test_fields_without_a_namespace_are_for_types_of_others_only() -> None:
    ordinary = CHECK | {"type": "ObjectEvent", "action": "OBSERVE"}
    assert refused(document(ordinary)).code == "field_unknown"


# -- in XML --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        xml_document(f"<extension>{IN_XML}</extension>"),
        xml_document(IN_XML, "1.2"),
        IN_XML.encode(),
        f'<p:TamperCheck xmlns:p="{ACME}" xmlns:a="{ACME}">{FIELDS}</p:TamperCheck>'.encode(),
    ],
    ids=["2.0", "1.x", "alone", "another prefix"],
)
def test_xml_and_json_say_the_same(data: bytes) -> None:
    recorded, twin = only(data, XML_MEDIA_TYPE), check()
    assert recorded.event == twin.event
    assert recorded.event_hash == twin.event_hash
    assert recorded.items == twin.items
    assert recorded.hash_ambiguous == "event_type"
    assert read_content(recorded.content, XML_MEDIA_TYPE).event == recorded.event
    assert json_form(recorded.content)["type"].endswith(":TamperCheck")


def test_in_an_extension_stand_several_beside_the_standards() -> None:
    ordinary = f"<ObjectEvent>{TIMES}<epcList/><action>OBSERVE</action></ObjectEvent>"
    data = xml_document(f"{ordinary}<extension>{IN_XML}{IN_XML}</extension>{ordinary}")
    events = parse_document(data, media_type=XML_MEDIA_TYPE).events
    assert [type(e.event).__name__ for e in events if isinstance(e, RecordedEvent)] == [
        "ObjectEvent", "ExtensionEvent", "ExtensionEvent", "ObjectEvent",
    ]  # fmt: skip
    assert isinstance(events[2], RecordedEvent)
    assert events[2].pointer.endswith("/EventList/extension[1]/a:TamperCheck")


def own(inside: str, attributes: str = "") -> bytes:
    return f'<a:TamperCheck xmlns:a="{ACME}"{attributes}>{TIMES}{inside}</a:TamperCheck>'.encode()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (xml_document(IN_XML), "event_type_unknown"),  # 2.0 has a place for it
        (xml_document(f"<extension>{IN_XML}</extension>", "1.2"), "event_type_unknown"),
        (xml_document(f"<extension><TamperCheck>{TIMES}</TamperCheck></extension>"), "event_type_unknown"),
        (own("<type>ObjectEvent</type>"), "field_unknown"),
        (own("", ' type="ObjectEvent"'), "field_unknown"),
        (own("", ' note="x"'), "field_unknown"),
        (own("text"), "xml_text_misplaced"),
        (own("<action>ADD</action><action>ADD</action>"), "xml_element_repeated"),
        (own("<epcList>5</epcList>"), "xml_text_misplaced"),
        (own("<action>MOVE</action>"), "action_unknown"),
        (own(f'<b:x xmlns:b="b">{TIMES}</b:x>'), "xml_namespace_malformed"),
        (
            f'<e:ObjectEvent xmlns:e="https://ref.gs1.org/epcis/">{TIMES}</e:ObjectEvent>'.encode(),
            "event_type_unknown",
        ),
        (f'<n:Check xmlns:n="relative">{TIMES}</n:Check>'.encode(), "xml_namespace_malformed"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_it_in_xml_is_told_by_name_and_line(data: bytes, code: str) -> None:
    error = refused(data, XML_MEDIA_TYPE)
    assert error.code == code
    assert error.context["line"] == 1


def test_any_xml_with_a_namespace_is_no_event() -> None:
    with pytest.raises(InputError) as caught:
        parse_document(
            f'<a:Order xmlns:a="{ACME}"><x/></a:Order>'.encode(), media_type=XML_MEDIA_TYPE
        )
    assert caught.value.code == "xml_root_unknown"


# -- shown ---------------------------------------------------------------------------------------------


def test_in_xml_2_0_it_stands_where_the_schema_lets_it_and_hashes_the_same(shared: Path) -> None:
    view = json.loads(check(ilmd={"cbvmda:lotNumber": "F"}, action="OBSERVE").content)
    written = write_capture_document([view], form="xml-2.0", created="2026-03-01T10:00:00Z")
    path = shared / "standards" / "xsd-2.0" / "EPCglobal-epcis-2_0.xsd"
    etree.XMLSchema(etree.parse(str(path))).assertValid(etree.fromstring(written))
    again = only(written, XML_MEDIA_TYPE)
    assert again.event == check(ilmd={"cbvmda:lotNumber": "F"}, action="OBSERVE").event
    assert again.event_hash == check(ilmd={"cbvmda:lotNumber": "F"}, action="OBSERVE").event_hash
    alone = only(write_event(view, form="xml-2.0"), XML_MEDIA_TYPE)
    assert alone.event_hash == again.event_hash


def test_a_type_that_is_a_whole_uri_is_written_with_a_prefix() -> None:
    recorded = check(type="https://acme.example/other/Check")
    again = only(write_event(json.loads(recorded.content), form="xml-2.0"), XML_MEDIA_TYPE)
    assert again.event_hash == recorded.event_hash


@pytest.mark.parametrize(
    ("kind", "form", "code"),
    [
        ("acme:TamperCheck", "xml-1.2", "not_in_epcis_1_2"),
        ("acme:1st/check", "xml-2.0", "not_in_xml"),
    ],
)
def test_a_form_without_words_for_it_is_refused(kind: str, form: Any, code: str) -> None:
    view = json.loads(check(type=kind, eventID="urn:uuid:7").content)
    with pytest.raises(NotAcceptableError) as caught:
        write_event(view, form=form)
    assert (caught.value.code, caught.value.pointer) == (code, "/type")
    assert caught.value.context["event_id"] == "urn:uuid:7"


# -- asked for -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("eventType", f"{ACME}TamperCheck", True),
        ("eventType", "acme:TamperCheck", True),
        ("eventType", "ObjectEvent|acme:TamperCheck", True),
        ("eventType", "ObjectEvent", False),
        ("eventType", "acme:Other", False),
        ("MATCH_epc", PACK, True),
        ("EQ_bizStep", "inspecting", True),
        ("EQ_action", "OBSERVE", False),
        ("EXISTS_acme:seal", "", True),
        ("EQ_INNER_acme:state", "intact", True),
    ],
)
def test_it_is_found_by_what_it_says(name: str, value: str, expected: bool) -> None:
    wanted = parse_filter({name: value}, prefixes={"acme": ACME})
    assert matches(wanted, check(), 5) is expected


def test_it_is_indexed_under_its_own_type_only() -> None:
    recorded = check()
    terms = index_of(recorded.event, recorded.items).terms
    assert term("eventType", f"{ACME}TamperCheck") in terms
    assert term("eventType", "ExtensionEvent") not in terms


# -- judged --------------------------------------------------------------------------------------------


def own_event(story: Story, **fields: Any) -> Any:
    return story.add(
        MAKER, ExtensionEvent, namespace=ACME, local="Event", **{"epc_list": (item("P1"),)} | fields
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "ADD", "biz_step": "commissioning"},
        {"action": "DELETE", "biz_step": "decommissioning", "disposition": "inactive"},
        {"biz_step": "shipping", "destination_list": (SourceDest(type="possessing_party", id=WHOLESALER.pgln),)},
        {"biz_step": "receiving"},
        {"disposition": "recalled"},
        {"persistent_disposition": PersistentDisposition(set=("stolen",))},
        {"action": "ADD", "epc_list": (), "parent_id": item("C1"), "child_epcs": (item("P1"),)},
        {"epc_list": (), "input_epc_list": (item("P1"),), "output_epc_list": (item("P2"),)},
    ],
)  # fmt: skip
def test_nothing_follows_from_it_and_it_is_shown(fields: dict[str, Any]) -> None:
    story = Story()
    story.commission(MAKER, "P1", lot="L1", expiry="2030-12-31")
    before = story.judge("P1")
    recorded = own_event(story, **fields)
    judged = story.judge("P1")
    assert judged.verdicts == before.verdicts
    assert judged.state == before.state
    assert [f.code for f in judged.findings] == ["event_not_judged"]
    assert judged.findings[0].entries == (recorded.entry_id,)
    step = judged.journey[-1]
    assert (step.kind, step.effect) == ("extension", "not judged")
    assert step.event_type == f"{ACME}Event"
    assert not is_shipping(recorded)


def test_a_pack_that_only_it_names_is_unknown() -> None:
    story = Story()
    own_event(story, action="ADD", biz_step="commissioning")
    judged = story.judge("P1")
    assert judged.verdicts.identifier.value == "unknown"
    assert {f.code for f in judged.findings} == {"unknown_item", "event_not_judged"}


@pytest.mark.parametrize("of_others", [True, False])
def test_a_recall_that_only_it_tells_makes_no_correction_late(of_others: bool) -> None:
    story = Story()
    made = story.commission(MAKER, "P1", lot="L1", expiry="2030-12-31")
    if of_others:
        own_event(story, disposition="recalled")
    else:
        story.object(MAKER, "P1", disposition="recalled")
    declared = story.declare_error(made)
    placed = [Placed(each, number, True) for number, each in enumerate(story.history)]
    late = () if of_others else (declared.entry_id,)
    assert find_after_recall(placed).surely == late


def test_its_correction_is_an_ordinary_one() -> None:
    story = Story()
    story.commission(MAKER, "P1", lot="L1", expiry="2030-12-31")
    story.declare_error(own_event(story))
    judged = story.judge("P1")
    assert [f.code for f in judged.findings] == ["event_corrected"]
    assert [s.kind for s in judged.journey] == ["event", "corrected", "corrected"]
