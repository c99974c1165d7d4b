"""Checks of a store by itself: what the command line runs beside, or without, the node."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.app.network_check import anchors_address
from sealtrail.config import Config
from sealtrail.errors import NotFoundError
from sealtrail.evidence import EntryRecord
from sealtrail.ledger.chain import ChainLedger, Contracts
from sealtrail.ledger.envelope import parse_sent
from sealtrail.ledger.fees import FeeMode
from sealtrail.ledger.finality import parse_finality
from sealtrail.ledger.rpc import ChainIdentity, Rpc
from sealtrail.membership.records import Purpose
from sealtrail.peers.client import PeerClient, PlainHttp
from sealtrail.peers.session import open_session
from sealtrail.peers.signatures import PeerKeyId
from sealtrail.services.chain.network import NetworkIdentity
from sealtrail.services.fsck.drill import Tampering, copy_runs, copy_store, drill, require_room
from sealtrail.services.fsck.fetching import fetch_copies
from sealtrail.services.fsck.processes import open_processes
from sealtrail.services.fsck.repair import Mend, Plan, apply_plan, plan_repair
from sealtrail.services.fsck.run import LocalLooking, Looking, Progress, Report, check_store
from sealtrail.services.fsck.scope import KeyFile, Scope, Subject, open_snapshot
from sealtrail.signing import Ed25519Signer
from sealtrail.store.database import Database

# Smaller stores are checked sooner than further processes have started.
ALONE_ENTRIES_MAX = 5_000
PROCESSES_MAX = 16
DRILL_FAULTS_MAX = 1_000_000  # one event that is gone may be thousands of items that are too many
_PURPOSES = (Purpose.EVENT, Purpose.OPERATOR, Purpose.LOG, Purpose.PEER)


def network_of(config: Config) -> NetworkIdentity:
    """Return the configured network."""
    registry = _bytes(config.chain.registry)
    return NetworkIdentity(
        chain_id=config.chain.chain_id,
        genesis_hash=_bytes(config.chain.genesis_hash),
        registry=registry,
        anchors=anchors_address(registry),
    )


def subject_of(config: Config) -> Subject:
    """Return the store that the configuration names, to be checked.

    Raises:
        NotFoundError: there is none (``store_missing``).
    """
    if not config.database.exists():
        raise NotFoundError(
            "store_missing",
            f"no database at {config.database}",
            pointer="node.data_dir",
            advice="is this the right configuration? A node makes its store at its first start",
        )
    return Subject(
        database=config.database,
        network=network_of(config),
        member=config.member,
        read_transaction=parse_sent,
        counting_key=os.urandom(16),
        key_files=tuple(
            KeyFile(p, config.resolve(getattr(config.keys, p.name.lower()))) for p in _PURPOSES
        ),
        index_folder=config.index_folder,
    )


async def run_fsck(
    config: Config, *, offline: bool, processes: int | None, progress: Progress
) -> Report:
    """Check the configured store, and with the chain unless ``offline``.

    Args:
        processes: how many look at the same time; None: one a core, for a store that is worth it.

    Raises:
        NotFoundError: ``store_missing``.
        UnavailableError, IntegrityError: the database can't be read at all.
    """
    with _looking(subject_of(config), processes) as (looking, scope):
        return await ask_chain(config, scope, looking, offline=offline, progress=progress)


def make_plan(config: Config, report: Report) -> Plan:
    """Say what could be mended of what was found; nothing is changed, and nobody asked."""
    with closing(open_snapshot(config.database)) as snapshot:
        return plan_repair(Scope(snapshot, subject_of(config)), report)


async def run_repair(
    config: Config, plan: Plan, peer_key: bytes | None, said: Callable[[str], None]
) -> tuple[Mend, ...]:
    """Mend what can be, in one transaction.

    Args:
        peer_key: signs questions to other members' nodes; None: nobody is asked.
        said: told in words how members answered.

    Raises:
        UnavailableError: a node has the store (``store_in_use``); the disk is full.
        IntegrityError: the database is damaged so far that it can't be written.
    """
    subject = subject_of(config)
    database = Database.open(config.database)
    try:
        copies: dict[bytes, EntryRecord] = {}
        if plan.wanted and peer_key is not None:
            copies = await _fetch(config, subject, plan, peer_key, said)
        return await database.write(
            lambda c: apply_plan(
                Scope(c, subject), plan, copies, now_ms=time.time_ns() // 1_000_000
            )
        )
    finally:
        database.close()


async def _fetch(
    config: Config,
    subject: Subject,
    plan: Plan,
    peer_key: bytes,
    said: Callable[[str], None],
) -> dict[bytes, EntryRecord]:
    key = Ed25519PrivateKey.from_private_bytes(peer_key)
    async with open_session() as session:
        client = PeerClient(
            session,
            key_id=PeerKeyId(member=config.member, public=Ed25519Signer(peer_key).public_key),
            private_key=key,
            now_seconds=time.time,
            new_nonce=lambda: secrets.token_urlsafe(16),
            timeout_seconds=config.peers.timeout_seconds,
            plain_http=PlainHttp.allowed_to(config.public_url, anywhere=config.peers.plain_http),
        )
        with closing(open_snapshot(config.database)) as snapshot:
            return await fetch_copies(Scope(snapshot, subject), client, plan, said)


def run_drill(
    config: Config,
    *,
    count: int,
    seed: int,
    work_dir: Path,
    progress: Progress,
) -> list[Tampering]:
    """Damage a copy of the store and see what the checks find; the store itself is only read.

    The chain is not asked: what a copy says of it is compared with what the store's own checks compare.

    Raises:
        NotFoundError: ``store_missing``. InputError: ``drill_of_damage``.
        UnavailableError: ``disk_full``; the database can't be read.
    """
    subject = subject_of(config)
    require_room(subject.database, work_dir)
    with tempfile.TemporaryDirectory(prefix="sealtrail-drill-", dir=work_dir) as folder:
        copy = copy_store(subject.database, Path(folder))
        runs = None
        if subject.index_folder is not None:
            runs = copy_runs(subject.index_folder, Path(folder) / "index")
        changed = msgspec.structs.replace(subject, database=copy, key_files=(), index_folder=runs)

        def check() -> Report:
            with _looking(changed, None) as (looking, scope):
                return asyncio.run(
                    check_store(
                        scope, looking, ledger=None, faults_max=DRILL_FAULTS_MAX, progress=progress
                    )
                )

        return drill(copy, runs, count=count, seed=seed, check=check)


async def ask_chain(
    config: Config, scope: Scope, looking: Looking, *, offline: bool, progress: Progress
) -> Report:
    """Run all checks over a snapshot, with the configured chain unless ``offline``."""
    if offline:
        return await check_store(scope, looking, ledger=None, progress=progress)
    async with open_reader(config) as ledger:
        return await check_store(
            scope,
            looking,
            ledger=ledger,
            start_block=config.chain.start_block,
            progress=progress,
        )


@asynccontextmanager
async def open_reader(config: Config) -> AsyncIterator[ChainLedger]:
    """Open the configured chain, to read from."""
    network = network_of(config)
    identity = ChainIdentity(chain_id=network.chain_id, genesis_hash=network.genesis_hash)
    rpc = Rpc(
        config.chain.rpc_urls, expected=identity, timeout_seconds=config.chain.timeout_seconds
    )
    try:
        yield ChainLedger(
            rpc,
            contracts=Contracts(registry=network.registry, anchors=network.anchors),
            finality=parse_finality(config.chain.finality),
            fees=FeeMode(config.chain.fees),
            chain_id=network.chain_id,
        )
    finally:
        await rpc.close()


@contextmanager
def _looking(subject: Subject, processes: int | None) -> Iterator[tuple[Looking, Scope]]:
    snapshot = open_snapshot(subject.database)
    with closing(snapshot):
        scope = Scope(snapshot, subject)
        chosen = _processes(scope) if processes is None else processes
        if chosen <= 1:
            yield LocalLooking(scope), scope
            return
    with open_processes(subject, chosen) as (looking, same):
        yield looking, same


def _processes(scope: Scope) -> int:
    if scope.count_or(0, "SELECT max(leaf_index) FROM entry") <= ALONE_ENTRIES_MAX:
        return 1
    return min(PROCESSES_MAX, len(os.sched_getaffinity(0)))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
