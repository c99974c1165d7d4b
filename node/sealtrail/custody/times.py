"""What an event's times say: in the future, recorded late, anchored late. Technical findings, never more."""

from __future__ import annotations

from collections.abc import Iterable

from sealtrail.custody.containment import Touch
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Parameters, Recorded
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
