"""The engine over py-evm's London state. The one module that imports ``eth``.

Only its transaction execution is used: blocks, headers, seals, receipts and storage are this
package's own, since py-evm's defaults for nonce, gas limit, difficulty and rewards are wrong for
Clique and its chain database writes in many transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.db.backends.base import BaseAtomicDB
from eth.exceptions import OutOfGas, Revert, VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.london import LondonVM
from eth.vm.forks.london.state import LondonTransactionExecutor
from eth_utils.exceptions import ValidationError

from sealtrail_localchain.engine import BlockRun, Call, Environment, Outcome, TransactionRefused
from sealtrail_localchain.transactions import AccessList, Transaction, intrinsic_gas
from sealtrail_localchain.tries import Nodes
from sealtrail_localchain.values import EMPTY_TRIE_ROOT, ZERO_ADDRESS, ZERO_HASH, Log

_log = logging.getLogger(__name__)


class PyEvmEngine:
    """Implements :class:`sealtrail_localchain.engine.Engine`."""

    def fund(self, nodes: Nodes, balances: dict[bytes, int]) -> bytes:
        state = _state(nodes, EMPTY_TRIE_ROOT, _GENESIS_ENVIRONMENT)
        for address, balance in balances.items():
            state.set_balance(address, balance)
        return _persist(state)

    def start_block(self, nodes: Nodes, state_root: bytes, environment: Environment) -> BlockRun:
        return _PyEvmBlockRun(_state(nodes, state_root, environment))

    def call(
        self, nodes: Nodes, state_root: bytes, environment: Environment, call: Call
    ) -> Outcome:
        message = _Message.from_call(call)
        if call.gas < message.intrinsic_gas:
            raise TransactionRefused(
                f"intrinsic gas too low: have {call.gas}, want {message.intrinsic_gas}"
            )
        state = _state(nodes, state_root, environment)
        balance = state.get_balance(call.sender)
        if balance < call.value:
            raise TransactionRefused(
                "insufficient funds for gas * price + value: "
                f"balance {balance}, tx cost {call.value}, overshot {call.value - balance}"
            )
        return _run(state, message)


class _PyEvmBlockRun:
    def __init__(self, state: Any) -> None:
        self._state = state

    def apply(self, transaction: Transaction) -> Outcome:
        message = _Message.from_transaction(transaction)
        state = self._state
        state.lock_changes()
        before = state.snapshot()
        try:
            state.validate_transaction(message)
            outcome = _run(state, message)
        except ValidationError as error:
            state.revert(before)
            raise TransactionRefused(str(error)) from error
        except Exception as error:
            # A fault of the engine on hostile input costs that one transaction, not the chain.
            _log.exception("the engine failed on transaction 0x%s", transaction.hash.hex())
            state.revert(before)
            raise TransactionRefused("internal error while executing") from error
        state.commit(before)
        return outcome

    def finish(self) -> bytes:
        return _persist(self._state)


@dataclass(frozen=True, slots=True)
class _Message:
    """The attributes py-evm's executor reads off a transaction."""

    sender: bytes
    to: bytes
    nonce: int
    gas: int
    value: int
    data: bytes
    access_list: AccessList
    max_fee_per_gas: int
    max_priority_fee_per_gas: int
    s: int
    intrinsic_gas: int

    @classmethod
    def from_transaction(cls, transaction: Transaction) -> _Message:
        return cls(
            sender=transaction.sender,
            to=transaction.recipient or CREATE_CONTRACT_ADDRESS,
            nonce=transaction.nonce,
            gas=transaction.gas,
            value=transaction.value,
            data=transaction.content,
            access_list=transaction.access_list,
            max_fee_per_gas=transaction.max_fee,
            max_priority_fee_per_gas=transaction.max_priority_fee,
            s=transaction.s,
            intrinsic_gas=transaction.intrinsic_gas,
        )

    @classmethod
    def from_call(cls, call: Call) -> _Message:
        return cls(
            sender=call.sender,
            to=call.recipient or CREATE_CONTRACT_ADDRESS,
            nonce=0,
            gas=call.gas,
            value=call.value,
            data=call.content,
            access_list=call.access_list,
            max_fee_per_gas=0,
            max_priority_fee_per_gas=0,
            s=1,
            intrinsic_gas=intrinsic_gas(call.content, call.recipient is None, call.access_list),
        )


class _NodesForPyEvm(BaseAtomicDB):  # type: ignore[misc]
    """The nodes of one block or call, as py-evm wants its database.

    Nothing is written through before :meth:`flush`: a call is forgotten, a block is one transaction.
    """

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._new: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> bytes:
        found = self._new.get(key)
        return self._nodes[key] if found is None else found

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._new[key] = value

    def __delitem__(self, key: bytes) -> None:
        # every state stays readable: nodes are never deleted
        self._new.pop(key, None)

    def _exists(self, key: bytes) -> bool:
        return key in self._new or key in self._nodes

    @contextmanager
    def atomic_batch(self) -> Iterator[_NodesForPyEvm]:
        yield self

    def flush(self) -> None:
        for key, value in self._new.items():
            self._nodes[key] = value


def _state(nodes: Nodes, state_root: bytes, environment: Environment) -> Any:
    context = ExecutionContext(
        coinbase=environment.beneficiary,
        timestamp=environment.timestamp,
        block_number=environment.number,
        difficulty=environment.difficulty,
        mix_hash=ZERO_HASH,
        gas_limit=environment.gas_limit,
        prev_hashes=environment.ancestors,
        chain_id=environment.chain_id,
        base_fee_per_gas=environment.base_fee,
    )
    return LondonVM.get_state_class()(_NodesForPyEvm(nodes), context, state_root)


def _persist(state: Any) -> bytes:
    state.persist()
    state._db.flush()
    root: bytes = state.state_root
    return root


def _run(state: Any, message: _Message) -> Outcome:
    executor = LondonTransactionExecutor(state)
    evm_message = executor.build_evm_message(message)
    computation = executor.build_computation(evm_message, message)
    remaining = computation.get_gas_remaining()
    refund = executor.calculate_gas_refund(computation, message.gas - remaining)
    executor.finalize_computation(message, computation)
    failed = computation.is_error
    created = evm_message.is_create and not failed
    return Outcome(
        output=computation.output,
        gas_used=message.gas - remaining - refund,
        gas_refund=refund,
        failure=_wording(computation.error) if failed else None,
        reverted=failed and isinstance(computation.error, Revert),
        contract_address=evm_message.storage_address if created else None,
        logs=() if failed else _logs(computation),
    )


def _logs(computation: Any) -> tuple[Log, ...]:
    return tuple(
        Log(
            address=address,
            topics=tuple(topic.to_bytes(32, "big") for topic in topics),
            content=content,
        )
        for address, topics, content in computation.get_log_entries()
    )


def _wording(error: VMError) -> str:
    """Return geth's words for a failure, which client libraries look for."""
    if isinstance(error, Revert):
        return "execution reverted"
    if isinstance(error, OutOfGas):
        return "out of gas"
    return f"invalid execution: {type(error).__name__}: {error}"


_GENESIS_ENVIRONMENT = Environment(
    chain_id=0,
    beneficiary=ZERO_ADDRESS,
    number=0,
    timestamp=0,
    difficulty=1,
    gas_limit=0,
    base_fee=0,
    ancestors=(),
)
