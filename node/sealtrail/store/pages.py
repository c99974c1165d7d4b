"""Where a page ends: bounded in rows and in what is in them, so that no page costs much more than another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def page_of(
    rows: Iterable[T], size: Callable[[T], int], *, limit: int, size_max: int
) -> tuple[list[T], bool]:
    """Return the first rows, and whether there are more.

    Up to ``limit``, and fewer if they would be over ``size_max`` together, but one at least.
    """
    found: list[T] = []
    total = 0
    for row in rows:
        total += size(row)
        if len(found) == limit or (found and total > size_max):
            return found, True
        found.append(row)
    return found, False
