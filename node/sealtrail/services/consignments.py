"""Consignments: what this member ships to another reaches that member's node, and what others ship is taken in.

A shipping event is sent at once, so that the receiver can check it in, and once more when the chain proves it.
Sending order, and what a crash after each step means:

1. events are looked through, deliveries noted and the cursor moved in one transaction: all or nothing.
2. the package is made and sent: a crash sends it again, and the receiver knows it already.
3. the acknowledgement is noted.

Receiving: verified whole before anything is kept; kept in one transaction; acknowledged after its fsync.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable

import msgspec

from sealtrail.custody.custodian import Parties, destination_of, is_shipping
from sealtrail.custody.history import Grade, Recorded
from sealtrail.epcis import read_content
from sealtrail.errors import NotFoundError, SealtrailError, UnavailableError
from sealtrail.evidence import EntryRecord, Package, PackageNetwork, encode_package
from sealtrail.membership.records import Network, Status
from sealtrail.peers.client import Acknowledgement, PeerClient
from sealtrail.services.handovers import Policy, history_of
from sealtrail.services.records import Provable, load_provable
from sealtrail.signing import Ed25519Signer, Kind
from sealtrail.store import deliveries
from sealtrail.store.database import Database
from sealtrail.store.deliveries import Delivery, OwnEvent, Stage
from sealtrail.store.events import StoredEvent, load_by_entries
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore

PURPOSE = "consignment"
SHIPPING_STEPS = ("shipping", "departing")
_EVENTS_A_LOOK = 2_000
_DELIVERIES_A_TURN = 20


class DeliveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries are paced."""

    look_seconds: float = 1.0  # how often the events are looked through without being told
    retry_seconds_first: float = 1.0
    retry_seconds_max: float = 300.0
    settle_seconds_max: float = 600.0  # how long proofs of others' entries are waited for


