"""Who is to be sent what: a shipment goes to its destination, a correction to those who relied on what it corrects."""

from __future__ import annotations

import logging
import sqlite3

from sealtrail.custody.custodian import Parties, destination_of, is_shipping
from sealtrail.custody.history import Grade, Recorded
from sealtrail.epcis import read_content
from sealtrail.errors import InputError, IntegrityError
from sealtrail.services.records import stored_references
from sealtrail.signing import Kind, Relation
from sealtrail.store.disclosures import told_of
from sealtrail.store.events import StoredEvent, require_content

SHIPPING_STEPS = ("shipping", "departing")

_log = logging.getLogger(__name__)


def addressees_of(
    connection: sqlite3.Connection, event: StoredEvent, parties: Parties, own: bytes
) -> list[bytes]:
    """Return the members that an event is to be sent to; never this one (``own``) or its recorder."""
    if event.is_declaration:
        found = told_of(connection, corrected_by(connection, event))
    else:
        found = _destination(event, parties)
    return [member for member in found if member not in (own, event.member)]


def corrected_by(connection: sqlite3.Connection, event: StoredEvent) -> list[bytes]:
    """Return the entries that an error declaration's entry refers to."""
    references = stored_references(connection, event)
    return [r.entry_id for r in references if r.relation is Relation.CORRECTS]


def _destination(event: StoredEvent, parties: Parties) -> list[bytes]:
    try:
        recorded = read_content(require_content(event), event.media_type)
    except (InputError, IntegrityError) as error:
        # Damage of our own store: whoever asks for the event is told. It must not hold up what comes after it.
        _log.error("entry 0x%s can't be sent, it is unreadable: %s", event.entry_id.hex(), error)
        return []
    shipment = Recorded(
        entry_id=event.entry_id,
        member=event.member,
        kind=Kind.EVENT,
        grade=Grade.SIGNATURE_PROVEN,
        record_time_ms=event.record_time_ms,
        content_hash=event.content_hash,
        event_id=event.event_id,
        event=recorded.event,
        mentions=(),
    )
    destination = destination_of(shipment, parties) if is_shipping(shipment) else None
    member = destination.party.member if destination else None
    return [] if member is None else [member]
