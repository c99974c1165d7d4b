"""Consignments: what this member ships to another, and its corrections, reach that member's node.

An entry is sent at once, so that the receiver can rely on it, and once more when the chain proves it; what of its
history the chain proves later still, because others' anchors arrived here later, is sent when it does.
Sending order, and what a crash after each step means:

1. events are looked through, deliveries noted and the cursor moved in one transaction: all or nothing.
2. what the receiver is about to be shown is noted, so that corrections of it find him: at worst he gets a
   correction of what never reached him.
3. the packages are made and sent: a crash sends them again, and the receiver knows them already.
4. the acknowledgement is noted.

Whatever goes wrong is noted with the delivery and tried again, ever later. A peer that can't be reached rests as a
whole; a package that is refused, or can't be made because the store is damaged (IntegrityError), waits alone and
holds up nothing behind it. None of this stops the node: care goes on, and a damaged log refuses the next start.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import suppress

import msgspec

from sealtrail.custody.custodian import Parties
from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.evidence.audit_record import NODE, Action, Ending
from sealtrail.membership.records import Status
from sealtrail.peers.client import PeerClient
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.exchange.addressees import SHIPPING_STEPS, addressees_of
from sealtrail.services.exchange.parcels import Parcel, Parcels
from sealtrail.store import chain, deliveries
from sealtrail.store.database import Database
from sealtrail.store.deliveries import UNTIL_ANCHORED, Delivery, Stage
from sealtrail.store.disclosures import disclose
from sealtrail.store.events import load_by_entries
from sealtrail.store.identity import Identity

_EVENTS_A_LOOK = 2_000
_DELIVERIES_A_TURN = 20
_UNSAVED_ROWS_MAX = 20_000  # looked through again after a crash, where nothing was to be sent
_REASON_CHARACTERS_MAX = 1_000

_log = logging.getLogger(__name__)


class DeliveryLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How deliveries are paced."""

    look_seconds: float = 1.0  # how often the events are looked through without being told
    gather_seconds: float = 0.05  # from being told to looking: many captures, one look
    retry_seconds_first: float = 1.0
    retry_seconds_max: float = 300.0


class DeliveryCounts(msgspec.Struct, kw_only=True):
    """Counts since start, for metrics; ``waiting`` is as of the last look."""

    waiting: int = 0
    delivered: int = 0
    failed_attempts: int = 0


