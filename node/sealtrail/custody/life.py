"""The life of one item through its touches: commissioned, in use, ended, undone; and its disposition."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from sealtrail.custody.containment import CLASS_PLACES, Touch
from sealtrail.custody.custodian import Parties
from sealtrail.custody.expiry import local_date, parse_expiry
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Recorded
from sealtrail.custody.lifecycle import (
    RELEASED,
    STICKY,
    commissions,
    end_of_life,
    reaches_contents,
    refines,
    undoable,
    undoes,
    unfit_for,
)
from sealtrail.epcis.events import (
    AggregationEvent,
    AssociationEvent,
    Extension,
    ObjectEvent,
    TransformationEvent,
)
from sealtrail.gs1 import numbering_digits
from sealtrail.membership.records import Role

CBV_MDA = "urn:epcglobal:cbv:mda"


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
    lot: str | None = None
    expiry: date | None = None
    expiry_text: str | None = None
    findings: tuple[Finding, ...] = ()


class _Course:
    """The state while touches go by."""

    def __init__(self, item: str, parties: Parties, parameters: Parameters, expiry: date | None):
        self.digits = numbering_digits(item)
        self.parties = parties
        self.parameters = parameters
        self.expiry = expiry
        self.end: End | None = None
        self.disposition: str | None = None
        self.sticky: dict[str, Recorded] = {}
        self.persistent: set[str] = set()
        self.findings: list[Finding] = []
        self.after_end: list[bytes] = []

    def pass_by(self, touch: Touch) -> None:
        if touch.by_class or touch.place in CLASS_PLACES:
            self._class_disposition(touch)
            return
        if isinstance(touch.recorded.event, AssociationEvent):
            return
        if self.end is not None and not self._after_end(touch, self.end):
            return
        reason = ending(touch)
        if reason is not None and (self.end is None or refines(self.end.reason, reason)):
            self.end = End(reason=reason, touch=touch)
            if reason in ("dispensed", "sold"):
                self._check_supply(touch)
        self._dispose(touch.recorded)

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
        if isinstance(event, ObjectEvent) and event.action == "OBSERVE":
            if event.biz_step in ("inspecting", "sampling") or event.disposition in STICKY:
                return True
            return same_member and event.biz_step in ("removing", "holding")
        if isinstance(event, TransformationEvent) or touch.via is not None:
            return isinstance(event, TransformationEvent) and place == "output"
        unpacked = isinstance(event, AggregationEvent) and event.action == "DELETE"
        return same_member and unpacked and place == "epc"

    def _undo_refused(self, touch: Touch, end: End) -> str | None:
        """Return why an end of life may not be undone, or None if it may (EU 2016/161 article 13)."""
        before, now = end.touch.recorded, touch.recorded
        if not undoable(end.reason):
            return f"{end.reason} is for good"
        marked = sorted(STICKY & (self.sticky.keys() | self.persistent))
        if marked:
            return f"the item is {marked[0]}"
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

    def _dispose(self, recorded: Recorded) -> None:
        event = recorded.event
        persistent = event.persistent_disposition
        if persistent is not None:
            self.persistent |= set(persistent.set)
            self.persistent -= set(persistent.unset)
            for each in persistent.unset:
                self.sticky.pop(each, None)
        if event.disposition is None:
            return
        self.disposition = event.disposition
        if event.disposition in STICKY:
            self.sticky.setdefault(event.disposition, recorded)
        elif event.disposition in RELEASED:
            # a recall or theft is lifted only by who declared it: moving the thing on doesn't
            self.sticky = {d: r for d, r in self.sticky.items() if r.member != recorded.member}

    def _class_disposition(self, touch: Touch) -> None:
        """Apply a recall of the lot or class, if by one who may recall it."""
        recorded, event = touch.recorded, touch.recorded.event
        persistent = event.persistent_disposition
        marks = {event.disposition, *(persistent.set if persistent else ())} & STICKY
        lifted = set(persistent.unset if persistent else ()) & STICKY
        if event.disposition in RELEASED:
            lifted |= {d for d, r in self.sticky.items() if r.member == recorded.member}
        if not marks and not lifted:
            return
        if not self._may_recall(recorded):
            message = "the lot was marked by a member that neither numbers it nor regulates"
            self.findings.append(finding("recall_without_right", message, [recorded.entry_id]))
            return
        for mark in marks:
            self.sticky.setdefault(str(mark), recorded)
        for mark in lifted:
            self.sticky.pop(mark, None)

    def _may_recall(self, recorded: Recorded) -> bool:
        record = self.parties.record(recorded.member)
        if record is None:
            return False
        seconds = recorded.time_us // 1_000_000
        numbers = self.digits is not None and record.may_number(self.digits, seconds)
        return numbers or bool(record.roles & Role.REGULATOR)

    def unfit(self) -> tuple[str, ...]:
        """Return why the item is not fit, most lasting reason first."""
        reasons = [self.end.reason] if self.end else []
        reasons += sorted(self.sticky)
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
    lot, expiry_text = _master_data(commissionings, touches)
    expiry = parse_expiry(expiry_text, today) if expiry_text else None
    course = _Course(item, parties, parameters, expiry)
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
        lot=lot,
        expiry=expiry,
        expiry_text=expiry_text,
        findings=tuple(course.findings),
    )


def _master_data(
    commissionings: Sequence[Touch], touches: Sequence[Touch]
) -> tuple[str | None, str | None]:
    """Return lot and expiry from the first commissioning that has them, else from the lot's own."""
    lot = expiry = None
    by_class = [t for t in touches if t.by_class and commissions(t.recorded.event, "epc")]
    for touch in (*commissionings, *by_class):
        ilmd: tuple[Extension, ...] = getattr(touch.recorded.event, "ilmd", ())
        lot = lot or _ilmd(ilmd, "lotNumber")
        expiry = expiry or _ilmd(ilmd, "itemExpirationDate")
    return lot, expiry


def _ilmd(ilmd: Sequence[Extension], local: str) -> str | None:
    for each in ilmd:
        if each.local == local and each.namespace.rstrip(":/#") == CBV_MDA:
            return each.text
    return None


def _place(recorded: Recorded) -> str | None:
    return recorded.event.biz_location or recorded.event.read_point
