"""Tells everybody who waits that something happened."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


class Signal:
    """Wakes whoever waits. To miss nothing: take the :meth:`current` event, look, and wait for that event."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def current(self) -> asyncio.Event:
        """Return the event that is set when something happens next."""
        return self._event

    def wake(self) -> None:
        """Something happened; to be called in the event loop."""
        happened, self._event = self._event, asyncio.Event()
        happened.set()


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when it is set, or after so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Gathered:
    """Does ``work`` soon after it is told to, once for however often it was told meanwhile."""

    def __init__(self, work: Callable[[], None], *, seconds: float) -> None:
        self._work = work
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def wake(self) -> None:
        """Do it soon; to be called in the event loop."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._now)

    def cancel(self) -> None:
        """Don't do what is still to be done."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _now(self) -> None:
        self._timer = None
        self._work()