class Outgoing:
    """Finds the member's own shipments and delivers them; the one task that owns the delivery table."""

    def __init__(
        self,
        database: Database,
        log: LogStore,
        identity: Identity,
        client: PeerClient,
        signer: Ed25519Signer,
        *,
        network: Callable[[], Network],
        policy: Policy,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        limits: DeliveryLimits = DeliveryLimits(),  # noqa: B008 frozen
    ) -> None:
        self._database = database
        self._log = log
        self._identity = identity
        self._client = client
        self._signer = signer
        self._network = network
        self._policy = policy
        self._now_ms = now_ms
        self._random = random
        self._limits = limits
        self._wake = asyncio.Event()
        self._sending: dict[bytes, asyncio.Task[None]] = {}

    def wake(self) -> None:
        """Look for something to send now: new events were recorded, or a checkpoint was anchored."""
        self._wake.set()

    async def run(self) -> None:
        """Look and send until cancelled; a fault of store or peer is noted with the delivery and retried."""
        try:
            while True:
                self._wake.clear()
                await self.look()
                await self._start_sending()
                await self._wait()
        finally:
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def look(self) -> int:
        """Look through the events recorded since the last look, note what is to be sent, return how many."""
        noted = 0
        while True:
            since = await self._database.read(deliveries.cursor)
            found, last = await self._database.read(
                lambda c, since=since: deliveries.own_events_after(  # type: ignore[misc]
                    c, since, SHIPPING_STEPS, _EVENTS_A_LOOK
                )
            )
            if last == since:
                return noted
            recipients = [(event.entry_id, self._recipient(event)) for event in found]
            to_send = [(entry_id, member) for entry_id, member in recipients if member]
            await self._database.write(
                lambda c, to_send=to_send, last=last: self._note(c, to_send, last)  # type: ignore[misc]
            )
            noted += len(to_send)

    async def backlog(self) -> list[deliveries.Backlog]:
        """Return what waits for which member."""
        return await self._database.read(deliveries.backlog)

    def _note(
        self, connection: sqlite3.Connection, to_send: list[tuple[bytes, bytes]], last: int
    ) -> None:
        now = self._now_ms()
        for entry_id, member in to_send:
            deliveries.add(connection, member, entry_id, Stage.ANNOUNCED, now)
            deliveries.add(connection, member, entry_id, Stage.ANCHORED, now)
        deliveries.save_cursor(connection, last)

    def _recipient(self, own: OwnEvent) -> bytes | None:
        """Derive who gets a shipping event: the destination's member, unless that is this one or outside."""
        recorded = read_content(own.content, own.media_type)
        shipment = Recorded(
            entry_id=own.entry_id,
            member=self._identity.member,
            kind=Kind.EVENT,
            grade=Grade.SIGNATURE_PROVEN,
            record_time_ms=0,
            content_hash=recorded.content_hash,
            event_id=recorded.event.event_id or "",
            event=recorded.event,
            mentions=(),
        )
        if not is_shipping(shipment):
            return None
        destination = destination_of(shipment, Parties(self._network()))
        member = destination.party.member if destination else None
        return None if member == self._identity.member else member

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._limits.look_seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _start_sending(self) -> None:
        """Give each member with something due a task of its own, so that a slow one delays nobody else."""
        now = self._now_ms()
        self._sending = {m: task for m, task in self._sending.items() if not task.done()}
        for member in await self._database.read(lambda c: deliveries.recipients_due(c, now)):
            if member not in self._sending:
                self._sending[member] = asyncio.create_task(self._send_due(member))

    async def _send_due(self, member: bytes) -> None:
        now = self._now_ms()
        found = await self._database.read(
            lambda c: deliveries.due(c, member, now, _DELIVERIES_A_TURN)
        )
        for delivery in found:
            try:
                await self._send(delivery)
            except SealtrailError as error:
                await self._postpone(delivery, error)

    async def _send(self, delivery: Delivery) -> Acknowledgement | None:
        network = self._network()
        record = network.member(delivery.recipient)
        if record is None or record.status != Status.ACTIVE or not record.node_url:
            raise UnavailableError("peer_unknown", "the recipient has no active record with a URL")
        package = await self._database.read(lambda c: self._package(c, delivery, network))
        if package is None:  # to be sent once it is anchored, and it isn't yet
            await self._postpone(delivery, None)
            return None
        acknowledgement = await self._client.deliver(
            record.node_url, encode_package(package, self._signer)
        )
        now = self._now_ms()
        await self._database.write(lambda c: deliveries.acknowledged(c, delivery.delivery_id, now))
        return acknowledgement

    def _package(
        self, connection: sqlite3.Connection, delivery: Delivery, network: Network
    ) -> Package | None:
        subject = load_by_entries(connection, [delivery.entry_id]).get(delivery.entry_id)
        if subject is None or subject.content is None:
            raise NotFoundError("content_erased", "the shipping event is no longer here to be sent")
        shipped = read_content(subject.content, subject.media_type)
        entry_ids = history_of(connection, shipped, delivery.entry_id, self._policy)
        found = load_provable(
            connection, self._log, self._identity, entry_ids, last_block=network.block
        )
        if delivery.stage is Stage.ANCHORED and not self._settled(found, subject):
            return None
        return Package(
            network=PackageNetwork(
                chain_id=network.chain_id,
                genesis_hash=network.genesis_hash,
                registry=network.registry,
                anchors=network.anchors,
            ),
            issuer=self._identity.member,
            recipient=delivery.recipient,
            purpose=PURPOSE,
            created_ms=self._now_ms(),
            subjects=(delivery.entry_id,),
            entries=tuple(_in_one_form(each.record) for each in found),
        )

    def _settled(self, found: list[Provable], subject: StoredEvent) -> bool:
        """Tell whether the chain proves all that is sent; after some time, the shipment alone will do.

        Others' entries in the history get their proofs from their own members' second delivery, which may come
        after this shipment was anchored; one that never comes must not hold this one back for good.
        """
        unproven = {each.event.entry_id for each in found if each.record.proof is None}
        waited_ms = self._now_ms() - subject.record_time_ms
        if waited_ms < self._limits.settle_seconds_max * 1000:
            return not unproven
        return subject.entry_id not in unproven

    async def _postpone(self, delivery: Delivery, error: SealtrailError | None) -> None:
        """Try again later: soon where only the anchor is awaited, ever later where the peer failed."""
        seconds = self._limits.look_seconds
        if error is not None:
            doubled = self._limits.retry_seconds_first * 2 ** min(delivery.attempts, 30)
            seconds = min(doubled, self._limits.retry_seconds_max) * (0.5 + self._random() / 2)
        next_ms = self._now_ms() + int(seconds * 1000)
        reason = None if error is None else str(error)[:1000]
        await self._database.write(
            lambda c: deliveries.postponed(
                c, delivery.delivery_id, next_ms, reason, attempt=error is not None
            )
        )


def _in_one_form(record: EntryRecord) -> EntryRecord:
    """Leave out item keys that the receiver recomputes from content and salt."""
    if record.content is not None and record.item_salt is not None:
        return msgspec.structs.replace(record, item_keys=())
    return record
