"""One entry, ten steps: each way in which one can fail, and each in which it can only not be checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from evidence_world import DOMAIN, Party, View, digest_of, event_content
from sealtrail.errors import InputError, VerificationError
from sealtrail.evidence import EntryRecord, Grade, Outcome, VerifiedEntry, Verifier, verify_entry
from sealtrail.evidence.report import StepName
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.log.item_index import IndexHead, encode_index_document
from sealtrail.log.tree import EMPTY_ROOT
from sealtrail.membership.records import Key, Purpose
from sealtrail.signing import Domain, Kind, Reference, Relation, encode_references

replace = msgspec.structs.replace


@pytest.fixture
def maker() -> Party:
    party = Party("maker")
    party.begin()
    for serial in range(1, 6):
        party.append(event_content(serial))
    return party


@pytest.fixture
def view(maker: Party) -> View:
    view = View(maker, Party("other"))
    view.put_anchor(maker, 6, block=50)
    return view


def verify(record: EntryRecord, view: View) -> VerifiedEntry:
    return verify_entry(record, domain=DOMAIN, network=view)


def outcome(verified: VerifiedEntry, name: str) -> tuple[Outcome, str | None]:
    step = next(s for s in verified.steps if s.name == name)
    return step.outcome, step.code


def refused(verified: VerifiedEntry, name: str, code: str) -> None:
    assert outcome(verified, name) == (Outcome.DOES_NOT_HOLD, code)
    assert verified.grade is None
    with pytest.raises(VerificationError):
        verified.require()


def unchecked(verified: VerifiedEntry, name: str, code: str) -> None:
    assert outcome(verified, name) == (Outcome.COULD_NOT_CHECK, code)
    assert verified.grade is not None
    assert not verified.failures()


def test_an_anchored_entry_is_chain_proven(maker: Party, view: View) -> None:
    verified = verify(maker.proven(3, 6), view)
    assert [s.outcome for s in verified.steps] == [Outcome.HOLDS] * 10
    assert [s.number for s in verified.steps] == list(range(1, 11))
    assert [s.name for s in verified.steps] == list(StepName)
    assert verified.require() is Grade.CHAIN_PROVEN
    assert verified.event is not None
    assert verified.event.content == event_content(3)
    assert verified.anchor is not None
    assert verified.anchor.block_number == 50
    assert (verified.leaf_index, verified.signer) == (3, maker.event_signer.address)


def test_the_genesis_entry_is_proven_without_an_event(maker: Party, view: View) -> None:
    verified = verify(maker.proven(0, 6), view)
    assert verified.require() is Grade.CHAIN_PROVEN
    assert verified.event is None


def test_a_genesis_entry_for_another_salt_is_refused(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(0, 6), item_salt=bytes(32)), view)
    refused(verified, "content", "content_not_expected")


def test_a_genesis_entry_without_the_salt_is_no_failure(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(0, 6), item_salt=None), view)
    unchecked(verified, "content", "item_salt_withheld")


def test_a_padding_entry_is_empty(maker: Party, view: View) -> None:
    assert verify(maker.append(b"", Kind.PADDING), view).grade is Grade.SIGNATURE_PROVEN
    refused(verify(maker.append(b"x", Kind.PADDING), view), "content", "content_not_expected")


def index_document(covers: int) -> bytes:
    return encode_index_document(IndexHead(covers=covers, postings=0, root_hash=EMPTY_ROOT))


def test_an_index_entry_says_what_it_covers(maker: Party, view: View) -> None:
    own_leaf = len(maker.records)
    verified = verify(maker.append(index_document(own_leaf), Kind.INDEX), view)
    assert verified.grade is Grade.SIGNATURE_PROVEN
    view.put_anchor(maker, own_leaf + 1, block=60)
    verified = verify(maker.proven(own_leaf, own_leaf + 1), view)
    assert verified.grade is Grade.CHAIN_PROVEN


def test_an_index_entry_that_covers_more_or_less_is_refused(maker: Party, view: View) -> None:
    own_leaf = len(maker.records)
    maker.append(index_document(own_leaf - 1), Kind.INDEX)
    view.put_anchor(maker, own_leaf + 1, block=60)
    verified = verify(maker.proven(own_leaf, own_leaf + 1), view)
    refused(verified, "content", "index_covers_differs")


def test_an_index_entry_in_another_form_is_refused(maker: Party, view: View) -> None:
    content = index_document(7).replace(b",", b", ")
    refused(verify(maker.append(content, Kind.INDEX), view), "content", "index_document_malformed")


def test_an_entry_of_a_reserved_kind_is_no_failure(maker: Party, view: View) -> None:
    unchecked(verify(maker.append(b"x", Kind.NOTICE), view), "content", "kind_reserved")


def test_a_content_larger_than_is_read_is_no_failure(maker: Party, view: View) -> None:
    huge = b'{"a":"' + b"x" * 80_000_000 + b'"}'
    verified = verify(replace(maker.proven(3, 6), content=huge), view)
    assert outcome(verified, "content")[0] is Outcome.COULD_NOT_CHECK
    assert verified.grade is Grade.PEER_ASSERTED


def test_an_entry_without_a_checkpoint_is_signature_proven(maker: Party, view: View) -> None:
    verified = verify(maker.records[3], view)
    for name in ("inclusion", "checkpoint"):
        unchecked(verified, name, "not_in_a_checkpoint")
    unchecked(verified, "anchor", "not_anchored")
    assert verified.grade is Grade.SIGNATURE_PROVEN


def test_a_checkpoint_not_yet_anchored_is_no_failure(maker: Party, view: View) -> None:
    verified = verify(maker.proven(3, 5), view)
    assert outcome(verified, "inclusion") == (Outcome.HOLDS, None)
    unchecked(verified, "anchor", "not_anchored")
    assert verified.grade is Grade.SIGNATURE_PROVEN


def test_an_unreachable_chain_is_no_failure(maker: Party, view: View) -> None:
    view.down = True
    verified = verify(maker.proven(3, 6), view)
    for name in ("event_key", "checkpoint", "anchor"):
        unchecked(verified, name, "chain_unreachable")
    assert verified.grade is Grade.PEER_ASSERTED


def test_changed_content_is_refused(maker: Party, view: View) -> None:
    record = replace(maker.proven(3, 6), content=event_content(9))
    verified = verify(record, view)
    refused(verified, "disclosure_root", "disclosure_root_differs")
    assert verified.event is None


def test_content_that_is_no_event_is_refused(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), content=b"{}"), view)
    refused(verified, "content", "content_unreadable")


def test_content_spaced_otherwise_is_refused(maker: Party, view: View) -> None:
    record = maker.proven(3, 6)
    assert record.content is not None
    verified = verify(replace(record, content=record.content + b"\n"), view)
    assert verified.grade is None


def test_a_content_in_a_form_that_is_not_read_is_no_failure(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), media_type="application/pdf"), view)
    assert outcome(verified, "content")[0] is Outcome.COULD_NOT_CHECK
    assert verified.grade is Grade.PEER_ASSERTED


def test_another_seed_is_refused(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), seed=bytes(32)), view)
    refused(verified, "disclosure_root", "disclosure_root_differs")


def test_content_without_its_seed_is_only_asserted(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), seed=None), view)
    unchecked(verified, "disclosure_root", "seed_withheld")
    assert verified.grade is Grade.PEER_ASSERTED
    assert verified.event is None


def test_an_entry_whose_content_was_erased_is_still_chain_proven(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), content=None, seed=None), view)
    unchecked(verified, "content", "content_withheld")
    assert verified.grade is Grade.CHAIN_PROVEN


def test_an_entry_that_hides_an_item_is_refused(maker: Party, view: View) -> None:
    maker.append(event_content(7), hidden_items=1)
    refused(verify(maker.records[-1], view), "items_root", "items_root_differs")


def test_another_logs_salt_is_refused(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), item_salt=bytes(32)), view)
    refused(verified, "items_root", "items_root_differs")


def test_items_without_salt_or_keys_are_no_failure(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), item_salt=None), view)
    unchecked(verified, "items_root", "item_keys_withheld")
    assert verified.grade is Grade.CHAIN_PROVEN


def test_wrong_item_keys_are_refused(maker: Party, view: View) -> None:
    record = replace(maker.proven(3, 6), item_salt=None, item_keys=(bytes(32),))
    refused(verify(record, view), "items_root", "items_root_differs")


def test_keys_other_than_the_contents_are_refused(maker: Party, view: View) -> None:
    record = replace(maker.proven(3, 6), item_keys=(bytes(32),))
    refused(verify(record, view), "items_root", "item_keys_differ")


def test_an_added_reference_is_refused(maker: Party, view: View) -> None:
    reference = Reference(Relation.CORRECTS, digest_of("entry"))
    record = replace(maker.proven(3, 6), references=encode_references([reference]))
    refused(verify(record, view), "references_root", "references_root_differs")


@pytest.mark.parametrize("given", [bytes(33), b"\x09" + bytes(32), bytes(32), b"\x01"])
def test_bytes_that_are_no_references_are_refused_and_not_taken_for_none(
    maker: Party, view: View, given: bytes
) -> None:
    record = replace(maker.proven(3, 6), references=given)
    refused(verify(record, view), "references_root", "references_unreadable")


def test_references_are_handed_on_only_if_they_were_signed(maker: Party, view: View) -> None:
    reference = Reference(Relation.CORRECTS, digest_of("entry"))
    record = maker.append(event_content(8), references=(reference,))
    assert verify(record, view).references == (reference,)
    assert verify(replace(record, seed=bytes(32)), view).references == (reference,)
    other = Reference(Relation.RECEIVES, digest_of("entry"))
    assert verify(replace(record, references=encode_references([other])), view).references == ()


def test_a_dropped_reference_is_refused(maker: Party, view: View) -> None:
    reference = Reference(Relation.CORRECTS, digest_of("entry"))
    record = maker.append(event_content(8), references=(reference,))
    assert verify(record, view).grade is Grade.SIGNATURE_PROVEN
    refused(
        verify(replace(record, references=b""), view), "references_root", "references_root_differs"
    )


@pytest.mark.parametrize("at", [2, 25, 35, 60, 100, 130, 170])
def test_a_flipped_byte_of_the_leaf_is_refused(maker: Party, view: View, at: int) -> None:
    record = maker.proven(3, 6)
    leaf = bytearray(record.leaf)
    leaf[at] ^= 1
    assert verify(replace(record, leaf=bytes(leaf)), view).grade is None


def test_bytes_that_are_no_leaf_are_malformed_input(maker: Party, view: View) -> None:
    with pytest.raises(InputError, match="leaf_length"):
        verify(replace(maker.proven(3, 6), leaf=b""), view)


def test_an_entry_for_another_network_is_refused(maker: Party, view: View) -> None:
    elsewhere = replace(DOMAIN, chain_id=DOMAIN.chain_id + 1)
    assert isinstance(elsewhere, Domain)
    verified = verify_entry(maker.proven(3, 6), domain=elsewhere, network=view)
    refused(verified, "event_key", "event_key_unknown")


def test_an_entry_of_no_member_is_refused(view: View) -> None:
    stranger = Party("stranger")
    record = stranger.append(event_content(1))
    refused(verify(record, view), "event_key", "member_unknown")


def test_an_entry_signed_with_another_members_key_is_refused(maker: Party, view: View) -> None:
    maker.event_signer = Party("other").event_signer
    refused(verify(maker.append(event_content(9)), view), "event_key", "event_key_unknown")


def test_a_log_key_is_no_event_key(maker: Party, view: View) -> None:
    record = view.versions[maker.member][0]
    keys = tuple(
        replace(k, purpose=Purpose.OPERATOR) if k.purpose is Purpose.EVENT else k
        for k in record.keys
    )
    view.versions[maker.member] = [replace(record, keys=keys)]
    refused(verify(maker.proven(3, 6), view), "event_key", "event_key_unknown")


def test_rotating_a_key_leaves_the_past_standing(maker: Party, view: View) -> None:
    view.put_record(replace(maker.member_record(valid_until=60), block=60, version=2))
    assert verify(maker.proven(3, 6), view).grade is Grade.CHAIN_PROVEN


def test_a_retired_key_signs_nothing_new(maker: Party, view: View) -> None:
    view.put_record(replace(maker.member_record(valid_until=60), block=60, version=2))
    refused(verify(maker.records[3], view), "event_key", "event_key_unknown")


def test_an_entry_anchored_before_its_key_was_valid_is_refused(maker: Party, view: View) -> None:
    view.versions[maker.member] = [maker.member_record(valid_from=51)]
    refused(verify(maker.proven(3, 6), view), "event_key", "event_key_unknown")


def test_what_was_anchored_after_a_compromise_is_tainted(maker: Party, view: View) -> None:
    record = maker.member_record(compromised_since=50, compromise_reported=70)
    view.put_record(replace(record, block=70, version=2))
    verified = verify(maker.proven(3, 6), view)
    unchecked(verified, "event_key", "event_key_compromised")
    assert verified.tainted
    assert verified.grade is Grade.PEER_ASSERTED


def test_what_was_anchored_before_a_compromise_stands(maker: Party, view: View) -> None:
    record = maker.member_record(compromised_since=51, compromise_reported=70)
    view.put_record(replace(record, block=70, version=2))
    verified = verify(maker.proven(3, 6), view)
    assert verified.grade is Grade.CHAIN_PROVEN
    assert not verified.tainted


def test_what_is_not_anchored_is_tainted_by_any_compromise(maker: Party, view: View) -> None:
    view.put_record(replace(maker.member_record(compromised_since=90), block=95, version=2))
    assert verify(maker.records[3], view).tainted


def spoil_proof(record: EntryRecord, **changes: Any) -> EntryRecord:
    assert record.proof is not None
    return replace(record, proof=replace(record.proof, **changes))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"leaf_index": 2}, "inclusion_root_differs"),
        ({"leaf_index": 6}, "leaf_index_out_of_range"),
        ({"hashes": ()}, "proof_too_short"),
        ({"hashes": (b"",) * 3}, "proof_hash_length"),
        ({"hashes": (bytes(32),) * 3}, "inclusion_root_differs"),
    ],
)
def test_a_proof_that_does_not_lead_to_the_checkpoint_is_refused(
    maker: Party, view: View, changes: dict[str, Any], code: str
) -> None:
    refused(verify(spoil_proof(maker.proven(3, 6), **changes), view), "inclusion", code)


def test_a_note_that_is_none_is_refused(maker: Party, view: View) -> None:
    refused(
        verify(spoil_proof(maker.proven(3, 6), note="no"), view), "checkpoint", "note_malformed"
    )


def foreign_note(maker: Party) -> str:
    return sign_note(maker.checkpoint(6), Party("other").log_signer)


def other_origin(maker: Party) -> str:
    checkpoint = maker.checkpoint(6)
    origin = Party("other").checkpoint(0).origin
    return sign_note(Checkpoint(origin, 6, checkpoint.root_hash), maker.log_signer)


@pytest.mark.parametrize(
    ("note", "code"), [(foreign_note, "note_unsigned"), (other_origin, "note_of_another_log")]
)
def test_a_checkpoint_that_is_not_the_members_is_refused(
    maker: Party, view: View, note: Callable[[Party], str], code: str
) -> None:
    record = spoil_proof(maker.proven(3, 6), note=note(maker))
    refused(verify(record, view), "checkpoint", code)


def test_a_member_without_a_log_key_proves_nothing(maker: Party, view: View) -> None:
    record = view.versions[maker.member][0]
    keys = tuple(k for k in record.keys if k.purpose is not Purpose.LOG)
    view.versions[maker.member] = [replace(record, keys=keys)]
    refused(verify(maker.proven(3, 6), view), "checkpoint", "log_key_missing")


def test_a_rotated_log_key_still_proves_what_was_anchored_with_it(maker: Party, view: View) -> None:
    first = view.versions[maker.member][0]
    old = next(k for k in first.keys if k.purpose is Purpose.LOG)
    new = Key(purpose=Purpose.LOG, public=Party("new").log_signer.public_key, valid_from=60)
    keys = tuple(replace(k, valid_until=60) if k is old else k for k in first.keys)
    view.put_record(replace(first, keys=(*keys, new), block=60, version=2))
    assert verify(maker.proven(3, 6), view).grade is Grade.CHAIN_PROVEN


def test_another_members_anchor_of_the_same_checkpoint_counts_for_nothing(
    maker: Party, view: View
) -> None:
    ((key, anchor),) = view.anchored.items()
    other = Party("other").member
    view.anchored = {(other, key[1]): replace(anchor, member=other)}
    unchecked(verify(maker.proven(3, 6), view), "anchor", "not_anchored")


def test_one_verifier_answers_alike_for_every_entry_of_a_checkpoint(
    maker: Party, view: View
) -> None:
    verifier = Verifier(domain=DOMAIN, network=view)
    for index in range(6):
        record = maker.proven(index, 6)
        assert verifier.verify(record) == verify(record, view)


def test_a_failed_step_is_raised_with_its_number_and_advice(maker: Party, view: View) -> None:
    verified = verify(replace(maker.proven(3, 6), content=event_content(9)), view)
    with pytest.raises(VerificationError, match="step 3, disclosure_root") as e:
        verified.require()
    assert e.value.advice is not None
    assert e.value.context["step"] == "disclosure_root"
