"""Transactions that wait for a block. In memory only: what is lost at a crash its sender sends again.

Lives in the event loop's thread. A sender's transactions run in nonce order; a gap holds back those
after it. Messages are geth's, which client libraries match on.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from dataclasses import dataclass

from sealtrail_localchain.errors import refused
from sealtrail_localchain.fees import GAS_TARGET
from sealtrail_localchain.transactions import Transaction
from sealtrail_localchain.tries import Account

TRANSACTIONS_MAX = 16_384
TRANSACTIONS_OF_SENDER_MAX = 2_048
PRICE_BUMP_PERCENT = 10
ARRIVALS_KEPT = 16_384


@dataclass(frozen=True, slots=True)
class _Waiting:
    transaction: Transaction
    arrival: int


class Pool:
    """Waiting transactions by sender and nonce."""

    def __init__(self) -> None:
        self._by_sender: dict[bytes, dict[int, _Waiting]] = {}
        self._by_hash: dict[bytes, Transaction] = {}
        self._next_nonce: dict[bytes, int] = {}
        self._arrivals = itertools.count()
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=ARRIVALS_KEPT)

    def __len__(self) -> int:
        return len(self._by_hash)

    def get(self, tx_hash: bytes) -> Transaction | None:
        return self._by_hash.get(tx_hash)

    def add(self, transaction: Transaction, account: Account, base_fee: int) -> None:
        """Take a transaction whose sender's account at the head is ``account``.

        Raises:
            RpcError: not valid, underpriced, a repetition, or no room.
        """
        if transaction.hash in self._by_hash:
            raise refused("already known")
        _check(transaction, base_fee)
        nonce = max(account.nonce, self._next_nonce.get(transaction.sender, 0))
        _check_account(transaction, nonce, account.balance)
        waiting = self._by_sender.setdefault(transaction.sender, {})
        replaced = waiting.get(transaction.nonce)
        if replaced is not None:
            _check_replacement(replaced.transaction, transaction)
            del self._by_hash[replaced.transaction.hash]
        else:
            self._check_room(len(waiting))
        arrival = next(self._arrivals)
        waiting[transaction.nonce] = _Waiting(transaction, arrival)
        self._by_hash[transaction.hash] = transaction
        self._next_nonce[transaction.sender] = nonce
        self._recent.append((arrival, transaction.hash))

    def _check_room(self, of_sender: int) -> None:
        if len(self._by_hash) >= TRANSACTIONS_MAX:
            raise refused(f"txpool is full: {TRANSACTIONS_MAX} transactions wait")
        if of_sender >= TRANSACTIONS_OF_SENDER_MAX:
            raise refused(
                f"txpool is full: {TRANSACTIONS_OF_SENDER_MAX} transactions of this sender wait"
            )

    def ready(self, base_fee: int) -> list[Transaction]:
        """Return what could run now, best paying sender first, each sender in nonce order."""
        heap = [
            _rank(found, base_fee)
            for sender in self._by_sender
            if (found := self._at(sender, self._next_nonce[sender])) is not None
        ]
        heapq.heapify(heap)
        ordered: list[Transaction] = []
        while heap:
            transaction = heapq.heappop(heap)[2]
            ordered.append(transaction)
            following = self._at(transaction.sender, transaction.nonce + 1)
            if following is not None:
                heapq.heappush(heap, _rank(following, base_fee))
        return ordered

    def has_ready(self) -> bool:
        return any(
            self._next_nonce[sender] in waiting for sender, waiting in self._by_sender.items()
        )

    def counts(self) -> tuple[int, int]:
        """Return how many could run now and how many wait behind a gap."""
        ready = len(self.ready(base_fee=0))
        return ready, len(self._by_hash) - ready

    def next_nonce(self, sender: bytes, account_nonce: int) -> int:
        """Return the first nonce of a sender that is neither on chain nor waiting."""
        nonce = max(account_nonce, self._next_nonce.get(sender, 0))
        waiting = self._by_sender.get(sender, {})
        while nonce in waiting:
            nonce += 1
        return nonce

    def included(self, transaction: Transaction) -> None:
        """Forget a transaction that is now in a block, and any other of the same nonce."""
        self._next_nonce[transaction.sender] = transaction.nonce + 1
        self._remove(transaction.sender, transaction.nonce)

    def drop(self, transaction: Transaction) -> None:
        """Forget a transaction that turned out not to be executable."""
        if self._by_hash.get(transaction.hash) is not None:
            self._remove(transaction.sender, transaction.nonce)

    def arrivals_since(self, arrival: int) -> tuple[int, list[bytes]]:
        """Return the arrival number to ask from next time, and the hashes that came since."""
        found = [tx_hash for at, tx_hash in self._recent if at >= arrival]
        last = self._recent[-1][0] + 1 if self._recent else arrival
        return last, found

    def _at(self, sender: bytes, nonce: int) -> _Waiting | None:
        return self._by_sender[sender].get(nonce)

    def _remove(self, sender: bytes, nonce: int) -> None:
        waiting = self._by_sender.get(sender, {})
        found = waiting.pop(nonce, None)
        if found is not None:
            del self._by_hash[found.transaction.hash]
        if not waiting:
            self._by_sender.pop(sender, None)
            self._next_nonce.pop(sender, None)


def _rank(waiting: _Waiting, base_fee: int) -> tuple[int, int, Transaction]:
    return (
        -waiting.transaction.effective_gas_price(base_fee),
        waiting.arrival,
        waiting.transaction,
    )


def _check(transaction: Transaction, base_fee: int) -> None:
    if transaction.gas > GAS_TARGET:
        raise refused(f"exceeds block gas limit: gas {transaction.gas}, limit {GAS_TARGET}")
    if transaction.max_priority_fee > transaction.max_fee:
        raise refused(
            "max priority fee per gas higher than max fee per gas: "
            f"maxPriorityFeePerGas {transaction.max_priority_fee}, "
            f"maxFeePerGas {transaction.max_fee}"
        )
    if transaction.max_fee < base_fee:
        raise refused(
            "max fee per gas less than block base fee: "
            f"maxFeePerGas {transaction.max_fee}, baseFee {base_fee}"
        )
    needed = transaction.intrinsic_gas
    if transaction.gas < needed:
        raise refused(f"intrinsic gas too low: gas {transaction.gas}, minimum needed {needed}")


def _check_account(transaction: Transaction, nonce: int, balance: int) -> None:
    if transaction.nonce < nonce:
        raise refused(f"nonce too low: next nonce {nonce}, tx nonce {transaction.nonce}")
    cost = transaction.cost_max
    if balance < cost:
        raise refused(
            "insufficient funds for gas * price + value: "
            f"balance {balance}, tx cost {cost}, overshot {cost - balance}"
        )


def _check_replacement(old: Transaction, new: Transaction) -> None:
    fees = ((old.max_fee, new.max_fee), (old.max_priority_fee, new.max_priority_fee))
    for before, after in fees:
        if after <= before or after * 100 < before * (100 + PRICE_BUMP_PERCENT):
            raise refused("replacement transaction underpriced")
