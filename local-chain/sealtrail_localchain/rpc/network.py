"""Methods about the node, the network, fees, and sending."""

from __future__ import annotations

import platform
from typing import Any

from sealtrail_localchain.chain import Chain
from sealtrail_localchain.database import Database
from sealtrail_localchain.errors import invalid_params
from sealtrail_localchain.hashing import keccak
from sealtrail_localchain.rpc import formatting, params
from sealtrail_localchain.rpc.blocks import require_header
from sealtrail_localchain.rpc.formatting import Json
from sealtrail_localchain.values import Header

CLIENT_VERSION = (
    f"sealtrail-localchain/v1/{platform.system().lower()}/python{platform.python_version()}"
)
FEE_HISTORY_BLOCKS_MAX = 1_024


class NetworkMethods:
    """``net_…``, ``web3_…``, fees, ``eth_sendRawTransaction``, ``clique_…``."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def client_version(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return CLIENT_VERSION

    async def sha3(self, args: Any) -> str:
        (content,) = params.positional(args, 1, 1)
        return formatting.hexed(keccak(params.binary(content, "data")))

    async def network_id(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return str(self._chain.genesis.chain_id)

    async def chain_id(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return hex(self._chain.genesis.chain_id)

    async def always(self, args: Any) -> bool:
        params.positional(args, 0, 0)
        return True

    async def never(self, args: Any) -> bool:
        params.positional(args, 0, 0)
        return False

    async def zero(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return "0x0"

    async def none_unlocked(self, args: Any) -> list[str]:
        """Answer that this node signs for nobody: transactions come signed."""
        params.positional(args, 0, 0)
        return []

    async def signer(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return formatting.hexed(self._chain.genesis.signer)

    async def signers(self, args: Any) -> list[str]:
        params.positional(args, 0, 1)
        return [formatting.hexed(self._chain.genesis.signer)]

    async def gas_price(self, args: Any) -> str:
        params.positional(args, 0, 0)
        return hex(self._chain.base_fee)

    async def send_raw_transaction(self, args: Any) -> str:
        (raw,) = params.positional(args, 1, 1)
        return formatting.hexed(await self._chain.submit(params.binary(raw, "transaction")))

    async def pool_status(self, args: Any) -> Json:
        params.positional(args, 0, 0)
        ready, queued = self._chain.pool.counts()
        return {"pending": hex(ready), "queued": hex(queued)}

    async def fee_history(self, args: Any) -> Json:
        count_given, newest, percentiles = params.positional(args, 2, 3)
        count = _block_count(count_given)
        listed = _percentiles(percentiles)
        wanted = params.block_id(newest)

        def look_up(database: Database) -> list[Header]:
            last = require_header(self._chain, database, wanted)
            first = max(0, last.number - count + 1)
            found = (database.header(number) for number in range(first, last.number + 1))
            return [header for header in found if header is not None]

        headers = await self._chain.read(look_up) if count else []
        return self._fee_history(headers, listed)

    def _fee_history(self, headers: list[Header], percentiles: list[float]) -> Json:
        if not headers:
            return {"oldestBlock": "0x0", "gasUsedRatio": [], "baseFeePerGas": []}
        shown: Json = {
            "oldestBlock": hex(headers[0].number),
            "baseFeePerGas": [hex(one.base_fee) for one in headers] + [hex(self._chain.base_fee)],
            "gasUsedRatio": [one.gas_used / one.gas_limit for one in headers],
        }
        # Blocks are never full, so a tip buys nothing: every percentile is 0.
        return shown | (
            {"reward": [["0x0"] * len(percentiles)] * len(headers)} if percentiles else {}
        )


def _block_count(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        value = hex(value)  # older clients send a JSON number
    count = params.quantity(value, "blockCount")
    return min(count, FEE_HISTORY_BLOCKS_MAX)


def _percentiles(value: Any) -> list[float]:
    listed = [] if value is None else value
    if not isinstance(listed, list) or len(listed) > 100:
        raise invalid_params("reward percentiles: expected a list of at most 100")
    for one in listed:
        if isinstance(one, bool) or not isinstance(one, int | float) or not 0 <= one <= 100:
            raise invalid_params("reward percentiles: expected numbers from 0 to 100")
    return listed
