"""What senders did with what they had shipped and no one had received: they say that it left, and that it did not.

Ordinary: a shipment stamped before its last handling, its void, and a return that was scanned a little late.
"""

from __future__ import annotations

from sealtrail.custody.containment import Touch
from sealtrail.custody.custodian import Custodian
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.hands import Gap, Transit
from sealtrail.custody.life import ending

_CODE = "used_after_shipping"
# business steps that do not say the thing is where they happen
PAPERS = frozenset({None, "inspecting", "sensor_reporting", "other"})


class _Act:
    """What one sender did with one shipment; ``open`` until it is received or taken back."""

    def __init__(self, index: int, touch: Touch, transit: Transit) -> None:
        self.index = index
        self.first_us = touch.recorded.time_us
        self.transit = transit
        self.entries = [transit.touch.recorded.entry_id, touch.recorded.entry_id]
        self.open = True


class SenderActs:
    """All such acts on one item, while its touches go by."""

    def __init__(self, tolerance_us: int) -> None:
        self._tolerance_us = tolerance_us
        self._acts: list[_Act] = []

    def note(self, index: int, touch: Touch, transit: Transit) -> None:
        """Note that the sender acts on what is under way; supplying it is no last handling, however soon."""
        last, recorded = self._last(), touch.recorded
        apart = recorded.time_us - transit.touch.recorded.time_us
        if last is not None and last.transit.sender.key == transit.sender.key:
            last.entries.append(recorded.entry_id)
        elif ending(touch) is not None or apart > self._tolerance_us:
            self._acts.append(_Act(index, touch, transit))

    def dispatched(self, holder: Custodian | None) -> Transit | None:
        """Return the shipment that the holder made, and then acted on the thing as if it had not."""
        last = self._last()
        if last is None or holder is None or last.transit.sender.key != holder.party.key:
            return None
        return last.transit

    def void(self, keys: frozenset[str]) -> None:
        """The sender, one of ``keys``, says that it never left: that explains what it did."""
        last = self._last()
        if last is not None and last.transit.sender.key in keys:
            self._acts.pop()

    def receive(self, touch: Touch, keys: frozenset[str]) -> None:
        """It was received by one of ``keys``; a return that came only a little after its use is a late scan."""
        last = self._last()
        if last is None:
            return
        last.open = False
        soon = touch.recorded.time_us - last.first_us <= self._tolerance_us
        if soon and last.transit.sender.key in keys:
            self._acts.pop()

    def gaps(self) -> list[Gap]:
        """Return what is missing: how the thing came back is not told."""
        return [
            Gap(before=a.index, expected="void_shipping", party=a.transit.sender, code=_CODE)
            for a in self._acts
        ]

    def findings(self) -> list[Finding]:
        """Return one finding for each shipment that its sender acted on."""
        return [
            finding(
                _CODE,
                f"{a.transit.sender.label} shipped it, and then acted on it as its own",
                a.entries,
            )
            for a in self._acts
        ]

    def _last(self) -> _Act | None:
        return self._acts[-1] if self._acts and self._acts[-1].open else None
