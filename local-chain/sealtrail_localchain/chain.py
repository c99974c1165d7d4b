"""The running chain: head, pool, the task that makes blocks, and reading beside it.

Three threads: the event loop (pool, head), one writer (blocks), one reader (calls, look-ups), each of
the latter with its own database connection. The head changes only after its block is on disk.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import coincurve

from sealtrail_localchain.accounts import address_of
from sealtrail_localchain.building import Builder
from sealtrail_localchain.database import Database
from sealtrail_localchain.engine import Engine
from sealtrail_localchain.errors import LocalChainError
from sealtrail_localchain.fees import next_base_fee
from sealtrail_localchain.genesis import DEFAULT_CHAIN_ID, Genesis
from sealtrail_localchain.pool import Pool
from sealtrail_localchain.transactions import decode_transaction
from sealtrail_localchain.tries import Account, StateView
from sealtrail_localchain.values import Block, Header

# py-evm recurses in Python and C for each of the EVM's 1,024 nested calls
THREAD_STACK_BYTES = 256 * 1024 * 1024
DEFAULT_PERIOD_SECONDS = 1
DEFAULT_IDLE_PERIOD_SECONDS = 15
# empty blocks at the normal pace after one with transactions, for clients that count confirmations
CONFIRMING_BLOCKS = 6

_log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How blocks are made. None: as the directory's chain has it, or the default for a new one.

    ``idle_period_seconds`` 0: no empty blocks at all.
    """

    chain_id: int | None = None
    period_seconds: int | None = None
    idle_period_seconds: int = DEFAULT_IDLE_PERIOD_SECONDS


class Chain:
    """A chain in one directory. Use :func:`open_chain`."""

    def __init__(
        self,
        *,
        genesis: Genesis,
        engine: Engine,
        builder: Builder,
        reader: Database,
        idle_period_seconds: int,
    ) -> None:
        head = reader.head()
        genesis_header = reader.header(0)
        if head is None or genesis_header is None:
            raise LocalChainError("genesis_missing", "the database has no block", exit_code=4)
        self.genesis = genesis
        self.genesis_hash = genesis_header.hash
        self.engine = engine
        self.head = head
        self.pool = Pool()
        self._builder = builder
        self._reader = reader
        self._idle_period_seconds = idle_period_seconds
        self._wake = asyncio.Event()
        self._last_block_at = 0.0  # monotonic
        self._empty_blocks = CONFIRMING_BLOCKS  # in a row, up to the head
        threading.stack_size(THREAD_STACK_BYTES)
        self._writer_thread = ThreadPoolExecutor(1, "chain-writer")
        self._reader_thread = ThreadPoolExecutor(1, "chain-reader")
        self._listeners: list[Callable[[Block], None]] = []

    @property
    def base_fee(self) -> int:
        """The base fee of the next block, in wei."""
        return next_base_fee(self.head)

    async def read(self, fn: Callable[[Database], T]) -> T:
        """Run a look-up in the reader's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader_thread, fn, self._reader)

    async def account(self, address: bytes) -> Account:
        """Return an account as of the head."""
        root = self.head.state_root
        return await self.read(lambda database: StateView(database, root).account(address))

    async def submit(self, raw: bytes) -> bytes:
        """Put a signed transaction into the pool and return its hash.

        Raises:
            RpcError: refused, with geth's wording.
        """
        transaction = decode_transaction(raw, self.genesis.chain_id)
        head, account = None, Account()
        # A block made meanwhile may have used up the nonce just read: a nonce is only good for its head.
        while head is not self.head:
            head = self.head
            account = await self.account(transaction.sender)
        self.pool.add(transaction, account, self.base_fee)
        self._wake.set()
        return transaction.hash

    def on_block(self, listener: Callable[[Block], None]) -> None:
        """Call ``listener`` in the event loop with each new block, once it is durable."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[Block], None]) -> None:
        """Call it no more."""
        self._listeners.remove(listener)

    async def make_blocks(self) -> None:
        """Make blocks until cancelled. A cancelled block is still finished and stored."""
        while True:
            await self._until_due()
            await asyncio.shield(self._make_block())

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            wait = self._seconds_until_due()
            if wait is not None and wait <= 0:
                return
            try:
                await asyncio.wait_for(self._wake.wait(), wait)
            except TimeoutError:
                continue

    def _seconds_until_due(self) -> float | None:
        period = self.genesis.period_seconds
        if not self.pool.has_ready():
            if self._idle_period_seconds == 0:
                return None
            confirming = self._empty_blocks < CONFIRMING_BLOCKS
            period = max(period, 1 if confirming else self._idle_period_seconds)
        by_wall_clock = self.head.timestamp + period - time.time()
        # A wall clock that was set back must not stop the chain: timestamps then run ahead of it.
        by_elapsed_time = self._last_block_at + period - time.monotonic()
        if self._last_block_at == 0.0:
            return min(by_wall_clock, float(period))
        return min(by_wall_clock, by_elapsed_time)

    async def _make_block(self) -> None:
        parent = self.head
        timestamp = max(int(time.time()), parent.timestamp + self.genesis.period_seconds)
        candidates = self.pool.ready(self.base_fee)
        loop = asyncio.get_running_loop()
        built = await loop.run_in_executor(
            self._writer_thread, self._builder.build, parent, timestamp, candidates
        )
        self.head = built.block.header
        self._last_block_at = time.monotonic()
        self._empty_blocks = 0 if built.block.transactions else self._empty_blocks + 1
        for transaction in built.block.transactions:
            self.pool.included(transaction)
        for transaction, reason in built.dropped:
            _log.warning("dropped transaction 0x%s: %s", transaction.hash.hex(), reason)
            self.pool.drop(transaction)
        for listener in tuple(self._listeners):
            listener(built.block)

    def close(self) -> None:
        """Finish the block being made, then close the database."""
        self._writer_thread.shutdown(wait=True)
        self._reader_thread.shutdown(wait=True)
        self._builder.database.close()
        self._reader.close()


