"""The journey: what happened to an item, step by step, each with its grade and what it changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import Custodian, Parties, Party
from sealtrail.custody.findings import Finding
from sealtrail.custody.hands import Custody, Gap, Hands
from sealtrail.custody.history import Grade, Recorded
from sealtrail.custody.life import ending
from sealtrail.custody.lifecycle import commissions
from sealtrail.epcis.events import (
    AggregationEvent,
    AnyEvent,
    ExtensionEvent,
    TransformationEvent,
    type_name,
)

StepKind = Literal["event", "missing", "corrected", "refused", "withheld", "extension"]


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a journey.

    ``grade`` is *inferred* where only a container (``via``), lot or class is named; ``entry_grade`` is that of the
    entry itself. A *missing* step has no entry; a *corrected*, *refused*, *withheld* or *extension* one (of a type of
    somebody's own) moved nothing, and a *refused* one has no grade.
    """

    kind: StepKind
    effect: str
    grade: Grade | None
    time_us: int | None = None
    event_time: str | None = None
    event_time_zone_offset: str | None = None
    event_type: str | None = None
    action: str | None = None
    biz_step: str | None = None
    disposition: str | None = None
    read_point: str | None = None
    biz_location: str | None = None
    recorded_by: Party | None = None
    custodian_before: Custodian | None = None
    custodian_after: Custodian | None = None
    in_transit_to: Party | None = None
    owner: Party | None = None
    containers: tuple[str, ...] = ()
    via: str | None = None
    by_class: bool = False
    entry_grade: Grade | None = None
    entry_id: bytes | None = None
    repeats: tuple[bytes, ...] = ()
    findings: tuple[str, ...] = ()


def journey(
    touches: Sequence[Touch],
    custody: Custody,
    gaps: Iterable[Gap],
    set_apart: Iterable[tuple[StepKind, Recorded]],
    findings: Iterable[Finding],
    parties: Parties,
) -> tuple[Step, ...]:
    """Return the steps in order of event time; ``set_apart`` are the events that count for nothing."""
    codes = _codes_by_entry(findings)
    missing: dict[int, list[Step]] = {}
    for gap in gaps:
        missing.setdefault(gap.before, []).append(_missing(gap))
    steps: list[Step] = []
    for index, (touch, hands) in enumerate(zip(touches, custody.hands, strict=True)):
        steps += missing.get(index, [])
        steps.append(_step(touch, hands, codes, parties))
    steps += missing.get(len(touches), [])
    for kind, recorded in sorted(set_apart, key=lambda each: each[1].time_us):
        _insert(steps, _apart(kind, recorded, codes, parties))
    return tuple(steps)


def effect(touch: Touch) -> str:
    """Return in a word what the touch did to the item."""
    event = touch.recorded.event
    if not touch.by_class and touch.via is None and commissions(event, touch.place):
        return "commissioned"
    return ending(touch) or _effect(event)


def _effect(event: AnyEvent) -> str:
    if isinstance(event, ExtensionEvent):
        return "not judged"
    if isinstance(event, TransformationEvent):
        return "transformed"
    if isinstance(event, AggregationEvent) and event.action != "OBSERVE":
        return "packed" if event.action == "ADD" else "unpacked"
    if event.disposition in ("recalled", "stolen"):
        return event.disposition
    by_step = {
        "shipping": "shipped",
        "void_shipping": "shipment voided",
        "receiving": "received",
        "accepting": "received",
    }
    return by_step.get(event.biz_step or "", "observed")


def _codes_by_entry(findings: Iterable[Finding]) -> dict[bytes, tuple[str, ...]]:
    codes: dict[bytes, tuple[str, ...]] = {}
    for each in findings:
        for entry in each.entries:
            codes[entry] = (*codes.get(entry, ()), each.code)
    return codes


def _step(
    touch: Touch, hands: tuple[Hands, Hands], codes: dict[bytes, tuple[str, ...]], parties: Parties
) -> Step:
    before, after = hands
    inferred = touch.via is not None or touch.by_class
    step = _of_event("event", effect(touch), touch.recorded, codes, parties)
    return msgspec.structs.replace(
        step,
        grade=Grade.INFERRED if inferred else touch.recorded.grade,
        custodian_before=before.custodian,
        custodian_after=after.custodian,
        in_transit_to=after.transit.receiver if after.transit else None,
        owner=after.owner,
        containers=touch.containers,
        via=touch.via,
        by_class=touch.by_class,
        repeats=touch.repeats,
    )


def _apart(
    kind: StepKind, recorded: Recorded, codes: dict[bytes, tuple[str, ...]], parties: Parties
) -> Step:
    return _of_event(kind, _effect(recorded.event), recorded, codes, parties)


def _of_event(
    kind: StepKind,
    word: str,
    recorded: Recorded,
    codes: dict[bytes, tuple[str, ...]],
    parties: Parties,
) -> Step:
    event = recorded.event
    return Step(
        kind=kind,
        effect=word,
        grade=recorded.grade,
        time_us=recorded.time_us,
        event_time=event.event_time.text,
        event_time_zone_offset=event.event_time_zone_offset,
        event_type=type_name(event),
        action=getattr(event, "action", None),
        biz_step=event.biz_step,
        disposition=event.disposition,
        read_point=event.read_point,
        biz_location=event.biz_location,
        recorded_by=parties.member(recorded.member),
        entry_grade=recorded.grade,
        entry_id=recorded.entry_id,
        findings=codes.get(recorded.entry_id, ()),
    )


def _missing(gap: Gap) -> Step:
    custodian = Custodian(party=gap.party, derived="expected") if gap.party else None
    return Step(
        kind="missing",
        effect=gap.expected,
        grade=Grade.MISSING,
        custodian_after=custodian,
        findings=(gap.code,),
    )


def _insert(steps: list[Step], step: Step) -> None:
    at = len(steps)
    while at > 0 and _later(steps[at - 1], step):
        at -= 1
    steps.insert(at, step)


def _later(step: Step, than: Step) -> bool:
    return step.time_us is None or step.time_us > (than.time_us or 0)
