"""EPCIS views of recorded events: the recorded content, with the event id and record time added.

The recorded bytes themselves are given out by the content route; a view is for reading, not for hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sealtrail.epcis import json_form
from sealtrail.epcis.views import write_query_document
from sealtrail.services.receipts import rfc3339, rfc3339_if_spelt
from sealtrail.store.events import StoredEvent, require_content

QUERY_NAME = "SimpleEventQuery"


def event_view(event: StoredEvent) -> dict[str, Any]:
    """Return the event as EPCIS JSON, in whichever binding it came; its ``@context`` is the one it was recorded with.

    A record time that cannot be spelt is left out; the entry's leaf has it.

    Raises:
        NotFoundError, IntegrityError: the content is erased, or damaged.
    """
    view = json_form(require_content(event))
    view.setdefault("eventID", event.event_id)
    record_time = rfc3339_if_spelt(event.record_time_ms)
    if record_time is not None:
        view["recordTime"] = record_time
    return view


def query_document(events: Sequence[StoredEvent], *, now_ms: int) -> bytes:
    """Return an EPCISQueryDocument of the events, as JSON."""
    return write_query_document(
        [event_view(event) for event in events],
        form="json-2.0",
        query_name=QUERY_NAME,
        created=rfc3339(now_ms),
    )
