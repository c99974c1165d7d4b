"""What a check of ``sealtrail doctor`` is, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal

import msgspec

from sealtrail.config import Config
from sealtrail.errors import SealtrailError, UnavailableError

State = Literal["ok", "problem", "unknown"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found."""

    check: str
    state: State
    message: str
    fix: str | None = None


Check = Callable[[Config], Coroutine[Any, Any, list[Finding]]]


def finding_of(check: str, error: SealtrailError) -> Finding:
    """Return an error as a finding: could not ask is ``unknown``, all else a ``problem``."""
    state: State = "unknown" if isinstance(error, UnavailableError) else "problem"
    message = f"{error.message} [{error.code}]"
    return Finding(check=check, state=state, message=message, fix=error.advice)
