"""What an event's times say: in the future, recorded late, anchored late or not yet. Technical findings, never more."""

from __future__ import annotations

from collections.abc import Iterable

from sealtrail.custody.containment import Touch
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Grade, Parameters, Recorded
from sealtrail.signing import Kind


def time_findings(touches: Iterable[Touch], parameters: Parameters) -> list[Finding]:
    """Return one finding of each code that the touches give reason for, with all entries that show it."""
    late: dict[str, list[bytes]] = {}
    for touch in touches:
        for code in _codes(touch.recorded, parameters):
            late.setdefault(code, []).append(touch.recorded.entry_id)
    messages = {
        "event_time_in_future": "the event time is after the time it was recorded",
        "recorded_late": f"recorded more than {parameters.recording_seconds_max} seconds after it happened",
        "anchored_late": f"anchored more than {parameters.anchoring_seconds_max} seconds after it was recorded",
    }
    return [finding(code, messages[code], entries) for code, entries in sorted(late.items())]


def overdue_anchors(
    touches: Iterable[Touch], parameters: Parameters, anchors_until_us: int | None
) -> list[Finding]:
    """Return a finding on the entries whose anchor should have been there by the last block that was read.

    Args:
        anchors_until_us: the time of that block; None if it isn't known, and nothing is said then. A chain that
            stands still, or is not reached, delays everybody's anchors, and is no one's fault.
    """
    if anchors_until_us is None:
        return []
    seconds = parameters.anchor_delay_seconds_max
    entries = [
        t.recorded.entry_id
        for t in touches
        if t.recorded.grade is Grade.SIGNATURE_PROVEN
        and t.recorded.anchor_time is None
        and anchors_until_us - t.recorded.record_time_ms * 1_000 > seconds * 1_000_000
    ]
    message = f"no anchor is known, more than {seconds} seconds after it was recorded"
    return [finding("anchor_overdue", message, entries)] if entries else []


def _codes(recorded: Recorded, parameters: Parameters) -> list[str]:
    codes = []
    event_s, record_s = recorded.time_us / 1e6, recorded.record_time_ms / 1e3
    if event_s > record_s + parameters.clock_seconds_tolerance:
        codes.append("event_time_in_future")
    if recorded.kind == Kind.EVENT and record_s - event_s > parameters.recording_seconds_max:
        codes.append("recorded_late")
    anchor_s = recorded.anchor_time
    if anchor_s is not None and anchor_s - record_s > parameters.anchoring_seconds_max:
        codes.append("anchored_late")
    return codes
