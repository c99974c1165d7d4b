"""Judge one item: history and network in; verdicts, findings, journey and state out.

Ends on every input, raises on none, and depends on nothing but its arguments.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec

from sealtrail.custody.beside import NOTHING, Beside
from sealtrail.custody.containment import Touch, collapse, trace
from sealtrail.custody.corrections import Correction, correctives_missing
from sealtrail.custody.custodian import Custodian, Parties, Party
from sealtrail.custody.expiry import local_date, parse_expiry
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.handover import follow_custody
from sealtrail.custody.hands import Custody, Gap, Hands
from sealtrail.custody.history import Parameters, Question, Recorded
from sealtrail.custody.identifier import Birth, follow_birth, mismatches
from sealtrail.custody.journey import Step, StepKind, journey
from sealtrail.custody.life import Life, follow_life
from sealtrail.custody.master_data import lots_stated
from sealtrail.custody.product_data import product_findings
from sealtrail.custody.reuse import reused_ids
from sealtrail.custody.timeline import Timeline, settle
from sealtrail.custody.times import overdue_anchors, time_findings
from sealtrail.custody.two_places import two_places
from sealtrail.custody.verdicts import (
    Verdicts,
    fitness_verdict,
    identifier_verdict,
    provenance_verdict,
)
from sealtrail.gs1 import canonical, item_of, lot_in
from sealtrail.membership.records import Network

CLASS_SCHEMES = frozenset({"lgtin", "gtin"})
_DATED = frozenset({"sgtin", "lgtin"})


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Where an item is, and what is known of it, after all its events."""

    custodian: Custodian | None = None
    in_transit_from: Party | None = None
    in_transit_to: Party | None = None
    in_transit_since_us: int | None = None
    owner: Party | None = None
    containers: tuple[str, ...] = ()
    disposition: str | None = None
    end_of_life: str | None = None
    lot: str | None = None
    expiry: str | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules say about an item."""

    verdicts: Verdicts
    findings: tuple[Finding, ...]
    journey: tuple[Step, ...]
    state: State
    corrections: tuple[Correction, ...] = ()


class _Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What one judging goes by."""

    question: Question
    network: Network
    parties: Parties
    parameters: Parameters
    covered: frozenset[bytes]
    cut: bool
    at_us: int
    today: date
    anchors_until_us: int | None
    beside: Beside


class _Course(msgspec.Struct, frozen=True, kw_only=True):
    """What the item's touches come to, each line followed by itself."""

    touches: tuple[Touch, ...]
    life: Life
    birth: Birth
    custody: Custody
    apart: tuple[tuple[StepKind, Recorded], ...]
    corrections: tuple[Correction, ...]
    findings: tuple[Finding, ...]


def judge(
    question: Question,
    history: Iterable[Recorded],
    network: Network,
    *,
    now_us: int,
    parameters: Parameters | None = None,
    covered: frozenset[bytes] = frozenset(),
    cut: bool = False,
    anchors_until_us: int | None = None,
    beside: Beside = NOTHING,
) -> Judgement:
    """Judge the item of ``question`` by its history.

    Args:
        history: every recorded event that may concern the item: those that name it, its lot or class, and those
            that name its containers (also for times it was not inside: those are told apart here), in any order.
        now_us: the time of asking, microseconds since 1970 UTC; ``question.as_of_us`` replaces it if given.
        covered: members whose whole logs were searched for this history.
        cut: more is recorded than ``history`` has, so that nothing is said of what it leaves open.
        anchors_until_us: the time of the last block that was read for anchors; None if unknown, and no anchor is
            overdue then.
        beside: what is known beside the history; what rests on it changes no verdict.
    """
    at_us = now_us if question.as_of_us is None else question.as_of_us
    rules = _Rules(
        question=question,
        network=network,
        parties=Parties(network),
        parameters=parameters or Parameters(),
        covered=covered,
        cut=cut,
        at_us=at_us,
        today=local_date(at_us, "+00:00") or date(1970, 1, 1),
        anchors_until_us=anchors_until_us,
        beside=beside,
    )
    return _conclude(rules, _follow(rules, history))


