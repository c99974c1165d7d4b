"""How long a loop waits before it tries again: longer after each failure, and never in step with other nodes."""

from __future__ import annotations

from collections.abc import Callable

FIRST_SECONDS = 0.5
# One small question to an endpoint that is mostly one's own; what waits are promises of when an entry is anchored.
LONGEST_SECONDS = 5.0


class BackOff:
    """Doubling pauses, each cut by a random part of up to a half.

    Args:
        random: gives numbers from 0 to 1.
    """

    def __init__(
        self,
        random: Callable[[], float],
        *,
        first_seconds: float = FIRST_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._random = random
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._failures = 0

    def failed(self) -> float:
        """Count a failure; return the seconds to wait."""
        whole: float = min(
            self._longest_seconds, self._first_seconds * 2.0 ** min(self._failures, 16)
        )
        self._failures += 1
        return whole * (1 - self._random() / 2)

    def succeeded(self) -> None:
        """Start again with the shortest pause."""
        self._failures = 0
