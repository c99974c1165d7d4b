"""Turns that several others have, each on a course of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from sealtrail.errors import SealtrailError, UnavailableError, VerificationError
from sealtrail.services.courses import Courses, Rhythm, Turn

AWAY = UnavailableError("peer_unreachable", "no answer")
WRONG = VerificationError("signature_wrong", "no signature")


class World:
    """Turns by name, with what each raises; a clock that the test moves."""

    def __init__(self, *names: str, beat_seconds: float = 0.0) -> None:
        self.now_ms = 1_000_000
        self.raises: dict[str, SealtrailError | None] = dict.fromkeys(names)
        self.taken: list[str] = []
        self.looks = asyncio.Semaphore(0)
        rhythm = Rhythm(
            look_seconds=0.001,
            beat_seconds=beat_seconds,
            retry_seconds_first=1.0,
            retry_seconds_max=8.0,
        )
        self.courses: Courses[str] = Courses(
            self.turns, rhythm, clock=lambda: self.now_ms, random=lambda: 0.0
        )

    async def turns(self) -> list[Turn[str]]:
        self.looks.release()
        return [Turn(name, f"{name} does nothing", self.work(name)) for name in self.raises]

    def work(self, name: str) -> Callable[[], asyncio.Future[None]]:
        async def take() -> None:
            self.taken.append(name)
            error = self.raises[name]
            if error is not None:
                raise error

        return lambda: asyncio.ensure_future(take())

    async def run(self, *, after_ms: int = 0) -> list[str]:
        """Let them have what turns they have at that time later; return whose these were."""
        self.now_ms += after_ms
        self.taken.clear()
        self.looks = asyncio.Semaphore(0)
        running = asyncio.create_task(self.courses.run())
        for _ in range(3):  # the first begins what is due, before the third all of it is through
            await self.looks.acquire()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return list(self.taken)


async def test_who_fails_waits_longer_each_time_and_the_others_for_their_beat() -> None:
    world = World("away", "well", beat_seconds=4.0)
    world.raises["away"] = AWAY
    assert sorted(await world.run()) == ["away", "well"]
    assert await world.run(after_ms=999) == []
    assert await world.run(after_ms=1) == ["away"]
    assert await world.run(after_ms=1_999) == []
    assert await world.run(after_ms=1) == ["away"]
    assert await world.run(after_ms=1_000) == ["well"]
    assert (world.courses.failed, world.courses.failing) == (3, 1)
    world.raises["away"] = None
    assert await world.run(after_ms=3_000) == ["away"]
    assert (world.courses.failed, world.courses.failing) == (3, 0)


async def test_what_does_not_hold_is_looked_at_again_at_the_next_beat() -> None:
    world = World("wrong", beat_seconds=4.0)
    world.raises["wrong"] = WRONG
    assert await world.run() == ["wrong"]
    assert await world.run(after_ms=3_999) == []
    assert await world.run(after_ms=1) == ["wrong"]


async def test_without_a_beat_what_does_not_hold_is_tried_again_as_anything_else() -> None:
    world = World("wrong")
    world.raises["wrong"] = WRONG
    assert await world.run() == ["wrong"]
    assert await world.run(after_ms=1_000) == ["wrong"]


async def test_a_clock_that_was_set_back_holds_up_nobody_for_longer_than_the_longest_pause() -> (
    None
):
    world = World("away")
    world.raises["away"] = AWAY
    assert await world.run() == ["away"]
    assert await world.run(after_ms=-900_000) == []
    assert await world.run(after_ms=8_000) == ["away"]


async def test_who_has_no_turns_any_more_has_no_failure() -> None:
    world = World("away")
    world.raises["away"] = AWAY
    await world.run()
    assert world.courses.failure("away") is AWAY
    world.raises.clear()
    await world.run()
    assert world.courses.failure("away") is None
    assert list(world.courses) == []
