"""A member's anchoring over a real database and the chain in memory, with a clock that tests move."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from fakes.ledger import FakeChain, FakeLedger, encode_transaction
from sealtrail.log.ed25519 import Ed25519Signer
from sealtrail.log.tree import TreeHead
from sealtrail.services.own_log.anchor_sender import SenderTiming
from sealtrail.services.own_log.anchoring import Anchoring, AnchoringSetup
from sealtrail.store import outbox
from sealtrail.store.database import Database
from sealtrail.store.outbox import OutboxRow, State

MEMBER = bytes.fromhex("11" * 20)
OTHER = bytes.fromhex("22" * 20)
ORIGIN = f"sealtrail/0x{'00' * 32}/0x{'33' * 20}/0x{MEMBER.hex()}"
BEAT_SECONDS = 10.0


class CrashError(BaseException):
    """The process ends here."""


class CrashPoints:
    """Counts the places where a process could end, and ends it at the chosen one."""

    def __init__(self, at: int | None = None) -> None:
        self.passed = 0
        self._at = at

    def here(self, *_where: object) -> None:
        self.passed += 1
        if self.passed - 1 == self._at:
            raise CrashError


class CrashingDatabase:
    """A database whose process can end just before and just after each write is durable."""

    def __init__(self, database: Database, points: CrashPoints) -> None:
        self._database = database
        self._points = points

    async def read(self, fn: Callable[..., Any]) -> Any:
        return await self._database.read(fn)

    async def write(self, fn: Callable[..., Any]) -> Any:
        self._points.here()
        result = await self._database.write(fn)
        self._points.here()
        return result


class World:
    """One member: its database file, its access to the chain, its clock, and how long its log is."""

    def __init__(self, folder: Path, *, depth: int = 0, chain: FakeChain | None = None) -> None:
        self.path = folder / "sealtrail.db"
        self.chain = chain or FakeChain()
        self.ledger = FakeLedger(self.chain, MEMBER, depth=depth)
        self.now_ms = 1_700_000_000_000
        self.size = 0
        self.database: Database | None = None
        self.service = self.start()

    def start(self, points: CrashPoints | None = None) -> Anchoring:
        """Start (again) over the same database file."""
        self.stop()
        self.database = Database.open(self.path, readers=1)
        points = points or CrashPoints()
        self.ledger.before = self.ledger.after = points.here
        self.service = Anchoring(
            CrashingDatabase(self.database, points),  # type: ignore[arg-type]
            self.ledger,
            AnchoringSetup(
                member=MEMBER,
                origin=ORIGIN,
                beat_seconds=BEAT_SECONDS,
                poll_seconds=1.0,
                timing=SenderTiming(resend_seconds=5.0, replace_seconds=20.0),
            ),
            head=lambda: self.head(self.size),
            end_log=self.end_log,
            log_key=Ed25519Signer(b"\x01" * 32),
            clock=lambda: self.now_ms,
            random=lambda: 0.5,
        )
        return self.service

    def stop(self) -> None:
        if self.database is not None:
            self.database.close()
            self.database = None

    async def end_log(self) -> TreeHead:
        """There is no log here, and so no index: what it ends with is what it is."""
        return self.head(self.size)

    @staticmethod
    def head(size: int) -> TreeHead:
        return TreeHead(size, sha256(b"root of %d" % size).digest())

    async def seconds(self, count: float) -> None:
        """Let time pass, the service doing what is due."""
        end = self.now_ms + int(count * 1000)
        while self.now_ms < end:
            await self.service.step()
            self.now_ms += 500
        await self.service.step()

    def ledger_transaction(self, *, sequence: int) -> bytes:
        """A transaction of this member's operator key that this node did not make."""
        theirs = self.chain.anchors(MEMBER)
        previous = theirs[-1].checkpoint_hash if theirs else bytes(32)
        return encode_transaction(
            MEMBER, self.chain.nonce(MEMBER), sequence, previous, sha256(b"foreign").digest()
        )

    def rows(self) -> list[OutboxRow]:
        assert self.database is not None
        last = self.database.read_sync(outbox.last_row)
        count = 0 if last is None else last.sequence
        rows = [
            self.database.read_sync(lambda c, n=n: outbox.row_at(c, n)) for n in range(1, count + 1)
        ]
        return [row for row in rows if row is not None]

    def states(self) -> list[State]:
        return [row.state for row in self.rows()]

    def assert_each_checkpoint_once_in_order(self) -> None:
        """The chain has exactly the outbox's checkpoints, each once, in order, and the outbox knows where."""
        rows, anchors = self.rows(), self.chain.anchors(MEMBER)
        assert [a.sequence for a in anchors] == list(range(1, len(rows) + 1))
        assert [a.checkpoint_hash for a in anchors] == [r.checkpoint_hash for r in rows]
        assert [a.block_hash for a in anchors] == [r.block_hash for r in rows]
        assert {r.state for r in rows} == {State.FINAL}
        assert [r.tree_size for r in rows] == sorted({r.tree_size for r in rows})
