"""A chain in memory behind the Ledger port: it mines, reorganises, loses its pool, and fails on demand.

A fault comes in two forms: *failed* (the call did nothing) and *failed but persisted* (it did, and said otherwise).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

import msgspec

from sealtrail.errors import UnavailableError, VerificationError
from sealtrail.membership.records import Anchor
from sealtrail.ports import ChainRecord, Head, Inclusion, Sent

Fault = Literal["failed", "failed but persisted"]
PREVIOUS_OF_FIRST = bytes(32)


class _Transaction(msgspec.Struct, frozen=True):
    member: bytes
    nonce: int
    price: int
    sequence: int
    previous: bytes
    checkpoint_hash: bytes

    @property
    def hash(self) -> bytes:
        return sha256(msgspec.msgpack.encode(self)).digest()


@dataclass(frozen=True)
class _Block:
    head: Head
    transactions: tuple[tuple[_Transaction, bool], ...] = ()
    records: tuple[tuple[bytes, int, bytes], ...] = ()


@dataclass
class FakeChain:
    """Blocks, a pool and the Anchors contract; several ledgers may share it."""

    chain_id: int = 1337
    mines_itself: bool = True  # a block for each transaction sent
    salt: int = 0
    blocks: list[_Block] = field(default_factory=list)
    pool: dict[tuple[bytes, int], _Transaction] = field(default_factory=dict)
    refused_members: set[bytes] = field(default_factory=set)
    new_records: list[tuple[bytes, int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.blocks:
            self._add((), ())

    @property
    def head(self) -> Head:
        return self.blocks[-1].head

    def mine(self, count: int = 1) -> None:
        """Make blocks; the first takes everything that can be taken from the pool."""
        for _ in range(count):
            taken: list[tuple[_Transaction, bool]] = []
            for key in sorted(self.pool):
                transaction = self.pool[key]
                if transaction.nonce == self.nonce(transaction.member, taken):
                    taken.append((transaction, self._allowed(transaction, taken)))
            for transaction, _ok in taken:
                del self.pool[transaction.member, transaction.nonce]
            records, self.new_records = tuple(self.new_records), []
            self._add(tuple(taken), records)

    def record(self, member: bytes, version: int, record: bytes) -> None:
        """Have the registry emit a record in a block of its own."""
        self.new_records.append((member, version, record))
        self.mine()

    def reorganise(self, depth: int, *, keep_transactions: bool = True) -> None:
        """Replace the last ``depth`` blocks with as many others; their transactions return to the pool or are lost."""
        gone = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.salt += 1
        self.new_records = [r for block in gone for r in block.records] + self.new_records
        for block in gone:
            for transaction, _ok in block.transactions:
                if keep_transactions:
                    self.pool[transaction.member, transaction.nonce] = transaction
        if not keep_transactions:
            self.pool.clear()
            for _ in gone:
                self._add((), ())
        else:
            self.mine(depth)

    def lose_pool(self) -> None:
        """Forget every transaction that no block holds."""
        self.pool.clear()

    def anchors(self, member: bytes | None = None) -> list[Anchor]:
        """What the Anchors contract emitted, in order."""
        return [
            Anchor(
                member=t.member,
                sequence=t.sequence,
                checkpoint_hash=t.checkpoint_hash,
                suspended=False,
                block_number=block.head.number,
                block_hash=block.head.hash,
                block_time=block.head.time,
                transaction_hash=t.hash,
            )
            for block in self.blocks
            for t, ok in block.transactions
            if ok and member in (None, t.member)
        ]

    def nonce(self, member: bytes, taken: Sequence[tuple[_Transaction, bool]] = ()) -> int:
        """The next nonce that a block takes."""
        mined = [t for block in self.blocks for t, _ok in block.transactions] + [
            t for t, _ok in taken
        ]
        return sum(t.member == member for t in mined)

    def _allowed(self, t: _Transaction, taken: Sequence[tuple[_Transaction, bool]]) -> bool:
        before = [(a.sequence, a.checkpoint_hash) for a in self.anchors(t.member)]
        before += [
            (o.sequence, o.checkpoint_hash) for o, ok in taken if ok and o.member == t.member
        ]
        sequence, checkpoint = before[-1] if before else (0, PREVIOUS_OF_FIRST)
        return self.refusal(t.member) is None and (t.sequence, t.previous) == (
            sequence + 1,
            checkpoint,
        )

    def refusal(self, member: bytes) -> str | None:
        return "NotAnOperator" if member in self.refused_members else None

    def _add(
        self,
        transactions: tuple[tuple[_Transaction, bool], ...],
        records: tuple[tuple[bytes, int, bytes], ...],
    ) -> None:
        number = len(self.blocks)
        parent = self.blocks[-1].head.hash if self.blocks else bytes(32)
        seed = msgspec.msgpack.encode(
            [self.chain_id, self.salt, number, parent, [t.hash for t, _ in transactions], records]
        )
        head = Head(
            number=number,
            hash=sha256(seed).digest(),
            parent_hash=parent,
            time=1_700_000_000 + number,
        )
        self.blocks.append(_Block(head, transactions, records))


class FakeLedger:
    """One member's access to a :class:`FakeChain`.

    ``fault(method)`` is asked before each call. ``before`` and ``after`` are told of each, for tests that crash there.
    """

    def __init__(self, chain: FakeChain, member: bytes, *, depth: int = 0) -> None:
        self.chain = chain
        self.member = member
        self.depth = depth
        self.down = False
        self.fault: Callable[[str], Fault | None] = lambda _method: None
        self.before: Callable[[str], None] = lambda _method: None
        self.after: Callable[[str], None] = lambda _method: None
        self.calls: list[str] = []

    async def head(self) -> Head:
        await self._enter("head")
        return self.chain.head

    async def heads(self) -> tuple[Head, Head]:
        await self._enter("heads")
        head = self.chain.head
        return head, self.chain.blocks[max(0, head.number - self.depth)].head

    async def block(self, number: int) -> Head | None:
        await self._enter("block")
        return self.chain.blocks[number].head if number < len(self.chain.blocks) else None

    async def latest_anchor(self, member: bytes) -> tuple[int, bytes]:
        await self._enter("latest_anchor")
        theirs = self.chain.anchors(member)
        return (theirs[-1].sequence, theirs[-1].checkpoint_hash) if theirs else (0, bytes(32))

    async def find_anchor(self, member: bytes, sequence: int, first_block: int) -> Anchor | None:
        await self._enter("find_anchor")
        return next(
            (
                a
                for a in self.chain.anchors(member)
                if a.sequence == sequence and a.block_number >= first_block
            ),
            None,
        )

    async def changes(
        self, first_block: int, last_block: int
    ) -> tuple[Sequence[Anchor], Sequence[ChainRecord]]:
        await self._enter("changes")
        anchors = [a for a in self.chain.anchors() if first_block <= a.block_number <= last_block]
        records = [
            ChainRecord(
                member=member,
                version=version,
                record=record,
                block_number=block.head.number,
                block_hash=block.head.hash,
            )
            for block in self.chain.blocks[first_block : last_block + 1]
            for member, version, record in block.records
        ]
        return anchors, records

    async def sign_anchor(
        self,
        sequence: int,
        previous: bytes,
        checkpoint_hash: bytes,
        *,
        replacing: Sent | None = None,
    ) -> Sent:
        await self._enter("sign_anchor")
        latest = await self._latest()
        if self.chain.refusal(self.member) or (sequence, previous) != (latest[0] + 1, latest[1]):
            raise VerificationError("anchor_refused", "the contract would refuse it")
        nonce = self.chain.nonce(self.member)
        price = 1
        if replacing is not None and replacing.nonce == nonce:
            price = msgspec.msgpack.decode(replacing.raw, type=_Transaction).price + 1
        transaction = _Transaction(self.member, nonce, price, sequence, previous, checkpoint_hash)
        self._leave("sign_anchor")
        return Sent(hash=transaction.hash, raw=msgspec.msgpack.encode(transaction), nonce=nonce)

    async def send(self, raw: bytes) -> None:
        fault = await self._enter("send")
        transaction = msgspec.msgpack.decode(raw, type=_Transaction)
        if transaction.nonce < self.chain.nonce(transaction.member):
            raise VerificationError("nonce_used", "nonce too low")
        waiting = self.chain.pool.get((transaction.member, transaction.nonce))
        if waiting is not None and waiting != transaction and waiting.price >= transaction.price:
            raise VerificationError("fee_too_low", "replacement transaction underpriced")
        self.chain.pool[transaction.member, transaction.nonce] = transaction
        if self.chain.mines_itself:
            self.chain.mine()
        self._leave("send")
        if fault == "failed but persisted":
            raise UnavailableError("chain_timeout", "no answer")

    async def inclusion(self, transaction_hash: bytes) -> Inclusion | None:
        await self._enter("inclusion")
        for block in self.chain.blocks:
            for transaction, ok in block.transactions:
                if transaction.hash == transaction_hash:
                    return Inclusion(
                        block_number=block.head.number, block_hash=block.head.hash, succeeded=ok
                    )
        return None

    async def close(self) -> None:
        """Nothing to close."""

    async def _latest(self) -> tuple[int, bytes]:
        theirs = self.chain.anchors(self.member)
        return (theirs[-1].sequence, theirs[-1].checkpoint_hash) if theirs else (0, bytes(32))

    async def _enter(self, method: str) -> Fault | None:
        self.calls.append(method)
        self.before(method)
        await asyncio.sleep(0)  # others get their turn, as with a real endpoint
        fault = self.fault(method)
        if self.down or fault == "failed":
            raise UnavailableError("chain_unreachable", "the chain is away")
        return fault

    def _leave(self, method: str) -> None:
        self.after(method)


def encode_transaction(
    member: bytes, nonce: int, sequence: int, previous: bytes, checkpoint_hash: bytes
) -> bytes:
    """A signed transaction that no ledger of the test made."""
    return msgspec.msgpack.encode(
        _Transaction(member, nonce, 5, sequence, previous, checkpoint_hash)
    )
