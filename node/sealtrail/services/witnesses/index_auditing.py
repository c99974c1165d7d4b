"""An auditor's node recomputes other members' item indexes, says so where they are right, and finds where they are not.

For each log, on a beat, in this order, and what a crash after each step means:

1. the newest published checkpoint is fetched; its log must have signed it, and the chain must show it anchored:
   nothing happened.
2. what is new of the log is read into a mirror and the index recomputed: the next reading goes on from there.
3. the statement is made and kept, durably: it is delivered by the next attempt.
4. it is delivered, and that noted: it is delivered again, which changes nothing.

Logs are read beside each other, a few at a time and each for a limited time, so that one that is slow holds up no other
for longer. Before a finding is made of an index, all of its log is read anew: what this node kept may be damaged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from sqlite3 import Connection

import msgspec

from sealtrail.config import AuditsSettings
from sealtrail.errors import (
    InputError,
    IntegrityError,
    UnavailableError,
    VerificationError,
)
from sealtrail.evidence.bundle.audited import auditing_keys
from sealtrail.log.checkpoint import (
    NOTE_CHARACTERS_MAX,
    Checkpoint,
    SignedCheckpoint,
    parse_note,
    verify_signed_by,
)
from sealtrail.log.contradiction import own_note
from sealtrail.log.index_audit import index_audit_name, sign_index_audit
from sealtrail.log.item_index import IndexHead, encode_index_document
from sealtrail.membership.records import MemberRecord, Purpose, Status
from sealtrail.peers.client import PeerClient
from sealtrail.services.chain.network import FollowedNetworks
from sealtrail.services.courses import Courses, Rhythm, Turn
from sealtrail.services.own_log.plain_entries import plain_root
from sealtrail.services.witnesses.index_audits_taken import encode_given
from sealtrail.services.witnesses.log_reading import LogReading, ReadingLimits, in_thread
from sealtrail.services.witnesses.log_watch import LogWatch
from sealtrail.signing import ZERO_SEED, Domain, Ed25519Signer, Kind, origin_of, parse_leaf
from sealtrail.store import index_audits
from sealtrail.store.database import Database
from sealtrail.store.index_audits import AuditedLog
from sealtrail.store.index_mirror import IndexMirror
from sealtrail.store.log_findings import ITEM_INDEX_WRONG, LogFinding, WrongIndex

NOTE_BYTES_MAX = 4 * NOTE_CHARACTERS_MAX


class AuditingLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How logs are audited."""

    logs_at_once: int = 16  # being read; each holds a few megabytes
    reading: ReadingLimits = ReadingLimits()
    look_seconds: float = 30.0  # how often without being told: members come and go
    anchor_seconds_max: float = 300.0  # how long a checkpoint's anchor is waited for
    anchor_poll_seconds: float = 2.0
    retry_seconds_first: float = 5.0


class IndexAuditStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with one log: the newest size whose index was found right (0: none), and what went wrong last."""

    member: str
    audited_size: int
    is_delivered: bool
    failure: str | None


class IndexAuditing:
    """The service; start :meth:`run` once. It does nothing while this member is no auditor.

    Args:
        member: this node's own.
        key: the member's witness key, if it has one.
        folder: where mirrors of logs are kept, one folder each; derived, and may be deleted.
        clock: milliseconds since 1970.
        random: numbers from 0 to 1, for the back-off.
    """

    def __init__(
        self,
        database: Database,
        networks: FollowedNetworks,
        watch: LogWatch,
        client: PeerClient,
        settings: AuditsSettings,
        *,
        domain: Domain,
        member: bytes,
        key: Ed25519Signer | None,
        folder: Path,
        clock: Callable[[], int],
        random: Callable[[], float],
        limits: AuditingLimits | None = None,
    ) -> None:
        self._database = database
        self._networks = networks
        self._watch = watch
        self._client = client
        self._settings = settings
        self._listed = {bytes.fromhex(each.removeprefix("0x")) for each in settings.members}
        self._domain = domain
        self._member = member
        self._key = key
        self._folder = folder
        self._clock = clock
        self._limits = limits or AuditingLimits()
        self._slots = asyncio.Semaphore(self._limits.logs_at_once)
        rhythm = Rhythm(
            look_seconds=self._limits.look_seconds,
            beat_seconds=settings.beat_seconds,
            retry_seconds_first=min(self._limits.retry_seconds_first, settings.beat_seconds),
            retry_seconds_max=settings.beat_seconds,
        )
        self._courses: Courses[bytes] = Courses(self._turns, rhythm, clock=clock, random=random)
        self.audited = 0

    async def run(self) -> None:
        """Audit until cancelled."""
        await self._courses.run()

    async def status(self) -> list[IndexAuditStatus]:
        """Return how it stands with each log that is audited, by member."""
        known = {each.member: each for each in await self._database.read(index_audits.all_audited)}
        return [
            self._status(member, known.get(member)) for member in sorted({*known, *self._courses})
        ]

    @property
    def failing(self) -> int:
        """How many logs' last audit did not end well."""
        return self._courses.failing

    @property
    def failed(self) -> int:
        """How many audits did not end well."""
        return self._courses.failed

    def _status(self, member: bytes, known: AuditedLog | None) -> IndexAuditStatus:
        failure = self._courses.failure(member)
        return IndexAuditStatus(
            member="0x" + member.hex(),
            audited_size=known.tree_size if known else 0,
            is_delivered=known is not None and known.delivered_ms is not None,
            failure=str(failure) if failure else None,
        )

    # -- whose turn it is --------------------------------------------------------------------------------

    async def _turns(self) -> list[Turn[bytes]]:
        return [
            Turn(
                record.member,
                f"the index of 0x{record.member.hex()} is not audited",
                partial(self._audit, record),
            )
            for record in await self._database.read(self._audited)
        ]

    def _audited(self, connection: Connection) -> list[MemberRecord]:
        """Return whose logs are audited; nobody's unless this member may, and has a registered key for it."""
        network = self._networks.view(connection).network()
        own = network.member(self._member)
        if self._key is None or self._key.public_key not in auditing_keys(own, network.block):
            return []
        return [
            record
            for record in network.members
            if record.member != self._member
            and record.status is Status.ACTIVE
            and record.node_url
            and (self._settings.logs == "all" or record.member in self._listed)
            and self._settings.logs != "none"
        ]

    # -- one audit ---------------------------------------------------------------------------------------

    async def _audit(self, record: MemberRecord) -> None:
        """Audit a log's newest published checkpoint, and deliver what there is to say.

        Raises:
            SealtrailError: it could not be audited, or is not right.
        """
        signed, note = await self._checkpoint(record)
        checkpoint = signed.checkpoint
        known = await self._database.read(lambda c: index_audits.load_audited(c, record.member))
        if known is None or known.checkpoint_hash != checkpoint.hash:
            await self._anchored(record.member, checkpoint)
            async with self._slots:
                expected = await self._recompute(record, checkpoint)
            if expected is not None:
                await self._accuse(record.member, checkpoint, note, expected)
            known = await self._state(record.member, checkpoint)
        if known.delivered_ms is None:
            await self._deliver(record, known)

    async def _checkpoint(self, record: MemberRecord) -> tuple[SignedCheckpoint, str]:
        """Fetch the newest published checkpoint; return it, and the note with its log's own signatures only.

        Raises:
            InputError: ``note_malformed``.
            VerificationError: its log did not sign it (``note_…``, ``signature_wrong``), or signed another tree of
                that size (``log_forked``).
        """
        data = bytearray()
        source = self._client.read_log(record.node_url, "checkpoint", NOTE_BYTES_MAX)
        try:
            async with asyncio.timeout(self._limits.reading.seconds), aclosing(source) as chunks:
                async for chunk in chunks:
                    data += chunk
            signed = parse_note(data.decode())
        except TimeoutError as error:
            raise UnavailableError("log_reading_cut", "no checkpoint came in time") from error
        except UnicodeDecodeError as error:
            raise InputError("note_malformed", "no checkpoint note: it is not UTF-8") from error
        note = await self._database.read(lambda c: self._authenticated(c, record.member, signed))
        forks = await self._database.read(
            lambda c: self._watch.forks(c, record.member, signed.checkpoint.head, note)
        )
        if forks:
            await self._watch.keep(forks)
            raise VerificationError(
                "log_forked", f"the log signed another tree of {signed.checkpoint.size} leaves too"
            )
        return signed, note

    def _authenticated(
        self, connection: Connection, member: bytes, signed: SignedCheckpoint
    ) -> str:
        view = self._networks.view(connection)
        record = view.record(member, None)
        keys = record.keys_for(Purpose.LOG, view.block) if record else ()
        verified = verify_signed_by(
            signed,
            origin_of(self._domain, member),
            [k.public for k in keys if not k.compromised_since],
        )
        return own_note(signed, verified)

    async def _anchored(self, member: bytes, checkpoint: Checkpoint) -> None:
        """Return once the chain shows the checkpoint anchored: a busy log's newest one is not yet, mostly.

        Raises:
            UnavailableError: it does not in time (``checkpoint_not_anchored``).
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.anchor_seconds_max
        while True:
            found = await self._database.read(
                lambda c: self._networks.view(c).anchor(member, checkpoint.hash)
            )
            if found is not None:
                return
            if loop.time() >= deadline:
                raise UnavailableError(
                    "checkpoint_not_anchored",
                    f"the chain shows no anchor of the published checkpoint of {checkpoint.size} leaves",
                )
            await asyncio.sleep(self._limits.anchor_poll_seconds)

    async def _recompute(self, record: MemberRecord, checkpoint: Checkpoint) -> IndexHead | None:
        """Compare the checkpoint's index entry with what the log gives; return what that is where they differ.

        Raises:
            SealtrailError: there is none, or the log could not be read.
        """
        while True:
            mirror = await in_thread(
                IndexMirror.open, self._mirror_folder(record), checkpoint.origin
            )
            found = await self._read_and_compare(record, checkpoint, mirror)
            if found is None or mirror.is_second or not mirror.begun_at:
                await in_thread(mirror.settle, is_right=found is None)
                return found
            # It may be what was kept here that is wrong.
            await in_thread(mirror.begin_again)

    async def _read_and_compare(
        self, record: MemberRecord, checkpoint: Checkpoint, mirror: IndexMirror
    ) -> IndexHead | None:
        if mirror.size > checkpoint.size:
            raise VerificationError(
                "log_shrank",
                f"its newest checkpoint has {checkpoint.size} leaves, and {mirror.size} were read before",
            )
        reading = LogReading(self._client, record.node_url, mirror, self._limits.reading)
        try:
            await reading.read_to(checkpoint.size)
        except IntegrityError as error:
            await in_thread(mirror.discard)
            raise UnavailableError(
                "index_mirror_unusable", f"what was read before is damaged: {error.message}"
            ) from error
        if mirror.head() != checkpoint.head:
            await in_thread(mirror.discard)
            raise VerificationError(
                "log_leaves_differ",
                f"the leaves that were read lead to the root {mirror.head().root_hash.hex()},"
                f" the checkpoint has {checkpoint.root_hash.hex()}",
                advice="all of the log is read anew next time",
            )
        entry = parse_leaf(mirror.last_leaf).entry
        if entry.kind is not Kind.INDEX:
            raise VerificationError(
                "index_entry_missing",
                f"the last of {checkpoint.size} leaves is no index entry: nothing is said of the index there",
            )
        expected = await in_thread(mirror.index_head)
        # One form, and a seed of zeros: what the entry says is known by its root alone.
        is_right = plain_root(encode_index_document(expected), ZERO_SEED) == entry.disclosure_root
        return None if is_right else expected

    def _mirror_folder(self, record: MemberRecord) -> Path:
        return self._folder / record.member.hex()

    async def _accuse(
        self, member: bytes, checkpoint: Checkpoint, note: str, expected: IndexHead
    ) -> None:
        document = encode_index_document(expected).decode()
        finding = LogFinding(
            code=ITEM_INDEX_WRONG,
            member=member,
            found_ms=self._clock(),
            wrong_index=WrongIndex(note=note, recomputed=document),
        )
        await self._watch.keep([finding])
        raise VerificationError(
            ITEM_INDEX_WRONG,
            f"the index entry at leaf {checkpoint.size - 1} is not {document}",
            advice="see /v1/log-findings; every node that reads the log comes to the same",
        )

    async def _state(self, member: bytes, checkpoint: Checkpoint) -> AuditedLog:
        """Say that the index is right, and keep that before anybody sees it."""
        if self._key is None:
            raise UnavailableError("no_auditor_here", "this member has no witness key")
        name = index_audit_name(origin_of(self._domain, self._member))
        audit = sign_index_audit(checkpoint, name, self._key, self._clock() // 1000)
        audited = AuditedLog(
            member=member,
            checkpoint_hash=checkpoint.hash,
            tree_size=checkpoint.size,
            audit=audit,
        )
        await self._database.write(lambda c: index_audits.save_audited(c, audited))
        self.audited += 1
        return audited

    async def _deliver(self, record: MemberRecord, known: AuditedLog) -> None:
        await self._client.give_index_audit(
            record.node_url, encode_given(known.checkpoint_hash, known.audit)
        )
        delivered = msgspec.structs.replace(known, delivered_ms=self._clock())
        await self._database.write(lambda c: index_audits.save_audited(c, delivered))
