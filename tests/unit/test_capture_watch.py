"""Watching a folder, look by look: nothing half-written is taken, nothing is lost, and the node is waited for."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealtrail.cli.capture_sender import Outcome
from sealtrail.cli.capture_watch import REASON, Taken, Watch
from sealtrail.cli.output import spelt
from sealtrail.errors import (
    ForbiddenError,
    InputError,
    RateLimitedError,
    SealtrailError,
    UnavailableError,
)

Step = Callable[[], object]


class Steps(threading.Event):
    """What happens between one look and the next, in place of time that passes; then it is stopped."""

    def __init__(self, *steps: Step) -> None:
        super().__init__()
        self._steps = list(steps)
        self.waited: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waited.append(timeout)
        if not self._steps:
            self.set()
        elif not self.is_set():
            self._steps.pop(0)()
        return self.is_set()


def nothing() -> None:
    """Time passes."""


class Watched:
    """A watched folder, and what was captured of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.captured: list[bytes] = []
        self.taken: list[Taken] = []
        self.waiting: list[str] = []
        self.meanwhile: list[Step] = []

    def capture(self, path: Path) -> list[Outcome]:
        content = path.read_bytes()
        if self.meanwhile:
            self.meanwhile.pop(0)()
        self.captured.append(content)
        errors: list[dict[str, Any]] = [{"code": "bad"}] if content.startswith(b"bad") else []
        return [Outcome(file=spelt(path), events=1, errors=errors)]

    def watch(self, *steps: Step, once: bool = False) -> Steps:
        stop = Steps(*steps)
        watch = Watch(
            self.folder,
            self.capture,
            tell=self.taken.append,
            tell_waiting=self.waiting.append,
            interval_seconds=5,
            stop=stop,
        )
        watch.run(once=once)
        return stop

    def put(self, name: str, content: bytes) -> Step:
        return lambda: (self.folder / name).write_bytes(content)

    def names(self, folder: str = ".") -> list[str]:
        return sorted(p.name for p in (self.folder / folder).iterdir() if p.is_file())


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / "in").mkdir()
    return Watched(tmp_path / "in")


def fault(error: SealtrailError) -> Step:
    def step() -> None:
        raise error

    return step


def test_a_file_is_taken_once_two_looks_find_it_alike(watched: Watched) -> None:
    watched.watch(watched.put("a", b"1"), watched.put("a", b"12"), watched.put("a", b"123"))
    assert watched.captured == []
    watched.watch(nothing)
    assert watched.captured == [b"123"]
    assert watched.names("done") == ["a"]
    assert watched.names() == []


def test_a_file_of_the_same_size_that_was_written_again_is_not_alike(watched: Watched) -> None:
    path = watched.folder / "a"
    path.write_bytes(b"1")
    watched.watch(lambda: (path.unlink(), path.write_bytes(b"2")))
    assert watched.captured == []


def test_what_is_hidden_or_unfinished_by_its_name_is_left_alone(watched: Watched) -> None:
    for name in (".a.json", "b.json.part", "c.TMP"):
        watched.put(name, b"1")()
    (watched.folder / "folder").mkdir()
    watched.watch(nothing, nothing)
    assert watched.captured == []


def test_a_file_that_changes_while_it_is_captured_is_captured_again(watched: Watched) -> None:
    watched.put("a", b"1")()
    watched.meanwhile = [watched.put("a", b"12")]
    watched.watch(nothing, nothing, nothing)
    assert watched.captured == [b"1", b"12"]
    assert (watched.folder / "done" / "a").read_bytes() == b"12"


def test_a_file_that_is_taken_away_meanwhile_is_no_fault(watched: Watched) -> None:
    watched.put("a", b"1")()
    watched.meanwhile = [(watched.folder / "a").unlink]
    watched.watch(nothing)
    assert watched.taken == []
    assert watched.names("done") == watched.names("refused") == []


def test_the_reason_stands_beside_what_was_refused(watched: Watched) -> None:
    watched.put("a.json", b"bad")()
    watched.watch(nothing)
    assert watched.names("refused") == ["a.json", "a.json.reason.json"]
    reason = json.loads((watched.folder / "refused" / "a.json.reason.json").read_bytes())
    assert reason["documents"][0]["errors"] == [{"code": "bad"}]
    assert reason["moved_to"] == str(watched.folder / "refused" / "a.json")


