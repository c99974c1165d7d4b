"""Work cut into portions, so that what comes meanwhile need not wait for all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def portions(
    values: Sequence[T], *, count_max: int, size: Callable[[T], int], size_max: int
) -> Iterator[Sequence[T]]:
    """Yield the values, in order, in portions of at most that many and that size together.

    Args:
        size: tells a value's size; one that alone is over ``size_max`` is a portion by itself.
    """
    first, together = 0, 0
    for number, value in enumerate(values):
        own = size(value)
        if number > first and (together + own > size_max or number - first == count_max):
            yield values[first:number]
            first, together = number, 0
        together += own
    if first < len(values):
        yield values[first:]
