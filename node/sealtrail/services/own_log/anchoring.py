"""Anchors the log on a fixed beat: at each, what is durable becomes a checkpoint, and goes to the chain.

The beat never depends on how much was captured. One checkpoint is under way at a time: while the chain is away or
slow, no further ones pile up, and the first after its return covers everything since (decision 0033).
Capture never waits for any of this.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from sqlite3 import Connection
from typing import Literal

import msgspec

from sealtrail.errors import IntegrityError, SealtrailError, UnavailableError
from sealtrail.log.checkpoint import Checkpoint, sign_note
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.tree import TreeHead
from sealtrail.ports import Ledger
from sealtrail.services.own_log.anchor_sender import AnchorSender, SenderTiming, forked
from sealtrail.services.pace import LONGEST_SECONDS, BackOff
from sealtrail.store import outbox
from sealtrail.store.database import Database
from sealtrail.store.outbox import OutboxRow, OwnCheckpoint, State

_log = logging.getLogger(__name__)

# How much more often the chain is asked while an anchor waits for its block: receipts' promises hang on it.
_HASTE = 4


AnchoringState = Literal["current", "under_way", "failing", "stopped"]


class AnchoringSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Whose log is anchored, and how often the chain is asked.

    ``origin`` is the log's (docs/protocol.md section 7); ``start_block`` stands before the first anchor.
    """

    member: bytes
    origin: str
    beat_seconds: float
    poll_seconds: float = 1.0
    start_block: int = 0
    timing: SenderTiming = SenderTiming()


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, and since when (ms)."""

    code: str
    message: str
    since_ms: int


class AnchoringStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far the log is anchored; sizes are tree sizes, sequences anchors' numbers (0: none yet).

    ``current``: everything that was durable at the last beat is in a final anchor. ``under_way``: something is not
    yet. ``failing``: nor can it be at the moment (``failure``). ``stopped``: anchoring has stopped for good, see
    ``failure``; restart the node once that is mended.
    """

    state: AnchoringState
    log_size: int
    included_sequence: int
    included_size: int
    final_sequence: int
    final_size: int
    final_ms: int | None
    finality_violations: int
    failure: Failure | None


