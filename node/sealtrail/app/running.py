"""What runs in a node, and what has to be closed: in reverse order, and all of it when one dies of the unforeseen."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

from sealtrail.errors import SealtrailError

_log = logging.getLogger(__name__)


class Running:
    """Services that run until :attr:`stop` is set, and resources to be closed after those that were begun later."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.resources = AsyncExitStack()
        self.failure: BaseException | None = None

    def keep(self, name: str, work: Awaitable[Any], *, cancel: bool = False) -> asyncio.Task[None]:
        """Run a service; should it die of something unforeseen, the node stops rather than limp."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)

        def ended(task: asyncio.Task[None]) -> None:
            error = None if task.cancelled() else task.exception()
            if error is not None:
                known = isinstance(error, SealtrailError)
                _log.critical("%s failed: %s", name, error, exc_info=None if known else error)
                self.failure = self.failure or error
                self.stop.set()

        async def finish() -> None:
            if cancel:
                task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        task.add_done_callback(ended)
        self.resources.push_async_callback(finish)
        return task

    def raise_failure(self) -> None:
        """Raise what the first service that failed died of, if one did."""
        if self.failure is not None:
            raise self.failure

    async def close(self) -> None:
        """Stop what was started, in reverse order."""
        self.stop.set()
        await self.resources.aclose()
