"""Entries read in several processes: the same report, the same refusal, whatever is wrong and wherever."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from multiprocessing import get_context

import msgspec
import pytest

from bundle_story import Story
from bundle_world import Recipe, event, lines_of, signed
from sealtrail.cli import verify_jobs
from sealtrail.cli.verify_jobs import _ahead, entries_ahead
from sealtrail.errors import InputError, SealtrailError, UnavailableError
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import BundleLimits, read_lines
from sealtrail.evidence.bundle.lines import AnswerLine, Completeness, LogQuestion, Withheld
from sealtrail.evidence.bundle.report import BundleReport
from sealtrail.evidence.bundle.trust import TrustFile
from sealtrail.evidence.bundle.verify import Ahead, verify_bundle
from sealtrail.evidence.wire import to_hex

ENTRIES = 30


class Logged:
    """A log of some entries, and a bundle on all of it."""

    def __init__(self) -> None:
        story = Story("jobs")
        self.maker = story.maker
        for n in range(ENTRIES):
            self.maker.append(event(20 + n))
        self.maker.seal()
        story.world.empty(6)
        self.trust: TrustFile = story.world.trust(pinned=5)
        member = to_hex(self.maker.member)
        size = len(self.maker.entries)
        recipe = Recipe(
            issuer=self.maker,
            logs=[self.maker],
            question=LogQuestion(member=member, first=0, until=size),
        )
        lines = [
            msgspec.structs.replace(line, covered=False) if hasattr(line, "covered") else line
            for line in lines_of(story.world, recipe)
        ]
        self.lines = [
            *lines,
            AnswerLine(completeness=Completeness(grade="none"), withheld=Withheld()),
        ]
        self.entries = [n for n, line in enumerate(self.lines) if isinstance(line, EntryLine)]

    def bundle(self) -> list[bytes]:
        return signed(self.lines, self.maker).splitlines(keepends=True)

    def changed(self, at: int, **members: object) -> list[bytes]:
        """A bundle whose entry ``at`` is another, signed again."""
        lines = list(self.lines)
        place = self.entries[at]
        lines[place] = msgspec.structs.replace(lines[place], **members)
        return signed(lines, self.maker).splitlines(keepends=True)


@pytest.fixture(scope="module")
def logged() -> Logged:
    return Logged()


@pytest.fixture(scope="module")
def two() -> Iterator[Ahead]:
    with entries_ahead(2) as ahead:
        yield ahead


@pytest.fixture(autouse=True)
def _short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_jobs, "CHUNK_LINES", 7)


def outcome(lines: list[bytes], trust: TrustFile, **more: object) -> BundleReport | tuple[str, ...]:
    try:
        return verify_bundle(lines, trust, **more)  # type: ignore[arg-type]
    except SealtrailError as e:
        return e.code, e.message, str(e.pointer)


def test_a_bundle_on_a_log_gets_the_same_report(logged: Logged, two: Ahead) -> None:
    alone = outcome(logged.bundle(), logged.trust)
    assert isinstance(alone, BundleReport)
    assert alone.exit_code == 0
    assert alone.entries > ENTRIES
    assert outcome(logged.bundle(), logged.trust, ahead=two) == alone


@pytest.mark.parametrize("at", [0, 1, 6, 7, 20, -1])
def test_what_is_wrong_with_an_entry_is_found_at_its_place(
    logged: Logged, two: Ahead, at: int
) -> None:
    lines = logged.changed(at, seed="0x" + "77" * 32)
    alone = outcome(lines, logged.trust)
    assert isinstance(alone, BundleReport)
    assert alone.exit_code == 1
    assert outcome(lines, logged.trust, ahead=two) == alone


def test_of_two_that_are_refused_the_first_is_named(logged: Logged, two: Ahead) -> None:
    lines = logged.changed(8, leaf=b"\x01no leaf")
    lines[logged.entries[9]] = b"no JSON\n"
    alone = outcome(lines, logged.trust)
    assert isinstance(alone, tuple)
    assert f"line {logged.entries[8] + 1}/leaf" in alone
    assert outcome(lines, logged.trust, ahead=two) == alone


def test_a_bundle_that_ends_early_is_refused_alike(logged: Logged, two: Ahead) -> None:
    for end in (0, 1, 2, logged.entries[3], len(logged.lines)):
        lines = logged.bundle()[:end]
        assert outcome(lines, logged.trust, ahead=two) == outcome(lines, logged.trust)


def test_no_more_is_read_ahead_than_fits(logged: Logged, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines that were read and not yet gone through stay few, by count and by bytes."""
    monkeypatch.setattr(verify_jobs, "AHEAD_BYTES", 3_000)
    monkeypatch.setattr(verify_jobs, "CHUNK_BYTES", 1_000)
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for line in logged.bundle():
            read += 1
            yield line

    furthest = 0
    with ThreadPoolExecutor(1) as pool:
        ahead = _ahead(pool, 100, read_lines(counted(), BundleLimits()))
        for gone, _ in enumerate(ahead, start=1):
            furthest = max(furthest, read - gone)
    assert 0 < furthest < 20 < len(logged.entries)


def test_a_process_that_dies_leaves_the_question_open(logged: Logged) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(Exception, match="terminated"):
            pool.submit(os.kill, pool.submit(os.getpid).result(), signal.SIGKILL).result()
        broken = partial(_ahead, pool, 4)
        with pytest.raises(UnavailableError, match="verify_process_ended"):
            verify_bundle(logged.bundle(), logged.trust, ahead=broken)


def test_a_bundle_on_an_item_is_read_by_one(two: Ahead) -> None:
    story = Story("item")
    report = story.verified()
    from bundle_world import bundle

    data = bundle(story.world, story.recipe()).splitlines(keepends=True)
    assert outcome(data, story.world.trust(pinned=5), ahead=two) == report


def test_bytes_that_are_no_bundle_are_refused(logged: Logged, two: Ahead) -> None:
    with pytest.raises(InputError, match="bundle_malformed"):
        verify_bundle([b"\0\xff\n"], logged.trust, ahead=two)
