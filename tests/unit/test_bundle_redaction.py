"""Bundles of which events are shown in part: what they tell, what they don't, and what they can't pass for."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection

import msgspec
import pytest

from bundle_story import ITEMS, LOT, Story, claim, shipping
from bundle_world import (
    CASE,
    PACK,
    Recipe,
    answered,
    bundle,
    event,
    failures,
    lines_of,
    signed,
    verify,
)
from sealtrail.epcis import Part, read_content
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.partial import wire_partial
from sealtrail.evidence.bundle.report import BundleReport, BundleStepName
from sealtrail.evidence.wire import from_hex
from sealtrail.signing.disclose import disclose

GTIN = "https://id.gs1.org/01/09521234543213"
ORDER = "urn:epcglobal:cbv:bt:9521234000013:secret-order"
SHOWN = [PACK, GTIN, LOT, CASE]


class Shipment(Story):
    """The story, with a shipping event that names other packs and an order."""

    def __init__(self, name: str = "shipment") -> None:
        super().__init__(name)
        packs = [f"urn:epc:id:sgtin:9521234.054321.{n}" for n in (7, 100, 101, 102)]
        more = {"bizTransactionList": [{"type": "po", "bizTransaction": ORDER}]}
        self.maker.append(event(20, epcs=packs, step="storing", **more))
        self.maker.seal()
        self.world.empty(6)

    def redacted(self) -> Recipe:
        recipe = self.recipe()
        recipe.shown_items = list(SHOWN)
        return recipe


def told(data: bytes) -> str:
    """Return all that a bundle says of events."""
    texts = []
    for line in data.splitlines():
        entry = json.loads(line)
        partial = entry.get("partial", {})
        values = [p.get("value") for p in partial.get("parts", [])]
        values += [e["value"] for e in partial.get("items", {}).get("elements", [])]
        texts += [base64.b64decode(v).decode() for v in (*values, entry.get("content")) if v]
    return "\n".join(texts)


def test_a_bundle_about_one_pack_shows_that_pack_alone_and_holds() -> None:
    story = Shipment()
    data = bundle(story.world, story.redacted())
    report = verify(data, story.world.trust(pinned=5))
    assert failures(report) == set()
    assert report.exit_code == 0
    assert report.completeness == "index-asserted"
    assert report.withheld_parts == 2
    assert "054321.7" in told(data)
    assert "054321.100" not in told(data)
    assert "secret-order" not in told(data)


def test_the_whole_bundle_has_the_same_verdicts() -> None:
    story = Shipment()
    trust = story.world.trust(pinned=5)
    whole = verify(bundle(story.world, story.recipe()), trust)
    part = verify(bundle(story.world, story.redacted()), trust)
    assert whole.verdicts == part.verdicts
    assert whole.findings == part.findings


def changed(story: Shipment, index: int, change: object) -> BundleReport:
    """Verify the redacted bundle with one entry's shown parts changed, and the true answer."""
    lines: list[AnyLine] = answered(story.world, lines_of(story.world, story.redacted()))
    for n, line in enumerate(lines):
        if isinstance(line, EntryLine) and line.index == index:
            assert line.partial is not None
            lines[n] = msgspec.structs.replace(line, partial=change(line.partial))  # type: ignore[operator]
    return verify(signed(lines, story.maker), story.world.trust(pinned=5))


INDEX = 7  # of the shipment's last event


def test_parts_that_hide_that_the_entry_names_the_pack_are_not_complete() -> None:
    story = Shipment()
    recipe = story.redacted()
    recipe.shown_items = []
    honest = verify(bundle(story.world, recipe), story.world.trust(pinned=5))
    assert (honest.completeness, honest.exit_code) == ("none", 3)
    claim = answered(story.world, lines_of(story.world, story.redacted()))[-1]
    lines = [*lines_of(story.world, recipe), claim]
    report = verify(signed(lines, story.maker), story.world.trust(pinned=5))
    assert (BundleStepName.COMPLETENESS, "redacted_not_complete") in failures(report)


def test_a_part_that_was_changed_is_found() -> None:
    def change(partial: msgspec.Struct) -> msgspec.Struct:
        first, *others = partial.parts  # type: ignore[attr-defined]
        core = json.loads(first.value) | {"disposition": "recalled"}
        first = msgspec.structs.replace(first, value=json.dumps(core).encode())
        return msgspec.structs.replace(partial, parts=(first, *others))

    report = changed(Shipment(), INDEX, change)
    assert (BundleStepName.ENTRIES, "disclosure_root_differs") in failures(report)


