"""Steps 1 to 4 of the verifier for an event of which only parts are shown.

What is shown is read and led to the signed disclosure root. That the parts are those of the content, which has a hash
of its own under the same root, only who is shown all of it can recompute: a member that signs other parts signs a
contradiction, and is found out by the first who sees both.

Source: docs/protocol.md sections 5 and 10.
"""

from __future__ import annotations

import msgspec

from sealtrail.epcis import Part, PartialEvent, read_parts
from sealtrail.errors import InputError, TooLargeError, UnsupportedMediaError, VerificationError
from sealtrail.evidence.record import EntryRecord
from sealtrail.evidence.report import ShownEvent, Step, StepName
from sealtrail.evidence.steps import HOLDS, could_not_check, does_not_hold
from sealtrail.log.subset import covered_root
from sealtrail.log.tree import leaf_hash
from sealtrail.signing import (
    EVENT_KINDS,
    Entry,
    PartialContent,
    ShownKeys,
    item_keys,
    items_root,
    partial_root,
)

_IN_PARTS = "parts of the content were given, not the content"
_PARTS = frozenset(Part) - {Part.ITEMS}
_ASK = "ask the member that recorded it for the whole content"


def read_partial(
    record: EntryRecord, partial: PartialContent, entry: Entry
) -> tuple[ShownEvent | None, Step, Step]:
    """Steps 1 and 2: what is shown reads as parts of an event; neither content nor event hash can be recomputed."""
    content = could_not_check(StepName.CONTENT, "content_in_parts", _IN_PARTS, _ASK)
    event_hash = could_not_check(StepName.EVENT_HASH, "content_in_parts", _IN_PARTS)
    if entry.kind not in EVENT_KINDS:
        reason = f"an entry of kind {entry.kind.name.lower()} is about no event, and has no parts"
        return None, does_not_hold(StepName.CONTENT, "parts_of_no_event", reason), event_hash
    if all(each.number != Part.CORE for each in partial.parts):
        reason = "the core is withheld, without which nothing can be read"
        return None, could_not_check(StepName.CONTENT, "core_withheld", reason, _ASK), event_hash
    try:
        event = _read(partial, record.media_type)
    except (UnsupportedMediaError, TooLargeError) as e:
        advice = "use a newer version of this program, or higher limits"
        return None, could_not_check(StepName.CONTENT, e.code, e.message, advice), event_hash
    except InputError as e:
        reason = f"no parts of an EPCIS event: {e}"
        return None, does_not_hold(StepName.CONTENT, "content_unreadable", reason), event_hash
    return _shown(partial, event), content, event_hash


def partial_disclosure_step(partial: PartialContent, entry: Entry) -> Step:
    """Step 3: what is shown leads to the disclosure root that was signed."""
    name = StepName.DISCLOSURE_ROOT
    try:
        found = partial_root(partial)
    except VerificationError as e:
        return does_not_hold(name, e.code, e.message)
    if found != entry.disclosure_root:
        return does_not_hold(
            name,
            "disclosure_root_differs",
            f"the parts lead to {found.hex()}, the entry has {entry.disclosure_root.hex()}",
            "a part was changed after it was signed, or belongs to another entry",
        )
    return HOLDS[name]


def partial_items_step(
    record: EntryRecord, partial: PartialContent, entry: Entry, event: ShownEvent | None
) -> Step | None:
    """Step 4, where an item salt and shown items are there to be compared; None if they are not.

    The keys of the shown items are among all keys, or are proven to be; the other keys stay withheld.
    """
    name = StepName.ITEMS_ROOT
    if record.item_salt is None or event is None or not event.items:
        return None
    salt = record.item_salt
    shown = item_keys(salt, event.items)
    if record.item_keys:
        if not set(shown) <= set(record.item_keys):
            reason = "an item that is shown has no key among those that were given"
            return does_not_hold(name, "item_keys_differ", reason)
        found = items_root(record.item_keys)
    elif partial.keys is not None:
        if len(partial.keys.indices) != len(shown):
            reason = f"{len(partial.keys.indices)} proven keys for {len(shown)} shown items"
            return could_not_check(name, "item_keys_unproven", reason)
        try:
            found = _keys_root(partial.keys, shown)
        except VerificationError as e:
            return does_not_hold(name, e.code, e.message)
    else:
        return None
    if found != entry.items_root:
        return does_not_hold(
            name,
            "items_root_differs",
            f"the items lead to {found.hex()}, the entry has {entry.items_root.hex()}",
            "the entry hides an item that its event names, or the salt is another log's",
        )
    return HOLDS[name] if record.item_keys else _OTHERS_WITHHELD


_OTHERS_WITHHELD = msgspec.structs.replace(
    HOLDS[StepName.ITEMS_ROOT], reason="the keys of the shown items; the other keys are withheld"
)


def _keys_root(keys: ShownKeys, shown: list[bytes]) -> bytes:
    # equally many: a key that stands twice would leave another unproven
    if sorted(set(keys.indices)) != list(keys.indices):
        raise VerificationError("item_keys_unproven", "the places of the keys do not ascend")
    leaves = {n: leaf_hash(key) for n, key in zip(keys.indices, shown, strict=True)}
    return covered_root(keys.count, leaves, keys.hashes)


def _read(partial: PartialContent, media_type: str) -> PartialEvent:
    parts = {Part(each.number): each.value for each in partial.parts if each.number in _PARTS}
    elements = partial.items.elements if partial.items else ()
    return read_parts(parts, [each.value for each in elements], media_type)


def _shown(partial: PartialContent, event: PartialEvent) -> ShownEvent:
    items = partial.items
    there = {each.number for each in partial.parts} | ({Part.ITEMS} if items else set())
    return ShownEvent(
        event=event.event,
        items=event.items,
        withheld=tuple([part for part in Part if part not in there]),
        elements_withheld=None if items is None else items.count - len(items.elements),
    )
