"""Bundles of events that came in XML: they prove what those in JSON prove, whole and in parts."""

from __future__ import annotations

import msgspec

from bundle_story import ITEMS, Story
from bundle_world import Recipe, answered, bundle, failures, lines_of, signed, verify
from sealtrail.epcis import XML_MEDIA_TYPE, RecordedEvent, parse_document
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.report import BundleStepName
from xml_documents import document, event

URN = "urn:epc:id:sgtin:9521234.054321."
ORDER = "urn:epcglobal:cbv:bt:9521234000013:secret-order"
INDEX = 7  # of the event in XML


def inspection(*serials: int) -> bytes:
    """Content of an inspection of the pack and of others, under an order."""
    epcs = "".join(f"<epc>{URN}{serial}</epc>" for serial in serials)
    late = f"<bizTransactionList><bizTransaction>{ORDER}</bizTransaction></bizTransactionList>"
    times = (
        "<eventTime>2026-03-01T08:20:00.000Z</eventTime>"
        "<eventTimeZoneOffset>+00:00</eventTimeZoneOffset>"
    )
    one = event(times=times, late=late)
    listed = one[: one.index("<epc>")] + epcs + one[one.index("</epcList>") :]
    (recorded,) = parse_document(document(listed), media_type=XML_MEDIA_TYPE).events
    assert isinstance(recorded, RecordedEvent), recorded
    return recorded.content


class Inspected(Story):
    """The story, and an inspection of which came XML."""

    def __init__(self, name: str = "inspected") -> None:
        super().__init__(name)
        self.maker.append(inspection(7, 100, 101))
        self.maker.seal()
        self.world.empty(6)
        assert self.maker.entries[INDEX].media_type == XML_MEDIA_TYPE

    def redacted(self) -> Recipe:
        recipe = self.recipe()
        recipe.shown_items = [item for item, _ in ITEMS]
        return recipe


def test_a_bundle_with_an_event_in_xml_holds() -> None:
    story = Inspected()
    report = story.verified()
    assert failures(report) == set()
    assert (report.exit_code, report.completeness) == (0, "index-asserted")


def test_an_event_in_xml_is_shown_in_parts() -> None:
    story = Inspected()
    data = bundle(story.world, story.redacted())
    report = verify(data, story.world.trust(pinned=5))
    assert failures(report) == set()
    assert (report.exit_code, report.completeness) == (0, "index-asserted")
    (line,) = [
        each
        for each in lines_of(story.world, story.redacted())
        if isinstance(each, EntryLine) and each.index == INDEX
    ]
    assert line.content is None
    assert line.partial is not None
    shown = b"".join(
        [each.value for each in line.partial.parts]
        + [each.value for each in line.partial.items.elements]  # type: ignore[union-attr]
    )
    assert b"054321.7" in shown
    assert b"054321.100" not in shown
    assert b"secret-order" not in shown


def test_content_in_xml_that_was_changed_does_not_hold() -> None:
    story = Inspected()
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    for change in (
        lambda content: content.replace(b"secret-order", b"open-order"),
        lambda content: content.replace(b"<action>", b"\n<action>"),
        lambda content: content.replace(b"<action>", b"<action >"),
        lambda content: content[:-1],
        lambda content: b"{}",
    ):
        changed = [
            msgspec.structs.replace(line, content=change(line.content))
            if isinstance(line, EntryLine) and line.index == INDEX
            else line
            for line in lines
        ]
        report = verify(signed(changed, story.maker), story.world.trust(pinned=5))
        assert report.exit_code == 1
        assert {name for name, _ in failures(report)} >= {BundleStepName.ENTRIES}


def test_content_in_xml_called_json_does_not_hold() -> None:
    story = Inspected()
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    changed = [
        msgspec.structs.replace(line, media_type="application/ld+json")
        if isinstance(line, EntryLine) and line.index == INDEX
        else line
        for line in lines
    ]
    report = verify(signed(changed, story.maker), story.world.trust(pinned=5))
    assert report.exit_code == 1
