"""Birth, end of life and its undoing, and what an item's disposition says of its fitness.

End of life is a table of event type, action, business step and disposition (CBV 2.0 sections 7.1 and 7.2).
An aggregation's DELETE, killing a tag, and ``partially_dispensed`` end nothing.
"""

from __future__ import annotations

from sealtrail.epcis.events import AnyEvent, ObjectEvent, TransactionEvent, TransformationEvent

_COMMISSION_STEPS = frozenset(
    {None, "commissioning", "creating_class_instance", "encoding", "assembling", "repackaging"}
)
_ENDING_STEPS = {
    "decommissioning": "decommissioned",
    "destroying": "destroyed",
    "dispensing": "dispensed",
    "retail_selling": "sold",
}
_ENDING_DISPOSITIONS = {
    "destroyed": "destroyed",
    "disposed": "destroyed",
    "dispensed": "dispensed",
    "retail_sold": "sold",
    "inactive": "decommissioned",
}
_IDENTITY_ONLY = frozenset({"decommissioned"})
_HANDED_OVER = frozenset({"dispensed", "sold"})
_FOR_GOOD = frozenset({"dispensed", "sold", "destroyed", "consumed"})
_NOT_FIT = {
    "recalled": "recalled",
    "stolen": "stolen",
    "expired": "expired",
    "damaged": "damaged",
    "destroyed": "destroyed",
    "disposed": "destroyed",
    "dispensed": "dispensed",
    "retail_sold": "sold",
    "inactive": "decommissioned",
    "non_sellable_other": "quarantined",
    "non_conformant": "quarantined",
    "needs_replacement": "quarantined",
    "no_pedigree_match": "suspect",
    "mismatch_instance": "suspect",
    "mismatch_class": "suspect",
}
RELEASED = frozenset(
    {"active", "available", "conformant", "sellable_accessible", "sellable_not_accessible"}
)
RECALLED = "recalled"
STICKY = frozenset({RECALLED, "stolen"})
# business steps by which a thing is spoken of, wherever it is; all others of the CBV handle it
_SPOKEN_OF = frozenset({None, "holding", "inspecting", "other"})


def commissions(event: AnyEvent, place: str) -> bool:
    """Tell whether the event brings what it names in ``place`` to life.

    Source: EPCIS 2.0 section 7.4.2 (ObjectEvent ADD), 7.4.6 (outputs).
    """
    if isinstance(event, TransformationEvent):
        return place in ("output", "output_class")
    if not isinstance(event, ObjectEvent) or event.action == "DELETE":
        return False
    if event.action == "ADD":
        return event.biz_step in _COMMISSION_STEPS
    return event.biz_step == "commissioning"


def end_of_life(event: AnyEvent, place: str) -> str | None:
    """Return how the event ends the life of what it names in ``place``, or None if it doesn't."""
    if isinstance(event, TransformationEvent):
        return "consumed" if place == "input" else None
    if place != "epc" or event.disposition == "partially_dispensed":
        return None
    if not isinstance(event, (ObjectEvent, TransactionEvent)) or event.action == "ADD":
        return None
    by_step = _ENDING_STEPS.get(event.biz_step or "")
    reason = by_step or _ENDING_DISPOSITIONS.get(event.disposition or "")
    if reason is not None or isinstance(event, TransactionEvent) or event.action != "DELETE":
        return reason
    return None if event.biz_step == "killing" else "decommissioned"


def reaches_contents(event: AnyEvent) -> bool:
    """Tell whether an end of life of a container ends what is inside too.

    Destroying or dispensing a case does; decommissioning its label doesn't.
    """
    return end_of_life(event, "epc") not in (None, *_IDENTITY_ONLY) or isinstance(
        event, TransformationEvent
    )


def refines(old: str, new: str) -> bool:
    """Tell whether a second end of life is the ordinary course of the first: marked out, then disposed of."""
    if new == "destroyed":
        return old != "destroyed"
    return old == "decommissioned" and new in _HANDED_OVER


def undoes(event: AnyEvent) -> bool:
    """Tell whether the event puts what had ended back to use."""
    if not isinstance(event, ObjectEvent) or event.action != "OBSERVE":
        return False
    return event.disposition in RELEASED and event.biz_step not in ("shipping", "receiving")


def declares_recall(event: AnyEvent) -> bool:
    """Tell whether the event merely declares a recall or lifts one, and doesn't handle the thing."""
    if not isinstance(event, ObjectEvent) or event.action != "OBSERVE":
        return False
    persistent = event.persistent_disposition
    marks = (*persistent.set, *persistent.unset) if persistent else ()
    step = event.biz_step
    spoken_of = step in _SPOKEN_OF or (step is not None and ":" in step)  # a URI is no CBV word
    return spoken_of and RECALLED in (event.disposition, *marks)


def undoable(reason: str) -> bool:
    """Tell whether that end of life can be undone at all (EU 2016/161 article 13)."""
    return reason not in _FOR_GOOD


def unfit_for(disposition: str) -> str | None:
    """Return why a thing of that disposition isn't fit, or None."""
    return _NOT_FIT.get(disposition)
