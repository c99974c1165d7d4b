"""Custody as values: who holds a thing, what is under way, and where the chain of hands breaks."""

from __future__ import annotations

import msgspec

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import Custodian, Party
from sealtrail.custody.findings import Finding


class Transit(msgspec.Struct, frozen=True, kw_only=True):
    """A shipment under way; ``towards`` holds the key of every party that may receive it (empty: not said)."""

    sender: Party
    receiver: Party | None
    towards: frozenset[str]
    touch: Touch


class Hands(msgspec.Struct, frozen=True, kw_only=True):
    """Custody and ownership at one moment."""

    custodian: Custodian | None = None
    transit: Transit | None = None
    owner: Party | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Something that must have happened and was not found; ``before`` the touch of that index."""

    before: int
    expected: str
    party: Party | None
    code: str


class Custody(msgspec.Struct, frozen=True, kw_only=True):
    """Hands before and after each touch, the gaps between them, and whether the chain runs outside the network."""

    hands: tuple[tuple[Hands, Hands], ...] = ()
    gaps: tuple[Gap, ...] = ()
    outside: bool = False
    findings: tuple[Finding, ...] = ()

    @property
    def last(self) -> Hands:
        """Where the item is now."""
        return self.hands[-1][1] if self.hands else Hands()