def _follow(rules: _Rules, history: Iterable[Recorded]) -> _Course:
    item, parameters = rules.question.item, rules.parameters
    timeline = settle(history, rules.question, parameters)
    classes = classes_of(item, timeline.events)
    traced = trace(timeline.events, item, classes)
    touches = collapse(traced.touches, parameters.double_scan_seconds * 1_000_000)
    life = _with_lot(follow_life(touches, item, rules.parties, parameters, rules.today), classes)
    birth = follow_birth(touches, life, item, rules.network, parameters)
    custody = _custody(rules, touches)
    apart = tuple(_set_apart(timeline, item, touches))
    shown = {r.entry_id for _, r in apart}
    corrections = tuple(
        c for c in timeline.corrections if shown & {c.declaration.entry_id, *c.declares}
    )
    return _Course(
        touches=touches,
        life=life,
        birth=birth,
        custody=custody,
        apart=apart,
        corrections=corrections,
        findings=(
            *(f for f in timeline.findings if shown & set(f.entries)),
            *traced.findings,
            *reused_ids(traced.touches),
            *birth.findings,
            *custody.findings,
            *two_places(traced.forks, touches, rules.parties),
            *life.findings,
            *product_findings(item, life.commissionings, rules.beside, rules.today),
            *_correctives(rules, corrections, timeline),
            *time_findings(touches, parameters),
            *overdue_anchors(touches, parameters, rules.anchors_until_us),
        ),
    )


def _correctives(
    rules: _Rules, corrections: Sequence[Correction], timeline: Timeline
) -> list[Finding]:
    recorded = rules.beside.recorded_ids
    if recorded is None:
        return []
    # as of another time: an event of after it is recorded all the same
    held = {r.event_id for r in timeline.events} | recorded
    return correctives_missing(corrections, held, at_us=rules.at_us, parameters=rules.parameters)


def _custody(rules: _Rules, touches: tuple[Touch, ...]) -> Custody:
    if item_of(rules.question.item).scheme in CLASS_SCHEMES:  # a lot is in many hands
        return Custody(hands=tuple((Hands(), Hands()) for _ in touches))
    return follow_custody(
        touches,
        rules.question.item,
        rules.parties,
        rules.parameters,
        now_us=rules.at_us,
        covered=rules.covered,
    )


def _conclude(rules: _Rules, course: _Course) -> Judgement:
    question, touches, life = rules.question, course.touches, course.life
    differing = mismatches(question, life.data, rules.today)
    expiry = life.data.expiry or _stated_expiry(question, rules.today)
    expired = expiry is not None and _today_there(touches, rules.at_us, rules.today) > expiry
    known = any(not t.by_class for t in touches)
    findings = [
        *course.findings,
        *_scan_findings(question, known, bool(course.apart), differing),
        *([finding("expired", f"last valid day {expiry}")] if expired else []),
        *([_CUT] if rules.cut else []),
    ]
    gaps = [*([_UNBORN] if course.birth.missing else []), *course.custody.gaps]
    dated = item_of(question.item).scheme in _DATED
    return Judgement(
        verdicts=Verdicts(
            identifier=identifier_verdict(known, differing, findings),
            provenance=provenance_verdict(known, course.birth, course.custody, gaps, findings),
            fitness=fitness_verdict(
                known, life, expired, expiry is not None or not dated, findings
            ),
        ),
        findings=tuple(findings),
        journey=journey(touches, course.custody, gaps, course.apart, findings, rules.parties),
        state=_state(life, course.custody, touches),
        corrections=course.corrections,
    )


_CUT = finding("history_cut", "more events are recorded than one answer gathers")
_UNBORN = Gap(before=0, expected="commissioning", party=None, code="used_before_commissioned")


def classes_of(item: str, events: Iterable[Recorded]) -> frozenset[str]:
    """Return the lot and class identifiers that speak for a pack: its GTIN, and each lot it was recorded under."""
    parsed = item_of(item)
    if parsed.scheme != "sgtin" or parsed.gtin is None:
        return frozenset()
    gtin = f"https://id.gs1.org/01/{parsed.gtin}"
    lots = {lot for r in events if r.places(item) for lot in _lots(r, item, gtin)}
    return frozenset({gtin} | lots)


