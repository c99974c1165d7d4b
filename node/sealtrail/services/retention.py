"""What stands against erasing an event: times within which the law has it kept, and legal holds.

Source: docs/erasure.md.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

import msgspec

from sealtrail.config import LegalHoldSettings, RetentionPeriodSettings, RetentionSettings
from sealtrail.errors import ForbiddenError, InputError
from sealtrail.gs1 import parse_item


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded order to erase: who gave it, under which reference, on which day."""

    authority: str
    reference: str
    day: date


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An event that is to be erased, as the rules see it; ``items`` are canonical identifiers."""

    entry_id: bytes
    record_time_ms: int
    items: Collection[str]


class _Hold(msgspec.Struct, frozen=True, kw_only=True):
    reason: str
    entry_ids: frozenset[bytes]
    items: frozenset[str]
    since: date | None
    until: date | None


class RetentionRules:
    """The rules of a configuration."""

    def __init__(self, settings: RetentionSettings) -> None:
        """Read them.

        Raises:
            InputError: ``retention_date_wrong``, ``retention_item_unreadable``, with the setting.
        """
        self._longest = max(settings.periods, key=lambda p: p.years, default=None)
        self._holds = [_read_hold(n, hold) for n, hold in enumerate(settings.holds)]

    def require_erasable(self, candidate: Candidate, order: Order | None, *, today: date) -> None:
        """Refuse what may not be erased today.

        Raises:
            ForbiddenError: ``legal_hold``, whatever the order; ``retention_time_runs``, without one, until when.
            InputError: ``order_in_the_future``.
        """
        if order is not None and order.day > today:
            raise InputError("order_in_the_future", f"an order of {order.day}, and it is {today}")
        name, recorded = f"0x{candidate.entry_id.hex()}", _day(candidate.record_time_ms)
        for hold in self._holds:
            if _covers(hold, candidate, recorded):
                raise ForbiddenError(
                    "legal_hold",
                    f"entry {name} is held: {hold.reason}",
                    pointer="retention.holds",
                    advice="no order lifts a hold; take it out of the configuration once it has ended",
                    entry_id=name,
                )
        if self._longest is None or order is not None:
            return
        until = _keep_until(recorded, self._longest)
        if today < until:
            raise ForbiddenError(
                "retention_time_runs",
                f"entry {name} is to be kept until {until} ({self._longest.jurisdiction}:"
                f" {self._longest.basis}, {self._longest.years} years)",
                pointer="retention.periods",
                advice="erase it then; or, on an authority's order, give --authority, --reference and --ordered-on",
                entry_id=name,
                keep_until=str(until),
            )


def _keep_until(recorded: date, period: RetentionPeriodSettings) -> date:
    """Return the first day on which the period is over."""
    try:
        ends = recorded.replace(year=min(recorded.year + period.years, date.max.year))
    except ValueError:  # 29 February
        ends = recorded.replace(year=recorded.year + period.years, month=3, day=1)
    return ends


def _covers(hold: _Hold, candidate: Candidate, recorded: date) -> bool:
    if (hold.since and recorded < hold.since) or (hold.until and recorded > hold.until):
        return False
    if not hold.entry_ids and not hold.items:
        return True
    return candidate.entry_id in hold.entry_ids or not hold.items.isdisjoint(candidate.items)


def _read_hold(number: int, hold: LegalHoldSettings) -> _Hold:
    place = f"retention.holds[{number}]"
    return _Hold(
        reason=hold.reason,
        entry_ids=frozenset(bytes.fromhex(each[2:]) for each in hold.entries),
        items=frozenset(_read_item(each, f"{place}.items") for each in hold.items),
        since=_read_day(hold.since, f"{place}.since"),
        until=_read_day(hold.until, f"{place}.until"),
    )


def _read_item(text: str, place: str) -> str:
    try:
        return parse_item(text).canonical
    except InputError as error:
        raise InputError(
            "retention_item_unreadable", f"{text[:100]!r}: {error.message}", pointer=place
        ) from error


def _read_day(text: str, place: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise InputError("retention_date_wrong", f"{text!r}: {error}", pointer=place) from error


def _day(unix_ms: int) -> date:
    # other members' record times may be any 64-bit number
    try:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=unix_ms)).date()
    except OverflowError:
        return date.max
