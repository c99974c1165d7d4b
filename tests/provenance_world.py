"""A network of whole nodes (store, log, capture, anchoring, follower, provenance) over one chain in memory.

No HTTP and no peers' protocol between them: what a node has of another's it was handed as a package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import msgspec

from fakes.ledger import FakeChain, FakeLedger
from scenarios import MAKER, PHARMACY, WHOLESALER, Actor
from sealtrail.custody import Parameters
from sealtrail.epcis import Limits
from sealtrail.evidence import Package, PackageLimits, PackageNetwork, encode_package
from sealtrail.gs1 import parse_item
from sealtrail.membership.encoding import encode_record
from sealtrail.membership.records import Key, MemberRecord, NumberingRight, Purpose, Status
from sealtrail.services.answers.provenance import Answer, ProvenanceService
from sealtrail.services.answers.provenance_view import answer_view
from sealtrail.services.audit_trail.beat import AuditBeat
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.chain.follower import Follower
from sealtrail.services.chain.network import FollowedNetworks, NetworkIdentity
from sealtrail.services.exchange.intake import Intake
from sealtrail.services.own_log.anchor_sender import SenderTiming
from sealtrail.services.own_log.anchoring import Anchoring, AnchoringSetup
from sealtrail.services.own_log.genesis import ensure_genesis
from sealtrail.services.own_log.item_index import ItemIndexService
from sealtrail.services.own_log.item_lists import ItemListService
from sealtrail.services.recording.capture import CaptureService
from sealtrail.services.recording.drafting import LocalDrafting
from sealtrail.services.recording.drafts import Drafter
from sealtrail.services.records import load_provable
from sealtrail.services.store_check import StoreCheck
from sealtrail.signing import Domain, Ed25519Signer, EventSigner, Kind, origin_of
from sealtrail.store import chain as chain_store
from sealtrail.store.database import Database
from sealtrail.store.erasure import Tombstone, erase_events
from sealtrail.store.events import load_by_entries
from sealtrail.store.identity import Identity, load_identity, save_identity
from sealtrail.store.log import LogStore

CONTEXT = ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"]
CHAIN_START = 1_700_000_000
NOW_MS = (CHAIN_START + 600) * 1000
BEAT_SECONDS = 10.0


def derived(*parts: str) -> bytes:
    """Return 32 bytes that follow from names."""
    return sha256("/".join(parts).encode()).digest()


class World:
    """The chain that all share, and who is a member."""

    def __init__(
        self, folder: Path, actors: Iterable[Actor] = (MAKER, WHOLESALER, PHARMACY)
    ) -> None:
        self.folder = folder
        self.chain = FakeChain()
        self.identity = NetworkIdentity(
            chain_id=1337,
            genesis_hash=self.chain.blocks[0].head.hash,
            registry=b"\x02" * 20,
            anchors=b"\x03" * 20,
        )
        self.nodes: dict[str, Node] = {}
        for actor in actors:
            self.chain.record(actor.member, 1, encode_record(record_of(actor)))

    @property
    def domain(self) -> Domain:
        return Domain(
            chain_id=self.identity.chain_id,
            registry=self.identity.registry,
            genesis_hash=self.identity.genesis_hash,
        )

    async def node(self, actor: Actor, *, parameters: Parameters | None = None) -> Node:
        """Start a member's node."""
        node = Node(self, actor, parameters)
        self.nodes[actor.name] = node
        await node.start()
        return node

    def close(self) -> None:
        for node in self.nodes.values():
            node.database.close()


