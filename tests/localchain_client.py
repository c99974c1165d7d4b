"""A web3.py client of a chain under test, and contracts small enough to read as bytecode."""

from __future__ import annotations

from typing import Any

from eth_account import Account
from web3 import Web3
from web3.middleware import ExtraDataToPOAMiddleware
from web3.types import TxReceipt

from localchain_process import LocalChainProcess

TOPIC = "0x" + (0x42).to_bytes(32, "big").hex()


def creating(runtime: str) -> bytes:
    """Return creation code that deploys ``runtime`` (hexadecimal)."""
    code = bytes.fromhex(runtime)
    prefix = f"60{len(code):02x}600c60003960{len(code):02x}6000f3"
    return bytes.fromhex(prefix) + code


# slot 0 := calldata word; emits it with TOPIC
RECORDER = creating("600035600055" + "600035600052" + "604260206000a1" + "00")
# reverts with its calldata
REVERTER = creating("366000600037" + "366000fd")
# loops until the gas is gone
BURNER = creating("5b600056")
# calls itself until it cannot go deeper
RECURSOR = creating("6000600060006000600030" + "5af1" + "00")
# returns the block's number, timestamp, base fee and chain id
TELLER = creating("43600052" + "42602052" + "48604052" + "46606052" + "60806000f3")


class Client:
    """Sends signed transactions from one development account and counts its nonce."""

    def __init__(self, chain: LocalChainProcess, account: int = 0) -> None:
        self.w3 = Web3(Web3.HTTPProvider(chain.rpc_url))
        # Clique's headers carry their seal in extraData, which web3.py refuses without this
        self.w3.middleware_onion.inject(ExtraDataToPOAMiddleware, layer=0)
        self.chain_id = chain.chain_id
        self.address = chain.accounts[account].address
        self._key = chain.accounts[account].private_key
        self.nonce = self.w3.eth.get_transaction_count(self.address)

    def signed(self, **fields: Any) -> bytes:
        defaults: dict[str, Any] = {
            "nonce": self.nonce,
            "gas": 200_000,
            "value": 0,
            "chainId": self.chain_id,
        }
        if "maxFeePerGas" not in fields:
            defaults["gasPrice"] = 0
        return bytes(Account.sign_transaction(defaults | fields, self._key).raw_transaction)

    def send(self, **fields: Any) -> bytes:
        tx_hash = self.w3.eth.send_raw_transaction(self.signed(**fields))
        self.nonce += 1
        return bytes(tx_hash)

    def receipt(self, tx_hash: bytes) -> TxReceipt:
        return self.w3.eth.wait_for_transaction_receipt(tx_hash, timeout=60, poll_latency=0.02)

    def run(self, **fields: Any) -> TxReceipt:
        return self.receipt(self.send(**fields))

    def deploy(self, code: bytes, **fees: Any) -> str:
        receipt = self.run(data=code, gas=1_000_000, **fees)
        assert receipt["status"] == 1
        return str(receipt["contractAddress"])


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")
