"""An item in two places: packed twice without an unpacking, and both containers handed over to different parties."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import RECEIVING, Parties, claims, is_shipping
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.forks import HANDOVERS, Fork
from sealtrail.custody.history import Recorded

Handover = tuple[Recorded, frozenset[str]]


def two_places(forks: Iterable[Fork], touches: Sequence[Touch], parties: Parties) -> list[Finding]:
    """Return a finding for each second packing after which the item is in two parties' hands, by two containers."""
    found = []
    for fork in forks:
        there = _handovers(fork.elsewhere, parties)
        here = _handovers(_after(fork, touches), parties)
        if there and here and _apart(there, here, claims(fork.packed, (), parties)):
            entries = [fork.packed.entry_id, there[-1][0].entry_id, here[-1][0].entry_id]
            message = f"packed again while it stood in {fork.old}, and both containers went on, to different parties"
            found.append(finding("in_two_places", message, entries))
    return found


def _after(fork: Fork, touches: Sequence[Touch]) -> list[Recorded]:
    """Return what touched the item after the second packing."""
    ids = [fork.packed.entry_id in (t.recorded.entry_id, *t.repeats) for t in touches]
    at = ids.index(True) + 1 if True in ids else 0
    return [t.recorded for t in touches[at:] if not t.by_class]


def _handovers(events: Iterable[Recorded], parties: Parties) -> list[Handover]:
    """Return for each handover the keys of every party that it may have brought the thing to."""
    return [
        (recorded, to)
        for recorded in events
        if recorded.event.biz_step in HANDOVERS and (to := _to(recorded, parties))
    ]


def _to(recorded: Recorded, parties: Parties) -> frozenset[str]:
    stated, step = recorded.event.destination_list, recorded.event.biz_step
    if is_shipping(recorded):
        return frozenset(parties.identified(d.id).key for d in stated)
    if step == "departing":  # without a destination: on its way, wherever that leads
        return frozenset()
    return claims(recorded, stated if step in RECEIVING else (), parties)


def _apart(there: Sequence[Handover], here: Sequence[Handover], packer: frozenset[str]) -> bool:
    """Tell whether each way ends with a party that the other never came to.

    Where both were in one hand after all, or one came back to its packer, it was unpacked there and not recorded.
    """
    been_there = packer.union(*(to for _, to in there))
    been_here = packer.union(*(to for _, to in here))
    return there[-1][1].isdisjoint(been_here) and here[-1][1].isdisjoint(been_there)
