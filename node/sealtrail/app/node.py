"""A node: what it is made of, in which order that starts, and in which order it stops.

Start: store, log, chain (compared), member's keys (compared), genesis entry, services, and only then HTTP.
Stop: the reverse. HTTP first, so that nothing new is promised; then deliveries, anchoring and following,
which finish the step they are at; the store last, when nobody writes any more. Each of these may be cut
short by kill -9: the next start goes the same way and resumes from store and chain.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from sqlite3 import Connection

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealtrail.api.limits import make_runner
from sealtrail.app.chain import make_chain_side
from sealtrail.app.evidence import make_evidence
from sealtrail.app.http import Answers, listen, make_node_application
from sealtrail.app.network_check import check_membership, check_network
from sealtrail.app.running import Running
from sealtrail.app.self_report import SelfReport
from sealtrail.app.store_tools import subject_of
from sealtrail.app.witnesses import make_witnesses
from sealtrail.config import Config
from sealtrail.custody import Parameters
from sealtrail.epcis.limits import Limits
from sealtrail.evidence import PackageLimits
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.membership.records import Purpose
from sealtrail.peers.client import PeerClient, PlainHttp
from sealtrail.peers.session import open_session
from sealtrail.peers.signatures import PeerKeyId
from sealtrail.peers.witness_client import WitnessClient
from sealtrail.services.answers.provenance import ProvenanceService
from sealtrail.services.answers.queries import QueryService
from sealtrail.services.answers.query_index import QueryIndex
from sealtrail.services.audit_trail.beat import AuditBeat
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.exchange.consignments import DeliveryLimits, Outgoing
from sealtrail.services.exchange.copies import Copies
from sealtrail.services.exchange.handovers import Policy
from sealtrail.services.exchange.intake import Intake
from sealtrail.services.exchange.parcels import Parcels
from sealtrail.services.fsck.continuous import ContinuousCheck, Pace
from sealtrail.services.own_log.anchoring import Anchoring, AnchoringSetup
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.services.recording.capture import CaptureService
from sealtrail.services.recording.drafting import Drafting, LocalDrafting, ProcessDrafting
from sealtrail.services.recording.drafting_process import DraftingSetup
from sealtrail.services.recording.master_data import MasterDataService
from sealtrail.services.store_check import StoreCheck
from sealtrail.signing import Domain, Ed25519Signer, EventSigner, origin_of
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity, check_identity, load_identity, save_identity
from sealtrail.store.log import LogStore

_log = logging.getLogger(__name__)

CHECK_SECONDS_MAX = 2.0  # how long a start waits for the store's check
CAPTURE_THREADS = 2  # parsing holds the interpreter; signing lets it go


class MemberKeys(msgspec.Struct, frozen=True, kw_only=True):
    """The member's private keys, 32 bytes each."""

    event: bytes
    operator: bytes
    log: bytes
    peer: bytes
    witness: bytes | None = None


