"""Logs, and the filters that a client polls."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, replace
from typing import Any

from sealtrail_localchain.chain import Chain
from sealtrail_localchain.database import Database
from sealtrail_localchain.errors import LIMIT_EXCEEDED, RpcError, invalid_params, refused
from sealtrail_localchain.rpc import formatting, params
from sealtrail_localchain.rpc.blocks import find_header, require_header
from sealtrail_localchain.rpc.formatting import Json

LOGS_MAX = 10_000  # results of one query
FILTERS_MAX = 1_000
FILTER_IDLE_SECONDS = 300.0  # geth's: a filter not polled for this long is forgotten


@dataclass(slots=True)
class _Filter:
    kind: str
    query: params.LogQuery | None
    next_block: int
    next_arrival: int
    polled_at: float


class LogMethods:
    """``eth_getLogs``, ``eth_new…Filter``, ``eth_getFilter…``."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._filters: dict[str, _Filter] = {}

    async def logs(self, args: Any) -> list[Json]:
        (given,) = params.positional(args, 1, 1)
        query = params.log_query(given)
        return await self._chain.read(lambda db: self._query(db, query))

    async def new_log_filter(self, args: Any) -> str:
        (given,) = params.positional(args, 1, 1)
        query = params.log_query(given)
        if query.block_hash is not None:
            raise invalid_params("a filter has no blockHash, use eth_getLogs")
        return self._add("logs", query)

    async def new_block_filter(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return self._add("blocks", None)

    async def new_pending_filter(self, args: Any) -> str:
        params.positional(args, 0, 1)
        return self._add("pending", None)

    async def uninstall_filter(self, args: Any) -> bool:
        (wanted,) = params.positional(args, 1, 1)
        return self._filters.pop(str(wanted), None) is not None

    async def filter_logs(self, args: Any) -> list[Json]:
        found = self._found(args)
        if found.query is None:
            raise refused("filter not found")
        query = found.query
        return await self._chain.read(lambda db: self._query(db, query))

    async def filter_changes(self, args: Any) -> list[Any]:
        found = self._found(args)
        if found.kind == "pending":
            found.next_arrival, hashes = self._chain.pool.arrivals_since(found.next_arrival)
            return [formatting.hexed(one) for one in hashes]
        first, last = found.next_block, self._chain.head.number
        found.next_block = last + 1
        if first > last:
            return []
        if found.kind == "blocks":
            return await self._chain.read(lambda db: _hashes(db, first, last))
        query = found.query and _within(found.query, first, last)
        if query is None:
            return []
        return await self._chain.read(lambda db: self._query(db, query))

    def _add(self, kind: str, query: params.LogQuery | None) -> str:
        now = time.monotonic()
        idle = [
            name for name, one in self._filters.items() if now - one.polled_at > FILTER_IDLE_SECONDS
        ]
        for name in idle:
            del self._filters[name]
        if len(self._filters) >= FILTERS_MAX:
            raise RpcError(LIMIT_EXCEEDED, f"too many filters, at most {FILTERS_MAX}")
        name = "0x" + secrets.token_hex(16)
        arrival, _ = self._chain.pool.arrivals_since(0)
        self._filters[name] = _Filter(kind, query, self._chain.head.number + 1, arrival, now)
        return name

    def _found(self, args: Any) -> _Filter:
        (wanted,) = params.positional(args, 1, 1)
        found = self._filters.get(str(wanted))
        if found is None:
            raise refused("filter not found")
        found.polled_at = time.monotonic()
        return found

    def _query(self, database: Database, query: params.LogQuery) -> list[Json]:
        first, last = self._range(database, query)
        found = database.logs(
            first, last, addresses=query.addresses, topics=query.topics, limit=LOGS_MAX + 1
        )
        if len(found) > LOGS_MAX:
            raise RpcError(
                LIMIT_EXCEEDED,
                f"query returned more than {LOGS_MAX} results; ask for a smaller block range,"
                f" such as {first} to {found[LOGS_MAX // 2].block_number}",
            )
        hashes: dict[int, bytes] = {}
        for one in found:
            if one.block_number not in hashes:
                hashes[one.block_number] = database.block_hash(one.block_number) or b""
        return [formatting.log(one, hashes[one.block_number]) for one in found]

    def _range(self, database: Database, query: params.LogQuery) -> tuple[int, int]:
        if query.block_hash is not None:
            header = find_header(self._chain, database, params.BlockId(hash=query.block_hash))
            if header is None:
                raise refused("unknown block")
            return header.number, header.number
        head = self._chain.head.number
        first, last = (
            one.number
            if one.number is not None
            else require_header(self._chain, database, one).number
            for one in (query.first, query.last)
        )
        if first > last and query.last.number is not None:
            raise invalid_params("invalid block range params")
        return first, min(last, head)


def _within(query: params.LogQuery, first: int, last: int) -> params.LogQuery | None:
    """Return the query for the blocks since the last poll, None if it wants none of them."""
    first = max(first, query.first.number or 0)
    last = last if query.last.number is None else min(last, query.last.number)
    if first > last:
        return None
    return replace(query, first=params.BlockId(number=first), last=params.BlockId(number=last))


def _hashes(database: Database, first: int, last: int) -> list[str]:
    found = (database.block_hash(number) for number in range(first, last + 1))
    return [formatting.hexed(one) for one in found if one is not None]
