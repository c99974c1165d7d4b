"""Small stories of packs, told step by step: events as the custody rules take them, without bytes or signatures.

    story = Story()
    story.commission(MAKER, "P1", lot="L1", expiry="2027-12-31")
    story.ship(MAKER, WHOLESALER, "P1")
    story.receive(WHOLESALER, "P1")
    judged = story.judge("P1")

Names beginning with P are packs, with C cases (SSCC), with T totes (GRAI); anything else is taken as a URI.
Each step happens an hour after the one before unless ``at=`` says otherwise (hours since the story's beginning).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from sealtrail.custody import Grade, Judgement, Mention, Parameters, Question, Recorded, judge
from sealtrail.epcis.events import (
    AggregationEvent,
    AnyEvent,
    AssociationEvent,
    ErrorDeclaration,
    Extension,
    ExtensionEvent,
    ObjectEvent,
    QuantityElement,
    SourceDest,
    Timestamp,
    TransactionEvent,
    TransformationEvent,
)
from sealtrail.epcis.mentions import items_of
from sealtrail.gs1 import canonical
from sealtrail.membership.records import MemberRecord, Network, NumberingRight, Role, Status
from sealtrail.signing import Kind

HOUR_US = 3_600_000_000
START_US = 1_750_000_000_000_000  # 2025-06-15T15:06:40Z
PREFIX = "4012345"
CBV_MDA = "urn:epcglobal:cbv:mda"


class Actor(msgspec.Struct, frozen=True):
    """A member, or with ``roles`` 0 someone outside the network."""

    name: str
    number: int
    roles: Role = Role(0)
    rights: tuple[str, ...] = ()

    @property
    def member(self) -> bytes:
        return bytes([self.number]) * 20

    @property
    def pgln(self) -> str:
        return f"urn:epc:id:pgln:95012{self.number:02d}.00000"

    @property
    def sgln(self) -> str:
        return f"urn:epc:id:sgln:95012{self.number:02d}.00000.0"

    @property
    def gln(self) -> str:
        digits = f"95012{self.number:02d}00000"
        total = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(digits))
        return digits + str(-total % 10)


MAKER = Actor("Maker", 1, Role.MANUFACTURER, (PREFIX,))
WHOLESALER = Actor("Wholesaler", 2, Role.DISTRIBUTOR)
PHARMACY = Actor("Pharmacy", 3, Role.DISPENSER)
CLINIC = Actor("Clinic", 4, Role.DISPENSER)
CARRIER = Actor("Carrier", 5, Role.CARRIER)
REGULATOR = Actor("Regulator", 6, Role.REGULATOR)
AUDITOR = Actor("Auditor", 8, Role.AUDITOR)
OUTSIDER = Actor("Outsider", 7)
MEMBERS = (MAKER, WHOLESALER, PHARMACY, CLINIC, CARRIER, REGULATOR)


def network(members: Sequence[Actor] = MEMBERS) -> Network:
    """Return the network of these members."""
    return Network(
        chain_id=1337,
        genesis_hash=b"\x01" * 32,
        registry=b"\x02" * 20,
        anchors=b"\x03" * 20,
        block=10,
        members=tuple(_record(a) for a in members),
    )


def _record(actor: Actor) -> MemberRecord:
    return MemberRecord(
        member=actor.member,
        name=actor.name,
        status=Status.ACTIVE,
        roles=actor.roles,
        node_url="",
        glns=(actor.gln,),
        rights=tuple(NumberingRight(digits=d) for d in actor.rights),
        keys=(),
        version=1,
        block=1,
    )


def item(name: str) -> str:
    """Return the identifier, as recorded, that a short name stands for."""
    if name[:1] == "P":
        return f"urn:epc:id:sgtin:{PREFIX}.012345.{name}"
    if name[:1] == "C":
        return f"urn:epc:id:sscc:{PREFIX}.{int(name[1:]):010d}"
    if name[:1] == "T":
        return f"urn:epc:id:grai:{PREFIX}.12345.{name}"
    return name


def lot_class(lot: str) -> str:
    """Return the lot's class, as recorded."""
    return f"urn:epc:class:lgtin:{PREFIX}.012345.{lot}"


def timestamp(epoch_us: int) -> Timestamp:
    """Return a time; its text is not what the rules read."""
    return Timestamp(str(epoch_us), epoch_us)


