"""Making one block: execute, seal, store. Runs in the writer's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import coincurve

from sealtrail_localchain import clique
from sealtrail_localchain.database import Database
from sealtrail_localchain.engine import BlockRun, Engine, Environment, Outcome, TransactionRefused
from sealtrail_localchain.fees import GAS_TARGET, next_base_fee
from sealtrail_localchain.genesis import Genesis
from sealtrail_localchain.hashing import EMPTY_BLOOM
from sealtrail_localchain.transactions import Transaction
from sealtrail_localchain.tries import list_root
from sealtrail_localchain.values import Block, Header, Receipt

EXECUTION_SECONDS_MAX = 0.8  # a block takes no further transaction after this long


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A stored block, and the transactions that turned out not to be valid, with the reason."""

    block: Block
    dropped: tuple[tuple[Transaction, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Makes blocks on top of the head. ``clock``: monotonic, in seconds."""

    database: Database
    engine: Engine
    genesis: Genesis
    signing_key: coincurve.PrivateKey
    clock: Callable[[], float]

    def build(self, parent: Header, timestamp: int, candidates: Sequence[Transaction]) -> Built:
        """Execute, seal and durably store the block after ``parent``.

        The order: execute in memory, then one database transaction with state, block and logs. On
        return it is synced; whoever shows it to others does so after that.
        """
        environment = environment_after(self.database, self.genesis, parent, timestamp)
        run = self.engine.start_block(self.database, parent.state_root, environment)
        included = self._execute(run, candidates, environment.base_fee)
        with self.database.transaction():
            header = _header(parent, environment, run.finish(), included)
            block = Block(
                header=clique.seal(header, self.signing_key),
                transactions=tuple(included.transactions),
                receipts=tuple(included.receipts),
            )
            self.database.save_block(block)
        return Built(block=block, dropped=tuple(included.dropped))

    def _execute(
        self, run: BlockRun, candidates: Sequence[Transaction], base_fee: int
    ) -> _Included:
        included = _Included([], [], [])
        skipped: set[bytes] = set()  # senders whose next transaction has to wait
        deadline = self.clock() + EXECUTION_SECONDS_MAX
        for transaction in candidates:
            if transaction.sender in skipped:
                continue
            if transaction.gas > GAS_TARGET - included.gas_used or self.clock() > deadline:
                skipped.add(transaction.sender)
                continue
            try:
                outcome = run.apply(transaction)
            except TransactionRefused as error:
                skipped.add(transaction.sender)
                included.dropped.append((transaction, str(error)))
            else:
                included.add(transaction, outcome, base_fee)
        return included


@dataclass(slots=True)
class _Included:
    transactions: list[Transaction]
    receipts: list[Receipt]
    dropped: list[tuple[Transaction, str]]

    @property
    def gas_used(self) -> int:
        return self.receipts[-1].cumulative_gas_used if self.receipts else 0

    def add(self, transaction: Transaction, outcome: Outcome, base_fee: int) -> None:
        receipt = Receipt(
            succeeded=outcome.failure is None,
            gas_used=outcome.gas_used,
            cumulative_gas_used=self.gas_used + outcome.gas_used,
            effective_gas_price=transaction.effective_gas_price(base_fee),
            contract_address=outcome.contract_address,
            logs=outcome.logs,
        )
        self.transactions.append(transaction)
        self.receipts.append(receipt)

    @property
    def bloom(self) -> bytes:
        bits = int.from_bytes(EMPTY_BLOOM, "big")
        for receipt in self.receipts:
            bits |= int.from_bytes(receipt.logs_bloom, "big")
        return bits.to_bytes(len(EMPTY_BLOOM), "big")


def environment_after(
    database: Database, genesis: Genesis, parent: Header, timestamp: int
) -> Environment:
    """Return what code in the block after ``parent`` sees."""
    return Environment(
        chain_id=genesis.chain_id,
        beneficiary=genesis.signer,
        number=parent.number + 1,
        timestamp=timestamp,
        difficulty=clique.DIFFICULTY_IN_TURN,
        gas_limit=parent.gas_limit,
        base_fee=next_base_fee(parent),
        ancestors=database.ancestors(parent.number),
    )


def _header(
    parent: Header, environment: Environment, state_root: bytes, included: _Included
) -> Header:
    pairs = zip(included.transactions, included.receipts, strict=True)
    return Header(
        parent_hash=parent.hash,
        state_root=state_root,
        transactions_root=list_root([tx.raw for tx in included.transactions]),
        receipts_root=list_root([receipt.encode(tx.type) for tx, receipt in pairs]),
        logs_bloom=included.bloom,
        difficulty=environment.difficulty,
        number=environment.number,
        gas_limit=environment.gas_limit,
        gas_used=included.gas_used,
        timestamp=environment.timestamp,
        extra_data=clique.unsealed_extra_data(environment.number, environment.beneficiary),
        base_fee=environment.base_fee,
    )
