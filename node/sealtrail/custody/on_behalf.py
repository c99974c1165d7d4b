"""What one member's event says of another's thing: custody moved, or its life ended; the other did not say so itself.

Ordinary: an event at the recorder's own place (a logistics provider's, for its customer), one that moves nothing,
and a shipment that the other records too. What the other's own events contradict is a reason to suspect the item.
"""

from __future__ import annotations

from collections.abc import Sequence

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import Parties, Party, custodian_at, is_shipping
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.hands import Hands
from sealtrail.custody.history import Recorded
from sealtrail.custody.life import ending
from sealtrail.signing import Kind

Change = tuple[Hands, Hands]


def moved_for_another(
    touches: Sequence[Touch], hands: Sequence[Change], parties: Parties
) -> list[Finding]:
    """Return a finding for each event that moves what another member has, or ends it.

    Args:
        hands: before and after each touch.
    """
    found = []
    for index, (touch, (before, after)) in enumerate(zip(touches, hands, strict=True)):
        other = _other(touch.recorded, parties)
        if other is None or (_held(before) == _held(after) and ending(touch) is None):
            continue
        later = next((t for t in touches[index + 1 :] if _own(t.recorded, other)), None)
        against = _taken_back(touch, before, other) or _denied(touch, later)
        if against is None and is_shipping(touch.recorded) and later is not None:
            continue  # the other has recorded the shipment too
        found.append(_finding(touch, other, against, parties))
    return found


def _other(recorded: Recorded, parties: Parties) -> Party | None:
    """Return the member whose custody the event is about, if that isn't its recorder and the place isn't his."""
    here = custodian_at(recorded, parties)
    if recorded.kind != Kind.EVENT or here is None or here.party.member in (None, recorded.member):
        return None
    places = (recorded.event.biz_location, recorded.event.read_point)
    if any(parties.identified(place).member == recorded.member for place in places if place):
        return None
    return here.party


def _held(hands: Hands) -> tuple[str | None, str | None]:
    return (
        hands.custodian.party.key if hands.custodian else None,
        hands.transit.sender.key if hands.transit else None,
    )


def _own(recorded: Recorded, party: Party) -> bool:
    return recorded.kind == Kind.EVENT and recorded.member == party.member


def _taken_back(touch: Touch, before: Hands, other: Party) -> Touch | None:
    """Return the other's own shipment that the event undoes."""
    transit = before.transit
    if (
        transit is None
        or transit.sender.key != other.key
        or not _own(transit.touch.recorded, other)
    ):
        return None
    return None if is_shipping(touch.recorded) else transit.touch


def _denied(touch: Touch, later: Touch | None) -> Touch | None:
    """Return the other's next event, if it still has what the event says it shipped."""
    if later is None or not is_shipping(touch.recorded) or is_shipping(later.recorded):
        return None
    return None if later.recorded.event.biz_step in _NOT_IN_HAND else later


_NOT_IN_HAND = frozenset({"receiving", "accepting", "void_shipping"})


def _finding(touch: Touch, other: Party, against: Touch | None, parties: Parties) -> Finding:
    recorder = parties.member(touch.recorded.member).label
    step = touch.recorded.event.biz_step or "an event"
    message = f"{recorder} recorded {step} for {other.label}"
    if against is None:
        return finding("recorded_for_another", message, [touch.recorded.entry_id])
    entries = [touch.recorded.entry_id, against.recorded.entry_id]
    return finding("recorded_against_another", f"{message}, whose own event differs", entries)
