"""Methods about blocks, transactions and receipts."""

from __future__ import annotations

from typing import Any

from sealtrail_localchain.chain import Chain
from sealtrail_localchain.database import Database, StoredTransaction
from sealtrail_localchain.errors import refused
from sealtrail_localchain.rpc import formatting, params
from sealtrail_localchain.rpc.formatting import Json
from sealtrail_localchain.rpc.params import BlockId
from sealtrail_localchain.transactions import UINT64_MAX
from sealtrail_localchain.values import Header


def find_header(chain: Chain, database: Database, wanted: BlockId) -> Header | None:
    """Return a block's header; with one signer every block is final, so safe is latest."""
    if wanted.hash is not None:
        return database.header_by_hash(wanted.hash)
    if wanted.number is not None:
        return chain.head if wanted.number == chain.head.number else database.header(wanted.number)
    return database.header(0) if wanted.tag == "earliest" else chain.head


def require_header(chain: Chain, database: Database, wanted: BlockId) -> Header:
    header = find_header(chain, database, wanted)
    # the reader can see a block that is durable a moment before it becomes the head
    if header is None or header.number > chain.head.number:
        raise refused("header not found")
    return header


class BlockMethods:
    """``eth_getBlock…``, ``eth_getTransaction…``, receipts."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._chain_id = chain.genesis.chain_id

    async def block_number(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return hex(self._chain.head.number)

    async def block_by_number(self, args: Any) -> Json | None:
        wanted, full = params.positional(args, 1, 2)
        return await self._block(params.block_id(wanted), params.flag(full, "full"))

    async def block_by_hash(self, args: Any) -> Json | None:
        wanted, full = params.positional(args, 1, 2)
        return await self._block(BlockId(hash=params.block_hash(wanted)), params.flag(full, "full"))

    async def transaction_count_by_number(self, args: Any) -> str | None:
        (wanted,) = params.positional(args, 1, 1)
        return await self._count(params.block_id(wanted))

    async def transaction_count_by_hash(self, args: Any) -> str | None:
        (wanted,) = params.positional(args, 1, 1)
        return await self._count(BlockId(hash=params.block_hash(wanted)))

    async def uncle_count(self, args: Any) -> str:
        params.positional(args, 1, 1)
        return "0x0"

    async def transaction_by_hash(self, args: Any) -> Json | None:
        (wanted,) = params.positional(args, 1, 1)
        tx_hash = params.block_hash(wanted)
        found = await self._chain.read(lambda db: self._placed(db, tx_hash))
        if found is not None:
            return found
        waiting = self._chain.pool.get(tx_hash)
        return formatting.transaction(waiting, None) if waiting else None

    async def raw_transaction_by_hash(self, args: Any) -> str | None:
        (wanted,) = params.positional(args, 1, 1)
        tx_hash = params.block_hash(wanted)
        found = await self._chain.read(lambda db: db.transaction_by_hash(tx_hash, self._chain_id))
        sent = found.transaction if found else self._chain.pool.get(tx_hash)
        return formatting.hexed(sent.raw) if sent else None

    async def transaction_by_number_and_index(self, args: Any) -> Json | None:
        wanted, index = params.positional(args, 2, 2)
        return await self._at_index(params.block_id(wanted), index)

    async def transaction_by_hash_and_index(self, args: Any) -> Json | None:
        wanted, index = params.positional(args, 2, 2)
        return await self._at_index(BlockId(hash=params.block_hash(wanted)), index)

    async def transaction_receipt(self, args: Any) -> Json | None:
        (wanted,) = params.positional(args, 1, 1)
        tx_hash = params.block_hash(wanted)

        def look_up(database: Database) -> Json | None:
            found = database.transaction_by_hash(tx_hash, self._chain_id)
            if found is None or found.block_number > self._chain.head.number:
                return None
            return _receipt(database, found)

        return await self._chain.read(look_up)

    async def block_receipts(self, args: Any) -> list[Json] | None:
        (wanted,) = params.positional(args, 1, 1)
        wanted_block = params.block_id(wanted)

        def look_up(database: Database) -> list[Json] | None:
            header = find_header(self._chain, database, wanted_block)
            if header is None:
                return None
            found = database.transactions_of(header.number, self._chain_id)
            return [_receipt(database, one) for one in found]

        return await self._chain.read(look_up)

    async def _block(self, wanted: BlockId, full: bool) -> Json | None:
        if wanted.tag == "pending":
            return self._pending(full)

        def look_up(database: Database) -> Json | None:
            header = find_header(self._chain, database, wanted)
            if header is None or header.number > self._chain.head.number:
                return None
            if not full:
                hashes = database.transaction_hashes_of(header.number)
                return formatting.block(header, [formatting.hexed(one) for one in hashes])
            found = database.transactions_of(header.number, self._chain_id)
            return formatting.block(
                header,
                [formatting.transaction(one.transaction, (header, one.position)) for one in found],
            )

        return await self._chain.read(look_up)

    def _pending(self, full: bool) -> Json:
        """Return the block to come, as far as it is known: its place and what waits for it."""
        chain = self._chain
        waiting = chain.pool.ready(chain.base_fee)
        listed: list[Any] = [
            formatting.transaction(one, None) if full else formatting.hexed(one.hash)
            for one in waiting
        ]
        shown = formatting.block(chain.head, listed)
        return shown | {
            "number": hex(chain.head.number + 1),
            "parentHash": formatting.hexed(chain.head.hash),
            "baseFeePerGas": hex(chain.base_fee),
            "timestamp": hex(chain.head.timestamp + chain.genesis.period_seconds),
            "hash": None,
            "nonce": None,
            "miner": None,
        }

    async def _count(self, wanted: BlockId) -> str | None:
        if wanted.tag == "pending":
            return hex(len(self._chain.pool.ready(self._chain.base_fee)))

        def look_up(database: Database) -> str | None:
            header = find_header(self._chain, database, wanted)
            return (
                None if header is None else hex(len(database.transaction_hashes_of(header.number)))
            )

        return await self._chain.read(look_up)

    async def _at_index(self, wanted: BlockId, index: Any) -> Json | None:
        position = params.quantity(index, "index", UINT64_MAX)

        def look_up(database: Database) -> Json | None:
            header = find_header(self._chain, database, wanted)
            if header is None:
                return None
            hashes = database.transaction_hashes_of(header.number)
            return self._placed(database, hashes[position]) if position < len(hashes) else None

        return await self._chain.read(look_up)

    def _placed(self, database: Database, tx_hash: bytes) -> Json | None:
        found = database.transaction_by_hash(tx_hash, self._chain_id)
        if found is None or found.block_number > self._chain.head.number:
            return None
        header = database.header(found.block_number)
        return (
            formatting.transaction(found.transaction, (header, found.position)) if header else None
        )


def _receipt(database: Database, found: StoredTransaction) -> Json:
    logs = database.logs_of_transaction(found.block_number, found.position)
    block_hash = database.block_hash(found.block_number) or b""
    return formatting.receipt(found, logs, block_hash)