class Story:
    """A history in the making."""

    def __init__(self, members: Sequence[Actor] = MEMBERS) -> None:
        self.network = network(members)
        self.history: list[Recorded] = []
        self.hour = 0.0

    # -- what happens ----------------------------------------------------------------------------

    def commission(
        self,
        by: Actor,
        *names: str,
        lot: str | None = "L1",
        expiry: str | None = "2027-12-31",
        **options: Any,
    ) -> Recorded:
        """Give packs (or containers) their numbers."""
        ilmd = (
            *([_ilmd("lotNumber", lot)] if lot else []),
            *([_ilmd("itemExpirationDate", expiry)] if expiry else []),
        )
        return self.object(
            by,
            *names,
            **{"action": "ADD", "biz_step": "commissioning", "disposition": "active", "ilmd": ilmd}
            | options,
        )

    def put(self, by: Actor, container: str, *names: str, **options: Any) -> Recorded:
        """Put things into a container."""
        return self.aggregate(
            by, container, *names, **{"action": "ADD", "biz_step": "packing"} | options
        )

    def take(self, by: Actor, container: str, *names: str, **options: Any) -> Recorded:
        """Take things out of a container; all of them if none is named."""
        return self.aggregate(
            by, container, *names, **{"action": "DELETE", "biz_step": "unpacking"} | options
        )

    def ship(self, by: Actor, to: Actor | None, *names: str, **options: Any) -> Recorded:
        """Ship things, to someone or without saying to whom."""
        parties = {"source_list": (_party(by),)} | (
            {"destination_list": (_party(to),)} if to else {}
        )
        return self.object(
            by,
            *names,
            **{"biz_step": "shipping", "disposition": "in_transit", "biz_location": None}
            | parties
            | options,
        )

    def receive(
        self, by: Actor, *names: str, source: Actor | None = None, **options: Any
    ) -> Recorded:
        """Receive things."""
        parties = {"source_list": (_party(source),)} if source else {}
        return self.object(
            by,
            *names,
            **{"biz_step": "receiving", "disposition": "in_progress"} | parties | options,
        )

    def hand_over(self, by: Actor, to: Actor, *names: str) -> None:
        """Ship and receive."""
        self.ship(by, to, *names)
        self.receive(to, *names)

    def dispense(self, by: Actor, *names: str, **options: Any) -> Recorded:
        """Dispense whole packs."""
        return self.object(
            by, *names, **{"biz_step": "dispensing", "disposition": "dispensed"} | options
        )

    def decommission(self, by: Actor, *names: str, **options: Any) -> Recorded:
        """End serials."""
        return self.object(
            by,
            *names,
            **{"action": "DELETE", "biz_step": "decommissioning", "disposition": "inactive"}
            | options,
        )

    def observe(self, by: Actor, *names: str, **options: Any) -> Recorded:
        """See things somewhere, doing something."""
        return self.object(by, *names, **{"biz_step": "storing"} | options)

    def recall_lot(self, by: Actor, lot: str, **options: Any) -> Recorded:
        """Mark a lot as recalled."""
        quantity = (QuantityElement(epc_class=lot_class(lot)),)
        return self.object(
            by,
            **{"biz_step": "holding", "disposition": "recalled", "quantity_list": quantity}
            | options,
        )

    def declare_error(
        self, erroneous: Recorded, by: Actor | None = None, *, at: float | None = None
    ) -> Recorded:
        """Declare an event erroneous, by its recorder unless said otherwise."""
        self.hour = self.hour + 1 if at is None else at
        now_us = START_US + int(self.hour * HOUR_US)
        declaration = ErrorDeclaration(declaration_time=timestamp(now_us), reason="did_not_occur")
        event = msgspec.structs.replace(erroneous.event, error_declaration=declaration)
        member = by.member if by else erroneous.member
        return self._keep(
            msgspec.structs.replace(
                erroneous,
                event=event,
                member=member,
                record_time_ms=now_us // 1000,
                anchor_time=now_us // 1_000_000 + 60,
            )
        )

    # -- events as such --------------------------------------------------------------------------

    def object(self, by: Actor, *names: str, **options: Any) -> Recorded:
        """Record an ObjectEvent on the named things."""
        return self.add(by, ObjectEvent, epc_list=tuple(map(item, names)), **options)

    def aggregate(self, by: Actor, container: str, *names: str, **options: Any) -> Recorded:
        """Record an AggregationEvent."""
        children = tuple(map(item, names))
        return self.add(
            by, AggregationEvent, parent_id=item(container), child_epcs=children, **options
        )

    def transform(
        self, by: Actor, inputs: Iterable[str], outputs: Iterable[str], **options: Any
    ) -> Recorded:
        """Record a TransformationEvent."""
        return self.add(
            by,
            TransformationEvent,
            input_epc_list=tuple(map(item, inputs)),
            output_epc_list=tuple(map(item, outputs)),
            **{"action": None} | options,
        )

    def add(
        self,
        by: Actor,
        type_: type[AnyEvent],
        *,
        at: float | None = None,
        offset: str = "+00:00",
        kind: Kind = Kind.EVENT,
        grade: Grade = Grade.CHAIN_PROVEN,
        holds: bool = True,
        recorded_after: float = 0.01,
        anchored_after: float | None = 0.02,
        action: str | None = "OBSERVE",
        **fields: Any,
    ) -> Recorded:
        """Record any event; times in hours, those of recording and anchoring after the event's."""
        self.hour = self.hour + 1 if at is None else at
        time_us = START_US + int(self.hour * HOUR_US)
        defaults = {"biz_location": by.sgln, "read_point": by.sgln}
        acts = {} if type_ is TransformationEvent else {"action": action}
        event = type_(
            event_time=timestamp(time_us),
            event_time_zone_offset=offset,
            **acts,
            **defaults | fields,
        )
        record_us = time_us + int(recorded_after * HOUR_US)
        anchor = None if anchored_after is None else int(record_us + anchored_after * HOUR_US)
        return self._keep(
            Recorded(
                entry_id=b"",
                member=by.member,
                kind=kind,
                grade=grade if holds else None,
                record_time_ms=record_us // 1000,
                anchor_time=None if anchor is None else anchor // 1_000_000,
                content_hash=hashlib.sha256(msgspec.json.encode(event)).digest(),
                event_id=f"urn:uuid:{len(self.history):032x}",
                event=event,
                mentions=mentions_of(event),
            )
        )

    def _keep(self, recorded: Recorded) -> Recorded:
        entry_id = hashlib.sha256(b"entry %d" % len(self.history)).digest()
        kept = msgspec.structs.replace(recorded, entry_id=entry_id)
        self.history.append(kept)
        return kept

    # -- asking ----------------------------------------------------------------------------------

    def judge(
        self,
        name: str,
        *,
        at: float | None = None,
        history: Iterable[Recorded] | None = None,
        parameters: Parameters | None = None,
        covered: frozenset[bytes] = frozenset(),
        cut: bool = False,
        anchors_until: float | None = None,
        **question: Any,
    ) -> Judgement:
        """Judge a thing, an hour after the last step or at an hour of the story; the chain read until another."""
        now_us = START_US + int((self.hour + 1 if at is None else at) * HOUR_US)
        return judge(
            Question(item=canonical(item(name)), **question),
            self.history if history is None else history,
            self.network,
            now_us=now_us,
            parameters=parameters,
            covered=covered,
            cut=cut,
            anchors_until_us=None
            if anchors_until is None
            else START_US + int(anchors_until * HOUR_US),
        )


