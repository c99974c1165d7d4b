"""What a check is: some ranges of keys to look at, one after the other or at the same time, and a last step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope


def nothing_more(scope: Scope, carried: Mapping[str, Sequence[bytes]]) -> Findings:
    """Find nothing: the last step of a check that has none."""
    return Findings()


def one_key(scope: Scope) -> tuple[int, int]:
    """Return the span of a check that is quickly done."""
    return 0, 1


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One independent check.

    Args:
        name: stands in progress, and with what could not be checked.
        tables: what it vouches for.
        look: looks at the keys from the first up to, not including, the second. A function of its arguments alone:
            it may run in another process than the last step.
        span: gives the first key, and the one after the last.
        portion: how many keys are looked at in one go; None: all of them.
        weight: how long a key takes, measured by an entry with its event.
        finish: a last step, once all looks of all checks are done; it gets what they carried, by check, in order.
    """

    name: str
    tables: tuple[str, ...]
    look: Callable[[Scope, int, int], Findings]
    span: Callable[[Scope], tuple[int, int]] = one_key
    portion: int | None = None
    weight: float = 1.0
    finish: Callable[[Scope, Mapping[str, Sequence[bytes]]], Findings] = nothing_more
