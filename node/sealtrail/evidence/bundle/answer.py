"""What follows from a bundle's entries: verdicts, findings, which lists completeness takes, and what is withheld.

The issuer concludes by this code when it makes a bundle, and the reader again: the two must agree.

Source: docs/protocol.md sections 18 and 20.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf

import msgspec

from sealtrail.custody import CLASS_SCHEMES, Judgement, Question, Recorded, classes_of, judge
from sealtrail.custody.stays import containers_of
from sealtrail.evidence.bundle.after_recall import AfterRecall, Placed, find_after_recall
from sealtrail.evidence.bundle.lines import (
    AnswerFinding,
    AnswerLine,
    AnswerVerdicts,
    AnyQuestion,
    Completeness,
    CompletenessGrade,
    Covered,
    ItemQuestion,
    Verdict,
    Withheld,
)
from sealtrail.evidence.bundle.sections import Kept, Section
from sealtrail.evidence.recorded import recorded_of
from sealtrail.evidence.wire import to_hex
from sealtrail.gs1 import item_of
from sealtrail.membership.records import Network

NOT_CLAIMED: CompletenessGrade = "none"
ASSERTED: CompletenessGrade = "index-asserted"
AUDITED: CompletenessGrade = "index-audited"
_MISSING_MAX = 50  # lists of one log that are named


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from the sections.

    ``missing`` are lists that completeness takes and a covered log has not, some of them: its member and the item.
    ``withheld_needed`` counts the entries on such lists that are not shown, or not enough of them.
    ``after_recall`` are corrections.
    """

    judgement: Judgement | None
    missing: tuple[tuple[bytes, str], ...]
    withheld: Withheld
    withheld_needed: int
    after_recall: AfterRecall


def conclude_sections(
    question: AnyQuestion, sections: Sequence[Section], network: Network, *, now_seconds: int
) -> Conclusion:
    """Conclude from what the sections hold."""
    kept = each_once(sections)
    withheld = [k for k in kept if k.withheld]
    placed = [
        Placed(recorded_of(k.verified), k.index, k.first_anchored)
        for k in kept
        if k.verified.event or k.verified.shown
    ]
    history = tuple(each.recorded for each in placed)
    counts = Withheld(entries=len(withheld), parts=sum(k.verified.shown is not None for k in kept))
    if not isinstance(question, ItemQuestion):
        return Conclusion(
            judgement=None,
            missing=(),
            withheld=counts,
            withheld_needed=0,
            after_recall=AfterRecall(),
        )
    needed = needed_items(question.item, history)
    return Conclusion(
        judgement=_judge(question.item, sections, history, network, now_seconds, bool(withheld)),
        missing=_missing(sections, needed),
        withheld=counts,
        withheld_needed=_withheld_needed(sections, needed),
        after_recall=find_after_recall(placed),
    )


def each_once(sections: Sequence[Section]) -> list[Kept]:
    """Return the sections' entries, each once: as the section has it that shows most of it, as of its earliest anchor.

    Who has another's entries by paths of their own may show one of them up to several checkpoints.
    """
    found: dict[bytes, Kept] = {}
    for each in (kept for section in sections for kept in section.kept):
        known = found.get(each.verified.entry_id)
        found[each.verified.entry_id] = each if known is None else _either(known, each)
    return list(found.values())


def _either(first: Kept, second: Kept) -> Kept:
    more = max(first, second, key=lambda kept: kept.is_whole - kept.withheld)
    earlier = min(first, second, key=_anchor_block)
    return msgspec.structs.replace(
        more,
        verified=msgspec.structs.replace(more.verified, anchor=earlier.verified.anchor),
        first_anchored=earlier.first_anchored,
    )


def _anchor_block(kept: Kept) -> float:
    anchor = kept.verified.anchor
    return inf if anchor is None else anchor.block_number


