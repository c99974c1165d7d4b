"""The item index beside a growing log, without HTTP and chain: what it costs, and whom it holds up.

Each event names a pack of its own and its lot; lots have 10,000 packs. Batches of 100 are appended at the chosen pace,
a beat ends the log with an index entry each second, and merges run beside both, as in a node.
"""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import tempfile
import time
from hashlib import sha256
from pathlib import Path
from sqlite3 import Connection

from bench.figures import Figures, percentile
from sealtrail.log.item_index import runs_of
from sealtrail.log.item_proof import verify_item_proof
from sealtrail.log.tree import TreeHead
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.signing import EventSigner
from sealtrail.store import item_index as stored
from sealtrail.store import outbox
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity, save_identity
from sealtrail.store.log import LogStore, NewEntry

BATCH = 100
LOT_PACKS = 10_000
BEAT_SECONDS = 1.0
PROOFS = 200
SIGNER = EventSigner(b"\x33" * 32)
IDENTITY = Identity(
    chain_id=1337,
    genesis_hash=b"\x22" * 32,
    registry=b"\x11" * 20,
    member=SIGNER.address,
    item_salt=b"\x44" * 32,
)


def measure_index(figures: Figures, keys: int, pace: int) -> None:
    """Grow a log to so many postings at so many events a second, and print figures at each tenth power on the way."""
    figures.heading(f"Item index, {keys:,} postings, two an event, {pace:,} events/s")
    folder = Path(tempfile.mkdtemp(prefix="sealtrail-bench-index-"))
    try:
        asyncio.run(_grow(figures, folder, keys, pace))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Measured:
    """What one stretch of growth showed; times in ms, apart for when runs were being merged."""

    def __init__(self) -> None:
        self.appends: dict[bool, list[float]] = {True: [], False: []}
        self.beats: dict[bool, list[float]] = {True: [], False: []}
        self.index_seconds = 0.0  # of this process, while the log was being ended


