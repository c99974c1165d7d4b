"""Whatever was recorded, in whatever order it arrived: the rules end, raise nothing, and answer the same."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios import CARRIER, CLINIC, MAKER, OUTSIDER, PHARMACY, REGULATOR, WHOLESALER, Story, item
from sealtrail.custody import CATALOGUE, Grade, Judgement, Recorded
from sealtrail.epcis.events import AssociationEvent, SourceDest, TransactionEvent
from sealtrail.signing import Kind

ACTORS = st.sampled_from([MAKER, WHOLESALER, PHARMACY, CLINIC, CARRIER, REGULATOR, OUTSIDER])
NAMES = st.sampled_from(["P1", "P2", "C1", "C2", "T1", "https://example.com/box"])
SOME = st.lists(NAMES, max_size=3, unique=True)
_STEP_WORDS = (
    "commissioning packing unpacking shipping departing void_shipping receiving accepting storing"
    " dispensing retail_selling decommissioning destroying sampling inspecting holding stock_taking"
    " repackaging killing arriving loading https://example.com/step"
)
_DISPOSITION_WORDS = (
    "active in_transit in_progress dispensed partially_dispensed inactive destroyed recalled stolen"
    " sellable_accessible returned expired https://example.com/disposition"
)
STEPS = st.one_of(st.none(), st.sampled_from(_STEP_WORDS.split()))
DISPOSITIONS = st.one_of(st.none(), st.sampled_from(_DISPOSITION_WORDS.split()))
PARTIES = st.lists(
    st.builds(
        lambda type_, actor: SourceDest(type=type_, id=actor.pgln),
        st.sampled_from(["possessing_party", "owning_party", "location"]),
        ACTORS,
    ),
    max_size=2,
).map(tuple)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """A history of anything."""
    story = Story()
    for _ in range(draw(st.integers(0, 14))):
        by, names = draw(ACTORS), draw(SOME)
        options = {
            "at": draw(st.integers(0, 40)),
            "kind": draw(st.sampled_from([Kind.EVENT, Kind.EVENT, Kind.IMPORTED, Kind.RECEIVED])),
            "holds": draw(st.integers(0, 9)) > 0,
            "anchored_after": draw(st.sampled_from([0.02, 5.0, None])),
            "biz_step": draw(STEPS),
            "disposition": draw(DISPOSITIONS),
            "source_list": draw(PARTIES),
            "destination_list": draw(PARTIES),
        }
        action = draw(st.sampled_from(["ADD", "OBSERVE", "DELETE"]))
        _happen(draw(st.integers(0, 7)), story, by, names, action, options)
        if story.history and draw(st.integers(0, 7)) == 0:
            story.declare_error(draw(st.sampled_from(story.history)), draw(ACTORS))
    return story


def _happen(what: int, story: Story, by, names, action, options) -> None:  # type: ignore[no-untyped-def]
    if what < 3:
        story.object(by, *names, action=action, **options)
    elif what < 5:
        story.aggregate(by, "C1" if what == 3 else "C2", *names, action=action, **options)
    elif what == 5:
        story.transform(by, names, ["P2"], **options)
    elif what == 6:
        epcs = tuple(map(item, names))
        story.add(by, TransactionEvent, action=action, epc_list=epcs, **options)
    else:
        epcs = tuple(map(item, names))
        story.add(
            by, AssociationEvent, action=action, parent_id=item("T1"), child_epcs=epcs, **options
        )


def same(one: Judgement, other: Judgement) -> bool:
    return bool(msgspec.json.encode(one) == msgspec.json.encode(other))


@settings(max_examples=150, deadline=None)
@given(stories(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_does_not_matter(story: Story, chance: random.Random) -> None:
    shuffled = list(story.history)
    chance.shuffle(shuffled)
    for name in ("P1", "C1"):
        assert same(story.judge(name), story.judge(name, history=shuffled))


@settings(max_examples=100, deadline=None)
@given(stories())
def test_the_same_entries_twice_change_nothing(story: Story) -> None:
    assert same(story.judge("P1"), story.judge("P1", history=story.history * 2))


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 13))
def test_a_partner_s_copy_of_a_member_s_event_changes_nothing(story: Story, which: int) -> None:
    own = [
        r
        for r in story.history
        if r.kind == Kind.EVENT and r.holds and r.event.error_declaration is None
    ]
    if not own:
        return
    original = own[which % len(own)]
    copy = msgspec.structs.replace(
        original, entry_id=b"\xff" * 32, member=CLINIC.member, kind=Kind.RECEIVED
    )
    assert same(story.judge("P1"), story.judge("P1", history=[*story.history, copy]))


@settings(max_examples=200, deadline=None)
@given(stories(), NAMES)
def test_every_answer_is_whole(story: Story, name: str) -> None:
    judged = story.judge(name)
    shown = {f.code for f in judged.findings}
    assert shown <= set(CATALOGUE)
    known: dict[bytes, Recorded] = {r.entry_id: r for r in story.history}
    assert all(e in known for f in judged.findings for e in f.entries)
    for step in judged.journey:
        assert (step.entry_id is None) == (step.kind == "missing") == (step.grade is Grade.MISSING)
        assert (step.kind == "refused") == (step.grade is None)
        assert step.kind != "event" or known[step.entry_id or b""].holds
    assert (judged.verdicts.identifier.value == "unknown") == ("unknown_item" in shown)


@settings(max_examples=100, deadline=None)
@given(stories(), st.integers(0, 40))
def test_what_was_true_at_a_time_shows_nothing_later(story: Story, hour: int) -> None:
    as_of = 1_750_000_000_000_000 + hour * 3_600_000_000
    judged = story.judge("P1", as_of_us=as_of)
    steps = [s for s in judged.journey if s.kind == "event" and s.time_us is not None]
    assert all(s.time_us <= as_of for s in steps)  # type: ignore[operator]
    assert [s.time_us for s in steps] == sorted(s.time_us for s in steps)  # type: ignore[type-var]
