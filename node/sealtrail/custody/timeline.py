"""Which events count, and in which order.

The order is a function of the events alone, never of their arrival.
What failed verification or was declared erroneous is set apart, and shown, but moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Question, Recorded
from sealtrail.custody.lifecycle import end_of_life
from sealtrail.epcis.events import AggregationEvent, ObjectEvent, TransformationEvent
from sealtrail.signing import Kind


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The events that count, in order; those that were corrected, their declarations, and those that do not hold."""

    events: tuple[Recorded, ...]
    corrected: tuple[Recorded, ...] = ()
    declarations: tuple[Recorded, ...] = ()
    refused: tuple[Recorded, ...] = ()
    withheld: tuple[Recorded, ...] = ()
    findings: tuple[Finding, ...] = ()


def settle(history: Iterable[Recorded], question: Question, parameters: Parameters) -> Timeline:
    """Return the timeline of a history as the question asks for it."""
    known = _known(history, question.known_at)
    refused = tuple(r for r in known if not r.holds)
    withheld = tuple(r for r in known if r.holds and r.withheld)
    held = [r for r in known if r.holds and not r.withheld]
    declarations = [r for r in held if r.event.error_declaration is not None]
    observed = [r for r in held if r.event.error_declaration is None]
    findings = [_does_not_hold(r) for r in refused] + [_withheld(r) for r in withheld]
    erroneous: set[bytes] = set()
    declarable = _Declarable(observed)
    for declaration in declarations:
        erroneous |= _apply(declaration, declarable, parameters, findings)
    until = question.as_of_us
    return Timeline(
        events=tuple(r for r in observed if r.entry_id not in erroneous and _by(r, until)),
        corrected=tuple(r for r in observed if r.entry_id in erroneous and _by(r, until)),
        declarations=tuple(declarations),
        refused=refused,
        withheld=withheld,
        findings=tuple(findings),
    )


def _known(history: Iterable[Recorded], known_at: int | None) -> list[Recorded]:
    """Return each entry once, in order; one content that a member holds twice counts for its own record of it."""
    by_entry = {r.entry_id: r for r in history}
    known = [
        r
        for r in by_entry.values()
        if known_at is None or (r.anchor_time is not None and r.anchor_time <= known_at)
    ]
    known.sort(key=_order)
    own = {r.content_hash for r in known if r.kind != Kind.RECEIVED and r.holds}
    first_copy: dict[bytes, bytes] = {}
    for r in known:
        first_copy.setdefault(r.content_hash, r.entry_id)
    return [
        r
        for r in known
        if r.kind != Kind.RECEIVED
        or not r.holds
        or (r.content_hash not in own and first_copy[r.content_hash] == r.entry_id)
    ]


def _by(recorded: Recorded, as_of_us: int | None) -> bool:
    return as_of_us is None or recorded.time_us <= as_of_us


def _order(recorded: Recorded) -> tuple[int, int, int, bytes]:
    return recorded.time_us, _rank(recorded), recorded.record_time_ms, recorded.entry_id


# An id is one event's, and nodes keep to that. Of many with the same, so many are compared with each declaration.
SAME_ID_MAX = 32
_STEP_RANK = {
    "commissioning": 0,
    "packing": 2,
    "staging_outbound": 3,
    "loading": 3,
    "shipping": 4,
    "departing": 5,
    "transporting": 5,
    "arriving": 6,
    "void_shipping": 6,
    "receiving": 7,
    "accepting": 8,
    "dispensing": 11,
    "retail_selling": 11,
}


def _rank(recorded: Recorded) -> int:
    """Break ties of one event time by what must come first: lines stamp whole batches with one time."""
    event = recorded.event
    if isinstance(event, ObjectEvent) and event.action != "OBSERVE":
        return 0 if event.action == "ADD" else 12
    if isinstance(event, TransformationEvent):
        return 1
    if isinstance(event, AggregationEvent) and event.action != "OBSERVE":
        return 2 if event.action == "ADD" else 10
    return _STEP_RANK.get(event.biz_step or "", 9)


class _Declarable:
    """Events by what a declaration may name them by."""

    def __init__(self, observed: Iterable[Recorded]) -> None:
        self._by_id: dict[str, list[Recorded]] = {}
        self._own: dict[tuple[str, bytes, Kind], list[Recorded]] = {}
        self._by_entry: dict[bytes, Recorded] = {}
        for each in observed:
            self._by_id.setdefault(each.event_id, []).append(each)
            self._own.setdefault((each.event_id, each.member, each.kind), []).append(each)
            self._by_entry[each.entry_id] = each

    def named_by(self, declaration: Recorded) -> list[Recorded]:
        """Return the events that a declaration names, in order; others' with its id crowd out none of its member's."""
        event_id = declaration.event_id
        own = self._own.get((event_id, declaration.member, declaration.kind), [])
        found = [
            *own[:SAME_ID_MAX],
            *self._by_id.get(event_id, [])[:SAME_ID_MAX],
            *(self._by_entry[each] for each in declaration.corrects if each in self._by_entry),
        ]
        return sorted({each.entry_id: each for each in found}.values(), key=_order)


def _apply(
    declaration: Recorded,
    declarable: _Declarable,
    parameters: Parameters,
    findings: list[Finding],
) -> set[bytes]:
    """Return the entries that a declaration takes out; add what is to be said about it to ``findings``."""
    declared = declarable.named_by(declaration)
    shown = [declaration.entry_id, *(r.entry_id for r in declared)]
    if not declared:
        message = f"{declaration.event_id} is declared erroneous, and is not held here"
        findings.append(finding("correction_without_event", message, shown))
        return set()
    own = [r for r in declared if r.member == declaration.member and r.kind == declaration.kind]
    if not own:
        message = (
            f"{declaration.event_id} was declared erroneous by a member that did not record it"
        )
        findings.append(finding("correction_by_other", message, shown))
        return set()
    late = [r for r in own if _too_late(declaration, r, parameters)]
    for r in late:
        message = f"the end of life {r.event_id} was declared erroneous after the time to undo it"
        findings.append(finding("undo_not_allowed", message, [declaration.entry_id, r.entry_id]))
    taken = {r.entry_id for r in own} - {r.entry_id for r in late}
    if taken:
        reason = declaration.event.error_declaration and declaration.event.error_declaration.reason
        message = f"{declaration.event_id} was declared erroneous ({reason or 'no reason given'})"
        findings.append(finding("event_corrected", message, [declaration.entry_id, *sorted(taken)]))
    return taken


def _too_late(declaration: Recorded, declared: Recorded, parameters: Parameters) -> bool:
    """Tell whether the declaration would undo an end of life later than the law allows.

    Else a declaration would be the way round EU 2016/161 article 13.
    """
    ends = any(end_of_life(declared.event, place) for place in ("epc", "input"))
    error = declaration.event.error_declaration
    if not ends or error is None:
        return False
    # the recorded time is the node's own; the declared one is the user's word
    declared_us = max(error.declaration_time.epoch_us, declaration.record_time_ms * 1000)
    return declared_us - declared.time_us > parameters.undo_seconds_max * 1_000_000


def _does_not_hold(recorded: Recorded) -> Finding:
    why = recorded.why_not or "a check failed"
    message = f"the entry of {recorded.event_id} does not hold: {why}"
    return finding("evidence_does_not_hold", message, [recorded.entry_id])


def _withheld(recorded: Recorded) -> Finding:
    message = f"the content of {recorded.event_id} was erased or is not held here"
    return finding("content_withheld", message, [recorded.entry_id])
