"""Which items an event names, and in which place. Normative: docs/protocol.md section 1.

EPCs and classes in every list, parents, inputs and outputs, and the lot of each pack, from its Digital Link or the
event's master data. Not places, not parties, not business documents.
"""

from __future__ import annotations

from collections.abc import Iterable

from sealtrail.epcis.events import (
    AnyEvent,
    Extension,
    ObjectEvent,
    TransactionEvent,
    TransformationEvent,
)
from sealtrail.epcis.records import ItemMention, Place
from sealtrail.gs1 import canonical, gtin_of_pack, lot_identifier, lot_in

_MASTER_DATA = ("urn:epcglobal:cbv:mda", "urn:epcglobal:cbv:mda:")


def items_of(event: AnyEvent) -> tuple[ItemMention, ...]:
    """Return what the event names, each item once a place, in the order of the event's fields."""
    found: dict[tuple[str, Place], None] = {}
    packs: tuple[str, ...]
    if isinstance(event, TransformationEvent):
        _add(found, event.input_epc_list, "input")
        _add(found, (q.epc_class for q in event.input_quantity_list), "input_class")
        _add(found, event.output_epc_list, "output")
        _add(found, (q.epc_class for q in event.output_quantity_list), "output_class")
        packs = event.input_epc_list + event.output_epc_list
        made = event.output_epc_list
    else:
        if not isinstance(event, ObjectEvent) and event.parent_id is not None:
            found[canonical(event.parent_id), "parent"] = None
        if isinstance(event, ObjectEvent | TransactionEvent):
            packs, classes = event.epc_list, event.quantity_list
        else:
            packs, classes = event.child_epcs, event.child_quantity_list
        _add(found, packs, "epc")
        if classes:
            _add(found, (q.epc_class for q in classes), "class")
        made = packs
    lots: list[str] = [lot for pack in packs if (lot := lot_in(pack)) is not None]
    if isinstance(event, ObjectEvent | TransformationEvent) and event.ilmd:
        lots += _lots(made, event.ilmd)
    for lot in lots:
        found[lot, "lot"] = None
    return tuple(ItemMention(item, place) for item, place in found)


def _add(found: dict[tuple[str, Place], None], identifiers: Iterable[str], place: Place) -> None:
    for identifier in identifiers:
        found[canonical(identifier), place] = None


def _lots(packs: Iterable[str], ilmd: tuple[Extension, ...]) -> list[str]:
    """Return a lot for each GTIN among the packs and each ``cbvmda:lotNumber``."""
    numbers = [
        element.text.strip()
        for element in ilmd
        if element.local == "lotNumber" and element.namespace in _MASTER_DATA and element.text
    ]
    if not numbers:
        return []
    gtins = dict.fromkeys(gtin for pack in packs if (gtin := gtin_of_pack(pack)) is not None)
    return [lot_identifier(gtin, number) for gtin in gtins for number in numbers if number]
