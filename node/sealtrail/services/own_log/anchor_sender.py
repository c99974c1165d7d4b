"""Brings checkpoints from the outbox to the chain: exactly once, in order, whatever crashes or reorganises.

The outbox says what we want; the chain says what is. One pass compares the two and does the next thing for each row
in order of sequence number, and a start after a crash is a pass like any other. That an anchor can't be doubled is
the contract's doing (it takes each sequence number once, and only on top of the one before); that none is lost is
the outbox's, whose rows stay and only become *final* once a final block holds them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from sqlite3 import Connection

import msgspec

from sealtrail.errors import IntegrityError, UnavailableError, VerificationError
from sealtrail.membership.records import Anchor
from sealtrail.ports import Head, Ledger, Sent
from sealtrail.store import outbox
from sealtrail.store.database import Database
from sealtrail.store.outbox import OutboxRow, State

_log = logging.getLogger(__name__)


class SenderTiming(msgspec.Struct, frozen=True, kw_only=True):
    """When an anchor that no block takes is sent once more, and when with higher fees."""

    resend_seconds: float = 10.0
    replace_seconds: float = 60.0


class AnchorSender:
    """The one owner of the outbox's states.

    Args:
        member: whose log it is.
        clock: milliseconds since 1970.
        start_block: no anchor is before it.
        moved: told of each change of a state.
    """

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        *,
        member: bytes,
        clock: Callable[[], int],
        start_block: int = 0,
        timing: SenderTiming | None = None,
        moved: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._member = member
        self._clock = clock
        self._start_block = start_block
        self._timing = timing or SenderTiming()
        self._moved = moved
        # When this process last sent a transaction; forgotten at a crash, so each is sent again after a start.
        self._sent_ms: dict[bytes, int] = {}
        self.finality_violations = 0

    async def advance(self) -> bool:
        """Do for each row that is not final what can be done now; tell whether one waits for a block to take it.

        Raises:
            UnavailableError: the chain could not be asked; nothing is lost, call again.
            VerificationError: the chain or the contract refuses an anchor; call again when that is mended.
            IntegrityError: the chain has a checkpoint in our place that is not ours (``log_forked``): stop.
        """
        rows = await self._database.read(outbox.unfinal_rows)
        try:
            return await self._advance_rows(rows) if rows else False
        except UnavailableError:
            # A chain that was away may have lost what waited in its pool: send it at once when it is back.
            self._sent_ms = {}
            raise

    async def recheck(self) -> None:
        """Take the newest final anchor back if another block stands where the one that held it was.

        A chain that was set back behind what was final has lost it, and while the log is idle nothing else notices.

        Raises:
            UnavailableError: the chain could not be asked.
        """
        row = await self._database.read(lambda c: outbox.last_in_state(c, State.FINAL))
        if row is None or row.block_number is None:
            return
        block = await self._ledger.block(row.block_number)
        # None: the endpoint lags, or the chain is not there yet again. Nothing is known then.
        if block is not None and block.hash != row.block_hash:
            await self._take_back_lost(row.sequence, row.sequence)

    async def _advance_rows(self, rows: Sequence[OutboxRow]) -> bool:
        _, final = await self._ledger.heads()
        for row in rows:
            if not await self._advance_row(row, final):
                return True  # the contract refuses gaps: those behind wait for this one
        return False

    async def _advance_row(self, row: OutboxRow, final: Head) -> bool:
        """Take one row as far as it goes; tell whether a block holds it now."""
        if row.state is State.INCLUDED and not await self._still_included(row):
            # A crash here: the row still says included, and the next pass finds again that it is not.
            row = await self._take_back(row)
        if row.state is State.PENDING:
            row = await self._submit(row)
        if row.state is State.SUBMITTED:
            row = await self._follow(row)
        if row.state is not State.INCLUDED:
            return False
        if row.block_number is not None and row.block_number <= final.number:
            # A crash before this write: the next pass checks the block again and writes it then.
            await self._write(outbox.set_final, row.sequence)
        return True

    # -- included ------------------------------------------------------------------------------------

    async def _still_included(self, row: OutboxRow) -> bool:
        block = await self._ledger.block(row.block_number or 0)
        return block is not None and block.hash == row.block_hash

    async def _take_back(self, row: OutboxRow) -> OutboxRow:
        if row.sent is not None:
            self._sent_ms.pop(row.sent.hash, None)  # the pool may have lost it: send it at once
        return await self._write(outbox.take_back, row.sequence)

    # -- pending -------------------------------------------------------------------------------------

    async def _submit(self, row: OutboxRow) -> OutboxRow:
        latest, latest_hash = await self._ledger.latest_anchor(self._member)
        if latest >= row.sequence:
            anchor = await self._locate(row, latest, latest_hash)
            return await self._include(row, anchor.block_number, anchor.block_hash)
        previous = await self._previous_hash(row)
        if latest < row.sequence - 1:
            await self._take_back_lost(latest + 1, row.sequence - 1)
            return row
        if latest_hash != previous:
            raise forked(latest, latest_hash)
        sent = await self._ledger.sign_anchor(row.sequence, previous, row.checkpoint_hash)
        # A crash here: nothing was kept or sent. The row is pending and gets signed again.
        row = await self._write(outbox.set_submitted, row.sequence, sent)
        # A crash here, or between sending and the answer: this transaction is kept, and the next pass sends it
        # again, byte for byte; a pool or a block has it at most once.
        return await self._send(row)

    async def _take_back_lost(self, first: int, last: int) -> None:
        """Take back anchors that the chain no longer has, so that the next pass brings them again."""
        for sequence in range(first, last + 1):
            row = await self._write(outbox.take_back, sequence)
            _log.critical(
                "finality_violated: anchor %d was final and is gone; sending it again", row.sequence
            )
            self.finality_violations += 1

    # -- submitted -----------------------------------------------------------------------------------

    async def _follow(self, row: OutboxRow) -> OutboxRow:
        if row.sent is None:
            raise IntegrityError(
                "outbox_corrupt",
                f"anchor {row.sequence} is submitted, but its transaction is missing",
            )
        inclusion = await self._ledger.inclusion(row.sent.hash)
        if inclusion is not None and inclusion.succeeded:
            return await self._include(row, inclusion.block_number, inclusion.block_hash)
        # One that was replaced, or was sent before we restored a backup, may have done it.
        anchor = await self._anchored(row)
        if anchor is not None:
            return await self._include(row, anchor.block_number, anchor.block_hash)
        if inclusion is not None:
            await self._write(outbox.set_pending, row.sequence)
            raise VerificationError(
                "anchor_reverted",
                f"the transaction for anchor {row.sequence} was taken into block {inclusion.block_number}"
                " and reverted; it is signed anew",
                advice="is the operator key one of this member's in the registry?",
            )
        return await self._resend(row)

    async def _resend(self, row: OutboxRow) -> OutboxRow:
        now = self._clock()
        last = None if row.sent is None else self._sent_ms.get(row.sent.hash)
        # a time that lies ahead is from before the clock was set back: take it as long ago
        if last is not None and 0 <= now - last < self._timing.resend_seconds * 1000:
            return row
        if last is not None and now - row.updated_ms >= self._timing.replace_seconds * 1000:
            row = await self._replace(row)
        return await self._send(row)

    async def _replace(self, row: OutboxRow) -> OutboxRow:
        sent = await self._ledger.sign_anchor(
            row.sequence, await self._previous_hash(row), row.checkpoint_hash, replacing=row.sent
        )
        # A crash here: the one before stays kept, and is replaced later.
        return await self._write(outbox.set_submitted, row.sequence, sent)

    async def _send(self, row: OutboxRow) -> OutboxRow:
        if row.sent is None:
            return row
        try:
            await self._ledger.send(row.sent.raw)
        except VerificationError as refusal:
            return await self._refused(row, row.sent, refusal)
        self._sent_ms = {row.sent.hash: self._clock()}
        return row

    async def _refused(self, row: OutboxRow, sent: Sent, refusal: VerificationError) -> OutboxRow:
        if refusal.code == "nonce_used":
            # By itself, if a block took it since we asked; the next pass sees that. Else by a transaction that
            # this key made elsewhere, and the row needs a new nonce.
            if await self._ledger.inclusion(sent.hash) is None and not await self._anchored(row):
                row = await self._write(outbox.set_pending, row.sequence)
            return row
        if refusal.code == "fee_too_low":
            # One of the same nonce may wait with a higher fee; ours is raised again in due time.
            self._sent_ms = {sent.hash: self._clock()}
        else:
            await self._write(outbox.set_pending, row.sequence)
        raise refusal

    # -- what the chain says -------------------------------------------------------------------------

    async def _anchored(self, row: OutboxRow) -> Anchor | None:
        """Return the anchor in this row's place, by whichever transaction; None if the place is free.

        Raises:
            IntegrityError: it is not the row's (``log_forked``).
        """
        latest, latest_hash = await self._ledger.latest_anchor(self._member)
        return None if latest < row.sequence else await self._locate(row, latest, latest_hash)

    async def _locate(self, row: OutboxRow, latest: int, latest_hash: bytes) -> Anchor:
        if latest == row.sequence and latest_hash != row.checkpoint_hash:
            raise forked(latest, latest_hash)
        before = await self._database.read(lambda c: outbox.row_at(c, row.sequence - 1))
        first_block = (before and before.block_number) or self._start_block
        anchor = await self._ledger.find_anchor(self._member, row.sequence, first_block)
        if anchor is None:
            raise UnavailableError(
                "chain_inconsistent",
                f"the chain has anchor {latest} as our latest, and does not show anchor {row.sequence}",
                advice="see whether chain.rpc_urls are endpoints of one chain, all up to date",
            )
        if anchor.checkpoint_hash != row.checkpoint_hash:
            raise forked(row.sequence, anchor.checkpoint_hash)
        return anchor

    async def _previous_hash(self, row: OutboxRow) -> bytes:
        previous = await self._database.read(lambda c: outbox.row_at(c, row.sequence - 1))
        return bytes(32) if previous is None else previous.checkpoint_hash

    async def _include(self, row: OutboxRow, block_number: int, block_hash: bytes) -> OutboxRow:
        # A crash before this write: the next pass finds the same block, or the one that a reorganisation made.
        return await self._write(outbox.set_included, row.sequence, (block_number, block_hash))

    async def _write(
        self, change: Callable[..., None], sequence: int, *values: object
    ) -> OutboxRow:
        now = self._clock()

        def write(connection: Connection) -> OutboxRow | None:
            change(connection, sequence, *values, now)
            return outbox.row_at(connection, sequence)

        row = await self._database.write(write)
        if row is None:
            raise IntegrityError("outbox_corrupt", f"anchor {sequence} is no longer in the outbox")
        if self._moved is not None:
            self._moved()
        return row


def forked(sequence: int, checkpoint_hash: bytes) -> IntegrityError:
    """Return the error that says an anchor in our name is not ours."""
    return IntegrityError(
        "log_forked",
        f"the chain has checkpoint 0x{checkpoint_hash.hex()} as our anchor {sequence}, and this log has not",
        advice=(
            "another node signs with this member's operator key, or this database is an old copy: stop one of"
            " them, and restore the newest copy of this log. Capture goes on; nothing is anchored until then"
        ),
    )
