"""What an event shows in parts, and what it keeps."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from evidence_world import event_root
from parts_world import LOT, ORDER, PACK, SSCC, full_event, recorded, shipping
from sealtrail.epcis import MEDIA_TYPE, Part, divide, read_parts
from sealtrail.errors import InputError, UnsupportedMediaError, VerificationError
from sealtrail.signing import PartialContent, disclose, partial_root
from sealtrail.signing.roots import make_salts

SEED = b"\x07" * 32
SALT = b"\x08" * 32
replace = msgspec.structs.replace


def shown_items(partial: PartialContent) -> set[str]:
    parts = {Part(each.number): each.value for each in partial.parts}
    elements = [each.value for each in partial.items.elements] if partial.items else []
    return {mention.item for mention in read_parts(parts, elements).items}


def everything(partial: PartialContent) -> bytes:
    return msgspec.msgpack.encode(partial)


def test_one_pack_comes_with_its_lot_and_no_other_pack() -> None:
    event = recorded(full_event(1000))
    partial = disclose(event, SEED, [PACK.format(1500)], item_salt=SALT)
    assert partial_root(partial) == event_root(event, SEED)
    assert shown_items(partial) == {PACK.format(1500), LOT}
    assert partial.items is not None
    assert (partial.items.count, len(partial.items.elements)) == (1001, 1)
    assert b"/21/1501" not in everything(partial)
    assert len(everything(partial)) < 3_000


def test_a_parent_is_shown_whatever_is_asked() -> None:
    partial = disclose(recorded(shipping()), SEED, [])
    assert shown_items(partial) == {SSCC}


def test_documents_and_extensions_are_withheld_unless_they_are_asked_for() -> None:
    event = recorded(full_event())
    by_default, all_shown = disclose(event, SEED, []), disclose(event, SEED, [], withhold=())
    for text in (ORDER, "for our eyes only"):
        assert text.encode() not in everything(by_default)
        assert text.encode() in everything(all_shown)
    assert partial_root(by_default) == partial_root(all_shown) == event_root(event, SEED)


def test_neither_seed_nor_hashes_nor_the_salts_of_what_is_withheld_are_shown() -> None:
    event = recorded(full_event())
    partial = disclose(event, SEED, [PACK.format(1003)], item_salt=SALT)
    octets = everything(partial)
    assert SEED not in octets
    assert event.content_hash not in octets
    assert event.event_hash not in octets
    salts = make_salts(SEED, 8 + 21)
    shown = {1, 2 + Part.CORE, 2 + Part.PARTIES, 2 + Part.MASTER_DATA, 2 + Part.ITEMS, 8 + 3}
    assert {n for n, salt in enumerate(salts) if salt in octets} == shown


def test_items_that_are_withheld_hide_even_their_number() -> None:
    event = recorded(full_event())
    partial = disclose(event, SEED, [PACK.format(1003)], withhold=list(Part))
    assert partial.items is None
    assert [each.number for each in partial.parts] == [Part.CORE]
    assert partial_root(partial) == event_root(event, SEED)


def test_a_part_that_is_not_there_looks_like_any_other_while_it_is_withheld() -> None:
    with_documents, without = full_event(), full_event(bizTransactionList=None)
    one, other = (disclose(recorded(each), SEED, []) for each in (with_documents, without))
    assert len(one.withheld) == len(other.withheld) == 2
    assert len(everything(one)) == len(everything(other))
    shown = disclose(recorded(without), SEED, [], withhold=())
    assert next(e.value for e in shown.parts if e.number == Part.DOCUMENTS) == b""


def test_a_lot_of_the_master_data_comes_with_one_pack_of_its_gtin() -> None:
    event = recorded(full_event(quantityList=None))
    partial = disclose(event, SEED, [LOT])
    assert shown_items(partial) == {PACK.format(1000), LOT}
    withheld = disclose(event, SEED, [LOT], withhold=[Part.MASTER_DATA])
    assert shown_items(withheld) == set()


def test_a_lot_number_longer_than_gs1_allows_comes_with_its_pack_and_no_container() -> None:
    event = recorded(
        full_event(
            epcList=[SSCC, PACK.format(7)], quantityList=None, ilmd={"cbvmda:lotNumber": "L" * 21}
        )
    )
    lot = LOT.rpartition("/")[0] + "/" + "L" * 21
    partial = disclose(event, SEED, [lot])
    assert shown_items(partial) == {PACK.format(7), lot}


def test_a_lot_in_a_packs_own_link_is_shown_by_that_pack() -> None:
    links = [f"https://id.gs1.org/01/09521234543213/10/L{n}/21/{n}" for n in range(3)]
    event = recorded(full_event(epcList=links, ilmd=None, quantityList=None))
    lot = "https://id.gs1.org/01/09521234543213/10/L1"
    assert shown_items(disclose(event, SEED, [lot])) == {lot, PACK.format(1)}


def test_an_item_that_the_event_does_not_name_shows_nothing() -> None:
    partial = disclose(recorded(full_event()), SEED, ["urn:example:other"], withhold=[])
    assert shown_items(partial) == set()


def test_every_element_can_be_shown() -> None:
    event = recorded(full_event())
    names = [mention.item for mention in event.items]
    partial = disclose(event, SEED, names, withhold=[], item_salt=SALT)
    assert partial.items is not None
    assert partial.items.hashes == partial.withheld == ()
    assert partial.keys is not None
    assert partial.keys.hashes == ()
    assert shown_items(partial) == set(names)


def spoil(partial: PartialContent, **changes: Any) -> PartialContent:
    assert partial.items is not None
    of_items = {name: changes.pop(name) for name in ("count", "elements") if name in changes}
    return replace(partial, items=replace(partial.items, **of_items), **changes)


PARTIAL = disclose(recorded(full_event()), SEED, [PACK.format(1003), PACK.format(1007)])
assert PARTIAL.items is not None
ELEMENTS = PARTIAL.items.elements


@pytest.mark.parametrize(
    ("spoiled", "code"),
    [
        (spoil(PARTIAL, salt=b""), "parts_malformed"),
        (spoil(PARTIAL, hashes_leaf=bytes(31)), "parts_malformed"),
        (spoil(PARTIAL, parts=PARTIAL.parts[::-1]), "parts_malformed"),
        (spoil(PARTIAL, parts=PARTIAL.parts[:1] * 2), "parts_malformed"),
        (spoil(PARTIAL, parts=(replace(PARTIAL.parts[0], number=-1),)), "parts_malformed"),
        (spoil(PARTIAL, parts=(replace(PARTIAL.parts[0], number=6),)), "parts_malformed"),
        (spoil(PARTIAL, parts=(replace(PARTIAL.parts[0], number=Part.ITEMS),)), "parts_malformed"),
        (spoil(PARTIAL, parts=(replace(PARTIAL.parts[0], salt=bytes(33)),)), "parts_malformed"),
        (spoil(PARTIAL, parts=PARTIAL.parts[1:]), "parts_malformed"),
        (spoil(PARTIAL, withheld=PARTIAL.withheld[1:]), "parts_malformed"),
        (spoil(PARTIAL, withheld=(*PARTIAL.withheld, bytes(32))), "parts_malformed"),
        (spoil(PARTIAL, withheld=(bytes(31), bytes(32))), "parts_malformed"),
        (spoil(PARTIAL, count=-1), "parts_malformed"),
        (spoil(PARTIAL, count=2**32), "parts_malformed"),
        (spoil(PARTIAL, count=7), "parts_malformed"),
        (spoil(PARTIAL, elements=ELEMENTS[::-1]), "parts_malformed"),
        (spoil(PARTIAL, elements=(replace(ELEMENTS[0], salt=b""), ELEMENTS[1])), "parts_malformed"),
        (spoil(PARTIAL, count=40), "proof_too_short"),
        (spoil(PARTIAL, elements=()), "proof_too_long"),
    ],
)
def test_what_is_malformed_leads_nowhere(spoiled: PartialContent, code: str) -> None:
    with pytest.raises(VerificationError) as e:
        partial_root(spoiled)
    assert e.value.code == code


@pytest.mark.parametrize(
    "spoiled",
    [
        spoil(PARTIAL, count=22),
        spoil(PARTIAL, elements=(replace(ELEMENTS[0], number=2), ELEMENTS[1])),
        spoil(PARTIAL, elements=(replace(ELEMENTS[0], value=ELEMENTS[1].value), ELEMENTS[1])),
        spoil(PARTIAL, withheld=PARTIAL.withheld[::-1]),
        spoil(PARTIAL, parts=(PARTIAL.parts[0], replace(PARTIAL.parts[1], value=b""), *PARTIAL.parts[2:])),
        replace(PARTIAL, items=None, withheld=(*PARTIAL.withheld, bytes(32))),
    ],
)  # fmt: skip
def test_what_is_changed_leads_to_another_root(spoiled: PartialContent) -> None:
    assert partial_root(spoiled) != partial_root(PARTIAL)


CORE = divide(full_event()).parts[Part.CORE]
REST = divide(full_event()).parts[Part.REST]
EPC = b'{"epcList":"urn:epc:id:sgtin:9521234.054321.1"}'
CLASS = b'{"quantityList":{"epcClass":"urn:epc:class:lgtin:9521234.054321.L"}}'


@pytest.mark.parametrize(
    ("parts", "elements", "code"),
    [
        ({Part.REST: REST}, [], "part_malformed"),
        ({Part.CORE: CORE[:-1] + b" }"}, [], "part_malformed"),
        ({Part.CORE: b"{}"}, [], "part_malformed"),
        ({Part.CORE: b"[]"}, [], "part_malformed"),
        ({Part.CORE: CORE[:-1]}, [], "json_malformed"),
        ({Part.CORE: CORE, Part.PARTIES: REST}, [], "part_malformed"),
        ({Part.CORE: CORE, Part.REST: b'{"recordTime":"2026-03-01T10:00:00Z"}'}, [], "part_malformed"),
        ({Part.CORE: CORE, Part.REST: b'{"note":"x"}'}, [], "field_unknown"),
        ({Part.CORE: CORE, Part.DOCUMENTS: b'{"ilmd":{}}'}, [], "part_malformed"),
        ({Part.CORE: CORE}, [CLASS, EPC], "part_malformed"),
        ({Part.CORE: CORE}, [b'{"bizStep":"shipping"}'], "part_malformed"),
        ({Part.CORE: CORE}, [EPC[:-1] + b',"x:y":1}'], "part_malformed"),
        ({Part.CORE: CORE}, [b'{"epcList":7}'], "type_mismatch"),
        ({Part.CORE: CORE}, [EPC, EPC], "item_repeated"),
        ({Part.CORE: CORE.replace(b'"eventTime":', b'"epcList":[],"eventTime":')}, [EPC], "part_malformed"),
        ({Part.CORE: CORE.replace(b'"eventTime":', b'"epcList":["a:b"],"eventTime":')}, [], "part_malformed"),
        ({Part.CORE: CORE.replace(b'"action":"ADD",', b"")}, [], "field_missing"),
        ({Part.CORE: CORE.replace(b"2026-03-01T", b"2026-03-99T")}, [], "time_malformed"),
    ],
)  # fmt: skip
def test_what_are_no_parts_of_an_event_is_refused(
    parts: dict[Part, bytes], elements: list[bytes], code: str
) -> None:
    with pytest.raises(InputError) as e:
        read_parts(parts, elements)
    assert e.value.code == code


def test_parts_of_another_media_type_are_not_read() -> None:
    with pytest.raises(UnsupportedMediaError, match="media_type_unknown"):
        read_parts({Part.CORE: CORE}, [], "text/xml")
    assert read_parts({Part.CORE: CORE}, [], MEDIA_TYPE).items == ()


def test_too_much_in_parts_is_refused_before_it_is_read() -> None:
    with pytest.raises(InputError, match="too_many_items"):
        read_parts({Part.CORE: CORE}, [EPC] * 50_001)


def test_an_event_is_read_without_what_it_must_name() -> None:
    content = shipping()
    event = read_parts({Part.CORE: divide(content).parts[Part.CORE]}, []).event
    assert json.loads(content)["parentID"] == getattr(event, "parent_id")  # noqa: B009 one of five types


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'"text"', b"{"])
def test_what_is_no_content_is_not_divided(content: bytes) -> None:
    with pytest.raises(InputError, match="json_malformed"):
        divide(content)
