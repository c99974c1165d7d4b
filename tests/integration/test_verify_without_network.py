"""``sealtrail verify`` where there is no network at all: the same answers, to the byte but for the time of day."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle_story import Story
from bundle_world import PACK, Member, World, answered, bundle, event, lines_of, signed
from sealtrail.evidence.bundle.trust import encode_trust

UNSHARE = ("unshare", "--map-root-user", "--net")
# In a new network namespace even the loopback interface is down, so nothing can be reached, this machine included.
TRY_LOOPBACK = (
    "import errno, socket\n"
    "try: socket.create_connection(('127.0.0.1', 9), timeout=5)\n"
    "except OSError as e: raise SystemExit(0 if e.errno == errno.ENETUNREACH else 1)\n"
    "raise SystemExit(1)"
)


@pytest.fixture(scope="module")
def cut() -> tuple[str, ...]:
    """What stands before a command so that it has no network; skips where that is not allowed."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare to make a network namespace with")
    done = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"network namespaces are not allowed here: {done.stderr.strip()}")
    return UNSHARE


def true(story: Story) -> bytes:
    return bundle(story.world, story.recipe())


def an_event_is_dropped(story: Story) -> bytes:
    recipe = story.recipe()
    recipe.shown = {story.maker.member: [1, 4]}
    return bundle(story.world, recipe)


def an_entry_is_withheld(story: Story) -> bytes:
    recipe = story.recipe()
    recipe.withheld = {story.maker.member: {5}}
    return bundle(story.world, recipe)


def an_event_is_back_dated(story: Story) -> bytes:
    story.maker.append(event(20), record_time_ms=story.maker.clock_ms - 30 * 86_400_000)
    story.maker.seal()
    story.world.empty(6)
    return true(story)


def a_stranger_signs(story: Story) -> bytes:
    lines = answered(story.world, lines_of(story.world, story.recipe()))
    return signed(lines, Member(World("elsewhere"), "Stranger"))


def it_is_of_another_network(story: Story) -> bytes:
    return true(Story("another"))


def it_is_cut(story: Story) -> bytes:
    return true(story)[:-500]


def a_byte_is_changed(story: Story) -> bytes:
    data = true(story)
    return data.replace(b'"gap":"', b'"gap":"A', 1) if b'"gap":"' in data else data[:-2] + b" \n"


CASES: dict[Callable[[Story], bytes], int] = {
    true: 0,
    an_event_is_dropped: 1,
    an_entry_is_withheld: 3,
    an_event_is_back_dated: 1,
    a_stranger_signs: 1,
    it_is_of_another_network: 1,
    it_is_cut: 2,
    a_byte_is_changed: 2,
}


def verify(before: tuple[str, ...], folder: Path) -> tuple[int, dict[str, Any], str]:
    arguments = [folder / "bundle", "--item", PACK, "--trust", folder / "trust.json", "--json"]
    done = subprocess.run(
        [*before, sys.executable, "-m", "sealtrail.cli", "verify", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout) if done.stdout else {}
    return done.returncode, {**told, "verified_at": ""}, done.stderr


def test_the_namespace_has_no_network(cut: tuple[str, ...]) -> None:
    assert subprocess.run([*cut, sys.executable, "-c", TRY_LOOPBACK]).returncode == 0


@pytest.mark.parametrize("make", CASES, ids=lambda make: make.__name__)
def test_without_network_the_answer_is_the_same(
    cut: tuple[str, ...], tmp_path: Path, make: Callable[[Story], bytes]
) -> None:
    story = Story("offline")
    (tmp_path / "bundle").write_bytes(make(story))
    (tmp_path / "trust.json").write_bytes(encode_trust(story.world.trust(pinned=5)))
    within, outside = verify(cut, tmp_path), verify((), tmp_path)
    assert within == outside
    assert within[0] == CASES[make]
