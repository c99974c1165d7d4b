"""Whether events say of an item what master data says of its product or lot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from sealtrail.custody.beside import Beside, Described
from sealtrail.custody.containment import Touch
from sealtrail.custody.expiry import parse_expiry
from sealtrail.custody.findings import Finding, finding
from sealtrail.custody.history import Recorded
from sealtrail.epcis.events import Extension
from sealtrail.epcis.masterdata import CBV_MDA, attribute_name
from sealtrail.gs1 import item_of


def product_findings(
    item: str, commissionings: Sequence[Touch], beside: Beside, today: date
) -> Iterator[Finding]:
    """Return where what an item was commissioned with differs from master data that held then.

    Args:
        today: settles the century of a two-digit year.
    """
    for touch in commissionings:
        differing = dict(_differing(touch.recorded, beside.described, today))
        for name, (stated, described, by) in differing.items():
            message = f"{name} is {stated!r} by its commissioning, and {described!r} by master data of {by}"
            yield finding("master_data_differs", message, [touch.recorded.entry_id])
    if beside.unlisted:
        gtin = item_of(item).gtin
        entries = [touch.recorded.entry_id for touch in commissionings]
        message = f"no product {gtin} is in the master data that lists its maker's others"
        yield finding("product_unlisted", message, entries)


def _differing(
    recorded: Recorded, described: Sequence[Described], today: date
) -> Iterator[tuple[str, tuple[str, str, str]]]:
    stated = _stated(recorded)
    for each in described if stated else ():
        if not each.holds_at(recorded.time_us):
            continue
        known: dict[str, set[str]] = {}
        for attribute in each.element.attributes:
            if isinstance(attribute.value, str):
                known.setdefault(attribute.name, set()).add(attribute.value.strip())
        for name in sorted(stated.keys() & known.keys()):
            if not _agree(stated[name], known[name], today):
                values = (min(stated[name]), min(known[name]), each.element.id)
                yield name.removeprefix(CBV_MDA), values


def _stated(recorded: Recorded) -> dict[str, set[str]]:
    """Return what an event states of what it brings to life, in CBV's attributes."""
    stated: dict[str, set[str]] = {}
    ilmd: tuple[Extension, ...] = getattr(recorded.event, "ilmd", ())
    for each in ilmd:
        name = attribute_name(each.namespace.rstrip(":/#") + ":" + each.local)
        if name.startswith(CBV_MDA) and each.text:
            stated.setdefault(name, set()).add(each.text.strip())
    return stated


def _agree(stated: set[str], known: set[str], today: date) -> bool:
    """Tell whether any value is the same: in any case of letters, or the same day in another spelling."""

    def forms(values: set[str]) -> set[str | date]:
        return {parse_expiry(value, today) or value.casefold() for value in values if value}

    one, other = forms(stated), forms(known)
    return not one or not other or bool(one & other)
