"""The first block, and the same as a file that geth reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sealtrail_localchain import clique
from sealtrail_localchain.accounts import DEVELOPMENT_BALANCE_WEI, development_accounts
from sealtrail_localchain.fees import GAS_LIMIT, GENESIS_BASE_FEE
from sealtrail_localchain.hashing import EMPTY_BLOOM
from sealtrail_localchain.values import EMPTY_TRIE_ROOT, ZERO_ADDRESS, ZERO_HASH, Header

DEFAULT_CHAIN_ID = 31_337
_FORKS_AT_GENESIS = (
    "homesteadBlock",
    "eip150Block",
    "eip155Block",
    "eip158Block",
    "byzantiumBlock",
    "constantinopleBlock",
    "petersburgBlock",
    "istanbulBlock",
    "muirGlacierBlock",
    "berlinBlock",
    "londonBlock",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Genesis:
    """What makes this chain this one. Fixed when the directory is made.

    The signer is random for each directory, so that no two chains share a genesis hash although the
    development accounts are the same everywhere: signatures made for one mean nothing on another.
    """

    chain_id: int
    period_seconds: int
    signer: bytes
    timestamp: int

    def balances(self) -> dict[bytes, int]:
        """Return the funded accounts. The signer holds 1 wei, so that no fee ever empties it."""
        funded = {account.address: DEVELOPMENT_BALANCE_WEI for account in development_accounts()}
        return {**funded, self.signer: 1}

    def header(self, state_root: bytes) -> Header:
        return Header(
            parent_hash=ZERO_HASH,
            state_root=state_root,
            transactions_root=EMPTY_TRIE_ROOT,
            receipts_root=EMPTY_TRIE_ROOT,
            logs_bloom=EMPTY_BLOOM,
            difficulty=1,
            number=0,
            gas_limit=GAS_LIMIT,
            gas_used=0,
            timestamp=self.timestamp,
            extra_data=clique.unsealed_extra_data(0, self.signer),
            base_fee=GENESIS_BASE_FEE,
        )

    def for_geth(self) -> dict[str, Any]:
        """Return the genesis file that ``geth init`` reads."""
        forks = dict.fromkeys(_FORKS_AT_GENESIS, 0)
        engine = {"period": self.period_seconds, "epoch": clique.EPOCH_BLOCKS}
        return {
            "config": {"chainId": self.chain_id, **forks, "clique": engine},
            "nonce": "0x0",
            "timestamp": hex(self.timestamp),
            "extraData": "0x" + clique.unsealed_extra_data(0, self.signer).hex(),
            "gasLimit": hex(GAS_LIMIT),
            "difficulty": "0x1",
            "mixHash": "0x" + ZERO_HASH.hex(),
            "coinbase": "0x" + ZERO_ADDRESS.hex(),
            "baseFeePerGas": hex(GENESIS_BASE_FEE),
            "alloc": {
                address.hex(): {"balance": str(balance)}
                for address, balance in self.balances().items()
            },
        }