class Node:
    """One member's node."""

    def __init__(self, world: World, actor: Actor, parameters: Parameters | None) -> None:
        self.world = world
        self.actor = actor
        self.now_ms = NOW_MS
        self.signer = EventSigner(derived(actor.name, "event"))
        self.peer_signer = Ed25519Signer(derived(actor.name, "peer"))
        self.identity = Identity(
            chain_id=world.identity.chain_id,
            genesis_hash=world.identity.genesis_hash,
            registry=world.identity.registry,
            member=actor.member,
            item_salt=derived(actor.name, "salt"),
        )
        self.database = Database.open(world.folder / f"{actor.name}.db", readers=2)
        self.database.write_sync(self._identify)
        self.log = LogStore.open(self.database)
        self.ledger = FakeLedger(world.chain, actor.member)
        self.networks = FollowedNetworks(world.identity)
        self.follower = Follower(
            self.database, self.ledger, clock=lambda: self.now_ms, random=lambda: 0.5
        )
        self.trail = AuditTrail(
            self.database, self.identity.item_salt, clock=lambda: self.now_ms, random=os.urandom
        )
        self.capture = self._capture()
        self.anchoring = self._anchoring()
        self.store_check = StoreCheck(self.database, world.domain)
        self.provenance = self.provenance_service(parameters=parameters)

    def _identify(self, connection: Connection) -> None:
        if load_identity(connection) is None:  # else it is a node that starts again
            save_identity(connection, self.identity)

    async def start(self) -> None:
        await ensure_genesis(
            self.database, self.log, self.identity, signer=self.signer, record_time_ms=self.now_ms
        )
        self.index = await ItemIndexService.open(
            self.database,
            self.log,
            self.identity,
            self.signer,
            folder=self.world.folder / f"{self.actor.name}-index",
            clock=lambda: self.now_ms,
        )
        self.lists = ItemListService(
            self.database, self.log, self.identity, self.networks, self.index
        )
        await self.follower.check_now()

    def provenance_service(self, **settings: Any) -> ProvenanceService:
        """Return what answers for this node, set differently."""
        return ProvenanceService(
            self.database,
            self.log,
            self.identity,
            self.networks,
            self.follower,
            store_check=lambda: self.store_check.state,
            clock=lambda: self.now_ms,
            **settings,
        )

    def _capture(self) -> CaptureService:
        drafter = Drafter(
            domain=self.world.domain,
            member=self.actor.member,
            item_salt=self.identity.item_salt,
            signer=self.signer,
            random=os.urandom,
        )
        return CaptureService(
            self.database,
            self.log,
            LocalDrafting(
                drafter,
                limits=Limits(),
                clock=lambda: self.now_ms,
                executor=ThreadPoolExecutor(1),
            ),
            drafter,
            clock=lambda: self.now_ms,
            random=os.urandom,
            anchor_delay_ms=60_000,
            audit=self.trail,
        )

    def audit_beat(self) -> AuditBeat:
        """Return what keeps the node's audit trail going."""
        return AuditBeat(
            self.trail,
            self.database,
            self.log,
            self.identity,
            signer=self.signer,
            random=os.urandom,
            notes=self.world.folder / f"{self.actor.name}-notes",
        )

    def _anchoring(self) -> Anchoring:
        return Anchoring(
            self.database,
            self.ledger,
            AnchoringSetup(
                member=self.actor.member,
                origin=origin_of(self.world.domain, self.actor.member),
                beat_seconds=BEAT_SECONDS,
                timing=SenderTiming(resend_seconds=5.0, replace_seconds=20.0),
            ),
            head=self.log.head,
            end_log=lambda: self.index.end_log(),
            log_key=Ed25519Signer(derived(self.actor.name, "log")),
            clock=lambda: self.now_ms,
            random=lambda: 0.5,
            moved=lambda: self.checkpoint_moved(),
        )

    def checkpoint_moved(self) -> None:
        """Told of a checkpoint on its way to the chain."""

    async def record(self, *events: dict[str, Any], kind: Kind = Kind.EVENT) -> list[bytes]:
        """Capture events; return their entry ids."""
        captured = await self.capture.capture(document(*events), kind=kind)
        assert not captured.errors, captured.errors
        return [bytes.fromhex(r.entry_id[2:]) for r in captured.receipts]

    async def anchor(self) -> None:
        """Let time pass until everything recorded is in a final anchor, and read the chain."""
        for _ in range(60):
            await self.anchoring.step()
            self.now_ms += 500
        await self.follower.check_now()

    async def hand(self, other: Node, entry_ids: Iterable[bytes]) -> None:
        """Hand entries with their proofs to another node, as peers do."""
        wanted = tuple(entry_ids)
        provable = self.database.read_sync(
            lambda c: load_provable(
                c, self.log, self.identity, wanted, last_block=self._followed(c)
            )
        )
        package = Package(
            network=PackageNetwork(**msgspec.structs.asdict(self.world.identity)),
            issuer=self.actor.member,
            recipient=other.actor.member,
            purpose="consignment",
            created_ms=self.now_ms,
            subjects=wanted,
            entries=tuple(msgspec.structs.replace(p.record, item_keys=()) for p in provable),
        )
        intake = Intake(
            other.database,
            other.identity,
            networks=other.networks,
            now_ms=lambda: other.now_ms,
            limits=PackageLimits(),
        )
        await other.follower.check_now()
        await intake.receive(encode_package(package, self.peer_signer), self.actor.member)

    @staticmethod
    def _followed(connection: Any) -> int:
        cursor = chain_store.load_cursor(connection)
        assert cursor is not None
        return cursor.final_block

    async def ask(self, text: str, **times: int) -> Answer:
        """Ask for an item."""
        return await self.provenance.answer(parse_item(text), lambda answer: answer, **times)

    async def view(self, text: str, **times: int) -> dict[str, Any]:
        """Ask for an item; return the answer's JSON."""
        answer: dict[str, Any] = json.loads(
            msgspec.json.encode(answer_view(await self.ask(text, **times)))
        )
        return answer


