"""Keeps the item index beside the log, ends the log with an index entry at each beat, and proves from it.

What an index entry says is a function of the entries before it, so there is one order only, and what a crash after
each step means:

1. *Outside of the writer*: durable entries are gathered; each full run of level 0 becomes a file. A crash loses files
   whose place was not noted; they are made again from the entries.
2. *In one transaction of the writer*: what was appended meanwhile is added in memory, the root computed for exactly the
   log as it stands, the entry signed and appended, what it says noted. A crash before the commit: nothing happened.
   After it: the log ends with an index entry and no checkpoint; the next beat finds it so, and adds none, unless more
   entries came behind it.
3. *Beside everything*: merged runs are made in processes of their own, half of their length ahead of being needed.
   A crash leaves an unfinished file, which is deleted at the next start.

All files are derived: one that is missing or damaged is made again from the entries.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import partial
from itertools import chain
from pathlib import Path

import msgspec

from sealtrail.errors import (
    IntegrityError,
    SealtrailError,
    TooLargeError,
    UnavailableError,
    VerificationError,
)
from sealtrail.log.item_index import (
    BASE_POSTINGS,
    FAN_OUT,
    LEAF_INDEX_BYTES,
    IndexHead,
    Run,
    RunHead,
    coming_runs,
    encode_index_document,
    index_root,
    parts_of,
    runs_of,
)
from sealtrail.log.item_proof import LEAF_INDICES_MAX, ItemProof, RunProof, verify_item_proof
from sealtrail.log.item_run import RunInMemory, prove_in_run
from sealtrail.log.tree import TreeHead, leaf_hash
from sealtrail.services.own_log.index_process import Merging
from sealtrail.services.own_log.plain_entries import sign_plain_entry
from sealtrail.signing import ZERO_SEED, EventSigner, Kind
from sealtrail.store import item_index as stored
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.item_index import Gathering, RunStart
from sealtrail.store.log import LogStore, load_leaf
from sealtrail.store.run_file import RunFile
from sealtrail.store.run_shelf import RunShelf

_log = logging.getLogger(__name__)

# Entries gathered in one read: bounds how long its snapshot holds back SQLite's own checkpoint.
_GATHERED_MAX = 2_000
_RUNS_GATHERED_MAX = 16
# Postings that the writer adds by itself at the first try: with the tail before them some 10 ms.
_IN_WRITER_MAX = BASE_POSTINGS
_FOLLOW_SECONDS = 0.2
_FOLLOWED_MIN = 200  # entries that are worth following for
_FIRST_MERGE_NEAR = BASE_POSTINGS * FAN_OUT // 2  # when the process that does it is started
_TAILS_KEPT = 8
_BUILDS_MAX = 3  # of one run, whose parts turn out to be damaged


class _NotYet(Enum):
    """Why the writer did not add an index entry."""

    TOO_MANY = "too many postings came meanwhile"
    RUN_MISSING = "a run is not there"


class Statistics(msgspec.Struct):
    """What it did since it started; for metrics and measurements."""

    entries: int = 0
    tries: int = 0
    merges: int = 0
    seconds: float = 0.0  # of threads, gathering, adding and writing runs
    writer_seconds: float = 0.0
    writer_seconds_max: float = 0.0


class ItemIndexService:
    """The item index of this member's log; made by :meth:`open`.

    Args:
        folder: where runs are kept as files.
        clock: milliseconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        signer: EventSigner,
        *,
        shelf: RunShelf,
        starts: list[RunStart],
        clock: Callable[[], int],
    ) -> None:
        self.statistics = Statistics()
        self._database = database
        self._log = log
        self._identity = identity
        self._signer = signer
        self._clock = clock
        self._shelf = shelf
        self._starts = starts
        self._gathering = Gathering(starts[-1])
        self._merging = Merging(shelf.folder, shelf.log_id)
        self._turn = asyncio.Lock()
        self._failed = False  # since the last beat: then nothing is tried again before the next
        self._builds: dict[Run, asyncio.Task[None]] = {}
        self._tails: dict[IndexHead, RunInMemory] = {}  # the newest last
        # Entries below were written by another process: the index is not made of them unchecked.
        self._found_size = log.size

    @classmethod
    async def open(
        cls,
        database: Database,
        log: LogStore,
        identity: Identity,
        signer: EventSigner,
        *,
        folder: Path,
        clock: Callable[[], int],
    ) -> ItemIndexService:
        """Open the index of a log that has its genesis entry; what is missing is made at the first beat.

        Raises:
            IntegrityError: the log is empty (``log_corrupt``).
            UnavailableError: the folder can't be made or read (``item_index_unopenable``).
        """
        first, starts = await database.read(lambda c: (load_leaf(c, 0), stored.load_starts(c)))
        if first is None:
            raise IntegrityError("log_corrupt", "the log has no first entry")
        shelf = RunShelf(folder, leaf_hash(first.leaf))
        try:
            await asyncio.to_thread(shelf.load, postings=starts[-1].first)
        except OSError as error:
            raise UnavailableError(
                "item_index_unopenable", f"{folder}: {error.strerror}", advice="see its rights"
            ) from error
        return cls(database, log, identity, signer, shelf=shelf, starts=starts, clock=clock)

    async def close(self) -> None:
        """Stop merging."""
        await self._merging.close()
        for build in list(self._builds.values()):
            build.cancel()
        await asyncio.gather(*self._builds.values(), return_exceptions=True)

    @property
    def merging(self) -> bool:
        """Tell whether runs are being made beside the beats."""
        return bool(self._builds)

    async def settled(self) -> None:
        """Return when no run is being made beside the beats."""
        while self._builds:
            await asyncio.wait(set(self._builds.values()))

    async def run(self, stop: asyncio.Event) -> None:
        """Keep up with the log between the beats, until ``stop`` is set.

        At full load a beat's worth of postings is more than the time that the shortest merges have.
        """
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _FOLLOW_SECONDS)
            if self._log.size - self._gathering.next_leaf < _FOLLOWED_MIN or self._failed:
                continue
            try:
                await self.keep_up()
            except SealtrailError as error:  # the next beat meets it too, and tells
                _log.warning("the item index is not kept up: %s", error)
                self._failed = True

    async def keep_up(self) -> None:
        """Gather what is durable, and begin to make the runs that it takes, without waiting for them.

        Raises:
            UnavailableError: a run could not be written.
            IntegrityError: entries are damaged (``item_keys_damaged``).
        """
        async with self._turn:
            await self._gather_durable()
            self._prepare(self._gathering.postings)

    # -- ending the log with an index entry --------------------------------------------------------------

    async def end_log(self) -> TreeHead:
        """Append an index entry over all that is in the log; return the head of the tree just behind it.

        Where the log ends with one already, that is it: nothing is added.

        Raises:
            UnavailableError: it could not be written or merged; nothing was added, or what was is found next time.
            IntegrityError: entries are damaged (``item_keys_damaged``).
        """
        async with self._turn:
            self._failed = False
            most = _IN_WRITER_MAX
            while True:
                await self._catch_up()
                self.statistics.tries += 1
                head = await self._database.write(partial(self._append, most))
                if isinstance(head, IndexHead):
                    break
                if head is _NotYet.TOO_MANY:
                    most *= 2  # rather a long turn in the writer than none
            await self._catch_up()  # what the writer had to add in memory
            self._prepare(head.postings)
            await self._tidy(head)
        size = head.covers + 1
        return await self._database.read(lambda c: TreeHead(size, self._log.root_at(c, size)))

    async def _catch_up(self) -> None:
        """Gather what is durable, and have each run ready that stands under its root."""
        await self._gather_durable()
        for run in runs_of(self._gathering.postings):
            if run.postings >= BASE_POSTINGS:
                await self._build(run)

    async def _gather_durable(self) -> None:
        # As it is now: who waited for the end of a log that grows would wait for ever.
        size = self._log.size
        while self._gathering.next_leaf < size:
            end = min(size, self._gathering.next_leaf + _GATHERED_MAX)
            gathering, starts = await self._database.read(partial(self._gather, end))
            if starts:
                await self._database.write(partial(stored.save_starts, starts=starts))
            self._starts.extend(starts)
            self._gathering = gathering

    def _gather(self, end: int, connection: sqlite3.Connection) -> tuple[Gathering, list[RunStart]]:
        worked = time.thread_time()
        gathering, starts = self._gathering.copy(), []
        begin, found = gathering.next_leaf, self._found_size
        for leaf_index, item_keys in chain(
            stored.entries_from(connection, begin, min(end, found), checked=True),
            stored.entries_from(connection, max(begin, found), end),
        ):
            for run, lists in gathering.add(leaf_index, item_keys):
                self._write(run, lists)
                starts.append(gathering.start)
            if len(starts) >= _RUNS_GATHERED_MAX:
                break
        self.statistics.seconds += time.thread_time() - worked
        return gathering, starts

    def _append(self, most: int, connection: sqlite3.Connection) -> IndexHead | _NotYet:
        """In the writer: add the index entry, or return why not yet."""
        began, worked = time.perf_counter(), time.thread_time()
        try:
            end = int(connection.execute("SELECT max(leaf_index) + 1 FROM entry").fetchone()[0])
            last = stored.last_head(connection)
            if last is not None and last.covers + 1 == end:
                return last
            known = self._gathering
            new = stored.count_postings(connection, known.next_leaf)
            if new > most:
                return _NotYet.TOO_MANY
            if self._is_missing(known, known.postings + new):
                return _NotYet.RUN_MISSING
            gathering = known.copy()
            in_memory = _catch_up_in_memory(connection, gathering, end)
            heads = self._heads(gathering.postings, in_memory)
            head = IndexHead(covers=end, postings=gathering.postings, root_hash=index_root(heads))
            self._append_entry(connection, head)
            tail = gathering.tail()
            if tail is not None:
                self._keep_tail(head, in_memory[tail])
            return head
        finally:
            took = time.perf_counter() - began
            self.statistics.seconds += time.thread_time() - worked
            self.statistics.writer_seconds += took
            self.statistics.writer_seconds_max = max(self.statistics.writer_seconds_max, took)

    def _append_entry(self, connection: sqlite3.Connection, head: IndexHead) -> None:
        entry = sign_plain_entry(
            Kind.INDEX,
            encode_index_document(head),
            seed=ZERO_SEED,
            domain=self._identity.domain,
            member=self._identity.member,
            signer=self._signer,
            record_time_ms=self._clock(),
        )
        leaf_index = self._log.append(connection, [entry])
        if leaf_index != head.covers:
            raise IntegrityError(
                "log_corrupt", f"leaf {leaf_index} comes next, and {head.covers} entries are stored"
            )
        stored.save_head(connection, head)
        self.statistics.entries += 1

    def _is_missing(self, known: Gathering, postings: int) -> bool:
        """Tell whether a run of so many postings is neither there nor one that the writer fills up."""
        return any(
            (run.postings > BASE_POSTINGS or run.end <= known.start.first)
            and self._shelf.get(run) is None
            for run in runs_of(postings)
        )

    def _heads(self, postings: int, in_memory: dict[Run, RunInMemory]) -> list[RunHead]:
        return [(in_memory.get(run) or self._on_shelf(run)).head for run in runs_of(postings)]

    def _on_shelf(self, run: Run) -> RunFile:
        file = self._shelf.get(run)
        if file is None:
            raise UnavailableError(
                "item_runs_missing",
                f"postings {run.first} to {run.end - 1} are not indexed now",
                advice="ask again in a moment",
            )
        return file

    # -- runs --------------------------------------------------------------------------------------------

    def _prepare(self, postings: int) -> None:
        """Begin to make the runs that stand under the root of so many postings, or of some more."""
        if postings >= _FIRST_MERGE_NEAR:
            self._merging.start()
        for run in (*runs_of(postings), *coming_runs(postings)):
            if run.postings >= BASE_POSTINGS and self._shelf.get(run) is None:
                self._building(run)

    async def _build(self, run: Run) -> None:
        """Return when a run's file is there.

        Raises:
            UnavailableError: as :meth:`Merging.merge`, or its parts are damaged again and again.
            IntegrityError: the entries are damaged (``item_keys_damaged``).
        """
        if self._shelf.get(run) is None:
            await asyncio.shield(self._building(run))

    def _building(self, run: Run) -> asyncio.Task[None]:
        build = self._builds.get(run)
        if build is None:
            build = self._builds[run] = asyncio.ensure_future(self._make(run))
            build.add_done_callback(partial(self._built, run))
        return build

    def _built(self, run: Run, build: asyncio.Task[None]) -> None:
        self._builds.pop(run, None)
        error = None if build.cancelled() else build.exception()
        if isinstance(error, SealtrailError) and error.code == "node_stopping":
            return
        if error is not None and not isinstance(error, SealtrailError):
            _log.error("a run of the item index was not made", exc_info=error)
        elif error is not None:  # who needs the run tries again, and tells
            _log.warning("a run of the item index was not made: %s", error)
        self._failed = self._failed or error is not None

    async def _make(self, run: Run) -> None:
        if run.postings == BASE_POSTINGS:
            return await self._make_from_entries(run)
        for _ in range(_BUILDS_MAX):
            for part in parts_of(run):
                await self._build(part)
            try:
                await self._merging.merge(run)
                self._shelf.add(run)
            except IntegrityError as error:
                _log.warning("%s", error)
                self._shelf.discard(error.context["file"])
                continue
            self.statistics.merges += 1
            return None
        raise UnavailableError("item_merge_failed", f"{run.postings} postings can't be merged")

    async def _make_from_entries(self, run: Run) -> None:
        start = self._starts[run.first // BASE_POSTINGS]
        size = self._log.size
        lists = await self._database.read(lambda c: stored.load_base_run(c, start, size))
        await asyncio.to_thread(self._write, run, lists)

    def _write(self, run: Run, lists: dict[bytes, bytes]) -> None:
        try:
            self._shelf.write(run, lists)
        except OSError as error:
            raise UnavailableError(
                "item_run_unwritable", f"a run of the item index can't be written: {error.strerror}"
            ) from error

    async def _tidy(self, head: IndexHead) -> None:
        """Delete what neither an index entry that is still asked for nor a coming run needs."""
        heads = await self._database.read(stored.heads_since_final)
        needed: set[Run] = set()
        for postings in {head.postings, *(each.postings for each in heads)}:
            needed.update(runs_of(postings), coming_runs(postings))
        building = list(self._builds)
        self._shelf.keep(
            needed, lambda run: any(b.first <= run.first and run.end <= b.end for b in building)
        )

    # -- proofs ------------------------------------------------------------------------------------------

    async def prove(self, key: bytes, head: IndexHead) -> ItemProof:
        """Return the proof of an item's complete list at an index entry of this log, verified.

        Args:
            head: what the entry says. Older ones' runs than those since the newest final checkpoint are gone, and
                made again when they are asked for, which takes a while.

        Raises:
            TooLargeError: the list is longer than a proof may be (``item_list_too_long``).
            UnavailableError: runs that it takes are gone or being made again (``item_runs_missing``).
            IntegrityError: the entries are not what the index was made of (``item_index_damaged``,
                ``item_keys_damaged``).
        """
        try:
            return await self._database.read(lambda c: self.prove_sync(c, key, head))
        except UnavailableError as error:
            if error.code == "item_runs_missing":
                self.mend(head)
            raise

    def mend(self, head: IndexHead) -> None:
        """Begin to make the runs again that an index has and that are not there."""
        for run in runs_of(head.postings):
            if run.postings >= BASE_POSTINGS and self._shelf.get(run) is None:
                self._building(run)

    def prove_sync(self, connection: sqlite3.Connection, key: bytes, head: IndexHead) -> ItemProof:
        """Do what :meth:`prove` does, in a reader's thread."""
        runs = self._runs(connection, head)
        try:
            proof = ItemProof(tuple(prove_in_run(run, key) for run in runs))
            _refuse_long(key, proof.runs)
            verify_item_proof(head, key, proof)
        except (IntegrityError, VerificationError) as error:
            self._discard_damaged(runs, error)
            raise IntegrityError(
                "item_index_damaged",
                f"the index over {head.covers} leaves is not what was signed: {error}",
                advice="run sealtrail fsck; stop the node and keep its files",
            ) from error
        return proof

    def _runs(self, connection: sqlite3.Connection, head: IndexHead) -> list[RunFile | RunInMemory]:
        runs: list[RunFile | RunInMemory] = []
        for run in runs_of(head.postings):
            if run.postings < BASE_POSTINGS:
                runs.append(self._tail(connection, run, head))
            else:
                runs.append(self._on_shelf(run))
        return runs

    def _tail(self, connection: sqlite3.Connection, run: Run, head: IndexHead) -> RunInMemory:
        known = self._tails.get(head)
        if known is None:
            start = self._starts[run.first // BASE_POSTINGS]
            known = RunInMemory(run, stored.load_tail(connection, start, head))
            self._keep_tail(head, known)
        return known

    def _keep_tail(self, head: IndexHead, tail: RunInMemory) -> None:
        # A new dictionary each time: readers of the old one are in other threads.
        kept = [*self._tails.items(), (head, tail)][-_TAILS_KEPT:]
        self._tails = dict(kept)

    def _discard_damaged(
        self, runs: Iterable[RunFile | RunInMemory], cause: SealtrailError
    ) -> None:
        """Drop the files that are not what was written; raise that they are being made again, if there are any."""
        found = [run for run in runs if isinstance(run, RunFile) and _is_damaged(run)]
        for run in found:
            _log.error("%s is damaged: %s", run.path.name, cause)
            self._shelf.discard(run.path.name)
        if found:
            raise UnavailableError(
                "item_runs_missing",
                "a file of the item index was damaged; it is being made again",
                advice="ask again in a moment; look at the disk",
            ) from cause


def _catch_up_in_memory(
    connection: sqlite3.Connection, gathering: Gathering, end: int
) -> dict[Run, RunInMemory]:
    """Gather the entries below ``end``; return the runs that they fill, and the tail."""
    full: dict[Run, RunInMemory] = {}
    for leaf_index, item_keys in stored.entries_from(connection, gathering.next_leaf, end):
        for run, lists in gathering.add(leaf_index, item_keys):
            full[run] = RunInMemory(run, lists)
    tail = gathering.tail()
    if tail is not None:
        full[tail] = RunInMemory(tail, gathering.lists)
    return full


def _refuse_long(key: bytes, parts: Iterable[RunProof]) -> None:
    count = sum(len(p.leaf_indices) for p in parts if p.key == key) // LEAF_INDEX_BYTES
    if count > LEAF_INDICES_MAX:
        raise TooLargeError(
            "item_list_too_long",
            f"{count} entries name the item, at most {LEAF_INDICES_MAX} go into one proof",
        )


def _is_damaged(run: RunFile) -> bool:
    try:
        run.check()
    except IntegrityError:
        return True
    return False
