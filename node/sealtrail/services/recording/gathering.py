"""Single captures that arrive together are written together, by one function in the writer's transaction.

Group commit already shares the fsync; this shares the statements too, whose fixed cost is most of what a
single event costs in the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from sealtrail.errors import UnavailableError

Given = TypeVar("Given")
Result = TypeVar("Result")

# Bounds how long one transaction holds up what else is to be written.
GATHERED_MAX = 256


class Gathering(Generic[Given, Result]):
    """Hands values to ``write`` in groups: while one group is being written, the next one gathers.

    Args:
        write: writes a group durably; gives a result for each, in their order. If it fails, nothing of the
            group was kept.
    """

    def __init__(self, write: Callable[[Sequence[Given]], Awaitable[Sequence[Result]]]) -> None:
        self._write = write
        self._waiting: list[tuple[Given, asyncio.Future[Result]]] = []
        self._task: asyncio.Task[None] | None = None

    async def submit(self, value: Given) -> Result:
        """Return the result for ``value`` once its group is written; raise what ``write`` raised for it."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((value, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:GATHERED_MAX], self._waiting[GATHERED_MAX:]
            await self._write_group(group)

    async def _write_group(self, group: list[tuple[Given, asyncio.Future[Result]]]) -> None:
        values = [value for value, _ in group]
        # As an outcome, so that whatever was raised reaches those who wait for it.
        (results,) = await asyncio.gather(self._write(values), return_exceptions=True)
        if not isinstance(results, BaseException):
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():  # its client went away
                    future.set_result(result)
        elif len(group) > 1 and not isinstance(results, UnavailableError):
            # One of them is at fault: each by itself, so that the others don't suffer.
            for one in group:
                await self._write_group([one])
        else:
            for _, future in group:
                if not future.done():
                    future.set_exception(results)
