"""What is kept of a bundle's entries and lists until all are judged together: no more than this, over all sections.

The limits are this reader's own (:class:`sealtrail.evidence.bundle.form.BundleLimits`); the format has none.
"""

from __future__ import annotations

from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.form import BundleLimits, malformed
from sealtrail.evidence.bundle.partial import WirePartial, WireShown


class Held:
    """Counts what is kept; one for all sections of a bundle, of which there may be many."""

    def __init__(self, limits: BundleLimits) -> None:
        self._limits = limits
        self._entries = self._bytes = self._lists = self._listed = 0

    def entry(self, line: EntryLine, number: int) -> None:
        """Count an entry that is kept, of line ``number``.

        Raises:
            InputError: ``bundle_malformed``.
        """
        self._entries += 1
        self._bytes += _weight(line)
        limits = self._limits
        if self._entries > limits.judged_entries_max or self._bytes > limits.judged_bytes_max:
            raise malformed(number, "", "more entries than one question may have")

    def item_list(self, count: int, number: int) -> None:
        """Count a list of ``count`` leaves, of line ``number``.

        Raises:
            InputError: ``bundle_malformed``.
        """
        self._lists += 1
        self._listed += count
        limits = self._limits
        if self._lists > limits.item_proofs_max or self._listed > limits.listed_max:
            raise malformed(number, "", "more item proofs than a bundle may have")


def _weight(line: EntryLine) -> int:
    """Return how many bytes an entry brings that are kept with it."""
    joined = (line.leaf, line.content, line.references, line.item_keys, line.path)
    shown = 0 if line.partial is None else _weight_in_parts(line.partial)
    return sum(len(each or b"") for each in joined) + shown


def _weight_in_parts(partial: WirePartial) -> int:
    elements: tuple[WireShown, ...] = partial.items.elements if partial.items else ()
    hashes = partial.items.hashes if partial.items else b""
    keys = partial.keys
    shown = sum(len(each.value) + len(each.salt) for each in (*partial.parts, *elements))
    proven = 0 if keys is None else len(keys.hashes) + 8 * len(keys.indices)
    return shown + len(partial.withheld) + len(hashes) + proven
