"""Named queries: made, listed and deleted. A query is never changed: whoever subscribed to it relies on what it asks.

Source: EPCIS 2.0 sections 8.2.5 and 12.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from sealtrail.errors import ConflictError, InputError, NotFoundError, TooLargeError
from sealtrail.services.audit_trail.note import AuditNote
from sealtrail.services.audit_trail.trail import AuditTrail
from sealtrail.services.subscriptions.changes import note_change
from sealtrail.store import named_queries
from sealtrail.store.database import Database
from sealtrail.store.named_queries import NamedQuery

QUERIES_MAX = 1_000
NAME_CHARACTERS_MAX = 200
# The standard's own: what /events answers, and its like for master data
_RESERVED = frozenset({"SimpleEventQuery", "SimpleMasterDataQuery"})


class NamedQueries:
    """One node's named queries.

    Args:
        clock: gives Unix milliseconds.
        deleted: told when a query is gone, with its subscriptions.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        deleted: Callable[[], None],
        audit: AuditTrail | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._deleted = deleted
        self._audit = audit

    async def create(self, name: str, definition: dict[str, Any], note: AuditNote) -> None:
        """Keep a query under a name; durable on return.

        Args:
            definition: has been read, so that it can be read again.
            note: of the request; its record is written with the query.

        Raises:
            InputError: ``query_name_invalid``, ``query_name_reserved``.
            ConflictError: ``query_name_taken``.
            TooLargeError: ``queries_too_many``.
        """
        _check_name(name)
        note.what = f"query {name}"

        def write(connection: sqlite3.Connection) -> None:
            if named_queries.count_queries(connection) >= QUERIES_MAX:
                raise TooLargeError("queries_too_many", f"{QUERIES_MAX} queries are the most")
            if not named_queries.insert_query(connection, name, definition, self._clock()):
                raise ConflictError(
                    "query_name_taken",
                    f"there is a query {name!r} already",
                    pointer="/name",
                    advice="choose another name, or delete that query first",
                )
            note_change(connection, self._audit, note)

        await self._database.write(write)

    async def get(self, name: str) -> NamedQuery:
        """Return the query of that name.

        Raises:
            NotFoundError: ``query_name_unknown``.
        """
        return await self._database.read(lambda c: require_query(c, name))

    async def page(self, *, after: int, limit: int) -> tuple[list[NamedQuery], int | None]:
        """Return the oldest queries after one, and the one to go on after."""
        return await self._database.read(
            lambda c: named_queries.list_queries(c, after=after, limit=limit)
        )

    async def delete(self, name: str, note: AuditNote) -> None:
        """Delete a query and end its subscriptions, by webhook and WebSocket.

        Raises:
            NotFoundError: ``query_name_unknown``.
        """
        note.what = f"query {name[:NAME_CHARACTERS_MAX]} deleted"

        def write(connection: sqlite3.Connection) -> None:
            if not named_queries.delete_query(connection, name):
                raise _unknown(name)
            note_change(connection, self._audit, note)

        await self._database.write(write)
        self._deleted()


def require_query(connection: sqlite3.Connection, name: str) -> NamedQuery:
    """Return the query of that name.

    Raises:
        NotFoundError: ``query_name_unknown``.
    """
    query = named_queries.load_query(connection, name)
    if query is None:
        raise _unknown(name)
    return query


def _unknown(name: str) -> NotFoundError:
    own = (
        "the standard's own query is asked only: keep one under a name of yours, with POST /queries"
    )
    return NotFoundError(
        "query_name_unknown",
        f"there is no query {name[:NAME_CHARACTERS_MAX]!r} that was kept",
        advice=own if name in _RESERVED else None,
    )


def _check_name(name: str) -> None:
    # "." and ".." would be lost from an address, as would blanks at the ends
    fits = 0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable() and name == name.strip()
    if not fits or name in (".", ".."):
        raise InputError(
            "query_name_invalid",
            f"a query's name has 1 to {NAME_CHARACTERS_MAX} printable characters",
            pointer="/name",
        )
    if name in _RESERVED:
        raise InputError(
            "query_name_reserved", f"{name} is the standard's own name", pointer="/name"
        )
