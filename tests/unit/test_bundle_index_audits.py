"""Answers that say that auditors came to the logs' item indexes themselves: as many as did, and no more."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from bundle_story import Audited, claim
from bundle_world import Member, answered, failures, lines_of
from sealtrail.cli.verify_words import log_words
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import AnswerLine, CheckpointLine, LogLine
from sealtrail.log.checkpoint import NoteSignature, with_signatures
from sealtrail.membership.records import Purpose, Role


@pytest.mark.parametrize("count", [1, 2])
def test_as_many_as_audited_are_counted(count: int) -> None:
    story = Audited()
    lines = answered(story.world, story.lines(*[story.agency, story.office][:count]))
    answer = lines[-1]
    assert isinstance(answer, AnswerLine)
    assert (answer.completeness.grade, answer.completeness.auditors) == ("index-audited", count)
    report = story.read(lines)
    assert failures(report) == set()
    assert report.exit_code == 0
    assert report.completeness == "index-audited"
    (log,) = report.logs
    names = sorted(("Agency", "Office")[:count])
    assert sorted(log.index_audited_by) == names
    assert all(name in log_words(log) for name in names)


def test_who_claims_less_than_is_shown_is_not_contradicted() -> None:
    story = Audited()
    lines = answered(story.world, story.lines(story.agency, story.office))
    assert story.read(claim(lines, "index-audited", 1)).exit_code == 0
    assert story.read(claim(lines, "index-asserted", 0)).exit_code == 0


def test_more_than_audited_can_not_be_claimed() -> None:
    story = Audited()
    lines = answered(story.world, story.lines(story.agency))
    assert failures(story.read(claim(lines, "index-audited", 2))) == {
        ("completeness", "auditors_too_few")
    }
    assert failures(story.read(claim(lines, "index-audited", 0))) == {
        ("completeness", "auditors_missing")
    }


def of_an_older_checkpoint(story: Audited) -> list[AnyLine]:
    return story.lines(story.agency, size=4)


def by_the_log_itself(story: Audited) -> list[AnyLine]:
    story.add_witness_key(story.maker)
    story.world.empty(6)
    return story.lines(story.maker)


def of_a_key_that_was_reported_compromised(story: Audited) -> list[AnyLine]:
    record = story.agency.records[-1]
    keys = tuple(
        msgspec.structs.replace(key, compromised_since=len(story.world.blocks))
        if key.purpose is Purpose.WITNESS
        else key
        for key in record.keys
    )
    story.world.record(story.agency, msgspec.structs.replace(record, keys=keys))
    story.world.empty(6)
    return story.lines(story.agency)


def of_a_member_whose_record_is_left_out(story: Audited) -> list[AnyLine]:
    lines = story.lines(story.agency)
    recipe = story.recipe()
    bare = lines_of(story.world, recipe)
    last = max(n for n, line in enumerate(bare) if isinstance(line, CheckpointLine))
    bare[last] = next(line for line in reversed(lines) if isinstance(line, CheckpointLine))
    return bare


@pytest.mark.parametrize(
    ("make", "also"),
    [
        (of_an_older_checkpoint, {("cosignatures", "signature_wrong")}),
        (by_the_log_itself, set()),
        (of_a_key_that_was_reported_compromised, set()),
        (of_a_member_whose_record_is_left_out, set()),
    ],
)
def test_what_is_no_auditors_word_on_this_checkpoint_counts_for_nothing(
    make: Callable[[Audited], list[AnyLine]], also: set[tuple[str, str]]
) -> None:
    story = Audited()
    lines = answered(story.world, make(story))
    answer = lines[-1]
    assert isinstance(answer, AnswerLine)
    assert answer.completeness.grade == "index-asserted"
    assert failures(story.read(lines)) == also
    too_much = claim(lines, "index-audited", 1)
    assert failures(story.read(too_much)) == {("completeness", "auditors_too_few"), *also}


def test_who_is_no_auditor_counts_for_nothing() -> None:
    story = Audited("retail", Role.DISPENSER)
    lines = answered(story.world, story.lines(story.agency))
    assert failures(story.read(claim(lines, "index-audited", 1))) == {
        ("completeness", "auditors_too_few")
    }


def test_a_log_that_nobody_audited_lowers_the_count_of_all() -> None:
    """What the answer says it says of each covered log."""
    story = Audited()
    other = Member(story.world, "Carrier", gln="9521234000044")
    other.seal()
    story.world.empty(6)
    recipe = story.recipe()
    recipe.logs, recipe.others = [story.maker, other], [story.agency, story.office]
    lines = lines_of(story.world, recipe)
    owner = ""
    for n, line in enumerate(lines):
        if isinstance(line, LogLine):
            owner = line.member
        if isinstance(line, CheckpointLine) and owner == "0x" + story.maker.member.hex():
            lines[n] = msgspec.structs.replace(line, note=story.audit(line.note, story.agency))
    whole = answered(story.world, lines)
    answer = whole[-1]
    assert isinstance(answer, AnswerLine)
    assert answer.completeness.grade == "index-asserted"
    assert failures(story.read(claim(whole, "index-audited", 1))) == {
        ("completeness", "auditors_too_few")
    }


def test_noise_below_a_note_is_no_audit() -> None:
    story = Audited()
    lines = story.lines()
    last = max(n for n, line in enumerate(lines) if isinstance(line, CheckpointLine))
    line = lines[last]
    assert isinstance(line, CheckpointLine)
    noise = NoteSignature("sealtrail-index-audit/nobody", b"\1\2\3\4", b"\0" * 72)
    lines[last] = msgspec.structs.replace(line, note=with_signatures(line.note, [noise]))
    assert story.read(answered(story.world, lines)).exit_code == 0
