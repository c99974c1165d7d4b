"""Ten attacks on evidence, each made by someone with every key that he could have, and each found by its own name."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from bundle_story import GTIN, Story
from bundle_world import (
    BLOCK_SECONDS,
    PACK,
    Member,
    Recipe,
    World,
    answered,
    bundle,
    event,
    failures,
    lines_of,
    signed,
    verify,
)
from evidence_world import digest_of
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import AnswerLine, ItemQuestion
from sealtrail.evidence.bundle.report import BundleReport, BundleStepName
from sealtrail.evidence.bundle.trust import KnownMember, encode_trust, parse_trust
from sealtrail.evidence.wire import to_hex
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import Purpose, Status, registered_form
from sealtrail.signing import EventSigner


def assert_fails(report: BundleReport, step: BundleStepName, code: str) -> None:
    assert report.exit_code == 1
    assert (step, code) in failures(report), failures(report)


def edited(story: Story, edit: Callable[[list[AnyLine]], list[AnyLine]]) -> BundleReport:
    """Verify a bundle whose lines were changed and signed again."""
    lines = edit(answered(story.world, lines_of(story.world, story.recipe())))
    return verify(signed(lines, story.maker), story.world.trust(pinned=5))


def test_a_true_bundle_holds() -> None:
    report = Story().verified()
    assert failures(report) == set()
    assert report.exit_code == 0
    assert report.completeness == "index-asserted"
    assert {n: v for n, v, _ in report.verdicts}["provenance"] == "complete"


def test_1_an_event_is_dropped() -> None:
    story = Story()
    recipe = story.recipe()
    recipe.shown = {story.maker.member: [1, 4]}  # leaf 5, the case's leaving, is left out
    assert_fails(story.verified(recipe), BundleStepName.ITEM_INDEX, "entry_left_out")


def test_1_an_event_is_dropped_from_the_index_too_and_the_receipts_holder_has_its_entry() -> None:
    """The member's own index lies: recomputing and receipts are for that."""
    story = Story("liar")
    story.maker.append(event(30, step="decommissioning", disposition="inactive"))
    lie = len(story.maker.entries) - 1
    story.maker.seal(leave_out=[lie])
    story.world.empty(6)
    recipe = story.recipe()
    recipe.leave_out = {story.maker.member: {lie}}
    recipe.shown = {story.maker.member: [n for n in range(len(story.maker.entries)) if n != lie]}
    report = story.verified(recipe)
    assert report.exit_code == 0
    assert report.completeness == "index-asserted"  # the member's word, and named so


def test_2_two_events_are_swapped() -> None:
    def swap(lines: list[AnyLine]) -> list[AnyLine]:
        places = [
            n
            for n, line in enumerate(lines)
            if isinstance(line, EntryLine) and line.index in (1, 2)
        ]
        first, second = (lines[n] for n in places)
        assert isinstance(first, EntryLine)
        assert isinstance(second, EntryLine)
        lines[places[0]] = msgspec.structs.replace(second, index=first.index, gap=first.gap)
        lines[places[1]] = msgspec.structs.replace(first, index=second.index, gap=second.gap)
        return lines

    report = edited(Story(), swap)
    assert_fails(report, BundleStepName.LOGS, "checkpoint_root_differs")


def test_3_an_event_is_signed_by_a_key_that_came_later() -> None:
    story = Story("later key")
    later = EventSigner(digest_of("the later key"))
    story.maker.append(event(20), signer=later)
    story.maker.seal()
    story.world.empty(2)
    record = story.maker.records[-1]
    key = msgspec.structs.replace(
        record.keys[1], public=registered_form(later.address), valid_from=len(story.world.blocks)
    )
    story.world.record(story.maker, msgspec.structs.replace(record, keys=(*record.keys, key)))
    story.world.empty(6)
    assert_fails(story.verified(), BundleStepName.ENTRIES, "event_key_unknown")


def test_4_an_event_is_back_dated() -> None:
    story = Story("back-dated")
    a_month_ago = story.maker.clock_ms - 30 * 86_400_000
    story.maker.append(event(20), record_time_ms=a_month_ago)
    story.maker.seal()
    story.world.empty(6)
    assert_fails(story.verified(), BundleStepName.TIMES, "back_dated")


