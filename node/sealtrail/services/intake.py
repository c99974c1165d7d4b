"""Takes in packages from other members' nodes: verified whole, then kept whole, then acknowledged.

What does not hold refuses the package; what could not be checked (an anchor that this node has not seen yet, say)
is kept as what it is, and checked again whenever it is asked for.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import msgspec

from sealtrail.epcis import RecordedEvent
from sealtrail.errors import ForbiddenError, UnauthorizedError, VerificationError
from sealtrail.evidence import (
    EntryRecord,
    Outcome,
    Package,
    PackageLimits,
    VerifiedEntry,
    Verifier,
    parse_package,
    verify_issuer,
)
from sealtrail.evidence.report import StepName
from sealtrail.membership.records import Purpose, Status
from sealtrail.peers.client import PACKAGE_PURPOSES, Acknowledgement
from sealtrail.peers.signatures import AGE_SECONDS_MAX, PeerKeyId, SignedBy
from sealtrail.services.drafts import event_row
from sealtrail.services.network import FollowedNetwork, FollowedNetworks
from sealtrail.signing import item_key
from sealtrail.store import foreign
from sealtrail.store.contents import encode_content
from sealtrail.store.database import Database
from sealtrail.store.events import insert_events, known_contents, load_by_entries
from sealtrail.store.identity import Identity
from sealtrail.store.peer_nonces import take_nonce

# The last millisecond of the year 9999: what an answer can spell.
RECORD_TIME_MS_MAX = 253_402_300_799_999


class _Shown(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a package that held, with its event."""

    record: EntryRecord
    verified: VerifiedEntry
    event: RecordedEvent


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

    async def receive(self, data: bytes, sender: bytes) -> Acknowledgement:
        """Verify a package and keep what it has; durable on return. The same package again changes nothing.

        Raises:
            InputError, TooLargeError: it is no package.
            ForbiddenError: issued by another than its sender, or for another than this member.
            VerificationError: something in it does not hold; nothing of it was kept.
        """
        shown = await self._database.read(lambda c: self._verify(c, data, sender))
        kept = await self._database.write(lambda c: self._keep(c, shown, sender))
        if self._received is not None:
            self._received()
        return kept

    def _verify(self, connection: sqlite3.Connection, data: bytes, sender: bytes) -> list[_Shown]:
        received = parse_package(data, self.limits)
        view = self._networks.view(connection)
        verify_issuer(received, domain=self._identity.domain, network=view)
        _check_parties(received.package, sender, self._identity.member)
        verifier = Verifier(domain=self._identity.domain, network=view)
        return [
            _show(verifier, record, number)
            for number, record in enumerate(received.package.records())
        ]

    def _keep(
        self, connection: sqlite3.Connection, shown: list[_Shown], sender: bytes
    ) -> Acknowledgement:
        others = [each for each in shown if each.verified.entry.member != self._identity.member]
        fresh = self._unknown(connection, others)
        insert_events(
            connection,
            [
                (
                    each.verified.entry_id,
                    None,
                    event_row(
                        each.event,
                        member=each.verified.entry.member,
                        content=encode_content(each.event.content),
                        record_time_ms=each.verified.entry.record_time_ms,
                    ),
                )
                for each in fresh
            ],
        )
        now = self._now_ms()
        for each in others:
            checkpoint = _checkpoint(each)
            if checkpoint is not None:
                foreign.save_checkpoint(connection, checkpoint, now)
            foreign.save_entry(connection, _foreign_entry(each, sender, now))
        return Acknowledgement(accepted=len(fresh), known=len(shown) - len(fresh))

    def _unknown(self, connection: sqlite3.Connection, shown: list[_Shown]) -> list[_Shown]:
        """Return what is not kept yet.

        A member that recorded the same content twice under two entries shows a fault of its own; the first is kept.
        """
        known = load_by_entries(connection, [each.verified.entry_id for each in shown])
        taken: set[tuple[bytes, bytes]] = set()
        for member in {each.verified.entry.member for each in shown}:
            hashes = [s.event.content_hash for s in shown if s.verified.entry.member == member]
            taken |= {(member, found) for found in known_contents(connection, member, hashes)}
        fresh = []
        for each in shown:
            content = (each.verified.entry.member, each.event.content_hash)
            if each.verified.entry_id not in known and content not in taken:
                taken.add(content)
                fresh.append(each)
        return fresh


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


def _show(verifier: Verifier, record: EntryRecord, number: int) -> _Shown:
    verified = verifier.verify(record)
    try:
        verified.require()
    except VerificationError as error:
        raise VerificationError(
            error.code, error.message, pointer=f"/entries/{number}", advice=error.advice
        ) from error
    if verified.event is None:
        raise VerificationError(
            "entry_shows_no_event",
            "an entry without a readable event that its seed ties to it shows nothing",
            pointer=f"/entries/{number}",
        )
    if verified.entry.record_time_ms > RECORD_TIME_MS_MAX:
        raise VerificationError(
            "record_time_out_of_range",
            f"{verified.entry.record_time_ms} ms, at most {RECORD_TIME_MS_MAX}",
            pointer=f"/entries/{number}",
        )
    return _Shown(record=record, verified=verified, event=verified.event)


def _holds(verified: VerifiedEntry, name: StepName) -> bool:
    return any(s.name is name and s.outcome is Outcome.HOLDS for s in verified.steps)


def _checkpoint(shown: _Shown) -> foreign.ForeignCheckpoint | None:
    """Return the checkpoint if its signature was checked: one that was not must not take the true one's place."""
    proof, checkpoint = shown.record.proof, shown.verified.checkpoint
    if proof is None or checkpoint is None or not _holds(shown.verified, StepName.CHECKPOINT):
        return None
    return foreign.ForeignCheckpoint(
        checkpoint_hash=checkpoint.hash,
        member=shown.verified.entry.member,
        tree_size=checkpoint.size,
        root_hash=checkpoint.root_hash,
        note=proof.note,
    )


def _foreign_entry(shown: _Shown, sender: bytes, now_ms: int) -> foreign.ForeignEntry:
    record, checkpoint = shown.record, _checkpoint(shown)
    proof = None
    if checkpoint is not None and record.proof is not None:
        proof = foreign.ForeignProof(
            leaf_index=record.proof.leaf_index,
            checkpoint_hash=checkpoint.checkpoint_hash,
            hashes=b"".join(record.proof.hashes),
        )
    return foreign.ForeignEntry(
        entry_id=shown.verified.entry_id,
        member=shown.verified.entry.member,
        leaf=record.leaf,
        seed=record.seed,
        refs=record.references,
        item_keys=b"".join(_item_keys(shown)),
        item_salt=record.item_salt,
        proof=proof,
        received_from=sender,
        received_ms=now_ms,
    )


def _item_keys(shown: _Shown) -> Iterable[bytes]:
    """Return the keys of the entry's items: packages leave out those that follow, and content may be erased here."""
    salt = shown.record.item_salt
    if salt is None:
        return shown.record.item_keys
    return sorted({item_key(salt, mention.item) for mention in shown.event.items})
