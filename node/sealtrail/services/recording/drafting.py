"""Where documents become drafts: in this process, or in processes of their own.

Parsing and signing are most of what an event costs, and one Python process does them on one core. In processes
of their own they leave the node's to HTTP and the store; and a document that brings a process down takes neither the
node with it nor the documents that came in the same message.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Protocol

from sealtrail.epcis import Limits
from sealtrail.errors import UnavailableError
from sealtrail.services.recording.drafting_process import (
    DraftedDocument,
    DraftingSetup,
    DraftingTask,
    DraftingWorker,
)
from sealtrail.services.recording.drafting_turns import Turns
from sealtrail.services.recording.drafts import Body, Drafted, Drafter
from sealtrail.services.recording.gathering import Gathering
from sealtrail.signing import Kind

_log = logging.getLogger(__name__)

# Larger documents don't hold up the smaller ones behind them: small ones are gathered,
SMALL_BYTES_MAX = 8 * 1024
# ordinary ones, a thousand events or half a second's work, take any process, and huge ones leave one to the others.
ORDINARY_BYTES_MAX = 512 * 1024
# Small documents of one message that bring the process down: beyond, what is left of the message is refused untried.
# Each costs two starts of the process, while the small documents behind it wait.
DEADLY_MAX = 4


class Drafting(Protocol):
    """Makes drafts of documents, many at a time."""

    async def draft(self, body: Body, kind: Kind) -> Drafted:
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

    async def draft(self, body: Body, kind: Kind) -> Drafted:
        """See :class:`Drafting`."""
        if len(body.data) <= SMALL_BYTES_MAX:
            return self._draft(body, kind)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._draft, body, kind)

    def _draft(self, body: Body, kind: Kind) -> Drafted:
        return self._drafter.draft_document(
            body, kind=kind, record_time_ms=self._clock(), limits=self._limits
        )


class ProcessDrafting:
    """Drafts in processes of its own; close it with :meth:`close`.

    The first process takes the small documents, all that have gathered in one go. Larger documents go to one process
    each: an ordinary one to any, the first as the last choice and one at a time, so that small documents wait
    for one at most; a huge one to any but the first. If there is only one process, it does all.

    Args:
        processes: how many, at least one.
        clock: gives Unix milliseconds.
    """

    def __init__(self, setup: DraftingSetup, *, processes: int, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._workers = [DraftingWorker(setup) for _ in range(processes)]
        self._turns = Turns(self._workers)
        self._small = Gathering(self._draft_small)

    def start(self) -> None:
        """Start the processes without waiting for them; what is asked meanwhile waits."""
        for worker in self._workers:
            worker.start()

    async def draft(self, body: Body, kind: Kind) -> Drafted:
        """See :class:`Drafting`."""
        if len(body.data) <= SMALL_BYTES_MAX:
            drafted = await self._small.submit((body, kind))
            if isinstance(drafted, UnavailableError):
                raise drafted
        else:
            drafted = await self._draft_large(body, kind)
        if drafted.fault is not None:
            _log.error("a document could not be drafted:\n%s", drafted.fault)
            raise RuntimeError("a document could not be drafted")
        return drafted.drafted()

    async def close(self) -> None:
        """End the processes."""
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def _draft_small(
        self, documents: Sequence[tuple[Body, Kind]]
    ) -> Sequence[DraftedDocument | UnavailableError]:
        try:
            return await self._workers[0].draft(DraftingTask(list(documents), self._clock()))
        except UnavailableError as error:
            if error.code != "drafting_stopped" or len(documents) == 1:
                raise
        return await self._draft_singly(documents)

    async def _draft_singly(
        self, documents: Sequence[tuple[Body, Kind]]
    ) -> Sequence[DraftedDocument | UnavailableError]:
        """Find out which documents of a message bring the process down, so that only those are refused."""
        outcomes: list[DraftedDocument | UnavailableError] = []
        deadly: list[UnavailableError] = []
        for document in documents:
            if len(deadly) == DEADLY_MAX:
                outcomes.append(UnavailableError(deadly[-1].code, deadly[-1].message))
                continue
            try:
                task = DraftingTask([document], self._clock())
                outcomes += await self._workers[0].draft(task)
            except UnavailableError as error:
                outcomes.append(error)
                deadly.append(error)
        return outcomes

    async def _draft_large(self, body: Body, kind: Kind) -> DraftedDocument:
        number, worker = await self._turns.take(huge=len(body.data) > ORDINARY_BYTES_MAX)
        exchange = asyncio.ensure_future(worker.draft(DraftingTask([(body, kind)], self._clock())))

        def answered(exchange: asyncio.Future[list[DraftedDocument]]) -> None:
            self._turns.give_back(number)
            if not exchange.cancelled():
                exchange.exception()  # seen, also where nobody waits for it any more

        exchange.add_done_callback(answered)
        # Shielded: whoever asked may go away, the worker is free again only when it has answered.
        (drafted,) = await asyncio.shield(exchange)
        return drafted