async def _grow(figures: Figures, folder: Path, keys: int, pace: int) -> None:
    database = Database.open(folder / "log.db")
    database.write_sync(lambda c: save_identity(c, IDENTITY))
    log = LogStore.open(database)
    await ensure_genesis(database, log, IDENTITY, signer=SIGNER, record_time_ms=1)
    spent, sizes = 0.0, [n for n in (10**4, 10**5, 10**6, 10**7) if n < keys]
    for size in [*sizes, keys]:
        children = _children_seconds()
        index = await ItemIndexService.open(
            database, log, IDENTITY, SIGNER, folder=folder / "index", clock=lambda: 1
        )
        measured = await _stretch(database, log, index, size // 2, pace)
        await index.settled()
        _report(figures, size, index, measured)
        await _prove(figures, size, database, index)
        await index.close()  # so that its processes' time is counted
        spent += measured.index_seconds + _children_seconds() - children
        figures.add(
            f"{size:,} postings: all of it, an event", spent / (size / 2) * 1e6, "µs of a core"
        )
        in_files = sum(path.stat().st_size for path in (folder / "index").iterdir())
        figures.add(f"{size:,} postings: files, a posting", in_files / size, "bytes")
    database.close()


async def _stretch(
    database: Database, log: LogStore, index: ItemIndexService, events: int, pace: int
) -> _Measured:
    """Append up to so many events in all, ending the log each second."""
    measured, done = _Measured(), asyncio.Event()

    async def append() -> None:
        began, first = time.perf_counter(), log.size
        while log.size < events:
            ahead = (log.size - first) / pace - (time.perf_counter() - began)
            if ahead > 0:
                await asyncio.sleep(ahead)
            batch = _batch(log.size)
            at = time.perf_counter()
            await database.write(lambda c, batch=batch: log.append(c, batch))  # type: ignore[misc]
            measured.appends[index.merging].append((time.perf_counter() - at) * 1e3)
        done.set()

    async def beat() -> None:
        last = False
        while not last:
            last = done.is_set()
            at, merging = time.perf_counter(), index.merging
            tree = await index.end_log()
            took = time.perf_counter() - at
            await database.write(lambda c, tree=tree: _put_final(c, tree))  # type: ignore[misc]
            measured.beats[merging].append(took * 1e3)
            if not last:
                await asyncio.sleep(max(0.0, BEAT_SECONDS - took))

    stop = asyncio.Event()
    following = asyncio.ensure_future(index.run(stop))
    await asyncio.gather(append(), beat())
    stop.set()
    await following
    measured.index_seconds = index.statistics.seconds
    return measured


def _put_final(connection: Connection, tree: TreeHead) -> None:
    """Have a checkpoint that is final at once: so that runs of older ones are deleted."""
    last = outbox.last_row(connection)
    if last is not None and last.tree_size == tree.size:
        return
    sequence = 1 if last is None else last.sequence + 1
    own = outbox.OwnCheckpoint(
        checkpoint_hash=os.urandom(32), tree_size=tree.size, root_hash=tree.root_hash, note=""
    )
    outbox.add_checkpoint(connection, IDENTITY.member, sequence, own, 1)
    outbox.set_final(connection, sequence, 1)


def _batch(first: int) -> list[NewEntry]:
    lot = sha256(b"lot %d" % (first // LOT_PACKS)).digest()
    entries = []
    for n in range(first, first + BATCH):
        keys = sorted((sha256(b"pack %d" % n).digest(), lot))
        entries.append(
            NewEntry(os.urandom(32), b"\x01\x02" + os.urandom(189), bytes(32), b"", b"".join(keys))
        )
    return entries


def _report(figures: Figures, size: int, index: ItemIndexService, measured: _Measured) -> None:
    for merging, name in ((False, "nothing merges"), (True, "runs merge")):
        beats, appends = measured.beats[merging], measured.appends[merging]
        if len(beats) > 1 and len(appends) > 1:
            note = f"{len(beats)} beats, {len(appends):,} batches"
            figures.add(
                f"{size:,} postings, {name}: beat, median", percentile(beats, 50), "ms", note
            )
            figures.add(f"{size:,} postings, {name}: beat, longest", max(beats), "ms")
            figures.add(
                f"{size:,} postings, {name}: capture, median", percentile(appends, 50), "ms"
            )
            figures.add(f"{size:,} postings, {name}: capture, p99", percentile(appends, 99), "ms")
    spent = index.statistics
    figures.add(
        f"{size:,} postings: writer held, mean",
        spent.writer_seconds / max(1, spent.tries) * 1e3,
        "ms",
        f"{spent.tries} tries for {spent.entries} entries, {spent.merges} merges",
    )
    figures.add(f"{size:,} postings: writer held, longest", spent.writer_seconds_max * 1e3, "ms")


async def _prove(figures: Figures, size: int, database: Database, index: ItemIndexService) -> None:
    head = await database.read(stored.last_head)
    assert head is not None
    times, sizes, checks = [], [], []
    for n in range(PROOFS):
        key = sha256(b"pack %d" % (n * head.covers // PROOFS)).digest()
        at = time.perf_counter()
        proof = await index.prove(key, head)
        times.append((time.perf_counter() - at) * 1e3)
        at = time.perf_counter()
        verify_item_proof(head, key, proof)
        checks.append((time.perf_counter() - at) * 1e3)
        sizes.append(sum(len(p.hashes) + len(p.leaf_indices) + 64 + 16 for p in proof.runs))
    runs = f"{len(runs_of(head.postings))} runs"
    figures.add(f"{size:,} postings: proof, median", percentile(times, 50), "ms", runs)
    figures.add(f"{size:,} postings: proof, p99", percentile(times, 99), "ms")
    figures.add(f"{size:,} postings: proof, verified", percentile(checks, 50), "ms")
    figures.add(f"{size:,} postings: proof, size", max(sizes) / 1e3, "kB")


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
