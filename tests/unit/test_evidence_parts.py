"""An entry of whose event only parts are shown: what still holds, what could not be checked, and each way to lie."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from evidence_world import DOMAIN, Party, View, digest_of
from parts_world import LOT, PACK, SSCC, full_event, in_parts, recorded, shipping
from sealtrail.epcis import Part, divide
from sealtrail.errors import InputError
from sealtrail.evidence import EntryRecord, Grade, Outcome, VerifiedEntry, verify_entry
from sealtrail.evidence.report import StepName
from sealtrail.evidence.tables import wire_entries
from sealtrail.log.tree import leaf_hash
from sealtrail.signing import (
    Kind,
    PartialContent,
    Shown,
    ShownItems,
    SignedEntry,
    disclosure_root,
    encode_leaf,
    entry_id,
    item_key,
    item_keys,
    parse_leaf,
)
from sealtrail.signing.disclosure import salt_parts

replace = msgspec.structs.replace


@pytest.fixture
def maker() -> Party:
    party = Party("maker")
    party.begin()
    party.append(full_event())
    party.append(shipping())
    return party


@pytest.fixture
def view(maker: Party) -> View:
    view = View(maker)
    view.put_anchor(maker, 3, block=50)
    return view


def verify(record: EntryRecord, view: View) -> VerifiedEntry:
    return verify_entry(record, domain=DOMAIN, network=view)


def outcome(verified: VerifiedEntry, name: str) -> tuple[Outcome, str | None]:
    step = next(s for s in verified.steps if s.name == name)
    return step.outcome, step.code


def refused(verified: VerifiedEntry, name: str, code: str) -> None:
    assert outcome(verified, name) == (Outcome.DOES_NOT_HOLD, code)
    assert verified.grade is None


def unchecked(verified: VerifiedEntry, name: str, code: str) -> None:
    assert outcome(verified, name) == (Outcome.COULD_NOT_CHECK, code)
    assert not verified.failures()


def partial_of(record: EntryRecord, **changes: Any) -> EntryRecord:
    assert record.partial is not None
    return replace(record, partial=replace(record.partial, **changes))


def items_of(record: EntryRecord) -> ShownItems:
    assert record.partial is not None
    assert record.partial.items is not None
    return record.partial.items


def test_one_pack_of_an_event_is_chain_proven(maker: Party, view: View) -> None:
    verified = verify(in_parts(maker.proven(1, 3), PACK.format(1003)), view)
    assert verified.grade is Grade.CHAIN_PROVEN
    for name in (StepName.CONTENT, StepName.EVENT_HASH):
        unchecked(verified, name, "content_in_parts")
    others = [s for s in verified.steps if s.name not in (StepName.CONTENT, StepName.EVENT_HASH)]
    assert {s.outcome for s in others} == {Outcome.HOLDS}
    assert verified.event is None
    shown = verified.shown
    assert shown is not None
    assert {(m.item, m.place) for m in shown.items} == {(PACK.format(1003), "epc"), (LOT, "lot")}
    assert shown.event.biz_step == "commissioning"
    assert shown.event.biz_transaction_list == ()
    assert shown.withheld == (Part.DOCUMENTS, Part.REST)
    assert shown.elements_withheld == 20


def test_the_step_says_that_other_keys_are_withheld(maker: Party, view: View) -> None:
    verified = verify(in_parts(maker.proven(1, 3), PACK.format(1003)), view)
    step = verified.steps[3]
    assert (step.outcome, step.code) == (Outcome.HOLDS, None)
    assert "withheld" in (step.reason or "")


def test_signed_parts_without_an_anchor_are_signature_proven(maker: Party, view: View) -> None:
    verified = verify(in_parts(maker.records[2], SSCC), view)
    assert verified.grade is Grade.SIGNATURE_PROVEN
    assert verified.shown is not None
    assert getattr(verified.shown.event, "parent_id") == SSCC  # noqa: B009 one of five types


def test_an_imported_event_is_shown_in_parts_too(maker: Party, view: View) -> None:
    record = maker.append(full_event(3), Kind.IMPORTED)
    assert verify(in_parts(record, PACK.format(1000)), view).grade is Grade.SIGNATURE_PROVEN


def test_items_that_are_withheld_leave_their_keys_unchecked(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), withhold=[Part.ITEMS], keys=False)
    verified = verify(record, view)
    unchecked(verified, StepName.ITEMS_ROOT, "item_keys_withheld")
    assert verified.grade is Grade.CHAIN_PROVEN
    assert verified.shown is not None
    assert verified.shown.elements_withheld is None
    assert verified.shown.withheld == (Part.ITEMS,)


def test_a_proof_of_no_keys_shows_nothing_of_the_items(maker: Party, view: View) -> None:
    verified = verify(in_parts(maker.proven(1, 3)), view)
    unchecked(verified, StepName.ITEMS_ROOT, "item_keys_withheld")
    assert verified.grade is Grade.CHAIN_PROVEN


def test_a_size_of_the_key_tree_that_no_tree_has_is_refused(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003))
    assert record.partial is not None
    assert record.partial.keys is not None
    vast = partial_of(record, keys=replace(record.partial.keys, count=2**5000))
    refused(verify(vast, view), StepName.ITEMS_ROOT, "tree_size_out_of_range")


def test_without_the_items_salt_no_key_can_be_compared(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003))
    verified = verify(replace(record, item_salt=None), view)
    unchecked(verified, StepName.ITEMS_ROOT, "item_keys_withheld")
    assert verified.grade is Grade.CHAIN_PROVEN


def keys_of(maker: Party, index: int) -> tuple[bytes, ...]:
    content = maker.records[index].content
    assert content is not None
    return tuple(item_keys(maker.item_salt, recorded(content).items))


def test_all_keys_may_be_given_in_place_of_a_proof(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003), keys=False)
    keys = keys_of(maker, 1)
    whole = verify(replace(record, item_keys=keys), view)
    assert outcome(whole, StepName.ITEMS_ROOT) == (Outcome.HOLDS, None)
    saltless = verify(replace(record, item_keys=keys, item_salt=None), view)
    assert outcome(saltless, StepName.ITEMS_ROOT) == (Outcome.HOLDS, None)
    one_too_many = verify(replace(record, item_keys=(*keys, b"\xff" * 32)), view)
    refused(one_too_many, StepName.ITEMS_ROOT, "items_root_differs")


def shown_keys(maker: Party) -> set[bytes]:
    salt = maker.item_salt
    return {item_key(salt, PACK.format(1003)), item_key(salt, LOT, packs=True)}


def test_keys_without_that_of_a_shown_item_are_refused(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003), keys=False)
    keys = tuple(k for k in keys_of(maker, 1) if k not in shown_keys(maker))
    refused(verify(replace(record, item_keys=keys), view), StepName.ITEMS_ROOT, "item_keys_differ")


def test_an_item_that_the_entry_hides_is_found() -> None:
    liar = Party("liar")
    record = liar.append(full_event(1, ilmd=None, quantityList=None), hidden_items=1)
    proven = in_parts(record, PACK.format(1000))
    bare = in_parts(record, PACK.format(1000), keys=False)
    for each in (proven, bare, replace(bare, item_salt=None)):
        refused(verify(each, View(liar)), StepName.ITEMS_ROOT, "items_root_differs")


def test_a_proof_of_other_keys_is_refused(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003))
    assert record.partial is not None
    keys = record.partial.keys
    assert keys is not None
    turned = replace(keys, indices=keys.indices[::-1])
    refused(
        verify(partial_of(record, keys=turned), view), StepName.ITEMS_ROOT, "item_keys_unproven"
    )
    moved = replace(keys, hashes=keys.hashes[::-1])
    refused(verify(partial_of(record, keys=moved), view), StepName.ITEMS_ROOT, "items_root_differs")
    short = replace(keys, hashes=keys.hashes[1:])
    refused(verify(partial_of(record, keys=short), view), StepName.ITEMS_ROOT, "proof_too_short")
    fewer = replace(keys, indices=keys.indices[1:])
    unchecked(
        verify(partial_of(record, keys=fewer), view), StepName.ITEMS_ROOT, "item_keys_unproven"
    )
    other_salt = replace(record, item_salt=digest_of("another salt"))
    refused(verify(other_salt, view), StepName.ITEMS_ROOT, "items_root_differs")


def test_a_part_that_was_changed_is_refused_and_not_handed_on(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003))
    assert record.partial is not None
    core, *others = record.partial.parts
    changed = Shown(core.number, core.salt, core.value.replace(b"commissioning", b"destroying"))
    assert changed != core
    verified = verify(partial_of(record, parts=(changed, *others)), view)
    refused(verified, StepName.DISCLOSURE_ROOT, "disclosure_root_differs")
    assert verified.shown is None
    malformed = verify(partial_of(record, salt=b""), view)
    refused(malformed, StepName.DISCLOSURE_ROOT, "parts_malformed")


def test_a_pack_that_was_put_in_is_refused(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003))
    items = items_of(record)
    put = replace(items.elements[0], value=items.elements[0].value.replace(b"1003", b"9999"))
    verified = verify(partial_of(record, items=replace(items, elements=(put,))), view)
    refused(verified, StepName.DISCLOSURE_ROOT, "disclosure_root_differs")


def test_parts_that_are_none_of_an_event_are_refused(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3))
    assert record.partial is not None
    core, *others = record.partial.parts
    broken = (Shown(core.number, core.salt, b"{}"), *others)
    refused(verify(partial_of(record, parts=broken), view), StepName.CONTENT, "content_unreadable")


def test_without_the_core_nothing_is_read(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3))
    partial = record.partial
    assert partial is not None
    core, *others = partial.parts
    hidden = leaf_hash(core.salt + core.value)
    verified = verify(
        partial_of(record, parts=tuple(others), withheld=(hidden, *partial.withheld)), view
    )
    unchecked(verified, StepName.CONTENT, "core_withheld")
    assert outcome(verified, StepName.DISCLOSURE_ROOT) == (Outcome.HOLDS, None)
    assert verified.shown is None


def test_parts_of_an_unread_media_type_are_only_asserted_no_further(
    maker: Party, view: View
) -> None:
    record = replace(in_parts(maker.proven(1, 3)), media_type="text/xml")
    verified = verify(record, view)
    unchecked(verified, StepName.CONTENT, "media_type_unknown")
    assert verified.shown is None


def test_parts_of_an_entry_about_no_event_are_refused(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3))
    genesis = replace(maker.proven(0, 3), content=None, seed=None, partial=record.partial)
    refused(verify(genesis, view), StepName.CONTENT, "parts_of_no_event")


def test_parts_beside_the_whole_content_say_nothing(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3))
    both = replace(maker.proven(1, 3), partial=partial_of(record, salt=b"").partial)
    verified = verify(both, view)
    assert verified.grade is Grade.CHAIN_PROVEN
    assert verified.event is not None
    assert verified.shown is None


def test_a_member_that_signs_other_parts_is_found_out_by_the_whole_content() -> None:
    """The signed root is over parts that are not those of the content: parts hold, the content does not."""
    liar = Party("liar")
    honest, other = liar.append(full_event(2)), liar.append(full_event(3))
    assert other.content is not None
    assert honest.content is not None
    assert honest.seed is not None
    hashes = salt_parts(honest.seed, divide(other.content)).hashes
    event = recorded(honest.content)
    root = disclosure_root(honest.seed, sha256(honest.content).digest(), event.event_hash, hashes)
    entry = replace(parse_leaf(honest.leaf).entry, disclosure_root=root)
    leaf = encode_leaf(SignedEntry(entry, liar.event_signer.sign(entry_id(entry, DOMAIN))))
    verified = verify(replace(honest, leaf=leaf), View(liar))
    refused(verified, StepName.DISCLOSURE_ROOT, "disclosure_root_differs")


def test_a_partial_content_survives_json(maker: Party, view: View) -> None:
    record = in_parts(maker.proven(1, 3), PACK.format(1003))
    octets = msgspec.json.encode(record.partial)
    assert msgspec.json.decode(octets, type=PartialContent) == record.partial


def test_a_package_does_not_carry_parts(maker: Party) -> None:
    record = in_parts(maker.records[1], PACK.format(1003))
    with pytest.raises(InputError, match="package_malformed"):
        wire_entries([record], {}, {})


def test_a_transformation_shows_an_input_without_its_outputs() -> None:
    event = {
        "type": "TransformationEvent",
        "action": None,
        "epcList": None,
        "quantityList": None,
        "inputEPCList": [PACK.format(1), PACK.format(2)],
        "outputQuantityList": [{"epcClass": LOT, "quantity": 5}],
        "ilmd": None,
    }
    maker = Party("maker")
    record = maker.append(full_event(1, **event))
    verified = verify(in_parts(record, PACK.format(2)), View(maker))
    assert verified.grade is Grade.SIGNATURE_PROVEN
    assert verified.shown is not None
    assert [(m.item, m.place) for m in verified.shown.items] == [(PACK.format(2), "input")]
