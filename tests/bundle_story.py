"""Short stories for tests of evidence bundles: a pack is made, packed, and leaves in its case; its log is audited."""

from __future__ import annotations

import msgspec

from bundle_world import (
    CASE,
    GENESIS_TIME,
    PACK,
    Member,
    Recipe,
    World,
    bundle,
    commissioning,
    event,
    lines_of,
    signed,
    verify,
)
from evidence_world import digest_of
from sealtrail.epcis import read_content
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import AnswerLine, CheckpointLine, CompletenessGrade
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.index_audit import index_audit_name, sign_index_audit, with_index_audits
from sealtrail.membership.records import Key, Purpose, Role
from sealtrail.signing import Reference, Relation, origin_of

GTIN = "https://id.gs1.org/01/09521234543213"
LOT = GTIN + "/10/L1"
ITEMS = [(PACK, False), (GTIN, False), (LOT, False), (CASE, False)]
SSCC = "urn:epc:id:sscc:9521234.0000000001"


def packing(minute: int) -> bytes:
    return event(minute, kind="AggregationEvent", action="ADD", step="packing", parentID=SSCC)


def shipping(minute: int) -> bytes:
    return event(minute, epcs=[SSCC], step="departing", disposition="in_transit")


class Story:
    """A maker commissions a pack, packs it and sends its case off; two anchors."""

    def __init__(self, name: str = "story") -> None:
        self.world = World(name)
        self.maker = Member(self.world, f"Maker of {name}")
        self.maker.append(commissioning(5))
        self.maker.append(event(6, epcs=["urn:epc:id:sgtin:9521234.054321.8"]))
        self.maker.seal()
        self.world.empty(3)
        self.maker.append(packing(9))
        self.maker.append(shipping(10))
        self.maker.seal()
        self.world.empty(6)

    def declare_birth_wrong(self) -> int:
        """Have the maker declare the pack's commissioning erroneous; return the leaf."""
        birth = self.maker.entries[1].content
        assert birth is not None
        wrong = read_content(birth, "application/ld+json")
        declaration = commissioning(
            5,
            eventID=f"ni:///sha-256;{wrong.event_hash.hex()}?ver=CBV2.0",
            errorDeclaration={
                "declarationTime": "2026-03-01T08:40:00.000Z",
                "reason": "incorrect_data",
            },
        )
        corrects = Reference(Relation.CORRECTS, self.maker.entry_id(1))
        return self.maker.append(declaration, references=(corrects,))

    def recipe(self) -> Recipe:
        return Recipe(issuer=self.maker, logs=[self.maker], items=list(ITEMS))

    def verified(self, recipe: Recipe | None = None) -> BundleReport:
        data = bundle(self.world, recipe or self.recipe())
        return verify(data, self.world.trust(pinned=5))


class Audited(Story):
    """The maker's log, and two who audit its item index."""

    def __init__(self, name: str = "audited", roles: Role = Role.REGULATOR) -> None:
        super().__init__(name)
        self.agency = self.auditor("Agency", "9521234000020", roles)
        self.office = self.auditor("Office", "9521234000037", Role.AUDITOR)
        self.world.empty(6)

    def auditor(self, name: str, gln: str, roles: Role) -> Member:
        made = Member(self.world, name, gln=gln, roles=roles)
        self.add_witness_key(made)
        return made

    def add_witness_key(self, member: Member) -> None:
        record = member.records[-1]
        key = Key(
            purpose=Purpose.WITNESS,
            public=self.witness(member).public_key,
            valid_from=len(self.world.blocks),
        )
        self.world.record(member, msgspec.structs.replace(record, keys=(*record.keys, key)))

    def witness(self, member: Member) -> Ed25519Signer:
        return Ed25519Signer(digest_of(member.name, "witness"))

    def audit(self, note: str, by: Member, *, size: int | None = None) -> str:
        """Return the note with the member's audit below it; ``size``: of another checkpoint of the log."""
        checkpoint = self.maker.checkpoint(size or int(note.split("\n")[1]))
        name = index_audit_name(origin_of(self.world.domain, by.member))
        made = sign_index_audit(checkpoint, name, self.witness(by), GENESIS_TIME + 900)
        return with_index_audits(note, [made])

    def lines(self, *by: Member, size: int | None = None) -> list[AnyLine]:
        """Return a bundle's lines without an answer; below the last note stand audits by these members."""
        recipe = self.recipe()
        recipe.others = [self.agency, self.office]
        lines = lines_of(self.world, recipe)
        last = max(n for n, line in enumerate(lines) if isinstance(line, CheckpointLine))
        line = lines[last]
        assert isinstance(line, CheckpointLine)
        note = line.note
        for each in by:
            note = self.audit(note, each, size=size)
        lines[last] = msgspec.structs.replace(line, note=note)
        return lines

    def read(self, lines: list[AnyLine]) -> BundleReport:
        return verify(signed(lines, self.maker), self.world.trust(pinned=5))


def claim(lines: list[AnyLine], grade: CompletenessGrade, auditors: int) -> list[AnyLine]:
    """Return the lines with an answer that claims so much."""
    answer = lines[-1]
    assert isinstance(answer, AnswerLine)
    completeness = msgspec.structs.replace(answer.completeness, grade=grade, auditors=auditors)
    return [*lines[:-1], msgspec.structs.replace(answer, completeness=completeness)]
