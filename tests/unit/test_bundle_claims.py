"""What an issuer keeps out of sight, and what it claims: attacks on completeness by who makes the bundle."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from bundle_story import GTIN, LOT, Audited, Story
from bundle_world import (
    PACK,
    Member,
    World,
    answered,
    commissioning,
    event,
    failures,
    lines_of,
    signed,
    verify,
)
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import (
    AnswerLine,
    AnyQuestion,
    CompletenessGrade,
    ItemQuestion,
    LogLine,
    LogQuestion,
    QueryQuestion,
)
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.wire import to_hex
from sealtrail.log.item_index import IndexHead, encode_index_document, index_root
from sealtrail.membership.records import Role
from sealtrail.signing import Kind, Reference, Relation, genesis_document, parse_leaf

replace = msgspec.structs.replace


def read(story: Story, lines: list[AnyLine]) -> BundleReport:
    return verify(signed(lines, story.maker), story.world.trust(pinned=5))


def changed(
    lines: list[AnyLine], of: Member, kind: Kind, change: Callable[[EntryLine], EntryLine]
) -> list[AnyLine]:
    """Return the lines with each entry of that kind in the member's log changed."""

    def is_meant(line: AnyLine) -> bool:
        if not isinstance(line, EntryLine):
            return False
        entry = parse_leaf(line.leaf).entry
        return (entry.member, entry.kind) == (of.member, kind)

    return [change(line) if is_meant(line) else line for line in lines]  # type: ignore[arg-type]


class Dropped(Story):
    """The maker's log says that the pack was destroyed, and its index lists that; the issuer leaves it out."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.maker.append(event(30, step="decommissioning", disposition="inactive"))
        self.out = len(self.maker.entries) - 1
        self.maker.seal()
        self.world.empty(6)

    def lines(self) -> list[AnyLine]:
        size, member = len(self.maker.entries), self.maker.member
        recipe = self.recipe()
        recipe.shown = {member: [n for n in range(size) if n != self.out]}
        recipe.leave_out = {member: {self.out}}
        return lines_of(self.world, recipe)

    def index(self) -> bytes:
        """Return an index document that does not list what is left out."""
        until = len(self.maker.entries) - 1
        runs = self.maker.index_runs({self.out}, until=until)
        head = IndexHead(
            covers=until,
            postings=self.maker.postings({self.out}),
            root_hash=index_root(run.head for run in runs),
        )
        return encode_index_document(head)


def test_an_index_that_nobody_signed_with_its_seed_withheld_is_none() -> None:
    """The issuer makes up an index of somebody else's log: without the seed nothing leads to what was signed."""
    story = Dropped("made up")
    last = len(story.maker.entries) - 1

    def make_up(line: EntryLine) -> EntryLine:
        return replace(line, content=story.index(), seed=None) if line.index == last else line

    lines = changed(story.lines(), story.maker, Kind.INDEX, make_up)
    report = read(story, answered(story.world, lines))
    assert failures(report) == {("item_index", "index_entry_missing")}


def test_an_index_whose_seed_is_withheld_is_none() -> None:
    story = Story("seedless")
    lines = changed(
        lines_of(story.world, story.recipe()),
        story.maker,
        Kind.INDEX,
        lambda line: replace(line, seed=None),
    )
    report = read(story, answered(story.world, lines))
    assert failures(report) == {("item_index", "index_entry_missing")}


class Denied(Story):
    """A dealer's log says that the pack was destroyed; under another item salt it lists nothing of the pack."""

    salt = b"\7" * 32

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.dealer = Member(self.world, f"Dealer of {name}", gln="9521234000020")
        self.dealer.append(event(12, step="decommissioning", disposition="inactive"))
        self.dealer.seal()
        self.world.empty(6)

    def lines(self) -> list[AnyLine]:
        recipe = self.recipe()
        recipe.logs = [self.maker, self.dealer]
        recipe.shown = {self.dealer.member: []}
        self.dealer.item_salt = self.salt
        return lines_of(self.world, recipe)


def of_other_salt(line: EntryLine, story: Denied) -> EntryLine:
    content = genesis_document(story.world.domain, story.dealer.member, story.salt)
    return replace(line, content=content, seed=None)


def withheld(line: EntryLine, _: Denied) -> EntryLine:
    return replace(line, content=None, seed=None)


@pytest.mark.parametrize("change", [of_other_salt, withheld])
def test_an_item_salt_that_the_log_does_not_commit_to_is_none(
    change: Callable[[EntryLine, Denied], EntryLine],
) -> None:
    story = Denied(change.__name__)
    lines = changed(story.lines(), story.dealer, Kind.GENESIS, lambda line: change(line, story))
    report = read(story, answered(story.world, lines))
    assert failures(report) == {("item_index", "genesis_missing")}


# -- claims -----------------------------------------------------------------------------------------


