"""What master data says of places and things, as queries ask for it. Functions over one connection.

Source: EPCIS 2.0 section 8.2.7.1 (``WD_``, ``HASATTR_``, ``EQATTR_``), section 6.5.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sealtrail.epcis.query import EventFilter, attribute_spellings, resolved
from sealtrail.store import masterdata


def resolve_filter(
    connection: sqlite3.Connection, wanted: EventFilter, *, at_ms: int
) -> EventFilter:
    """Return a query with its conditions on master data as conditions on events.

    Args:
        at_ms: which master data: what holds at that time.

    Raises:
        TooLargeError: ``query_too_complex``.
    """
    if not wanted.needs_master_data:
        return wanted
    return resolved(wanted, _Described(connection, at_ms))


class _Described:
    def __init__(self, connection: sqlite3.Connection, at_ms: int) -> None:
        self._connection = connection
        self._at_ms = at_ms

    def descendants(self, identifier: str) -> Iterable[str]:
        found = masterdata.descendants(self._connection, identifier, self._at_ms)
        return (each for each in found if each != identifier)

    def with_attribute(self, attribute: str, values: tuple[str, ...]) -> Iterable[str]:
        names = attribute_spellings(attribute)
        return masterdata.with_attribute(self._connection, names, values, self._at_ms)
