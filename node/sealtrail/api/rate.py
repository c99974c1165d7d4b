"""How much of something may come in a time."""

from __future__ import annotations

import time


class Rate:
    """Counts what comes, anew in each time of so many seconds.

    Args:
        most: what may come in one of these times.
    """

    __slots__ = ("_began", "_count", "_most", "_seconds")

    def __init__(self, most: int, *, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._began, self._count = time.monotonic(), 0

    def takes(self, count: int = 1) -> bool:
        """Count what came, and tell whether it may still."""
        now = time.monotonic()
        if now - self._began > self._seconds:
            self._began, self._count = now, 0
        self._count += count
        return self._count <= self._most
