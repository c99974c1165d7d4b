"""Lot and expiry as recorded where an item, or its lot, came to be; and whether the record contradicts itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import msgspec

from sealtrail.custody.containment import Touch
from sealtrail.custody.expiry import parse_expiry
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Recorded
from sealtrail.custody.lifecycle import commissions
from sealtrail.epcis.events import Extension

CBV_MDA = "urn:epcglobal:cbv:mda"


class MasterData(msgspec.Struct, frozen=True, kw_only=True):
    """Lot and expiry of an item.

    ``contradictory`` names which of ``lot`` and ``expiry`` one event states more than once, differing: the lot is
    None then, and the expiry the earliest.
    """

    lot: str | None = None
    expiry: date | None = None
    expiry_text: str | None = None
    contradictory: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()


def master_data(
    commissionings: Sequence[Touch], touches: Sequence[Touch], today: date
) -> MasterData:
    """Return lot and expiry from the first commissioning that has them, else from the lot's own.

    Args:
        today: settles the century of a recorded two-digit year.
    """
    by_class = [t for t in touches if t.by_class and commissions(t.recorded.event, "epc")]
    sources = [t.recorded for t in (*commissionings, *by_class)]
    lot_by, lots = _first(sources, "lotNumber")
    expiry_by, texts = _first(sources, "itemExpirationDate")
    days = {text: parse_expiry(text, today) for text in texts}
    dated = sorted((day, text) for text, day in days.items() if day is not None)
    expiry, expiry_text = dated[0] if dated else (None, texts[0] if texts else None)
    differing = {
        "lot": (lot_by, lots, len(lots)),
        "expiry": (expiry_by, texts, len({days[text] or text for text in texts})),
    }
    contradictory = {name: each for name, each in differing.items() if each[2] > 1}
    return MasterData(
        lot=lots[0] if len(lots) == 1 else None,
        expiry=expiry,
        expiry_text=expiry_text,
        contradictory=tuple(contradictory),
        findings=tuple(
            _finding(name, values, by) for name, (by, values, _) in contradictory.items()
        ),
    )


def lots_stated(recorded: Recorded) -> tuple[str, ...]:
    """Return the lots that an event's own master data gives everything it brings to life."""
    return _values(recorded, "lotNumber")


def _first(sources: Sequence[Recorded], local: str) -> tuple[Recorded | None, tuple[str, ...]]:
    """Return the first event that states the value, and all that it states."""
    stated = ((recorded, _values(recorded, local)) for recorded in sources)
    return next(((r, values) for r, values in stated if values), (None, ()))


def _values(recorded: Recorded, local: str) -> tuple[str, ...]:
    ilmd: tuple[Extension, ...] = getattr(recorded.event, "ilmd", ())
    texts = [
        (each.text or "").strip()
        for each in ilmd
        if each.local == local and each.namespace.rstrip(":/#") == CBV_MDA
    ]
    return tuple(dict.fromkeys(text for text in texts if text))


def _finding(name: str, values: Sequence[str], by: Recorded | None) -> Finding:
    message = f"one event states several values of {name}: {', '.join(values[:4])}"
    return finding("master_data_contradictory", message, [by.entry_id] if by else [])
