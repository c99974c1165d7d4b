"""Nodes that exchange packages over real HTTP on loopback, over one chain in memory: whole but for the process.

async with peers_world(tmp_path) as world:
    maker, wholesaler = await world.peer(MAKER), await world.peer(WHOLESALER)
    await maker.record(shipping(MAKER, WHOLESALER, 10, PACK))
    await until(lambda: wholesaler.events())
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import rfc8785
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from yarl import URL

from evidence_world import event_root
from provenance_world import CONTEXT, Node, World, derived, record_of
from scenarios import MAKER, PHARMACY, WHOLESALER, Actor
from sealtrail.api import index_audits as index_audit_routes
from sealtrail.api import log as log_routes
from sealtrail.api import peer as peer_routes
from sealtrail.api import witness as witness_routes
from sealtrail.api.application import make_application
from sealtrail.api.limits import make_runner
from sealtrail.config import AuditsSettings, HttpSettings, TokenSettings, WitnessesSettings
from sealtrail.epcis import read_content
from sealtrail.evidence import (
    EntryRecord,
    Package,
    PackageLimits,
    PackageNetwork,
    encode_package,
)
from sealtrail.membership.encoding import encode_record
from sealtrail.peers.client import PACKAGE_MEDIA_TYPE, PACKAGES_PATH, PeerClient, PlainHttp
from sealtrail.peers.session import open_session
from sealtrail.peers.signatures import PeerKeyId, sign_request
from sealtrail.peers.witness_client import WitnessClient
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.exchange.consignments import DeliveryLimits, Outgoing
from sealtrail.services.exchange.copies import Copies
from sealtrail.services.exchange.handovers import Policy
from sealtrail.services.exchange.intake import Intake
from sealtrail.services.exchange.parcels import Parcels
from sealtrail.services.own_log.published_log import PublishedLog
from sealtrail.services.records import load_provable
from sealtrail.services.witnesses.cosigning import Cosigning, CosigningLimits
from sealtrail.services.witnesses.index_auditing import AuditingLimits, IndexAuditing
from sealtrail.services.witnesses.index_audits_taken import IndexAuditsTaken
from sealtrail.services.witnesses.log_watch import LogWatch
from sealtrail.services.witnesses.witness_list import WitnessList
from sealtrail.services.witnesses.witnessing import Witnessing
from sealtrail.signing import (
    Ed25519Signer,
    Entry,
    Kind,
    SignedEntry,
    encode_leaf,
    entry_id,
    item_keys,
    items_root,
    parse_leaf,
    references_root,
)

LIMITS = DeliveryLimits(
    look_seconds=0.05, gather_seconds=0.0, retry_seconds_first=0.05, retry_seconds_max=0.4
)
AUDITING = AuditingLimits(
    look_seconds=0.05, anchor_seconds_max=0.2, anchor_poll_seconds=0.02, retry_seconds_first=0.05
)
WAIT_SECONDS_MAX = 60.0
ANCHOR_DELAY_MS = 60_000
LOG_TOKEN, OTHER_TOKEN = "reads-the-log", "reads-no-log"
TOKENS = [
    TokenSettings(name=text, sha256=hashlib.sha256(text.encode()).hexdigest(), scopes=[scope])
    for text, scope in ((LOG_TOKEN, "log"), (OTHER_TOKEN, "query"))
]
KEPT_TABLES = (
    *("event", "event_item", "foreign_entry", "foreign_log"),
    *("checkpoint", "disclosed", "delivery"),
)


async def until(condition: Callable[[], Any], what: str = "the condition") -> Any:
    """Return the condition's first true value."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        await asyncio.sleep(0.01)
    raise AssertionError(f"waited {WAIT_SECONDS_MAX} seconds for {what}")


class PeersWorld(World):
    """The chain, and nodes that know each other's addresses through it."""

    def __init__(
        self, folder: Path, actors: Iterable[Actor] = (MAKER, WHOLESALER, PHARMACY)
    ) -> None:
        super().__init__(folder, actors)
        self.peers: dict[str, Peer] = {}
        self.versions: dict[bytes, int] = {}

    async def peer(self, actor: Actor, **options: Any) -> Peer:
        """Start a member's node and its exchange with others."""
        peer = Peer(self, actor, **options)
        self.nodes[actor.name] = self.peers[actor.name] = peer
        await peer.start()
        await peer.open()
        await self.announce(actor, node_url=peer.url)
        return peer

    async def announce(self, actor: Actor, **changes: Any) -> None:
        """Change a member's record on the chain, and have every node read it."""
        version = self.versions.get(actor.member, 1) + 1
        self.versions[actor.member] = version
        record = record_of(actor, version=version, **changes)
        self.chain.record(actor.member, version, encode_record(record))
        for peer in self.peers.values():
            await peer.follower.check_now()

    async def aclose(self) -> None:
        for peer in self.peers.values():
            await peer.aclose()
        self.close()


