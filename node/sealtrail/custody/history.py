"""What the rules are asked and given: a question, and the recorded events that concern an item."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec

from sealtrail.epcis.events import AnyEvent
from sealtrail.signing import Kind


class Grade(StrEnum):
    """How well a statement is shown. Source: docs/protocol.md section 10; *inferred* and *missing* are of items."""

    CHAIN_PROVEN = "chain-proven"
    SIGNATURE_PROVEN = "signature-proven"
    PEER_ASSERTED = "peer-asserted"
    INFERRED = "inferred"
    MISSING = "missing"


class Mention(NamedTuple):
    """An item that an event names: canonical identifier, and place as in the store's ``event_item``."""

    item: str
    place: str


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded event, with what was found when its entry was verified.

    ``mentions`` needs to hold the item asked for, its lot and class, its containers, and every parent;
    other items may be left out. ``event_id`` is the recorded id, else the event hash's URI.
    ``grade`` is None only if a check *failed*, and ``why_not`` says which; "could not check" lowers it instead.
    ``withheld``: the content was erased or not given, and ``event`` is only what the store noted of it.
    """

    entry_id: bytes
    member: bytes
    kind: Kind
    grade: Grade | None
    record_time_ms: int
    content_hash: bytes
    event_id: str
    event: AnyEvent
    mentions: tuple[Mention, ...]
    why_not: str | None = None
    withheld: bool = False
    anchor_time: int | None = None  # Unix seconds of the block
    corrects: tuple[bytes, ...] = ()  # entry ids, from the entry's references
    items_withheld: bool = False  # the event is shown in part, and names more items than are known

    @property
    def holds(self) -> bool:
        """Tell whether nothing that was checked failed: what does not hold has no grade, and moves nothing."""
        return self.grade is not None

    @property
    def time_us(self) -> int:
        """Event time, microseconds since 1970 UTC."""
        return self.event.event_time.epoch_us

    @property
    def recorder(self) -> bytes | None:
        """The member that asserts the event; None where it keeps an outsider's (kind *received*)."""
        return None if self.kind == Kind.RECEIVED else self.member

    def places(self, item: str) -> frozenset[str]:
        """Return the places in which the event names ``item``."""
        return frozenset(m.place for m in self.mentions if m.item == item)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked: an item, what the scan said of it, and as of when.

    ``as_of_us`` asks what was true (event time), ``known_at`` what was known: anchored by then (Unix seconds).
    ``stated_expiry`` is YYMMDD (AI 17) or YYYY-MM-DD.
    """

    item: str
    stated_lot: str | None = None
    stated_expiry: str | None = None
    as_of_us: int | None = None
    known_at: int | None = None


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """Times that the rules allow, in seconds; each network may choose its own."""

    transit_seconds_max: int = 10 * 86_400
    recording_seconds_max: int = 2 * 86_400
    anchoring_seconds_max: int = 3_600
    # The network's rule, by which a receipt promises the anchor.
    anchor_delay_seconds_max: int = 86_400
    clock_seconds_tolerance: int = 3_600
    double_scan_seconds: int = 300
    undo_seconds_max: int = 10 * 86_400  # EU 2016/161 article 13
