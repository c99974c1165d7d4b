"""Record times against what cannot be chosen afterwards: the blocks of anchors, and the order of the log.

Source: docs/protocol.md section 20, step 10.
"""

from __future__ import annotations

from sealtrail.evidence.bundle.report import BundleStepName, Notebook
from sealtrail.evidence.wire import to_hex
from sealtrail.membership.records import Anchor
from sealtrail.signing import Entry

_STEP = BundleStepName.TIMES
CLOCK_SECONDS_TOLERANCE = 3_600  # between members' clocks and the chain's


class Times:
    """Follows the record times of one section after another.

    Args:
        delay_seconds: the network's longest time from an entry's recording to its anchor.
    """

    def __init__(self, notebook: Notebook, delay_seconds: int) -> None:
        self._notebook = notebook
        self._delay_ms = delay_seconds * 1000
        self._checked = 0
        self.begin()

    def begin(self) -> None:
        """Begin a section."""
        self._latest_ms = 0
        # since the last checkpoint: record time, leaf
        self._earliest: tuple[int, int] | None = None
        self._last: tuple[int, int] | None = None

    def entry(self, member: bytes, index: int, entry: Entry) -> None:
        """Take up an entry, in the log's order."""
        time_ms = entry.record_time_ms
        self._checked += 1
        if time_ms < self._latest_ms - CLOCK_SECONDS_TOLERANCE * 1000:
            self._fails(
                member,
                index,
                "back_dated",
                f"recorded {(self._latest_ms - time_ms) // 1000} s before an entry that stands before it",
            )
        self._latest_ms = max(self._latest_ms, time_ms)
        if self._earliest is None or time_ms < self._earliest[0]:
            self._earliest = (time_ms, index)
        if self._last is None or time_ms > self._last[0]:
            self._last = (time_ms, index)

    def checkpoint(self, member: bytes, size: int, anchor: Anchor | None) -> None:
        """Compare the entries since the last checkpoint with this one's anchor.

        Cosignatures bound nothing here: a witness may see a checkpoint long after the log went on.
        """
        earliest, last = self._earliest, self._last
        self._earliest = self._last = None
        if anchor is None or earliest is None or last is None:
            return
        anchored_ms = anchor.block_time * 1000
        if earliest[0] < anchored_ms - self._delay_ms:
            self._fails(
                member,
                earliest[1],
                "back_dated",
                f"recorded {(anchored_ms - earliest[0]) // 1000} s before it was anchored; the network"
                f" allows {self._delay_ms // 1000} s",
            )
        if last[0] > anchored_ms + CLOCK_SECONDS_TOLERANCE * 1000:
            self._fails(
                member,
                last[1],
                "recorded_after_anchor",
                f"recorded {(last[0] - anchored_ms) // 1000} s after the block that anchored it",
            )

    def close(self) -> None:
        """Say what was read."""
        self._notebook.shows(_STEP, f"{self._checked} record times")

    def _fails(self, member: bytes, index: int, code: str, reason: str) -> None:
        self._notebook.fails(
            _STEP,
            code,
            reason,
            place=f"leaf {index} of the log of {to_hex(member)}",
            advice="its record time is the member's word; the anchor's block is not",
        )