def _lots(recorded: Recorded, item: str, gtin: str) -> set[str]:
    """Return the lots that an event gives a pack.

    Where it names several of one GTIN, the pack's link and the event's master data have to say; by a recall each
    counts that it is given, though they contradict each other.
    """
    lots = {m.item for m in recorded.mentions if m.place == "lot" and m.item.startswith(gtin + "/")}
    if len(lots) < 2:
        return lots
    named = (*getattr(recorded.event, "epc_list", ()), *getattr(recorded.event, "child_epcs", ()))
    linked = {lot for e in named if canonical(e) == item and (lot := lot_in(e)) is not None}
    stated = lots_stated(recorded)
    return linked | {lot for lot in lots if item_of(lot).lot in stated}


def _with_lot(life: Life, classes: frozenset[str]) -> Life:
    """Take the lot from the pack's Digital Link where no master data was recorded."""
    lots = [item_of(each).lot for each in classes]
    named = [lot for lot in lots if lot is not None]
    if life.data.lot is not None or len(named) != 1:
        return life
    data = msgspec.structs.replace(life.data, lot=named[0])
    return msgspec.structs.replace(life, data=data)


def _set_apart(
    timeline: Timeline, item: str, touches: Sequence[Touch]
) -> list[tuple[StepKind, Recorded]]:
    """Return the events that count for nothing and yet concern the item: to be shown."""
    inside = _inside(touches)
    groups: list[tuple[StepKind, tuple[Recorded, ...]]] = [
        ("corrected", timeline.corrected),
        ("corrected", timeline.declarations),
        ("refused", timeline.refused),
        ("withheld", timeline.withheld),
        ("extension", timeline.of_others),
    ]
    return [
        (kind, recorded)
        for kind, group in groups
        for recorded in group
        if recorded.places(item)
        or any(
            inside.get(m.item, _NEVER)[0] <= recorded.time_us <= inside.get(m.item, _NEVER)[1]
            for m in recorded.mentions
        )
    ]


_NEVER = (1, 0)
_FOREVER = 1 << 62


def _inside(touches: Sequence[Touch]) -> dict[str, tuple[int, int]]:
    """Return for each container the span of time from when the item was first in it to when it was last."""
    spans: dict[str, tuple[int, int]] = {}
    before: tuple[str, ...] = ()
    for touch in touches:
        time_us = touch.recorded.time_us
        for container in touch.containers:
            spans[container] = (spans.get(container, (time_us, 0))[0], _FOREVER)
        for container in set(before) - set(touch.containers):
            spans[container] = (spans[container][0], time_us)
        before = touch.containers
    return spans


def _stated_expiry(question: Question, today: date) -> date | None:
    return parse_expiry(question.stated_expiry, today) if question.stated_expiry else None


def _today_there(touches: Sequence[Touch], at_us: int, today: date) -> date:
    """Return the day it is where the item was last seen."""
    offset = touches[-1].recorded.event.event_time_zone_offset if touches else "+00:00"
    return local_date(at_us, offset) or today


def _scan_findings(
    question: Question, known: bool, shown: bool, differing: tuple[str, ...]
) -> list[Finding]:
    found = []
    if not known:
        message = "no event that holds names it" if shown else "no event held here names it"
        found.append(finding("unknown_item", f"{message}: {question.item}"))
    if differing:
        message = f"the scan differs from the record in {', '.join(differing)}"
        found.append(finding("identifier_mismatch", message))
    return found


def _state(life: Life, custody: Custody, touches: Sequence[Touch]) -> State:
    hands, data = custody.last, life.data
    transit = hands.transit
    return State(
        custodian=hands.custodian,
        in_transit_from=transit.sender if transit else None,
        in_transit_to=transit.receiver if transit else None,
        in_transit_since_us=transit.touch.recorded.time_us if transit else None,
        owner=hands.owner,
        containers=touches[-1].containers if touches else (),
        disposition=life.disposition,
        end_of_life=life.end.reason if life.end else None,
        lot=data.lot,
        expiry=data.expiry.isoformat() if data.expiry else data.expiry_text,
    )
