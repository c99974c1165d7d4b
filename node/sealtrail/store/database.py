"""The node's database: SQLite in WAL mode, one writer with group commit, a pool of readers.

One process owns a database (a lock beside the file says so); within it, any number of tasks.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sealtrail.errors import NotFoundError, UnavailableError
from sealtrail.store.faults import FAULTS, wrap
from sealtrail.store.migrate import migrate
from sealtrail.store.writer import Job, Participant, Statistics, Writer

T = TypeVar("T")
Outcome = tuple[Job, Any, BaseException | None]

# Pages in the write-ahead log before they are moved into the database file: 16 MB.
_CHECKPOINT_PAGES = 4096
_CACHE_KIB = 64 * 1024
_READER_CACHE_KIB = 8 * 1024
# Steps of SQLite's virtual machine between two looks at the clock: some milliseconds.
_STEPS = 100_000


class Database:
    """One open database; made by :meth:`open`. ``readers`` reads are done at once, others wait."""

    def __init__(self, path: Path, writer: Writer, readers: int, lock: int) -> None:
        self.path = path
        self._writer = writer
        self._lock = lock
        self.readers = readers
        self._pool = ThreadPoolExecutor(readers, thread_name_prefix="sealtrail-reader")
        self._idle: queue.LifoQueue[sqlite3.Connection] = queue.LifoQueue()
        for _ in range(readers):
            self._idle.put(_connect(path, cache_kib=_READER_CACHE_KIB, read_only=True))
        self._closed = False

    @classmethod
    def open(cls, path: Path, *, readers: int = 4) -> Database:
        """Open (or make) the database at ``path`` and bring its schema up to date.

        Raises:
            UnavailableError: another process has it (``store_in_use``), or it can't be opened.
            InputError: it is another program's, or newer than this program.
            IntegrityError: it is damaged (``store_corrupt``).
        """
        lock = _lock(path)
        with ExitStack() as undo:
            undo.callback(os.close, lock)
            try:
                connection = _connect(path, cache_kib=_CACHE_KIB)
                migrate(connection)
                writer = Writer(connection, _deliver, time.perf_counter)
                database = cls(path, writer, readers, lock)
            except FAULTS as error:
                raise wrap(error) from error
            undo.pop_all()  # the database closes it from here on
        writer.start()
        return database

    def attach(self, participant: Participant) -> None:
        """Have ``participant`` follow every transaction; to be called before the first write."""
        self._writer.attach(participant)

    async def write(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``fn`` in the writer thread; return its result once the fsync that covers it is done.

        ``fn`` runs in a savepoint: an exception undoes its writes only, and is raised here. It must not
        commit, nor wait for anything. If the awaiting task is cancelled, ``fn`` may still take effect.

        Raises:
            UnavailableError: disk full, database closed or locked; nothing of ``fn`` was kept.
            IntegrityError: the database is damaged.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():  # cancelled meanwhile
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._writer.submit(Job(fn, done, loop))
        return await future

    def write_sync(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        """Do what :meth:`write` does, blocking this thread: for where no event loop runs."""
        future: Future[T] = Future()

        def done(result: Any, error: BaseException | None) -> None:
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._writer.submit(Job(fn, done))
        return future.result()

    async def read(
        self, fn: Callable[[sqlite3.Connection], T], *, seconds_max: float | None = None
    ) -> T:
        """Run ``fn`` in a reader thread on one consistent snapshot and return its result.

        Raises:
            UnavailableError: it took longer than ``seconds_max`` (``query_interrupted``), or the store is closed.
            IntegrityError: the database is damaged.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self.read_sync, fn, seconds_max)

    def read_sync(
        self, fn: Callable[[sqlite3.Connection], T], seconds_max: float | None = None
    ) -> T:
        """Do what :meth:`read` does, in this thread."""
        if self._closed:
            raise UnavailableError("store_closed", "the store is closed; the node is stopping")
        connection = self._idle.get()
        if seconds_max is not None:
            deadline = time.monotonic() + seconds_max
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        try:
            connection.execute("BEGIN")
            try:
                return fn(connection)
            finally:
                connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise wrap(error) from error
        finally:
            connection.set_progress_handler(None, 0)
            self._idle.put(connection)

    @property
    def statistics(self) -> Statistics:
        """What the writer did since it started."""
        return self._writer.statistics

    def waiting(self) -> int:
        """Return how many writes are queued."""
        return self._writer.waiting()

    def close(self) -> None:
        """Run what is queued, then close everything; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._pool.shutdown(wait=True)
        self._writer.stop()
        for _ in range(self.readers):
            self._idle.get().close()
        os.close(self._lock)


@contextmanager
def open_alone(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the database at ``path`` for work that no node may run beside; its schema is brought up to date.

    Raises:
        NotFoundError: there is none (``store_missing``).
        UnavailableError, InputError, IntegrityError: as :meth:`Database.open`, and for what is done inside.
    """
    if not path.is_file():
        raise NotFoundError("store_missing", f"no database at {path}", pointer=str(path))
    lock = _lock(path)
    try:
        with closing(_connect(path, cache_kib=_CACHE_KIB)) as connection:
            migrate(connection)
            yield connection
    except sqlite3.Error as error:
        raise wrap(error) from error
    finally:
        os.close(lock)


def _connect(path: Path, *, cache_kib: int, read_only: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=5, cached_statements=256
    )
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: each commit waits until the write-ahead log is on disk, which is what receipts promise.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{cache_kib}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    if read_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def _lock(path: Path) -> int:
    # A lock of the operating system goes with its process: no stale lock after a crash.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnavailableError(
            "store_unopenable", f"{path}: {error.strerror}", advice="see the directory's rights"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise UnavailableError(
            "store_in_use",
            f"another process has {path} open",
            advice="stop the other node, or give this one a data directory of its own",
        ) from error
    return lock


def _deliver(outcomes: list[Outcome]) -> None:
    """Tell each caller in its own loop; one wake-up a loop for the whole batch."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        loop = outcome[0].loop
        if loop is None:
            outcome[0].done(outcome[1], outcome[2])
        else:
            by_loop.setdefault(loop, []).append(outcome)
    for loop, theirs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_tell, theirs)
        except RuntimeError:  # the loop is closed: nobody waits any more
            continue


def _tell(outcomes: list[Outcome]) -> None:
    for job, result, error in outcomes:
        job.done(result, error)
