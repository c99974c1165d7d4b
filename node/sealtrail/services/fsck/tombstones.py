"""Tombstones: each of an event that is kept without its content, with what the law asks for; see docs/erasure.md.

That an event without content has one is checked with the event.
"""

from __future__ import annotations

import re

from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.receipts import TIME_MS_MAX

_TABLE = "tombstone"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    for entry_id, erased_ms, by, ground, *order, known in scope.connection.execute(
        "SELECT t.entry_id, erased_ms, erased_by, ground, authority, reference, ordered_on,"
        " coalesce(event.entry_id, f.entry_id) FROM tombstone AS t LEFT JOIN event USING (entry_id)"
        # or of a further entry over a content that was erased; whether an event is gone, its number tells
        " LEFT JOIN foreign_entry AS f ON f.entry_id = t.entry_id AND f.seed IS NULL"
        " AND EXISTS (SELECT 1 FROM event AS e WHERE e.member = f.member AND e.content IS NULL)"
    ):
        key = {"entry_id": entry_id}
        if known is None:
            found.add("event_missing", _TABLE, key, "the event that was erased is gone")
        if not 0 < erased_ms <= TIME_MS_MAX or not by or not ground:
            found.add("tombstone_malformed", _TABLE, key, "no time, person and ground")
        if len({each is None for each in order}) > 1:
            found.add("tombstone_malformed", _TABLE, key, "a part of the order is gone")
        elif order[2] is not None and not _DAY.fullmatch(order[2]):
            message = f"no day: {order[2][:40]!r}"
            found.add("tombstone_malformed", _TABLE, key, message, column="ordered_on")
    return found


CHECK = Check(
    name="tombstones",
    tables=(_TABLE,),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM tombstone")),
    weight=0.05,
)
