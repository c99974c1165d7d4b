"""Sections by paths, parts of a log, and lines of entries that say a thing twice or out of order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pytest

from bundle_story import Story
from bundle_world import (
    PACK,
    REGISTRY,
    Member,
    Recipe,
    World,
    answered,
    commissioning,
    event,
    failures,
    lines_of,
    signed,
    verify,
)
from evidence_world import digest_of
from sealtrail.errors import InputError
from sealtrail.evidence.bundle.compose import section_lines
from sealtrail.evidence.bundle.contracts import record_digest_slot
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import AnyLine
from sealtrail.evidence.bundle.lines import (
    AnswerLine,
    AnyQuestion,
    CheckpointLine,
    Completeness,
    ItemQuestion,
    LogLine,
    LogQuestion,
    Withheld,
)
from sealtrail.evidence.bundle.partial import WirePartial
from sealtrail.evidence.bundle.redact import redacted
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import Cosignatures
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.wire import to_hex
from sealtrail.log.cosignature import cosign, with_cosignatures, witness_name
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.tree import inclusion_proof
from sealtrail.membership.records import Key, Purpose
from sealtrail.signing import origin_of

ANSWER = AnswerLine(completeness=Completeness(grade="none"), withheld=Withheld())


def part_of_log(story: Story, *, first: int = 0, until: int = 7) -> list[AnyLine]:
    """Return the lines, without an answer, about a part of the maker's log."""
    member = to_hex(story.maker.member)
    question = LogQuestion(member=member, first=first, until=until)
    recipe = Recipe(issuer=story.maker, logs=[story.maker], question=question)
    lines = lines_of(story.world, recipe)
    return [
        msgspec.structs.replace(each, covered=False) if isinstance(each, LogLine) else each
        for each in lines
    ]


def by_paths(story: Story, lines: Sequence[AnyLine]) -> list[AnyLine]:
    """Return the lines with one section by paths, to the last checkpoint."""
    last = max(n for n, line in enumerate(lines) if isinstance(line, CheckpointLine))
    found: list[AnyLine] = []
    for n, line in enumerate(lines):
        if isinstance(line, LogLine):
            found.append(msgspec.structs.replace(line, paths=True))
        elif isinstance(line, EntryLine):
            size = len(story.maker.entries)
            path = b"".join(inclusion_proof(line.index, size, story.maker.node))
            found.append(msgspec.structs.replace(line, gap=b"", path=path))
        elif isinstance(line, CheckpointLine):
            found += [msgspec.structs.replace(line, gap=b"")] if n == last else []
        else:
            found.append(line)
    return found


def verified(story: Story, lines: Sequence[AnyLine]) -> BundleReport:
    return verify(signed([*lines, ANSWER], story.maker), story.world.trust(pinned=5))


def assert_malformed(story: Story, lines: Sequence[AnyLine], place: str) -> None:
    with pytest.raises(InputError) as caught:
        verified(story, lines)
    assert caught.value.code == "bundle_malformed"
    assert str(caught.value.pointer).endswith(place)


def with_entry(
    lines: Sequence[AnyLine], index: int, change: Callable[[EntryLine], EntryLine]
) -> list[AnyLine]:
    return [
        change(line) if isinstance(line, EntryLine) and line.index == index else line
        for line in lines
    ]


def test_a_part_of_a_log_holds() -> None:
    story = Story("a part")
    assert verified(story, part_of_log(story)).exit_code == 0


def test_a_part_of_a_log_by_paths_holds() -> None:
    story = Story("paths")
    assert verified(story, by_paths(story, part_of_log(story))).exit_code == 0


def test_a_path_that_leads_elsewhere_is_found() -> None:
    story = Story("other path")
    lines = by_paths(story, part_of_log(story))
    spoilt = with_entry(
        lines, 2, lambda line: msgspec.structs.replace(line, path=b"\1" * len(line.path))
    )
    assert ("logs", "inclusion_root_differs") in failures(verified(story, spoilt))


