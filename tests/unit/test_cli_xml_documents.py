"""Cutting XML for capture: events keep their bytes, their namespaces and their places."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealtrail.cli.capture_sender import _shifted
from sealtrail.cli.documents import split_documents
from sealtrail.cli.xml_documents import split_xml
from sealtrail.epcis import XML_MEDIA_TYPE, RecordedEvent, parse_document
from sealtrail.errors import InputError
from xml_documents import TIMES, document, event, pack


def contents(data: bytes) -> list[bytes]:
    events = parse_document(data, media_type=XML_MEDIA_TYPE).events
    assert all(isinstance(each, RecordedEvent) for each in events), events
    return [each.content for each in events if isinstance(each, RecordedEvent)]


def test_a_small_document_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    path.write_bytes(document(event(1), event(2)))
    (part,) = split_documents(path, 2)
    assert part.document == path.read_bytes()
    assert (part.events, part.media_type) == (2, XML_MEDIA_TYPE)


TRANSFORMATION = (
    f"<extension><TransformationEvent>{TIMES}<inputEPCList><epc>{pack(1)}</epc></inputEPCList>"
    f"<outputEPCList><epc>{pack(2)}</epc></outputEPCList></TransformationEvent></extension>"
)


@given(
    st.lists(st.sampled_from(["plain", "own", "comment", "wrapped"]), max_size=25),
    st.integers(1, 7),
)
def test_cut_documents_hold_all_events_in_order(kinds: list[str], most: int) -> None:
    made = {
        "plain": event(1),
        "own": event(2, late="<x:EventList><x:a>é</x:a></x:EventList>"),
        "comment": f"<!-- <ObjectEvent> -->\n{event(3, late='<x:b><![CDATA[<EventList>]]></x:b>')}",
        "wrapped": TRANSFORMATION,
    }
    whole = document(*(made[kind] for kind in kinds), version="1.2", doctype="<!DOCTYPE a>")
    parts = list(split_xml(whole, most))
    assert [c for part in parts for c in contents(part.document)] == contents(whole)
    assert all(part.events <= max(most, 1) for part in parts)
    assert [part.first for part in parts] == list(range(0, max(len(kinds), 1), most))[: len(parts)]


def test_a_document_in_another_encoding_is_cut_too() -> None:
    text = document(*(event(n, late="<x:a>Weiß</x:a>") for n in range(3))).decode()
    for encoding, name in (("latin-1", "ISO-8859-1"), ("utf-16", "UTF-16")):
        whole = text.replace("UTF-8", name).encode(encoding)
        parts = list(split_xml(whole, 2))
        assert [c for part in parts for c in contents(part.document)] == contents(text.encode())


def test_a_document_without_a_list_of_events_is_sent_as_it_is() -> None:
    for whole in (event(1).encode(), b"<a><b/><b/></a>", document()):
        (part,) = split_xml(whole, 1)
        assert (part.document, part.events) == (whole, 1)


def test_a_refusal_leads_into_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    bad = event(9, late="<madeUp/>")
    path.write_bytes(
        document(event(1), event(2, kind="TransactionEvent"), event(3), event(4), bad, bad)
    )
    last = list(split_documents(path, 2))[-1]
    refused = parse_document(last.document, media_type=XML_MEDIA_TYPE).events
    for error, number in zip(refused, (4, 5), strict=True):
        assert isinstance(error, InputError)
        problem = {"detail": error.message, "pointer": error.pointer, **error.context}
        shifted = _shifted(problem, last)
        assert shifted["line"] == number + 4
        assert shifted["detail"].startswith(f"Line {number + 4}: ")
        assert f"/EventList/ObjectEvent[{number}]/madeUp" in shifted["pointer"]


@pytest.mark.parametrize(
    ("whole", "code"),
    [
        (document(event(1))[:-30], "xml_malformed"),
        (document(event(1), doctype='<!DOCTYPE a [<!ENTITY b "c">]>'), "xml_entities_refused"),
        (b"<a>\xff</a>", "xml_not_utf8"),
    ],
)
def test_what_can_not_be_cut_is_refused(whole: bytes, code: str) -> None:
    with pytest.raises(InputError) as caught:
        list(split_xml(whole, 1))
    assert caught.value.code == code
