"""Whether an identifier is known, its birth in order, and what was scanned the same as what was recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import RECEIVING, Parties, source_of
from sealtrail.custody.expiry import parse_expiry
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Question
from sealtrail.custody.life import Life
from sealtrail.custody.master_data import MasterData
from sealtrail.epcis.events import AssociationEvent
from sealtrail.gs1 import item_of, numbering_digits
from sealtrail.membership.records import Network
from sealtrail.signing import Kind

_OPENING_STEPS = frozenset({"stock_taking", "cycle_counting"})
_SINGLE = frozenset({"sgtin", "sscc"})


class Birth(msgspec.Struct, frozen=True, kw_only=True):
    """How an item's history begins.

    ``proper``: commissioned, once, by one with the right to. ``edge``: begins outside the network.
    ``missing``: it should have been commissioned by a member, and no such event is held.
    """

    proper: bool
    edge: bool
    missing: bool
    findings: tuple[Finding, ...] = ()


def follow_birth(
    touches: Sequence[Touch], life: Life, item: str, network: Network, parameters: Parameters
) -> Birth:
    """Judge how an item came to be: by whom, once, and before it was used."""
    scheme, digits = item_of(item).scheme, numbering_digits(item)
    findings = []
    if scheme in _SINGLE:
        findings += _twice(life.commissionings, scheme)
    without_right = [t for t in life.commissionings if not _had_right(t, digits, network)]
    if without_right and digits is not None:
        message = f"commissioned by a member that does not number {digits}"
        entries = [t.recorded.entry_id for t in without_right]
        findings.append(finding("commissioned_without_right", message, entries))
    used = _used_first(touches, life.commissionings)
    edge = bool(used) and _edge(used[0], digits, network)
    premature = scheme == "sgtin" and bool(used) and not edge
    if premature:
        findings.append(_premature(used, life.commissionings, parameters))
    born_outside = any(t.recorded.kind != Kind.EVENT for t in life.commissionings)
    return Birth(
        proper=bool(life.commissionings) and not without_right and not born_outside,
        edge=edge or born_outside,
        missing=premature and not life.commissionings,
        findings=tuple(findings),
    )


def _twice(commissionings: Sequence[Touch], scheme: str) -> list[Finding]:
    """Two births of one serial; an SSCC may be used again by the member that numbers it."""
    members = {t.recorded.member for t in commissionings}
    if len(commissionings) < 2 or (scheme == "sscc" and len(members) < 2):
        return []
    entries = [t.recorded.entry_id for t in commissionings]
    return [finding("commissioned_twice", f"commissioned {len(commissionings)} times", entries)]


def _had_right(touch: Touch, digits: str | None, network: Network) -> bool:
    """Tell whether the commissioning member numbered these digits at event time; outsiders aren't asked."""
    recorded = touch.recorded
    if digits is None or recorded.kind != Kind.EVENT:
        return True
    member = network.member(recorded.member)
    return member is not None and member.may_number(digits, recorded.time_us // 1_000_000)


def _used_first(touches: Sequence[Touch], commissionings: Sequence[Touch]) -> list[Touch]:
    """Return the touches before the first commissioning."""
    first = commissionings[0].recorded.entry_id if commissionings else None
    used = []
    for touch in touches:
        if touch.recorded.entry_id == first:
            break
        if not touch.by_class and not isinstance(touch.recorded.event, AssociationEvent):
            used.append(touch)
    return used


def _edge(first: Touch, digits: str | None, network: Network) -> bool:
    """Tell whether an item's first use says that it came from beyond the network.

    An opening balance, an outsider's event, a receipt from an outsider, or a number that no member held then.
    """
    recorded, parties = first.recorded, Parties(network)
    if recorded.kind != Kind.EVENT or recorded.event.biz_step in _OPENING_STEPS:
        return True
    source = source_of(recorded, parties) if recorded.event.biz_step in RECEIVING else None
    if source is not None and source.party.member is None:
        return True
    seconds = recorded.time_us // 1_000_000
    return digits is None or not any(m.may_number(digits, seconds) for m in network.members)


def _premature(
    used: Sequence[Touch], commissionings: Sequence[Touch], parameters: Parameters
) -> Finding:
    entries = [used[0].recorded.entry_id]
    if not commissionings:
        message = "used, and no commissioning is held though a member of the network numbers it"
        return finding("used_before_commissioned", message, entries)
    born = commissionings[0].recorded
    entries.append(born.entry_id)
    apart = born.time_us - used[0].recorded.time_us
    by_itself = all(t.recorded.member == born.member for t in used)
    if by_itself or apart <= parameters.clock_seconds_tolerance * 1_000_000:
        # a line that stamps its batch when it closes it, or a clock that is off
        message = f"first used {apart // 1_000_000} seconds before it was commissioned"
        return finding("times_out_of_order", message, entries)
    message = "used by another member before it was commissioned"
    return finding("used_before_commissioned", message, entries)


def mismatches(question: Question, data: MasterData, today: date) -> tuple[str, ...]:
    """Return which of the scan's statements differ from the record: lot, expiry.

    What the record does not say can't differ; what it contradicts itself in, nothing agrees with.
    """
    found = []
    lot_differs = data.lot and question.stated_lot != data.lot
    if question.stated_lot and (lot_differs or "lot" in data.contradictory):
        found.append("lot")
    stated = parse_expiry(question.stated_expiry, today) if question.stated_expiry else None
    expiry_differs = data.expiry and stated != data.expiry
    if question.stated_expiry and (expiry_differs or "expiry" in data.contradictory):
        found.append("expiry")
    return tuple(found)
