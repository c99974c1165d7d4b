"""Looks at tasks in processes of their own, each with its own connection, all at one snapshot.

SQLite gives each connection a snapshot of its own. So that all see the same one, they begin while a write lock is held
for a moment: nobody can commit in between.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

import msgspec

from sealtrail.errors import IntegrityError, SealtrailError, UnavailableError
from sealtrail.services.fsck.checks import CHECKS
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.run import Task, finish, look
from sealtrail.services.fsck.scope import Scope, Subject, open_snapshot

_READY = "ready"
_END_SECONDS_MAX = 5.0
_LOCK_SECONDS_MAX = 30
_LOWEST_PRIORITY = 19
_GARBAGE_COUNT = 100_000


class _Failure(msgspec.Struct, frozen=True):
    """An error of the store on its way between processes."""

    unavailable: bool
    code: str
    message: str
    advice: str | None

    @classmethod
    def of(cls, error: SealtrailError) -> _Failure:
        return cls(isinstance(error, UnavailableError), error.code, error.message, error.advice)

    def error(self) -> SealtrailError:
        kind = UnavailableError if self.unavailable else IntegrityError
        return kind(self.code, self.message, advice=self.advice)


class ProcessLooking:
    """Some processes that look; made by :func:`open_processes`."""

    def __init__(self, workers: Sequence[tuple[SpawnProcess, Connection]]) -> None:
        self._workers = workers

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Findings]]:
        """See :class:`sealtrail.services.fsck.run.Looking`.

        Raises:
            UnavailableError: one of the processes has died (``fsck_stopped``).
        """
        waiting = iter(enumerate(tasks))
        at_work: dict[Connection, int] = {}
        for _, connection in self._workers:
            self._give(connection, waiting, at_work)
        while at_work:
            for ready in wait(list(at_work)):
                assert isinstance(ready, Connection)
                number = at_work.pop(ready)
                found = _receive(ready)
                assert isinstance(found, Findings)
                yield number, found
                self._give(ready, waiting, at_work)

    @staticmethod
    def _give(
        connection: Connection,
        waiting: Iterator[tuple[int, Task]],
        at_work: dict[Connection, int],
    ) -> None:
        for number, task in waiting:
            _send(connection, task)
            at_work[connection] = number
            return


@contextmanager
def open_processes(subject: Subject, count: int) -> Iterator[tuple[ProcessLooking, Scope]]:
    """Start processes and open their snapshots, and one more for the caller, which is the same.

    Raises:
        UnavailableError: the database can't be opened, or a process has died (``fsck_stopped``).
        IntegrityError: it is damaged so far that nothing can be read.
    """
    context = multiprocessing.get_context("spawn")
    workers = []
    try:
        for _ in range(count):
            near, far = context.Pipe()
            process = context.Process(target=_serve, args=(far, subject), daemon=True)
            process.start()
            far.close()
            workers.append((process, near))
            _ = _receive(near)  # it has started: to open a snapshot takes no time now
        with _writers_held(subject.database):
            for _, connection in workers:
                _send(connection, _READY)
            snapshot = open_snapshot(subject.database)
            for _, connection in workers:
                _ = _receive(connection)
        with closing(snapshot):
            yield ProcessLooking(workers), Scope(snapshot, subject)
    finally:
        for process, connection in workers:
            connection.close()  # which ends it
            process.join(_END_SECONDS_MAX)
            if process.is_alive():
                process.kill()
                process.join()


def _send(connection: Connection, question: object) -> None:
    try:
        connection.send(question)
    except OSError as error:
        raise _died() from error


def _receive(connection: Connection) -> object:
    try:
        answer = connection.recv()
    except (EOFError, OSError) as error:
        raise _died() from error
    if isinstance(answer, _Failure):
        raise answer.error()
    return answer


@contextmanager
def _writers_held(path: Path) -> Iterator[None]:
    """Keep everybody from writing for a moment; where nobody may write, nobody need be kept."""
    with closing(
        sqlite3.connect(path, isolation_level=None, timeout=_LOCK_SECONDS_MAX)
    ) as connection:
        with suppress(sqlite3.Error):
            connection.execute("BEGIN IMMEDIATE")
        yield
        if connection.in_transaction:
            connection.execute("ROLLBACK")


class Aside:
    """One process of the lowest priority that looks at one task at a time, each at the snapshot of its moment.

    Blocking: to be called from a thread.
    """

    def __init__(self, subject: Subject) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, far = context.Pipe()
        self._process = context.Process(target=_serve_aside, args=(far, subject), daemon=True)
        self._process.start()
        far.close()

    def ask(self, question: Task | Finish) -> Findings:
        """Return what a look, or a last step, finds.

        Raises:
            UnavailableError: the database can't be opened, or the process has died (``fsck_stopped``).
            IntegrityError: the database can't be read at all.
        """
        _send(self._connection, question)
        found = _receive(self._connection)
        assert isinstance(found, Findings)
        return found

    def kill(self) -> None:
        """End the process, whatever it is at; who waits for an answer gets ``fsck_stopped``."""
        self._process.kill()

    def close(self) -> None:
        """End the process, and wait until it has."""
        self.kill()
        self._process.join()
        self._connection.close()


class Finish(msgspec.Struct, frozen=True):
    """A check's last step, and what all looks carried."""

    check: str
    carried: Mapping[str, Sequence[bytes]]


def _serve_aside(connection: Connection, subject: Subject) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_LOWEST_PRIORITY)
    with suppress(EOFError, OSError):
        while True:
            question = connection.recv()
            try:
                connection.send(_answer(subject, question))
            except SealtrailError as error:
                connection.send(_Failure.of(error))


def _answer(subject: Subject, question: Task | Finish) -> Findings:
    with closing(open_snapshot(subject.database)) as snapshot:
        scope = Scope(snapshot, subject)
        if isinstance(question, Task):
            return look(scope, question)
        return finish(scope, CHECKS[question.check], question.carried)


def _died() -> UnavailableError:
    return UnavailableError("fsck_stopped", "a process that checks the store has died; try again")


def _serve(connection: Connection, subject: Subject) -> None:
    """Look at what is asked for until nothing comes any more: the process's side."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    connection.send(_READY)
    connection.recv()
    try:
        snapshot = open_snapshot(subject.database)
    except SealtrailError as error:
        connection.send(_Failure.of(error))
        return
    scope = Scope(snapshot, subject)
    gc.freeze()
    gc.set_threshold(_GARBAGE_COUNT)  # looking makes many values and hardly a cycle
    connection.send(_READY)
    with closing(snapshot), suppress(EOFError, OSError):
        while True:
            connection.send(look(scope, connection.recv()))