class Node:
    """One running node; made by :meth:`open`."""

    def __init__(self, config: Config, keys: MemberKeys) -> None:
        self._config = config
        self._running = Running()
        self._event_key = keys.event
        self._event_signer = EventSigner(keys.event)
        self._operator = OperatorKey(keys.operator)
        self._log_signer = Ed25519Signer(keys.log)
        self._peer_key = Ed25519PrivateKey.from_private_bytes(keys.peer)
        self._peer_signer = Ed25519Signer(keys.peer)
        self._witness_signer = None if keys.witness is None else Ed25519Signer(keys.witness)

    @classmethod
    async def open(cls, config: Config, keys: MemberKeys) -> Node:
        """Start everything; return when the node answers.

        Raises:
            SealtrailError: it must not start (wrong chain, keys, store), or can't (port, chain never seen).
        """
        node = cls(config, keys)
        try:
            await node._start()
        except BaseException:
            await node.close()
            raise
        return node

    async def run(self) -> None:
        """Return when :meth:`stop` was called, or raise what a service died of."""
        await self._running.stop.wait()
        await self.close()
        self._running.raise_failure()

    def stop(self) -> None:
        """Begin to stop; harmless to repeat."""
        self._running.stop.set()

    async def close(self) -> None:
        """Stop what was started, in reverse order."""
        await self._running.close()

    async def _start(self) -> None:
        config = self._config
        chain = config.chain
        domain = Domain(
            chain_id=chain.chain_id,
            registry=_bytes(chain.registry),
            genesis_hash=_bytes(chain.genesis_hash),
        )
        config.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._database = Database.open(config.database)
        self._running.resources.callback(self._database.close)
        self._tree = LogStore.open(self._database)

        self._chain = make_chain_side(
            config.chain, self._database, self._operator, domain=domain, clock=now_ms
        )
        self._running.resources.push_async_callback(self._chain.rpc.close)
        await check_network(self._chain.rpc, self._chain.follower, self._database, domain)
        self._record = await self._database.read(
            lambda c: check_membership(c, config.member, self._public_keys())
        )
        # Nothing is signed before this line: chain, registry, member and keys were compared.
        self._identity = await self._database.write(
            lambda c: _own_identity(c, domain, config.member)
        )
        await ensure_genesis(
            self._database,
            self._tree,
            self._identity,
            signer=self._event_signer,
            record_time_ms=now_ms(),
        )
        await self._check_store(domain)
        await self._start_audit()
        self._index = await ItemIndexService.open(
            self._database,
            self._tree,
            self._identity,
            self._event_signer,
            folder=config.index_folder,
            clock=now_ms,
        )
        self._running.resources.push_async_callback(self._index.close)
        self._start_services(domain)
        await self._serve(domain)

    async def _check_store(self, domain: Domain) -> None:
        """Look through the store; a small one before anything is answered, a large one beside the work."""
        self._store_check = StoreCheck(self._database, domain)
        task = self._running.keep("checking the store", self._store_check.run(self._running.stop))
        index = QueryIndex(self._database)
        self._running.keep("indexing earlier events", index.run(self._running.stop))
        self._continuous = ContinuousCheck(
            self._database,
            subject_of(self._config),
            pace=Pace(
                share=self._config.store.check_share,
                rest_seconds=self._config.store.check_rest_seconds,
            ),
            file=self._config.store_check_file,
            clock=now_ms,
        )
        await asyncio.wait({task}, timeout=CHECK_SECONDS_MAX)
        self._running.raise_failure()

    async def _start_audit(self) -> None:
        config = self._config
        self._audit = AuditTrail(
            self._database,
            self._identity.item_salt,
            clock=now_ms,
            random=os.urandom,
            settings=config.audit,
        )
        self._audit_beat = AuditBeat(
            self._audit,
            self._database,
            self._tree,
            self._identity,
            signer=self._event_signer,
            random=os.urandom,
            notes=config.operator_notes,
        )
        await self._audit_beat.started(config.path.read_bytes())
        # after all that is started later has stopped: what it recorded last gets a digest too
        self._running.resources.push_async_callback(self._audit_beat.close)
        self._running.keep("the audit trail", self._audit_beat.run(self._running.stop))

    def _public_keys(self) -> dict[Purpose, bytes]:
        return {
            Purpose.EVENT: self._event_signer.address,
            Purpose.OPERATOR: self._operator.address,
            Purpose.LOG: self._log_signer.public_key,
            Purpose.PEER: self._peer_signer.public_key,
        }

    def _start_services(self, domain: Domain) -> None:
        self._start_capture(domain)
        self._start_anchoring(domain)
        self._provenance = ProvenanceService(
            self._database,
            self._tree,
            self._identity,
            self._chain.networks,
            self._chain.follower,
            store_check=lambda: self._store_check.state,
            clock=now_ms,
            parameters=Parameters(
                transit_seconds_max=round(self._config.custody.transit_limit_hours * 3600),
                anchor_delay_seconds_max=self._config.anchoring.delay_seconds_max,
            ),
        )
        self._running.keep("following the chain", self._chain.follower.run(self._running.stop))
        self._running.keep(
            "following the validators", self._chain.validators.run(self._running.stop)
        )
        session = open_session()
        self._running.resources.push_async_callback(session.close)
        self._start_peers(session)
        self._start_witnesses(domain, session)
        self._running.keep("checking the store again", self._continuous.run(self._running.stop))

    def _start_capture(self, domain: Domain) -> None:
        config = self._config
        delay_ms = config.anchoring.delay_seconds_max * 1000
        setup = DraftingSetup(
            domain=domain,
            member=config.member,
            item_salt=self._identity.item_salt,
            event_key=self._event_key,
            limits=Limits(
                document_bytes_max=config.http.body_bytes_max,
                events_count_max=config.http.events_per_document_max,
            ),
        )
        self._capture = CaptureService(
            self._database,
            self._tree,
            self._drafting(setup),
            setup.drafter(),
            clock=now_ms,
            random=os.urandom,
            anchor_delay_ms=delay_ms,
            recorded=lambda: self._outgoing.wake(),
            audit=self._audit,
        )
        self._queries = QueryService(
            self._database, self._tree, clock=now_ms, anchor_delay_ms=delay_ms
        )
        self._master_data = MasterDataService(
            self._database,
            member=config.member,
            clock=now_ms,
            limits=setup.limits,
            audit=self._audit,
        )

    def _start_anchoring(self, domain: Domain) -> None:
        config = self._config
        self._anchoring = Anchoring(
            self._database,
            self._chain.ledger,
            AnchoringSetup(
                member=config.member,
                origin=origin_of(domain, config.member),
                beat_seconds=config.anchoring.beat_seconds,
                poll_seconds=config.chain.poll_seconds,
                start_block=config.chain.start_block,
            ),
            head=self._tree.head,
            end_log=self._index.end_log,
            log_key=self._log_signer,
            clock=now_ms,
            random=random.random,
            moved=lambda: self._witnesses.cosigning.wake(),
        )
        self._running.keep("keeping up the item index", self._index.run(self._running.stop))
        self._running.keep("anchoring", self._anchoring.run(self._running.stop))

    def _drafting(self, setup: DraftingSetup) -> Drafting:
        processes = self._config.capture.processes
        if processes:
            drafting = ProcessDrafting(setup, processes=processes, clock=now_ms)
            self._running.resources.push_async_callback(drafting.close)
            drafting.start()
            return drafting
        executor = ThreadPoolExecutor(CAPTURE_THREADS, thread_name_prefix="sealtrail-capture")
        self._running.resources.callback(executor.shutdown)
        return LocalDrafting(setup.drafter(), limits=setup.limits, clock=now_ms, executor=executor)

    def _start_peers(self, session: aiohttp.ClientSession) -> None:
        config = self._config
        client = self._peer_client = PeerClient(
            session,
            key_id=PeerKeyId(member=config.member, public=self._peer_signer.public_key),
            private_key=self._peer_key,
            now_seconds=time.time,
            new_nonce=lambda: secrets.token_urlsafe(16),
            timeout_seconds=config.peers.timeout_seconds,
            plain_http=self._plain_http,
        )
        self._outgoing = Outgoing(
            self._database,
            self._identity,
            client,
            Parcels(
                self._tree,
                self._identity,
                self._peer_signer,
                networks=self._chain.networks,
                policy=Policy(config.peers.disclosure),
                now_ms=now_ms,
            ),
            networks=self._chain.networks,
            now_ms=now_ms,
            random=random.random,
            limits=DeliveryLimits(retry_seconds_max=config.peers.retry_seconds_max),
            audit=self._audit,
        )
        self._evidence = make_evidence(
            config,
            self._database,
            self._tree,
            self._identity,
            index=self._index,
            networks=self._chain.networks,
            follower=self._chain.follower,
            proofs=self._chain.proofs,
            signer=self._peer_signer,
            client=client,
        )
        self._copies = Copies(
            self._database,
            self._tree,
            self._identity,
            self._peer_signer,
            networks=self._chain.networks,
            now_ms=now_ms,
        )
        self._intake = Intake(
            self._database,
            self._identity,
            networks=self._chain.networks,
            now_ms=now_ms,
            limits=PackageLimits(),
            received=self._outgoing.proofs_arrived,
        )
        self._running.keep("delivering to peers", self._outgoing.run(), cancel=True)

    @property
    def _plain_http(self) -> PlainHttp:
        config = self._config
        return PlainHttp.allowed_to(config.public_url, anywhere=config.peers.plain_http)

    def _start_witnesses(self, domain: Domain, session: aiohttp.ClientSession) -> None:
        timeout_seconds = self._config.peers.timeout_seconds
        self._witnesses = make_witnesses(
            self._config,
            self._database,
            self._tree,
            self._chain.networks,
            WitnessClient(session, timeout_seconds=timeout_seconds, plain_http=self._plain_http),
            self._peer_client,
            domain=domain,
            key=self._witness_signer,
            clock=now_ms,
            chain_seconds=lambda: self._chain.seconds,
        )
        self._running.keep("watching logs", self._witnesses.watch.run(self._running.stop))
        self._running.keep("asking witnesses", self._witnesses.cosigning.run(), cancel=True)
        self._running.keep("auditing indexes", self._witnesses.auditing.run(), cancel=True)

    async def _serve(self, domain: Domain) -> None:
        config = self._config
        report = SelfReport(
            config=config,
            origin=origin_of(domain, config.member),
            public_keys=self._public_keys(),
            log=self._tree,
            database=self._database,
            follower=self._chain.follower,
            validators=self._chain.validators,
            anchoring=self._anchoring,
            capture=self._capture,
            outgoing=self._outgoing,
            store_check=self._store_check,
            audit=self._audit_beat,
            continuous=self._continuous,
            witnesses=self._witnesses,
        )
        answers = Answers(
            database=self._database,
            log=self._tree,
            identity=self._identity,
            networks=self._chain.networks,
            index=self._index,
            capture=self._capture,
            queries=self._queries,
            provenance=self._provenance,
            master_data=self._master_data,
            evidence=self._evidence,
            copies=self._copies,
            intake=self._intake,
            witnesses=self._witnesses,
            audit=self._audit,
            report=report,
        )
        runner = make_runner(make_node_application(config, answers, clock=now_ms), config.http)
        await runner.setup()
        self._running.resources.push_async_callback(runner.cleanup)
        await listen(runner, config.http)
        _log.info("listening at %s", config.public_url)


def _own_identity(connection: Connection, domain: Domain, member: bytes) -> Identity:
    """Return what the database belongs to; a new one belongs to this chain, registry and member."""
    if load_identity(connection) is None:
        fresh = Identity(
            chain_id=domain.chain_id,
            genesis_hash=domain.genesis_hash,
            registry=domain.registry,
            member=member,
            item_salt=os.urandom(32),
        )
        save_identity(connection, fresh)
    return check_identity(
        connection,
        chain_id=domain.chain_id,
        genesis_hash=domain.genesis_hash,
        registry=domain.registry,
        member=member,
    )


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))
