"""Events in XML, with the content, JSON form, parts and hashes that protocol.md section 2 gives them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from sealtrail.epcis import (
    XML_MEDIA_TYPE,
    RecordedEvent,
    divide,
    event_hash_uri,
    json_form,
    parse_document,
    read_content,
)

FILES = sorted(Path(__file__).parent.glob("*.xml"))
IDS = [path.stem for path in FILES]


def expected(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_document_is_read_as_the_protocol_says(path: Path) -> None:
    vector = expected(path)
    document = parse_document(path.read_bytes(), media_type=XML_MEDIA_TYPE)
    assert len(document.events) == len(vector["events"])
    for event, case in zip(document.events, vector["events"], strict=True):
        assert isinstance(event, RecordedEvent), event
        assert event.content.decode() == case["content"]
        assert event.content_hash.hex() == case["content_hash"]
        assert event_hash_uri(event.event_hash) == case["event_hash"]
        assert event.hash_ambiguous == case["hash_ambiguous"]
        assert event.pointer == case["pointer"]
    assert list(document.vocabularies) == vector["vocabularies"]
    header = document.sender, document.receiver, document.instance_identifier
    assert header == tuple(vector["header"].values())


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_content_alone_gives_form_parts_and_hash(path: Path) -> None:
    for case in expected(path)["events"]:
        content = case["content"].encode()
        assert json_form(content) == case["form"]
        assert [part.decode() for part in divide(content).parts] == case["parts"]
        event = read_content(content, XML_MEDIA_TYPE)
        assert (event.content, event.form) == (content, case["form"])
        assert event_hash_uri(event.event_hash) == case["event_hash"]


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_the_documents_are_valid_by_the_schemas_of_gs1(path: Path, shared: Path) -> None:
    version = path.stem[-3:]
    name = f"EPCglobal-epcis-{version.replace('.', '_')}.xsd"
    schema = etree.XMLSchema(file=str(shared / "standards" / f"xsd-{version}" / name))
    assert schema.validate(etree.parse(str(path))), schema.error_log
