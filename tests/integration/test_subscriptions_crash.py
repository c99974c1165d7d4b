"""kill -9 between deliveries: every event reaches the consumer, in order, and what comes twice bears its number."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from capture_events import document, event
from subscription_world import Consumer, client_of, consumer, make_query, subscribe

NODE = Path(__file__).parent.parent / "capture_node.py"
ROUNDS = 3
EVENTS_A_ROUND = 1_000


async def start(path: Path) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(NODE), str(path), "0", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    url = (await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip()
    return process, url


async def kill(process: asyncio.subprocess.Process) -> None:
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()


def taken_once(taker: Consumer) -> list[str]:
    """Return what a consumer keeps who takes a batch of each number once."""
    kept = {got.key: got for got in taker.received}
    return [each["epcList"][0].rpartition(".")[2] for got in kept.values() for each in got.events]


async def test_kill_9_between_deliveries_loses_nothing_and_says_what_comes_twice(
    tmp_path: Path,
) -> None:
    async with consumer() as taker:
        for round_ in range(ROUNDS):
            process, url = await start(tmp_path)
            async with client_of(url) as client:
                if round_ == 0:
                    await make_query(client)
                    await subscribe(client, taker.url)
                first = round_ * EVENTS_A_ROUND
                for part in range(first, first + EVENTS_A_ROUND, 100):
                    body = document(*(event(n) for n in range(part, part + 100)))
                    headers = {"Content-Type": "application/json"}
                    async with client.post("/capture", data=body, headers=headers) as response:
                        assert response.status == 202
                some = first + EVENTS_A_ROUND // 3
                await taker.until(lambda c, some=some: len(taken_once(c)) >= some)  # type: ignore[misc]
            await kill(process)
        process, _ = await start(tmp_path)
        await taker.until(lambda c: len(taken_once(c)) >= ROUNDS * EVENTS_A_ROUND)
        await kill(process)
    assert taken_once(taker) == [str(n) for n in range(ROUNDS * EVENTS_A_ROUND)]
    by_key: dict[str, bytes] = {}
    for got in taker.received:
        assert by_key.setdefault(got.key, got.body) == got.body
    assert all(json.loads(got.body)["type"] == "EPCISQueryDocument" for got in taker.received)