@asynccontextmanager
async def peers_world(
    folder: Path, actors: Iterable[Actor] = (MAKER, WHOLESALER, PHARMACY)
) -> AsyncIterator[PeersWorld]:
    """A world that ends with the block."""
    world = PeersWorld(folder, actors)
    try:
        yield world
    finally:
        await world.aclose()


class Peer(Node):
    """A member's node with its peer API and its deliveries."""

    def __init__(
        self,
        world: PeersWorld,
        actor: Actor,
        *,
        policy: Policy = Policy.ALL,
        timeout_seconds: float = 10.0,
        package_limits: PackageLimits | None = None,
    ) -> None:
        super().__init__(world, actor, None)
        self.url = ""
        self.port = 0
        self._policy = policy
        self._timeout_seconds = timeout_seconds
        self.peer_key = Ed25519PrivateKey.from_private_bytes(derived(actor.name, "peer"))
        self.key_id = PeerKeyId(member=actor.member, public=self.peer_signer.public_key)
        self.intake = Intake(
            self.database,
            self.identity,
            networks=self.networks,
            now_ms=_now_ms,
            limits=package_limits or PackageLimits(),
            received=lambda: self.outgoing.proofs_arrived(),
        )
        self.published = PublishedLog(
            self.database, self.log, member=actor.member, networks=self.networks
        )
        self.watch = LogWatch(
            self.database,
            self.networks,
            domain=world.domain,
            member=actor.member,
            clock=_now_ms,
            chain_seconds=lambda: self.follower.checked and self.follower.checked.final.time,
            anchor_delay_ms=ANCHOR_DELAY_MS,
        )
        self.witnessing = self.witness_service()
        self.cosigning: Cosigning | None = None
        self.audits_taken = IndexAuditsTaken(
            self.database,
            self.networks,
            domain=world.domain,
            member=actor.member,
            clock=_now_ms,
        )
        self.copies = Copies(
            self.database,
            self.log,
            self.identity,
            self.peer_signer,
            networks=self.networks,
            now_ms=_now_ms,
        )
        self._serving = AsyncExitStack()
        self._delivering = AsyncExitStack()
        self.outgoing: Outgoing

    async def open(self) -> None:
        """Listen and deliver."""
        await self.listen()
        await self.deliver()

    async def listen(self) -> None:
        """Listen, at the same address as before."""
        self.url = self.url or f"http://127.0.0.1:{self._free_port()}"

        async def status() -> dict[str, Any]:
            return {}

        async def ready() -> list[str]:
            return []

        application = make_application(
            capture=self.capture,
            queries=QueryService(self.database, self.log, clock=_now_ms, anchor_delay_ms=60_000),
            settings=HttpSettings(),
            tokens=TOKENS,
            status=status,
            readiness=ready,
            metrics=dict,
            more_routes=[
                *peer_routes.routes(
                    self.intake, self.copies, public_url=self.url, timeout_seconds=10.0
                ),
                *log_routes.routes(
                    self.published,
                    authenticate=peer_routes.authenticator(self.intake, public_url=self.url),
                ),
                *index_audit_routes.routes(
                    self.audits_taken, self.intake, public_url=self.url, timeout_seconds=10.0
                ),
                *witness_routes.routes(self.witnessing, self.watch, timeout_seconds=10.0),
            ],
            audit=self.trail,
        )
        runner = make_runner(application, HttpSettings())
        await runner.setup()
        self._serving.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", self.port).start()

    def witness_service(self, **changes: Any) -> Witnessing:
        """Return what cosigns at this node, made differently."""
        settings = {
            "domain": self.world.domain,
            "member": self.actor.member,
            "key": Ed25519Signer(derived(self.actor.name, "witness")),
            "clock": _now_ms,
        }
        return Witnessing(self.database, self.networks, self.watch, **{**settings, **changes})

    async def ask_witnesses(
        self, settings: WitnessesSettings | None = None, *, timeout_seconds: float = 10.0
    ) -> Cosigning:
        """Start having this node's checkpoints cosigned."""
        session = open_session()
        self._delivering.push_async_callback(session.close)
        self.cosigning = Cosigning(
            self.database,
            self.log,
            WitnessClient(
                session, timeout_seconds=timeout_seconds, plain_http=PlainHttp.THIS_MACHINE
            ),
            WitnessList(
                settings or WitnessesSettings(),
                domain=self.world.domain,
                member=self.actor.member,
            ),
            networks=self.networks,
            clock=_now_ms,
            random=lambda: 0.5,
            limits=CosigningLimits(
                look_seconds=0.1, retry_seconds_first=0.05, retry_seconds_max=0.4
            ),
        )
        self._keep(self.cosigning.run())
        return self.cosigning

    def checkpoint_moved(self) -> None:
        """Have it cosigned."""
        if self.cosigning is not None:
            self.cosigning.wake()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)

        async def stop() -> None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        self._delivering.push_async_callback(stop)

    async def hang_up(self) -> None:
        """Stop listening, as a node that is down."""
        await self._serving.aclose()

    async def deliver(self) -> None:
        """Start delivering, as a node that starts."""
        session = open_session()
        self._delivering.push_async_callback(session.close)
        client = self.client = self._peer_client(session)
        self.outgoing = Outgoing(
            self.database,
            self.identity,
            client,
            Parcels(
                self.log,
                self.identity,
                self.peer_signer,
                networks=self.networks,
                policy=self._policy,
                now_ms=_now_ms,
                limits=self.intake.limits,
            ),
            networks=self.networks,
            now_ms=_now_ms,
            random=lambda: 0.5,
            limits=LIMITS,
            audit=self.trail,
        )
        self._keep(self.outgoing.run())

    def _peer_client(self, session: aiohttp.ClientSession) -> PeerClient:
        return PeerClient(
            session,
            key_id=self.key_id,
            private_key=self.peer_key,
            now_seconds=time.time,
            new_nonce=lambda: secrets.token_urlsafe(16),
            timeout_seconds=self._timeout_seconds,
            plain_http=PlainHttp.THIS_MACHINE,
        )

    def audit_service(self, limits: AuditingLimits = AUDITING, **settings: Any) -> IndexAuditing:
        """Return what audits others' indexes at this node, not started."""
        return IndexAuditing(
            self.database,
            self.networks,
            self.watch,
            self.client,
            AuditsSettings(**{"beat_seconds": 1.0, **settings}),
            domain=self.world.domain,
            member=self.actor.member,
            key=Ed25519Signer(derived(self.actor.name, "witness")),
            folder=self.audits_folder,
            clock=_now_ms,
            random=lambda: 0.5,
            limits=limits,
        )

    async def audit_others(
        self, limits: AuditingLimits = AUDITING, **settings: Any
    ) -> IndexAuditing:
        """Start auditing others' indexes."""
        auditing = self.audit_service(limits, **settings)
        self._keep(auditing.run())
        return auditing

    @property
    def audits_folder(self) -> Path:
        """Where it keeps what it read of others' logs."""
        return self.world.folder / f"{self.actor.name}-audits"

    async def stop_delivering(self) -> None:
        """Stop where it is, as a node that is stopped or killed: what is not in the store is gone."""
        await self._delivering.aclose()

    async def aclose(self) -> None:
        await self.stop_delivering()
        await self.hang_up()

    def _free_port(self) -> int:
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        return self.port

    # -- looking into it -----------------------------------------------------------------------------

    def sql(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the store."""
        return self.database.read_sync(lambda c: c.execute(query, values).fetchall())

    def holds(self, entry_ids: Iterable[bytes]) -> bool:
        """Tell whether the node has all those entries' events."""
        known = {row[0] for row in self.sql("SELECT entry_id FROM event")}
        return set(entry_ids) <= known

    def others(self) -> set[bytes]:
        """Entry ids of the events of other members."""
        return {row[0] for row in self.sql("SELECT entry_id FROM event WHERE leaf_index IS NULL")}

    def counts(self) -> dict[str, int]:
        """Rows of every table that a package may write to."""
        return {name: self.sql(f"SELECT count(*) FROM {name}")[0][0] for name in KEPT_TABLES}

    def undelivered(self, stage: str | None = None) -> int:
        """Count deliveries that wait."""
        query = "SELECT count(*) FROM delivery WHERE delivered_ms IS NULL AND stage LIKE ?"
        return int(self.sql(query, stage or "%")[0][0])

    # -- speaking as a node, or as somebody who pretends to be one ------------------------------------

    def package(self, recipient: Actor, entry_ids: Iterable[bytes], **changes: Any) -> bytes:
        """Return a signed package of this node's entries; ``changes`` are made before signing."""
        wanted = tuple(entry_ids)
        provable = self.database.read_sync(
            lambda c: load_provable(
                c, self.log, self.identity, wanted, last_block=self._followed(c)
            )
        )
        entries = tuple(msgspec.structs.replace(p.record, item_keys=()) for p in provable)
        package = Package(
            network=PackageNetwork(**msgspec.structs.asdict(self.world.identity)),
            issuer=self.actor.member,
            recipient=recipient.member,
            purpose="consignment",
            created_ms=_now_ms(),
            subjects=wanted[-1:],
            entries=entries,
        )
        return encode_package(msgspec.structs.replace(package, **changes), self.peer_signer)

    def entry(
        self, event: dict[str, Any], *, salt: bytes | None = None, record_time_ms: int | None = None
    ) -> EntryRecord:
        """Return a signed entry of an event, whatever this node's own log holds."""
        content = rfc8785.dumps({"@context": CONTEXT, **event})
        recorded = read_content(content, "application/ld+json")
        seed, salt = secrets.token_bytes(32), salt or self.identity.item_salt
        entry = Entry(
            kind=Kind.EVENT,
            member=self.actor.member,
            record_time_ms=record_time_ms or _now_ms(),
            disclosure_root=event_root(recorded, seed),
            items_root=items_root(item_keys(salt, recorded.items)),
            references_root=references_root(()),
        )
        digest = entry_id(entry, self.world.domain)
        return EntryRecord(
            leaf=encode_leaf(SignedEntry(entry, self.signer.sign(digest))),
            content=content,
            media_type=recorded.media_type,
            seed=seed,
            item_salt=salt,
        )

    def without_salt(self, record: EntryRecord, keys: Iterable[bytes] | None = None) -> EntryRecord:
        """Return the entry with its items' keys, or with those that are given instead, and no salt."""
        assert record.content is not None
        items = read_content(record.content, record.media_type).items
        salt = self.identity.item_salt
        known = set(item_keys(salt, items) if keys is None else keys)
        entry = msgspec.structs.replace(parse_leaf(record.leaf).entry, items_root=items_root(known))
        leaf = encode_leaf(SignedEntry(entry, self.signer.sign(entry_id(entry, self.world.domain))))
        return msgspec.structs.replace(
            record, leaf=leaf, item_salt=None, item_keys=tuple(sorted(known))
        )

    def id_of(self, record: EntryRecord) -> bytes:
        """Return an entry's id."""
        return entry_id(parse_leaf(record.leaf).entry, self.world.domain)

    def package_of(self, recipient: Actor, *entries: EntryRecord, **changes: Any) -> bytes:
        """Return a signed package of these entries, about the last of them."""
        subjects = (self.id_of(entries[-1]),)
        return self.package(recipient, (), entries=entries, subjects=subjects, **changes)

    async def post(
        self,
        other: Peer,
        body: bytes,
        *,
        headers: dict[str, str] | None = None,
        media_type: str = PACKAGE_MEDIA_TYPE,
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        """Post to another node, signed by this one unless headers are given; also return those sent."""
        url = other.url + PACKAGES_PATH
        signed = headers or self.signed(url, body)
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                url, data=body, headers={**signed, "Content-Type": media_type}
            ) as response,
        ):
            return response.status, await response.json(content_type=None), signed

    async def get(
        self, other: Peer, path: str, *, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Get from another node, signed by this one unless headers are given; also return the answer's headers."""
        url = other.url + path
        signed = self.signed(url, b"", "GET") if headers is None else headers
        async with (
            aiohttp.ClientSession() as session,
            session.get(URL(url, encoded=True), headers=signed) as response,
        ):
            return response.status, await response.read(), response.headers

    def signed(self, url: str, body: bytes, method: str = "POST") -> dict[str, str]:
        """Return the headers that sign a request."""
        return sign_request(
            method,
            url,
            body,
            key_id=self.key_id,
            private_key=self.peer_key,
            created_seconds=int(time.time()),
            nonce=secrets.token_urlsafe(16),
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