def test_an_entry_behind_the_one_checkpoint_of_a_section_of_paths_is_malformed() -> None:
    """Nothing would lead it to any checkpoint, and nobody would ask who signed it."""
    story = Story("behind")
    lines = by_paths(story, part_of_log(story))
    at = next(n for n, line in enumerate(lines) if isinstance(line, CheckpointLine))
    entry = lines[at - 1]
    assert isinstance(entry, EntryLine)
    forged = msgspec.structs.replace(entry, index=entry.index + 1)
    assert_malformed(story, [*lines[: at + 1], forged, *lines[at + 1 :]], "/index")


def test_a_leaf_that_two_sections_show_counts_once() -> None:
    story = Story("twice")
    first, until = 1, 3
    lines = part_of_log(story, first=first, until=until)
    opened = next(n for n, line in enumerate(lines) if isinstance(line, LogLine))
    shown = next(line for line in lines if isinstance(line, EntryLine) and line.index == first)
    sections: list[AnyLine] = []
    for note in (line for line in lines if isinstance(line, CheckpointLine)):
        size = int(note.note.split("\n")[1])
        path = b"".join(inclusion_proof(first, size, story.maker.node))
        sections += [
            msgspec.structs.replace(lines[opened], paths=True),
            msgspec.structs.replace(shown, gap=b"", path=path),
            msgspec.structs.replace(note, gap=b""),
        ]
    report = verified(story, [*lines[:opened], *sections])
    assert failures(report) == {("completeness", "entry_left_out")}


def stored_twice() -> tuple[Story, int]:
    """Return a story with an event that names an order, two anchors behind it, and the event's leaf."""
    story = Story("shown twice")
    order = {"type": "po", "bizTransaction": "urn:epcglobal:cbv:bt:9521234000013:1"}
    leaf = story.maker.append(event(20, step="storing", bizTransactionList=[order]))
    story.maker.seal()
    story.world.empty(2)
    story.maker.append(event(21))
    story.maker.seal()
    story.world.empty(6)
    return story, leaf


def shown_twice(
    story: Story,
    index: int,
    first: Callable[[EntryLine], EntryLine],
    second: Callable[[EntryLine], EntryLine],
) -> list[AnyLine]:
    """Return the lines about the pack: a section by paths to each checkpoint behind the leaf, and the leaf in each."""
    lines = lines_of(story.world, story.recipe())
    opened = next(n for n, line in enumerate(lines) if isinstance(line, LogLine))
    sections: list[AnyLine] = []
    behind = 0
    for note in (line for line in lines if isinstance(line, CheckpointLine)):
        size = int(note.note.split("\n")[1])
        if size <= index:
            continue
        before, behind = behind, size
        change = first if not sections else second
        entries = [line for line in lines if isinstance(line, EntryLine) and line.index < size]
        opening = lines[opened]
        assert isinstance(opening, LogLine)
        sections.append(msgspec.structs.replace(opening, covered=False, paths=True))
        for each in entries:
            if each.index == index or each.index >= before:
                path = b"".join(inclusion_proof(each.index, size, story.maker.node))
                line = change(each) if each.index == index else each
                sections.append(msgspec.structs.replace(line, gap=b"", path=path))
        sections.append(msgspec.structs.replace(note, gap=b""))
    return answered(story.world, [*lines[:opened], *sections])


def whole(line: EntryLine) -> EntryLine:
    return line


def in_parts(line: EntryLine) -> EntryLine:
    return redacted(line, [PACK], digest_of("Maker of shown twice", "salt"))


def bare(line: EntryLine) -> EntryLine:
    return msgspec.structs.replace(line, content=None, seed=None, references=b"", item_keys=b"")


