"""Which process takes which document: by size, and the oldest first.

The first process takes no huge document, so an ordinary one never waits until a huge one is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Generic, TypeVar

Worker = TypeVar("Worker")


class Turns(Generic[Worker]):
    """Workers that are free, and documents that wait for one.

    Args:
        workers: at least one. The first is the last choice, and takes huge documents only if it is alone.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self._workers = list(workers)
        self._free = set(range(len(self._workers)))
        self._waiting: list[tuple[bool, asyncio.Future[int]]] = []

    async def take(self, *, huge: bool) -> tuple[int, Worker]:
        """Wait for a worker; return it, and the number to give it back under with :meth:`give_back`."""
        # Whoever waits already may not have what is free: it would have been given it.
        number = max((each for each in self._free if self._may_take(each, huge)), default=None)
        if number is None:
            number = await self._wait(huge)
        else:
            self._free.remove(number)
        return number, self._workers[number]

    def give_back(self, number: int) -> None:
        """Hand a worker to the document that waits longest of those it may take."""
        for at, (huge, future) in enumerate(self._waiting):
            if not future.done() and self._may_take(number, huge):
                del self._waiting[at]
                future.set_result(number)
                return
        self._free.add(number)

    async def _wait(self, huge: bool) -> int:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting.append((huge, future))
        try:
            return await future
        except asyncio.CancelledError:
            if future.cancelled():
                self._waiting.remove((huge, future))
            else:  # given away in the same moment
                self.give_back(future.result())
            raise

    def _may_take(self, number: int, huge: bool) -> bool:
        return number > 0 or not huge or len(self._workers) == 1
