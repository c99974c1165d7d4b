"""EPCIS views of recorded events: the recorded content, with the event id and record time added.

The recorded bytes themselves are given out by the content route; a view is for reading, not for hashing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sealtrail.epcis import json_form
from sealtrail.epcis.views import distinct_context, translate, write_event, write_query_document
from sealtrail.services.answers.presentation import Presentation
from sealtrail.services.receipts import rfc3339, rfc3339_if_spelt
from sealtrail.store.events import StoredEvent, require_content

QUERY_NAME = "SimpleEventQuery"


def event_view(event: StoredEvent) -> dict[str, Any]:
    """Return the event as EPCIS JSON, in whichever binding it came; its ``@context`` says what the one says that it was
    recorded with.

    A record time that cannot be spelt is left out; the entry's leaf has it.

    Raises:
        NotFoundError, IntegrityError: the content is erased, or damaged.
    """
    view = json_form(require_content(event))
    view["@context"] = distinct_context(view["@context"])
    view.setdefault("eventID", event.event_id)
    record_time = rfc3339_if_spelt(event.record_time_ms)
    if record_time is not None:
        view["recordTime"] = record_time
    return view


def event_document(event: StoredEvent, presentation: Presentation) -> bytes:
    """Return one event with its context, in the form asked for.

    Raises:
        NotFoundError, IntegrityError: the content is erased, or damaged.
        NotAcceptableError: the form has no words for it.
    """
    return write_event(
        translate(event_view(event), presentation.convert),
        form=presentation.form,
        cbv_format=presentation.cbv_format,
    )


def query_document(
    events: Sequence[StoredEvent],
    presentation: Presentation,
    *,
    now_ms: int,
    query_name: str = QUERY_NAME,
    subscription_id: str | None = None,
) -> bytes:
    """Return an EPCISQueryDocument of the events, in the form asked for.

    Args:
        subscription_id: whose results these are, if it is a subscription's.

    Raises:
        NotFoundError, IntegrityError: a content is erased, or damaged.
        NotAcceptableError: the form has no words for one of them.
    """
    return write_query_document(
        [translate(event_view(event), presentation.convert) for event in events],
        form=presentation.form,
        query_name=query_name,
        subscription_id=subscription_id,
        created=rfc3339(now_ms),
        cbv_format=presentation.cbv_format,
    )
