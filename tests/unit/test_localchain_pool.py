"""Which transactions wait, in what order they may run, and which are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sealtrail_localchain import pool as pool_module
from sealtrail_localchain.errors import RpcError
from sealtrail_localchain.hashing import keccak
from sealtrail_localchain.pool import Pool
from sealtrail_localchain.transactions import Transaction
from sealtrail_localchain.tries import Account

RICH = Account(nonce=0, balance=10**24)
ALICE, BOB = b"\xaa" * 20, b"\xbb" * 20


def sent(nonce: int, *, price: int = 0, sender: bytes = ALICE, gas: int = 21_000) -> Transaction:
    plain = Transaction(
        type=0,
        chain_id=1,
        nonce=nonce,
        max_priority_fee=price,
        max_fee=price,
        gas=gas,
        recipient=BOB,
        value=0,
        content=b"",
        access_list=(),
        v=37,
        r=1,
        s=1,
        raw=b"",
        hash=b"",
        sender=sender,
    )
    return replace(plain, hash=keccak(repr(plain).encode()))


def filled(*transactions: Transaction) -> Pool:
    pool = Pool()
    for transaction in transactions:
        pool.add(transaction, RICH, base_fee=0)
    return pool


def test_a_senders_transactions_run_in_nonce_order() -> None:
    first, second, third = sent(0), sent(1, price=9), sent(2)
    assert filled(third, second, first).ready(0) == [first, second, third]


def test_a_gap_holds_back_what_comes_after_it() -> None:
    pool = filled(sent(0), sent(2))
    assert [one.nonce for one in pool.ready(0)] == [0]
    assert pool.counts() == (1, 1)
    assert pool.next_nonce(ALICE, 0) == 1


def test_who_pays_more_runs_first_and_who_came_first_else() -> None:
    slow, fast, late = sent(0), sent(0, sender=BOB, price=5), sent(0, sender=b"\xcc" * 20)
    assert filled(slow, late, fast).ready(0) == [fast, slow, late]


def test_inclusion_moves_the_sender_on() -> None:
    first, second = sent(0), sent(1)
    pool = filled(first, second)
    pool.included(first)
    assert pool.ready(0) == [second]
    pool.included(second)
    assert (len(pool), pool.has_ready()) == (0, False)


def test_inclusion_of_another_with_the_same_nonce_removes_the_waiting_one() -> None:
    pool = filled(sent(0))
    pool.included(sent(0, price=3))
    assert len(pool) == 0


def test_a_replacement_pays_at_least_a_tenth_more() -> None:
    pool = filled(sent(0, price=100))
    for price in (99, 100, 109):
        with pytest.raises(RpcError, match="replacement transaction underpriced"):
            pool.add(sent(0, price=price, gas=22_000), RICH, 0)
    dearer = sent(0, price=110)
    pool.add(dearer, RICH, 0)
    assert pool.ready(0) == [dearer]


def test_a_dropped_transaction_leaves_those_after_it_waiting() -> None:
    first = sent(0)
    pool = filled(first, sent(1))
    pool.drop(first)
    assert (pool.ready(0), len(pool)) == ([], 1)


@pytest.mark.parametrize(
    ("transaction", "account", "message"),
    [
        (sent(0), Account(nonce=1, balance=0), "nonce too low: next nonce 1, tx nonce 0"),
        (sent(0, price=1), Account(), "insufficient funds for gas \\* price \\+ value: balance 0"),
        (sent(0, gas=20_999), RICH, "intrinsic gas too low: gas 20999, minimum needed 21000"),
        (sent(0, gas=15_000_001), RICH, "exceeds block gas limit"),
        (replace(sent(0), max_priority_fee=1), RICH, "max priority fee per gas higher"),
    ],
)
def test_what_cannot_run_is_refused(
    transaction: Transaction, account: Account, message: str
) -> None:
    with pytest.raises(RpcError, match=message):
        Pool().add(transaction, account, 0)


def test_less_than_the_base_fee_is_refused() -> None:
    with pytest.raises(RpcError, match="max fee per gas less than block base fee"):
        Pool().add(sent(0, price=1), RICH, base_fee=2)


def test_a_repetition_is_already_known() -> None:
    with pytest.raises(RpcError, match="already known"):
        filled(sent(0), sent(0))


def test_a_full_pool_refuses_and_says_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TRANSACTIONS_MAX", 2)
    with pytest.raises(RpcError, match="txpool is full: 2"):
        filled(sent(0), sent(1), sent(2))


def test_a_sender_with_too_many_waiting_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TRANSACTIONS_OF_SENDER_MAX", 2)
    pool = filled(sent(0), sent(1), sent(0, sender=BOB))
    with pytest.raises(RpcError, match="of this sender"):
        pool.add(sent(2), RICH, 0)
    pool.add(sent(1, price=1), RICH, 0)


def test_arrivals_are_told_once() -> None:
    first, second = sent(0), sent(1)
    pool = filled(first)
    at, hashes = pool.arrivals_since(0)
    pool.add(second, RICH, 0)
    assert (hashes, pool.arrivals_since(at)[1]) == ([first.hash], [second.hash])
