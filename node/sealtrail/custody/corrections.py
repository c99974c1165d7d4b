"""Error declarations: which events each takes out of the history, and what it says of their place.

An event is declared erroneous by a declaration that repeats its id, of the member that recorded it; nothing is
edited. What holds instead is said by corrective events, ordinary ones with ids of their own, which the declaration
may name.

Source: EPCIS 2.0 section 7.4.1.2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import msgspec

from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Recorded
from sealtrail.custody.lifecycle import end_of_life
from sealtrail.custody.order import event_order
from sealtrail.epcis.events import ErrorDeclaration
from sealtrail.signing import Kind

# An id is one event's, and nodes keep to that. Of many with the same, so many are compared with each declaration.
SAME_ID_MAX = 32


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """One declaration, and what it comes to.

    ``declares`` are the entries that it names and that are held, ``taken_out`` those that no longer count by it.
    """

    declaration: Recorded
    declares: tuple[bytes, ...]
    taken_out: frozenset[bytes]
    findings: tuple[Finding, ...]

    @property
    def corrective_event_ids(self) -> tuple[str, ...]:
        """The ids of the events that hold instead, as the declaration names them."""
        return _error(self.declaration).corrective_event_ids


class Declarable:
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
        return sorted({each.entry_id: each for each in found}.values(), key=event_order)


def apply(declaration: Recorded, declarable: Declarable, parameters: Parameters) -> Correction:
    """Return what a declaration takes out, and what is to be said about it."""
    declared = declarable.named_by(declaration)
    own = [r for r in declared if r.member == declaration.member and r.kind == declaration.kind]
    late = [r for r in own if _too_late(declaration, r, parameters)]
    taken = {r.entry_id for r in own} - {r.entry_id for r in late}
    return Correction(
        declaration=declaration,
        declares=tuple(r.entry_id for r in declared),
        taken_out=frozenset(taken),
        findings=tuple(_findings(declaration, declared, own, late, taken)),
    )


def _findings(
    declaration: Recorded,
    declared: list[Recorded],
    own: list[Recorded],
    late: list[Recorded],
    taken: set[bytes],
) -> Iterator[Finding]:
    name, shown = declaration.event_id, [declaration.entry_id, *(r.entry_id for r in declared)]
    if not declared:
        message = f"{name} is declared erroneous, and is not held here"
        yield finding("correction_without_event", message, shown)
    elif not own:
        message = f"{name} was declared erroneous by a member that did not record it"
        yield finding("correction_by_other", message, shown)
    for r in late:
        message = f"the end of life {r.event_id} was declared erroneous after the time to undo it"
        yield finding("undo_not_allowed", message, [declaration.entry_id, r.entry_id])
    if taken:
        reason = _error(declaration).reason or "no reason given"
        message = f"{name} was declared erroneous ({reason})"
        yield finding("event_corrected", message, [declaration.entry_id, *sorted(taken)])


def _too_late(declaration: Recorded, declared: Recorded, parameters: Parameters) -> bool:
    """Tell whether the declaration would undo an end of life later than the law allows.

    Else a declaration would be the way round EU 2016/161 article 13.
    """
    ends = any(end_of_life(declared.event, place) for place in ("epc", "input"))
    after_us = declared_us(declaration) - declared.time_us
    return ends and after_us > parameters.undo_seconds_max * 1_000_000


def declared_us(declaration: Recorded) -> int:
    """Return when an error was declared: the declared time is the user's word, the recorded one the node's own."""
    declared = _error(declaration).declaration_time.epoch_us
    return max(declared, declaration.record_time_ms * 1000)


def correctives_missing(
    corrections: Iterable[Correction],
    recorded_ids: Collection[str],
    *,
    at_us: int,
    parameters: Parameters,
) -> list[Finding]:
    """Return what is to be said of corrective events that were named and are recorded nowhere after the time for it.

    Args:
        recorded_ids: the ids of all events that are held, of those at least that declarations name.
    """
    found = []
    for correction in corrections:
        missing = [i for i in correction.corrective_event_ids if i not in recorded_ids]
        late_us = at_us - declared_us(correction.declaration)
        if missing and late_us > parameters.recording_seconds_max * 1_000_000:
            message = f"the corrective event {missing[0]} is not recorded"
            if len(missing) > 1:
                message += f", nor are {len(missing) - 1} more"
            entries = [correction.declaration.entry_id]
            found.append(finding("corrective_event_missing", message, entries))
    return found


def _error(declaration: Recorded) -> ErrorDeclaration:
    error = declaration.event.error_declaration
    if error is None:
        raise ValueError(f"{declaration.event_id} declares nothing erroneous")
    return error
