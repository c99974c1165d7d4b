"""The one thread that writes, and group commit.

Many queued functions share one transaction and one fsync; each runs in a savepoint of its own, so that
one's failure undoes only its own writes. Write order, and what a crash after each step means:

1. ``BEGIN``, the functions in turn: nothing of it survives.
2. ``COMMIT``, with fsync (WAL, ``synchronous=FULL``): all of it survives; nobody was told yet.
3. participants learn that it is durable, then the callers: they may now acknowledge.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from sealtrail.errors import UnavailableError
from sealtrail.store.faults import wrap

# Functions in one transaction at most: bounds how long the first waits for the last.
BATCH_MAX = 512


class Participant(Protocol):
    """State in memory that must follow the transaction; called in the writer thread only."""

    def mark(self) -> Any:
        """Return what :meth:`restore` needs to come back to this point."""
        ...

    def restore(self, mark: Any) -> None:
        """Forget what was done since ``mark``: it was rolled back."""
        ...

    def committed(self) -> None:
        """Learn that everything done so far is durable."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One function to run, and whom to tell (in ``loop``, or without one in the writer thread)."""

    fn: Callable[[sqlite3.Connection], Any]
    done: Callable[[Any, BaseException | None], None]
    loop: asyncio.AbstractEventLoop | None = None


@dataclass(slots=True)
class Statistics:
    """What the writer did since it started; for metrics."""

    transactions: int = 0
    functions: int = 0
    commit_seconds: float = 0.0


class _LostError(Exception):
    """The transaction is gone, with what other functions wrote in it."""

    def __init__(self, why: BaseException) -> None:
        super().__init__(str(why))
        self.why = why


class Writer:
    """Runs queued functions in group-committed transactions on ``connection``, which it owns."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        deliver: Callable[[list[tuple[Job, Any, BaseException | None]]], None],
        clock: Callable[[], float],
    ) -> None:
        self.statistics = Statistics()
        self._connection = connection
        self._deliver = deliver
        self._clock = clock
        self._participants: list[Participant] = []
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closed = False
        self._gate = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="sealtrail-writer", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def attach(self, participant: Participant) -> None:
        """Have ``participant`` follow every transaction; to be called before the first write."""
        self._participants.append(participant)

    def submit(self, job: Job) -> None:
        """Queue ``job``.

        Raises:
            UnavailableError: the store is closed (``store_closed``).
        """
        with self._gate:  # so that nothing is queued behind the stop mark and waits for ever
            if self._closed:
                raise UnavailableError("store_closed", "the store is closed; the node is stopping")
            self._jobs.put(job)

    def waiting(self) -> int:
        """Return how many functions are queued."""
        return self._jobs.qsize()

    def stop(self) -> None:
        """Run what is queued, then end the thread and close the connection."""
        with self._gate:
            already, self._closed = self._closed, True
        if not already:
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            batch, open_ = self._take()
            if batch:
                self._deliver(self._transact(batch))
        self._connection.close()

    def _take(self) -> tuple[list[Job], bool]:
        batch: list[Job] = []
        job = self._jobs.get()
        while job is not None:
            batch.append(job)
            if len(batch) == BATCH_MAX:
                return batch, True
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _transact(self, batch: list[Job]) -> list[tuple[Job, Any, BaseException | None]]:
        marks = [p.mark() for p in self._participants]
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._run_one(job) for job in batch]
            started = self._clock()
            self._connection.execute("COMMIT")
        except (sqlite3.Error, _LostError) as error:
            self._undo("ROLLBACK", marks)
            failure = wrap(error) if isinstance(error, sqlite3.Error) else error.why
            return [(job, None, failure) for job in batch]
        self.statistics.transactions += 1
        self.statistics.functions += len(batch)
        self.statistics.commit_seconds += self._clock() - started
        for participant in self._participants:
            participant.committed()
        return outcomes

    def _run_one(self, job: Job) -> tuple[Job, Any, BaseException | None]:
        marks = [p.mark() for p in self._participants]
        self._connection.execute("SAVEPOINT one")
        try:
            result, error = job.fn(self._connection), None
        except BaseException as raised:
            result, error = None, wrap(raised) if isinstance(raised, sqlite3.Error) else raised
            if not self._connection.in_transaction:
                # A full disk or an I/O error makes SQLite roll back the whole transaction by itself.
                raise _LostError(error) from raised
            self._undo("ROLLBACK TO one", marks)
        self._connection.execute("RELEASE one")
        return job, result, error

    def _undo(self, statement: str, marks: list[Any]) -> None:
        if self._connection.in_transaction:
            self._connection.execute(statement)
        for participant, mark in zip(self._participants, marks, strict=True):
            participant.restore(mark)