def test_5_the_signer_was_suspended() -> None:
    story = Story("suspended")
    record = story.maker.records[-1]
    story.world.record(story.maker, msgspec.structs.replace(record, status=Status.SUSPENDED))
    story.maker.append(event(20))
    story.maker.seal(suspended=True)
    story.world.empty(6)
    assert_fails(story.verified(), BundleStepName.ANCHORS, "member_suspended")


def test_6_the_chain_ends_where_it_suits() -> None:
    story = Story("truncated")
    before = len(story.world.blocks) - 3
    story.maker.append(event(30, step="decommissioning", disposition="inactive"))
    story.maker.seal()
    story.world.empty(6)
    recipe = story.recipe()
    recipe.proof_block = before
    data = bundle(story.world, recipe)
    trust = story.world.trust(pinned=5)
    assert verify(data, trust).exit_code == 0  # it was true then
    report = verify(data, trust, min_block=before + 3)
    assert_fails(report, BundleStepName.CHAIN, "chain_truncated")
    newer = verify(data, story.world.trust(pinned=before + 3))
    assert newer.exit_code == 3  # nobody said how new it has to be


def test_6_a_later_anchor_is_left_out_at_the_same_block() -> None:
    story = Story("left out")
    story.maker.append(event(30, step="decommissioning", disposition="inactive"))
    story.maker.seal()
    story.world.empty(6)
    story.maker.anchored.pop()
    report = story.verified()
    assert_fails(report, BundleStepName.ANCHORS, "anchor_not_latest")


