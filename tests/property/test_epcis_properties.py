"""What holds for every event: names and order don't matter, content does, and no bytes do harm."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import orjson
import rfc8785
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sealtrail.epcis import RecordedEvent, parse_document, pre_hash, read_content
from sealtrail.epcis.content import encode_jcs, is_wide
from sealtrail.epcis.folding import fold
from sealtrail.errors import InputError, SealtrailError
from sealtrail.gs1 import canonical, gln_of, item_of, lot_in, numbering_digits, parse_item
from sealtrail.gs1.hash_form import hash_form

VECTORS = Path(__file__).parent.parent / "vectors" / "event-hash"
LINES = [
    json.loads(line)["document"]
    for name in ("cbv20.jsonl", "extensions.jsonl")
    for line in (VECTORS / name).read_text(encoding="utf-8").splitlines()
]
documents = st.sampled_from(LINES)

scalars = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False).filter(lambda n: not is_wide(n))
trees = st.recursive(
    scalars | numbers | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


def recorded(document: Any) -> RecordedEvent:
    event = parse_document(orjson.dumps(document)).events[0]
    assert isinstance(event, RecordedEvent), event
    return event


def shuffled(value: Any, data: st.DataObject) -> Any:
    if isinstance(value, dict):
        keys = data.draw(st.permutations(list(value)))
        return {key: shuffled(value[key], data) for key in keys}
    if isinstance(value, list):
        return [shuffled(element, data) for element in value]
    return value


@given(documents, st.data())
@settings(max_examples=60)
def test_the_order_of_keys_changes_neither_content_nor_hash(
    document: dict[str, Any], data: st.DataObject
) -> None:
    one, other = recorded(document), recorded(shuffled(document, data))
    assert one.content == other.content
    assert one.event_hash == other.event_hash
    assert one.items == other.items


def renamed(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {_renamed_key(key, names): renamed(child, names) for key, child in value.items()}
    return [renamed(child, names) for child in value] if isinstance(value, list) else value


def _renamed_key(key: str, names: dict[str, str]) -> str:
    prefix, colon, local = key.partition(":")
    return f"{names[prefix]}:{local}" if colon and prefix in names else names.get(key, key)


@given(documents)
@settings(max_examples=60)
def test_the_names_of_prefixes_do_not_change_the_event_hash(document: dict[str, Any]) -> None:
    names = {prefix: f"my{prefix}" for prefix in ("acme", "tms", "a", "b", "h", "u", "n", "ext")}
    other = copy.deepcopy(document)
    other["@context"] = renamed(document["@context"], names)
    other["epcisBody"] = renamed(document["epcisBody"], names)
    assert recorded(document).event_hash == recorded(other).event_hash


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for key, child in value.items() for leaf in leaves(child, (*path, key))]
    if isinstance(value, list):
        return [leaf for index, child in enumerate(value) for leaf in leaves(child, (*path, index))]
    return [path]


@given(documents, st.data())
@settings(max_examples=100)
def test_any_change_of_an_event_changes_its_content_hash(
    document: dict[str, Any], data: st.DataObject
) -> None:
    before = recorded(document)
    changed = copy.deepcopy(document)
    event = changed["epcisBody"]["eventList"][0]
    path = data.draw(st.sampled_from([leaf for leaf in leaves(event) if leaf[0] != "recordTime"]))
    place: Any = event
    for step in path[:-1]:
        place = place[step]
    old = place[path[-1]]
    place[path[-1]] = data.draw(
        st.sampled_from([f"{old}0", f"{old}x", f" {old}", "urn:a:b", 7, []])
    )
    after = parse_document(orjson.dumps(changed)).events[0]
    assume(isinstance(after, RecordedEvent))
    assert isinstance(after, RecordedEvent)
    assert after.content_hash != before.content_hash


@given(documents)
@settings(max_examples=60)
def test_content_reads_back_to_the_same_record(document: dict[str, Any]) -> None:
    event = recorded(document)
    again = read_content(event.content, event.media_type)
    assert (again.event_hash, again.content_hash) == (event.event_hash, event.content_hash)
    assert again.items == event.items
    assert pre_hash(event.content)


@given(trees)
@settings(max_examples=300)
def test_the_fast_encoder_gives_the_bytes_of_rfc_8785(tree: Any) -> None:
    assert encode_jcs([tree]) == rfc8785.dumps([tree])


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_named_errors(octets: bytes) -> None:
    with suppress(SealtrailError):
        parse_document(octets)


@given(trees)
@settings(max_examples=200)
def test_no_json_raises_anything_but_named_errors(tree: Any) -> None:
    for wrapped in (tree, {"type": "ObjectEvent", "@context": tree}, [{"type": tree}]):
        with suppress(SealtrailError):
            parse_document(orjson.dumps(wrapped))


@given(documents, st.data(), trees)
@settings(max_examples=300)
def test_anything_in_any_place_is_accepted_or_refused_by_name(
    document: dict[str, Any], data: st.DataObject, tree: Any
) -> None:
    spoiled = copy.deepcopy(document)
    paths = leaves(spoiled)
    path = data.draw(st.sampled_from(paths))
    cut = data.draw(st.integers(1, len(path)))
    place: Any = spoiled
    for step in path[: cut - 1]:
        place = place[step]
    place[path[cut - 1]] = tree
    with suppress(SealtrailError):
        events = parse_document(orjson.dumps(spoiled)).events
        assert all(isinstance(event, RecordedEvent) or event.code for event in events)


@given(st.text(max_size=60))
def test_no_text_harms_the_readers_of_identifiers(text: str) -> None:
    name = canonical(text)
    assert canonical(name) == name
    assert item_of(text).canonical == name
    numbering_digits(text)
    gln_of(text)
    hash_form(text)
    fold(text)
    with suppress(InputError):
        parse_item(text)


@given(
    st.sampled_from(
        [
            ("urn:epc:id:sgtin:", "9521001.000101.", ""),
            ("urn:epc:class:lgtin:", "4012345.012345.", ""),
            ("urn:epc:id:itip:", "4012345.012345.01.02.", ""),
            ("urn:epc:id:giai:", "0614141.", ""),
            ("urn:epc:idpat:cpi:", "0614141.12A", ".*"),
            ("urn:epc:id:gid:", "9521001.", ""),
            ("urn:epc:id:sgtin:", "0614141.1073464.", ""),
            ("https://id.gs1.org", "/01/09521001001014/21/", ""),
            ("http://shop.example", "/a/01/09521001001014/10/L/21/", "?17=301231"),
        ]
    ),
    st.text("aAbB9'._", min_size=1, max_size=12),
    st.data(),
)
@settings(max_examples=300)
def test_any_case_before_the_serial_names_the_same_item(
    parts: tuple[str, str, str], serial: str, data: st.DataObject
) -> None:
    prefix, before, behind = parts
    cased = "".join(data.draw(st.sampled_from([c, c.upper()])) for c in prefix)
    rest = before + serial + behind
    assert canonical(cased + rest) == canonical(prefix + rest)
    assert item_of(cased + rest) == item_of(prefix + rest)
    assert numbering_digits(cased + rest) == numbering_digits(prefix + rest)
    assert lot_in(cased + rest) == lot_in(prefix + rest)


serials = st.text(
    st.sampled_from("ABCXYZabcxyz0123456789-._'=;!()*+,:\"%&/<>?"), min_size=1, max_size=20
)
prefixes = st.integers(6, 12)


@given(st.text("0123456789", min_size=13, max_size=13), prefixes, serials)
@settings(max_examples=300)
def test_a_urn_of_any_split_and_its_digital_link_agree(
    digits: str, split: int, serial: str
) -> None:
    escaped = "".join(c if c not in '"%&/<>?' else f"%{ord(c):02X}" for c in serial)
    urn = f"urn:epc:id:sgtin:{digits[1 : split + 1]}.{digits[0]}{digits[split + 1 :]}.{escaped}"
    link = canonical(urn)
    assert link.startswith("https://id.gs1.org/01/" + digits)
    assert item_of(urn).serial == serial
    moved = link.replace("https://id.gs1.org/", "https://shop.example/a/b/") + "?17=271231"
    assert canonical(moved) == link
    assert msgspec.structs.replace(parse_item(urn), expiry="271231") == parse_item(moved)
