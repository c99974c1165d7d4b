"""Whatever is shown of an event leads to the one signed root, joins to its content, and gives nothing else away."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import orjson
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from evidence_world import event_root
from sealtrail.epcis import Part, RecordedEvent, divide, parse_document, read_content, read_parts
from sealtrail.epcis.division import join
from sealtrail.errors import VerificationError
from sealtrail.gs1 import canonical, gtin_of_pack, lot_in
from sealtrail.log.subset import covered_root, covering_hashes
from sealtrail.log.tree import leaf_hash, root_hash
from sealtrail.signing import disclose, partial_root

VECTORS = Path(__file__).parent.parent / "vectors" / "event-hash"
EVENTS = [
    event
    for name in ("cbv20.jsonl", "extensions.jsonl")
    for line in (VECTORS / name).read_text(encoding="utf-8").splitlines()
    for event in parse_document(orjson.dumps(json.loads(line)["document"])).events
    if isinstance(event, RecordedEvent)
]
LEAVES = [leaf_hash(n.to_bytes(4, "big")) for n in range(200)]
events = st.sampled_from(EVENTS)
seeds = st.binary(min_size=32, max_size=32)


@given(st.integers(1, 200), st.data())
def test_any_leaves_and_their_cover_lead_to_the_root(size: int, data: st.DataObject) -> None:
    shown = data.draw(st.sets(st.integers(0, size - 1)))
    cover = covering_hashes(LEAVES[:size], shown)
    assert covered_root(size, {n: LEAVES[n] for n in shown}, cover) == root_hash(LEAVES[:size])


@given(events)
def test_the_parts_join_to_the_content(event: RecordedEvent) -> None:
    division = divide(event.content)
    parts = {part: division.parts[part] for part in Part if part is not Part.ITEMS}
    assert rfc8785.dumps(join(parts, division.elements)) == event.content
    whole = read_content(event.content, event.media_type)
    shown = read_parts(parts, division.elements)
    assert (shown.event, shown.items) == (whole.event, whole.items)


@given(events, seeds, st.data())
def test_any_disclosure_leads_to_the_signed_root_and_names_only_what_was_asked(
    event: RecordedEvent, seed: bytes, data: st.DataObject
) -> None:
    named = {mention.item for mention in event.items}
    wanted = data.draw(st.sets(st.sampled_from(sorted(named)))) if named else set()
    withhold = data.draw(st.sets(st.sampled_from(Part)))
    partial = disclose(event, seed, wanted, withhold=withhold, item_salt=seed)
    assert partial_root(partial) == event_root(event, seed)
    there = {each.number for each in partial.parts}
    assert there.isdisjoint(withhold - {Part.CORE})
    parts = {Part(each.number): each.value for each in partial.parts}
    elements = partial.items.elements if partial.items else ()
    shown = {mention.item for mention in read_parts(parts, [e.value for e in elements]).items}
    assert shown <= named
    lots = {m.item for m in event.items if m.place == "lot"} & wanted
    unasked = [e for e in elements if not names_any(e.value, wanted)]
    assert len(unasked) <= len(lots)
    assert all(gtin_of_pack(epc_of(each.value)) for each in unasked)
    if Part.ITEMS not in withhold and Part.MASTER_DATA not in withhold:
        assert wanted <= shown


def epc_of(element: bytes) -> str:
    (value,) = json.loads(element).values()
    return value if isinstance(value, str) else str(value["epcClass"])


def names_any(element: bytes, wanted: set[str]) -> bool:
    epc = epc_of(element)
    return canonical(epc) in wanted or lot_in(epc) in wanted


@given(events, seeds, st.integers(0, 2**16), st.data())
def test_one_flipped_bit_leads_elsewhere_or_nowhere(
    event: RecordedEvent, seed: bytes, bit: int, data: st.DataObject
) -> None:
    partial = disclose(event, seed, [m.item for m in event.items], withhold=[Part.DOCUMENTS])
    index = data.draw(st.integers(0, len(partial.parts) - 1))
    part = partial.parts[index]
    if not part.value:
        return
    flipped = bytearray(part.value)
    flipped[bit // 8 % len(flipped)] ^= 1 << bit % 8
    parts = list(partial.parts)
    parts[index] = msgspec.structs.replace(part, value=bytes(flipped))
    spoiled = msgspec.structs.replace(partial, parts=tuple(parts))
    try:
        found = partial_root(spoiled)
    except VerificationError:
        return
    assert found != event_root(event, seed)
