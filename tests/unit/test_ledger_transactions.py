"""Waiting for a transaction that was sent: what an endpoint that can't say now means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.endpoint import FakeEndpoint, refusal
from sealtrail.errors import UnavailableError
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode
from sealtrail.ledger.transactions import Receipt, send_and_wait

INDEXING = refusal("transaction indexing is in progress")
RECEIPT = {
    "transactionHash": "0x" + "11" * 32,
    "blockHash": "0x" + "22" * 32,
    "blockNumber": "0x7",
    "gasUsed": "0x5208",
    "status": "0x1",
    "contractAddress": None,
    "logs": [],
}


def _endpoint(receipts: Iterator[Any]) -> FakeEndpoint:
    def receipt(_: str) -> Any:
        answer = next(receipts)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return FakeEndpoint(
        eth_estimateGas="0x5208",
        eth_getTransactionCount="0x0",
        eth_chainId="0x1",
        eth_sendRawTransaction="0x" + "11" * 32,
        eth_getTransactionReceipt=receipt,
    )


async def _send(endpoint: FakeEndpoint, seconds: float) -> Receipt:
    return await send_and_wait(
        endpoint,  # type: ignore[arg-type]
        key=OperatorKey(b"\x42" * 32),
        to=b"\x01" * 20,
        payload=b"",
        fees=FeeMode.FREE,
        timeout_seconds=seconds,
        poll_seconds=0.001,
    )


async def test_an_endpoint_that_indexes_or_is_away_is_asked_again() -> None:
    away = UnavailableError("chain_unreachable", "no answer")
    pooled = RECEIPT | {"blockHash": None}
    answers = iter([INDEXING, None, away, pooled, RECEIPT])
    receipt = await _send(_endpoint(answers), 30)
    assert receipt.block_number == 7
    assert next(answers, None) is None


async def test_a_wait_that_ends_says_what_the_chain_answered_last() -> None:
    def for_ever() -> Iterator[Any]:
        while True:
            yield INDEXING

    with pytest.raises(UnavailableError) as caught:
        await _send(_endpoint(for_ever()), 0.05)
    assert caught.value.code == "transaction_pending"
    assert "transaction indexing is in progress" in caught.value.message
