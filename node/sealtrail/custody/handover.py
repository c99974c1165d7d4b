"""Custody through an item's touches: who held it, who had it in transit, and where the chain of hands breaks.

One custodian at a time. Between shipping and receiving a thing is in transit and not yet the receiver's.
The network has an edge: what outsiders did, and what was imported, breaks nothing and proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import (
    ON_THE_WAY,
    RECEIVING,
    Custodian,
    Parties,
    Party,
    claims,
    custodian_at,
    destination_of,
    is_shipping,
    owner_stated,
    source_of,
)
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.hands import Custody, Gap, Hands, Transit
from sealtrail.custody.history import Parameters, Recorded
from sealtrail.custody.life import ending
from sealtrail.custody.lifecycle import declares_recall
from sealtrail.custody.marks import Rights
from sealtrail.custody.on_behalf import moved_for_another
from sealtrail.custody.sender_acts import PAPERS, SenderActs
from sealtrail.epcis.events import AssociationEvent
from sealtrail.gs1 import numbering_digits
from sealtrail.membership.records import Role
from sealtrail.signing import Kind


class _Line:
    """The state while touches go by."""

    def __init__(
        self, rights: Rights, parties: Parties, parameters: Parameters, covered: frozenset[bytes]
    ) -> None:
        self.rights = rights
        self.parties = parties
        self.parameters = parameters
        self.covered = covered
        self.moved = False  # whether any handover was seen yet
        self.now = Hands()
        self.holding: Touch | None = None  # the last touch that showed the custodian
        self.unshipped: Touch | None = None  # a receipt whose shipment is still to be seen
        self.gaps: list[Gap] = []
        self.rivals: dict[frozenset[str], list[bytes]] = {}
        self.sender_acts = SenderActs(self._tolerance_us)
        self.out_of_order: list[bytes] = []
        self.findings: list[Finding] = []
        self.outside = False

    def pass_by(self, index: int, touch: Touch) -> None:
        recorded = touch.recorded
        here = custodian_at(recorded, self.parties)
        if touch.by_class or isinstance(recorded.event, AssociationEvent) or here is None:
            return
        self.outside = self.outside or recorded.kind != Kind.EVENT
        step = recorded.event.biz_step
        if is_shipping(recorded):
            self._ship(index, touch, here)
        elif step in RECEIVING:
            self._receive(index, touch, here)
        elif step == "void_shipping":
            self._void(touch, here)
        elif not self._moves_nothing(touch, here):
            self._act(index, touch, here)
        self._own(recorded)

    def _moves_nothing(self, touch: Touch, here: Custodian) -> bool:
        """Tell whether the event is no claim: a recall by who may, on the way, seen by a regulator or a carrier."""
        recorded = touch.recorded
        if declares_recall(recorded.event) and self.rights.may_recall(
            recorded.recorder, recorded.time_us
        ):
            return True
        if not (self.now.custodian or self.now.transit):
            return False
        carried = here.party.roles == Role.CARRIER and ending(touch) is None
        return recorded.event.biz_step in ON_THE_WAY or here.party.bystander or carried

    def _ship(self, index: int, touch: Touch, here: Custodian) -> None:
        keys = self._keys(touch, here)
        if self._late_shipment(touch, keys):
            return
        transit = self.now.transit
        if transit is not None and transit.sender.key not in keys:
            self._onward(index, touch, here, keys, transit)
        elif transit is None:
            self._claim(index, touch, here, keys)
        to = destination_of(touch.recorded, self.parties)
        stated = {self.parties.identified(d.id).key for d in touch.recorded.event.destination_list}
        if transit is not None and transit.sender.key in keys:
            self._shipped_again(touch, transit, stated)
        self.now = msgspec.structs.replace(
            self.now,
            custodian=None,
            transit=Transit(
                sender=here.party,
                receiver=to.party if to else None,
                towards=frozenset(stated),
                touch=touch,
            ),
        )
        self.holding = touch
        self.moved = True

    def _shipped_again(self, touch: Touch, transit: Transit, stated: set[str]) -> None:
        """Note it if the sender ships elsewhere what is on its way already; the same way again is its departing."""
        if transit.towards and stated and transit.towards.isdisjoint(stated):
            message = f"{transit.sender.label} shipped it to two destinations, one after the other"
            entries = [transit.touch.recorded.entry_id, touch.recorded.entry_id]
            self.findings.append(finding("shipped_twice", message, entries))

    def _late_shipment(self, touch: Touch, keys: frozenset[str]) -> bool:
        """Match a shipment whose receipt was seen before it: clocks differ."""
        receipt, holder = self.unshipped, self.now.custodian
        if receipt is None or holder is None or holder.party.key in keys:
            return False
        stated = {self.parties.identified(d.id).key for d in touch.recorded.event.destination_list}
        apart = touch.recorded.time_us - receipt.recorded.time_us
        if holder.party.key not in stated or apart > self._tolerance_us:
            return False
        self.gaps = [g for g in self.gaps if g.code != "received_not_shipped"]
        self.out_of_order += [receipt.recorded.entry_id, touch.recorded.entry_id]
        self.unshipped = None
        return True

    def _onward(
        self, index: int, touch: Touch, here: Custodian, keys: frozenset[str], transit: Transit
    ) -> None:
        """Someone else than the sender acts on a thing in transit."""
        if here.party.roles == Role.CARRIER:
            return
        if not transit.towards or transit.towards & keys:
            self.gaps.append(
                Gap(before=index, expected="receiving", party=here.party, code="receipt_missing")
            )
            message = f"{here.party.label} used what was shipped to it without recording a receipt"
            entries = [transit.touch.recorded.entry_id, touch.recorded.entry_id]
            self.findings.append(finding("receipt_missing", message, entries))
        else:
            self._rival(transit.sender, here.party, transit.touch, touch)

    def _receive(self, index: int, touch: Touch, here: Custodian) -> None:
        keys = self._keys(touch, here)
        holder = self.now.custodian
        transit = self.now.transit or self.sender_acts.dispatched(holder)
        if transit is not None:
            self._received_from(transit, touch, here, keys)
        elif holder is not None and holder.party.key not in keys:
            self._unannounced(index, touch, here, holder)
        elif holder is None and self.holding is None:
            self.outside = self.outside or self._from_outside(touch.recorded)
        self.sender_acts.receive(touch, keys)
        self._hold(touch, here)
        self.moved = True

    def _received_from(
        self, transit: Transit, touch: Touch, here: Custodian, keys: frozenset[str]
    ) -> None:
        if transit.receiver is not None and transit.receiver.member is None:
            self.outside = True  # by way of an outsider
            return
        expected = not transit.towards or transit.towards & keys or transit.sender.key in keys
        if not expected:
            to = transit.receiver.label if transit.receiver else "?"
            message = f"shipped to {to}, received by {here.party.label}"
            entries = [transit.touch.recorded.entry_id, touch.recorded.entry_id]
            self.findings.append(finding("received_by_other", message, entries))

    def _unannounced(self, index: int, touch: Touch, here: Custodian, holder: Custodian) -> None:
        if self._edge(touch) or holder.party.member is None:
            self.outside = True
            return
        self.unshipped = touch
        self.gaps.append(
            Gap(before=index, expected="shipping", party=holder.party, code="received_not_shipped")
        )

    def _from_outside(self, recorded: Recorded) -> bool:
        source = source_of(recorded, self.parties)
        return source is not None and source.party.member is None

    def _void(self, touch: Touch, here: Custodian) -> None:
        transit, keys = self.now.transit, self._keys(touch, here)
        self.sender_acts.void(keys)
        if transit is not None and transit.sender.key in keys:
            self._hold(touch, Custodian(party=transit.sender, derived=here.derived))

    def _act(self, index: int, touch: Touch, here: Custodian) -> None:
        keys = self._keys(touch, here)
        transit = self.now.transit
        if transit is None:
            self._claim(index, touch, here, keys)
        elif transit.sender.key in keys and touch.recorded.event.biz_step in PAPERS:
            return  # the sender's papers, or a last look
        elif self._is_sender(touch, here, transit):
            self.sender_acts.note(index, touch, transit)
            if ending(touch) is None and not _leaves_network(transit):
                return  # still expected by its receiver: the sender's word alone takes nothing back
        elif transit.sender.key not in keys:
            self._onward(index, touch, here, keys, transit)
        self._hold(touch, here, keys)

    def _is_sender(self, touch: Touch, here: Custodian, transit: Transit) -> bool:
        """Tell whether the sender itself says that it has what it shipped to another.

        Between its own places, or to no one in particular, it may be the receiver too; and imported history
        leaves returns out.
        """
        if not transit.towards or transit.sender.key in transit.towards:
            return False
        recorded = touch.recorded
        itself = here.party.key == transit.sender.key and recorded.member == transit.sender.member
        return itself and not self._edge(touch)

    def _claim(self, index: int, touch: Touch, here: Custodian, keys: frozenset[str]) -> None:
        """Note it if another holds the thing that ``here`` acts on."""
        holder = self.now.custodian
        if holder is None or holder.party.key in keys:
            return
        if self._edge(touch) or holder.party.member is None:
            self.outside = True
        elif not self.moved and holder.party.member not in self.covered:
            self._unseen(index, touch, here, holder)
        else:
            self._rival(holder.party, here.party, self.holding or touch, touch)

    def _unseen(self, index: int, touch: Touch, here: Custodian, holder: Custodian) -> None:
        """Note that the first handover is not held here.

        Partners are told of a thing's commissioning and of their own handover, not of those between: that
        the first custodian shipped it is then unknown, not untrue.
        """
        code, labels = "handover_not_held", (holder.party.label, here.party.label)
        self.gaps.append(Gap(before=index, expected="handover", party=here.party, code=code))
        message = f"how it came from {labels[0]} to {labels[1]} is not held here"
        entries = [self.holding.recorded.entry_id] if self.holding else []
        self.findings.append(finding(code, message, [*entries, touch.recorded.entry_id]))
        self.moved = True

    def _rival(self, holder: Party, other: Party, earlier: Touch, touch: Touch) -> None:
        entries = self.rivals.setdefault(frozenset({holder.label, other.label}), [])
        entries += [earlier.recorded.entry_id, touch.recorded.entry_id]

    def _edge(self, touch: Touch) -> bool:
        """Tell whether imported or outsiders' history stands on either side of a handover."""
        before = self.holding.recorded.kind if self.holding else Kind.EVENT
        return touch.recorded.kind != Kind.EVENT or before != Kind.EVENT

    def _hold(self, touch: Touch, here: Custodian, keys: frozenset[str] = frozenset()) -> None:
        holder = self.now.custodian
        if holder is not None and holder.party.key in keys:
            here = holder  # recorded by another at the custodian's own place
        self.now = msgspec.structs.replace(self.now, custodian=here, transit=None)
        self.holding = touch

    def _own(self, recorded: Recorded) -> None:
        event = recorded.event
        stated = event.source_list if is_shipping(recorded) else event.destination_list
        owner = owner_stated(stated, self.parties)
        if owner is not None:
            self.now = msgspec.structs.replace(self.now, owner=owner)

    def _keys(self, touch: Touch, here: Custodian) -> frozenset[str]:
        event = touch.recorded.event
        stated = event.source_list if is_shipping(touch.recorded) else ()
        if event.biz_step in RECEIVING:
            stated = event.destination_list
        return claims(touch.recorded, stated, self.parties) | {here.party.key}

    @property
    def _tolerance_us(self) -> int:
        return self.parameters.clock_seconds_tolerance * 1_000_000