def test_6_blocks_of_a_time_beyond_every_calendar_prove_nothing() -> None:
    """Verdicts are as of the proof block's time: whoever seals could have all be overdue, or expired."""
    story = Story("too late")
    for _ in range(6):
        story.world.mine([], skip=2**53 // BLOCK_SECONDS)
    assert_fails(story.verified(), BundleStepName.CHAIN, "header_too_late")


def test_6_nor_do_they_on_a_chain_without_seals() -> None:
    story = Story("too late, without seals")
    for _ in range(6):
        story.world.mine([], skip=2**53 // BLOCK_SECONDS)
    data = bundle(story.world, story.recipe())
    trust = story.world.trust(pinned=5)
    consensus = msgspec.structs.replace(trust.consensus, form="none")
    report = verify(data, msgspec.structs.replace(trust, consensus=consensus, validators=[]))
    assert_fails(report, BundleStepName.CHAIN, "header_too_late")


def test_7_the_proof_is_from_another_network() -> None:
    story, other = Story("one"), Story("other")
    data = bundle(story.world, story.recipe())
    report = verify(data, other.world.trust(pinned=5))
    assert_fails(report, BundleStepName.NETWORK, "another_network")


def test_7_the_proof_is_from_another_network_and_says_that_it_is_from_this() -> None:
    story, other = Story("one"), Story("other")
    recipe = story.recipe()
    recipe.network = other.world.network
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    lines[0] = msgspec.structs.replace(lines[0], network=other.world.network)
    report = verify(signed(lines, story.maker), other.world.trust(pinned=5))
    assert_fails(report, BundleStepName.CHAIN, "sealer_unauthorized")


def test_8_the_bundle_is_about_another_pack() -> None:
    story = Story()
    data = bundle(story.world, story.recipe())
    other = PACK[:-1] + "8"
    report = verify(data, story.world.trust(pinned=5), item=other)
    assert_fails(report, BundleStepName.QUESTION, "another_item")
    assert verify(data, story.world.trust(pinned=5), item=PACK).exit_code == 0


def test_8_the_bundle_says_that_it_is_about_another_pack() -> None:
    def rename(lines: list[AnyLine]) -> list[AnyLine]:
        lines[0] = msgspec.structs.replace(lines[0], question=ItemQuestion(item=PACK[:-1] + "8"))
        return lines

    report = edited(Story(), rename)
    assert_fails(report, BundleStepName.COMPLETENESS, "item_list_missing")


def test_9_a_redacted_bundle_claims_to_be_complete() -> None:
    story = Story()
    honest = answered(story.world, lines_of(story.world, story.recipe()))
    claim = honest[-1]
    recipe = story.recipe()
    recipe.withheld = {story.maker.member: {5}}
    lines = lines_of(story.world, recipe)
    report = verify(signed([*lines, claim], story.maker), story.world.trust(pinned=5))
    assert_fails(report, BundleStepName.COMPLETENESS, "redacted_not_complete")


def test_9_a_redacted_bundle_that_says_so_is_not_complete() -> None:
    story = Story()
    recipe = story.recipe()
    recipe.withheld = {story.maker.member: {5}}
    report = story.verified(recipe)
    assert failures(report) == set()
    assert report.exit_code == 3
    assert (report.completeness, report.withheld_entries) == ("none", 1)
    assert "entries_withheld" in {n: r for n, _, r in report.verdicts}["fitness"]


def test_10_an_event_is_corrected_after_the_recall() -> None:
    story = Story("recalled")
    story.maker.append(event(20, step="holding", disposition="recalled"))
    story.maker.seal()
    story.world.empty(2)
    story.declare_birth_wrong()
    story.maker.seal()
    story.world.empty(6)
    assert_fails(story.verified(), BundleStepName.VERDICTS, "corrected_after_recall")


def test_a_better_answer_than_the_entries_bear_out_is_found() -> None:
    def improve(lines: list[AnyLine]) -> list[AnyLine]:
        answer = lines[-1]
        assert isinstance(answer, AnswerLine)
        assert answer.verdicts is not None
        better = msgspec.structs.replace(answer.verdicts.fitness, verdict="not_fit")
        verdicts = msgspec.structs.replace(answer.verdicts, fitness=better)
        lines[-1] = msgspec.structs.replace(answer, verdicts=verdicts)
        return lines

    assert_fails(edited(Story(), improve), BundleStepName.VERDICTS, "verdicts_differ")


class OthersNumber:
    """A pack is used that nobody commissioned, and another member holds its number."""

    def __init__(self, name: str) -> None:
        self.world = World(name)
        self.holder = Member(self.world, f"Holder of {name}", gln="9521234000020")
        self.user = Member(self.world, f"User of {name}", rights=())
        self.user.append(event(5))
        self.user.seal()
        self.world.empty(6)

    def report(self, *shown: Member, known: tuple[Member, ...]) -> BundleReport:
        """Verify a bundle in which stand these members' records, by a trust file that has those."""
        items = [(PACK, False), (GTIN, False)]
        recipe = Recipe(issuer=self.user, logs=[self.user], others=list(shown), items=items)
        members = [
            KnownMember(member=to_hex(m.member), name=m.name, record=encode_record(m.records[-1]))
            for m in known
        ]
        trust = msgspec.structs.replace(self.world.trust(pinned=5), members=members)
        return verify(bundle(self.world, recipe), parse_trust(encode_trust(trust)))


def test_the_record_of_who_holds_the_number_is_left_out() -> None:
    story = OthersNumber("left out")
    honest = story.report(story.holder, known=(story.user, story.holder))
    assert honest.exit_code == 0
    assert "used_before_commissioned" in dict(honest.findings)
    report = story.report(known=(story.user, story.holder))
    assert "used_before_commissioned" not in dict(report.findings)
    assert failures(report) == {(BundleStepName.VERDICTS, "members_left_out")}
    assert report.exit_code == 1


def test_a_record_that_changes_no_verdict_may_be_left_out() -> None:
    story = OthersNumber("no difference")
    bystander = Member(story.world, "Bystander", gln="9521234000037", rights=())
    story.world.empty(6)
    report = story.report(story.holder, known=(story.user, story.holder, bystander))
    assert failures(report) == set()
    assert report.exit_code == 0


def test_a_later_version_of_a_record_is_left_out() -> None:
    story = Story("old record")
    record = story.maker.records[-1]
    story.world.record(story.maker, msgspec.structs.replace(record, name="Another name"))
    story.world.empty(6)
    story.maker.records.pop()
    assert_fails(story.verified(), BundleStepName.MEMBERS, "record_not_latest")


def test_the_issuers_signature_is_by_a_stranger() -> None:
    story = Story()
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    stranger = Member(World("elsewhere"), "Stranger")
    report = verify(signed(lines, stranger), story.world.trust(pinned=5))
    assert_fails(report, BundleStepName.ISSUER, "issuer_key_unknown")


@pytest.mark.parametrize("purpose", [Purpose.EVENT, Purpose.LOG])
def test_a_key_that_has_ended_still_proves_what_was_anchored_before(purpose: Purpose) -> None:
    story = Story("rotated")
    record = story.maker.records[-1]
    ended = tuple(
        msgspec.structs.replace(k, valid_until=len(story.world.blocks))
        if k.purpose is purpose
        else k
        for k in record.keys
    )
    story.world.record(story.maker, msgspec.structs.replace(record, keys=ended))
    story.world.empty(6)
    assert story.verified().exit_code == 0
