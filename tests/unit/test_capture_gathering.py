"""Single captures gathered into groups: order, isolation of faults, waiters that went away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from sealtrail.errors import IntegrityError, UnavailableError
from sealtrail.services.recording.gathering import GATHERED_MAX, Gathering


class Store:
    """Doubles numbers; a group is written when the gate opens."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.gate = asyncio.Event()
        self.failure: Exception | None = None

    async def write(self, group: Sequence[int]) -> list[int]:
        self.groups.append(list(group))
        await self.gate.wait()
        if self.failure is not None and 13 in group:
            raise self.failure
        return [2 * n for n in group]


async def test_what_arrives_during_a_write_is_the_next_group() -> None:
    store = Store()
    gathering = Gathering(store.write)
    waiters = [asyncio.create_task(gathering.submit(n)) for n in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    late = [asyncio.create_task(gathering.submit(n)) for n in range(5, 9)]
    store.gate.set()
    assert await asyncio.gather(*waiters, *late) == [2 * n for n in range(9)]
    assert [n for group in store.groups for n in group] == list(range(9))
    assert len(store.groups) == 2


async def test_groups_are_bounded() -> None:
    store = Store()
    store.gate.set()
    gathering = Gathering(store.write)
    await asyncio.gather(*(gathering.submit(n) for n in range(3 * GATHERED_MAX)))
    assert max(map(len, store.groups)) <= GATHERED_MAX


async def test_one_that_fails_does_not_fail_the_others() -> None:
    store = Store()
    store.failure = IntegrityError("broken", "thirteen")
    store.gate.set()
    gathering = Gathering(store.write)
    outcomes = await asyncio.gather(
        *(gathering.submit(n) for n in (12, 13, 14)), return_exceptions=True
    )
    assert outcomes[0] == 24
    assert outcomes[1] is store.failure
    assert outcomes[2] == 28


async def test_an_unavailable_store_fails_the_group_once() -> None:
    store = Store()
    store.failure = UnavailableError("disk_full", "no room")
    store.gate.set()
    gathering = Gathering(store.write)
    outcomes = await asyncio.gather(
        *(gathering.submit(n) for n in (12, 13, 14)), return_exceptions=True
    )
    assert outcomes == [store.failure] * 3
    assert len(store.groups) == 1
    store.failure = None
    assert await gathering.submit(13) == 26


async def test_a_waiter_that_went_away_holds_up_nobody() -> None:
    store = Store()
    gathering = Gathering(store.write)
    gone = asyncio.create_task(gathering.submit(1))
    stays = asyncio.create_task(gathering.submit(2))
    await asyncio.sleep(0)
    gone.cancel()
    store.gate.set()
    assert await stays == 4
    with pytest.raises(asyncio.CancelledError):
        await gone
