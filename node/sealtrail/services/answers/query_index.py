"""Events of an earlier version are taken into the indexes of queries, in portions, beside the ordinary work.

Until that is done, queries that need those indexes are refused and say so: one that left events out would answer
another question. Each portion and how far it reaches are one transaction: after a crash it goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3

from sealtrail.epcis import read_content
from sealtrail.epcis.query import index_of
from sealtrail.errors import SealtrailError
from sealtrail.store import derived
from sealtrail.store.database import Database
from sealtrail.store.event_index import Gap, Rows, insert_index, insert_prefixes, load_gap, save_gap
from sealtrail.store.events import require_content

_log = logging.getLogger(__name__)

_EVENTS_AT_ONCE = 32  # some milliseconds: no answer waits longer for the interpreter


class QueryIndex:
    """Closes the gap in one database's indexes; :meth:`run` once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self, stop: asyncio.Event) -> None:
        """Take in every event that is not there yet, or as many as come before the stop."""
        gap = await self._database.read(load_gap)
        if gap.closed:
            return
        _log.warning("indexing %d events of an earlier version", gap.until - gap.event_row)
        while not gap.closed and not stop.is_set():
            gap = await self._portion(gap)
        if gap.closed:
            _log.warning("every event is indexed")

    async def _portion(self, gap: Gap) -> Gap:
        reached, rows, prefixes = await self._database.read(lambda c: _read(c, gap))

        def write(connection: sqlite3.Connection) -> Gap:
            # one that was erased meanwhile has left nothing to be found by
            left = _unerased(connection, [row for row, _, _ in rows])
            insert_index(connection, [each for each in rows if each[0] in left])
            insert_prefixes(connection, prefixes)
            save_gap(connection, reached)
            return load_gap(connection)

        return await self._database.write(write)


def _read(
    connection: sqlite3.Connection, gap: Gap
) -> tuple[int, list[Rows], list[tuple[str, str]]]:
    """Return how far the next events reach, what they are found by, and the prefixes that they define."""
    found = derived.rows_after(connection, gap.event_row, last=gap.until, limit=_EVENTS_AT_ONCE)
    rows: list[Rows] = []
    prefixes: dict[tuple[str, str], None] = {}
    for event, _ in found:
        try:
            recorded = read_content(require_content(event), event.media_type)
        except SealtrailError:
            continue  # erased; or damaged, which the check of the store says
        prefixes.update(dict.fromkeys(recorded.prefixes))
        index = index_of(recorded.event, recorded.items)
        rows.append((event.event_row, list(index.terms), list(index.values)))
    return found[-1][0].event_row if found else gap.until, rows, list(prefixes)


def _unerased(connection: sqlite3.Connection, event_rows: list[int]) -> set[int]:
    marks = ", ".join("?" * len(event_rows))
    rows = connection.execute(
        f"SELECT event_row FROM event WHERE event_row IN ({marks}) AND content NOT NULL", event_rows
    )
    return {row[0] for row in rows}
