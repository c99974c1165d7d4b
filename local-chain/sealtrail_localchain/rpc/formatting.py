"""JSON forms of blocks, transactions, receipts and logs, as geth answers them for a London block."""

from __future__ import annotations

from typing import Any

from sealtrail_localchain.database import StoredLog, StoredTransaction
from sealtrail_localchain.hashing import bloom_of
from sealtrail_localchain.transactions import AccessList, Transaction
from sealtrail_localchain.values import EMPTY_UNCLES_HASH, ZERO_ADDRESS, ZERO_HASH, Header

Json = dict[str, Any]


def hexed(content: bytes) -> str:
    return "0x" + content.hex()


def block(header: Header, transactions: list[Any]) -> Json:
    """Return a block; ``transactions`` are hashes or whole objects. London has no withdrawals."""
    return {
        "number": hex(header.number),
        "hash": hexed(header.hash),
        "parentHash": hexed(header.parent_hash),
        "nonce": hexed(bytes(8)),
        "mixHash": hexed(ZERO_HASH),
        "sha3Uncles": hexed(EMPTY_UNCLES_HASH),
        "logsBloom": hexed(header.logs_bloom),
        "transactionsRoot": hexed(header.transactions_root),
        "stateRoot": hexed(header.state_root),
        "receiptsRoot": hexed(header.receipts_root),
        "miner": hexed(ZERO_ADDRESS),
        "difficulty": hex(header.difficulty),
        "totalDifficulty": hex(1 + 2 * header.number),
        "extraData": hexed(header.extra_data),
        "size": hex(len(header.encode()) + 10),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee),
        "transactions": transactions,
        "uncles": [],
    }


def transaction(found: Transaction, place: tuple[Header, int] | None) -> Json:
    """Return a transaction, with its block and index there, or as waiting in the pool."""
    header, position = place if place is not None else (None, None)
    shown: Json = {
        "blockHash": hexed(header.hash) if header else None,
        "blockNumber": hex(header.number) if header else None,
        "from": hexed(found.sender),
        "gas": hex(found.gas),
        "gasPrice": hex(found.effective_gas_price(header.base_fee) if header else found.max_fee),
        "hash": hexed(found.hash),
        "input": hexed(found.content),
        "nonce": hex(found.nonce),
        "to": hexed(found.recipient) if found.recipient else None,
        "transactionIndex": hex(position) if position is not None else None,
        "value": hex(found.value),
        "type": hex(found.type),
        "chainId": hex(found.chain_id),
        "v": hex(found.v),
        "r": hex(found.r),
        "s": hex(found.s),
    }
    if found.type >= 1:
        shown |= {"accessList": access_list(found.access_list), "yParity": hex(found.v)}
    if found.type == 2:
        shown["maxFeePerGas"] = hex(found.max_fee)
        shown["maxPriorityFeePerGas"] = hex(found.max_priority_fee)
    return shown


def access_list(listed: AccessList) -> list[Json]:
    return [
        {
            "address": hexed(address),
            "storageKeys": [hexed(slot.to_bytes(32, "big")) for slot in slots],
        }
        for address, slots in listed
    ]


def log(found: StoredLog, block_hash: bytes) -> Json:
    return {
        "address": hexed(found.log.address),
        "topics": [hexed(topic) for topic in found.log.topics],
        "data": hexed(found.log.content),
        "blockNumber": hex(found.block_number),
        "blockHash": hexed(block_hash),
        "transactionHash": hexed(found.tx_hash),
        "transactionIndex": hex(found.tx_position),
        "logIndex": hex(found.log_index),
        "removed": False,
    }


def receipt(found: StoredTransaction, logs: list[StoredLog], block_hash: bytes) -> Json:
    result, sent = found.receipt, found.transaction
    bloom = bloom_of(value for one in logs for value in (one.log.address, *one.log.topics))
    return {
        "blockHash": hexed(block_hash),
        "blockNumber": hex(found.block_number),
        "contractAddress": hexed(result.contract_address) if result.contract_address else None,
        "cumulativeGasUsed": hex(result.cumulative_gas_used),
        "effectiveGasPrice": hex(result.effective_gas_price),
        "from": hexed(sent.sender),
        "gasUsed": hex(result.gas_used),
        "logs": [log(one, block_hash) for one in logs],
        "logsBloom": hexed(bloom),
        "status": "0x1" if result.succeeded else "0x0",
        "to": hexed(sent.recipient) if sent.recipient else None,
        "transactionHash": hexed(sent.hash),
        "transactionIndex": hex(found.position),
        "type": hex(sent.type),
    }
