"""Runs what is done again and again for each of several others, each on a course of its own.

One that is slow, away or hostile delays none of the rest; one that fails is tried again, ever later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, TypeVar

import msgspec

from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.services.pace import BackOff

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)


class Rhythm(msgspec.Struct, frozen=True, kw_only=True):
    """When turns come."""

    look_seconds: float  # how often it is asked whose turns there are, without being told
    beat_seconds: float = 0.0  # from one turn that ended well to the next
    retry_seconds_first: float
    retry_seconds_max: float


class Turn(msgspec.Struct, Generic[K], frozen=True):
    """What is to be done for one of them: ``work`` may raise a SealtrailError, ``complaint`` is what that means."""

    key: K
    complaint: str
    work: Callable[[], Awaitable[None]]


class _Course(msgspec.Struct, kw_only=True):
    """One's: when its next turn is (ms), what went wrong in the last, and whether it has its turn now."""

    back_off: BackOff
    next_ms: int = 0
    failure: SealtrailError | None = None
    is_running: bool = False


class Courses(Generic[K]):
    """All of them, by key; start :meth:`run` once.

    Args:
        turns: returns whose turns there are, due or not; what went wrong of others is forgotten.
        clock: milliseconds since 1970.
        random: numbers from 0 to 1, for the back-off.
    """

    def __init__(
        self,
        turns: Callable[[], Awaitable[Sequence[Turn[K]]]],
        rhythm: Rhythm,
        *,
        clock: Callable[[], int],
        random: Callable[[], float],
    ) -> None:
        self._turns = turns
        self._rhythm = rhythm
        self._clock = clock
        self._random = random
        self._beat_ms = int(rhythm.beat_seconds * 1000)
        self._wake = asyncio.Event()
        self._courses: dict[K, _Course] = {}
        self.failed = 0

    def __iter__(self) -> Iterator[K]:
        """Yield whose courses are known."""
        return iter(self._courses)

    def wake(self) -> None:
        """Ask whose turns there are; to be called in the event loop."""
        self._wake.set()

    def failure(self, key: K) -> SealtrailError | None:
        """Return what went wrong in its last turn."""
        course = self._courses.get(key)
        return course.failure if course else None

    @property
    def failing(self) -> int:
        """How many had a last turn that did not end well."""
        return sum(each.failure is not None for each in self._courses.values())

    async def run(self) -> None:
        """Give turns until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._wake.clear()
                seconds = await self._look(group)
                # not wait_for: before Python 3.12 it loses a cancellation that comes with what it waits for
                with suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await self._wake.wait()

    async def _look(self, group: asyncio.TaskGroup) -> float:
        """Begin every turn that is due; return the seconds until the next is."""
        try:
            turns = await self._turns()
        except SealtrailError as error:
            _log.debug("nobody has a turn: %s", error)
            return self._rhythm.look_seconds
        now, waits = self._clock(), [self._rhythm.look_seconds]
        self._forget_others({turn.key for turn in turns})
        for turn in turns:
            course = self._courses.setdefault(turn.key, self._new_course())
            if course.is_running:
                continue
            # never further off than the longest pause, even if the clock was set back
            longest_ms = max(self._beat_ms, int(self._rhythm.retry_seconds_max * 1000))
            course.next_ms = min(course.next_ms, now + longest_ms)
            if course.next_ms > now:
                waits.append((course.next_ms - now) / 1000)
            else:
                course.is_running = True
                group.create_task(self._take(turn, course))
        return min(waits)

    def _new_course(self) -> _Course:
        return _Course(
            back_off=BackOff(
                self._random,
                first_seconds=self._rhythm.retry_seconds_first,
                longest_seconds=self._rhythm.retry_seconds_max,
            )
        )

    def _forget_others(self, wanted: set[K]) -> None:
        for key in [k for k, c in self._courses.items() if k not in wanted and not c.is_running]:
            del self._courses[key]

    async def _take(self, turn: Turn[K], course: _Course) -> None:
        """Take one turn, and note how that went; whatever it was, the others go on."""
        try:
            await turn.work()
            course.failure = None
            course.back_off.succeeded()
            course.next_ms = self._clock() + self._beat_ms
        except SealtrailError as error:
            if course.failure is None or course.failure.code != error.code:
                _log.warning("%s: %s", turn.complaint, error)
            self.failed += 1
            course.failure = error
            pause_ms = int(course.back_off.failed() * 1000)
            # what does not hold will hardly do so in a moment
            is_soon = isinstance(error, UnavailableError)
            course.next_ms = self._clock() + (pause_ms if is_soon else max(pause_ms, self._beat_ms))
        finally:
            course.is_running = False
            self._wake.set()  # there may be something newer by now
