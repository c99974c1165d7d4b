"""Reading entries in several processes: what needs no order is done ahead, the verifier goes through all in its order.

Only of bundles on a part of a log: the others are short. What is found is the same, and so is what is refused first.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from typing import TypeAlias

import msgspec

from sealtrail.errors import InputError, SealtrailError, UnavailableError
from sealtrail.evidence.bundle.entries import EntryLine, entry_record
from sealtrail.evidence.bundle.form import SealedLine
from sealtrail.evidence.bundle.lines import (
    CheckpointLine,
    HeaderLine,
    LogLine,
    LogQuestion,
)
from sealtrail.evidence.bundle.trust import network_of
from sealtrail.evidence.bundle.verify import Ahead, one_by_one
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.verify import Statement, read_statement
from sealtrail.evidence.wire import from_hex
from sealtrail.signing import Domain

CHUNK_LINES = 250  # that are handed to a process at once
CHUNK_BYTES = 1 << 20
AHEAD_CHUNKS = 4  # a process
AHEAD_BYTES = 64 << 20  # of all that is read and not yet gone through, but for one chunk

Statements: TypeAlias = list[Statement | None]


@contextmanager
def entries_ahead(jobs: int) -> Iterator[Ahead]:
    """Give what reads entries ahead in that many processes; one: none but this."""
    if jobs == 1:
        yield one_by_one
        return
    from concurrent.futures import ProcessPoolExecutor  # what it imports is not for everyone
    from multiprocessing import get_context

    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_leave_interrupts_to_the_parent
    ) as pool:
        yield partial(_ahead, pool, jobs * AHEAD_CHUNKS)


def read_statements(domain: Domain, records: Sequence[EntryRecord | None]) -> Statements:
    """Do steps 1 to 6 for each record; None for what is none, and for what the verifier is to refuse itself."""
    return [None if each is None else _read(each, domain) for each in records]


def _read(record: EntryRecord, domain: Domain) -> Statement | None:
    try:
        statement = read_statement(record, domain)
    except InputError:
        return None
    return msgspec.structs.replace(statement, event=None)  # not needed, and long


def _ahead(
    pool: Executor, chunks_max: int, lines: Iterator[SealedLine]
) -> Iterator[tuple[SealedLine, Statement | None]]:
    header = next(lines)
    yield header, None
    if not isinstance(header.line, HeaderLine) or not isinstance(header.line.question, LogQuestion):
        yield from one_by_one(lines)
        return
    window = _Window(pool, network_of(header.line.network).domain, chunks_max)
    failure = None
    try:
        for sealed in lines:
            if isinstance(sealed.line, EntryLine | CheckpointLine):
                window.add(sealed, sealed.line)
                while window.full:
                    yield from window.take()
                continue
            while window:
                yield from window.take()
            if isinstance(sealed.line, LogLine):
                window.open_section(sealed.line)
            yield sealed, None
    except SealtrailError as e:
        failure = e  # what comes before it may have to be refused first
    while window:
        yield from window.take()
    if failure is not None:
        raise failure


class _Chunk:
    """Lines in their order, and the records of the entries among them."""

    def __init__(self) -> None:
        self.lines: list[SealedLine] = []
        self.records: list[EntryRecord | None] = []
        self.size = 0

    def add(self, sealed: SealedLine, record: EntryRecord | None, size: int) -> None:
        self.lines.append(sealed)
        self.records.append(record)
        self.size += size

    @property
    def full(self) -> bool:
        return len(self.lines) >= CHUNK_LINES or self.size >= CHUNK_BYTES


class _Window:
    """The lines that were read and not gone through yet: some at the processes, some to be sent to one."""

    def __init__(self, pool: Executor, domain: Domain, chunks_max: int) -> None:
        self._pool = pool
        self._domain = domain
        self._chunks_max = chunks_max
        self._salt: bytes | None = None
        self._sent: deque[tuple[_Chunk, Future[Statements]]] = deque()
        self._open = _Chunk()
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._sent or self._open.lines)

    @property
    def full(self) -> bool:
        return len(self._sent) > self._chunks_max or self._size > AHEAD_BYTES

    def open_section(self, line: LogLine) -> None:
        self._salt = None if line.item_salt is None else from_hex(line.item_salt)

    def add(self, sealed: SealedLine, line: EntryLine | CheckpointLine) -> None:
        record, size = None, len(line.gap)
        if isinstance(line, EntryLine):
            record = entry_record(line, self._salt)
            size += len(line.content or b"") + len(line.item_keys) + len(line.references)
        self._open.add(sealed, record, size)
        self._size += size
        if self._open.full:
            self._send()

    def take(self) -> Iterator[tuple[SealedLine, Statement | None]]:
        """Yield the lines of the oldest chunk, once they are read.

        Raises:
            UnavailableError: ``verify_process_ended``.
        """
        if not self._sent:
            self._send()
        chunk, found = self._sent.popleft()
        self._size -= chunk.size
        with _whole_pool():
            statements = found.result()
        yield from zip(chunk.lines, statements, strict=True)

    def _send(self) -> None:
        with _whole_pool():
            found = self._pool.submit(read_statements, self._domain, self._open.records)
        self._sent.append((self._open, found))
        self._open = _Chunk()


@contextmanager
def _whole_pool() -> Iterator[None]:
    try:
        yield
    except RuntimeError as e:  # a process that died breaks the pool
        raise UnavailableError(
            "verify_process_ended",
            f"a process that read entries has ended: {e}",
            advice="leave out --jobs",
        ) from e


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
