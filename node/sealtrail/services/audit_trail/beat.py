"""Keeps the audit trail going: writes what waits, takes in operators' notes, and puts digests into the log on a beat.

The beat never depends on how much is recorded, and an hour without a record gets its digest too: entries must not
tell when somebody worked. Digests are entries like any other, so the next checkpoint anchors them.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import msgspec

from sealtrail.errors import IntegrityError, SealtrailError
from sealtrail.evidence.audit_digest import AuditDigest, encode_digest
from sealtrail.evidence.audit_record import (
    NODE,
    Action,
    AuditRecord,
    Ending,
    Subject,
    parse_record,
)
from sealtrail.log.tree import CompactRange, leaf_hash
from sealtrail.services.audit_trail.operator_acts import take_in
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.own_log.plain_entries import sign_plain_entry
from sealtrail.signing import SEED_BYTES, EventSigner, Kind, parse_leaf
from sealtrail.store import audit, audit_digests
from sealtrail.store.audit_digests import StoredDigest
from sealtrail.store.database import Database
from sealtrail.store.identity import Identity
from sealtrail.store.log import LogStore, load_leaf

_log = logging.getLogger(__name__)

STEP_SECONDS = 1.0
_RECORDS_AT_ONCE = 1_000  # hashed at a time: a millisecond or two


class AuditStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far the trail is: records, those that a digest in the log covers, and those that wait to be written."""

    records: int
    in_digests: int
    waiting: int
    failure: str | None


