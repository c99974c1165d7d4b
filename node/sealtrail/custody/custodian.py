"""Who holds a thing: parties, and how the custodian is derived from an event.

Custodian: possessing party, else the member whose GLN is the location, else the owning party;
an event that states none of these is taken to happen where its recorder is. The derivation is part of the answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from sealtrail.custody.history import Recorded
from sealtrail.epcis.events import ExtensionEvent, SourceDest
from sealtrail.gs1 import canonical, gln_of
from sealtrail.membership.records import MemberRecord, Network, Role

_BYSTANDERS = Role.REGULATOR | Role.AUDITOR


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who can hold or own things; ``member`` is None outside the network.

    ``key`` names the party for comparison: the member, else the GLN, else the identifier.
    """

    key: str
    name: str | None = None
    gln: str | None = None
    member: bytes | None = None
    roles: Role = Role(0)

    @property
    def bystander(self) -> bool:
        """Tell whether the party only looks (regulator, auditor): what it observes moves nothing."""
        return bool(self.roles) and not self.roles & ~_BYSTANDERS

    @property
    def label(self) -> str:
        """A name for messages."""
        return self.name or self.key


class Custodian(msgspec.Struct, frozen=True, kw_only=True):
    """A party, and what made it the custodian.

    ``derived`` is possessing_party, location, biz_location, read_point, owning_party or recorded_by.
    """

    party: Party
    derived: str


class Parties:
    """Finds parties by identifier or member, within one network; for one question, whose identifiers it keeps."""

    def __init__(self, network: Network) -> None:
        self._by_gln = {gln: m for m in network.members for gln in m.glns}
        self._by_member = {m.member: m for m in network.members}
        self._identified: dict[str, Party] = {}

    def identified(self, identifier: str) -> Party:
        """Return the party or place that an SGLN, PGLN or any other URI names."""
        known = self._identified.get(identifier)
        if known is None:
            known = self._identified[identifier] = self._identify(identifier)
        return known

    def _identify(self, identifier: str) -> Party:
        gln = gln_of(identifier)
        record = self._by_gln.get(gln) if gln else None
        if record is not None:
            return _member_party(record, gln)
        return Party(key=gln or canonical(identifier), gln=gln)

    def member(self, member: bytes) -> Party:
        """Return the party that a member is; one that the network does not know keeps its address."""
        record = self._by_member.get(member)
        return _member_party(record, None) if record else Party(key="0x" + member.hex())

    def record(self, member: bytes) -> MemberRecord | None:
        """Return the member's record."""
        return self._by_member.get(member)

    def any_may_number(self, digits: str, unix_seconds: int) -> bool:
        """Tell whether any member held a right to number these digits at that time."""
        return any(m.may_number(digits, unix_seconds) for m in self._by_member.values())


def _member_party(record: MemberRecord, gln: str | None) -> Party:
    return Party(
        key="0x" + record.member.hex(),
        name=record.name,
        gln=gln or (record.glns[0] if record.glns else None),
        member=record.member,
        roles=record.roles,
    )


def custodian_at(recorded: Recorded, parties: Parties) -> Custodian | None:
    """Derive who held the thing where the event happened; None for an outsider's event that does not say."""
    stated = recorded.event.source_list if is_shipping(recorded) else ()
    if recorded.event.biz_step in RECEIVING:
        stated = recorded.event.destination_list
    return _derive(stated, recorded, parties)


def destination_of(recorded: Recorded, parties: Parties) -> Custodian | None:
    """Derive to whom a shipment goes; None if it does not say."""
    stated = recorded.event.destination_list
    derived = _stated(stated, "possessing_party", parties)
    derived = derived or _member_stated(stated, parties)
    derived = derived or _stated(stated, "owning_party", parties)
    return derived or _stated(stated, "location", parties)


def source_of(recorded: Recorded, parties: Parties) -> Custodian | None:
    """Derive from whom a receipt says it came; None if it does not say."""
    stated = recorded.event.source_list
    derived = _stated(stated, "possessing_party", parties)
    derived = derived or _member_stated(stated, parties)
    derived = derived or _stated(stated, "owning_party", parties)
    return derived or _stated(stated, "location", parties)


def owner_stated(stated: Sequence[SourceDest], parties: Parties) -> Party | None:
    """Return the owning party of a source or destination list; ownership follows nothing else."""
    owner = _stated(stated, "owning_party", parties)
    return owner.party if owner else None


def claims(recorded: Recorded, stated: Iterable[SourceDest], parties: Parties) -> frozenset[str]:
    """Return the keys of all parties that the event places where it happened.

    A logistics provider's receipt may name its customer as possessing party: either may have been announced.
    """
    found = {parties.identified(s.id).key for s in stated}
    places = (recorded.event.biz_location, recorded.event.read_point)
    found |= {parties.identified(p).key for p in places if p}
    if recorded.recorder is not None:
        found.add(parties.member(recorded.recorder).key)
    return frozenset(found)


SHIPPING = frozenset({"shipping"})
RECEIVING = frozenset({"receiving", "accepting"})
# on the way, or seen on the way: no one takes or gives custody
ON_THE_WAY = frozenset(
    {
        "arriving",
        "departing",
        "loading",
        "unloading",
        "transporting",
        "staging_outbound",
        "consigning",
    }
)


def is_shipping(recorded: Recorded) -> bool:
    """Tell whether the event hands over: shipping, or departing that names a destination."""
    if isinstance(recorded.event, ExtensionEvent):
        return False
    step = recorded.event.biz_step
    return step in SHIPPING or (step == "departing" and bool(recorded.event.destination_list))


def _derive(stated: Sequence[SourceDest], recorded: Recorded, parties: Parties) -> Custodian | None:
    derived = _stated(stated, "possessing_party", parties) or _member_stated(stated, parties)
    derived = derived or _member_at_place(recorded, parties)
    derived = derived or _stated(stated, "owning_party", parties)
    if derived is None and recorded.recorder is not None:
        return Custodian(party=parties.member(recorded.recorder), derived="recorded_by")
    return derived


def _stated(stated: Sequence[SourceDest], type_: str, parties: Parties) -> Custodian | None:
    for each in stated:
        if each.type == type_:
            return Custodian(party=parties.identified(each.id), derived=type_)
    return None


def _member_stated(stated: Sequence[SourceDest], parties: Parties) -> Custodian | None:
    located = _stated(stated, "location", parties)
    return located if located and located.party.member is not None else None


def _member_at_place(recorded: Recorded, parties: Parties) -> Custodian | None:
    event = recorded.event
    places = [("biz_location", event.biz_location), ("read_point", event.read_point)]
    if is_shipping(recorded):
        places.reverse()  # a shipment's biz_location is where the thing will be
    for derived, place in places:
        if place is not None:
            party = parties.identified(place)
            if party.member is not None:
                return Custodian(party=party, derived=derived)
    return None