def test_an_element_of_another_event_is_found() -> None:
    def change(partial: msgspec.Struct) -> msgspec.Struct:
        items = partial.items  # type: ignore[attr-defined]
        (element,) = items.elements
        other = msgspec.structs.replace(element, value=element.value.replace(b".7", b".8"))
        return msgspec.structs.replace(
            partial, items=msgspec.structs.replace(items, elements=(other,))
        )

    report = changed(Shipment(), INDEX, change)
    assert (BundleStepName.ENTRIES, "disclosure_root_differs") in failures(report)


@pytest.mark.parametrize("items", [[PACK], [PACK, LOT], [CASE]])
def test_whatever_is_shown_nothing_fails(items: list[str]) -> None:
    story = Shipment()
    recipe = story.redacted()
    recipe.shown_items = items
    assert failures(verify(bundle(story.world, recipe), story.world.trust(pinned=5))) == set()


class Recalled(Story):
    """The pack's lot, which only the master data of its commissioning tells, is recalled."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        lot = [{"epcClass": "urn:epc:class:lgtin:9521234.054321.L1"}]
        recall = event(20, epcs=[], quantityList=lot, step="holding", disposition="recalled")
        self.recall = self.maker.append(recall)
        self.maker.seal()
        self.world.empty(6)

    def hiding(self, *parts: Part) -> list[AnyLine]:
        """Return the lines without the recall, nor what would tell that the list of the lot is missing."""
        recipe = self.recipe()
        recipe.items = [each for each in ITEMS if each[0] != LOT]
        size = len(self.maker.entries)
        recipe.shown = {self.maker.member: [n for n in range(size) if n != self.recall]}
        lines = lines_of(self.world, recipe)
        at = next(n for n, x in enumerate(lines) if isinstance(x, EntryLine) and x.index == 1)
        lines[at] = self.in_parts(lines[at], parts)
        return lines

    def in_parts(self, line: AnyLine, withheld: Collection[Part]) -> EntryLine:
        assert isinstance(line, EntryLine)
        assert line.content is not None
        assert line.seed is not None
        read = read_content(line.content, line.media_type)
        salt = self.maker.item_salt
        partial = disclose(read, from_hex(line.seed), [PACK], withhold=withheld, item_salt=salt)
        return msgspec.structs.replace(
            line, content=None, seed=None, item_keys=b"", partial=wire_partial(partial)
        )


@pytest.mark.parametrize("parts", [(Part.MASTER_DATA,), (Part.PARTIES, Part.MASTER_DATA)])
def test_who_hides_the_packs_lot_can_not_claim_that_there_is_no_recall(
    parts: tuple[Part, ...],
) -> None:
    story = Recalled(f"recalled {len(parts)}")
    lines = answered(story.world, story.hiding(*parts))
    trust = story.world.trust(pinned=5)
    honest = verify(signed(lines, story.maker), trust)
    assert (honest.completeness, honest.exit_code) == ("none", 3)
    report = verify(signed(claim(lines, "index-asserted", 0), story.maker), trust)
    assert failures(report) == {(BundleStepName.COMPLETENESS, "redacted_not_complete")}


def test_an_unpacking_of_which_no_child_is_shown_is_not_taken_for_one_of_all() -> None:
    """A DELETE without children empties a container; one whose children are withheld does not."""
    story = Shipment("unpacking")
    others = [f"urn:epc:id:sgtin:9521234.054321.{n}" for n in (200, 201)]
    story.maker.append(
        event(
            25,
            kind="AggregationEvent",
            action="DELETE",
            step="unpacking",
            epcs=others,
            parentID="urn:epc:id:sscc:9521234.0000000001",
        )
    )
    story.maker.append(shipping(30))
    story.maker.seal()
    story.world.empty(6)
    trust = story.world.trust(pinned=5)
    whole = verify(bundle(story.world, story.recipe()), trust)
    part = verify(bundle(story.world, story.redacted()), trust)
    assert whole.verdicts == part.verdicts
    assert len(whole.journey) == len(part.journey)
    assert ITEMS
