"""The demo's story as EPCIS 2.0 documents: who records what, in order.

A lot of packs goes from its manufacturer in cases on a pallet to a wholesaler, who breaks one case and repacks some
of it into a tote that was used before; the pharmacy gets three cases announced and receives two, unpacks, dispenses.
Then a copy of the dispensed pack turns up.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

PACKS_A_CASE = 4
CASES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A member of the devnet: its node's name there, its first GLN, and where it may number from."""

    name: str
    gln: str
    prefix: str

    @property
    def pgln(self) -> str:
        """The party as a Digital Link."""
        return f"https://id.gs1.org/417/{self.gln}"

    @property
    def sgln(self) -> str:
        """The party's site as a Digital Link."""
        return f"https://id.gs1.org/414/{self.gln}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """What one member records at one point of the story."""

    who: str
    title: str
    document: Json


def check_digit(digits: str) -> str:
    """Return the GS1 check digit (mod 10, weights 3 and 1 from the right)."""
    total = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(digits)))
    return str(-total % 10)


def gtin(prefix: str, reference: int) -> str:
    """Return a GTIN-14 with indicator digit 0 under this company prefix."""
    body = "0" + prefix + str(reference).zfill(12 - len(prefix))
    return body + check_digit(body)


def sscc(prefix: str, reference: int, extension: int = 3) -> str:
    """Return a Digital Link of an SSCC under this company prefix."""
    body = f"{extension}{prefix}{str(reference).zfill(16 - len(prefix))}"
    return f"https://id.gs1.org/00/{body}{check_digit(body)}"


def grai(prefix: str, asset_type: int, serial: str) -> str:
    """Return a Digital Link of a returnable asset, such as a tote."""
    body = prefix + str(asset_type).zfill(12 - len(prefix))
    return f"https://id.gs1.org/8003/0{body}{check_digit(body)}{serial}"


class Story:
    """The demo's flow for one run; times go back from ``now`` so that it reads like some days of work."""

    def __init__(
        self,
        *,
        manufacturer: Party,
        wholesaler: Party,
        pharmacy: Party,
        now: datetime.datetime,
        run: int,
    ) -> None:
        self.manufacturer, self.wholesaler, self.pharmacy = manufacturer, wholesaler, pharmacy
        self._clock = now.astimezone(datetime.UTC) - datetime.timedelta(hours=30)
        self.lot = f"LOT{run:05d}"
        self.expiry = (now + datetime.timedelta(days=700)).date()
        self.gtin = gtin(manufacturer.prefix, 101)
        self.packs = [self._sgtin(f"{run:05d}{n:04d}") for n in range(PACKS_A_CASE * CASES)]
        self.cases = [sscc(manufacturer.prefix, run * 10 + n) for n in range(CASES)]
        self.pallet = sscc(manufacturer.prefix, run * 10 + 9)
        self.tote = grai(wholesaler.prefix, 7, f"TOTE{run:05d}")
        self.never_commissioned = self._sgtin(f"9{run:05d}777")

    def _sgtin(self, serial: str) -> str:
        return f"https://id.gs1.org/01/{self.gtin}/21/{serial}"

    def packs_of(self, case: int) -> list[str]:
        """Return the packs that were put into that case."""
        return self.packs[case * PACKS_A_CASE : (case + 1) * PACKS_A_CASE]

    @property
    def in_the_tote(self) -> list[str]:
        """The packs of the broken case that travel on in the tote."""
        return self.packs_of(3)[:2]

    @property
    def traced(self) -> str:
        """The pack whose journey the demo asks for: through case, pallet and tote to the pharmacy's shelf."""
        return self.in_the_tote[0]

    @property
    def dispensed(self) -> str:
        """The pack that the pharmacy hands to a patient, and that is copied afterwards."""
        return self.packs_of(0)[0]

    def chapters(self) -> list[Chapter]:
        """Return the whole flow up to the dispensing."""
        m, w, p = self.manufacturer, self.wholesaler, self.pharmacy
        loose = self.packs_of(3)
        return [
            self._chapter(w, "empties a tote that carried something else", self._tote_before()),
            self._chapter(
                m,
                f"commissions {len(self.packs)} packs of lot {self.lot} and packs them",
                [
                    self._object(m, self.packs, "ADD", "commissioning", "active", ilmd=True),
                    *(self._pack(m, c, self.packs_of(n)) for n, c in enumerate(self.cases)),
                    self._pack(m, self.pallet, self.cases),
                ],
            ),
            self._chapter(m, "ships the pallet", [self._ship(m, w, [self.pallet])]),
            self._chapter(
                w,
                "receives the pallet, unpacks it, breaks a case and fills the tote",
                [
                    self._receive(w, m, [self.pallet]),
                    self._unpack(w, self.pallet),
                    self._unpack(w, self.cases[3]),
                    self._pack(w, self.tote, self.in_the_tote),
                    self._object(w, loose[2:], "OBSERVE", "storing", "in_progress"),
                ],
            ),
            self._chapter(
                w,
                "ships three cases and the tote",
                [self._ship(w, p, [*self.cases[:3], self.tote])],
            ),
            self._chapter(
                p,
                "receives two of the three cases, and the tote; unpacks them",
                [
                    self._receive(p, w, [*self.cases[:2], self.tote]),
                    *(self._unpack(p, c) for c in (*self.cases[:2], self.tote)),
                ],
            ),
            self._chapter(
                p,
                "dispenses a pack",
                [self._object(p, [self.dispensed], "DELETE", "dispensing", "dispensed")],
            ),
        ]

    def copied_serial(self) -> list[Chapter]:
        """Return how a copy of the dispensed pack is sold: as a return, back through the wholesaler."""
        w, p = self.wholesaler, self.pharmacy
        copy = [self.dispensed]
        return [
            self._chapter(
                w,
                "takes in a pack with a serial number that was dispensed already, and ships it",
                [
                    self._object(w, copy, "OBSERVE", "receiving", "in_progress"),
                    self._ship(w, p, copy),
                ],
            )
        ]

    def _tote_before(self) -> list[Json]:
        w = self.wholesaler
        other = f"https://id.gs1.org/01/{gtin(w.prefix, 55)}/21/B{self.lot}"
        return [self._pack(w, self.tote, [other]), self._unpack(w, self.tote)]

    def _chapter(self, who: Party, title: str, events: list[Json]) -> Chapter:
        document = {
            "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": events[-1]["eventTime"],
            "epcisBody": {"eventList": events},
        }
        return Chapter(who=who.name, title=title, document=document)

    def _event(self, who: Party, event_type: str, **fields: Any) -> Json:
        self._clock += datetime.timedelta(minutes=47)
        return {
            "type": event_type,
            "eventTime": self._clock.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "eventTimeZoneOffset": "+00:00",
            **fields,
            "readPoint": {"id": who.sgln},
            "bizLocation": {"id": who.sgln},
        }

    def _object(
        self,
        who: Party,
        epcs: list[str],
        action: str,
        step: str,
        disposition: str,
        *,
        ilmd: bool = False,
    ) -> Json:
        event = self._event(
            who,
            "ObjectEvent",
            epcList=epcs,
            action=action,
            bizStep=step,
            disposition=disposition,
        )
        if ilmd:
            event["ilmd"] = {
                "cbvmda:lotNumber": self.lot,
                "cbvmda:itemExpirationDate": self.expiry.isoformat(),
            }
        return event

    def _pack(self, who: Party, parent: str, children: list[str]) -> Json:
        return self._event(
            who,
            "AggregationEvent",
            parentID=parent,
            childEPCs=children,
            action="ADD",
            bizStep="packing",
            disposition="in_progress",
        )

    def _unpack(self, who: Party, parent: str) -> Json:
        return self._event(
            who,
            "AggregationEvent",
            parentID=parent,
            childEPCs=[],
            action="DELETE",
            bizStep="unpacking",
            disposition="in_progress",
        )

    def _ship(self, sender: Party, receiver: Party, epcs: list[str]) -> Json:
        event = self._object(sender, epcs, "OBSERVE", "shipping", "in_transit")
        del event["bizLocation"]  # in transit a thing is nowhere
        return {**event, **_parties(sender, receiver)}

    def _receive(self, receiver: Party, sender: Party, epcs: list[str]) -> Json:
        event = self._object(receiver, epcs, "OBSERVE", "receiving", "in_progress")
        return {**event, **_parties(sender, receiver)}


def _parties(sender: Party, receiver: Party) -> Json:
    return {
        "sourceList": [{"type": "possessing_party", "source": sender.pgln}],
        "destinationList": [{"type": "possessing_party", "destination": receiver.pgln}],
    }
