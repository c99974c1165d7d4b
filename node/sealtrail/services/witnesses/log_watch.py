"""Sees logs contradict themselves or leave entries out, from what came here in any way, and keeps the proofs.

Compared are: each checkpoint with all of its size that are known of its log; the order in which a log's checkpoints
were anchored with their sizes; and each entry that was promised an anchor with the anchors that the chain shows.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from sqlite3 import Connection

import msgspec

from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.log.contradiction import Contradiction, prove_fork, prove_rewind
from sealtrail.log.tree import TreeHead
from sealtrail.membership.records import Purpose
from sealtrail.services.chain.network import FollowedNetwork, FollowedNetworks
from sealtrail.signing import Domain, origin_of
from sealtrail.store import log_findings, log_watch, outbox
from sealtrail.store.database import Database
from sealtrail.store.log_findings import OMITTED, LogFinding
from sealtrail.store.log_watch import AwaitedEntry, KnownCheckpoint, WatchCursor, anchored_note
from sealtrail.store.outbox import State

LOOK_SECONDS = 10.0
FINDINGS_A_PAGE_MAX = 500
_ROWS_A_LOOK = 1_000
_EVENTS_A_LOOK = 5_000  # most are this member's own, and passed over
_BLOCKS_A_LOOK = 5_000

_log = logging.getLogger(__name__)


class _Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one look saw, to be written at once; ``is_all`` if nothing new was left for the next."""

    cursor: WatchCursor
    contradictions: Sequence[LogFinding]
    awaited: Sequence[AwaitedEntry]
    is_all: bool


class _Due(msgspec.Struct, frozen=True, kw_only=True):
    """Entries whose promise is over: left out, or proven by now; omissions that are settled; where to look next."""

    omitted: Sequence[AwaitedEntry]
    over: Sequence[AwaitedEntry]
    settled: Sequence[int]
    next_omission: int


