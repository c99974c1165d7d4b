"""Bundles about an EPCIS query: what is shown matches, what is not shown nobody rules out, and no more is claimed."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from bundle_story import GTIN, Story, claim
from bundle_world import PACK, Recipe, answered, event, failures, lines_of, problems, signed, verify
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import (
    AnswerFinding,
    AnswerLine,
    AnswerVerdicts,
    CompletenessGrade,
    HeaderLine,
    LogLine,
    QueryQuestion,
    Verdict,
)
from sealtrail.evidence.bundle.redact import redacted
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.report import Outcome

COMMISSIONED, INSPECTED, PACKED, SHIPPED = 1, 2, 4, 5  # leaves of the story
STORED = 7  # of the event that is added
ALL = [COMMISSIONED, INSPECTED, PACKED, SHIPPED, STORED]
SERIAL = "urn:epc:id:sgtin:9521234.054321.7"


class Queried(Story):
    """The story, and an event that names an order."""

    def __init__(self, name: str = "queried") -> None:
        super().__init__(name)
        order = {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521234000013:1"}
        self.maker.append(event(20, step="storing", bizTransactionList=[order]))
        self.maker.seal()
        self.world.empty(6)

    def lines(self, query: str, shown: Sequence[int], *, covered: bool = False) -> list[AnyLine]:
        """Return the lines with an answer; ``shown`` are leaves."""
        recipe = Recipe(issuer=self.maker, logs=[self.maker], question=QueryQuestion(query=query))
        recipe.shown = {self.maker.member: list(shown)}
        lines = [
            msgspec.structs.replace(each, covered=covered) if isinstance(each, LogLine) else each
            for each in lines_of(self.world, recipe)
        ]
        return answered(self.world, lines)

    def read(self, lines: Sequence[AnyLine]) -> BundleReport:
        return verify(signed(lines, self.maker), self.world.trust(pinned=5))

    def asked(self, query: str, shown: Sequence[int]) -> BundleReport:
        return self.read(self.lines(query, shown))


NOT_MATCHING = {("question", "event_not_matching")}

QUERIES = [
    ("EQ_bizStep=commissioning", [COMMISSIONED]),
    ("EQ_bizStep=https%3A%2F%2Fref.gs1.org%2Fcbv%2FBizStep-packing%7Cdeparting", [PACKED, SHIPPED]),
    ("eventType=AggregationEvent&EQ_action=ADD", [PACKED]),
    ("EQ_action=ADD", [COMMISSIONED, PACKED]),
    ("EQ_disposition=in_transit&perPage=1&orderBy=eventTime", [SHIPPED]),
    ("EQ_readPoint=urn:epc:id:sgln:9521234.00001.0", ALL),
    (f"MATCH_anyEPC={SERIAL}", [COMMISSIONED, PACKED, STORED]),
    (f"MATCH_epc={PACK.replace('/', '%2F')}&EQ_bizStep=storing", [STORED]),
    (f"MATCH_anyEPCClass={GTIN}", []),
    ("MATCH_parentID=urn:epc:id:sscc:9521234.0000000001", [PACKED]),
    ("GE_eventTime=2026-03-01T08:09:00Z&LT_eventTime=2026-03-01T08:10:00Z", [PACKED]),
    ("GE_eventTime=2026-03-01T09:09:00%2B01:00", [PACKED, SHIPPED, STORED]),
    ("EXISTS_errorDeclaration=true", []),
]


@pytest.mark.parametrize(("query", "leaves"), QUERIES)
def test_events_that_match_hold_and_each_other_is_found(query: str, leaves: list[int]) -> None:
    story = Queried()
    report = story.asked(query, leaves)
    assert failures(report) == set()
    assert report.exit_code == 0
    assert report.completeness == "none"
    assert query in report.question
    for other in set(ALL) - set(leaves):
        assert failures(story.asked(query, [*leaves, other])) == NOT_MATCHING


def test_an_event_that_is_left_out_is_not_ruled_out() -> None:
    """The issuer answers from what it knows; the report says that of others nothing is claimed."""
    report = Queried().asked("EQ_action=ADD", [COMMISSIONED])
    assert report.exit_code == 0
    shown = next(step.shown for step in report.steps if step.name == "completeness")
    assert "nothing is claimed of others" in shown


def test_another_query_is_another_question() -> None:
    story = Queried()
    lines = story.lines("EQ_bizStep=commissioning", [COMMISSIONED])
    header = lines[0]
    assert isinstance(header, HeaderLine)
    question = QueryQuestion(query="EQ_bizStep=commissioning&EQ_action=DELETE")
    lines[0] = msgspec.structs.replace(header, question=question)
    assert failures(story.read(lines)) == NOT_MATCHING


@pytest.mark.parametrize(
    "query",
    [
        "EQ_unheard=1",
        "EQ_action=ADD&EQ_action=ADD",
        "EQ_action=add",
        "GE_eventTime=now",
        "EQ_bizStep=%ff",
        "EQ_bizStep=",
    ],
)
def test_a_query_that_is_not_understood_is_said_to_be_open(query: str) -> None:
    report = Queried().asked(query, [COMMISSIONED])
    assert failures(report) == set()
    assert problems(report, Outcome.COULD_NOT_CHECK) == {("question", "query_unreadable")}
    assert report.exit_code == 3


@pytest.mark.parametrize(
    "query",
    [
        "WD_readPoint=urn%3Aepc%3Aid%3Asgln%3A9521234.00001.0",
        "HASATTR_bizLocation=city",
        "EQATTR_bizLocation_city=Ghent&EQ_bizStep=storing",
    ],
)
def test_a_query_that_master_data_decides_is_said_to_be_open(query: str) -> None:
    report = Queried().asked(query, [COMMISSIONED])
    assert failures(report) == set()
    assert problems(report, Outcome.COULD_NOT_CHECK) == {("question", "match_needs_master_data")}


@pytest.mark.parametrize(
    ("query", "shown", "fails"),
    [
        ("EQ_bizTransaction_po=urn%3Aepcglobal%3Acbv%3Abt%3A9521234000013%3A1", STORED, False),
        ("EQ_bizTransaction_inv=urn%3Aepcglobal%3Acbv%3Abt%3A9521234000013%3A1", STORED, True),
        ("MATCH_anyEPC=urn%3Aepc%3Aidpat%3Asgtin%3A9521234.054321.*", COMMISSIONED, False),
        ("MATCH_anyEPC=urn%3Aepc%3Aidpat%3Asgtin%3A9521234.099999.*", COMMISSIONED, True),
        ("EXISTS_https%3A%2F%2Fexample.com%2Fns%23f=", COMMISSIONED, True),
    ],
)
def test_what_is_shown_is_held_against_every_parameter(query: str, shown: int, fails: bool) -> None:
    report = Queried().asked(query, [shown])
    assert failures(report) == ({("question", "event_not_matching")} if fails else set())


@pytest.mark.parametrize(
    ("grade", "covered"),
    [("index-asserted", False), ("index-asserted", True), ("index-audited", True)],
)
def test_completeness_can_not_be_claimed(grade: CompletenessGrade, covered: bool) -> None:
    story = Queried()
    lines = story.lines("EQ_bizStep=commissioning", ALL[:1], covered=covered)
    report = story.read(claim(lines, grade, 1 if grade == "index-audited" else 0))
    assert ("completeness", "completeness_unfounded") in failures(report)


@pytest.mark.parametrize("how", ["in parts", "withheld"])
def test_a_redacted_one_that_claims_completeness_is_found(how: str) -> None:
    story = Queried()
    lines = story.lines("EQ_bizStep=storing", [STORED])
    hidden: list[AnyLine] = []
    for line in lines[:-1]:
        if isinstance(line, EntryLine) and line.index == STORED:
            bare = msgspec.structs.replace(
                line, content=None, seed=None, references=b"", item_keys=b""
            )
            line = redacted(line, [PACK], story.maker.item_salt) if how == "in parts" else bare
        hidden.append(line)
    honest = story.read(answered(story.world, hidden))
    assert failures(honest) == set()
    assert problems(honest, Outcome.COULD_NOT_CHECK) == {("question", "match_not_shown")}
    said_whole = story.read([*hidden, lines[-1]])
    assert failures(said_whole) == {("completeness", "withheld_differs")}
    complete = story.read(claim(answered(story.world, hidden), "index-asserted", 0))
    assert ("completeness", "completeness_unfounded") in failures(complete)


def test_verdicts_and_findings_are_on_items_only() -> None:
    story = Queried()
    lines = story.lines("EQ_bizStep=commissioning", [COMMISSIONED])
    answer = lines[-1]
    assert isinstance(answer, AnswerLine)
    good = Verdict(verdict="complete")
    verdicts = AnswerVerdicts(identifier=good, provenance=good, fitness=good)
    finding = AnswerFinding(code="log_forked")
    for change, code in (
        ({"verdicts": verdicts}, "verdicts_differ"),
        ({"findings": [finding]}, "findings_differ"),
    ):
        lines[-1] = msgspec.structs.replace(answer, **change)
        assert failures(story.read(lines)) == {("verdicts", code)}
