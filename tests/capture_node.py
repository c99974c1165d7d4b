"""A node's capture part over HTTP, whole and real, without chain and peers: for tests, and to be run as a process.

``python tests/capture_node.py DIR PORT`` serves until it is killed and prints a line when it is ready.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from sealtrail.api import audit as audit_routes
from sealtrail.api import masterdata as masterdata_routes
from sealtrail.api.application import make_application
from sealtrail.api.limits import make_runner
from sealtrail.app.subscriptions import Subscribing, make_subscribing
from sealtrail.config import AuditSettings, HttpSettings, SubscriptionsSettings, TokenSettings
from sealtrail.epcis import Limits
from sealtrail.gs1 import CompanyPrefixes
from sealtrail.services.answers.master_data import MasterDataAnswers
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.audit_trail.beat import AuditBeat
from sealtrail.services.audit_trail.reader import AuditReader
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.services.recording.capture import CaptureService
from sealtrail.services.recording.drafting import Drafting, LocalDrafting, ProcessDrafting
from sealtrail.services.recording.drafting_process import DraftingSetup
from sealtrail.services.recording.master_data import MasterDataService
from sealtrail.signing import Domain, EventSigner
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity, load_identity, save_identity
from sealtrail.store.log import LogStore

DOMAIN = Domain(chain_id=1337, registry=b"\x11" * 20, genesis_hash=b"\x22" * 32)
EVENT_KEY = b"\x33" * 32
SIGNER = EventSigner(EVENT_KEY)
ITEM_SALT = b"\x44" * 32
ANCHOR_DELAY_MS = 60_000
TOKEN = "all-scopes"
SCOPES = ["capture", "query", "subscribe", "provenance", "status", "audit"]
TO_THIS_MACHINE = SubscriptionsSettings(
    allow=["127.0.0.0/8"], plain_http=True, retry_seconds_max=0.1, timeout_seconds=2.0
)
# For a client that would rather have receipts than events back
RECEIPTS = {"Accept": "application/vnd.sealtrail.receipt+json, */*;q=0.9"}
IDENTITY = Identity(
    chain_id=DOMAIN.chain_id,
    genesis_hash=DOMAIN.genesis_hash,
    registry=DOMAIN.registry,
    member=SIGNER.address,
    item_salt=ITEM_SALT,
)


async def company_prefixes() -> CompanyPrefixes:
    """Return where the company prefixes of the tests' identifiers end."""
    return CompanyPrefixes({"4012345": 7}, lambda _: None)


def token(name: str, text: str, scopes: list[Any]) -> TokenSettings:
    """Return the settings of one bearer token."""
    return TokenSettings(name=name, sha256=hashlib.sha256(text.encode()).hexdigest(), scopes=scopes)


TOKENS = [
    token("everything", TOKEN, SCOPES),
    token("writer", "capture-only", ["capture"]),
    token("reader", "query-only", ["query"]),
]


@dataclass
class CaptureNode:
    """What the tests look into."""

    url: str
    database: Database
    log: LogStore
    capture: CaptureService
    queries: QueryService
    trail: AuditTrail
    beat: AuditBeat
    subscribing: Subscribing


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def drafting_of(setup: DraftingSetup, processes: int) -> AsyncIterator[Drafting]:
    """Give either kind of drafting."""
    if processes:
        drafting = ProcessDrafting(setup, processes=processes, clock=now_ms)
        try:
            yield drafting
        finally:
            await drafting.close()
        return
    with ThreadPoolExecutor(2) as executor:
        yield LocalDrafting(setup.drafter(), limits=setup.limits, clock=now_ms, executor=executor)