def _leaves_network(transit: Transit) -> bool:
    """Tell whether it was shipped to an outsider, of whom no receipt is to be expected."""
    return transit.receiver is not None and transit.receiver.member is None


def follow_custody(
    touches: Sequence[Touch],
    item: str,
    parties: Parties,
    parameters: Parameters,
    *,
    now_us: int,
    covered: frozenset[bytes] = frozenset(),
) -> Custody:
    """Follow custody and ownership through an item's touches.

    Args:
        covered: members whose whole logs were searched: what they did not record, they did not record.
        now_us: when the question is asked, or as of when: decides whether a shipment is overdue.
    """
    rights = Rights(numbering_digits(item), parties)
    line = _Line(rights, parties, parameters, covered)
    hands: list[tuple[Hands, Hands]] = []
    for index, touch in enumerate(touches):
        before = line.now
        line.pass_by(index, touch)
        hands.append((before, line.now))
    findings = [
        *line.findings,
        *_order_findings(line),
        *_gap_findings(line, touches),
        *line.sender_acts.findings(),
        *moved_for_another(touches, hands, parties),
    ]
    line.gaps += line.sender_acts.gaps()
    _overdue(line, findings, len(touches), now_us)
    return Custody(
        hands=tuple(hands),
        gaps=tuple(line.gaps),
        outside=line.outside,
        findings=tuple(findings),
    )


