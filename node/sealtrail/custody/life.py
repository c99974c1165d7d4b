"""The life of one item through its touches: commissioned, in use, ended, undone; and its disposition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from sealtrail.custody.containment import CLASS_PLACES, Touch
from sealtrail.custody.custodian import Parties
from sealtrail.custody.expiry import local_date
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Recorded
from sealtrail.custody.lifecycle import (
    STICKY,
    commissions,
    declares_recall,
    end_of_life,
    reaches_contents,
    refines,
    undoable,
    undoes,
    unfit_for,
)
from sealtrail.custody.marks import Marks, Rights
from sealtrail.custody.master_data import MasterData, master_data
from sealtrail.epcis.events import (
    AggregationEvent,
    AssociationEvent,
    ObjectEvent,
    TransformationEvent,
)
from sealtrail.gs1 import numbering_digits


class End(msgspec.Struct, frozen=True, kw_only=True):
    """An end of life: how, and by which touch."""

    reason: str
    touch: Touch


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """Where an item's life stands after all touches."""

    commissionings: tuple[Touch, ...] = ()
    end: End | None = None
    disposition: str | None = None
    unfit: tuple[str, ...] = ()
    data: MasterData = MasterData()
    findings: tuple[Finding, ...] = ()


class _Course:
    """The state while touches go by."""

    def __init__(self, item: str, parties: Parties, parameters: Parameters, expiry: date | None):
        self.marks = Marks(Rights(numbering_digits(item), parties), parties)
        self.parameters = parameters
        self.expiry = expiry
        self.end: End | None = None
        self.disposition: str | None = None
        self.persistent: set[str] = set()
        self.findings: list[Finding] = []
        self.after_end: list[bytes] = []

    def pass_by(self, touch: Touch) -> None:
        if touch.by_class or touch.place in CLASS_PLACES:
            self.marks.declare(touch, by_class=True)
            self.marks.lift(touch, by_class=True)
            return
        if isinstance(touch.recorded.event, AssociationEvent):
            return
        self.marks.declare(touch, by_class=False)  # after an end too: it may be undone
        if self.end is not None and not self._after_end(touch, self.end):
            return
        reason = ending(touch)
        if reason is not None and (self.end is None or refines(self.end.reason, reason)):
            self.end = End(reason=reason, touch=touch)
            if reason in ("dispensed", "sold"):
                self._check_supply(touch)
        self._dispose(touch)

    def _after_end(self, touch: Touch, end: End) -> bool:
        """Judge a touch after the end; tell whether it is to be followed."""
        event, entry_id = touch.recorded.event, touch.recorded.entry_id
        same_member = touch.recorded.member == end.touch.recorded.member
        reason = ending(touch)
        if same_member and reason is not None and refines(end.reason, reason):
            return True
        if same_member and undoes(event):
            why_not = self._undo_refused(touch, end)
            if why_not is None:
                self.end = None
                return True
            message = f"the end of life ({end.reason}) cannot be undone: {why_not}"
            entries = [end.touch.recorded.entry_id, entry_id]
            self.findings.append(finding("undo_not_allowed", message, entries))
            return False
        if not self._harmless(touch, same_member):
            self.after_end.append(entry_id)
        return False

    def _harmless(self, touch: Touch, same_member: bool) -> bool:
        """What may follow an end: being unpacked or filed late, looked at, reported; or its own outputs."""
        event, place = touch.recorded.event, touch.place
        if declares_recall(event):
            return True
        if isinstance(event, ObjectEvent) and event.action == "OBSERVE":
            if event.biz_step in ("inspecting", "sampling") or event.disposition in STICKY:
                return True
            return same_member and event.biz_step in ("removing", "holding", "void_shipping")
        if isinstance(event, TransformationEvent) or touch.via is not None:
            return isinstance(event, TransformationEvent) and place == "output"
        unpacked = isinstance(event, AggregationEvent) and event.action == "DELETE"
        return same_member and unpacked and place == "epc"

    def _undo_refused(self, touch: Touch, end: End) -> str | None:
        """Return why an end of life may not be undone, or None if it may (EU 2016/161 article 13)."""
        before, now = end.touch.recorded, touch.recorded
        if not undoable(end.reason):
            return f"{end.reason} is for good"
        if self.marks.standing:
            return f"the item is {self.marks.standing[0]}"
        day = local_date(now.time_us, now.event.event_time_zone_offset)
        if self.expiry and day and day > self.expiry:
            return "the item is expired"
        seconds = (now.time_us - before.time_us) // 1_000_000
        if seconds > self.parameters.undo_seconds_max:
            return f"{seconds} seconds went by, at most {self.parameters.undo_seconds_max} may"
        places = (_place(before), _place(now))
        if None not in places and places[0] != places[1]:
            return f"it ended at {places[0]}, not at {places[1]}"
        return None

    def _check_supply(self, touch: Touch) -> None:
        recorded = touch.recorded
        day = local_date(recorded.time_us, recorded.event.event_time_zone_offset)
        if self.expiry and day and day > self.expiry:
            message = f"supplied on {day}, last valid day {self.expiry}"
            self.findings.append(finding("supplied_after_expiry", message, [recorded.entry_id]))

    def _dispose(self, touch: Touch) -> None:
        event = touch.recorded.event
        persistent = event.persistent_disposition
        if persistent is not None:
            self.persistent |= set(persistent.set) - STICKY
            self.persistent -= set(persistent.unset)
        self.disposition = event.disposition or self.disposition
        self.marks.lift(touch, by_class=False)

    def unfit(self) -> tuple[str, ...]:
        """Return why the item is not fit, most lasting reason first."""
        reasons = [self.end.reason] if self.end else []
        reasons += self.marks.standing
        current = {self.disposition} if self.disposition and not self.end else set()
        for disposition in sorted(self.persistent | (current - STICKY)):
            reason = unfit_for(disposition)
            if reason is not None:
                reasons.append(reason)
        return tuple(dict.fromkeys(reasons))


def ending(touch: Touch) -> str | None:
    """Return how the touch ends the item's life, or None; through a container only what reaches contents does."""
    event = touch.recorded.event
    if touch.by_class or (touch.via is not None and not reaches_contents(event)):
        return None
    return end_of_life(event, touch.place)


def follow_life(
    touches: Sequence[Touch], item: str, parties: Parties, parameters: Parameters, today: date
) -> Life:
    """Follow an item's life through its touches.

    Args:
        today: settles the century of a recorded two-digit year.
    """
    commissionings = tuple(
        t
        for t in touches
        if not t.by_class and t.via is None and commissions(t.recorded.event, t.place)
    )
    data = master_data(commissionings, touches, today)
    course = _Course(item, parties, parameters, data.expiry)
    for touch in touches:
        course.pass_by(touch)
    if course.after_end and course.end is not None:
        message = f"used after the end of its life ({course.end.reason})"
        entries = [course.end.touch.recorded.entry_id, *course.after_end]
        course.findings.append(finding("after_end_of_life", message, entries))
    return Life(
        commissionings=commissionings,
        end=course.end,
        disposition=course.disposition,
        unfit=course.unfit(),
        data=data,
        findings=(*data.findings, *course.marks.findings(), *course.findings),
    )


def _place(recorded: Recorded) -> str | None:
    return recorded.event.biz_location or recorded.event.read_point
