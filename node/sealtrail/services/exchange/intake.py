"""Takes in packages from other members' nodes: verified whole, then kept, then acknowledged.

What does not hold refuses the package; what could not be checked (an anchor that this node has not seen yet, say)
is kept as what it is, and checked again whenever it is asked for.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from sealtrail.epcis import RecordedEvent
from sealtrail.errors import ForbiddenError, TooLargeError, UnauthorizedError, VerificationError
from sealtrail.evidence import (
    EntryRecord,
    Outcome,
    Package,
    PackageLimits,
    VerifiedEntry,
    Verifier,
    count_items,
    parse_package,
    verify_issuer,
)
from sealtrail.evidence.report import StepName
from sealtrail.membership.records import Purpose, Status
from sealtrail.peers.client import PACKAGE_PURPOSES, Acknowledgement
from sealtrail.peers.signatures import AGE_SECONDS_MAX, PeerKeyId, SignedBy
from sealtrail.services.chain.network import FollowedNetwork, FollowedNetworks
from sealtrail.services.portions import portions
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.services.recording.drafts import event_row
from sealtrail.signing import item_keys
from sealtrail.store import foreign
from sealtrail.store.contents import encode_content
from sealtrail.store.database import Database
from sealtrail.store.erasure import load_tombstones
from sealtrail.store.events import NewEvent, insert_events, known_contents, known_entries
from sealtrail.store.identity import Identity
from sealtrail.store.peer_nonces import take_nonce

# Entries verified, and written, at a time: bounds how long another package, or a capture, waits behind them.
PART_ENTRIES_MAX = 250
_PORTION_BYTES_MAX = 1 << 20  # contents verified at a time; more only if one alone is more
_PART_ITEMS_MAX = 20_000  # written at a time; more only if one entry alone names more

T = TypeVar("T")


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a package that held, as it is stored: nothing else of what was read is kept."""

    event: NewEvent
    entry: foreign.ForeignEntry
    checkpoint: foreign.ForeignCheckpoint | None
    items: int