class AuditBeat:
    """The service; :meth:`started` once, :meth:`run` until the stop, then :meth:`close`.

    Args:
        notes: folder of operators' notes.
        random: gives that many random bytes, fit for secrets.
    """

    def __init__(
        self,
        trail: AuditTrail,
        database: Database,
        log: LogStore,
        identity: Identity,
        *,
        signer: EventSigner,
        random: Callable[[int], bytes],
        notes: Path,
    ) -> None:
        self._trail = trail
        self._database = database
        self._log = log
        self._identity = identity
        self._signer = signer
        self._random = random
        self._notes = notes
        self._beat_ms = round(trail.settings.digest_seconds * 1000)
        self._first = 0  # the first record that no digest covers
        self._range = CompactRange()  # over the records from there on
        self._head = ""
        self._next_ms = 0
        self._failure: str | None = None

    async def started(self, config: bytes) -> None:
        """Record the start, and that the configuration was changed since the one before.

        Args:
            config: the configuration file's bytes, of which the trail gets the hash.

        Raises:
            SealtrailError: the trail can't be read or written.
        """
        before = await self._database.read(audit.last_start)
        what = "configuration 0x" + sha256(config).hexdigest()
        known = None if before is None else parse_record(before.body).subject
        actions = [Action.START]
        if known is not None and known.what != what:
            actions.append(Action.CONFIG_CHANGE)
        for action in actions:
            await self._trail.record_now((self._own(action, what), None))
        await self._resume()

    async def run(self, stop: asyncio.Event) -> None:
        """Keep the trail going until ``stop`` is set."""
        while not stop.is_set():
            try:
                await self.step()
            except SealtrailError as error:
                if self._failure != error.code:
                    _log.error("the audit trail waits: %s", error)
                self._failure = error.code
            else:
                self._failure = None
            await self._pause(stop)

    async def close(self) -> None:
        """Write what waits, record the stop, and put a last digest into the log."""
        try:
            await self._trail.record_now((self._own(Action.STOP, None), None))
            await self._trail.flush()
            await self._take_in()
            await self.digest()
        except (
            SealtrailError
        ) as error:  # what is not written is lost: nothing more can be done about it
            _log.error("the audit trail has no proper end: %s", error)

    async def step(self) -> None:
        """Do what is due.

        Raises:
            SealtrailError: it could not be done now; nothing of what waits is lost.
        """
        await self._trail.flush()
        await self._take_in()
        await self._advance()
        following = self._trail.clock() + self._beat_ms
        # never further off than one beat, even if the clock was set back
        self._next_ms = min(self._next_ms, following)
        if following >= self._next_ms + self._beat_ms:
            await self.digest()
            self._next_ms = following

    async def digest(self) -> StoredDigest:
        """Put a digest of all records since the last one into the log; durable on return.

        Write order, and what a crash after each step means:

        1. the records that it covers are durable already; their root is computed: nothing happened.
        2. the entry and the digest's row, in one transaction: all of it, or nothing, and the next beat makes one.

        Raises:
            UnavailableError: nothing was written. IntegrityError: another digest came in between.
        """
        await self._advance()
        first, covered = self._first, self._range
        content = encode_digest(
            AuditDigest(
                count=covered.size,
                first=first,
                head=self._head,
                root="0x" + covered.root().hex(),
            )
        )
        entry = sign_plain_entry(
            Kind.AUDIT_DIGEST,
            content,
            seed=self._random(
                SEED_BYTES
            ),  # kept with the entry: a digest's content tells of volume
            domain=self._identity.domain,
            member=self._identity.member,
            signer=self._signer,
            record_time_ms=self._trail.clock(),
        )

        def write(connection: sqlite3.Connection) -> StoredDigest:
            last = audit_digests.last_digest(connection)
            if (0 if last is None else last.end) != first:
                raise IntegrityError(
                    "audit_trail_damaged", f"a digest other than the one before record {first}"
                )
            leaf_index = self._log.append(connection, [entry])
            stored = StoredDigest(leaf_index, entry.entry_id, first, covered.size, content)
            audit_digests.save_digest(connection, stored)
            return stored

        stored = await self._database.write(write)
        self._first, self._range = stored.end, CompactRange()
        return stored

    async def status(self) -> AuditStatus:
        """Return how far the trail is."""
        head = await self._database.read(audit.load_head)
        return AuditStatus(
            records=head.count,
            in_digests=self._first,
            waiting=self._trail.waiting,
            failure=self._failure,
        )

    async def _resume(self) -> None:
        last, record_time_ms = await self._database.read(_last_digest)
        self._first = 0 if last is None else last.end
        self._range = CompactRange()
        self._head = "0x" + bytes(32).hex()
        if self._first:
            (before,) = await self._database.read(
                lambda c: audit.load_records(c, self._first - 1, before=self._first, limit=1)
            )
            self._head = "0x" + before.record_hash.hex()
        # a beat after the last one; in a new trail, after the start
        self._next_ms = (record_time_ms or self._trail.clock()) + self._beat_ms

    async def _advance(self) -> None:
        """Hash what was recorded since the last look, a few at a time, so that a beat has little left to do."""
        while True:
            start = self._first + self._range.size
            found = await self._database.read(
                lambda c, s=start: audit.load_records(c, s, before=2**62, limit=_RECORDS_AT_ONCE)  # type: ignore[misc]
            )
            self._range.extend(leaf_hash(each.body) for each in found)
            if found:
                self._head = "0x" + found[-1].record_hash.hex()
            if len(found) < _RECORDS_AT_ONCE:
                return

    async def _take_in(self) -> None:
        forgot = await asyncio.to_thread(
            take_in,
            self._notes,
            self._database.write_sync,
            random=self._random,
            now_ms=self._trail.clock(),
        )
        if forgot:
            self._trail.forgotten()

    async def _pause(self, stop: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, self._trail.many)]
        try:
            await asyncio.wait(waits, timeout=STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _own(self, action: Action, what: str | None) -> AuditRecord:
        return AuditRecord(
            time_ms=self._trail.clock(),
            actor=NODE,
            action=action,
            outcome=Ending.DONE,
            subject=None if what is None else Subject(what=what),
        )


def _last_digest(connection: sqlite3.Connection) -> tuple[StoredDigest | None, int]:
    """Return the newest digest, and its record time (0: there is none)."""
    last = audit_digests.last_digest(connection)
    entry = None if last is None else load_leaf(connection, last.leaf_index)
    if entry is None:
        return last, 0
    return last, parse_leaf(entry.leaf).entry.record_time_ms