def _order_findings(line: _Line) -> list[Finding]:
    found = [
        finding("two_custodians", f"active at {' and '.join(sorted(names))} at one time", entries)
        for names, entries in line.rivals.items()
    ]
    if line.out_of_order:
        message = "received before it was shipped, by the parties' clocks"
        found.append(finding("times_out_of_order", message, line.out_of_order))
    return found


def _gap_findings(line: _Line, touches: Sequence[Touch]) -> list[Finding]:
    return [
        finding(
            "received_not_shipped",
            f"received, and {gap.party.label if gap.party else '?'} had not shipped it",
            [touches[gap.before].recorded.entry_id],
        )
        for gap in line.gaps
        if gap.code == "received_not_shipped"
    ]


def _overdue(line: _Line, findings: list[Finding], end: int, now_us: int) -> None:
    transit = line.now.transit
    if transit is None:
        return
    if _leaves_network(transit):
        return  # nobody there records a receipt
    seconds = (now_us - transit.touch.recorded.time_us) // 1_000_000
    if seconds <= line.parameters.transit_seconds_max:
        return
    to = transit.receiver.label if transit.receiver else "a receiver not named"
    message = f"shipped to {to} {seconds // 86_400} days ago, and not received"
    code = "shipped_not_received"
    findings.append(finding(code, message, [transit.touch.recorded.entry_id]))
    line.gaps.append(Gap(before=end, expected="receiving", party=transit.receiver, code=code))