class Intake:
    """Receives packages for one member."""

    def __init__(
        self,
        database: Database,
        identity: Identity,
        *,
        networks: FollowedNetworks,
        now_ms: Callable[[], int],
        limits: PackageLimits,
        received: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._identity = identity
        self._networks = networks
        self._now_ms = now_ms
        self.limits = limits
        self._received = received
        self._turn = asyncio.Lock()  # to verify: one portion at a time, in the order of asking

    async def authenticate(
        self, verify: Callable[[Callable[[PeerKeyId], bool]], SignedBy]
    ) -> bytes:
        """Return the member that signed a request; its nonce is used up thereby.

        Args:
            verify: verifies the request's signature, given what tells whether a key is valid now.

        Raises:
            UnauthorizedError: the signature does not hold, or ``peer_request_replayed``.
            UnavailableError: the chain was never followed, so nobody's keys are known.
        """
        signed = await self._database.read(
            lambda c: verify(lambda key: is_peer_key(self._networks.view(c), key))
        )
        now = self._now_ms()
        fresh = await self._database.write(
            lambda c: take_nonce(
                c,
                str(signed.key_id),
                signed.nonce,
                now_ms=now,
                expires_ms=now + 2_000 * AGE_SECONDS_MAX,
            )
        )
        if not fresh:
            raise UnauthorizedError("peer_request_replayed", "this request was taken before")
        return signed.key_id.member

    async def receive(
        self, data: bytes, sender: bytes, *, showed: Callable[[Iterable[bytes]], None] | None = None
    ) -> Acknowledgement:
        """Verify a package and keep what it has; durable on return. The same package again changes nothing.

        Packages take turns, a portion each, so that one that takes long holds up no other. Write order, and what a
        crash after each step means:

        1. every entry is verified: nothing happened.
        2. they are written by parts, so that captures get in between: each part is whole, of entries that hold by
           themselves; the sender saw no answer and sends all again.
        3. the answer.

        Raises:
            InputError, TooLargeError: it is no package, or has too much in it.
            ForbiddenError: issued by another than its sender, or for another than this member.
            VerificationError: something in it does not hold; nothing of it was kept.
            UnavailableError: some of it may have been kept; it is to be sent again.
        """
        package = await self._read(lambda c: self._open(c, data, sender))
        kept: list[_Kept] = []
        for records in portions(
            package.records(),
            count_max=PART_ENTRIES_MAX,
            size=lambda record: len(record.content or b""),
            size_max=_PORTION_BYTES_MAX,
        ):
            room = self.limits.items_max - sum(each.items for each in kept)
            kept += await self._read(partial(self._verify, len(kept), records, sender, room))
        if showed is not None:  # whoever records what came in
            showed(each.entry.entry_id for each in kept)
        fresh = 0
        others = [each for each in kept if each.entry.member != self._identity.member]
        await self._database.write(partial(_keep_salts, others))
        for part in portions(
            others,
            count_max=PART_ENTRIES_MAX,
            size=lambda each: each.items,
            size_max=_PART_ITEMS_MAX,
        ):
            fresh += await self._database.write(partial(self._keep, part))
        if self._received is not None:
            self._received()
        return Acknowledgement(accepted=fresh, known=len(kept) - fresh)

    async def _read(self, fn: Callable[[sqlite3.Connection], T]) -> T:
        async with self._turn:
            return await self._database.read(fn)

    def _open(self, connection: sqlite3.Connection, data: bytes, sender: bytes) -> Package:
        received = parse_package(data, self.limits)
        view = self._networks.view(connection)
        verify_issuer(
            received,
            domain=self._identity.domain,
            anchors=self._networks.identity.anchors,
            network=view,
        )
        _check_parties(received.package, sender, self._identity.member)
        return received.package

    def _verify(
        self,
        first: int,
        records: Sequence[EntryRecord],
        sender: bytes,
        room: int,
        connection: sqlite3.Connection,
    ) -> list[_Kept]:
        """Verify the package's entries from number ``first`` on; ``room`` is how many items they may name."""
        verifier = Verifier(domain=self._identity.domain, network=self._networks.view(connection))
        now = self._now_ms()
        kept = []
        for number, record in enumerate(records, first):
            each = _kept(*_require(verifier, record, number), record, sender, now)
            room -= each.items
            if room < 0:
                raise TooLargeError(
                    "package_too_large",
                    f"its entries name more items than {self.limits.items_max}",
                    pointer=f"/entries/{number}",
                )
            kept.append(each)
        _check_salts(connection, kept)
        return kept

    def _keep(self, part: Sequence[_Kept], connection: sqlite3.Connection) -> int:
        """Write a part in the writer thread; return how many entries were new."""
        erased = load_tombstones(connection, [each.entry.entry_id for each in part])
        fresh = _unknown(connection, [each for each in part if each.entry.entry_id not in erased])
        insert_events(connection, [(each.entry.entry_id, None, each.event) for each in fresh])
        checkpoints = {k.checkpoint.checkpoint_hash: k.checkpoint for k in part if k.checkpoint}
        foreign.save_checkpoints(connection, checkpoints.values(), self._now_ms())
        foreign.save_entries(connection, _without_erased_seeds(part, erased))
        return len(fresh)


def _unknown(connection: sqlite3.Connection, part: Sequence[_Kept]) -> list[_Kept]:
    """Return what is not kept yet.

    A member that recorded the same content twice under two entries shows a fault of its own; the first is kept.
    """
    known = known_entries(connection, [each.entry.entry_id for each in part])
    taken: set[tuple[bytes, bytes]] = set()
    for member in {each.entry.member for each in part}:
        hashes = [k.event.content_hash for k in part if k.entry.member == member]
        taken |= {(member, found) for found in known_contents(connection, member, hashes)}
    fresh = []
    for each in part:
        content = (each.entry.member, each.event.content_hash)
        if each.entry.entry_id not in known and content not in taken:
            taken.add(content)
            fresh.append(each)
    return fresh


def _without_erased_seeds(
    part: Sequence[_Kept], erased: Container[bytes]
) -> list[foreign.ForeignEntry]:
    """Return the entries to keep: what was erased here is not brought back by whoever sends it again."""
    return [
        msgspec.structs.replace(each.entry, seed=None)
        if each.entry.entry_id in erased
        else each.entry
        for each in part
    ]


def _salts(kept: Sequence[_Kept]) -> dict[bytes, bytes]:
    return {k.entry.member: k.entry.item_salt for k in kept if k.entry.item_salt is not None}


def _check_salts(connection: sqlite3.Connection, kept: Sequence[_Kept]) -> None:
    """Refuse a salt other than the one that is known of a log: it could prove the absence of what is there.

    Raises:
        VerificationError: ``item_salt_differs``.
    """
    shown = _salts(kept)
    for member, known in foreign.load_item_salts(connection, shown).items():
        if shown[member] != known:
            raise VerificationError(
                "item_salt_differs",
                f"another item salt was shown before for the log of 0x{member.hex()}",
                pointer="/logs",
                advice="ask that member: a log has one salt, which its genesis entry commits to",
            )


def _keep_salts(kept: Sequence[_Kept], connection: sqlite3.Connection) -> None:
    """Keep the salts of logs, before any entry that rests on one; of two packages at once the first decides."""
    _check_salts(connection, kept)
    foreign.save_item_salts(connection, _salts(kept))


def is_peer_key(view: FollowedNetwork, key: PeerKeyId) -> bool:
    """Tell whether that is now a peer key of an active member, not reported compromised."""
    record = view.record(key.member, None)
    if record is None or record.status != Status.ACTIVE:
        return False
    return any(
        k.public == key.public and not k.compromised_since
        for k in record.keys_for(Purpose.PEER, view.block)
    )


def _check_parties(package: Package, sender: bytes, recipient: bytes) -> None:
    if package.issuer != sender:
        raise ForbiddenError(
            "package_of_another",
            f"issued by 0x{package.issuer.hex()}, sent by 0x{sender.hex()}",
            pointer="/issuer",
        )
    if package.recipient != recipient:
        raise ForbiddenError(
            "package_for_another", f"for 0x{package.recipient.hex()}", pointer="/recipient"
        )
    if package.purpose not in PACKAGE_PURPOSES:
        raise ForbiddenError(
            "package_purpose_unknown", f"purpose {package.purpose[:64]!r}", pointer="/purpose"
        )


def _require(
    verifier: Verifier, record: EntryRecord, number: int
) -> tuple[VerifiedEntry, RecordedEvent]:
    """Verify an entry; return it with its event."""
    pointer = f"/entries/{number}"
    verified = verifier.verify(record)
    try:
        verified.require()
    except VerificationError as error:
        raise VerificationError(
            error.code, error.message, pointer=pointer, advice=error.advice
        ) from error
    if verified.event is None:
        raise VerificationError(
            "entry_shows_no_event",
            "an entry without a readable event that its seed ties to it shows nothing",
            pointer=pointer,
        )
    if verified.entry.record_time_ms > TIME_MS_MAX:
        raise VerificationError(
            "record_time_out_of_range",
            f"{verified.entry.record_time_ms} ms, at most {TIME_MS_MAX}",
            pointer=pointer,
        )
    return verified, verified.event


def _kept(
    verified: VerifiedEntry, event: RecordedEvent, record: EntryRecord, sender: bytes, now_ms: int
) -> _Kept:
    """Return what is stored of an entry."""
    checkpoint = _checkpoint(verified, record)
    proof = None
    if checkpoint is not None and record.proof is not None:
        proof = foreign.ForeignProof(
            leaf_index=record.proof.leaf_index,
            checkpoint_hash=checkpoint.checkpoint_hash,
            hashes=b"".join(record.proof.hashes),
        )
    member = verified.entry.member
    return _Kept(
        event=event_row(
            event,
            member=member,
            content=encode_content(event.content),
            record_time_ms=verified.entry.record_time_ms,
        ),
        entry=foreign.ForeignEntry(
            entry_id=verified.entry_id,
            member=member,
            leaf=record.leaf,
            seed=record.seed,
            refs=record.references,
            item_keys=b"".join(_item_keys(event, record)),
            # An entry that names no item vouches for no salt: any would do.
            item_salt=record.item_salt if event.items else None,
            proof=proof,
            received_from=sender,
            received_ms=now_ms,
        ),
        checkpoint=checkpoint,
        items=count_items(event),
    )


def _checkpoint(verified: VerifiedEntry, record: EntryRecord) -> foreign.ForeignCheckpoint | None:
    """Return the checkpoint if its signature was checked: one that was not must not take the true one's place."""
    proof, checkpoint = record.proof, verified.checkpoint
    signed = any(
        s.name is StepName.CHECKPOINT and s.outcome is Outcome.HOLDS for s in verified.steps
    )
    if proof is None or checkpoint is None or not signed:
        return None
    return foreign.ForeignCheckpoint(
        checkpoint_hash=checkpoint.hash,
        member=verified.entry.member,
        tree_size=checkpoint.size,
        root_hash=checkpoint.root_hash,
        note=proof.note,
    )


def _item_keys(event: RecordedEvent, record: EntryRecord) -> Iterable[bytes]:
    """Return the keys of the entry's items: packages leave out those that follow, and content may be erased here."""
    salt = record.item_salt
    if salt is None:
        return record.item_keys
    return item_keys(salt, event.items)
