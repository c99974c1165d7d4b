"""Follows the chain: brings every member's anchors and records into the store.

Final blocks are read once. What is above them is read anew whenever the head changed, and takes the place of what
stood there: a reorganisation is the ordinary case.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import msgspec

from sealtrail.errors import SealtrailError, UnavailableError
from sealtrail.ports import Head, Ledger
from sealtrail.services.pace import BackOff
from sealtrail.store import chain
from sealtrail.store.chain import Cursor
from sealtrail.store.database import Database

_log = logging.getLogger(__name__)

_BLOCKS_A_WRITE = 5_000


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The chain as it was read last: its head, the newest final block, and when (ms)."""

    head: Head
    final: Head
    checked_ms: int


class Follower:
    """The service; start :meth:`run` once, or call :meth:`check_now` as often as one likes.

    Args:
        start_block: block at or before the contracts' deployment.
        clock: milliseconds since 1970.
        random: numbers from 0 to 1, for the back-off.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        *,
        clock: Callable[[], int],
        random: Callable[[], float],
        poll_seconds: float = 1.0,
        start_block: int = 0,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock
        self._back_off = BackOff(random)
        self._poll_seconds = poll_seconds
        self._start_block = start_block
        self._lock = asyncio.Lock()
        self._passes = 0
        self._outcome: Checked | SealtrailError | None = None
        self.checked: Checked | None = None
        self.failure: SealtrailError | None = None
        self.finality_violations = 0
        self._compared = False

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until ``stop`` is set; a chain that is away or lies is waited out."""
        while not stop.is_set():
            seconds = self._poll_seconds
            try:
                await self.check_now()
                self._back_off.succeeded()
            except (
                SealtrailError
            ):  # noted by check_now; whatever it was, the next pass may read more
                seconds = self._back_off.failed()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    async def check_now(self) -> Checked:
        """Read the chain up to its head, and return what that is; callers at the same time share one pass.

        Raises:
            UnavailableError: it could not be read; what the store has is as of :attr:`checked`.
            IntegrityError: it contradicts what was final (``chain_contradiction``).
        """
        arrived = self._passes
        async with self._lock:
            # A pass that began after we came serves us too; one that was under way already does not.
            if self._passes > arrived and self._outcome is not None:
                if isinstance(self._outcome, SealtrailError):
                    raise self._outcome
                return self._outcome
            self._passes += 1
            self._outcome = None
            try:
                self._outcome = self.checked = await self._read()
            except SealtrailError as error:
                self._note(error)
                self._outcome = error
                raise
            self._note(None)
            return self._outcome

    async def _read(self) -> Checked:
        head, final = await self._ledger.heads()
        known = self.checked
        if known is not None and (known.head, known.final) == (head, final):
            return Checked(head=head, final=final, checked_ms=self._clock())
        cursor = await self._database.read(chain.load_cursor)
        cursor = await self._checked_cursor(cursor, head)
        if cursor is not None and not self._compared:
            cursor = await self._compare(cursor)
        self._compared = True
        if cursor is not None and final.number < cursor.final_block:
            # the rule shows less now than before (another endpoint): what was final stays so
            final = await self._block(cursor.final_block)
        first = self._start_block if cursor is None else cursor.final_block + 1
        while first + _BLOCKS_A_WRITE <= final.number:
            last = await self._block(first + _BLOCKS_A_WRITE - 1)
            await self._save(first, last, last)
            first = last.number + 1
        await self._save(first, head, final)
        return Checked(head=head, final=final, checked_ms=self._clock())

    async def _save(self, first: int, last: Head, final: Head) -> None:
        """Bring ``first`` to ``last`` into the store, of which everything up to ``final`` is final."""
        anchors, records = await self._ledger.changes(first, last.number)
        # An endpoint that lags answers "no logs" for blocks that it does not have. It must have the last one.
        again = await self._ledger.block(last.number)
        if again is None or again.hash != last.hash:
            raise UnavailableError(
                "chain_moved", f"block {last.number} is another than a moment ago; read again"
            )
        cursor = Cursor(final_block=final.number, final_hash=final.hash, checked_ms=self._clock())
        # One write: a crash before it, and the same blocks are read again.
        await self._database.write(lambda c: chain.save_changes(c, cursor, anchors, records))

    async def _checked_cursor(self, cursor: Cursor | None, head: Head) -> Cursor | None:
        if cursor is None:
            return None
        if head.number < cursor.final_block:
            raise UnavailableError(
                "chain_behind",
                f"the endpoint is at block {head.number}; this node has followed up to {cursor.final_block}",
                advice="wait until the endpoint has caught up, or ask another one",
            )
        block = await self._ledger.block(cursor.final_block)
        if block is not None and block.hash == cursor.final_hash:
            return cursor
        # What was final is no more: the rule is too weak for this chain, or it was set back. What the chain says
        # now is what counts, so read all of it again, and say so for as long as this process lives.
        self.finality_violations += 1
        _log.critical(
            "finality_violated: block %d is no longer the one that was final; reading the chain anew",
            cursor.final_block,
        )
        await self._database.write(chain.forget)
        return None

    async def _compare(self, cursor: Cursor) -> Cursor | None:
        """Compare, once after each start, what is stored with what the chain says: it is the authority.

        A flipped byte would make a proven entry look unproven, or show another time or record than the chain has.
        """
        for first in range(self._start_block, cursor.final_block + 1, _BLOCKS_A_WRITE):
            last = min(first + _BLOCKS_A_WRITE - 1, cursor.final_block)
            said = await self._ledger.changes(first, last)
            kept = await self._database.read(partial(chain.changes_between, first=first, last=last))
            if (set(said[0]), set(said[1])) != (set(kept[0]), set(kept[1])):
                _log.critical(
                    "what is stored of blocks %d to %d is not what the chain says; reading it anew",
                    first,
                    last,
                )
                await self._database.write(chain.forget)
                return None
        return cursor

    async def _block(self, number: int) -> Head:
        block = await self._ledger.block(number)
        if block is None:
            raise UnavailableError("chain_behind", f"the endpoint has no block {number}")
        return block

    def _note(self, error: SealtrailError | None) -> None:
        if error is not None and (self.failure is None or self.failure.code != error.code):
            _log.warning("the chain is not followed: %s", error)
        if error is None and self.failure is not None:
            _log.info("the chain is followed again")
        self.failure = error
