"""Logs over ranges that endpoints cap, each in words of its own."""

from __future__ import annotations

from typing import Any

import pytest

from abi_hashes import ANCHORED_TOPIC
from fakes.endpoint import FakeEndpoint, refusal
from sealtrail.errors import UnavailableError
from sealtrail.ledger.logs import BLOCKS_AT_ONCE, fetch_logs
from sealtrail.ledger.wire import encode_bytes

CONTRACT = b"\xaa" * 20


def _log(block: int, index: int = 0, address: bytes = CONTRACT) -> dict[str, Any]:
    return {
        "address": encode_bytes(address),
        "topics": [encode_bytes(ANCHORED_TOPIC)],
        "data": "0x",
        "blockNumber": hex(block),
        "blockHash": "0x" + "dd" * 32,
        "logIndex": hex(index),
        "transactionHash": "0x" + "ee" * 32,
    }


class _CappedEndpoint(FakeEndpoint):
    """A log in each block; answers at most so many blocks at once."""

    def __init__(self, cap: int, error: Exception) -> None:
        def logs(question: dict[str, str]) -> list[dict[str, Any]]:
            first, last = int(question["fromBlock"], 16), int(question["toBlock"], 16)
            if last - first + 1 > cap:
                raise error
            return [_log(n) for n in range(first, last + 1)]

        super().__init__(eth_getLogs=logs)


@pytest.mark.parametrize("cap", [1, 2, 7, 100, 10_000])
@pytest.mark.parametrize(
    "error",
    [
        refusal("query returned more than 10000 results", -32005),
        refusal("block range too large", -32602),
        refusal("exceeds max block range 100", -32000),
        UnavailableError("rpc_answer_too_large", "too large"),
    ],
    ids=["results", "range", "maximum", "size"],
)
async def test_a_range_that_is_refused_is_halved_and_nothing_is_lost(
    cap: int, error: Exception
) -> None:
    logs = await fetch_logs(_CappedEndpoint(cap, error), [CONTRACT], [], 3, 90)  # type: ignore[arg-type]
    assert [log.block_number for log in logs] == list(range(3, 91))


async def test_a_long_range_is_asked_in_parts() -> None:
    endpoint = FakeEndpoint(eth_getLogs=[])
    await fetch_logs(endpoint, [CONTRACT], [], 0, 3 * BLOCKS_AT_ONCE)  # type: ignore[arg-type]
    assert len(endpoint.asked) == 4


async def test_a_refusal_of_a_single_block_is_no_answer() -> None:
    with pytest.raises(UnavailableError) as caught:
        await fetch_logs(_CappedEndpoint(0, refusal("pruned")), [CONTRACT], [], 1, 64)  # type: ignore[arg-type]
    assert caught.value.code == "rpc_refused"


async def test_an_endpoint_that_is_away_is_not_asked_for_halves() -> None:
    endpoint = FakeEndpoint(eth_getLogs=UnavailableError("chain_timeout", "no answer"))
    with pytest.raises(UnavailableError):
        await fetch_logs(endpoint, [CONTRACT], [], 1, 64)  # type: ignore[arg-type]
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        [_log(5, address=b"\xbb" * 20)],
        [_log(0)],
        [_log(11)],
        [_log(5), _log(5)],
        [_log(6), _log(5)],
        [_log(5, 2), _log(5, 1)],
        [{**_log(5), "removed": True}],
        {"logs": []},
        None,
        "0x",
        [None],
    ],
    ids=[
        "another contract",
        "before",
        "after",
        "twice",
        "backwards",
        "index",
        "removed",
        "object",
        "null",
        "text",
        "null log",
    ],
)
async def test_logs_that_were_not_asked_for_are_garbage(answer: Any) -> None:
    with pytest.raises(UnavailableError) as caught:
        await fetch_logs(FakeEndpoint(eth_getLogs=lambda _: answer), [CONTRACT], [], 1, 10)  # type: ignore[arg-type]
    assert caught.value.code == "rpc_garbage"
