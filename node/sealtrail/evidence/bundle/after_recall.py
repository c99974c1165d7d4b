"""Which corrections were anchored after a recall was, and which may have been.

Which checkpoints are shown is chosen by who makes the bundle. Without the first one that has a recall, the recall seems
to come later than it did, and a correction that followed it seems to come before. So where no earlier checkpoint is
ruled out, a recall counts from when its member says that it recorded it, and in its own log from where it stands.

Source: docs/protocol.md section 20, step 14.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sealtrail.custody import Recorded
from sealtrail.custody.lifecycle import RECALLED
from sealtrail.epcis.events import ExtensionEvent


class Placed(NamedTuple):
    """An event as it is judged, the place of its entry in its log, and whether no earlier checkpoint has it."""

    recorded: Recorded
    leaf_index: int
    first_anchored: bool


class AfterRecall(NamedTuple):
    """Entry ids of corrections: those that surely came after a recall, and those of which it is open."""

    surely: tuple[bytes, ...] = ()
    perhaps: tuple[bytes, ...] = ()


def find_after_recall(history: Sequence[Placed]) -> AfterRecall:
    """Compare each correction with the recalls: by anchors, and where these leave it open by order and record times."""
    recalls = [r for r in history if r.recorded.anchor_time is not None and _recalls(r.recorded)]
    if not recalls:
        return AfterRecall()
    first = min(r.recorded.anchor_time or 0 for r in recalls)
    bounds = _Bounds(r for r in recalls if not r.first_anchored)
    surely, perhaps = [], []
    for each in history:
        recorded = each.recorded
        if not recorded.corrects and recorded.event.error_declaration is None:
            continue
        if (recorded.anchor_time or first) > first:
            surely.append(recorded.entry_id)
        elif bounds.before(each):
            perhaps.append(recorded.entry_id)
    return AfterRecall(tuple(surely), tuple(perhaps))


class _Bounds:
    """The earliest that recalls can have been known: their places in their own logs, their record times in others."""

    def __init__(self, recalls: Iterable[Placed]) -> None:
        self._places: dict[bytes, int] = {}
        times: dict[bytes, int] = {}
        for each in recalls:
            member, time_ms = each.recorded.member, each.recorded.record_time_ms
            self._places[member] = min(each.leaf_index, self._places.get(member, each.leaf_index))
            times[member] = min(time_ms, times.get(member, time_ms))
        # of two members, one is not the correction's own
        self._earliest = sorted((time_ms, member) for member, time_ms in times.items())[:2]

    def before(self, correction: Placed) -> bool:
        """Tell whether a recall may have been anchored before the correction was."""
        recorded = correction.recorded
        if self._places.get(recorded.member, correction.leaf_index) < correction.leaf_index:
            return True
        anchored_ms = (recorded.anchor_time or 0) * 1_000
        return any(
            time_ms < anchored_ms for time_ms, member in self._earliest if member != recorded.member
        )


def _recalls(recorded: Recorded) -> bool:
    event = recorded.event
    if isinstance(event, ExtensionEvent):
        return False
    persistent = event.persistent_disposition.set if event.persistent_disposition else ()
    return recorded.holds and RECALLED in {event.disposition, *persistent}