class LogWatch:
    """The service; start :meth:`run` once.

    Args:
        domain, member: the network, and this node's own member.
        clock: milliseconds since 1970.
        chain_seconds: the time of the newest final block that was read; None: not known. What was promised is
            measured by it: a chain that stands still delays everybody's anchors, and is no one's fault.
        anchor_delay_ms: within which the network promises every entry an anchored checkpoint.
    """

    def __init__(
        self,
        database: Database,
        networks: FollowedNetworks,
        *,
        domain: Domain,
        member: bytes,
        clock: Callable[[], int],
        chain_seconds: Callable[[], int | None],
        anchor_delay_ms: int,
    ) -> None:
        self._database = database
        self._networks = networks
        self._domain = domain
        self._member = member
        self._clock = clock
        self._chain_seconds = chain_seconds
        self._anchor_delay_ms = anchor_delay_ms
        self._next_omission = 0  # known omissions are looked at again in turns
        self.counts: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Look until ``stop`` is set; what can't be looked at now is looked at later."""
        while not stop.is_set():
            seconds = LOOK_SECONDS
            try:
                if not await self.look():
                    seconds = 0.0
            except SealtrailError as error:  # whatever it is, care goes on
                level = logging.DEBUG if isinstance(error, UnavailableError) else logging.ERROR
                _log.log(level, "logs are not compared: %s", error)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    async def look(self) -> bool:
        """Look through a portion of what is new, and at what is overdue; tell whether that was all.

        Raises:
            UnavailableError: the chain was never followed, or the store can't be read or written.
        """
        seen = await self._database.read(self._look_through)
        await self._report(seen.contradictions)
        cursor = await self._database.read(log_watch.load_watch_cursor)
        if cursor != seen.cursor or seen.awaited:
            # A crash before this write: the same portion is looked through again, and finds the same.
            await self._database.write(partial(_move_on, seen))
        due = await self._database.read(self._look_at_due)
        self._next_omission = due.next_omission
        await self._report([self._omission(each) for each in due.omitted])
        if due.over or due.settled:
            now = self._clock()
            await self._database.write(lambda c: _settle(c, due, now))
        self.counts = await self._database.read(log_findings.count_findings)
        return seen.is_all

    async def findings(self, *, count_max: int, after: int = 0) -> list[tuple[int, LogFinding]]:
        """Return findings with their numbers, oldest first, from behind that number on."""
        limit = min(count_max, FINDINGS_A_PAGE_MAX)
        return await self._database.read(
            lambda c: log_findings.load_findings(c, count_max=limit, after=after)
        )

    def forks(
        self, connection: Connection, member: bytes, head: TreeHead, note: str
    ) -> list[LogFinding]:
        """Return the proofs that a signed checkpoint contradicts others of its size that are known of its log.

        Raises:
            UnavailableError: the chain was never followed.
        """
        view = self._networks.view(connection)
        found: list[LogFinding] = []
        for other in log_watch.notes_of_size(connection, member, head):
            found += self._proven(view, member, partial(prove_fork, note, other))
        return found

    async def keep(self, findings: Sequence[LogFinding]) -> None:
        """Keep findings, durably, and tell the operator of those that are new."""
        await self._report(findings)
        self.counts = await self._database.read(log_findings.count_findings)

    async def _report(self, findings: Sequence[LogFinding]) -> None:
        if not findings:
            return
        fresh = await self._database.write(
            lambda c: [each for each in findings if log_findings.save_finding(c, each)]
        )
        for (code, member), count in Counter((f.code, f.member) for f in fresh).items():
            severity = logging.WARNING if code == OMITTED else logging.CRITICAL
            _log.log(severity, "%s: the log of member 0x%s (%d)", code, member.hex(), count)

    def _look_through(self, connection: Connection) -> _Seen:
        view = self._networks.view(connection)
        cursor = log_watch.load_watch_cursor(connection)
        # a chain that was read anew may be shorter than it was
        after_block = min(cursor.anchor_block, view.block)
        last_block = min(after_block + _BLOCKS_A_LOOK, view.block)
        fresh, checkpoint_row = log_watch.new_checkpoints(
            connection, cursor.checkpoint_row, view.block, _ROWS_A_LOOK
        )
        awaited, event_row = log_watch.new_foreign_entries(
            connection, cursor.event_row, view.block, _EVENTS_A_LOOK
        )
        found: list[LogFinding] = []
        for known in fresh:
            found += self.forks(connection, known.member, known.head, known.note)
        for known in [
            *(each for each in fresh if each.sequence is not None),
            *log_watch.anchored_between(connection, after_block, last_block),
        ]:
            found += self._rewinds(connection, view, known)
        moved = WatchCursor(
            event_row=event_row, checkpoint_row=checkpoint_row, anchor_block=last_block
        )
        is_all = (event_row, checkpoint_row) == (cursor.event_row, cursor.checkpoint_row)
        return _Seen(
            cursor=moved,
            contradictions=found,
            awaited=awaited,
            is_all=is_all and last_block == view.block,
        )

    def _rewinds(
        self, connection: Connection, view: FollowedNetwork, known: KnownCheckpoint
    ) -> list[LogFinding]:
        """Compare with the next smaller and larger trees: if those before were in order, nothing else need be."""
        found: list[LogFinding] = []
        for other in log_watch.next_anchored(connection, known.member, known.head.size, view.block):
            smaller, larger = sorted((known, other), key=lambda each: each.head.size)
            earlier, later = anchored_note(larger), anchored_note(smaller)
            if earlier.sequence < later.sequence:
                found += self._proven(view, known.member, partial(prove_rewind, earlier, later))
        return found

    def _proven(
        self, view: FollowedNetwork, member: bytes, prove: Callable[..., Contradiction]
    ) -> list[LogFinding]:
        """Return a proof as a finding, if it is signed with keys that nobody else is reported to have had."""
        record = view.record(member, None)
        keys = [
            k.public
            for k in (record.keys if record else ())
            if k.purpose is Purpose.LOG and not k.compromised_since
        ]
        try:
            proof = prove(origin=origin_of(self._domain, member), log_keys=keys)
        except SealtrailError as error:
            _log.warning("checkpoints of 0x%s differ and prove nothing: %s", member.hex(), error)
            return []
        return [
            LogFinding(code=proof.code, member=member, found_ms=self._clock(), contradiction=proof)
        ]

    def _look_at_due(self, connection: Connection) -> _Due:
        view = self._networks.view(connection)
        seconds = self._chain_seconds()
        over: list[AwaitedEntry] = []
        own: list[AwaitedEntry] = []
        if seconds is not None:
            until_ms = seconds * 1000 - self._anchor_delay_ms
            over = log_watch.awaited_since(connection, until_ms, _ROWS_A_LOOK)
            uncovered = self._own_uncovered(connection)
            own = [each for each in uncovered if each.record_time_ms <= until_ms]
        known = log_findings.open_omissions(
            connection, count_max=_ROWS_A_LOOK, after=self._next_omission
        )
        return _Due(
            omitted=[*log_watch.unproven_of(connection, over, view.block), *own],
            over=over,
            settled=self._settled(connection, known, view.block),
            next_omission=known[-1][0] if len(known) == _ROWS_A_LOOK else 0,
        )

    def _own_uncovered(self, connection: Connection) -> list[AwaitedEntry]:
        final = outbox.last_in_state(connection, State.FINAL)
        first = final.tree_size if final else 0
        return log_watch.own_uncovered(connection, first, self._member, _ROWS_A_LOOK)

    def _settled(
        self, connection: Connection, known: Iterable[tuple[int, LogFinding]], last_block: int
    ) -> list[int]:
        entries = [
            (number, AwaitedEntry(member=f.member, entry_id=f.entry_id, record_time_ms=0))
            for number, f in known
            if f.entry_id is not None
        ]
        final = outbox.last_in_state(connection, State.FINAL)
        uncovered = {
            each.entry_id
            for each in log_watch.unproven_of(
                connection, [e for _, e in entries if e.member != self._member], last_block
            )
        }
        uncovered |= log_watch.own_beyond(
            connection,
            [e.entry_id for _, e in entries if e.member == self._member],
            final.tree_size if final else 0,
        )
        return [number for number, each in entries if each.entry_id not in uncovered]

    def _omission(self, entry: AwaitedEntry) -> LogFinding:
        return LogFinding(
            code=OMITTED,
            member=entry.member,
            found_ms=self._clock(),
            entry_id=entry.entry_id,
            promised_ms=entry.record_time_ms + self._anchor_delay_ms,
        )


def _move_on(seen: _Seen, connection: Connection) -> None:
    log_watch.save_awaited(connection, seen.awaited)
    log_watch.save_watch_cursor(connection, seen.cursor)


def _settle(connection: Connection, due: _Due, now_ms: int) -> None:
    log_watch.drop_awaited(connection, due.over)
    log_findings.settle(connection, due.settled, now_ms)