@pytest.mark.parametrize(
    ("first", "second", "withheld", "parts"),
    [
        (whole, whole, 0, 0),
        (whole, in_parts, 0, 0),
        (in_parts, whole, 0, 0),
        (bare, whole, 0, 0),
        (whole, bare, 0, 0),
        (bare, in_parts, 0, 1),
        (in_parts, in_parts, 0, 1),
        (bare, bare, 1, 0),
    ],
)
def test_an_entry_that_two_sections_show_counts_once(
    first: Callable[[EntryLine], EntryLine],
    second: Callable[[EntryLine], EntryLine],
    withheld: int,
    parts: int,
) -> None:
    """As it is shown where most of it is; what is withheld in one section and shown in another is shown."""
    story, leaf = stored_twice()
    data = signed(shown_twice(story, leaf, first, second), story.maker)
    report = verify(data, story.world.trust(pinned=5))
    assert failures(report) == set()
    assert (report.withheld_entries, report.withheld_parts) == (withheld, parts)
    assert sum(step.biz_step == "storing" for step in report.journey) == 1 - withheld
    if not withheld:
        once = signed(shown_twice(story, 0, whole, whole), story.maker)
        alone = verify(once, story.world.trust(pinned=5))
        assert report.verdicts == alone.verdicts
        assert report.findings == alone.findings
        assert len(report.journey) == len(alone.journey)


def rewound() -> tuple[Story, int]:
    """Return a story whose shorter checkpoint is shown by its second anchor, which comes after the longer's."""
    story, leaf = stored_twice()
    maker = story.maker
    story.world.anchor(maker, maker.anchored[-2].size)
    story.world.empty(6)
    maker.anchored[-2] = maker.anchored.pop()
    return story, leaf


def test_a_log_that_was_set_back_is_found_within_a_section() -> None:
    story, _ = rewound()
    report = story.verified()
    assert ("anchors", "anchors_out_of_order") in failures(report)


def test_a_log_that_was_set_back_is_found_between_sections() -> None:
    story, leaf = rewound()
    lines = shown_twice(story, leaf, whole, whole)
    report = verify(signed(lines, story.maker), story.world.trust(pinned=5))
    assert failures(report) == {("anchors", "anchors_out_of_order")}


def test_an_entry_that_is_counted_twice_is_found() -> None:
    story, leaf = stored_twice()
    lines = shown_twice(story, leaf, bare, bare)
    answer = lines[-1]
    assert isinstance(answer, AnswerLine)
    lines[-1] = msgspec.structs.replace(answer, withheld=Withheld(entries=2))
    report = verify(signed(lines, story.maker), story.world.trust(pinned=5))
    assert failures(report) == {("completeness", "withheld_differs")}


def test_an_entry_that_two_sections_show_is_anchored_as_of_the_earlier() -> None:
    """A correction that was anchored before the recall is not made late by another section."""
    story = Story("shown twice")
    correction = story.declare_birth_wrong()
    story.maker.seal()
    story.world.empty(2)
    story.maker.append(event(20, step="holding", disposition="recalled"))
    story.maker.seal()
    story.world.empty(2)
    story.maker.append(event(21))
    story.maker.seal()
    story.world.empty(6)
    lines = shown_twice(story, correction, whole, whole)
    sizes = [int(each.note.split("\n")[1]) for each in lines if isinstance(each, CheckpointLine)]
    assert sum(size > correction for size in sizes) == 3
    report = verify(signed(lines, story.maker), story.world.trust(pinned=5))
    assert failures(report) == set()


class Rewritten:
    """A maker whose log had a recall at leaf 2, and has another entry there since the next checkpoint."""

    def __init__(self, name: str) -> None:
        self.world = World(name)
        self.maker = Member(self.world, f"Maker of {name}")
        self.maker.append(commissioning(5))
        self.maker.append(event(6, step="holding", disposition="recalled"))
        self.maker.seal()
        self.before = list(self.maker.entries)
        self.maker.entries[2] = self.entry(event(6, step="storing"))
        self.maker.append(event(9))
        self.maker.seal()
        self.world.empty(6)

    def entry(self, content: bytes) -> EntryRecord:
        self.maker.append(content)
        return self.maker.entries.pop()

    def lines(self, question: AnyQuestion, *, again: bool) -> list[AnyLine]:
        """Return the old log's section, and the new one's: of all its leaves, or of those that the old one has not."""
        maker, world = self.maker, self.world
        opening = LogLine(member=to_hex(maker.member), item_salt=to_hex(maker.item_salt))
        old, new = maker.anchored
        later = {n: e for n, e in enumerate(maker.entries) if again or n >= old.size}
        after = list(section_lines(opening, later, [new], maker.node))
        maker.entries = self.before
        before = list(section_lines(opening, dict(enumerate(self.before)), [old], maker.node))
        proof_block = len(world.blocks) - 3
        places = [old.anchor, new.anchor, *(r.place for r in maker.member_line().records)]
        slots = {REGISTRY: {record_digest_slot(maker.member)}}
        header = lines_of(world, Recipe(issuer=maker, logs=[], question=question))[0]
        blocks = world.block_lines(places, proof_block, slots)
        return [header, *blocks, maker.member_line(), *before, *after]

    def read(self, lines: list[AnyLine]) -> BundleReport:
        return verify(signed(lines, self.maker), self.world.trust(pinned=5))