def test_files_of_the_same_name_are_all_kept(watched: Watched) -> None:
    for content in (b"1", b"2", b"bad 1", b"bad 2"):
        watched.put("a.json", content)()
        watched.watch(nothing)
    assert watched.names("done") == ["a-2.json", "a.json"]
    assert watched.names("refused") == [
        "a-2.json", "a-2.json.reason.json", "a.json", "a.json.reason.json",
    ]  # fmt: skip


def test_a_link_is_left_alone_wherever_it_leads(watched: Watched) -> None:
    (watched.folder.parent / "secret.json").write_bytes(b"bad")
    (watched.folder / "a.json").symlink_to(watched.folder.parent / "secret.json")
    (watched.folder / "round.json").symlink_to("round.json")
    watched.put("b.json", b"good")()
    watched.watch(nothing, nothing)
    assert watched.captured == [b"good"]
    assert (watched.folder / "a.json").is_symlink()


def test_a_reason_is_not_written_through_a_link(watched: Watched) -> None:
    kept = watched.folder.parent / "kept"
    kept.write_bytes(b"mine")
    (watched.folder / "refused").mkdir()
    (watched.folder / "refused" / ".a.reason.json").symlink_to(kept)
    watched.put("a", b"bad")()
    watched.watch(nothing, nothing)
    assert kept.read_bytes() == b"mine"
    assert json.loads((watched.folder / "refused" / "a.reason.json").read_bytes())["file"]


@pytest.mark.parametrize("name", ["a" * 250 + ".json", "é" * 125 + ".json", "a." + "b" * 253])
def test_a_name_without_room_for_more_is_cut_when_it_is_moved(watched: Watched, name: str) -> None:
    for _ in range(2):
        watched.put(name, b"bad")()
        watched.watch(nothing, nothing)
    assert len([found for found in watched.names("refused") if found.endswith(REASON)]) == 2
    assert len(watched.names("refused")) == 4
    assert not watched.names()


def test_a_name_that_is_no_text_is_spelt_out(watched: Watched) -> None:
    (watched.folder / os.fsdecode(b"a\xff.json")).write_bytes(b"bad")
    watched.watch(nothing, nothing)
    (reason,) = (watched.folder / "refused").glob("*.reason.json")
    assert json.loads(reason.read_bytes())["file"].endswith("a\\xff.json")


@pytest.mark.parametrize(
    "error", [UnavailableError("node_unreachable", "gone"), RateLimitedError("busy", "later")]
)
def test_a_node_that_is_away_is_waited_for_longer_and_longer(
    watched: Watched, error: SealtrailError
) -> None:
    watched.put("a", b"1")()
    watched.meanwhile = [fault(error)] * 9
    stop = watched.watch(*[nothing] * 10)
    assert stop.waited[1:-1] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert watched.names("done") == ["a"]
    assert len(watched.waiting) == 1


def test_who_stops_while_the_node_is_away_finds_the_file_in_its_place(watched: Watched) -> None:
    watched.put("a", b"1")()
    watched.meanwhile = [fault(UnavailableError("node_unreachable", "gone"))] * 9
    watched.watch(nothing, nothing)
    assert watched.names() == ["a"]


def test_once_does_not_wait(watched: Watched) -> None:
    watched.put("a", b"1")()
    watched.meanwhile = [fault(UnavailableError("node_unreachable", "gone"))]
    with pytest.raises(UnavailableError):
        watched.watch(nothing, nothing, once=True)
    watched.watch(nothing, nothing, once=True)
    assert watched.names("done") == ["a"]


def test_what_is_not_the_files_fault_ends_the_watch(watched: Watched) -> None:
    watched.put("a", b"1")()
    watched.meanwhile = [fault(ForbiddenError("scope_missing", "no"))]
    with pytest.raises(ForbiddenError):
        watched.watch(nothing, nothing)
    assert watched.names() == ["a"]


def test_a_stop_between_two_files_leaves_the_second(watched: Watched) -> None:
    for name in ("a", "b"):
        watched.put(name, b"1")()
    stop = Steps(nothing)
    watch = Watch(
        watched.folder,
        watched.capture,
        tell=lambda _: stop.set(),
        tell_waiting=watched.waiting.append,
        interval_seconds=5,
        stop=stop,
    )
    watch.run(once=False)
    assert watched.names() == ["b"]


def test_a_folder_that_goes_away_is_named(watched: Watched) -> None:
    watched.folder /= "none"
    with pytest.raises(InputError) as caught:
        watched.watch(nothing)
    assert caught.value.code == "folder_unusable"
