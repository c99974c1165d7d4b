"""Same or other event: duplicate, conflict, or a new entry. Decided inside the writer's transaction.

A duplicate is the same content by the same member. The same event id with other content is a conflict,
unless exactly one of the two carries an error declaration (EPCIS 2.0 section 7.4.1.2: it repeats the
erroneous event's id), or they are twins: one in JSON and one in XML, with an equal event hash. An equal event hash
with other content is kept: ids that this node assigned don't conflict with each other.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from sealtrail.errors import ConflictError
from sealtrail.services.recording.drafts import Draft, Drafter
from sealtrail.signing import Reference, Relation
from sealtrail.store.events import Known, known_contents, known_ids
from sealtrail.store.log import NewEntry


class Same(msgspec.Struct, frozen=True):
    """Recorded before, as ``entry_id`` (perhaps earlier in the same document)."""

    entry_id: bytes


class Fresh(msgspec.Struct, frozen=True):
    """To be recorded, as ``entry``."""

    draft: Draft
    entry: NewEntry


Decision: TypeAlias = Same | Fresh | ConflictError


def decide(
    connection: sqlite3.Connection, drafter: Drafter, drafts: Sequence[Draft]
) -> list[Decision]:
    """Return what each draft is, given what is recorded and the drafts before it."""
    contents = known_contents(connection, drafter.member, [d.event.content_hash for d in drafts])
    by_id = _KnownIds(connection, drafter.member, drafts)
    decisions: list[Decision] = []
    for draft in drafts:
        content_hash = draft.event.content_hash
        first = contents.get(content_hash)
        decision = Same(first) if first else _other(drafter, draft, by_id.of(draft))
        decisions.append(decision)
        if isinstance(decision, Fresh):
            contents[content_hash] = decision.entry.entry_id
            by_id.add(draft, decision.entry.entry_id)
    return decisions


class _KnownIds:
    """What is recorded under the drafts' ids, those decided on the way included.

    Empty if no draft brought an id or declares an error: assigned ids never clash.
    """

    def __init__(
        self, connection: sqlite3.Connection, member: bytes, drafts: Sequence[Draft]
    ) -> None:
        self._known: dict[str, list[Known]] = {}
        # a declaration without an id shares its event's all the same: the event hash leaves the declaration out
        asked = {d.event_id for d in drafts if d.given_id or d.event.is_declaration}
        self._matters = bool(asked)
        if asked:
            for known in known_ids(connection, member, list(asked)):
                self._known.setdefault(known.event_id, []).append(known)

    def of(self, draft: Draft) -> Sequence[Known]:
        return self._known.get(draft.event_id, ()) if self._matters else ()

    def add(self, draft: Draft, entry_id: bytes) -> None:
        if self._matters:
            event = draft.event
            known = Known(
                draft.event_id,
                event.content_hash,
                entry_id,
                event.is_declaration,
                event.media_type,
                event.event_hash,
            )
            self._known.setdefault(draft.event_id, []).append(known)


def _other(drafter: Drafter, draft: Draft, known: Sequence[Known]) -> Fresh | ConflictError:
    declares = draft.event.is_declaration
    clash = next((k for k in known if k.is_declaration == declares and not _twins(draft, k)), None)
    if clash is not None and draft.given_id:
        return _conflict(draft, clash)
    if draft.entry is not None:
        return Fresh(draft, draft.entry)
    declared = [k for k in known if not k.is_declaration][:1]
    references = [Reference(Relation.CORRECTS, k.entry_id) for k in declared]
    return Fresh(draft, drafter.sign(draft, references))


def _twins(draft: Draft, known: Known) -> bool:
    event = draft.event
    return event.media_type != known.media_type and event.event_hash == known.event_hash


def _conflict(draft: Draft, clash: Known) -> ConflictError:
    what = "error declaration" if clash.is_declaration else "event"
    return ConflictError(
        "event_id_conflict",
        f"another {what} with the id {draft.event_id} and other content is recorded already",
        pointer=f"{draft.pointer}/eventID",
        advice="give a new event an id of its own; to correct one, send it again with an errorDeclaration",
        event_id=draft.event_id,
        recorded_entry_id="0x" + clash.entry_id.hex(),
        recorded_content_hash="0x" + clash.content_hash.hex(),
        content_hash="0x" + draft.event.content_hash.hex(),
    )
