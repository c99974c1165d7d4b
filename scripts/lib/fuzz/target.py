"""What a target is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple


class Target(NamedTuple):
    """A reader under test: what it reads, in words; the reader; and inputs to begin with."""

    says: str
    read: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


def check(holds: bool, what: str) -> None:
    """Fail the target where something accepted is not of one form.

    Raises:
        AssertionError: it does not hold.
    """
    if not holds:
        raise AssertionError(what)
