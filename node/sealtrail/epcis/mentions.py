"""Which items an event names, and in which place. Normative: docs/protocol.md section 1.

EPCs and classes in every list, parents, inputs and outputs, and the lot of each pack, from its Digital Link or the
event's master data. Not places, not parties, not business documents.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

from sealtrail.epcis.events import (
    AnyEvent,
    Extension,
    ExtensionEvent,
    ObjectEvent,
    QuantityElement,
    TransactionEvent,
    TransformationEvent,
)
from sealtrail.epcis.limits import DEFAULT
from sealtrail.epcis.records import ItemMention, Place
from sealtrail.errors import TooLargeError
from sealtrail.gs1 import canonical, gtin_of_pack, lot_identifier, lot_in
from sealtrail.gs1.packs import PACKS_MIN, Packs, read_packs

_WITH_EPC_LIST = (ObjectEvent, TransactionEvent)
_WITH_ILMD = (ObjectEvent, TransformationEvent)
_MASTER_DATA = ("urn:epcglobal:cbv:mda", "urn:epcglobal:cbv:mda:")

Found = dict[tuple[str, Place], None]


def items_of(event: AnyEvent) -> tuple[ItemMention, ...]:
    """Return what the event names, each item once a place, in the order of the event's fields.

    Raises:
        TooLargeError: ``too_many_items``, its packs' GTINs times its lot numbers.
    """
    found: Found = {}
    if isinstance(event, ExtensionEvent):
        return _mentions(found, _of_others(found, event))
    if isinstance(event, TransformationEvent):
        used = _add_packs(found, event.input_epc_list, "input")
        _add_classes(found, event.input_quantity_list, "input_class")
        made = _add_packs(found, event.output_epc_list, "output")
        _add_classes(found, event.output_quantity_list, "output_class")
        lots = used.lots + made.lots
    else:
        if not isinstance(event, ObjectEvent) and event.parent_id is not None:
            found[canonical(event.parent_id), "parent"] = None
        if isinstance(event, _WITH_EPC_LIST):
            epcs, classes = event.epc_list, event.quantity_list
        else:
            epcs, classes = event.child_epcs, event.child_quantity_list
        made = _add_packs(found, epcs, "epc")
        _add_classes(found, classes, "class")
        lots = made.lots
    if isinstance(event, _WITH_ILMD) and event.ilmd:
        lots += _lots(made.gtins, event.ilmd)
    return _mentions(found, lots)


def _mentions(found: Found, lots: Iterable[str]) -> tuple[ItemMention, ...]:
    for lot in lots:
        found[lot, "lot"] = None
    return tuple([ItemMention(item, place) for item, place in found])


def _of_others(found: Found, event: ExtensionEvent) -> tuple[str, ...]:
    """Add what an event of somebody's own type names; return the lots. It may have every list of the standard."""
    if event.parent_id is not None:
        found[canonical(event.parent_id), "parent"] = None
    named = _add_packs(found, event.epc_list, "epc")
    inside = _add_packs(found, event.child_epcs, "epc")
    _add_classes(found, event.quantity_list, "class")
    _add_classes(found, event.child_quantity_list, "class")
    used = _add_packs(found, event.input_epc_list, "input")
    _add_classes(found, event.input_quantity_list, "input_class")
    made = _add_packs(found, event.output_epc_list, "output")
    _add_classes(found, event.output_quantity_list, "output_class")
    gtins = dict.fromkeys((*named.gtins, *made.gtins))
    return named.lots + inside.lots + used.lots + made.lots + _lots(gtins, event.ilmd)


def _add_packs(found: Found, identifiers: tuple[str, ...], place: Place) -> Packs:
    packs = read_packs(identifiers) if len(identifiers) >= PACKS_MIN else None
    if packs is None:
        packs = _packs_one_by_one(identifiers)
    found.update(zip(zip(packs.canonical, repeat(place)), repeat(None)))
    return packs


def _packs_one_by_one(identifiers: tuple[str, ...]) -> Packs:
    names = tuple([canonical(pack) for pack in identifiers])
    gtins = dict.fromkeys([gtin for name in names if (gtin := gtin_of_pack(name)) is not None])
    lots = [lot for pack in identifiers if (lot := lot_in(pack)) is not None]
    return Packs(names, tuple(gtins), tuple(lots))


def _add_classes(found: Found, classes: tuple[QuantityElement, ...], place: Place) -> None:
    for element in classes:
        found[canonical(element.epc_class), place] = None


def _lots(gtins: Iterable[str], ilmd: tuple[Extension, ...]) -> tuple[str, ...]:
    """Return a lot for each GTIN among the packs and each ``cbvmda:lotNumber``."""
    numbers = [
        number
        for element in ilmd
        if element.local == "lotNumber" and element.namespace in _MASTER_DATA and element.text
        if (number := element.text.strip())
    ]
    named = tuple(gtins)
    if len(named) * len(numbers) > DEFAULT.items_count_max:
        raise TooLargeError(
            "too_many_items",
            f"{len(named)} GTINs with {len(numbers)} lot numbers name more than"
            f" {DEFAULT.items_count_max} lots.",
        )
    return tuple([lot_identifier(gtin, number) for gtin in named for number in numbers])
