"""The check of a whole store, on one that is generated: events recorded and signed, checkpoints, anchors, no chain."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from bench.documents import commissioning, document, observing
from bench.figures import Figures
from sealtrail.epcis import Limits
from sealtrail.ledger.envelope import Call, OperatorKey, parse_sent
from sealtrail.ledger.fees import Fees
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import (
    Anchor,
    Key,
    MemberRecord,
    Purpose,
    Role,
    Status,
    registered_form,
)
from sealtrail.ports import ChainRecord
from sealtrail.services.chain.network import NetworkIdentity
from sealtrail.services.fsck.processes import open_processes
from sealtrail.services.fsck.run import LocalLooking, Report, check_store, tasks_of
from sealtrail.services.fsck.scope import Scope, Subject, open_snapshot
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.services.recording.drafting_process import (
    DraftingSetup,
    DraftingTask,
    DraftingWorker,
)
from sealtrail.services.recording.drafts import Body, Draft
from sealtrail.signing import Domain, Ed25519Signer, EventSigner, Kind, origin_of
from sealtrail.store import chain, outbox
from sealtrail.store.database import Database
from sealtrail.store.events import insert_events
from sealtrail.store.identity import Identity, save_identity
from sealtrail.store.log import LogStore
from sealtrail.store.outbox import OwnCheckpoint

GTIN, GLN = "09521001000012", "9521001000017"
NETWORK = NetworkIdentity(
    chain_id=1337, genesis_hash=b"\x22" * 32, registry=b"\x11" * 20, anchors=b"\x12" * 20
)
EVENT_KEY = b"\x33" * 32
SIGNER = EventSigner(EVENT_KEY)
LOG_KEY = Ed25519Signer(b"\x34" * 32)
OPERATOR = OperatorKey(b"\x35" * 32)
MEMBER = OPERATOR.address
SALT = b"\x44" * 32
DOMAIN = Domain(
    chain_id=NETWORK.chain_id, registry=NETWORK.registry, genesis_hash=NETWORK.genesis_hash
)
DOCUMENT_EVENTS = 1_000
CHECKPOINT_EVENTS = 5_000
TIME_MS = 1_790_000_000_000


def measure_fsck(figures: Figures, entries: int) -> None:
    """Generate a store and time the checks, one by one and all at once."""
    figures.heading(f"fsck of a store with {entries:,} entries")
    directory = Path(tempfile.mkdtemp(prefix="sealtrail-bench-"))
    try:
        path = directory / "sealtrail.db"
        asyncio.run(generate(path, entries))
        figures.add("store, an entry with its event", path.stat().st_size / entries, "bytes")
        _measure_checks(figures, path, entries)
        cores = len(os.sched_getaffinity(0))
        seconds = _timed(path, cores)
        figures.add(f"fsck, {cores} processes", seconds, "s")
        figures.add("fsck, entries a second", entries / seconds, "entries/s")
        figures.add("fsck of a million entries at that rate", 1e6 / entries * seconds, "s")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _measure_checks(figures: Figures, path: Path, entries: int) -> None:
    scope = Scope(open_snapshot(path), subject_of(path))
    spent: dict[str, float] = {}
    looking = LocalLooking(scope)
    for task in tasks_of(scope):
        started = time.perf_counter()
        for _ in looking.run([task]):
            spent[task.check] = spent.get(task.check, 0) + time.perf_counter() - started
    for name, seconds in spent.items():
        figures.add(f"one process: {name}", seconds / entries * 1e6, "µs/entry")


def _timed(path: Path, processes: int) -> float:
    started = time.perf_counter()
    with open_processes(subject_of(path), processes) as (looking, scope):
        report: Report = asyncio.run(check_store(scope, looking, ledger=None))
    if report.faults:
        raise SystemExit(f"the generated store is not sound: {report.faults[0]}")
    return time.perf_counter() - started


def subject_of(path: Path) -> Subject:
    """Return the generated store as fsck takes it."""
    return Subject(
        database=path,
        network=NETWORK,
        member=MEMBER,
        read_transaction=parse_sent,
        counting_key=os.urandom(16),
    )


async def generate(path: Path, entries: int) -> None:
    """Write a store of so many entries, drafted and signed as a node does."""
    database = Database.open(path)
    identity = Identity(
        chain_id=NETWORK.chain_id,
        genesis_hash=NETWORK.genesis_hash,
        registry=NETWORK.registry,
        member=MEMBER,
        item_salt=SALT,
    )
    database.write_sync(lambda c: save_identity(c, identity))
    log = LogStore.open(database)
    await ensure_genesis(database, log, identity, signer=SIGNER, record_time_ms=TIME_MS)
    setup = DraftingSetup(
        domain=DOMAIN, member=MEMBER, item_salt=SALT, event_key=EVENT_KEY, limits=Limits()
    )
    workers = [DraftingWorker(setup) for _ in range(len(os.sched_getaffinity(0)))]
    waiting = _documents(entries)
    previous = _Anchors()

    async def fill(worker: DraftingWorker) -> None:
        for body in waiting:
            (drafted,) = await worker.draft(DraftingTask([(Body(body), Kind.EVENT)], TIME_MS))
            drafts = [d for d in drafted.drafted().events if isinstance(d, Draft)]
            await database.write(lambda c, drafts=drafts: _write(c, log, drafts))
            if log.size - previous.size >= CHECKPOINT_EVENTS:
                await database.write(lambda c: previous.add(c, log))

    await asyncio.gather(*(fill(worker) for worker in workers))
    await asyncio.gather(*(worker.close() for worker in workers))
    await database.write(lambda c: previous.add(c, log))
    await database.write(previous.save)
    database.close()


def _documents(entries: int) -> Iterator[bytes]:
    """Yield documents, ten events a pack."""
    packs = DOCUMENT_EVENTS // 10
    for first in range(0, entries // 10, packs):
        serials = [f"f{n:07d}" for n in range(first, min(first + packs, entries // 10))]
        events = [commissioning(GTIN, [serial], gln=GLN) for serial in serials]
        for minute in range(9):
            events += [observing(GTIN, s, minute * 61, gln=GLN) for s in serials]
        yield document(events)


def _write(connection: object, log: LogStore, drafts: list[Draft]) -> None:
    first = log.append(connection, [d.entry for d in drafts])
    insert_events(
        connection, [(d.entry.entry_id, first + n, d.event) for n, d in enumerate(drafts)]
    )


class _Anchors:
    """Checkpoints with anchors that a chain would have."""

    def __init__(self) -> None:
        self.size = 0
        self.rows: list[Anchor] = []

    def add(self, connection: object, log: LogStore) -> None:
        head = log.head()
        if head.size == self.size:
            return
        self.size = head.size
        checkpoint = Checkpoint(origin_of(DOMAIN, MEMBER), head.size, head.root_hash)
        own = OwnCheckpoint(
            checkpoint_hash=checkpoint.hash,
            tree_size=head.size,
            root_hash=head.root_hash,
            note=sign_note(checkpoint, LOG_KEY),
        )
        number = len(self.rows) + 1
        sent = OPERATOR.sign(
            Call(to=NETWORK.anchors, payload=checkpoint.hash, gas=60_000),
            chain_id=NETWORK.chain_id,
            nonce=number,
            fees=Fees(per_gas=0),
        )
        block = sha256(bytes([number & 255, number >> 8])).digest()
        outbox.add_checkpoint(connection, MEMBER, number, own, TIME_MS)
        outbox.set_submitted(connection, number, sent, TIME_MS)
        outbox.set_included(connection, number, (number + 1, block), TIME_MS)
        outbox.set_final(connection, number, TIME_MS)
        self.rows.append(
            Anchor(
                member=MEMBER,
                sequence=number,
                checkpoint_hash=checkpoint.hash,
                suspended=False,
                block_number=number + 1,
                block_hash=block,
                block_time=TIME_MS // 1000 + number,
                transaction_hash=sent.hash,
            )
        )

    def save(self, connection: object) -> None:
        record = MemberRecord(
            member=MEMBER,
            name="measured",
            status=Status.ACTIVE,
            roles=Role.MANUFACTURER,
            node_url="",
            glns=(),
            rights=(),
            keys=tuple(
                Key(purpose=purpose, public=registered_form(public), valid_from=0)
                for purpose, public in (
                    (Purpose.OPERATOR, MEMBER),
                    (Purpose.EVENT, SIGNER.address),
                    (Purpose.LOG, LOG_KEY.public_key),
                )
            ),
            version=1,
            block=1,
        )
        stored = ChainRecord(
            member=MEMBER,
            version=1,
            record=encode_record(record),
            block_number=1,
            block_hash=b"\x01" * 32,
        )
        last = self.rows[-1]
        cursor = chain.Cursor(
            final_block=last.block_number, final_hash=last.block_hash, checked_ms=TIME_MS
        )
        chain.save_changes(connection, cursor, self.rows, [stored])