def codes(judged: Judgement) -> list[str]:
    """Return the codes of all findings, sorted."""
    return sorted(f.code for f in judged.findings)


def values(judged: Judgement) -> tuple[str, str, str]:
    """Return the values of the three verdicts."""
    v = judged.verdicts
    return v.identifier.value, v.provenance.value, v.fitness.value


def mentions_of(event: AnyEvent) -> tuple[Mention, ...]:
    """Return what the event names, as sealtrail.epcis finds it."""
    found: list[Mention] = []

    def name(identifiers: Iterable[str], place: str) -> None:
        found.extend(Mention(canonical(i), place) for i in identifiers)

    def classes(quantities: Iterable[QuantityElement], place: str) -> None:
        name((q.epc_class for q in quantities), place)

    if isinstance(event, ExtensionEvent):
        return tuple(Mention(m.item, m.place) for m in items_of(event))
    if isinstance(event, TransformationEvent):
        name(event.input_epc_list, "input")
        name(event.output_epc_list, "output")
        classes(event.input_quantity_list, "input_class")
        classes(event.output_quantity_list, "output_class")
    elif isinstance(event, AggregationEvent | AssociationEvent):
        name([event.parent_id] if event.parent_id else [], "parent")
        name(event.child_epcs, "epc")
        classes(event.child_quantity_list, "class")
    else:
        name(event.epc_list, "epc")
        classes(event.quantity_list, "class")
        if isinstance(event, TransactionEvent):
            name([event.parent_id] if event.parent_id else [], "parent")
    lots = [e.text for e in getattr(event, "ilmd", ()) if e.local == "lotNumber" and e.text]
    packs = [m for m in found if m.place in ("epc", "output") and "/21/" in m.item]
    for lot in lots:
        gtins = dict.fromkeys(m.item.split("/21/")[0] for m in packs)
        found.extend(Mention(f"{gtin}/10/{lot}", "lot") for gtin in gtins)
    return tuple(found)


def _party(actor: Actor) -> SourceDest:
    return SourceDest(type="possessing_party", id=actor.pgln)


def _ilmd(local: str, text: str) -> Extension:
    return Extension(namespace=CBV_MDA, local=local, text=text)
