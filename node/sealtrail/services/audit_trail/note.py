"""What is noted of a request while it is answered, until it becomes a record of the audit trail."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import TypeAlias

import msgspec

from sealtrail.evidence.audit_record import (
    ENTRIES_MAX,
    NOBODY,
    RUNS_MAX,
    Action,
    AuditRecord,
    Ending,
    Input,
    Meaning,
    Subject,
    clipped,
)
from sealtrail.signing import item_key

# A record to be, and the refused input that is to be kept beside it.
Draft: TypeAlias = tuple[AuditRecord, bytes | None]

_ELSEWHERE_BYTES = 1 << 20  # larger bodies are hashed in a thread: nobody else should wait


class AuditNote(msgspec.Struct):
    """One request, as far as it is known.

    ``action`` is None of a request that is not recorded unless it is turned away. ``written``: its record is durable
    with what it is about, and there is to be no other.
    """

    time_ms: int
    action: Action | None
    route: str
    item_salt: bytes
    keep_bytes_max: int = 0
    actor: str = NOBODY
    reason: str | None = None
    job: str | None = None
    member: str | None = None
    what: str | None = None
    code: str | None = None
    pointer: str | None = None
    written: bool = False
    _items: list[str] = []
    _items_count: int = 0
    _entries: list[str] = []
    _entries_count: int = 0
    _body: bytes | None = None
    _digest: str | None = None
    _size: int = 0

    async def took(self, body: bytes) -> AuditNote:
        """Note what came in."""
        if len(body) > _ELSEWHERE_BYTES:
            digest = (await asyncio.to_thread(sha256, body)).hexdigest()
        else:
            digest = sha256(body).hexdigest()
        self._digest, self._size = "0x" + digest, len(body)
        self._body = body if 0 < len(body) <= self.keep_bytes_max else None
        return self

    def asked_for(self, items: Collection[str]) -> None:
        """Note which items it is about, by canonical identifier; only their keys are kept."""
        room = ENTRIES_MAX - len(self._items)
        wanted = list(dict.fromkeys(items))
        self._items_count += len(wanted)
        self._items += ["0x" + item_key(self.item_salt, each).hex() for each in wanted[:room]]

    def showed(self, entry_ids: Iterable[bytes]) -> None:
        """Note which entries were shown, or received."""
        shown = list(dict.fromkeys(entry_ids))
        room = ENTRIES_MAX - len(self._entries)
        self._entries_count += len(shown)
        self._entries += ["0x" + each.hex() for each in shown[:room]]

    def drafted(
        self,
        outcome: Ending,
        *,
        code: str | None = None,
        leaves: Sequence[tuple[int, int]] = (),
        job: str | None = None,
        meaning: Meaning | None = None,
        action: Action | None = None,
    ) -> Draft:
        """Return the record as it stands, to be numbered by who appends it; changes nothing here."""
        refused = outcome in (Ending.REFUSED, Ending.PARTLY)
        record = AuditRecord(
            time_ms=self.time_ms,
            actor=self.actor,
            action=action or self.action or Action.REQUEST,
            outcome=outcome,
            code=clipped(code or self.code),
            reason=self.reason,
            meaning=meaning,
            route=clipped(self.route),
            subject=self._subject(tuple(leaves), job or self.job),
            input=self._input(),
        )
        return record, self._body if refused else None

    def _subject(self, leaves: tuple[tuple[int, int], ...], job: str | None) -> Subject | None:
        if not (leaves or job or self._entries or self._items or self.member or self.what):
            return None
        counted = self._entries_count > len(self._entries)
        items_counted = self._items_count > len(self._items)
        return Subject(
            entries=tuple(self._entries),
            entries_count=self._entries_count if counted else None,
            leaves=leaves[:RUNS_MAX],
            leaves_count=sum(n for _, n in leaves) if len(leaves) > RUNS_MAX else None,
            items=tuple(self._items),
            items_count=self._items_count if items_counted else None,
            job=job,
            member=self.member,
            what=clipped(self.what),
        )

    def _input(self) -> Input | None:
        if self._digest is None:
            return None
        return Input(digest=self._digest, size=self._size, pointer=clipped(self.pointer))


def runs(leaf_indices: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return leaves as runs (first, count), ascending."""
    found: list[tuple[int, int]] = []
    for leaf in sorted(set(leaf_indices)):
        if found and sum(found[-1]) == leaf:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((leaf, 1))
    return tuple(found)
