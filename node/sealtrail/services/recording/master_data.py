"""Master data that a member puts by itself: a document of it comes in, and is kept whole or not at all."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from sealtrail.epcis import Limits
from sealtrail.epcis.masterdata import VocabularyElement
from sealtrail.epcis.masterdata_documents import parse_master_data
from sealtrail.errors import InputError
from sealtrail.evidence.audit_record import Ending
from sealtrail.services.audit_trail.note import AuditNote
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.problems import as_problem
from sealtrail.services.recording.drafts import Body
from sealtrail.store import masterdata
from sealtrail.store.database import Database
from sealtrail.store.masterdata import Put
from sealtrail.store.masterdata_rows import Statement

# Longer documents are read in a thread: nobody else should wait.
_ELSEWHERE_BYTES = 64 * 1024


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a document of master data: each element with the version that says it."""

    valid_from_ms: int
    elements: tuple[tuple[VocabularyElement, Put], ...]


class MasterDataService:
    """Keeps what one member says of products, places and parties.

    Args:
        clock: gives Unix milliseconds.
        audit: gets a record of each document, in the transaction that keeps it.
    """

    def __init__(
        self,
        database: Database,
        *,
        member: bytes,
        clock: Callable[[], int],
        limits: Limits,
        audit: AuditTrail | None = None,
    ) -> None:
        self._database = database
        self._member = member
        self._clock = clock
        self._limits = limits
        self._audit = audit

    async def put(
        self, body: Body, *, valid_from_ms: int | None = None, note: AuditNote | None = None
    ) -> Kept:
        """Keep a document's master data, durable on return; what is known already makes no new version.

        Args:
            valid_from_ms: since when it holds, Unix milliseconds; None: from now on.

        Raises:
            InputError: it can't be read, or one of its elements can't: nothing was kept; ``errors`` has all of them.
            UnavailableError: nothing was kept; try again.
        """
        elements = await self._read(body)
        now_ms = self._clock()
        since_ms = now_ms if valid_from_ms is None else valid_from_ms
        statement = Statement(
            source="put", member=self._member, valid_from_ms=since_ms, recorded_ms=now_ms
        )

        def write(connection: sqlite3.Connection) -> list[Put]:
            puts = masterdata.put(connection, elements, statement)
            if self._audit is not None and note is not None:
                self._audit.write(connection, [note.drafted(Ending.DONE)])
            return puts

        puts = await self._database.write(write)
        if note is not None and self._audit is not None:
            note.written = True
        return Kept(valid_from_ms=since_ms, elements=tuple(zip(elements, puts, strict=True)))

    async def _read(self, body: Body) -> list[VocabularyElement]:
        if len(body.data) > _ELSEWHERE_BYTES:
            found = await asyncio.to_thread(self._parse, body)
        else:
            found = self._parse(body)
        refused = [each for each in found if isinstance(each, InputError)]
        if refused:
            raise _all_of(refused)
        return [each for each in found if isinstance(each, VocabularyElement)]

    def _parse(self, body: Body) -> list[VocabularyElement | InputError]:
        return parse_master_data(
            body.data, media_type=body.media_type, charset=body.charset, limits=self._limits
        )


def _all_of(refused: Sequence[InputError]) -> InputError:
    """Return the first refusal with all of them beside it."""
    first = refused[0]
    return type(first)(
        first.code,
        first.message,
        pointer=first.pointer,
        advice=first.advice,
        **{**first.context, "errors": [as_problem(each) for each in refused]},
    )
