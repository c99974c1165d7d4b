"""What of an event goes into a bundle about some items: those, and what is said of all; no other items, no documents.

Source: docs/protocol.md sections 5 and 18; docs/decisions/0090-divide-an-event-into-six-parts.md.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from sealtrail.epcis import Part, divide, read_content
from sealtrail.errors import SealtrailError
from sealtrail.evidence.bundle.entries import EntryLine
from sealtrail.evidence.bundle.partial import wire_partial
from sealtrail.evidence.wire import from_hex
from sealtrail.signing import EVENT_KINDS, PartialContent, parse_leaf
from sealtrail.signing.disclose import WITHHELD_BY_DEFAULT, disclose


def redacted(line: EntryLine, items: Collection[str], item_salt: bytes | None) -> EntryLine:
    """Return an entry's line with no more of its event than a question about those items takes.

    An event that has nothing else stays whole, and so does one that can't be read: the verifier is to say so.

    Args:
        items: canonical identifiers.
        item_salt: the log's, if the bundle discloses it: the shown items' keys are proven then.
    """
    if line.content is None or line.seed is None:
        return line
    if parse_leaf(line.leaf).entry.kind not in EVENT_KINDS:
        return line
    try:
        event = read_content(line.content, line.media_type)
    except SealtrailError:
        return line
    partial = disclose(event, from_hex(line.seed), items, item_salt=item_salt)
    if not _hides(partial, line.content):
        return line
    return msgspec.structs.replace(
        line, content=None, seed=None, item_keys=b"", partial=wire_partial(partial)
    )


def _hides(partial: PartialContent, content: bytes) -> bool:
    parts = divide(content).parts
    items = partial.items
    return (
        any(parts[part] for part in WITHHELD_BY_DEFAULT if part is not Part.ITEMS)
        or items is None
        or len(items.elements) < items.count
    )
