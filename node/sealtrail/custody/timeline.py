"""Which events count, and in which order.

The order is a function of the events alone, never of their arrival.
What failed verification, was declared erroneous or is of somebody's own type is set apart: shown, but it moves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from sealtrail.custody.corrections import Correction, Declarable, apply
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Question, Recorded
from sealtrail.custody.order import event_order
from sealtrail.epcis.events import ExtensionEvent, type_name
from sealtrail.signing import Kind


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The events that count, in order; those that were corrected, their declarations, and those that do not hold.

    ``of_others``: those of types that the standard does not define. What they mean, only the types' owners know.
    """

    events: tuple[Recorded, ...]
    corrected: tuple[Recorded, ...] = ()
    declarations: tuple[Recorded, ...] = ()
    refused: tuple[Recorded, ...] = ()
    withheld: tuple[Recorded, ...] = ()
    of_others: tuple[Recorded, ...] = ()
    corrections: tuple[Correction, ...] = ()
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
    declarable = Declarable(observed)
    corrections = [apply(declaration, declarable, parameters) for declaration in declarations]
    findings += [each for correction in corrections for each in correction.findings]
    erroneous = {entry for correction in corrections for entry in correction.taken_out}
    by_then = [r for r in observed if _by(r, question.as_of_us)]
    counted = [r for r in by_then if r.entry_id not in erroneous]
    of_others = tuple(r for r in counted if isinstance(r.event, ExtensionEvent))
    findings += [_not_judged(r) for r in of_others]
    return Timeline(
        events=tuple(r for r in counted if not isinstance(r.event, ExtensionEvent)),
        corrected=tuple(r for r in by_then if r.entry_id in erroneous),
        of_others=of_others,
        declarations=tuple(declarations),
        refused=refused,
        withheld=withheld,
        corrections=tuple(corrections),
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
    known.sort(key=event_order)
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


def _does_not_hold(recorded: Recorded) -> Finding:
    why = recorded.why_not or "a check failed"
    message = f"the entry of {recorded.event_id} does not hold: {why}"
    return finding("evidence_does_not_hold", message, [recorded.entry_id])


def _not_judged(recorded: Recorded) -> Finding:
    message = f"{recorded.event_id} is of a type of somebody's own, {type_name(recorded.event)}"
    return finding("event_not_judged", message, [recorded.entry_id])


def _withheld(recorded: Recorded) -> Finding:
    message = f"the content of {recorded.event_id} was erased or is not held here"
    return finding("content_withheld", message, [recorded.entry_id])
