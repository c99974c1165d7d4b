"""Every limit on what is read as EPCIS, in one place, with its unit."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one document may ask of a node.

    The defaults fit one event with 40,000 EPCs, and 10,000 events of one pack each.
    """

    document_bytes_max: int = 16 * 1024 * 1024
    nesting_levels_max: int = 32  # from an event's own object down; objects and arrays alike
    events_count_max: int = 10_000  # in one document
    items_count_max: int = 50_000  # EPCs and classes in one event


DEFAULT = Limits()