class Outgoing:
    """Finds what is to be sent and delivers it; the one owner of the delivery table."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        client: PeerClient,
        parcels: Parcels,
        *,
        networks: FollowedNetworks,
        now_ms: Callable[[], int],
        random: Callable[[], float],
        limits: DeliveryLimits = DeliveryLimits(),  # noqa: B008 frozen
        audit: AuditTrail | None = None,
    ) -> None:
        self.counts = DeliveryCounts()
        self._database = database
        self._identity = identity
        self._client = client
        self._parcels = parcels
        self._networks = networks
        self._now_ms = now_ms
        self._random = random
        self._limits = limits
        self._audit = audit
        self._wake = asyncio.Event()
        # Between choosing what to show and noting that it is shown, no correction may be looked at.
        self._choosing = asyncio.Lock()
        self._looked: tuple[int, int] | None = None  # event row: in hand, saved
        self._proofs_arrived = 0
        # Final block, and arrivals, for which what waits for an anchor was looked through.
        self._seen = (-1, 0)
        self._failure: str | None = None
        self._sending: dict[bytes, asyncio.Task[None]] = {}
        self._resting: dict[bytes, int] = {}

    def wake(self) -> None:
        """Look for something to send soon: events were recorded."""
        self._wake.set()

    def proofs_arrived(self) -> None:
        """Look for what can be proven by now: another member's entries were received."""
        self._proofs_arrived += 1
        self._wake.set()

    async def run(self) -> None:
        """Look and send until cancelled."""
        try:
            while True:
                self._wake.clear()
                await self._turn()
                await self._wait()
        finally:
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def backlog(self) -> list[deliveries.Backlog]:
        """Return what waits for which member."""
        return await self._database.read(deliveries.backlog)

    async def _turn(self) -> None:
        try:
            await self.look()
            await self._release_anchored()
            await self._start_sending()
            self.counts.waiting = await self._database.read(deliveries.count_waiting)
        except SealtrailError as error:
            if self._failure != error.code:
                _log.error("nothing is looked through for delivery: %s", error)
            self._failure = error.code
        else:
            self._failure = None

    async def _wait(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.look_seconds):
                await self._wake.wait()
        await asyncio.sleep(self._limits.gather_seconds)

    # -- what is to be sent --------------------------------------------------------------------------

    async def look(self) -> int:
        """Look through the events recorded since the last look, note what is to be sent, return how many.

        Raises:
            UnavailableError: the store is busy, or the chain was never followed and so nobody's place is known.
        """
        if self._looked is None:
            saved = await self._database.read(deliveries.cursor)
            self._looked = (saved, saved)
        noted = 0
        while True:
            found, moved = await self._look_on(*self._looked)
            noted += found
            if not moved:
                return noted

    async def _look_on(self, since: int, saved: int) -> tuple[int, bool]:
        async with self._choosing:
            to_send, last = await self._database.read(lambda c: self._find(c, since))
            if to_send or last - saved > _UNSAVED_ROWS_MAX:
                saved = last
                await self._database.write(lambda c: self._note(c, to_send, last))
        self._looked = (last, saved)
        if to_send:
            self._seen = (-1, 0)  # the chain may have the anchor of what was noted just now
        return len(to_send), last != since

    def _find(
        self, connection: sqlite3.Connection, since: int
    ) -> tuple[list[tuple[bytes, bytes]], int]:
        """Return (recipient, entry id) of what is to be sent, and the last row looked at."""
        candidates, last = deliveries.candidates_after(
            connection, since, SHIPPING_STEPS, _EVENTS_A_LOOK
        )
        if not candidates:
            return [], last
        parties = Parties(self._networks.view(connection).network())
        found = []
        for entry_id in candidates:  # one content at a time: they may be large
            event = load_by_entries(connection, [entry_id])[entry_id]
            members = addressees_of(connection, event, parties, self._identity.member)
            found += [(member, entry_id) for member in members]
        return found, last

    def _note(
        self, connection: sqlite3.Connection, to_send: list[tuple[bytes, bytes]], last: int
    ) -> None:
        now = self._now_ms()
        for recipient, entry_id in to_send:
            deliveries.add(connection, recipient, entry_id, now)
        deliveries.save_cursor(connection, last)

    async def _release_anchored(self) -> None:
        """Make due what waited for its anchor, whenever the chain has gone on."""
        arrived = self._proofs_arrived
        final_block, found = await self._database.read(lambda c: self._anchored(c, arrived))
        if found:
            now = self._now_ms()
            await self._database.write(lambda c: deliveries.make_due(c, found, now))
        self._seen = (final_block, arrived)

    def _anchored(self, connection: sqlite3.Connection, arrived: int) -> tuple[int, list[int]]:
        cursor = chain.load_cursor(connection)
        if cursor is None:
            return -1, []
        if (cursor.final_block, arrived) == self._seen:
            return cursor.final_block, []
        found = deliveries.anchored_by(connection, self._identity.member, cursor.final_block)
        return cursor.final_block, found

    # -- sending -------------------------------------------------------------------------------------

    async def _start_sending(self) -> None:
        """Give each member with something due a task of its own, so that a slow one delays nobody else."""
        now = self._now_ms()
        self._sending = {m: task for m, task in self._sending.items() if not self._ended(m, task)}
        for member in await self._database.read(lambda c: deliveries.recipients_due(c, now)):
            if member not in self._sending and self._resting.get(member, 0) <= now:
                self._sending[member] = asyncio.create_task(self._send_due(member))

    def _ended(self, member: bytes, task: asyncio.Task[None]) -> bool:
        if not task.done():
            return False
        error = task.exception()
        if error is not None:
            # The store could not be asked, or a fault of this program: said aloud, and tried again much later.
            _log.error("delivering to 0x%s broke off", member.hex(), exc_info=error)
            self._resting[member] = self._now_ms() + int(self._limits.retry_seconds_max * 1000)
        return True

    async def _send_due(self, member: bytes) -> None:
        """Send what is due for a member until nothing is, or the member can't be reached."""
        while True:
            now = self._now_ms()
            found = await self._database.read(
                lambda c, now=now: deliveries.due(c, member, now, _DELIVERIES_A_TURN)  # type: ignore[misc]
            )
            if not found:
                return
            for delivery in found:
                try:
                    await self._send(delivery)
                except UnavailableError as error:
                    self._resting[member] = await self._failed(delivery, error)
                    return
                except SealtrailError as error:
                    await self._failed(delivery, error)

    async def _send(self, delivery: Delivery) -> None:
        if delivery.stage is Stage.COMPLETED:
            await self._send_proofs(delivery)
            return
        recipient = delivery.recipient
        url = await self._database.read(lambda c: self._url(c, recipient))
        async with self._choosing:
            parts = await self._database.read(
                lambda c: self._parcels.contents(c, delivery.entry_id)
            )
            shown = [entry_id for part in parts for entry_id in part]
            await self._database.write(lambda c: self._disclose(c, shown, recipient))
        unproven: set[bytes] = set()
        for part in parts:
            parcel = await self._pack(delivery, part)
            unproven |= parcel.unproven
            if delivery.stage is Stage.ANCHORED and delivery.entry_id in unproven:
                await self._database.write(  # its anchor was undone meanwhile
                    lambda c: deliveries.postponed(c, delivery.delivery_id, UNTIL_ANCHORED, None)
                )
                return
            await self._client.deliver(url, parcel.data)
        now = self._now_ms()
        await self._database.write(lambda c: _sent(c, delivery, unproven, now))
        self.counts.delivered += 1

    def _disclose(
        self, connection: sqlite3.Connection, shown: list[bytes], recipient: bytes
    ) -> None:
        """Note what a member is about to be shown; the audit trail has it before it leaves."""
        disclose(connection, shown, recipient)
        if self._audit is not None:
            note = self._audit.note(Action.PACKAGE_SENT, "")
            note.actor, note.member = NODE, "0x" + recipient.hex()
            note.showed(shown)
            self._audit.write(connection, [note.drafted(Ending.DONE)])

    async def _send_proofs(self, delivery: Delivery) -> None:
        """Send history again that the chain proves by now."""
        url = await self._database.read(lambda c: self._url(c, delivery.recipient))
        proven, parts = await self._database.read(lambda c: self._proofs(c, delivery))
        unproven: set[bytes] = set()
        for part in parts:
            parcel = await self._pack(delivery, part)
            unproven |= parcel.unproven
            await self._client.deliver(url, parcel.data)
        # what was damaged or erased meanwhile is done with as well
        done, now = set(proven) - unproven, self._now_ms()
        await self._database.write(lambda c: deliveries.proof_sent(c, delivery, done, now))
        self.counts.delivered += 1

    def _proofs(
        self, connection: sqlite3.Connection, delivery: Delivery
    ) -> tuple[list[bytes], tuple[tuple[bytes, ...], ...]]:
        """Return the entries of earlier sendings that the chain proves by now, and in which packages they go."""
        cursor = chain.load_cursor(connection)
        block = -1 if cursor is None else cursor.final_block
        proven = deliveries.proven_since(connection, delivery, self._identity.member, block)
        if not proven:
            return [], ()
        return proven, self._parcels.spread(connection, delivery.entry_id, proven)

    async def _pack(self, delivery: Delivery, part: tuple[bytes, ...]) -> Parcel:
        return await self._database.read(
            lambda c: self._parcels.pack(c, delivery.entry_id, part, delivery.recipient)
        )

    def _url(self, connection: sqlite3.Connection, recipient: bytes) -> str:
        record = self._networks.view(connection).record(recipient, None)
        if record is None or record.status != Status.ACTIVE or not record.node_url:
            raise UnavailableError("peer_unknown", "the recipient has no active record with a URL")
        return record.node_url

    async def _failed(self, delivery: Delivery, error: SealtrailError) -> int:
        """Note a failure and return when to try again: later each time, and not in step with other nodes."""
        doubled = self._limits.retry_seconds_first * 2.0 ** min(delivery.attempts, 30)
        seconds = min(doubled, self._limits.retry_seconds_max) * (1 - self._random() / 2)
        next_ms = self._now_ms() + int(seconds * 1000)
        reason = str(error)[:_REASON_CHARACTERS_MAX]
        await self._database.write(
            lambda c: deliveries.postponed(c, delivery.delivery_id, next_ms, reason)
        )
        self.counts.failed_attempts += 1
        return next_ms


def _sent(
    connection: sqlite3.Connection, delivery: Delivery, unproven: set[bytes], now_ms: int
) -> None:
    """Note that a peer has a delivery, and what of it is to be sent once the chain proves it."""
    proven = delivery.entry_id not in unproven
    deliveries.acknowledged(connection, delivery, now_ms, proven=proven)
    if proven and unproven:
        deliveries.await_proof(connection, delivery, unproven)
