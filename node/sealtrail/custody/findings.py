"""Findings: coded observations about an item's history. `docs/findings.md` explains each to its reader."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class FindingClass(StrEnum):
    """How a finding is to be read: a fault of equipment, of procedure, or a reason to suspect the item."""

    TECHNICAL = "technical"
    PROCEDURAL = "procedural"
    SUSPECT = "suspect"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One observation, with the entries (ids) that show it."""

    code: str
    finding_class: FindingClass = msgspec.field(name="class")
    message: str
    hint: str
    entries: tuple[bytes, ...] = ()


_T, _P, _S = FindingClass.TECHNICAL, FindingClass.PROCEDURAL, FindingClass.SUSPECT

# code: class, what to do
CATALOGUE: dict[str, tuple[FindingClass, str]] = {
    "unknown_item": (
        _S,
        "Check the code for O and 0, letter case and keyboard layout, then scan again.",
    ),
    "identifier_mismatch": (
        _S,
        "Compare the printed lot and expiry with the record; keep the pack aside.",
    ),
    "commissioned_twice": (
        _S,
        "One serial stands for two packs: keep it aside and tell its manufacturer.",
    ),
    "commissioned_without_right": (_S, "Ask the holder of the number whether it made this pack."),
    "used_before_commissioned": (_S, "Ask the manufacturer whether the serial is its own."),
    "two_custodians": (
        _S,
        "The serial is active in two places: keep the pack aside and ask both parties.",
    ),
    "shipped_twice": (
        _S,
        "Ask the sender which shipment is this item's, and to record void_shipping for the other.",
    ),
    "used_after_shipping": (
        _P,
        "Sender: record void_shipping if it never left, its return if it came back; else ask its receiver.",
    ),
    "after_end_of_life": (_S, "The serial's life had ended: do not supply; ask who ended it."),
    "undo_not_allowed": (_P, "Undo only within 10 days, by the same member at the same place."),
    "recall_without_right": (
        _P,
        "Only the number's holder or a regulator recalls: ask them.",
    ),
    "mark_lifted_by_other": (
        _P,
        "The mark stands: ask who declared it whether it is lifted, and to record that.",
    ),
    "master_data_contradictory": (
        _P,
        "Ask its maker which lot and expiry hold, and to correct the event; do not supply before.",
    ),
    "master_data_differs": (
        _P,
        "Ask who numbers the product which holds, and to correct the event or the master data.",
    ),
    "product_unlisted": (
        _T,
        "Check the product code; if it is right, put the product's master data.",
    ),
    "shipped_not_received": (
        _P,
        "Receiver: record the receipt; sender: record void_shipping if it never left.",
    ),
    "received_not_shipped": (_P, "Ask the previous custodian to record the shipment."),
    "received_by_other": (
        _P,
        "Ask sender and receiver: misdelivered, or a wrong party in the shipment?",
    ),
    "receipt_missing": (_P, "Record the receipt with its true event time."),
    "handover_not_held": (
        _T,
        "Ask the earlier custodian; partners are not told of handovers between others.",
    ),
    "recorded_for_another": (_P, "Ask that member whether the record is its own."),
    "recorded_against_another": (
        _S,
        "One member's record contradicts the custodian's own: keep the item aside and ask both.",
    ),
    "two_parents": (_P, "Record the unpacking from the first container."),
    "in_two_places": (
        _S,
        "By its containers two parties have it: keep it aside; ask its packer which one it is in.",
    ),
    "containment_cycle": (_P, "A container cannot stand inside itself: correct the aggregation."),
    "supplied_after_expiry": (_P, "Check the clock and the stock rotation of who supplied it."),
    "expired": (_P, "Do not supply."),
    "times_out_of_order": (_T, "Check the clocks of both parties."),
    "event_time_in_future": (_T, "Check the recording system's clock and time zone."),
    "recorded_late": (
        _T,
        "Record events when they happen; late ones are judged by their event time.",
    ),
    "anchored_late": (_T, "Check the member's connection to the chain."),
    "anchor_overdue": (
        _T,
        "Ask its recorder for the proof of its anchor, and whether its node reaches the chain.",
    ),
    "event_corrected": (_T, "The history is judged without the corrected event."),
    "correction_by_other": (
        _P,
        "Only who recorded an event declares it erroneous: ask that member.",
    ),
    "correction_without_event": (
        _T,
        "The declared event is not held here: fetch it from its recorder.",
    ),
    "corrective_event_missing": (
        _P,
        "Ask who declared the error for the event that holds instead, and to record it.",
    ),
    "event_id_reused": (
        _P,
        "Ask the recorder which of the events is true, and to declare the other erroneous.",
    ),
    "content_withheld": (
        _T,
        "The entry proves that an event was recorded; ask its recorder for the content.",
    ),
    "event_not_judged": (
        _T,
        "Its type is its owner's: ask who recorded it what it means for the item.",
    ),
    "history_cut": (
        _T,
        "What is left out may matter: list the item's events, and ask who recorded so many.",
    ),
    "evidence_does_not_hold": (
        _S,
        "An entry failed verification and is left out: ask its recorder; if that is this node, restore its store.",
    ),
}


def finding(code: str, message: str, entries: Iterable[bytes] = ()) -> Finding:
    """Return the finding of that code; class and hint come from :data:`CATALOGUE`."""
    finding_class, hint = CATALOGUE[code]
    return Finding(
        code=code,
        finding_class=finding_class,
        message=message,
        hint=hint,
        entries=tuple(dict.fromkeys(entries)),
    )
