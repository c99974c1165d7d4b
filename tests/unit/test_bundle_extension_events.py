"""Bundles with an event of somebody's own type: proven like others, on the item's list, and no verdict rests on it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bundle_story import ITEMS, Story
from bundle_world import Recipe, answered, bundle, event, failures, lines_of, signed, verify
from evidence_world import CONTEXT
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.report import BundleStepName

URN = "urn:epc:id:sgtin:9521234.054321."
INDEX = 7  # of the event of somebody's own type
ACME = {"acme": "https://acme.example/epcis/"}
ELSEWHERE = "https://acme.example/context.jsonld"


class Checked(Story):
    """The story, and a check of the pack and another that says that they are recalled, in a type of the maker's own."""

    def __init__(self, context: Any = ACME) -> None:
        super().__init__("checked")
        fields = {"@context": [CONTEXT, context], "acme:seal": "broken"}
        content = event(
            20, kind="acme:TamperCheck", epcs=(f"{URN}7", f"{URN}100"), disposition="recalled", **fields
        )  # fmt: skip
        self.maker.append(content)
        self.maker.seal()
        self.world.empty(6)
        assert self.maker.entries[INDEX].content == content

    def redacted(self) -> Recipe:
        recipe = self.recipe()
        recipe.shown_items = [item for item, _ in ITEMS]
        return recipe


@pytest.mark.parametrize("context", [ACME, ELSEWHERE], ids=["defined", "elsewhere"])
def test_a_bundle_with_an_event_of_somebodys_own_type_holds(context: Any) -> None:
    story = Checked(context)
    report = story.verified()
    assert failures(report) == set()
    assert (report.exit_code, report.completeness) == (0, "index-asserted")
    assert "event_not_judged" in [code for code, _ in report.findings]
    (shown,) = [each for each in report.journey if each.kind == "extension"]
    assert (shown.effect, shown.grade) == ("not judged", "chain-proven")
    before = {name: value for name, value, _ in Story("plain").verified().verdicts}
    assert {name: value for name, value, _ in report.verdicts} == before


def test_an_event_of_somebodys_own_type_is_shown_in_parts() -> None:
    story = Checked()
    data = bundle(story.world, story.redacted())
    report = verify(data, story.world.trust(pinned=5))
    assert failures(report) == set()
    assert (report.exit_code, report.completeness) == (0, "index-asserted")
    assert b"054321.100" not in data


def test_an_event_that_was_given_another_type_does_not_hold() -> None:
    story = Checked()
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    for kind in (b"acme:SealCheck", b"ObjectEvent"):
        changed = [
            msgspec.structs.replace(line, content=line.content.replace(b"acme:TamperCheck", kind))
            if isinstance(line, EntryLine) and line.index == INDEX and line.content
            else line
            for line in lines
        ]
        report = verify(signed(changed, story.maker), story.world.trust(pinned=5))
        assert report.exit_code == 1
        assert {name for name, _ in failures(report)} >= {BundleStepName.ENTRIES}