@asynccontextmanager
async def services(
    path: Path,
    *,
    limits: Limits | None = None,
    processes: int = 0,
    audit: Callable[[Database], AuditTrail] | None = None,
    recorded: Callable[[], None] | None = None,
) -> AsyncIterator[tuple[Database, LogStore, CaptureService, QueryService]]:
    """Open a store and build the services over it; documents are drafted in so many processes, 0: in this one."""
    database = Database.open(path)
    if database.read_sync(load_identity) is None:
        database.write_sync(lambda c: save_identity(c, IDENTITY))
    log = LogStore.open(database)
    await ensure_genesis(database, log, IDENTITY, signer=SIGNER, record_time_ms=now_ms())
    setup = DraftingSetup(
        domain=DOMAIN,
        member=SIGNER.address,
        item_salt=ITEM_SALT,
        event_key=EVENT_KEY,
        limits=limits or Limits(),
    )
    async with drafting_of(setup, processes) as drafting:
        capture = CaptureService(
            database,
            log,
            drafting,
            setup.drafter(),
            clock=now_ms,
            random=os.urandom,
            anchor_delay_ms=ANCHOR_DELAY_MS,
            recorded=recorded,
            audit=None if audit is None else audit(database),
        )
        queries = QueryService(database, log, clock=now_ms, anchor_delay_ms=ANCHOR_DELAY_MS)
        try:
            yield database, log, capture, queries
        finally:
            database.close()


@asynccontextmanager
async def capture_node(
    path: Path,
    *,
    port: int = 0,
    settings: HttpSettings | None = None,
    audit: AuditSettings | None = None,
    subscriptions: SubscriptionsSettings = TO_THIS_MACHINE,
    **more: Any,
) -> AsyncIterator[CaptureNode]:
    """Serve the capture part, and subscriptions, on loopback."""
    trails: list[AuditTrail] = []
    recorded: list[Callable[[], None]] = []

    def audited(database: Database) -> AuditTrail:
        trails.append(
            AuditTrail(database, ITEM_SALT, clock=now_ms, random=os.urandom, settings=audit)
        )
        return trails[0]

    def tell() -> None:
        for told in recorded:
            told()

    opened = services(path, audit=audited, recorded=tell, **more)
    async with opened as (database, log, capture, queries), AsyncExitStack() as closing:
        (trail,) = trails
        beat = AuditBeat(
            trail,
            database,
            log,
            IDENTITY,
            signer=SIGNER,
            random=os.urandom,
            notes=path.parent / "operator-notes",
        )
        await beat.started(b"")
        stop = asyncio.Event()
        task = asyncio.create_task(beat.run(stop))
        subscribing = make_subscribing(
            subscriptions, database, prefixes=company_prefixes, clock=now_ms, audit=trail
        )
        closing.push_async_callback(subscribing.close)
        closing.push_async_callback(cancel, asyncio.create_task(subscribing.run()))
        recorded.append(subscribing.recorded)

        async def status() -> dict[str, Any]:
            return {"log": {"size": log.size}}

        async def readiness() -> list[str]:
            return []

        public_url = f"http://127.0.0.1:{port}"
        application = make_application(
            capture=capture,
            queries=queries,
            settings=settings or HttpSettings(),
            tokens=TOKENS,
            status=status,
            readiness=readiness,
            metrics=lambda: {"sealtrail_events_captured_total": capture.statistics.events},
            audit=trail,
            prefixes=company_prefixes,
            listing_routes=lambda listing: subscribing.routes(
                listing, http=settings or HttpSettings(), public_url=public_url
            ),
            more_routes=[
                *audit_routes.routes(AuditReader(database, log, IDENTITY, clock=now_ms)),
                *masterdata_routes.routes(
                    MasterDataService(
                        database,
                        member=SIGNER.address,
                        clock=now_ms,
                        limits=Limits(),
                        audit=trail,
                    ),
                    MasterDataAnswers(database, clock=now_ms),
                    settings or HttpSettings(),
                ),
            ],
        )
        runner = make_runner(application, settings or HttpSettings())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        bound = runner.addresses[0][1]
        try:
            url = f"http://127.0.0.1:{bound}"
            yield CaptureNode(url, database, log, capture, queries, trail, beat, subscribing)
        finally:
            subscribing.feeds.end()
            await runner.cleanup()
            stop.set()
            await task
            await beat.close()


async def cancel(task: asyncio.Task[Any]) -> None:
    """End a task."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def main() -> None:
    """Serve until killed."""
    async with capture_node(Path(sys.argv[1]) / "node.db", port=int(sys.argv[2])) as node:
        print(node.url, flush=True)  # noqa: T201 - what the parent waits for
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
