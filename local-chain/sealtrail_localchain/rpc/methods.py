"""The table of methods. A name that is not here gets -32601."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sealtrail_localchain.chain import Chain
from sealtrail_localchain.rpc.blocks import BlockMethods
from sealtrail_localchain.rpc.logs import LogMethods
from sealtrail_localchain.rpc.network import NetworkMethods
from sealtrail_localchain.rpc.state import StateMethods

Method = Callable[[Any], Awaitable[Any]]


def methods_of(chain: Chain) -> dict[str, Method]:
    """Return every method of this chain by its JSON-RPC name."""
    network, blocks = NetworkMethods(chain), BlockMethods(chain)
    state, logs = StateMethods(chain), LogMethods(chain)
    return {
        "web3_clientVersion": network.client_version,
        "web3_sha3": network.sha3,
        "net_version": network.network_id,
        "net_listening": network.always,
        "net_peerCount": network.zero,
        "eth_chainId": network.chain_id,
        "eth_syncing": network.never,
        "eth_mining": network.always,
        "eth_hashrate": network.zero,
        "eth_coinbase": network.signer,
        "eth_accounts": network.none_unlocked,
        "eth_gasPrice": network.gas_price,
        "eth_maxPriorityFeePerGas": network.zero,
        "eth_feeHistory": network.fee_history,
        "eth_sendRawTransaction": network.send_raw_transaction,
        "txpool_status": network.pool_status,
        "clique_getSigners": network.signers,
        "clique_getSignersAtHash": network.signers,
        "eth_blockNumber": blocks.block_number,
        "eth_getBlockByNumber": blocks.block_by_number,
        "eth_getBlockByHash": blocks.block_by_hash,
        "eth_getBlockTransactionCountByNumber": blocks.transaction_count_by_number,
        "eth_getBlockTransactionCountByHash": blocks.transaction_count_by_hash,
        "eth_getUncleCountByBlockNumber": blocks.uncle_count,
        "eth_getUncleCountByBlockHash": blocks.uncle_count,
        "eth_getTransactionByHash": blocks.transaction_by_hash,
        "eth_getRawTransactionByHash": blocks.raw_transaction_by_hash,
        "eth_getTransactionByBlockNumberAndIndex": blocks.transaction_by_number_and_index,
        "eth_getTransactionByBlockHashAndIndex": blocks.transaction_by_hash_and_index,
        "eth_getTransactionReceipt": blocks.transaction_receipt,
        "eth_getBlockReceipts": blocks.block_receipts,
        "eth_getBalance": state.balance,
        "eth_getTransactionCount": state.transaction_count,
        "eth_getCode": state.code,
        "eth_getStorageAt": state.storage_at,
        "eth_getProof": state.proof,
        "eth_call": state.call,
        "eth_estimateGas": state.estimate_gas,
        "eth_createAccessList": state.create_access_list,
        "eth_getLogs": logs.logs,
        "eth_newFilter": logs.new_log_filter,
        "eth_newBlockFilter": logs.new_block_filter,
        "eth_newPendingTransactionFilter": logs.new_pending_filter,
        "eth_uninstallFilter": logs.uninstall_filter,
        "eth_getFilterLogs": logs.filter_logs,
        "eth_getFilterChanges": logs.filter_changes,
    }
