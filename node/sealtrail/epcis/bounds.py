"""Holds a document, and each of its events, to the limits before any of it is worked on.

Whoever sends a document pays for its bytes; what a byte may cost the receiver is bounded here. Most documents are too
short to be over a limit, and nothing in them is counted.
"""

from __future__ import annotations

from typing import Any

import msgspec
import orjson

from sealtrail.epcis.envelope import Envelope
from sealtrail.epcis.fields import located
from sealtrail.epcis.limits import DEFAULT, Limits
from sealtrail.epcis.xml.parsing import values_at_most
from sealtrail.errors import TooLargeError

_ITEM_LISTS = frozenset((
    "epcList", "quantityList", "childEPCs", "childQuantityList", "inputEPCList", "inputQuantityList",
    "outputEPCList", "outputQuantityList",
))  # fmt: skip
# A value takes a character, and a comma or bracket, at the least.
_BYTES_A_VALUE = 2


class Bounds(msgspec.Struct, frozen=True):
    """What is left to count in each event of a document.

    ``items``, ``values``: an event of it may have too many; ``context_values`` are those of the document's context.
    """

    limits: Limits
    items: bool
    values: bool
    context_values: int = 0

    def require_event_fits(self, event: dict[str, Any]) -> None:
        """Refuse an event that has too much in it.

        Raises:
            TooLargeError: ``too_many_items``, ``too_many_values``.
        """
        if self.items:
            _require_items_fit(event, self.limits)
        if self.values:
            most = self.limits.event_values_max
            if self.context_values + count_values(event, most) > most:
                raise TooLargeError(
                    "too_many_values",
                    f"The event has more than {most} values, those of its context included.",
                    advice="Record it as several events.",
                )

    def require_content_fits(self, content: bytes) -> None:
        """Refuse an event whose content is too long.

        Raises:
            TooLargeError: ``event_too_large``.
        """
        if len(content) > self.limits.content_bytes_max:
            raise TooLargeError(
                "event_too_large",
                f"The event's content has {len(content)} bytes;"
                f" {self.limits.content_bytes_max} are allowed.",
            )


def bounds_of(data: bytes, envelope: Envelope, limits: Limits) -> Bounds:
    """Hold an opened document to the limits, and tell what is left to count in its events.

    Raises:
        TooLargeError: ``too_many_events``, ``too_many_values``, ``contexts_too_large``.
    """
    events = len(envelope.events)
    if events > limits.events_count_max:
        raise TooLargeError(
            "too_many_events",
            f"The document has {events} events; {limits.events_count_max} are allowed.",
        )
    items = len(data) > _BYTES_A_VALUE * limits.items_count_max
    context_values = 0
    if envelope.context is not None:
        context_values = _require_contexts_fit(envelope.context, events, limits)
    most = _values_at_most(data, limits) if items else 0
    if most > limits.document_values_max:
        _require_values_fit(envelope, limits)
    return Bounds(limits, items, most + context_values > limits.event_values_max, context_values)


def _require_contexts_fit(context: Any, events: int, limits: Limits) -> int:
    """Return how many values a document's context has."""
    octets = len(orjson.dumps(context))
    if octets * events > limits.contexts_bytes_max:
        raise located(
            TooLargeError(
                "contexts_too_large",
                f"The context's {octets} bytes are kept with each of {events} events;"
                f" {limits.contexts_bytes_max} bytes are allowed for all of them.",
                advice="Name the prefixes that are used only, or send fewer events in one document.",
            ),
            "@context",
        )
    # and the list that joins it with an event's own
    return count_values(context, limits.event_values_max) + 1


def _values_at_most(data: bytes, limits: Limits) -> int:
    """Return a number of values that the document does not exceed: quick to tell, and seldom far off."""
    if len(data) <= _BYTES_A_VALUE * limits.event_values_max:
        return 0
    return _count_marks(data)


def content_values_at_most(content: bytes, limits: Limits = DEFAULT) -> int:
    """Return a number of values that reading a content, of either media type, does not exceed, without reading it."""
    marks = values_at_most(content) if content.startswith(b"<") else _count_marks(content)
    return min(values_of_size(len(content), limits), marks)


def values_of_size(content_bytes: int, limits: Limits = DEFAULT) -> int:
    """Return the most values that a content of that many bytes can have and still be read."""
    return min((content_bytes + 1) // _BYTES_A_VALUE, limits.event_values_max)


def _count_marks(data: bytes) -> int:
    return 1 + data.count(b",") + data.count(b"[") + data.count(b"{")


def _require_values_fit(envelope: Envelope, limits: Limits) -> None:
    most = limits.document_values_max
    if count_values(envelope.events, most) > most:
        raise TooLargeError(
            "too_many_values",
            f"The document has more than {most} values.",
            pointer=envelope.pointer or None,
            advice="Send it in several parts.",
        )


def count_values(tree: Any, most: int) -> int:
    """Return how many values a tree has, its root included; counting ends soon after ``most``."""
    count, level = 0, [tree]
    while level and count <= most:
        count += len(level)
        below: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                below.extend(node.values())
            elif isinstance(node, list):
                below.extend(node)
        level = below
    return count


def _require_items_fit(event: dict[str, Any], limits: Limits) -> None:
    count = 0
    for key in _ITEM_LISTS.intersection(event):
        listed = event[key]
        if isinstance(listed, list):
            count += len(listed)
    if count > limits.items_count_max:
        raise TooLargeError(
            "too_many_items",
            f"The event names {count} EPCs and classes; {limits.items_count_max} are allowed.",
        )
