"""What became of an event that may be in error: its declarations, what holds instead, and what that changed."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from sealtrail.epcis import read_content
from sealtrail.epcis.events import ErrorDeclaration
from sealtrail.errors import InputError, NotFoundError
from sealtrail.gs1 import item_of
from sealtrail.services.answers.judging import CORRECTIVES_MAX
from sealtrail.services.answers.provenance import Answer, ProvenanceService
from sealtrail.services.answers.provenance_view import correction_view
from sealtrail.services.answers.queries import Showed, named_events
from sealtrail.services.receipts import rfc3339_if_spelt
from sealtrail.store.database import Database
from sealtrail.store.erasure import items_of_row
from sealtrail.store.events import StoredEvent, entries_with_ids, load_by_event_id

ITEMS_MAX = 10  # of the event, that are judged: each costs two judgements or more


class _Found(msgspec.Struct, frozen=True):
    """An event's id, all events that bear it, the items that they name, and the entries of corrective events."""

    event_id: str
    events: tuple[StoredEvent, ...]
    errors: dict[bytes, ErrorDeclaration]
    items: tuple[str, ...]
    correctives: dict[str, list[bytes]]

    @property
    def declared_by_recorder(self) -> bool:
        """Tell whether any of the events was declared erroneous by the member that recorded it."""
        declaring = {e.member for e in self.events if e.entry_id in self.errors}
        return any(e.member in declaring for e in self.events if e.entry_id not in self.errors)


class CorrectionsService:
    """Answers what was declared of an event, and what that changed for its items."""

    def __init__(self, database: Database, provenance: ProvenanceService) -> None:
        self._database = database
        self._provenance = provenance

    async def corrections(self, name: str, showed: Showed) -> dict[str, Any]:
        """Return the declarations of an event, by event id, event hash or an entry's id.

        Args:
            showed: told the entry ids of what is shown.

        Raises:
            NotFoundError: none such (``event_unknown``).
            UnavailableError: as :meth:`ProvenanceService.answer`.
        """
        found = await self._database.read(lambda c: _find(c, name))
        showed(event.entry_id for event in found.events)

        def changed(answer: Answer) -> dict[str, Any]:
            showed(answer.found)
            views = [
                correction_view(each, answer)
                for each in answer.corrections
                if each.correction.declaration.event_id == found.event_id
            ]
            return {
                "item": answer.question.item,
                "corrections": views,
                "verdicts": views[-1]["verdicts_after"] if views else None,
            }

        items = found.items[:ITEMS_MAX] if found.errors else ()
        judged = await self._provenance.answers([item_of(each) for each in items], changed)
        return {
            "event_id": found.event_id,
            "corrected": found.declared_by_recorder
            if not items
            else any(c["taken_out"] for each in judged for c in each["corrections"]),
            "events": [_event(each) for each in found.events if each.entry_id not in found.errors],
            "declarations": [
                _declaration(each, found.errors[each.entry_id], found.correctives)
                for each in found.events
                if each.entry_id in found.errors
            ],
            "items": [each for each in judged if each["corrections"]],
            "items_count": len(found.items),
        }


def _find(connection: sqlite3.Connection, name: str) -> _Found:
    named = named_events(connection, name)
    if not named:
        raise NotFoundError("event_unknown", f"no event {name} is recorded here")
    event_id = named[0].event_id
    events = tuple(load_by_event_id(connection, event_id))
    errors = {e.entry_id: error for e in events if (error := _error(e)) is not None}
    ids = list(dict.fromkeys(i for error in errors.values() for i in error.corrective_event_ids))
    items = dict.fromkeys(i for each in events for i in items_of_row(connection, each.event_row))
    return _Found(
        event_id, events, errors, tuple(items), entries_with_ids(connection, ids[:CORRECTIVES_MAX])
    )


def _error(event: StoredEvent) -> ErrorDeclaration | None:
    """Return what an event declares erroneous; None if it declares nothing, or can't be read."""
    if not event.is_declaration or event.content is None:
        return None
    try:
        return read_content(event.content, event.media_type).event.error_declaration
    except InputError:
        return None


def _event(event: StoredEvent) -> dict[str, Any]:
    return {
        "entry_id": "0x" + event.entry_id.hex(),
        "recorded_by": "0x" + event.member.hex(),
        "record_time": rfc3339_if_spelt(event.record_time_ms),
        "content_hash": None if event.erased else "0x" + event.content_hash.hex(),
    }


def _declaration(
    event: StoredEvent, error: ErrorDeclaration, correctives: dict[str, list[bytes]]
) -> dict[str, Any]:
    return {
        **_event(event),
        "declared_at": error.declaration_time.text,
        "reason": error.reason,
        "corrective_events": [
            {"event_id": i, "entries": ["0x" + each.hex() for each in correctives.get(i, ())]}
            for i in error.corrective_event_ids
        ],
    }
