"""Entries as a bundle has them."""

from __future__ import annotations

from sealtrail.evidence.bundle.lines import Line
from sealtrail.evidence.bundle.partial import WirePartial, read_partial
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.wire import Count, Digest, MediaType, from_hex
from sealtrail.log.tree import split_hashes


class EntryLine(Line, frozen=True, kw_only=True, tag="entry"):
    """One entry of the section's log, as much of it as is shown."""

    index: Count
    gap: bytes = b""
    path: bytes = b""
    leaf: bytes
    media_type: MediaType
    content: bytes | None = None
    seed: Digest | None = None
    references: bytes = b""
    item_keys: bytes = b""
    partial: WirePartial | None = None


def entry_record(line: EntryLine, item_salt: bytes | None) -> EntryRecord:
    """Return an entry line as the verifier of entries takes it, without a proof."""
    return EntryRecord(
        leaf=line.leaf,
        content=line.content,
        media_type=line.media_type,
        seed=None if line.seed is None else from_hex(line.seed),
        references=line.references,
        item_keys=split_hashes(line.item_keys),
        item_salt=item_salt,
        partial=None if line.partial is None else read_partial(line.partial),
    )
