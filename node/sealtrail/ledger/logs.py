"""``eth_getLogs`` over any range: endpoints cap blocks or results, and say so in words of their own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from sealtrail.errors import UnavailableError
from sealtrail.ledger.anchor_calls import Log, parse_log
from sealtrail.ledger.rpc import Rpc, RpcRefusalError
from sealtrail.ledger.wire import encode_bytes, garbage, parse_list

BLOCKS_AT_ONCE = 5_000

Topics = Sequence[list[str] | str | None]


async def fetch_logs(
    rpc: Rpc, addresses: Sequence[bytes], topics: Topics, first_block: int, last_block: int
) -> list[Log]:
    """Return the logs of those contracts and topics in those blocks (inclusive), in chain order.

    A range that an endpoint refuses is halved and asked again, down to a single block.

    Raises:
        UnavailableError: a single block was refused, or the answer is not what was asked for (``rpc_garbage``).
    """
    logs: list[Log] = []
    # Part by part: an endpoint that lies about the height must not make us list all of it.
    for start in range(first_block, last_block + 1, BLOCKS_AT_ONCE):
        ranges = [(start, min(start + BLOCKS_AT_ONCE - 1, last_block))]
        while ranges:
            first, last = ranges.pop()
            try:
                logs += await _fetch(rpc, addresses, topics, first, last)
            except UnavailableError as refusal:
                if first == last or not _too_much(refusal):
                    raise
                middle = (first + last) // 2
                ranges += [(middle + 1, last), (first, middle)]
    return logs


async def _fetch(
    rpc: Rpc, addresses: Sequence[bytes], topics: Topics, first: int, last: int
) -> list[Log]:
    question: dict[str, Any] = {
        "address": [encode_bytes(a) for a in addresses],
        "topics": list(topics),
        "fromBlock": hex(first),
        "toBlock": hex(last),
    }
    answer = parse_list(await rpc.call("eth_getLogs", question), "eth_getLogs")
    logs = [parse_log(item) for item in answer]
    for log in logs:
        # An endpoint that ignores the filter must not smuggle in what another contract emitted.
        if log.address not in addresses or not first <= log.block_number <= last:
            raise garbage("eth_getLogs", f"a log of 0x{log.address.hex()} in {log.block_number}")
    order = [(log.block_number, log.log_index) for log in logs]
    if any(a >= b for a, b in pairwise(order)):
        raise garbage("eth_getLogs", "logs out of order or twice")
    return logs


def _too_much(error: UnavailableError) -> bool:
    # Any error object to a range may mean "too many": there is no code for it. An answer over our own limit does.
    return isinstance(error, RpcRefusalError) or error.code == "rpc_answer_too_large"
