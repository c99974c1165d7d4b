"""An event shown in part, as a bundle has it.

Source: docs/protocol.md sections 5 and 18.
"""

from __future__ import annotations

from sealtrail.evidence.bundle.lines import Part
from sealtrail.evidence.wire import Count, Digest, from_hex, to_hex
from sealtrail.log.tree import split_hashes
from sealtrail.signing import PartialContent
from sealtrail.signing.disclosure import Shown, ShownItems, ShownKeys


class WireShown(Part, frozen=True, kw_only=True):
    """A part or an element with its number and its salt."""

    number: Count
    salt: Digest
    value: bytes = b""


class WireShownItems(Part, frozen=True, kw_only=True):
    """Some of the elements that name items; ``hashes`` joined."""

    salt: Digest
    count: Count
    elements: tuple[WireShown, ...] = ()
    hashes: bytes = b""


class WireShownKeys(Part, frozen=True, kw_only=True):
    """Where the keys of the shown items stand among the entry's; ``hashes`` joined."""

    count: Count
    indices: tuple[Count, ...] = ()
    hashes: bytes = b""


class WirePartial(Part, frozen=True, kw_only=True):
    """What is shown of an event; ``withheld`` are the other parts' hashes, joined."""

    hashes_leaf: Digest
    salt: Digest
    parts: tuple[WireShown, ...] = ()
    withheld: bytes = b""
    items: WireShownItems | None = None
    keys: WireShownKeys | None = None


def read_partial(wire: WirePartial) -> PartialContent:
    """Return the values, none of them checked."""
    items, keys = wire.items, wire.keys
    return PartialContent(
        hashes_leaf=from_hex(wire.hashes_leaf),
        salt=from_hex(wire.salt),
        parts=_read_shown(wire.parts),
        withheld=split_hashes(wire.withheld),
        items=None
        if items is None
        else ShownItems(
            salt=from_hex(items.salt),
            count=items.count,
            elements=_read_shown(items.elements),
            hashes=split_hashes(items.hashes),
        ),
        keys=None
        if keys is None
        else ShownKeys(count=keys.count, indices=keys.indices, hashes=split_hashes(keys.hashes)),
    )


def wire_partial(partial: PartialContent) -> WirePartial:
    """Return the form in which a bundle has it."""
    items, keys = partial.items, partial.keys
    return WirePartial(
        hashes_leaf=to_hex(partial.hashes_leaf),
        salt=to_hex(partial.salt),
        parts=_wire_shown(partial.parts),
        withheld=b"".join(partial.withheld),
        items=None
        if items is None
        else WireShownItems(
            salt=to_hex(items.salt),
            count=items.count,
            elements=_wire_shown(items.elements),
            hashes=b"".join(items.hashes),
        ),
        keys=None
        if keys is None
        else WireShownKeys(count=keys.count, indices=keys.indices, hashes=b"".join(keys.hashes)),
    )


def _read_shown(wire: tuple[WireShown, ...]) -> tuple[Shown, ...]:
    return tuple(Shown(each.number, from_hex(each.salt), each.value) for each in wire)


def _wire_shown(shown: tuple[Shown, ...]) -> tuple[WireShown, ...]:
    return tuple(
        WireShown(number=each.number, salt=to_hex(each.salt), value=each.value) for each in shown
    )