def open_chain(
    path: Path, signing_key: coincurve.PrivateKey, engine: Engine, settings: Settings
) -> Chain:
    """Open the chain in a database, making its genesis block if it is new.

    Raises:
        LocalChainError: damaged, or made with another chain id, period or signer.
    """
    writer = Database(path)
    writer.check()
    signer = address_of(signing_key.secret)
    genesis = writer.load_genesis()
    if genesis is None:
        genesis = Genesis(
            chain_id=_or_default(settings.chain_id, DEFAULT_CHAIN_ID),
            period_seconds=_or_default(settings.period_seconds, DEFAULT_PERIOD_SECONDS),
            signer=signer,
            timestamp=int(time.time()),
        )
        _store_genesis(writer, engine, genesis)
    _check_same(genesis, settings, signer)
    builder = Builder(
        database=writer,
        engine=engine,
        genesis=genesis,
        signing_key=signing_key,
        clock=time.monotonic,
    )
    return Chain(
        genesis=genesis,
        engine=engine,
        builder=builder,
        reader=Database(path),
        idle_period_seconds=settings.idle_period_seconds,
    )


def _store_genesis(database: Database, engine: Engine, genesis: Genesis) -> None:
    with database.transaction():
        state_root = engine.fund(database, genesis.balances())
        header: Header = genesis.header(state_root)
        database.save_genesis(genesis)
        database.save_block(Block(header=header, transactions=(), receipts=()))


def _or_default(asked: int | None, default: int) -> int:
    return default if asked is None else asked


def _check_same(genesis: Genesis, settings: Settings, signer: bytes) -> None:
    pairs = (
        ("chain id", str(genesis.chain_id), settings.chain_id),
        ("period", str(genesis.period_seconds), settings.period_seconds),
        ("signer", genesis.signer.hex(), signer.hex()),
    )
    for name, stored, asked in pairs:
        if asked is not None and stored != str(asked):
            raise LocalChainError(
                "chain_differs",
                f"this directory's chain has {name} {stored}, not {asked}",
                advice="leave the option out to go on with this chain, or use an empty --dir",
            )
