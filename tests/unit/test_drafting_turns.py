"""Which process takes which document: huge ones never the first, the oldest first, none lost."""

from __future__ import annotations

import asyncio

from sealtrail.services.recording.drafting_turns import Turns


async def waiting(turns: Turns[str], *, huge: bool) -> asyncio.Task[tuple[int, str]]:
    task = asyncio.ensure_future(turns.take(huge=huge))
    await asyncio.sleep(0)
    return task


async def test_the_first_is_the_last_choice_and_takes_nothing_huge() -> None:
    turns = Turns(["first", "second", "third"])
    assert [(await turns.take(huge=True))[1] for _ in range(2)] == ["third", "second"]
    huge = await waiting(turns, huge=True)
    assert await turns.take(huge=False) == (0, "first")
    ordinary = await waiting(turns, huge=False)
    turns.give_back(0)
    assert await ordinary == (0, "first")
    assert not huge.done()
    turns.give_back(1)
    assert await huge == (1, "second")


async def test_whoever_waits_longest_is_served_first_whatever_its_size() -> None:
    turns = Turns(["first", "second"])
    for _ in range(2):
        await turns.take(huge=False)
    tasks = [await waiting(turns, huge=huge) for huge in (True, False, True)]
    for task in tasks:
        turns.give_back(1)
        assert await task == (1, "second")


async def test_one_alone_takes_all() -> None:
    turns = Turns(["only"])
    number, worker = await turns.take(huge=True)
    assert worker == "only"
    second = await waiting(turns, huge=True)
    turns.give_back(number)
    assert await second == (0, "only")


async def test_a_document_that_goes_away_takes_no_process_along() -> None:
    turns = Turns(["only"])
    await turns.take(huge=False)
    gone, handed, last = [await waiting(turns, huge=False) for _ in range(3)]
    gone.cancel()
    await asyncio.sleep(0)
    turns.give_back(0)
    handed.cancel()  # it was given the worker, and has not run since
    assert await last == (0, "only")
    assert (gone.cancelled(), handed.cancelled()) == (True, True)
    turns.give_back(0)
    assert await turns.take(huge=True) == (0, "only")