class Anchoring:
    """The service; start :meth:`run` once.

    Args:
        head: gives the log's durable head.
        end_log: ends the log with an index entry over all before it, and gives the head of the tree just behind that.
        log_key: signs checkpoints.
        clock: milliseconds since 1970.
        random: numbers from 0 to 1, for the back-off.
        moved: told, in the event loop, whenever a checkpoint has another state on its way to the chain.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        setup: AnchoringSetup,
        *,
        head: Callable[[], TreeHead],
        end_log: Callable[[], Awaitable[TreeHead]],
        log_key: Ed25519Signer,
        clock: Callable[[], int],
        random: Callable[[], float],
        moved: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._setup = setup
        self._head = head
        self._end_log = end_log
        self._log_key = log_key
        self._clock = clock
        self._back_off = BackOff(random)
        self._sender = AnchorSender(
            database,
            ledger,
            member=setup.member,
            clock=clock,
            start_block=setup.start_block,
            timing=setup.timing,
            moved=moved,
        )
        self._next_beat_ms: int | None = None
        self._next_pass_ms = 0
        self._failure: Failure | None = None
        self._stopped = False

    async def run(self, stop: asyncio.Event) -> None:
        """Anchor until ``stop`` is set. Returns early, having logged why, if anchoring must stop for good."""
        while not stop.is_set() and not self._stopped:
            seconds = await self.step()
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), seconds)

    async def step(self) -> float:
        """Do what is due now; return the seconds until something is due again."""
        # never further off than the longest pause, even if the clock was set back
        longest = max(LONGEST_SECONDS, self._setup.poll_seconds)
        self._next_pass_ms = min(self._next_pass_ms, self._clock() + int(longest * 1000))
        try:
            if self._beat_is_due():
                await self.beat()
                if self._failure is None:
                    with suppress(UnavailableError):  # nothing waits for the answer
                        await self._sender.recheck()
            if self._clock() >= self._next_pass_ms:
                self._succeeded(waiting=await self._sender.advance())
        except IntegrityError as error:
            self._stop(error)
        except SealtrailError as error:
            self._failed(error)
        now = self._clock()
        due = min(self._next_pass_ms, self._next_beat_ms or now)
        return max(0.0, (due - now) / 1000)

    async def beat(self) -> OutboxRow | None:
        """Make the log's next checkpoint and put it into the outbox, if the log has grown and none is under way.

        Raises:
            IntegrityError: the chain has an anchor of ours that we did not make (``log_forked``), or the log is
                not an extension of what was anchored (``log_shrunk``).
        """
        last = await self._database.read(self._last_row)
        if last is not None and last.state in (State.PENDING, State.SUBMITTED):
            return None
        if not _has_grown(self._head(), last):
            return None
        # A crash after this: an index entry without its checkpoint, which the next beat finds and takes.
        head = await self._end_log()
        checkpoint = Checkpoint(self._setup.origin, head.size, head.root_hash)
        own = OwnCheckpoint(
            checkpoint_hash=checkpoint.hash,
            tree_size=head.size,
            root_hash=head.root_hash,
            note=sign_note(checkpoint, self._log_key),
        )
        sequence = 1 if last is None else last.sequence + 1
        now = self._clock()
        # A crash before this write: a signed note that nobody saw. The next beat makes one of what is durable then.
        await self._database.write(
            lambda c: outbox.add_checkpoint(c, self._setup.member, sequence, own, now)
        )
        # A crash after it: the row is pending, and the first pass after the start sends it.
        return await self._database.read(lambda c: outbox.row_at(c, sequence))

    async def status(self) -> AnchoringStatus:
        """Return how far the log is anchored."""
        included, final, last = await self._database.read(_positions)
        behind = last is not None and last.state is not State.FINAL
        return AnchoringStatus(
            state=self._state(behind),
            log_size=self._head().size,
            included_sequence=included.sequence if included else 0,
            included_size=included.tree_size if included else 0,
            final_sequence=final.sequence if final else 0,
            final_size=final.tree_size if final else 0,
            final_ms=final.updated_ms if final else None,
            finality_violations=self._sender.finality_violations,
            failure=self._failure,
        )

    def _state(self, behind: bool) -> AnchoringState:
        if self._stopped:
            return "stopped"
        if self._failure is not None:
            return "failing"
        return "under_way" if behind else "current"

    def _beat_is_due(self) -> bool:
        now, beat_ms = self._clock(), int(self._setup.beat_seconds * 1000)
        due = self._next_beat_ms is not None and now >= self._next_beat_ms
        # On whole multiples of the beat, whenever the node started; and never further off than one,
        # even if the clock was set back.
        self._next_beat_ms = (now // beat_ms + 1) * beat_ms
        if due:
            self._next_pass_ms = (
                min(self._next_pass_ms, now) if self._failure is None else self._next_pass_ms
            )
        return due

    def _last_row(self, connection: Connection) -> OutboxRow | None:
        foreign = outbox.foreign_anchor(connection, self._setup.member)
        if foreign is not None:
            raise forked(*foreign)
        return outbox.last_row(connection)

    def _succeeded(self, *, waiting: bool) -> None:
        self._back_off.succeeded()
        if self._failure is not None:
            _log.info("anchoring goes on", extra={"after": self._failure.code})
        self._failure = None
        seconds = self._setup.poll_seconds / (_HASTE if waiting else 1)
        self._next_pass_ms = self._clock() + int(seconds * 1000)

    def _failed(self, error: SealtrailError) -> None:
        now = self._clock()
        if self._failure is None or self._failure.code != error.code:
            _log.warning("anchoring waits: %s", error)
            self._failure = Failure(code=error.code, message=error.message, since_ms=now)
        self._next_pass_ms = now + int(self._back_off.failed() * 1000)

    def _stop(self, error: IntegrityError) -> None:
        _log.critical("anchoring stopped: %s", error, extra={"advice": error.advice})
        self._failure = Failure(code=error.code, message=error.message, since_ms=self._clock())
        self._stopped = True


def _has_grown(head: TreeHead, last: OutboxRow | None) -> bool:
    if last is None:
        return head.size > 0
    if head.size < last.tree_size or (
        head.size == last.tree_size and head.root_hash != last.root_hash
    ):
        raise IntegrityError(
            "log_shrunk",
            f"a checkpoint was made at {last.tree_size} leaves, and the log is at {head.size} with another tree",
            advice="stop the node, keep its files, and restore a backup",
        )
    return head.size > last.tree_size


def _positions(
    connection: Connection,
) -> tuple[OutboxRow | None, OutboxRow | None, OutboxRow | None]:
    return (
        outbox.last_in_state(connection, State.INCLUDED, State.FINAL),
        outbox.last_in_state(connection, State.FINAL),
        outbox.last_row(connection),
    )
