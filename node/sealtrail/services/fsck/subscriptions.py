"""Named queries and subscriptions: what was asked for is as it was stored, and a place is one that can be.

Where events are sent, and which, must not change by itself; how far a consumer is, nothing else says.
"""

from __future__ import annotations

from typing import Any

from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings
from sealtrail.services.fsck.scope import Scope
from sealtrail.services.receipts import TIME_MS_MAX
from sealtrail.store.named_queries import row_digest

_QUERY, _SUBSCRIPTION = "named_query", "subscription"
_FIXED = (
    "subscription_row, subscription_id, query_id, dest, signature_token, controls, created_ms,"
    " created_row"
)
_TIMES = "batch_ms, next_ms, run_ms, notified_ms, failing_ms, suspended_ms"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Check all of them."""
    found = Findings()
    for *columns, digest in scope.connection.execute(
        "SELECT query_id, name, definition, created_ms, digest FROM named_query"
    ):
        if row_digest(*columns) != digest:
            message = "it is not the query that was stored"
            found.add("query_differs", _QUERY, {"query_id": columns[0]}, message)
    _check_fixed(scope, found)
    _check_places(scope, found)
    return found


def _check_fixed(scope: Scope, found: Findings) -> None:
    for *columns, digest, known in scope.connection.execute(
        f"SELECT {_FIXED}, digest, query_id IN (SELECT query_id FROM named_query) FROM subscription"
    ):
        key = {"subscription_row": columns[0]}
        if row_digest(*columns) != digest:
            message = "it is not the subscription that was stored"
            found.add("subscription_differs", _SUBSCRIPTION, key, message)
        if not known:
            found.add("query_missing", _SUBSCRIPTION, key, "its query is gone")


def _check_places(scope: Scope, found: Findings) -> None:
    newest = scope.count("SELECT max(event_row) FROM event")
    for row, event_row, batch, batch_row, failure, *times in scope.connection.execute(
        f"SELECT subscription_row, event_row, batch, batch_row, failure, {_TIMES} FROM subscription"
    ):
        wrong = _wrong_place(newest, event_row, batch, batch_row) or _wrong_times(failure, times)
        if wrong:
            key = {"subscription_row": row}
            found.add("subscription_contradicts", _SUBSCRIPTION, key, wrong)


def _wrong_place(newest: int, event_row: int, batch: int, batch_row: int | None) -> str:
    if not 0 <= event_row <= newest:
        return f"at event {event_row} of {newest}"
    if batch < 1:
        return f"batch {batch}"
    if batch_row is not None and not event_row < batch_row <= newest:
        return f"a batch up to event {batch_row}, from {event_row} of {newest}"
    return ""


def _wrong_times(failure: str | None, times: list[Any]) -> str:
    for time in times:
        if time is not None and not 0 < time <= TIME_MS_MAX:
            return f"a time of {time} ms"
    failing_ms = times[4]
    return "" if (failure is None) == (failing_ms is None) else "failing without a reason"


CHECK = Check(
    name="subscriptions",
    tables=(_QUERY, _SUBSCRIPTION),
    look=look,
    span=lambda scope: (0, scope.count("SELECT count(*) FROM named_query")),
    weight=0.02,
)
