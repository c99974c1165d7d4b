"""A process that merges runs of the item index, at low priority, and the node's side of it.

Long merges take a minute at 10⁷ postings; neither capture nor a beat waits for one, nor a short merge for a long
one: each length has a process of its own, and the longer ones end theirs when they are done. A process that dies over
a merge leaves nothing behind but an unfinished file, which is written over.
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import BinaryIO

import msgspec

from sealtrail.errors import IntegrityError, UnavailableError
from sealtrail.log.item_index import BASE_POSTINGS, FAN_OUT, Run, parts_of
from sealtrail.services.child_process import ChildProcess, next_message, put_message, run_child
from sealtrail.store.run_file import merge_runs

_ATTEMPTS = 2
# A little below capture. Far below, whoever takes both cores would starve the merge that the next beat waits for.
_NICE = 2
_KEPT_POSTINGS_MAX = (
    BASE_POSTINGS * FAN_OUT
)  # merged so often that starting a process each time would cost more

_log = logging.getLogger(__name__)


class MergeSetup(msgspec.Struct, frozen=True, array_like=True):
    """Where the runs are, and of which log."""

    folder: str
    log_id: bytes


class MergeAnswer(msgspec.Struct, frozen=True, array_like=True):
    """How a merge ended: done; a part is ``damaged`` (its file's name); or it failed otherwise."""

    damaged: str | None = None
    failure: str | None = None


class Merging:
    """Merges runs in processes."""

    def __init__(self, folder: Path, log_id: bytes) -> None:
        self._setup = msgspec.msgpack.encode(MergeSetup(str(folder), log_id))
        self._processes: dict[int, ChildProcess] = {}  # by length
        self._turns: dict[int, asyncio.Lock] = {}
        self._closed = False

    async def merge(self, run: Run) -> None:
        """Write the file of a run from those of its parts.

        Raises:
            IntegrityError: a part is damaged (``item_run_damaged``; ``context`` has its ``file``).
            UnavailableError: it could not be written (``item_merge_failed``), the process died, twice
                (``item_merge_stopped``), or the node is stopping (``node_stopping``).
        """
        async with self._turns.setdefault(run.postings, asyncio.Lock()):
            answer = await self._exchange(run)
        if answer.damaged is not None:
            raise IntegrityError(
                "item_run_damaged", f"{answer.damaged} is damaged", file=answer.damaged
            )
        if answer.failure is not None:
            raise UnavailableError("item_merge_failed", f"runs can't be merged: {answer.failure}")

    def start(self) -> None:
        """Start the process that the shortest merges take, without waiting for it."""
        self._process(_KEPT_POSTINGS_MAX).start()

    async def close(self) -> None:
        """End all processes; what they are at is done again after the next start."""
        self._closed = True
        processes = list(self._processes.values())
        await asyncio.gather(*(each.end(seconds_max=0) for each in processes))

    async def _exchange(self, run: Run) -> MergeAnswer:
        for _ in range(_ATTEMPTS):
            if self._closed:
                raise UnavailableError("node_stopping", "the node is stopping")
            process = self._process(run.postings)
            try:
                answer = _decode_answer(await process.exchange(msgspec.msgpack.encode(run)))
            except (OSError, asyncio.IncompleteReadError) as error:
                if not self._closed:
                    _log.warning("a process that merges the item index has died: %s", error)
                await process.end(seconds_max=0)
                continue
            if run.postings > _KEPT_POSTINGS_MAX:
                await process.end()
            return answer
        raise UnavailableError("item_merge_stopped", "a process that merges runs has died, twice")

    def _process(self, postings: int) -> ChildProcess:
        process = self._processes.get(postings)
        if process is None:
            process = self._processes[postings] = ChildProcess(__name__, self._setup)
        return process


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Merge what comes until nothing comes any more: the process's side."""
    os.nice(_NICE)
    setup = _decode_setup(next_message(tasks))
    while message := next_message(tasks):
        answer = _merge(Path(setup.folder), setup.log_id, _decode_run(message))
        put_message(answers, msgspec.msgpack.encode(answer))


def _merge(folder: Path, log_id: bytes, run: Run) -> MergeAnswer:
    try:
        merge_runs(folder, run, log_id, parts_of(run))
    except IntegrityError as error:
        file = error.context.get("file")
        return MergeAnswer(damaged=file, failure=None if file else error.message)
    except OSError as error:
        return MergeAnswer(failure=str(error))
    return MergeAnswer()


_decode_setup = msgspec.msgpack.Decoder(MergeSetup).decode
_decode_answer = msgspec.msgpack.Decoder(MergeAnswer).decode
_decode_run = msgspec.msgpack.Decoder(Run).decode


if __name__ == "__main__":
    run_child(serve)
