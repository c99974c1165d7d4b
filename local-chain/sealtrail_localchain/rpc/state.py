"""Methods about accounts and contracts: balances, storage, proofs, calls, estimates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import rlp

from sealtrail_localchain.building import environment_after
from sealtrail_localchain.chain import Chain
from sealtrail_localchain.database import Database
from sealtrail_localchain.engine import Call, Outcome, TransactionRefused
from sealtrail_localchain.errors import EXECUTION_REVERTED, RpcError, invalid_params, refused
from sealtrail_localchain.rpc import formatting, params
from sealtrail_localchain.rpc.blocks import require_header
from sealtrail_localchain.rpc.formatting import Json
from sealtrail_localchain.tries import Account, StateView
from sealtrail_localchain.values import Header

PROOF_KEYS_MAX = 1_024  # geth's limit of eth_getProof
CALL_STIPEND = 2_300
ESTIMATE_TOLERANCE = 0.015  # geth's: an estimate may be this much too high
_PANIC_SELECTOR = bytes.fromhex("4e487b71")
_ERROR_SELECTOR = bytes.fromhex("08c379a0")


class StateMethods:
    """``eth_getBalance`` and its like, ``eth_getProof``, ``eth_call``, ``eth_estimateGas``."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    async def balance(self, args: Any) -> str:
        account = await self._account(*params.positional(args, 1, 2))
        return hex(account.balance)

    async def transaction_count(self, args: Any) -> str:
        who, wanted = params.positional(args, 1, 2)
        account = await self._account(who, wanted)
        if params.block_id(wanted).tag == "pending":
            return hex(self._chain.pool.next_nonce(params.address(who), account.nonce))
        return hex(account.nonce)

    async def code(self, args: Any) -> str:
        who, wanted = params.positional(args, 1, 2)
        address, block = params.address(who), params.block_id(wanted)
        return formatting.hexed(
            await self._chain.read(lambda db: self._view(db, block)[1].code(address))
        )

    async def storage_at(self, args: Any) -> str:
        who, key, wanted = params.positional(args, 2, 3)
        address, slot, block = params.address(who), params.slot(key), params.block_id(wanted)
        value = await self._chain.read(lambda db: self._view(db, block)[1].storage(address, slot))
        return formatting.hexed(value.to_bytes(32, "big"))

    async def proof(self, args: Any) -> Json:
        who, keys, wanted = params.positional(args, 2, 3)
        if not isinstance(keys, list):
            raise invalid_params("expected a list of storage keys")
        if len(keys) > PROOF_KEYS_MAX:
            raise invalid_params(f"too many keys: {len(keys)}, at most {PROOF_KEYS_MAX}")
        address, block = params.address(who), params.block_id(wanted)
        slots = [(key, params.slot(key)) for key in keys]
        return await self._chain.read(lambda db: _proof(self._view(db, block)[1], address, slots))

    async def call(self, args: Any) -> str:
        given, wanted = self._call_args(args)
        call, _ = params.call(given)
        block = params.block_id(wanted)
        outcome = await self._chain.read(lambda db: self._run(db, block, call))
        _raise_failure(outcome)
        return formatting.hexed(outcome.output)

    async def estimate_gas(self, args: Any) -> str:
        given, wanted = self._call_args(args)
        call, price = params.call(given)
        block = params.block_id(wanted)
        return hex(await self._chain.read(lambda db: self._estimate(db, block, call, price)))

    async def create_access_list(self, args: Any) -> Json:
        """Answer with the list given: valid, and never wrong, if not the cheapest."""
        given, wanted = self._call_args(args)
        call, _ = params.call(given)
        block = params.block_id(wanted)
        outcome = await self._chain.read(lambda db: self._run(db, block, call))
        shown: Json = {
            "accessList": formatting.access_list(call.access_list),
            "gasUsed": hex(outcome.gas_used),
        }
        return shown | ({"error": outcome.failure} if outcome.failure else {})

    def _call_args(self, args: Any) -> tuple[Any, Any]:
        given, wanted, overrides = params.positional(args, 1, 3)
        if overrides:
            raise invalid_params("state overrides are not supported by this chain")
        return given, wanted

    async def _account(self, who: Any, wanted: Any) -> Account:
        address, block = params.address(who), params.block_id(wanted)
        return await self._chain.read(lambda db: self._view(db, block)[1].account(address))

    def _view(self, database: Database, block: params.BlockId) -> tuple[Header, StateView]:
        header = require_header(self._chain, database, block)
        return header, StateView(database, header.state_root)

    def _run(self, database: Database, block: params.BlockId, call: Call) -> Outcome:
        """Run a call in the block named, or in the one to come for ``pending``."""
        header = require_header(self._chain, database, block)
        environment = environment_after(
            database,
            self._chain.genesis,
            header,
            header.timestamp + self._chain.genesis.period_seconds,
        )
        if block.tag != "pending":
            environment = replace(
                environment,
                number=header.number,
                timestamp=header.timestamp,
                ancestors=database.ancestors(header.number - 1),
            )
        # a call pays no gas: with a base fee it could not even start
        environment = replace(environment, base_fee=0)
        try:
            return self._chain.engine.call(database, header.state_root, environment, call)
        except TransactionRefused as error:
            raise refused(f"err: {error} (supplied gas {call.gas})") from error

    def _estimate(self, database: Database, block: params.BlockId, call: Call, price: int) -> int:
        most = call.gas
        if price:
            _, view = self._view(database, block)
            spendable = view.account(call.sender).balance - call.value
            if spendable < 0:
                raise refused("insufficient funds for transfer")
            most = min(most, spendable // price)
        first = self._run(database, block, replace(call, gas=most))
        if first.failure == "out of gas":
            raise refused(f"gas required exceeds allowance ({most})")
        _raise_failure(first)
        low = first.gas_used - 1
        # most often right: what was used, before refunds, plus what calls hold back (EIP-150)
        likely = min(most, (first.gas_used + first.gas_refund + CALL_STIPEND) * 64 // 63)
        return self._search(database, block, call, (low, likely, most))

    def _search(
        self, database: Database, block: params.BlockId, call: Call, bounds: tuple[int, int, int]
    ) -> int:
        low, middle, high = bounds
        while low + 1 < high and (high - low) / high >= ESTIMATE_TOLERANCE:
            outcome = self._run(database, block, replace(call, gas=middle))
            low, high = (middle, high) if outcome.failure else (low, middle)
            middle = min((low + high) // 2, low * 2)
        return high


def _proof(view: StateView, address: bytes, slots: list[tuple[str, int]]) -> Json:
    account = view.account(address)
    return {
        "address": formatting.hexed(address),
        "accountProof": [formatting.hexed(node) for node in view.account_proof(address).nodes],
        "balance": hex(account.balance),
        "codeHash": formatting.hexed(account.code_hash),
        "nonce": hex(account.nonce),
        "storageHash": formatting.hexed(account.storage_root),
        "storageProof": [_storage_proof(view, account, key, slot) for key, slot in slots],
    }


def _storage_proof(view: StateView, account: Account, key: str, slot: int) -> Json:
    proof = view.storage_proof(account.storage_root, slot)
    value = int.from_bytes(rlp.decode(proof.value), "big") if proof.value else 0
    return {
        "key": key,
        "value": hex(value),
        "proof": [formatting.hexed(node) for node in proof.nodes],
    }


def _raise_failure(outcome: Outcome) -> None:
    if outcome.reverted:
        reason = revert_reason(outcome.output)
        message = "execution reverted" + (f": {reason}" if reason is not None else "")
        raise RpcError(EXECUTION_REVERTED, message, formatting.hexed(outcome.output))
    if outcome.failure is not None:
        raise refused(outcome.failure)


def revert_reason(output: bytes) -> str | None:
    """Return the text of ``Error(string)`` or ``Panic(uint256)``, None for anything else."""
    selector, arguments = output[:4], output[4:]
    if selector == _PANIC_SELECTOR and len(arguments) == 32:
        return f"panic: code 0x{int.from_bytes(arguments, 'big'):x}"
    if selector != _ERROR_SELECTOR or len(arguments) < 64:
        return None
    length = int.from_bytes(arguments[32:64], "big")
    text = arguments[64 : 64 + length]
    return text.decode("utf-8", "replace") if len(text) == length else None