def test_a_part_of_a_log_is_shown_by_one_section() -> None:
    """Two of them could show two trees: what the log had, and what it has since it was rewritten."""
    story = Rewritten("two trees")
    until = len(story.maker.entries)
    question = LogQuestion(member=to_hex(story.maker.member), first=0, until=until)
    report = story.read([*story.lines(question, again=False), ANSWER])
    assert failures(report) == {("completeness", "entry_left_out")}


def test_a_log_with_two_entries_in_one_place_is_found() -> None:
    story = Rewritten("two faces")
    lines = story.lines(ItemQuestion(item=PACK), again=True)
    report = story.read(answered(story.world, lines))
    assert ("logs", "log_contradicts_itself") in failures(report)


def test_item_keys_out_of_order_are_malformed() -> None:
    story = Story("keys")
    lines = part_of_log(story)
    keys = story.maker.entries[1].item_keys
    assert len(keys) > 1
    swapped = b"".join(sorted(keys, reverse=True))
    changed = with_entry(lines, 1, lambda line: msgspec.structs.replace(line, item_keys=swapped))
    assert_malformed(story, changed, "/item_keys")


def test_parts_beside_the_content_are_malformed() -> None:
    story = Story("beside")
    zeros = to_hex(bytes(32))
    partial = WirePartial(hashes_leaf=zeros, salt=zeros)
    lines = with_entry(
        part_of_log(story), 1, lambda line: msgspec.structs.replace(line, partial=partial)
    )
    assert_malformed(story, lines, "/partial")


def test_the_keys_of_one_member_count_as_one_witness() -> None:
    story = Story("witnessed")
    world = story.world
    witness = Member(world, "Witness", gln="9521234000020")
    signers = [Ed25519Signer(bytes([n]) * 32) for n in (1, 2)]
    record = witness.records[-1]
    more = tuple(
        Key(purpose=Purpose.WITNESS, public=each.public_key, valid_from=len(world.blocks))
        for each in signers
    )
    world.record(witness, msgspec.structs.replace(record, keys=(*record.keys, *more)))
    witness.seal()
    world.empty(6)
    recipe = story.recipe()
    recipe.logs = [story.maker, witness]
    lines = answered(world, lines_of(world, recipe))
    name = witness_name(origin_of(world.domain, witness.member))
    places = [n for n, line in enumerate(lines) if isinstance(line, CheckpointLine)]
    for n in places:
        line = lines[n]
        assert isinstance(line, CheckpointLine)
        size = int(line.note.split("\n")[1])
        owner = next(m for m in (story.maker, witness) if line.note in {c.note for c in m.anchored})
        found = [cosign(owner.checkpoint(size), name, each, 1_772_352_000) for each in signers]
        lines[n] = msgspec.structs.replace(line, note=with_cosignatures(line.note, found))
    data = signed(lines, story.maker)
    for needed, places_failed in ((1, {witness.member}), (2, {witness.member, story.maker.member})):
        report = verify(data, world.trust(pinned=5, cosignatures=Cosignatures(needed=needed)))
        step = next(step for step in report.steps if step.name == "cosignatures")
        assert {p.code for p in step.problems} == {"cosignatures_too_few"}
        assert {p.place for p in step.problems} == {f"log of {to_hex(m)}" for m in places_failed}