def needed_items(item: str, history: Iterable[Recorded]) -> frozenset[tuple[str, bool]]:
    """Return the items whose complete lists are the item's history, each with whether a lot's packs are meant."""
    recorded = tuple(history)
    needed = {(item, False)}
    if item_of(item).scheme in CLASS_SCHEMES:
        needed.add((item, True))
    classes = classes_of(item, recorded)
    containers = containers_of(recorded, item)
    return frozenset(needed | {(each, False) for each in classes | containers})


def answer_line(
    question: AnyQuestion,
    sections: Sequence[Section],
    conclusion: Conclusion,
    *,
    not_covered: Iterable[bytes],
) -> AnswerLine:
    """Return the answer that the sections bear out, claiming as much as they show."""
    covered = [s for s in sections if s.covered and s.anchor is not None]
    complete = bool(covered) and not conclusion.missing and not conclusion.withheld_needed
    asked = isinstance(question, ItemQuestion)
    auditors = index_auditors(covered)
    claimed = AUDITED if auditors else ASSERTED
    grade = claimed if complete and asked else NOT_CLAIMED
    return AnswerLine(
        completeness=Completeness(
            grade=grade,
            auditors=auditors if grade == AUDITED else 0,
            covered=[
                Covered(member=to_hex(s.member), sequence=s.anchor.sequence, size=s.size)
                for s in covered
                if s.anchor is not None
            ],
            not_covered=[to_hex(each) for each in sorted(not_covered)],
        ),
        verdicts=_verdicts(conclusion.judgement),
        findings=_findings(conclusion.judgement),
        withheld=conclusion.withheld,
    )


def index_auditors(covered: Iterable[Section]) -> int:
    """Return how many members audited the item index of each covered log, at least."""
    return min((len(s.index_audited_by) for s in covered), default=0)


def _judge(
    item: str,
    sections: Sequence[Section],
    history: Sequence[Recorded],
    network: Network,
    now_seconds: int,
    withheld: bool,
) -> Judgement:
    judgement = judge(
        Question(item=item),
        history,
        network,
        now_us=now_seconds * 1_000_000,
        covered=frozenset(s.member for s in sections if s.covered),
        anchors_until_us=now_seconds * 1_000_000,
    )
    if not withheld:
        return judgement
    return msgspec.structs.replace(
        judgement, verdicts=judgement.verdicts.with_caveats(("entries_withheld",))
    )


def _missing(
    sections: Sequence[Section], needed: frozenset[tuple[str, bool]]
) -> tuple[tuple[bytes, str], ...]:
    """Return the first few lists that each covered log has not: containers times logs can be more than fit anywhere."""
    missing = []
    ordered = sorted(needed)
    for section in sections:
        if section.covered:
            listed = {(each.item, each.packs) for each in section.lists}
            absent = (item for item, packs in ordered if (item, packs) not in listed)
            missing += [(section.member, item) for item in islice(absent, _MISSING_MAX)]
    return tuple(missing)


def _withheld_needed(sections: Sequence[Section], needed: frozenset[tuple[str, bool]]) -> int:
    """Count the entries of which it is not shown that, and how, they name the item, or not with what counts."""
    hidden = set()
    for section in sections:
        kept = {each.index: each for each in section.kept}
        hidden |= {
            (section.member, index)
            for listed in section.lists
            if (listed.item, listed.packs) in needed
            for index in listed.indices
            if index in kept and not kept[index].names(listed.item, packs=listed.packs)
        }
        hidden |= {
            (section.member, each.index)
            for each in section.kept
            if each.hides and not needed.isdisjoint(each.named)
        }
    return len(hidden)


def _verdicts(judgement: Judgement | None) -> AnswerVerdicts | None:
    if judgement is None:
        return None
    return AnswerVerdicts(
        **{
            name: Verdict(verdict=each.value, reasons=list(each.reasons))
            for name, each in judgement.verdicts.named
        }
    )


def _findings(judgement: Judgement | None) -> list[AnswerFinding]:
    if judgement is None:
        return []
    return [
        AnswerFinding(code=each.code, entries=[to_hex(e) for e in each.entries])
        for each in judgement.findings
    ]
