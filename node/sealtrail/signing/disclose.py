"""Makes what is shown of an event to someone who asked about some of its items.

Source: docs/protocol.md section 5; docs/decisions/0090-divide-an-event-into-six-parts.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

import orjson

from sealtrail.epcis import ItemMention, Part, RecordedEvent, divide, read_parts
from sealtrail.gs1 import canonical, gtin_of_lot, gtin_of_pack, lot_in
from sealtrail.log.subset import covering_hashes
from sealtrail.log.tree import leaf_hash
from sealtrail.signing.disclosure import (
    FIRST_ELEMENT_SALT,
    FIRST_PART_SALT,
    PARTS_SALT,
    PartialContent,
    Salted,
    Shown,
    ShownItems,
    ShownKeys,
    hashes_leaf,
    salt_parts,
)
from sealtrail.signing.roots import item_keys

_WITH_MASTER_DATA = ("epcList", "outputEPCList")
WITHHELD_BY_DEFAULT = frozenset((Part.DOCUMENTS, Part.REST))


def disclose(
    event: RecordedEvent,
    seed: bytes,
    items: Collection[str],
    *,
    withhold: Collection[Part] = WITHHELD_BY_DEFAULT,
    item_salt: bytes | None = None,
) -> PartialContent:
    """Return the event's content in parts: of the items only those asked for, and the parts that are not withheld.

    An item may be a pack, a class or a lot; of packs that only the master data puts into a lot, the first of the
    lot's GTIN is shown for it. The core is always shown, and with it the parent; content hash and event hash never:
    with them a guess of all that is withheld could be confirmed.

    Args:
        items: canonical identifiers. Those that the event does not name change nothing.
        withhold: parts; with :attr:`Part.ITEMS` among them even the number of items is.
        item_salt: the log's, if whoever is shown this may have it: the shown items' keys are proven then.
    """
    salted = salt_parts(seed, divide(event.content, event.form))
    withheld = [part for part in Part if part in withhold and part is not Part.CORE]
    parts: dict[Part, bytes] = {
        part: salted.parts[part] for part in Part if part not in withheld and part is not Part.ITEMS
    }
    chosen, shown_items = [], None
    if Part.ITEMS not in withheld:
        chosen = _chosen(event, salted.elements, set(items), parts)
        shown_items = _shown_items(salted, chosen)
    keys = None
    if item_salt is not None:
        shown = read_parts(parts, [salted.elements[n] for n in chosen])
        keys = _shown_keys(item_salt, event.items, shown.items)
    return PartialContent(
        hashes_leaf=hashes_leaf(salted.salts, event.content_hash, event.event_hash),
        salt=salted.salts[PARTS_SALT],
        parts=tuple(
            [Shown(int(n), salted.salts[FIRST_PART_SALT + n], each) for n, each in parts.items()]
        ),
        withheld=tuple([salted.hashes[n] for n in withheld]),
        items=shown_items,
        keys=keys,
    )


def _chosen(
    event: RecordedEvent, elements: Sequence[bytes], wanted: set[str], parts: Mapping[Part, bytes]
) -> list[int]:
    """Return the places of the elements that name what is wanted, or that the master data puts into a wanted lot."""
    named = [_identifier(element) for element in elements]
    chosen = {
        n
        for n, (_, each) in enumerate(named)
        if canonical(each) in wanted or lot_in(each) in wanted
    }
    lots = {m.item for m in event.items if m.place == "lot"} & wanted
    if lots and parts.get(Part.MASTER_DATA):
        shown = read_parts(parts, [elements[n] for n in sorted(chosen)])
        for lot in lots - {mention.item for mention in shown.items}:
            gtin = gtin_of_lot(lot)
            packs = (
                n
                for n, (name, each) in enumerate(named)
                if name in _WITH_MASTER_DATA and gtin_of_pack(each) == gtin
            )
            chosen.update(islice(packs, 1))
    return sorted(chosen)


def _identifier(element: bytes) -> tuple[str, str]:
    """Return an element's list and the EPC or class that it names."""
    ((name, value),) = orjson.loads(element).items()
    return name, value if isinstance(value, str) else value["epcClass"]


def _shown_items(salted: Salted, chosen: Sequence[int]) -> ShownItems:
    salts = salted.salts
    return ShownItems(
        salt=salts[FIRST_PART_SALT + Part.ITEMS],
        count=len(salted.elements),
        elements=tuple(
            [Shown(n, salts[FIRST_ELEMENT_SALT + n], salted.elements[n]) for n in chosen]
        ),
        hashes=covering_hashes(salted.element_hashes, chosen),
    )


def _shown_keys(
    item_salt: bytes, named: Iterable[ItemMention], shown: Iterable[ItemMention]
) -> ShownKeys:
    keys = item_keys(item_salt, named)
    places = {key: n for n, key in enumerate(keys)}
    indices = [places[key] for key in item_keys(item_salt, shown)]
    hashes = covering_hashes([leaf_hash(key) for key in keys], indices)
    return ShownKeys(count=len(keys), indices=tuple(indices), hashes=hashes)
