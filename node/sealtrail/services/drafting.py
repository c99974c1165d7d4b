"""Where documents become drafts: in this process, or in processes of their own.

Parsing and signing are most of what an event costs, and one Python process does them on one core. In processes
of their own they leave the node's to HTTP and the store; and a document that brings a process down does not take the
node with it, only the small documents that came in the same message, which are refused and may be sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Protocol

from sealtrail.epcis import Limits
from sealtrail.errors import InputError
from sealtrail.services.drafting_process import (
    DraftedDocument,
    DraftingSetup,
    DraftingTask,
    DraftingWorker,
)
from sealtrail.services.drafts import Draft, Drafter
from sealtrail.services.gathering import Gathering
from sealtrail.signing import Kind

_log = logging.getLogger(__name__)

# Larger documents don't hold up the smaller ones behind them.
SMALL_BYTES_MAX = 8 * 1024


class Drafting(Protocol):
    """Makes drafts of documents, many at a time."""

    async def draft(self, data: bytes, kind: Kind) -> Sequence[Draft | InputError]:
        """Return a draft for each event of a document, in order, or why it is refused.

        Raises:
            InputError: the document itself can't be read.
            UnavailableError: nothing was drafted; try again.
        """
        ...


class LocalDrafting:
    """Drafts in this process: small documents at once, larger ones in ``executor``'s threads."""

    def __init__(
        self, drafter: Drafter, *, limits: Limits, clock: Callable[[], int], executor: Executor
    ) -> None:
        self._drafter = drafter
        self._limits = limits
        self._clock = clock
        self._executor = executor

    async def draft(self, data: bytes, kind: Kind) -> Sequence[Draft | InputError]:
        """See :class:`Drafting`."""
        if len(data) <= SMALL_BYTES_MAX:
            return self._draft(data, kind)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._draft, data, kind)

    def _draft(self, data: bytes, kind: Kind) -> Sequence[Draft | InputError]:
        return self._drafter.draft_document(
            data, kind=kind, record_time_ms=self._clock(), limits=self._limits
        )


class ProcessDrafting:
    """Drafts in processes of its own; close it with :meth:`close`.

    The first process takes the small documents, all that have gathered in one go; the others take one larger
    document each at a time. If there is only one, it does both.

    Args:
        processes: how many, at least one.
        clock: gives Unix milliseconds.
    """

    def __init__(self, setup: DraftingSetup, *, processes: int, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._workers = [DraftingWorker(setup) for _ in range(processes)]
        self._idle: asyncio.Queue[DraftingWorker] = asyncio.Queue()
        for worker in self._workers[1:] or self._workers:
            self._idle.put_nowait(worker)
        self._small = Gathering(self._draft_small)

    def start(self) -> None:
        """Start the processes without waiting for them; what is asked meanwhile waits."""
        for worker in self._workers:
            worker.start()

    async def draft(self, data: bytes, kind: Kind) -> Sequence[Draft | InputError]:
        """See :class:`Drafting`."""
        if len(data) <= SMALL_BYTES_MAX:
            drafted = await self._small.submit((data, kind))
        else:
            (drafted,) = await self._draft_large(DraftingTask([(data, kind)], self._clock()))
        if drafted.fault is not None:
            _log.error("a document could not be drafted:\n%s", drafted.fault)
            raise RuntimeError("a document could not be drafted")
        return drafted.events()

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def _draft_small(
        self, documents: Sequence[tuple[bytes, Kind]]
    ) -> Sequence[DraftedDocument]:
        return await self._workers[0].draft(DraftingTask(list(documents), self._clock()))

    async def _draft_large(self, task: DraftingTask) -> Sequence[DraftedDocument]:
        worker = await self._idle.get()
        exchange = asyncio.ensure_future(worker.draft(task))

        def answered(exchange: asyncio.Future[list[DraftedDocument]]) -> None:
            self._idle.put_nowait(worker)
            if not exchange.cancelled():
                exchange.exception()  # seen, also where nobody waits for it any more

        exchange.add_done_callback(answered)
        # Shielded: whoever asked may go away, the worker is idle again only when it has answered.
        return await asyncio.shield(exchange)