def claiming(
    story: Story,
    grade: CompletenessGrade,
    *,
    auditors: int = 0,
    question: AnyQuestion | None = None,
) -> list[AnyLine]:
    """Return the lines of a bundle that covers no log and claims that grade."""
    recipe = story.recipe()
    recipe.items = []
    recipe.question = question or recipe.question
    lines = [
        replace(line, covered=False) if isinstance(line, LogLine) else line
        for line in lines_of(story.world, recipe)
    ]
    *lines, answer = answered(story.world, lines)
    assert isinstance(answer, AnswerLine)
    others = [to_hex(m) for m in sorted(m.member for m in story.world.members)]
    claim = replace(answer.completeness, grade=grade, auditors=auditors, not_covered=others)
    return [*lines, replace(answer, completeness=claim)]


def test_a_claim_that_covers_no_log_is_none() -> None:
    story = Story("empty claim")
    report = read(story, claiming(story, "index-asserted"))
    assert failures(report) == {("completeness", "nothing_covered")}


@pytest.mark.parametrize("kind", ["query", "log"])
def test_nothing_is_claimed_of_an_answer_that_is_about_no_item(kind: str) -> None:
    story = Story("no item")
    question: AnyQuestion = QueryQuestion(query="GE_eventTime=2020-01-01T00:00:00Z")
    if kind == "log":
        question = LogQuestion(member=to_hex(story.maker.member), first=0, until=7)
    assert failures(read(story, claiming(story, "none", question=question))) == set()
    report = read(story, claiming(story, "index-asserted", question=question))
    assert failures(report) == {("completeness", "completeness_unfounded")}


def test_auditors_are_named_only_by_who_claims_to_be_audited() -> None:
    story = Audited("named")
    report = read(story, claiming(story, "none", auditors=2))
    assert failures(report) == {("completeness", "auditors_not_claimed")}


# -- questions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        "https://id.gs1.org/01/9521234543213/21/7",
        "https://id.gs1.org/01/09521234543213/10/L1/21/7",
        "urn:epc:id:sgtin:9521234.054321.7",
        PACK + "/",
    ],
)
def test_another_spelling_under_which_nothing_is_listed_is_no_question(item: str) -> None:
    story = Story("spelling")
    recipe = story.recipe()
    recipe.question = ItemQuestion(item=item)
    recipe.items = sorted([(item, False), (GTIN, False)])
    recipe.shown = {story.maker.member: []}
    report = read(story, answered(story.world, lines_of(story.world, recipe)))
    assert failures(report) == {("question", "item_not_canonical")}


def test_no_leaf_of_a_log_is_no_question() -> None:
    story = Story("no leaf")
    question = LogQuestion(member=to_hex(story.maker.member), first=5, until=5)
    report = read(story, claiming(story, "none", question=question))
    assert failures(report) == {("question", "no_leaves_asked")}


# -- recalls ----------------------------------------------------------------------------------------


class Corrected(Story):
    """A regulator, or the maker itself, recalls the pack; the maker corrects an event afterwards; both anchor more."""

    def __init__(self, name: str, *, by_maker: bool = False) -> None:
        self.world = World(name)
        self.maker = Member(self.world, f"Maker of {name}")
        self.agency = Member(
            self.world, f"Agency of {name}", gln="9521234000020", roles=Role.REGULATOR
        )
        self.by = self.maker if by_maker else self.agency
        self.maker.append(commissioning(5))
        wrong = self.maker.append(event(6))
        self.maker.seal()
        self.by.append(event(7, step="holding", disposition="recalled"))
        self.by.seal()
        self.world.empty(6)
        self.correct(wrong)
        self.maker.seal()
        self.world.empty(3)
        self.agency.append(event(20, epcs=["urn:epc:id:sgtin:9521234.054321.99"]))
        self.agency.seal()
        self.world.empty(6)

    def correct(self, wrong: int) -> None:
        declared = {"declarationTime": "2026-03-01T08:30:00.000Z", "reason": "incorrect_data"}
        corrects = Reference(Relation.CORRECTS, self.maker.entry_id(wrong))
        self.maker.append(event(6, errorDeclaration=declared), references=(corrects,))

    def codes(self) -> set[tuple[str, str]]:
        recipe = self.recipe()
        recipe.items = [(PACK, False), (GTIN, False), (LOT, False)]
        recipe.logs = [self.maker, self.agency]
        report = read(self, answered(self.world, lines_of(self.world, recipe)))
        return {(str(s.name), p.code) for s in report.steps for p in s.problems}


@pytest.mark.parametrize("by_maker", [False, True])
def test_a_recall_does_not_come_later_by_leaving_its_first_checkpoint_out(by_maker: bool) -> None:
    story = Corrected(f"recall {by_maker}", by_maker=by_maker)
    assert story.codes() == {("verdicts", "corrected_after_recall")}
    story.by.anchored = story.by.anchored[-1:]
    assert story.codes() == {("verdicts", "recall_perhaps_earlier")}


def test_a_correction_before_the_recall_is_none_after_it() -> None:
    story = Story("before")
    declared = {"declarationTime": "2026-03-01T08:30:00.000Z", "reason": "incorrect_data"}
    corrects = Reference(Relation.CORRECTS, story.maker.entry_id(1))
    story.maker.append(commissioning(5, errorDeclaration=declared), references=(corrects,))
    story.maker.append(event(7, step="holding", disposition="recalled"))
    story.maker.seal()
    story.world.empty(6)
    story.maker.anchored = story.maker.anchored[-1:]
    assert {p.code for step in story.verified().steps for p in step.problems} == set()