def erase(connection: Connection, entry_id: bytes) -> None:
    """Erase an event as the law may want it: the entry remains, and a tombstone."""
    stored = load_by_entries(connection, [entry_id])[entry_id]
    stone = Tombstone(entry_id=entry_id, erased_ms=NOW_MS, erased_by="a test", ground="a test")
    erase_events(connection, [(stored, stone, ())])


def record_of(actor: Actor, **changes: Any) -> MemberRecord:
    """Return a member's record with the keys that its node uses."""
    event = EventSigner(derived(actor.name, "event")).address.rjust(32, b"\x00")
    keys = [(Purpose.EVENT, event)] + [
        (purpose, Ed25519Signer(derived(actor.name, name)).public_key)
        for purpose, name in (
            *((Purpose.LOG, "log"), (Purpose.PEER, "peer")),
            (Purpose.WITNESS, "witness"),
        )
    ]
    record = MemberRecord(
        member=actor.member,
        name=actor.name,
        status=Status.ACTIVE,
        roles=actor.roles,
        node_url="http://127.0.0.1:1",
        glns=(actor.gln,),
        rights=tuple(NumberingRight(digits=d) for d in actor.rights),
        keys=tuple(Key(purpose=p, public=k, valid_from=0) for p, k in keys),
        version=1,
        block=1,
    )
    return msgspec.structs.replace(record, **changes)


def document(*events: dict[str, Any]) -> bytes:
    """Return an EPCIS document."""
    return json.dumps(
        {
            "@context": CONTEXT,
            "type": "EPCISDocument",
            "schemaVersion": "2.0",
            "creationDate": "2023-11-14T22:00:00Z",
            "epcisBody": {"eventList": list(events)},
        }
    ).encode()


def at(seconds: int) -> str:
    """Return an event time, so many seconds after the chain's start."""
    minutes, seconds = divmod(seconds, 60)
    return f"2023-11-14T22:{13 + minutes:02d}:{seconds:02d}.000Z"  # the chain starts at 22:13:20


def event(by: Actor, step: str, seconds: int, *epcs: str, **more: Any) -> dict[str, Any]:
    """Return an ObjectEvent; None takes a field out."""
    fields = {
        "type": "ObjectEvent",
        "action": "OBSERVE",
        "bizStep": step,
        "epcList": list(epcs),
        "eventTime": at(seconds),
        "eventTimeZoneOffset": "+01:00",
        "readPoint": {"id": by.sgln},
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}


def commissioning(by: Actor, seconds: int, *epcs: str, **more: Any) -> dict[str, Any]:
    """Return a commissioning with lot L1 and expiry."""
    return event(
        by,
        "commissioning",
        seconds,
        *epcs,
        action="ADD",
        disposition="active",
        ilmd={"cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2027-12-31"},
        **more,
    )


def shipping(by: Actor, to: Actor, seconds: int, *epcs: str) -> dict[str, Any]:
    """Return a shipment between two parties."""
    return event(
        by,
        "shipping",
        seconds,
        *epcs,
        disposition="in_transit",
        sourceList=[{"type": "possessing_party", "source": by.pgln}],
        destinationList=[{"type": "possessing_party", "destination": to.pgln}],
    )


def packing(by: Actor, seconds: int, parent: str, *epcs: str, **more: Any) -> dict[str, Any]:
    """Return an aggregation."""
    fields = {
        "type": "AggregationEvent",
        "action": "ADD",
        "bizStep": "packing",
        "parentID": parent,
        "childEPCs": list(epcs) or None,
        "eventTime": at(seconds),
        "eventTimeZoneOffset": "+01:00",
        "readPoint": {"id": by.sgln},
        **more,
    }
    return {name: value for name, value in fields.items() if value is not None}
