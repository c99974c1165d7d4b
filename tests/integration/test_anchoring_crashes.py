"""The process ends at every point of an anchor's way, and starts again over the same files."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.anchoring import BEAT_SECONDS, CrashError, CrashPoints, World

# Points that a run without a crash passes; checked below, so that none is left out when steps are added.
POINTS = 104


async def _three_anchors(world: World) -> None:
    """Three checkpoints, each included before the next beat, in blocks that become final late."""
    for _ in range(3):
        world.size = min(3, world.size + 1)
        await world.seconds(BEAT_SECONDS)
    await world.seconds(2)
    world.chain.mine(2)
    await world.seconds(BEAT_SECONDS)


async def _for_ever(world: World) -> None:
    while True:
        await _three_anchors(world)


async def test_the_number_of_points_is_as_listed(tmp_path: Path) -> None:
    world, points = World(tmp_path, depth=2), CrashPoints()
    world.start(points)
    await _three_anchors(world)
    world.assert_each_checkpoint_once_in_order()
    world.stop()
    assert points.passed == POINTS


@pytest.mark.parametrize("at", range(POINTS))
async def test_a_crash_loses_and_doubles_nothing(tmp_path: Path, at: int) -> None:
    world = World(tmp_path, depth=2)
    world.start(CrashPoints(at))
    with pytest.raises(CrashError):
        await _three_anchors(world)
    world.start()
    await _three_anchors(world)
    assert world.rows()[-1].tree_size == 3
    world.assert_each_checkpoint_once_in_order()
    world.stop()


@pytest.mark.parametrize("at", range(0, POINTS, 2))
async def test_a_crash_together_with_the_chains_pool_loses_and_doubles_nothing(
    tmp_path: Path, at: int
) -> None:
    world = World(tmp_path, depth=2)
    world.chain.mines_itself = False
    world.start(CrashPoints(at))
    with pytest.raises(CrashError):
        await _for_ever(world)
    world.chain.lose_pool()
    world.chain.mines_itself = True
    world.start()
    await _three_anchors(world)
    await _three_anchors(world)
    world.assert_each_checkpoint_once_in_order()
    world.stop()


@pytest.mark.parametrize("at", range(0, POINTS, 3))
async def test_a_second_crash_while_making_up_for_the_first_changes_nothing(
    tmp_path: Path, at: int
) -> None:
    world = World(tmp_path, depth=2)
    for each in (at, 3, 7):
        world.start(CrashPoints(each))
        try:
            await _three_anchors(world)
        except CrashError:
            continue
    world.start()
    await _three_anchors(world)
    world.assert_each_checkpoint_once_in_order()
    world.stop()
