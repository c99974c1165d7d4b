"""The audit trail: who read or wrote what, when and why. Records are appended, and never changed.

What writes is recorded in the very transaction that writes it, or, refused, before the answer goes out. Reads are
gathered and written together, every second or when many have come; a crash loses those of the last second, and what
they showed was true all the same. Where the trail can't be written, reads wait for it, and then are refused.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from sealtrail.config import AuditSettings
from sealtrail.errors import UnavailableError
from sealtrail.evidence.audit_record import NOBODY, Action, AuditRecord, Input
from sealtrail.services.audit_trail.note import AuditNote, Draft
from sealtrail.store import audit, audit_names
from sealtrail.store.database import Database

QUEUE_MAX = 10_000  # records that wait to be written
MANY = 500  # so many are written before the second is over, and at a time
ROOM_SECONDS_MAX = 5.0  # how long a read waits for room in the queue

_Alike = tuple[Action, str, str | None, str | None]


class AuditTrail:
    """One node's trail.

    Args:
        clock: gives Unix milliseconds.
        random: gives that many random bytes, fit for secrets.
    """

    def __init__(
        self,
        database: Database,
        item_salt: bytes,
        *,
        clock: Callable[[], int],
        random: Callable[[int], bytes],
        settings: AuditSettings | None = None,
        queue_max: int = QUEUE_MAX,
        room_seconds_max: float = ROOM_SECONDS_MAX,
    ) -> None:
        self.settings = settings or AuditSettings()
        self.clock = clock
        self.many = asyncio.Event()  # set when it is time to write before the second is over
        self._database = database
        self._item_salt = item_salt
        self._random = random
        self._queue_max = queue_max
        self._room_seconds_max = room_seconds_max
        self._waiting: list[AuditRecord] = []
        self._alike: dict[_Alike, AuditRecord] = {}
        self._room = asyncio.Event()
        self._flushing = asyncio.Lock()
        self._pseudonyms: dict[tuple[str, str], str] = {}

    @property
    def waiting(self) -> int:
        """How many records are not durable yet."""
        return len(self._waiting) + len(self._alike)

    def note(self, action: Action | None, route: str) -> AuditNote:
        """Begin the note of a request."""
        return AuditNote(
            self.clock(), action, route, self._item_salt, self.settings.keep_refused_bytes
        )

    async def pseudonym(self, kind: str, name: str) -> str:
        """Return what stands for a name in the trail; it is durable before anything is recorded under it.

        Raises:
            UnavailableError: it is a new one, and could not be stored.
        """
        known = self._pseudonyms.get((kind, name))
        if known is None:
            known = await self._database.write(
                lambda c: audit_names.ensure_pseudonym(
                    c, kind, name, random=self._random, now_ms=self.clock()
                )
            )
            self._pseudonyms[kind, name] = known
        return known

    def forgotten(self) -> None:
        """Learn that names were erased: whoever comes again gets a new pseudonym."""
        self._pseudonyms.clear()

    def write(self, connection: sqlite3.Connection, drafts: Sequence[Draft]) -> None:
        """Append records in the caller's transaction, and keep refused input as the configuration says."""
        records = [
            record if content is None else self._keep(connection, record, content)
            for record, content in drafts
        ]
        audit.append(connection, records, self._random)

    async def record_now(self, draft: Draft) -> None:
        """Append a record; durable on return.

        Raises:
            UnavailableError: it could not be stored.
        """
        await self._database.write(lambda c: self.write(c, [draft]))

    async def record(self, record: AuditRecord) -> None:
        """Append a record soon. Those of nobody that are alike become one: strangers can't fill the disk.

        Raises:
            UnavailableError: too many wait already, and none could be written meanwhile (``audit_trail_full``).
        """
        if record.actor == NOBODY:
            self._count(record)
            return
        try:
            async with asyncio.timeout(self._room_seconds_max):
                while len(self._waiting) >= self._queue_max:
                    self._room.clear()
                    self.many.set()
                    await self._room.wait()
        except TimeoutError:
            raise UnavailableError(
                "audit_trail_full",
                f"{len(self._waiting)} records of the audit trail can't be written; nothing is shown unrecorded",
                advice="see whether the disk is full",
            ) from None
        self._waiting.append(record)
        if len(self._waiting) >= MANY:
            self.many.set()

    async def flush(self) -> None:
        """Write what waits; durable on return.

        Raises:
            UnavailableError: not all could be written; the rest still waits.
        """
        async with self._flushing:
            self.many.clear()
            self._waiting += self._alike.values()
            self._alike.clear()
            while self._waiting:
                portion = self._waiting[:MANY]
                await self._database.write(lambda c, p=portion: audit.append(c, p, self._random))  # type: ignore[misc]
                # only now: what could not be written stays first in the queue
                del self._waiting[: len(portion)]
                self._room.set()

    def _count(self, record: AuditRecord) -> None:
        alike = (record.action, record.outcome, record.code, record.route)
        known = self._alike.get(alike)
        self._alike[alike] = (
            record
            if known is None
            else msgspec.structs.replace(known, times=known.times + record.times)
        )

    def _keep(
        self, connection: sqlite3.Connection, record: AuditRecord, content: bytes
    ) -> AuditRecord:
        given = record.input
        if given is None:
            return record
        kept = audit_names.keep_input(
            connection,
            bytes.fromhex(given.digest[2:]),
            content,
            bytes_max=self.settings.kept_bytes_max,
            now_ms=self.clock(),
        )
        return msgspec.structs.replace(record, input=_marked(given, kept))


def _marked(given: Input, kept: bool) -> Input:
    return msgspec.structs.replace(given, kept=kept)
