"""A short story for tests of evidence bundles: a pack is made, packed, and leaves in its case."""

from __future__ import annotations

from bundle_world import CASE, PACK, Member, Recipe, World, bundle, commissioning, event, verify
from sealtrail.evidence.bundle.report import BundleReport

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

    def recipe(self) -> Recipe:
        return Recipe(issuer=self.maker, logs=[self.maker], items=list(ITEMS))

    def verified(self, recipe: Recipe | None = None) -> BundleReport:
        data = bundle(self.world, recipe or self.recipe())
        return verify(data, self.world.trust(pinned=5))
