"""``eth_subscribe`` for one WebSocket connection: new heads and logs, pushed as blocks become durable."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import orjson

from sealtrail_localchain.chain import Chain
from sealtrail_localchain.database import StoredLog
from sealtrail_localchain.errors import LIMIT_EXCEEDED, RpcError, invalid_params, refused
from sealtrail_localchain.rpc import formatting, params
from sealtrail_localchain.rpc.methods import Method
from sealtrail_localchain.values import Block, Log

SUBSCRIPTIONS_MAX = 100  # of one connection
OUTGOING_MAX = 1_000  # messages that wait for a slow reader before it is disconnected


class Subscriptions:
    """The subscriptions of one connection, and what waits to be sent to it.

    ``overrun`` is set when the reader was too slow: a gap must not look like silence, so the
    connection ends instead.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._wanted: dict[str, params.LogQuery | None] = {}
        self.outgoing: asyncio.Queue[bytes] = asyncio.Queue(OUTGOING_MAX)
        self.overrun = asyncio.Event()
        chain.on_block(self._block)

    def methods(self) -> dict[str, Method]:
        return {"eth_subscribe": self._subscribe, "eth_unsubscribe": self._unsubscribe}

    def close(self) -> None:
        self._chain.forget(self._block)

    async def _subscribe(self, args: Any) -> str:
        kind, given = params.positional(args, 1, 2)
        if kind not in ("newHeads", "logs"):
            raise invalid_params("this chain has the subscriptions newHeads and logs")
        if len(self._wanted) >= SUBSCRIPTIONS_MAX:
            raise RpcError(LIMIT_EXCEEDED, f"too many subscriptions, at most {SUBSCRIPTIONS_MAX}")
        query = params.log_query(given or {}) if kind == "logs" else None
        name = "0x" + secrets.token_hex(16)
        self._wanted[name] = query
        return name

    async def _unsubscribe(self, args: Any) -> bool:
        (name,) = params.positional(args, 1, 1)
        if not isinstance(name, str) or name not in self._wanted:
            raise refused("subscription not found")
        del self._wanted[name]
        return True

    def _block(self, block: Block) -> None:
        for name, query in self._wanted.items():
            if query is None:
                shown = formatting.block(block.header, [])
                del shown["transactions"], shown["uncles"]
                self._push(name, shown)
                continue
            for found in _logs_of(block):
                if _matches(found.log, query):
                    self._push(name, formatting.log(found, block.header.hash))

    def _push(self, name: str, result: Any) -> None:
        content = {
            "jsonrpc": "2.0",
            "method": "eth_subscription",
            "params": {"subscription": name, "result": result},
        }
        try:
            self.outgoing.put_nowait(orjson.dumps(content))
        except asyncio.QueueFull:
            self.overrun.set()


def _logs_of(block: Block) -> list[StoredLog]:
    pairs = zip(block.transactions, block.receipts, strict=True)
    places = [
        (position, transaction.hash, log)
        for position, (transaction, receipt) in enumerate(pairs)
        for log in receipt.logs
    ]
    return [
        StoredLog(
            block_number=block.header.number,
            log_index=index,
            tx_position=position,
            tx_hash=tx_hash,
            log=log,
        )
        for index, (position, tx_hash, log) in enumerate(places)
    ]


def _matches(log: Log, query: params.LogQuery) -> bool:
    if query.addresses and log.address not in query.addresses:
        return False
    if len(query.topics) > len(log.topics):
        return False
    pairs = zip(query.topics, log.topics, strict=False)
    return all(not wanted or found in wanted for wanted, found in pairs)
